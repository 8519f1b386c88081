"""A call: a complete request as the addresses see it, and the answer they give. No framework is in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from engine.server.live import Live
from engine.server.telemetry import Watched

JSON = "application/json"


class Call(NamedTuple):
    """A request: its headers (names in small letters), its whole body, its identifier, and its path.

    `live` is the policy that it sees from beginning to end; `span` hears what is decided.
    """

    headers: Mapping[bytes, bytes]
    body: bytes
    identifier: str
    live: Live
    span: Watched
    path: str

    def header(self, name: bytes) -> str | None:
        """The value of a header, by its name in small letters; None if it was not sent."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class Answer(NamedTuple):
    """What is answered: a body, its media type, headers of its own (one replaces the guard's of that name), and a status."""

    body: bytes
    media: str = JSON
    headers: Mapping[str, str] = MappingProxyType({})
    status: int = 200


Handler: TypeAlias = Callable[[Call], Awaitable[Answer]]
