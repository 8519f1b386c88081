"""Conditions and values as authors write them, into the condition tree, with a finding for every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from engine.condition import (
    ALWAYS,
    READING,
    SEVERAL,
    SIZE,
    TIME,
    All,
    Any,
    Compare,
    Condition,
    Fact,
    Not,
    Operand,
    Presence,
    operators_for,
)
from engine.finding import Finding, Place, did_you_mean, one_of, short
from engine.model import Choice, FactDeclaration, Reading
from engine.nodes import Mapping as MappingNode
from engine.nodes import Node, Scalar, Sequence, plain
from engine.values import NUMBER_KINDS, STRING, TEXT_KINDS, NotAValue, Type, Value, parse_value

_COMBINATORS = ("all", "any", "none")


@dataclass
class Scope:
    """What names mean while a pack is read, and where findings go.

    `broken` are names that are declared, but not well enough to be used: they give no further findings.
    """

    facts: dict[str, FactDeclaration] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    findings: list[Finding] = field(default_factory=list)

    def report(self, place: Place, code: str, message: str, help_: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(place, code, message, help_))

    def type_of(self, path: str, place: Place) -> Type | None:
        """The type of a fact or reading; None, with a finding, if there is no such thing."""
        if path.startswith(READING):
            return self._reading_type(path.removeprefix(READING), place)
        if path in self.facts:
            return self.facts[path].type
        if path not in self.broken:
            self.report(
                place,
                "unknown-fact",
                f"unknown fact `{path}`",
                did_you_mean(path, self.facts, "declare it under `facts`, or under its action's `properties`"),
            )
        return None

    def _reading_type(self, name: str, place: Place) -> Type | None:
        if name in self.readings:
            return Type("enum", tuple(self.readings[name].options))
        if f"reading {name}" not in self.broken:
            self.report(
                place,
                "unknown-reading",
                f"unknown reading `{name}`",
                did_you_mean(name, self.readings, "declare it under `readings`"),
            )
        return None


def guarded(entry: MappingNode, scope: Scope) -> Condition:
    """`when` and its exception `unless` of an entry, as one condition; without either, always."""
    terms: list[Condition] = []
    if isinstance(when := entry.entries.get("when"), MappingNode):
        terms.append(condition(when, scope))
    if isinstance(unless := entry.entries.get("unless"), MappingNode):
        terms.append(Not(condition(unless, scope)))
    return _all(terms)


def condition(node: MappingNode, scope: Scope) -> Condition:
    """A mapping of comparisons and combinators, all of which must hold."""
    terms: list[Condition] = []
    for name, child in node.entries.items():
        if name in _COMBINATORS:
            terms.append(_combined(name, child, scope))
        else:
            terms.extend(_comparisons(name, node.keys[name], child, scope))
    return _all(terms)


def _all(terms: list[Condition]) -> Condition:
    return terms[0] if len(terms) == 1 else All(tuple(terms)) if terms else ALWAYS


def _combined(name: str, node: Node, scope: Scope) -> Condition:
    terms = (
        tuple(condition(item, scope) for item in node.items if isinstance(item, MappingNode))
        if isinstance(node, Sequence)
        else ()
    )
    match name:
        case "all":
            return All(terms)
        case "any":
            return Any(terms)
        case _:
            return Not(Any(terms))


def _comparisons(path: str, place: Place, node: Node, scope: Scope) -> Iterator[Condition]:
    kind = scope.type_of(path, place)
    match node:
        case _ if kind is None:
            yield _mistaken(path, place)
        case MappingNode(entries, keys):
            for operator, right in entries.items():
                found = _comparison(path, keys[operator], operator, right, kind, scope)
                yield found or _mistaken(path, keys[operator])
        case _:
            operator = "in" if isinstance(node, Sequence) else "is"
            yield _comparison(path, place, operator, node, kind, scope) or _mistaken(path, place)


def _mistaken(path: str, place: Place) -> Condition:
    """What stands for a comparison with a mistake, so that the rest can be checked: it may hold or not."""
    return Compare(path, "is", (Fact(path),), STRING, place)


def _comparison(path: str, place: Place, operator: str, right: Node, kind: Type, scope: Scope) -> Condition | None:
    if operator == "known":
        return _presence(path, place, right, scope)
    allowed = operators_for(kind)
    if operator not in allowed:
        scope.report(
            place,
            "wrong-operator",
            f"`{operator}` does not go with `{path}`, which is {a_type(kind)}",
            _operator_help(operator, kind, allowed),
        )
        return None
    nodes = right.items if isinstance(right, Sequence) else (right,)
    wanted = kind.item if kind.kind == "list" and kind.item else kind
    what = f"a member of `{path}`" if kind.kind == "list" else f"`{path}`"
    operands = [_operand(item, wanted, operator, path, what, scope) for item in nodes]
    good = tuple(operand for operand in operands if operand is not None)
    return Compare(path, operator, good, kind, place) if len(good) == len(operands) else None


def _presence(path: str, place: Place, right: Node, scope: Scope) -> Condition | None:
    if path.startswith(READING):
        scope.report(place, "wrong-operator", "a reading is always known", "compare it with one of its options")
        return None
    return Presence(path, right.value, place) if isinstance(right, Scalar) and isinstance(right.value, bool) else None


def a_type(kind: Type) -> str:
    """The type with its article, for messages."""
    if kind.kind == "money":
        return "money"
    return f"{'an' if str(kind)[0] in 'aeiou' else 'a'} {kind}"


def _operator_help(operator: str, kind: Type, allowed: tuple[str, ...]) -> str:
    if kind.kind == "date" and operator in SIZE:
        return "days are compared with `before`, `on_or_before`, `after`, `on_or_after` and `between`"
    if operator in TIME and kind.kind != "list":
        return f"it is for dates; here use {one_of(allowed)}"
    if kind.kind == "enum" and operator in SIZE:
        return "mark the enum `ordered: true` to compare its values by size"
    return f"use {one_of(allowed)}"


def _operand(node: Node, kind: Type, operator: str, path: str, what: str, scope: Scope) -> Operand | None:
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.startswith("$"):
        if not node.value.startswith("$$"):
            return _reference(node, node.value[1:], kind, operator, path, scope)
        node = Scalar(node.value[1:], node.place, node.text)
    return literal(node, kind, what, scope)


def _reference(node: Scalar, other: str, kind: Type, operator: str, path: str, scope: Scope) -> Fact | None:
    if other not in scope.facts and not other.startswith(READING) and other not in scope.broken:
        scope.report(
            node.place,
            "unknown-fact",
            f"unknown fact `{other}`",
            did_you_mean(other, scope.facts, "write `$$` for text that begins with a dollar sign"),
        )
        return None
    found = scope.type_of(other, node.place)
    if found is None:
        return None
    compared = found.item if found.kind == "list" and found.item and operator in SEVERAL - {"between"} else found
    if not comparable(kind, compared, operator):
        scope.report(
            node.place,
            "wrong-type",
            f"`{path}` is {a_type(kind)}, and `{other}` is {a_type(found)}",
            "compare facts of one type",
        )
        return None
    return Fact(other)


def comparable(left: Type, right: Type, operator: str = "is") -> bool:
    """Whether values of the two types can be compared by the operator."""
    if left.kind == "list" or right.kind == "list":
        return False
    if left.kind in NUMBER_KINDS and right.kind in NUMBER_KINDS:
        return True
    if left.kind in TEXT_KINDS and right.kind in TEXT_KINDS:
        if operator in SIZE:
            return left == right
        closed = left.kind == right.kind == "enum"
        return not closed or not set(left.values).isdisjoint(right.values)
    return left.kind == right.kind


def literal(node: Node, kind: Type, what: str, scope: Scope, *, zero: bool = True) -> Value | None:
    """The constant of the given type that the author wrote; None, with a finding, if it is none.

    `zero` admits the plain number 0 for money, as comparisons do.
    """
    raw = plain(node)
    if isinstance(node, Sequence) and kind.item:
        members = [literal(item, kind.item, f"a member of {what}", scope, zero=zero) for item in node.items]
        return None if None in members else frozenset(members)
    if kind.kind == "money" and isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        if raw == 0 and zero:
            return 0
        scope.report(
            node.place,
            "money-and-number",
            f"{what} is money, and `{raw}` is a plain number",
            f"write the currency, such as `{raw} EUR`" + ("; only 0 needs none" if zero else ""),
        )
        return None
    try:
        return parse_value(raw, kind)
    except NotAValue as error:
        _report_value(node, raw, kind, what, str(error), scope)
        return None


def _report_value(node: Node, raw: object, kind: Type, what: str, problem: str, scope: Scope) -> None:
    shown = f"`{short(_written(raw))}`"
    if kind.kind in ("enum", "key") and isinstance(raw, str):
        where = f"a row of `{kind.table}`" if kind.kind == "key" else f"a value of {what}"
        scope.report(
            node.place,
            "unknown-value",
            f"{shown} is not {where}",
            did_you_mean(raw, kind.values, f"it is one of {one_of(kind.values)}"),
        )
        return
    help_ = "put quotes around it" if kind.kind in TEXT_KINDS and not isinstance(raw, list | dict) else HOW[kind.kind]
    scope.report(node.place, "wrong-type", f"{what} is {a_type(kind)}, and {shown} {problem}", help_)


HOW = {
    "boolean": "write `true` or `false`, without quotes",
    "integer": "write a whole number, without quotes",
    "number": "write a number, without quotes",
    "money": "write an amount and its currency, such as `499.99 EUR`",
    "date": "write a day as `YYYY-MM-DD`",
    "list": "write a list of values of its type: `[a, b]`",
    **dict.fromkeys(TEXT_KINDS, "write a text"),
}


def _written(raw: object) -> str:
    """A value as its author would write it."""
    match raw:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[raw]
        case dict():
            return f"{{{', '.join(f'{name}: {_written(value)}' for name, value in raw.items())}}}"
        case list():
            return f"[{', '.join(map(_written, raw))}]"
        case _:
            return str(raw)


def value_nodes(node: Node) -> list[tuple[MappingNode | None, Node]]:
    """The values of a list of choices, each with its entry, or the one value without any."""
    if isinstance(node, Sequence) and any(
        isinstance(item, MappingNode) and "value" in item.entries for item in node.items
    ):
        return [(item, item.entries["value"]) for item in node.items if isinstance(item, MappingNode)]
    return [(None, node)]


def choices(node: Node, kind: Type, what: str, scope: Scope) -> tuple[Choice, ...]:
    """A value, or `[{when: …, value: …}, …]`, as choices in order."""
    found = []
    for entry, value_node in value_nodes(node):
        when = guarded(entry, scope) if entry else ALWAYS
        value = (
            _operand(value_node, kind, "is", what.strip("`"), what, scope)
            if kind.kind != "list"
            else literal(value_node, kind, what, scope)
        )
        if value is not None:
            found.append(Choice(when, value))
    return tuple(found)
