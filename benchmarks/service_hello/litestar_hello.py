"""Hello in Litestar."""
# Litestar reads annotations when it starts, so they must not be put off.

from typing import Any

from litestar import Litestar, post


@post("/", status_code=200)
async def hello(data: dict[str, Any]) -> dict[str, bool]:
    """Take the body and answer."""
    del data
    return {"decision": True}


def create() -> Litestar:
    """The application."""
    return Litestar([hello], openapi_config=None)
