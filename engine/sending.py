"""Requests as JSON text, as they are sent to a service: exactly what a Python caller has, or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from json.encoder import encode_basestring

from engine.request import InvalidRequest
from engine.strict_json import MAX_DEPTH

# In a batch a request lies two levels deeper than alone.
_LEVELS = MAX_DEPTH - 2


def encode(request: object) -> bytes:
    """A request as JSON text: decimals with all their digits, days as text, sets as lists. Raises InvalidRequest."""
    if not isinstance(request, Mapping):
        raise InvalidRequest("a request is an object with `action`, and `subject`, `resource` and `context` as needed")
    try:
        return _write(request, _LEVELS).encode()
    except UnicodeEncodeError:
        raise InvalidRequest("the request holds half of a surrogate pair, which is no Unicode") from None


def _write(value: object, levels: int) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return encode_basestring(value)
        case date():
            return f'"{value.isoformat()}"'
        case int() | float() | Decimal():
            return _write_number(value)
        case Mapping() | list() | tuple() | set() | frozenset() if levels < 1:
            raise InvalidRequest(f"the request is nested more than {_LEVELS} deep")
        case Mapping():
            return (
                f"{{{', '.join(f'{_write_name(name)}: {_write(item, levels - 1)}' for name, item in value.items())}}}"
            )
        case list() | tuple():
            return f"[{', '.join(_write(item, levels - 1) for item in value)}]"
        case set() | frozenset():
            return f"[{', '.join(sorted(_write(item, levels - 1) for item in value))}]"
        case _:
            raise InvalidRequest(f"a value of type `{type(value).__name__}` cannot be sent; send text or a number")


def _write_name(name: object) -> str:
    if not isinstance(name, str):
        raise InvalidRequest("the names in a request must be text")
    return encode_basestring(name)


def _write_number(number: float | Decimal) -> str:
    if isinstance(number, Decimal) and number.is_finite():
        return str(number)
    if isinstance(number, int):
        if number.bit_length() < 10_000:
            return int.__repr__(number)
    elif isinstance(number, float) and math.isfinite(number):
        return float.__repr__(number)
    raise InvalidRequest("a number that is not finite, or has thousands of digits, cannot be sent")
