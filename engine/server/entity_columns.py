"""Columns: the properties of entities as cells of a table, each read by the type that the pack wants there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

from engine.finding import short
from engine.model import FactDeclaration, Pack, Span, Table
from engine.server.entity import WrongEntities
from engine.situation import read_value
from engine.strict_json import NotJson, parse_json
from engine.values import INTEGER, NUMBER, NotAValue, Plain, Type, Value, plain_value

Rows: TypeAlias = Mapping[str, Mapping[str, Any]]
Cell: TypeAlias = tuple[tuple[Span, ...], str]
# How many values a column remembers the cells of.
MAX_REMEMBERED = 65_536
_JSON = json.JSONEncoder().encode  # `json.dumps` makes one for every value
_SCALARS = frozenset({str, Plain, int, float, bool, Decimal})
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Served:
    """A fact that the entities of a type may tell, and whether each of their values must be one that it can have."""

    fact: FactDeclaration
    strictly: bool

    @property
    def property(self) -> str:
        """The property that tells the fact."""
        return self.fact.path.partition(".")[2]


@dataclass(frozen=True)
class Filled:
    """The table of a type, with its entities.

    `columns` are those that facts are to be looked up in, by the facts' paths; `clashing` the facts for which some
    entities have a value that they cannot have, with the first of them. `unused` are the properties that nothing
    reads. `digest` tells apart what the entities say.
    """

    table: Table
    columns: Mapping[str, str]
    clashing: Mapping[str, str]
    unused: tuple[str, ...]
    digest: bytes


def fill(pack: Pack, kind: str, rows: Rows, served: Iterable[Served]) -> Filled:
    """The pack's table of that name, or a new one, with a row for each entity; the first of `served` names columns.

    The pack's own rows stay; an entity of the same id replaces those cells that it has a property for.
    Raises WrongEntities.
    """
    table = pack.tables.get(kind) or Table(kind, {}, {})
    given = {name for properties in rows.values() for name in properties}
    wanted = [each for each in served if each.property in given or each.property in table.columns]
    columns = {column.name: column for column in _declared(pack, table, wanted)}
    found: dict[str, str] = {}
    for each in wanted:
        column = next((column for column in columns.values() if column.suits(each)), None) or _new(each, columns)
        found[each.fact.path] = columns.setdefault(column.name, column).name
    cells, digest = _cells(table, kind, rows, columns)
    types = {name: column.reading.type for name, column in columns.items()}
    filled = replace(table, columns=types, rows=cells, undated=dict(_undated(cells, columns)))
    clashing = {path: columns[name].clash for path, name in found.items() if columns[name].clash}
    unused = given - {column.property for column in columns.values()}
    return Filled(filled, found, clashing, tuple(sorted(unused)), digest)


class _Column:
    """A column: the property that fills it, and the declaration by which its values are read.

    `what` is what people know it as. Of a column that is not `strictly` filled, what cannot be read is left out, and
    the first such value is the `clash`. Values that were read before are remembered.
    """

    def __init__(
        self, name: str, property_: str, reading: FactDeclaration, what: str, *, strictly: bool = True
    ) -> None:
        self.name = name
        self.strictly = strictly
        self.clash = ""
        self.property = property_
        self.reading = reading
        self.what = what
        self.label = _JSON(name)
        self._remembered: dict[tuple[type, Any], Cell] = {}

    def suits(self, served: Served) -> bool:
        """Whether a fact can be looked up here: its values would be read alike."""
        fact, reading = served.fact, self.reading
        return (
            served.property == self.property
            and (fact.type == reading.type or (fact.type == NUMBER and reading.type == INTEGER))
            and fact.currency in (None, reading.currency)
            and fact.minimum in (None, reading.minimum)
        )

    def cell(self, raw: Any) -> Cell:
        """The cell of a value, and its text in the digest; raises NotAValue."""
        key = (raw.__class__, raw) if raw.__class__ in _SCALARS else None
        cell = self._remembered.get(key) if key else None
        if cell is None:
            currency = self.reading.currency if isinstance(self.reading.currency, str) else None
            value = read_value(_written(raw, self.reading.type), self.reading, currency)
            cell = (Span(value, basis="operator"),), _JSON(plain_value(value))
            if key and len(self._remembered) < MAX_REMEMBERED:
                self._remembered[key] = cell
        return cell


def _declared(pack: Pack, table: Table, served: Iterable[Served]) -> Iterator[_Column]:
    """The columns that the pack declares; the facts that are looked up there say what else counts as their value."""
    for name, kind in table.columns.items():
        readers = [
            fact
            for fact in pack.facts.values()
            if fact.lookup and (fact.lookup.table, fact.lookup.column) == (table.name, name)
        ]
        readers += [each.fact for each in served if each.strictly and each.property == name and each.fact.type == kind]
        currencies = {fact.currency for fact in readers} - {None}
        minima = [fact.minimum for fact in readers if fact.minimum is not None]
        reading = FactDeclaration(
            name,
            kind,
            currency=currencies.pop() if len(currencies) == 1 else None,
            minimum=max(minima, default=None),
        )
        yield _Column(name, name, reading, f"the column `{table.name}.{name}`")


def _new(served: Served, columns: Mapping[str, _Column]) -> _Column:
    """A column for a fact, named like the property unless another one is."""
    name = served.fact.path if served.property in columns else served.property
    return _Column(name, served.property, served.fact, f"the fact `{served.fact.path}`", strictly=served.strictly)


def _cells(table: Table, kind: str, rows: Rows, columns: Mapping[str, _Column]) -> tuple[dict[str, Any], bytes]:
    """The rows of the table, and a digest of those that the entities fill."""
    filled: dict[str, Any] = dict(table.rows)
    digest = hashlib.sha256()
    ordered = [columns[name] for name in sorted(columns)]
    for id_, properties in sorted(rows.items()):
        found = list(_row(kind, id_, properties, ordered))
        cells = {column.name: spans for column, (spans, _) in found}
        filled[id_] = {**filled[id_], **cells} if id_ in filled else cells
        said = " ".join([f"{column.label} {text}" for column, (_, text) in found])
        digest.update(f"{_JSON(id_)} {said}\n".encode())
    return filled, digest.digest()


def _row(
    kind: str, id_: str, properties: Mapping[str, Any], columns: Iterable[_Column]
) -> Iterator[tuple[_Column, Cell]]:
    """The cells of an entity, by column."""
    for column in columns:
        raw = properties.get(column.property)
        if raw is None:
            continue
        try:
            yield column, column.cell(raw)
        except NotAValue as error:
            said = _wrong(kind, id_, column, raw, error)
            if column.strictly:
                raise WrongEntities(said) from None
            column.clash = column.clash or said


def _undated(rows: Rows, columns: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """The columns in which no cell has dates, which only the pack's own have, as values by id."""
    for column in columns:
        cells = {id_: row[column] for id_, row in rows.items() if column in row}
        if not any(span.start or span.end for cell in cells.values() for span in cell):
            yield column, {id_: cell[0].value for id_, cell in cells.items()}


def _wrong(kind: str, id_: str, column: _Column, raw: Any, error: NotAValue) -> str:
    name, type_ = column.property, column.reading.type
    help_ = "" if "; " in str(error) else f"; mend the entity, or how {column.what} is declared"
    return (
        f"`{kind}` `{id_}` has a `{name}` that does not fit {column.what} ({type_}), `{short(raw)}`: it {error}{help_}"
    )


def _written(raw: Any, kind: Type) -> Any:
    """The data that a text in a table stands for: truths, and lists as JSON has them; the type reads all else."""
    if raw.__class__ is not Plain:
        return raw
    if kind.kind == "boolean":
        return _TRUTHS.get(raw, raw)
    if kind.kind == "list" and raw.startswith("["):
        try:
            return parse_json(raw)
        except NotJson:
            return raw
    return raw
