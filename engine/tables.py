"""Declared types, and tables with their dated cells."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from itertools import pairwise

from engine.declared import Declared, check_cites, span_of_days
from engine.express import Scope, literal
from engine.finding import Place, did_you_mean, one_of
from engine.model import Span, Table
from engine.nodes import Mapping, Node, Scalar, Sequence, flag, mappings, word, words
from engine.stack import Stack
from engine.values import Type


def declared_type(entry: Mapping, what: str, place: Place, stack: Stack, scope: Scope) -> Type | None:
    """The declared type; None, with a finding, where it is incomplete."""
    kind = word(entry, "type")
    of = entry.entries.get("of")
    values = words(entry.entries.get("values"))
    for name, owner in (("values", ("enum",)), ("ordered", ("enum",)), ("of", ("key", "list"))):
        if name in entry.entries and kind not in owner and not (kind == "list" and name != "of"):
            scope.report(
                entry.keys[name], "wrong-type", f"`{name}` does not go with type `{kind}`", f"it is for {one_of(owner)}"
            )
    match kind:
        case "enum":
            if not values:
                scope.report(place, "missing-key", f"{what} has no `values`", "list the values of the enum")
            return Type("enum", values, flag(entry, "ordered")) if values else None
        case "key":
            return _key_type(of, what, place, stack, scope)
        case "list":
            item = _item_type(entry, of, what, place, stack, scope)
            return Type("list", item=item) if item else None
        case _:
            return Type(kind)


def _key_type(of: Node | None, what: str, place: Place, stack: Stack, scope: Scope) -> Type | None:
    table = of.text if isinstance(of, Scalar) else ""
    if table in stack.columns:
        return Type("key", tuple(sorted(stack.rows.get(table, ()))), table=table)
    if table not in scope.broken:
        message = f"unknown table `{table}`" if table else f"{what} is a key of no table"
        scope.report(
            of.place if of else place,
            "unknown-table",
            message,
            did_you_mean(table, stack.columns, "name a table: `of: …`"),
        )
    return None


def _item_type(entry: Mapping, of: Node | None, what: str, place: Place, stack: Stack, scope: Scope) -> Type | None:
    if isinstance(of, Mapping) and word(of, "type") != "list":
        return declared_type(of, what, of.place, stack, scope)
    kind = of.text if isinstance(of, Scalar) else ""
    if kind == "enum":
        values = words(entry.entries.get("values"))
        if values:
            return Type("enum", values, flag(entry, "ordered"))
    elif kind in ("boolean", "integer", "number", "money", "date", "string"):
        return Type(kind)
    elif kind in stack.columns:
        return _key_type(of, what, place, stack, scope)
    scope.report(
        of.place if of else place,
        "wrong-type",
        f"{what} is a list of nothing known",
        "give the members' type: `of: string`, or `of: {type: enum, values: […]}`",
    )
    return None


def declare_tables(stack: Stack, declared: Declared) -> None:
    """Declare the tables with their columns, rows and cells."""
    scope = declared.scope
    for name, entry in stack.columns.items():
        columns: dict[str, Type] = {}
        for column, child, place in mappings(entry.node.entries["columns"]):
            kind = declared_type(child, f"the column `{column}`", place, stack, scope)
            if kind:
                columns[column] = kind
            else:
                scope.broken |= {f"{name}.{column}"}
        declared.tables[name] = Table(name, columns, {key: {} for key in stack.rows.get(name, ())}, entry.place)
    for (table, key, column), (node, place, _) in stack.cells.items():
        _cell(table, key, column, node, place, declared)
    for name, place in stack.tables.items():
        if name not in declared.tables and name not in scope.broken:
            scope.report(
                place,
                "unknown-table",
                f"the table `{name}` has no columns",
                did_you_mean(name, declared.tables, "declare its `columns`"),
            )


def _cell(name: str, key: str, column: str, node: Node, place: Place, declared: Declared) -> None:
    table = declared.tables.get(name)
    if table is None:
        return
    if column not in table.columns:
        if f"{name}.{column}" not in declared.scope.broken:
            declared.scope.report(
                place,
                "unknown-column",
                f"unknown column `{column}` of the table `{name}`",
                did_you_mean(column, table.columns, f"it has {one_of(table.columns)}"),
            )
        return
    spans = tuple(_spans(node, table.columns[column], f"`{name}.{key}.{column}`", declared))
    if spans:
        _check_spans(spans, f"`{name}.{key}.{column}`", declared.scope)
        table.rows[key][column] = spans  # type: ignore[index]


def _spans(node: Node, kind: Type, what: str, declared: Declared) -> Iterator[Span]:
    """The spans of a cell; none if it is unset or wrong."""
    dated = isinstance(node, Sequence) and any(
        isinstance(item, Mapping) and "value" in item.entries for item in node.items
    )
    for item in node.items if dated and isinstance(node, Sequence) else (node,):
        if isinstance(item, Mapping) and set(item.entries) != {"amount", "currency"}:
            yield from _rich_span(item, kind, what, declared)
        elif not (isinstance(item, Scalar) and item.value is None):
            value = literal(item, kind, what, declared.scope, zero=False)
            if value is not None:
                yield Span(value, place=item.place)


_SPAN_KEYS = ("value", "from", "until", "basis", "cites")
BASES = ("stated", "confirmed", "unconfirmed", "operator")


def _rich_span(node: Mapping, kind: Type, what: str, declared: Declared) -> Iterator[Span]:
    scope = declared.scope
    for name in node.entries:
        if name not in _SPAN_KEYS:
            scope.report(
                node.keys[name],
                "unknown-key",
                f"unknown key `{name}` in the cell {what}",
                did_you_mean(name, _SPAN_KEYS, f"known here: {one_of(_SPAN_KEYS)}"),
            )
    basis = word(node, "basis") if "basis" in node.entries else "stated"
    if basis not in BASES:
        scope.report(
            node.entries["basis"].place,
            "wrong-shape",
            f"`basis` cannot be `{basis}`" if basis else "`basis` must be text",
            did_you_mean(basis, BASES, f"it is one of {one_of(BASES)}"),
        )
    start, end = span_of_days(node, scope)
    value_node = node.entries.get("value")
    if value_node is None:
        scope.report(
            node.place,
            "missing-key",
            f"the cell {what} has no `value`",
            "add `value:`, or leave the cell out to have it unset",
        )
    elif not (isinstance(value_node, Scalar) and value_node.value is None):
        value = literal(value_node, kind, what, scope, zero=False)
        if value is not None:
            yield Span(value, start, end, basis, check_cites(node, declared), node.place)


def _check_spans(spans: tuple[Span, ...], what: str, scope: Scope) -> None:
    ordered = sorted(spans, key=lambda span: span.start or datetime.date.min)
    for before, after in pairwise(ordered):
        start = after.start or datetime.date.min
        end = before.end or datetime.date.max
        if end >= start:
            scope.report(
                after.place,
                "cell-overlap",
                f"the cell {what} has two values on {max(start, before.start or start)}",
                "let each span end the day before the next begins",
            )
        elif (start - end).days > 1:
            scope.report(
                after.place,
                "cell-gap",
                f"the cell {what} has no value between {end} and {start}",
                "let the spans meet, if that is meant to be known",
            )
