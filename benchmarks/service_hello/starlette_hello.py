"""Hello in Starlette."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def hello(request: Request) -> JSONResponse:
    """Read the body and answer."""
    await request.json()
    return JSONResponse({"decision": True})


def create() -> Starlette:
    """The application."""
    return Starlette(routes=[Route("/", hello, methods=["POST"])])
