"""What a decision service answers, read by its clients (AuthZEN sections 6 to 10).

Whatever is no well-formed answer is a failure; no decision ever comes of one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from engine.contract import decision_from
from engine.decision import Decision
from engine.request import InvalidRequest
from engine.strict_json import parse_json_line

JSON, PROBLEM = "application/json", "application/problem+json"
# An answer is given up when it is larger.
MAX_BYTES = 64 * 1024 * 1024
_SECONDS = re.compile(r"[0-9]{1,6}")
_LONGEST = 500


class ServiceFailed(RuntimeError):
    """The service gave no answer, and nothing may be concluded from that; `problem` says why.

    `status` is the HTTP status, None where there was none.
    """

    def __init__(self, problem: str, status: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status


class NotNow(ServiceFailed):
    """The service has not taken the request; so many seconds later it may."""

    def __init__(self, problem: str, status: int | None = None, seconds: float = 0.5) -> None:
        super().__init__(problem, status)
        self.seconds = seconds


class Answer:
    """An answer while it arrives, bounded in size and time."""

    def __init__(self, status: int, headers: Mapping[str, str], end: float) -> None:
        self._status = status
        self._headers = headers
        self._end = end
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Take in the next part of the body; raises ServiceFailed where it is too much or too late."""
        self._parts.append(part)
        self._size += len(part)
        if self._size > MAX_BYTES:
            raise nonsense(f"more than {MAX_BYTES // 1024 // 1024} MiB", self._status)
        if time.monotonic() > self._end:
            raise ServiceFailed("the answer did not arrive in time", self._status)

    def data(self) -> dict[str, Any]:
        """The object that the whole body holds; raises InvalidRequest, NotNow or ServiceFailed where it is no answer."""
        if self._status != HTTPStatus.OK:
            raise self._failure()
        if self._media != JSON:
            raise nonsense(f"`{_short(self._media)}` in place of JSON", self._status)
        data = self._object()
        if data is None:
            raise nonsense("what is no JSON object", self._status)
        return data

    def _failure(self) -> InvalidRequest | ServiceFailed:
        problem = (self._object() or {}) if self._media == PROBLEM else {}
        detail = next((text for name in ("detail", "title") if isinstance(text := problem.get(name), str)), None)
        if detail and self._status == HTTPStatus.BAD_REQUEST:
            return InvalidRequest(_short(detail))
        said = f"the service answered {self._status}: {_short(detail or _phrase(self._status))}"
        wait = self._headers.get("retry-after", "")
        if self._status == HTTPStatus.SERVICE_UNAVAILABLE and _SECONDS.fullmatch(wait):
            return NotNow(said, self._status, int(wait))
        return ServiceFailed(said, self._status)

    @property
    def _media(self) -> str:
        return self._headers.get("content-type", "").partition(";")[0].strip().lower()

    def _object(self) -> dict[str, Any] | None:
        try:
            data = parse_json_line(b"".join(self._parts))
        except ValueError:
            return None
        return data if isinstance(data, dict) else None


def decision_in(answer: object) -> Decision:
    """The decision that an answer, or an item of one, tells; raises InvalidRequest and ServiceFailed."""
    context = answer.get("context") if isinstance(answer, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(context, Mapping):
        raise nonsense("no decision with its reasons; is it ChangeGate that answers there?")
    if "error" in context and "outcome" not in context:
        raise _item_failure(context["error"])
    try:
        return decision_from({**context, "decision": answer.get("decision")})
    except ValueError as error:
        raise nonsense(str(error)) from None


def _item_failure(error: object) -> InvalidRequest | ServiceFailed:
    """What is wrong with an item of a batch (section 7.2.1)."""
    status, message = (error.get("status"), error.get("message")) if isinstance(error, Mapping) else (None, None)
    said = _short(message) if isinstance(message, str) else "the service says no more"
    if status == HTTPStatus.BAD_REQUEST:
        return InvalidRequest(said)
    return ServiceFailed(f"the service could not decide: {said}", status if type(status) is int else None)


def nonsense(what: str, status: int = HTTPStatus.OK) -> ServiceFailed:
    """The failure of a service that answers with what is no answer."""
    return ServiceFailed(f"the service answered with {what}", int(status))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no status that is known"


def _short(text: str) -> str:
    """The text in one line, cut where it is long; it was written elsewhere."""
    line = "".join(each if each.isprintable() else " " for each in text)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
