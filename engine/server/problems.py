"""Problems: how the service says that a request cannot be answered (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that gets no answer: the status, what is wrong and what to do, and headers that go with it."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The problem as `application/problem+json`."""
        title = HTTPStatus(self.status).phrase
        data = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace")


def bad(detail: str) -> Problem:
    """What AuthZEN calls a bad request (section 10.1.2)."""
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def busy(detail: str, seconds: int = 1) -> Problem:
    """The service cannot answer now; so many seconds later it may."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(seconds)})
