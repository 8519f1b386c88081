"""Checked packs, and what is made of them, as JSON data and back: the one door of msgspec.

Only frozen dataclasses that were registered here come out, and nothing in the data can name anything else.
A value comes back as it was, places and exact types included. The entries of large mappings (`later`) stay
bytes until they are asked for, so that ten thousand rules cost little where nobody reads them.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any, Final

import msgspec

from engine.condition import All, Compare, Fact, Not, Presence
from engine.condition import Any as AnyOf
from engine.finding import Place
from engine.later import LaterMapping, LaterSequence
from engine.model import (
    Action,
    Arithmetic,
    Case,
    Choice,
    Effect,
    FactDeclaration,
    Lookup,
    Pack,
    Reading,
    Rule,
    Source,
    Span,
    Statement,
    Table,
    Texts,
)
from engine.values import Money, Plain, Type

# None, booleans, text, integers of 64 bits and mappings by text stand for themselves. Everything else is a
# list that begins with the name of its class, or with one of these, and goes on with its parts.
TUPLE, LIST, SET, MAPPING = "t", "l", "s", "d"
PLAIN, ODD_TEXT, DECIMAL, FLOAT, INTEGER, DAY = "p", "u", "n", "f", "i", "y"
SHARED, LATER = "=", "~"


class NotEncodable(TypeError):
    """A value of a class that is not registered, or one nested too deep; its text says which."""


class NotDecodable(ValueError):
    """Data that `encode` has not written."""


class _Document(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The values that are said once, the entries left for later with their keys (None for a sequence), the root."""

    shared: list[Any]
    later: list[tuple[list[Any] | None, list[msgspec.Raw]]]
    root: Any


_LONG: Final = 1 << 63
_ATOMS: Final = frozenset({str, int, bool, type(None)})
_MALFORMED: Final = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, msgspec.MsgspecError)
_write: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.Decoder().decode
_read_document: Final = msgspec.json.Decoder(_Document).decode


def encode(value: Any) -> bytes:
    """The value as JSON; raises NotEncodable."""
    try:
        writer = _Writer()
        root = writer.data(value)
        return _write(_Document(writer.shared, writer.later, root))
    except RecursionError:
        raise NotEncodable("nested too deep") from None


def decode(data: bytes | memoryview) -> Any:
    """The value that was encoded; raises NotDecodable, which what was left for later may do later."""
    try:
        document = _read_document(data)
        return _Reader(document.shared, document.later).value(document.root)
    except _MALFORMED as error:
        raise NotDecodable(str(error)) from None


def register(cls: type, *, shared: bool = False, later: Mapping[str, int] | None = None) -> None:
    """Let the instances of a frozen dataclass be encoded; raises ValueError if its name is taken.

    Equal instances of a `shared` one are a single one after decoding. `later` names fields that hold
    mappings or sequences, and how many levels of these to leave for later.
    """
    name = cls.__name__
    if name in _BUILDERS:
        raise ValueError(f"a class `{name}` is registered already")
    names = [field.name for field in fields(cls)]
    _CLASSES[cls] = [(field, (later or {}).get(field, 0)) for field in names]
    _BUILDERS[name] = _builder(cls, len(names))
    if shared:
        _SHARED.add(cls)


class _Writer:
    """Turns values into JSON data."""

    def __init__(self) -> None:
        self.shared: list[Any] = []
        self.later: list[tuple[list[Any] | None, list[msgspec.Raw]]] = []
        self._places: dict[bytes, int] = {}
        self._known: dict[int, tuple[Any, list[Any]]] = {}

    def data(self, value: Any) -> Any:
        cls = value.__class__
        if cls in _SHARED:
            return self._reference(value)
        if cls in _CLASSES:
            return self._record(value)
        write = _WRITERS.get(cls)
        if write is None:
            raise NotEncodable(f"a `{cls.__name__}` cannot be encoded")
        return write(value, self)

    def _record(self, value: Any) -> list[Any]:
        parts = [self._part(getattr(value, name), levels) for name, levels in _CLASSES[type(value)]]
        return [type(value).__name__, *parts]

    def _reference(self, value: Any) -> list[Any]:
        known = self._known.get(id(value))
        if known is None:
            record = self._record(value)
            place = self._places.setdefault(_write(record), len(self.shared))
            if place == len(self.shared):
                self.shared.append(record)
            # Holding the value keeps its id from being given to another one.
            known = self._known[id(value)] = (value, [SHARED, place])
        return known[1]

    def _part(self, value: Any, levels: int) -> Any:
        """A part of a record, as so many levels of entries for later."""
        if not levels or not isinstance(value, Mapping | Sequence):
            return self.data(value)
        keys = list(map(self.data, value)) if isinstance(value, Mapping) else None
        items = value.values() if isinstance(value, Mapping) else value
        place, entries = len(self.later), list[msgspec.Raw]()
        self.later.append((keys, entries))
        entries.extend(msgspec.Raw(_write(self._part(item, levels - 1))) for item in items)
        return [LATER, place]


def _write_text(value: str, _writer: _Writer) -> Any:
    return value if _is_unicode(value) else [ODD_TEXT, value.encode("utf-8", "surrogatepass").hex()]


def _write_mapping(value: Mapping[Any, Any], writer: _Writer) -> Any:
    if all(key.__class__ is str and _is_unicode(key) for key in value):
        return {key: writer.data(item) for key, item in value.items()}
    return [MAPPING, *(writer.data(each) for pair in value.items() for each in pair)]


def _is_unicode(text: str) -> bool:
    """Whether the text has no half of a surrogate pair (YAML can escape one), which no JSON can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _itself(value: Any, _writer: _Writer) -> Any:
    return value


_WRITERS: dict[type, Callable[[Any, _Writer], Any]] = {
    type(None): _itself,
    bool: _itself,
    str: _write_text,
    int: lambda value, _: value if -_LONG <= value < _LONG else [INTEGER, hex(value)],
    Plain: lambda value, writer: [PLAIN, _write_text(str(value), writer)],
    Decimal: lambda value, _: [DECIMAL, str(value)],
    float: lambda value, _: [FLOAT, value.hex()],
    datetime.date: lambda value, _: [DAY, value.isoformat()],
    tuple: lambda value, writer: [TUPLE, *map(writer.data, value)],
    list: lambda value, writer: [LIST, *map(writer.data, value)],
    frozenset: lambda value, writer: [SET, *sorted(map(writer.data, value), key=_write)],
    LaterSequence: lambda value, writer: [TUPLE, *map(writer.data, value)],
    dict: _write_mapping,
    LaterMapping: _write_mapping,
}


class _Reader:
    """Makes values of the JSON data of one document."""

    def __init__(self, shared: list[Any], later: list[tuple[list[Any] | None, list[msgspec.Raw]]]) -> None:
        self.shared: list[Any] = []
        self.later = later
        for record in shared:
            self.shared.append(self.value(record))

    def value(self, data: Any) -> Any:
        """The value of some data; raises one of _MALFORMED."""
        if data.__class__ is list:
            return _BUILDERS[data[0]](data, self)
        if data.__class__ is dict:
            return {key: self.value(item) for key, item in data.items()}
        if data.__class__ in _ATOMS:
            return data
        raise NotDecodable(f"a `{type(data).__name__}` is never written")

    def parts(self, data: list[Any]) -> list[Any]:
        """The values of what a list goes on with."""
        value = self.value
        return [item if item.__class__ in _ATOMS else value(item) for item in data[1:]]

    def entry(self, data: msgspec.Raw) -> Any:
        """The value of an entry that was left for later; raises NotDecodable."""
        try:
            return self.value(_read(data))
        except _MALFORMED as error:
            raise NotDecodable(str(error)) from None


def _builder(cls: type, count: int) -> Callable[[list[Any], _Reader], Any]:
    def build(data: list[Any], reader: _Reader) -> Any:
        if len(data) != count + 1:
            raise NotDecodable(f"a `{cls.__name__}` has {count} fields, not {len(data) - 1}")
        return cls(*reader.parts(data))

    return build


def _build_plain(data: list[Any], reader: _Reader) -> Plain:
    (text,) = reader.parts(data)
    if text.__class__ is not str:
        raise NotDecodable("text is missing")
    return Plain(text)


def _build_mapping(data: list[Any], reader: _Reader) -> dict[Any, Any]:
    parts = reader.parts(data)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _build_later(data: list[Any], reader: _Reader) -> LaterMapping[Any, Any] | LaterSequence[Any]:
    keys, entries = reader.later[_only(data, int)]
    if keys is None:
        return LaterSequence(entries, reader.entry)
    return LaterMapping(dict(zip(map(reader.value, keys), entries, strict=True)), reader.entry)


def _only(data: list[Any], cls: type) -> Any:
    """What a list of two goes on with, of the class that it must have."""
    _, part = data
    if part.__class__ is not cls:
        raise NotDecodable(f"a `{cls.__name__}` is missing")
    return part


_CLASSES: dict[type, list[tuple[str, int]]] = {}
_SHARED: set[type] = set()
_BUILDERS: dict[str, Callable[[list[Any], _Reader], Any]] = {
    TUPLE: lambda data, reader: tuple(reader.parts(data)),
    LIST: lambda data, reader: reader.parts(data),
    SET: lambda data, reader: frozenset(reader.parts(data)),
    MAPPING: _build_mapping,
    PLAIN: _build_plain,
    ODD_TEXT: lambda data, _: bytes.fromhex(_only(data, str)).decode("utf-8", "surrogatepass"),
    DECIMAL: lambda data, _: Decimal(_only(data, str)),
    FLOAT: lambda data, _: float.fromhex(_only(data, str)),
    INTEGER: lambda data, _: int(_only(data, str), 16),
    DAY: lambda data, _: datetime.date.fromisoformat(_only(data, str)),
    SHARED: lambda data, reader: reader.shared[_only(data, int)],
    LATER: _build_later,
}

register(Type, shared=True)
register(Pack, later={"statements": 1, "rules": 1, "translations": 2, "cases": 1})
register(Table, later={"rows": 1})
for _each in (
    Action, All, AnyOf, Arithmetic, Case, Choice, Compare, Effect, Fact, FactDeclaration, Lookup, Money, Not,
    Place, Presence, Reading, Rule, Source, Span, Statement, Texts,
):  # fmt: skip
    register(_each)
