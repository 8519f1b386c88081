"""The front: who may ask, how bodies are read, and how a client wants its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.server.call import JSON, Call
from engine.server.keys import Keys
from engine.server.problems import Problem, bad
from engine.server.service import Asking, Service
from engine.server.settings import LEVELS, Level, Settings
from engine.strict_json import NotJson, parse_json_line

DETAIL = "ChangeGate-Detail"
_DETAIL = DETAIL.lower().encode("ascii")
_PLAIN = JSON.encode("ascii")


class Front:
    """What all addresses share: the service, who may ask it, and how requests are read."""

    def __init__(self, settings: Settings, service: Service, keys: Keys | None) -> None:
        self.settings = settings
        self.service = service
        self._keys = keys

    def admit(self, call: Call, scope: str) -> None:
        """Let the request through if its key may do this; raises Problem 401 or 403."""
        if self._keys is None:
            return
        scopes = self._keys.scopes(call.headers.get(b"authorization"))
        if scopes is None:
            self.service.metrics.refused("unauthorized")
            raise Problem(
                401, "send a key: `Authorization: Bearer …`", {"WWW-Authenticate": 'Bearer realm="changegate"'}
            )
        if scope not in scopes:
            self.service.metrics.refused("forbidden")
            raise Problem(403, f"this key has no scope `{scope}`")

    def body(self, call: Call, scope: str) -> Mapping[str, Any]:
        """The object that the body holds; raises Problem."""
        self.admit(call, scope)
        if call.headers.get(b"content-type") != _PLAIN:
            _check_media(call.header(b"content-type") or "")
        if (call.header(b"content-encoding") or "identity").lower() != "identity":
            raise Problem(415, "the body must not be compressed")
        try:
            data = parse_json_line(call.body)
        except (NotJson, UnicodeDecodeError) as error:
            raise bad("the body is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)) from None
        if not isinstance(data, dict):
            raise bad("the body must be a JSON object")
        return data

    def asking(self, call: Call) -> Asking:
        """How the client wants its answer; raises Problem 400."""
        accepted = call.header(b"accept-language") or self.settings.locale
        language = call.live.language(accepted) if accepted else call.live.own_language
        return Asking(call.live, call.identifier, self._level(call), language, call.span)

    def _level(self, call: Call) -> Level:
        asked = call.header(_DETAIL)
        if asked is None:
            return self.settings.detail
        for level in LEVELS:
            if level == asked.strip().lower():
                return level
        raise bad(f"`{DETAIL}` must be one of {', '.join(LEVELS)}")


def _check_media(sent: str) -> None:
    media, _, parameters = sent.partition(";")
    if media.strip().lower() != JSON or not _is_utf8(parameters):
        raise bad(f"the body must be `Content-Type: {JSON}`, in UTF-8")


def _is_utf8(parameters: str) -> bool:
    """Whether a media type's parameters leave its text in UTF-8."""
    pairs = (each.partition("=") for each in parameters.split(";"))
    charsets = (value for name, _, value in pairs if name.strip().lower() == "charset")
    return all(value.strip(' "').lower() in ("utf-8", "utf8") for value in charsets)
