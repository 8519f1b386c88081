"""Hello in Falcon."""

from __future__ import annotations

from falcon.asgi import App, Request, Response


class Hello:
    """The one address."""

    async def on_post(self, req: Request, resp: Response) -> None:
        """Read the body and answer."""
        await req.get_media()
        resp.media = {"decision": True}

    async def on_get(self, _req: Request, resp: Response) -> None:
        """It is there."""
        resp.media = {"status": "ok"}


def create() -> App[Request, Response]:
    """The application."""
    application = App()
    application.add_route("/", Hello())
    return application
