"""The lines of the decision log, as bytes."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from engine.decision import Decision
from engine.server.masks import Masks
from engine.server.settings import LogRequest


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision, when and how it was made; the request is data as strict JSON has it, and stays as it is.

    `id` is the request's identifier, `time` in seconds since the beginning of 1970, `version` the policy's,
    `seconds` how long deciding took.
    """

    id: str
    time: float
    version: str
    request: Mapping[str, Any]
    decision: Decision
    seconds: float


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line of the log: its names, in their order. Exactly one of `request` and `request_hash` is there."""

    id: str
    time: str
    policy_version: str
    request: Mapping[str, Any] | UnsetType
    request_hash: str | UnsetType
    decision: bool
    outcome: str
    cause: str
    route: str | None
    rules: tuple[str, ...]
    duration_ms: float


class Lines:
    """Writes the lines of entries: the request whole or as its hash, and never what is masked.

    The hash is that of the request as the whole log would show it, so that masked facts have no part in it.
    It can be guessed where few requests are possible: mask what is secret. Raises ValueError for a wrong mask.
    """

    def __init__(self, request: LogRequest, masks: Sequence[str]) -> None:
        self._whole = request == "whole"
        self._masks = Masks(masks)

    def of(self, entries: Sequence[Entry]) -> bytes:
        """The lines of the entries, each with its newline; raises TypeError or ValueError for what is no JSON data."""
        try:
            data = _write_lines([self._line(entry, entry.request) for entry in entries])
        except (OverflowError, ValueError):
            data = _write_lines([self._line(entry, _tame(entry.request), _tame(entry.id)) for entry in entries])
        # What a terminal or an editor takes for a command or a new line does not get there as such.
        return data if data.isascii() else _ODD.sub(_escape, data.decode()).encode()

    def fingerprint(self, request: Mapping[str, Any]) -> str:
        """The hash that a line has for the request."""
        return fingerprint(self._masks.apply(request))

    def _line(self, entry: Entry, request: Any, name: str | None = None) -> Line:
        decision, request = entry.decision, self._masks.apply(request)
        return Line(
            entry.id if name is None else name,
            _moment(entry.time),
            entry.version,
            request if self._whole else UNSET,
            UNSET if self._whole else fingerprint(request),
            decision.decision,
            decision.outcome,
            decision.cause,
            decision.route,
            decision.rules,
            round(entry.seconds * 1000, 3),
        )


def fingerprint(request: Mapping[str, Any]) -> str:
    """`sha256:` and the SHA-256 of a request's canonical JSON.

    That is UTF-8 with names sorted by code point, no spaces, and numbers with a point as they were sent.
    Raises TypeError for what is no JSON data.
    """
    try:
        text = _write_sorted(request)
    except (OverflowError, ValueError):
        text = _write_sorted(_tame(request))
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


_write_lines: Final = msgspec.json.Encoder(decimal_format="number").encode_lines
_write_sorted: Final = msgspec.json.Encoder(decimal_format="number", order="sorted").encode
_ODD: Final = re.compile("[\x7f-\x9f\u2028\u2029]")
_LONG: Final = 1 << 63


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _moment(seconds: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    second, millisecond = divmod(int(seconds * 1000), 1000)
    return f"{_second(second)}.{millisecond:03d}Z"


@lru_cache(maxsize=16)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _tame(value: Any) -> Any:
    """The same data, with long integers and half surrogate pairs put so that the encoder takes them."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case bool() | None:
            return value
        case int():
            return value if -_LONG <= value < _LONG else Decimal(value)
        case Mapping():
            return {_tame(name): _tame(each) for name, each in value.items()}
        case list() | tuple():
            return [_tame(each) for each in value]
    return value
