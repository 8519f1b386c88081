"""The front: who may ask, how bodies are read, and how a client wants its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from falcon.asgi import Request

from engine.server.guard import LIVE, REQUEST_ID, SPAN
from engine.server.keys import Keys
from engine.server.live import Live
from engine.server.problems import Problem, bad
from engine.server.service import Asking, Service
from engine.server.settings import LEVELS, Level, Settings
from engine.strict_json import NotJson, parse_json_line

JSON = "application/json"
DETAIL = "ChangeGate-Detail"


class Front:
    """What all addresses share: the service, who may ask it, and how requests are read."""

    def __init__(self, settings: Settings, service: Service, keys: Keys | None) -> None:
        self.settings = settings
        self.service = service
        self._keys = keys

    def admit(self, req: Request, scope: str) -> None:
        """Let the request through if its key may do this; raises Problem 401 or 403."""
        if self._keys is None:
            return
        given = req.get_header("Authorization")
        scopes = self._keys.scopes(given.encode("latin-1", "replace") if given else None)
        if scopes is None:
            self.service.metrics.refused("unauthorized")
            raise Problem(
                401, "send a key: `Authorization: Bearer …`", {"WWW-Authenticate": 'Bearer realm="changegate"'}
            )
        if scope not in scopes:
            self.service.metrics.refused("forbidden")
            raise Problem(403, f"this key has no scope `{scope}`")

    async def body(self, req: Request, scope: str) -> Mapping[str, Any]:
        """The object that the body holds; raises Problem."""
        self.admit(req, scope)
        media, _, parameters = (req.content_type or "").partition(";")
        if media.strip().lower() != JSON or not _is_utf8(parameters):
            raise bad(f"the body must be `Content-Type: {JSON}`, in UTF-8")
        if (req.get_header("Content-Encoding") or "identity").lower() != "identity":
            raise Problem(415, "the body must not be compressed")
        try:
            data = parse_json_line(await req.stream.read())
        except (NotJson, UnicodeDecodeError) as error:
            raise bad("the body is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)) from None
        if not isinstance(data, dict):
            raise bad("the body must be a JSON object")
        return data

    def asking(self, req: Request) -> Asking:
        """How the client wants its answer; raises Problem 400."""
        live: Live = req.scope[LIVE]
        return Asking(live, req.scope[REQUEST_ID], self._level(req), self._language(req, live), req.scope[SPAN])

    def _level(self, req: Request) -> Level:
        asked = req.get_header(DETAIL)
        if asked is None:
            return self.settings.detail
        for level in LEVELS:
            if level == asked.strip().lower():
                return level
        raise bad(f"`{DETAIL}` must be one of {', '.join(LEVELS)}")

    def _language(self, req: Request, live: Live) -> str:
        return live.language(req.get_header("Accept-Language") or self.settings.locale or live.own_language)


def _is_utf8(parameters: str) -> bool:
    """Whether a media type's parameters leave its text in UTF-8."""
    pairs = (each.partition("=") for each in parameters.split(";"))
    charsets = (value for name, _, value in pairs if name.strip().lower() == "charset")
    return all(value.strip(' "').lower() in ("utf-8", "utf8") for value in charsets)
