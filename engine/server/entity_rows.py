"""Rows of tables as entities.

A table has the columns `id` and, unless its source says the type, `type`; all others are properties. A column named
like a fact (`user.role`, `user__role`, `subject.role`) is that property of entities of the type, and `x.amount` beside
`x.currency` is money. Text is left to the types of a pack, marked as what may be a number; an empty cell is none.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from engine.finding import one_of
from engine.server.entity import Entity, WrongEntities
from engine.values import Plain

_SEPARATORS = (".", "__")
_OTHER_HALF = {"amount": "currency", "currency": "amount"}


@dataclass(frozen=True, slots=True)
class _Money:
    """The columns of amount and currency of one property."""

    amount: int
    currency: int


class Rows:
    """The rows of a table, as entities; `where` shows the place of a row by its number.

    `booleans` are the columns in which a database keeps true and false as 1 and 0.
    """

    def __init__(
        self,
        columns: Sequence[str],
        kind: str | None,
        source: str,
        where: Callable[[int], str],
        booleans: set[int] | None = None,
    ) -> None:
        self._columns = columns
        self._kind = kind
        self._source = source
        self._where = where
        self._booleans = booleans or set()
        own = self._names(kind)
        if "id" not in own:
            help_ = "name one so; commas stand between columns" if len(columns) == 1 else "name one so"
            raise WrongEntities(f"{source}: no column `id` among {one_of(columns)}; {help_}")
        self._id = own.index("id")
        self._type = columns.index("type") if "type" in columns else None
        self._layouts: dict[str | None, Mapping[str, int | _Money]] = {}

    def entities(self, rows: Iterable[Sequence[object]]) -> Iterator[Entity]:
        """The entities in rows, which are counted from 1."""
        return (self.entity(number, row) for number, row in enumerate(rows, start=1))

    def entity(self, number: int, row: Sequence[object]) -> Entity:
        """The entity in a row."""
        place = self._where(number)
        if len(row) != len(self._columns):
            help_ = "commas within text need quotes"
            raise WrongEntities(f"{place}: {len(row)} cells, and the header has {len(self._columns)}; {help_}")
        cells = [self._cell(column, value, place) for column, value in enumerate(row)]
        kind = None if self._type is None else cells[self._type]
        id_ = cells[self._id]
        if isinstance(id_, int) and not isinstance(id_, bool):
            id_ = str(id_)
        layout = self._layout(kind if isinstance(kind, str) else self._kind)
        found = ((name, _value(column, cells, name, place)) for name, column in layout.items())
        return Entity(place, kind, id_, {name: value for name, value in found if value is not None})

    def _cell(self, column: int, value: object, place: str) -> object:
        """What a cell holds; None for an empty one."""
        if value is None or value == "" or value != value:  # noqa: PLR0124  # what is no number is not equal to itself
            return None
        if column in self._booleans and value in (0, 1):
            return bool(value)
        try:
            return _data(value)
        except TypeError as error:
            help_ = "leave the column out, as a view can"
            raise WrongEntities(f"{place}: the column `{self._columns[column]}` holds a {error}; {help_}") from None

    def _layout(self, kind: str | None) -> Mapping[str, int | _Money]:
        """The properties of entities of a type, and the columns that they are in."""
        if kind not in self._layouts:
            self._layouts[kind] = dict(self._properties(self._names(kind)))
        return self._layouts[kind]

    def _properties(self, names: list[str]) -> Iterator[tuple[str, int | _Money]]:
        places = {name: place for place, name in enumerate(names) if place not in (self._id, self._type)}
        for name, place in places.items():
            whole, half = _half_of(name, places)
            if whole in places and whole != name:
                raise self._twice(whole, (self._columns[places[whole]], self._columns[place]))
            if half == "amount":
                yield whole, _Money(place, places[name.removesuffix(half) + _OTHER_HALF[half]])
            elif not half:
                yield name, place

    def _names(self, kind: str | None) -> list[str]:
        """The names of the columns, for entities of a type, without its prefix."""
        names = [_without_prefix(name, kind) for name in self._columns]
        for place, name in enumerate(names):
            if not name:
                raise WrongEntities(f"{self._source}: column {place + 1} has no name; give it one")
            if name in names[:place]:
                raise self._twice(name, (self._columns[names.index(name)], self._columns[place]))
        return names

    def _twice(self, name: str, columns: Sequence[str]) -> WrongEntities:
        return WrongEntities(f"{self._source}: `{name}` is in two columns, {' and '.join(columns)}; keep one")


def _without_prefix(name: str, kind: str | None) -> str:
    """The property that a column is named for: `user.role` and `user__role` are the role of a user."""
    for separator in _SEPARATORS:
        prefix, _, rest = name.partition(separator)
        if rest and prefix in (kind, "subject"):
            return rest
    return name


def _half_of(name: str, names: Mapping[str, int]) -> tuple[str, str]:
    """The money that a column holds the amount or the currency of, and which; empty unless both are there."""
    for separator in _SEPARATORS:
        whole, _, half = name.rpartition(separator)
        if whole and half in _OTHER_HALF and f"{whole}{separator}{_OTHER_HALF[half]}" in names:
            return whole, half
    return "", ""


def _value(column: int | _Money, cells: Sequence[object], name: str, place: str) -> object:
    """The value of a property; None for none. A currency without an amount is no money."""
    if not isinstance(column, _Money):
        return cells[column]
    amount, currency = cells[column.amount], cells[column.currency]
    if amount is None:
        return None
    if currency is None:
        raise WrongEntities(f"{place}: the amount of `{name}` has no currency; fill that column, too")
    return {"amount": amount, "currency": currency}


def _data(value: object) -> object:
    """A value of a database as JSON-like data; raises TypeError with the name of what is none."""
    match value:
        case None | bool() | int() | float() | Decimal():
            return value
        case str():
            return Plain(value)
        case datetime.datetime():
            midnight = value.tzinfo is None and value.time() == datetime.time.min
            return (value.date() if midnight else value).isoformat()
        case datetime.date():
            return value.isoformat()
        case UUID():
            return str(value)
        case list() | tuple():
            return [_data(member) for member in value]
        case dict():
            return {str(name): _data(member) for name, member in value.items()}
        case _:
            raise TypeError(type(value).__name__)
