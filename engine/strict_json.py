"""JSON as the standards mean it: no NaN, no duplicate names, no half surrogate pairs, bounded, exact numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn

MAX_DEPTH = 64
# How deep the members can be that `_first_members` counts, and an object within them.
_FIRST_LEVELS = 8
# More than the members of any text that is read.
_TOO_DEEP = 1 << 60
_HALF_PAIR = re.compile("[\ud800-\udfff]")


class NotJson(ValueError):
    """The text is not strict JSON; its text says why."""


def parse_json_line(data: bytes) -> Any:
    """As `parse_json`, of UTF-8 bytes, and much faster; raises UnicodeDecodeError where they are none.

    The fast reader keeps the last of two members of one name. So what it read counts only if the text has
    no more colons than the data has members: then no name was there twice.
    """
    if b"\\u" not in data:
        try:
            value = _reader()(data)
        except Exception:  # noqa: BLE001  # whatever it is, the strict reader says it better
            return parse_json(data.decode("utf-8"))
        colons = data.count(b":")
        # Where the first levels hold all members, nothing but lists and empty objects can be nested deeper.
        is_shallow = data.count(b"[") < MAX_DEPTH - _FIRST_LEVELS
        if (is_shallow and colons == _first_members(value)) or colons == _members(value, MAX_DEPTH - 1):
            return value
    return parse_json(data.decode("utf-8"))


@cache
def _reader() -> Callable[[bytes], Any]:
    from msgspec.json import Decoder  # noqa: PLC0415  # loaded for streams alone

    return Decoder(float_hook=Decimal).decode


def _first_members(value: Any) -> int:
    """How many members the first levels of a request, or of a batch of them, have: never more than there are."""
    if value.__class__ is not dict:
        return 0
    count = _near_members(value)
    for section in value.values():
        if section.__class__ is list and section and section[0].__class__ is dict:
            count += sum(map(_near_members, section))
    return count


def _near_members(value: Any) -> int:
    """How many members an object has, with its sections and their properties."""
    if value.__class__ is not dict:
        return 0
    count = len(value)
    for section in value.values():
        if section.__class__ is dict:
            count += len(section)
            properties = section.get("properties")
            if properties.__class__ is dict:
                count += len(properties)
    return count


def _members(value: Any, depth: int) -> int:
    """How many members the objects in JSON data have, which is nested so deep at most; far too few where it is deeper."""
    if depth < 0:
        return -_TOO_DEEP
    if value.__class__ is dict:
        count = len(value)
        for each in value.values():
            if each.__class__ is dict or each.__class__ is list:
                count += _members(each, depth - 1)
        return count
    if value.__class__ is not list:
        return 0
    return sum(_members(each, depth - 1) for each in value if each.__class__ is dict or each.__class__ is list)


def parse_json(text: str) -> Any:
    """The data that the text holds: numbers with a point or exponent as Decimal. Raises NotJson."""
    _bound_depth(text)
    try:
        data = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"not JSON: {error.msg.lower()} (line {error.lineno}, column {error.colno})") from None
    except (RecursionError, ValueError) as error:
        raise NotJson(str(error) if isinstance(error, NotJson) else "not JSON: a number too long to read") from None
    if "\\u" in text and _HALF_PAIR.search(json.dumps(data, default=str, ensure_ascii=False)):
        raise NotJson("not Unicode: the text holds half of a surrogate pair")
    return data


def _bound_depth(text: str) -> None:
    """Refuse deep nesting before the recursive decoder meets it; brackets within text count, which only a very long text could feel."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKENS.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
        if depth > MAX_DEPTH:
            raise NotJson(f"nested more than {MAX_DEPTH} deep")


_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"the name {json.dumps(twice[:60])} is here twice in one object")
    return members


def _constant(name: str) -> NoReturn:
    raise NotJson(f"`{name}` is not JSON; numbers are finite")


def _number(text: str) -> Decimal:
    return Decimal(text)


_DECODER = json.JSONDecoder(parse_float=_number, parse_constant=_constant, object_pairs_hook=_pairs)
