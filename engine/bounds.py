"""Lower bounds of facts: what `minimum` may be, and what an author writes below it.

What a request gives is held to the minimum where it is read (`engine/situation.py`); what is worked out
from other facts is not.
"""

from __future__ import annotations

from decimal import Decimal

from engine.express import Scope, value_nodes
from engine.model import FactDeclaration, Lookup, Table
from engine.nodes import Mapping, Node, Scalar, plain
from engine.values import NotAValue, Type, exact, is_below, parse_value, plain_number, plain_value

_BOUNDED = frozenset({"integer", "number", "money"})


def declared_minimum(entry: Mapping, kind: Type, scope: Scope) -> Decimal | None:
    """The minimum that a declaration gives; None if it gives none, or, with a finding, one that cannot be."""
    node = entry.entries.get("minimum")
    if not isinstance(node, Scalar) or not isinstance(node.value, int | Decimal):
        return None
    if kind.kind not in _BOUNDED:
        message = f"`minimum` does not go with type `{kind.kind}`"
        scope.report(entry.keys["minimum"], "wrong-type", message, "it is for `integer`, `number` and `money`")
        return None
    if kind.kind == "money" and node.value != 0:
        message = f"the minimum of money is 0, and `{node.text}` is another number"
        scope.report(node.place, "money-and-number", message, "write `minimum: 0`; only 0 is of every currency")
        return None
    try:
        return exact(Decimal(node.value))
    except NotAValue as error:
        help_ = "numbers have at most 15 digits and 4 decimals"
        scope.report(node.place, "wrong-type", f"`minimum` {error}", help_)
        return None


def check_default(fact: FactDeclaration, node: Node, scope: Scope) -> None:
    """A finding for each value of a `default` that is below the fact's minimum."""
    for _, written in value_nodes(node):
        try:
            value = parse_value(plain(written), fact.type)
        except NotAValue:
            continue  # a reference; or no such value, of which the author has been told
        if is_below(value, fact.minimum):
            message = f"{_at_least(fact)}, and its default `{plain_value(value)}` is less"
            scope.report(written.place, "wrong-type", message, _HELP)


def check_cells(fact: FactDeclaration, lookup: Lookup, table: Table, scope: Scope) -> None:
    """A finding for each cell that the fact is looked up in and that is below its minimum."""
    for key, row in table.rows.items():
        for span in row.get(lookup.column, ()):
            if is_below(span.value, fact.minimum):
                cell = f"`{table.name}.{key}.{lookup.column}`"
                message = f"{_at_least(fact)}, and the cell {cell} is less: `{plain_value(span.value)}`"
                scope.report(span.place, "wrong-type", message, _HELP)


def _at_least(fact: FactDeclaration) -> str:
    return f"`{fact.path}` is at least {plain_number(fact.minimum or Decimal(0))}"


_HELP = "mend the value, or lower the fact's `minimum`"
