"""Conditions and values as authors write them, into the condition tree, with a finding for every mistake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from engine.condition import (
    ALWAYS,
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
from engine.finding import Finding, Place, did_you_mean, one_of
from engine.model import Arithmetic, Choice, FactDeclaration, Reading
from engine.nodes import Mapping as MappingNode
from engine.nodes import Node, Scalar, Sequence, plain
from engine.values import INTEGER, NUMBER_KINDS, STRING, TEXT_KINDS, NotAValue, Type, Value, parse_value

READING = "reading."
ARITHMETIC = ("sum", "difference", "product", "count", "days_between")
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
            f"`{operator}` does not go with `{path}`, which is {_article(kind)}",
            _operator_help(operator, kind, allowed),
        )
        return None
    nodes = right.items if isinstance(right, Sequence) else (right,)
    wanted = kind.item if kind.kind == "list" and kind.item else kind
    operands = [_operand(item, wanted, operator, path, scope) for item in nodes]
    good = tuple(operand for operand in operands if operand is not None)
    return Compare(path, operator, good, kind, place) if len(good) == len(operands) else None


def _presence(path: str, place: Place, right: Node, scope: Scope) -> Condition | None:
    if path.startswith(READING):
        scope.report(place, "wrong-operator", "a reading is always known", "compare it with one of its options")
        return None
    return Presence(path, right.value, place) if isinstance(right, Scalar) and isinstance(right.value, bool) else None


def _article(kind: Type) -> str:
    return f"{'an' if str(kind)[0] in 'aeiou' else 'a'} {kind}"


def _operator_help(operator: str, kind: Type, allowed: tuple[str, ...]) -> str:
    if kind.kind == "date" and operator in SIZE:
        return "days are compared with `before`, `on_or_before`, `after`, `on_or_after` and `between`"
    if operator in TIME and kind.kind != "list":
        return f"it is for dates; here use {one_of(allowed)}"
    if kind.kind == "enum" and operator in SIZE:
        return "mark the enum `ordered: true` to compare its values by size"
    return f"use {one_of(allowed)}"


def _operand(node: Node, kind: Type, operator: str, path: str, scope: Scope) -> Operand | None:
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.startswith("$"):
        if not node.value.startswith("$$"):
            return _reference(node, node.value[1:], kind, operator, path, scope)
        node = Scalar(node.value[1:], node.place, node.text)
    return literal(node, kind, f"`{path}`", scope)


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
            f"`{path}` is {_article(kind)}, and `{other}` is {_article(found)}",
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
    if kind.kind == "money" and isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        if raw == 0 and zero:
            return 0
        scope.report(
            node.place,
            "money-and-number",
            f"{what} is money, and `{raw}` is a plain number",
            f"write the currency, such as `{raw} EUR`; only 0 needs none",
        )
        return None
    try:
        return parse_value(raw, kind)
    except NotAValue as error:
        _report_value(node, raw, kind, what, str(error), scope)
        return None


def _report_value(node: Node, raw: object, kind: Type, what: str, problem: str, scope: Scope) -> None:
    shown = (
        f"`{raw}`" if isinstance(raw, str | int | Decimal) and not isinstance(raw, bool) else f"`{str(raw).lower()}`"
    )
    if kind.kind in ("enum", "key") and isinstance(raw, str):
        where = f"a row of `{kind.table}`" if kind.kind == "key" else f"a value of {what}"
        scope.report(
            node.place,
            "unknown-value",
            f"{shown} is not {where}",
            did_you_mean(raw, kind.values, f"it is one of {one_of(kind.values)}"),
        )
        return
    help_ = (
        "put quotes around it"
        if kind.kind in TEXT_KINDS and isinstance(raw, int | Decimal)
        else f"write {_article(kind)}"
    )
    scope.report(node.place, "wrong-type", f"{what} is {_article(kind)}, and {shown} {problem}", help_)


def choices(node: Node, kind: Type, what: str, scope: Scope) -> tuple[Choice, ...]:
    """A value, or `[{when: …, value: …}, …]`, as choices in order."""
    if isinstance(node, Sequence) and all(
        isinstance(item, MappingNode) and "value" in item.entries for item in node.items
    ):
        listed = [(guarded(item, scope), item.entries["value"]) for item in node.items if isinstance(item, MappingNode)]
    else:
        listed = [(ALWAYS, node)]
    found = []
    for when, value_node in listed:
        value = (
            _operand(value_node, kind, "is", what.strip("`"), scope)
            if kind.kind != "list"
            else literal(value_node, kind, what, scope)
        )
        if value is not None:
            found.append(Choice(when, value))
    return tuple(found)


def derivation(node: Node, fact: FactDeclaration, scope: Scope) -> Condition | tuple[Choice, ...] | Arithmetic | None:
    """What a derived fact is worked out from; None, with findings, where that makes no sense."""
    what = f"`{fact.path}`"
    if isinstance(node, Sequence):
        return choices(node, fact.type, what, scope)
    assert isinstance(node, MappingNode)
    operations = [name for name in node.entries if name in ARITHMETIC]
    if len(operations) + ("when" in node.entries) != 1 or (operations and "unless" in node.entries):
        scope.report(
            node.place,
            "wrong-shape",
            f"{what} must be derived in exactly one way",
            f"give `when`, or one of {one_of(ARITHMETIC)}",
        )
        return None
    if operations:
        return _arithmetic(operations[0], node.entries[operations[0]], fact, scope)
    if fact.type.kind != "boolean":
        scope.report(
            node.keys["when"],
            "wrong-type",
            f"{what} is {_article(fact.type)}, and a condition is true or false",
            "declare it `boolean`, or derive it by a list of `{when: …, value: …}`",
        )
    return guarded(node, scope)


def _arithmetic(operation: str, node: Node, fact: FactDeclaration, scope: Scope) -> Arithmetic | None:
    nodes = node.items if isinstance(node, Sequence) else (node,)
    pairs = [_term(item, operation, scope) for item in nodes]
    good = [pair for pair in pairs if pair is not None]
    if len(good) < len(pairs):
        return None
    problem = _arithmetic_problem(operation, [kind for _, kind in good], fact.type)
    if problem:
        scope.report(node.place, "wrong-type", f"`{fact.path}`: {problem}", _ARITHMETIC_HELP[operation])
        return None
    return Arithmetic(operation, tuple(operand for operand, _ in good))


_ARITHMETIC_HELP = {
    "sum": "add numbers to numbers, or money to money",
    "difference": "subtract numbers from numbers, or money from money",
    "product": "multiply numbers, or money by numbers",
    "count": "count a list; the result is an integer",
    "days_between": "give two dates; the result is an integer",
}


def _term(node: Node, operation: str, scope: Scope) -> tuple[Operand, Type] | None:
    raw = plain(node)
    if isinstance(raw, str):
        path = raw.removeprefix("$")
        if path in scope.facts or path in scope.broken:
            kind = scope.type_of(path, node.place)
            return (Fact(path), kind) if kind else None
    kind = (
        Type("number") if isinstance(raw, int | Decimal) else Type("date" if operation == "days_between" else "money")
    )
    try:
        return parse_value(raw, kind), INTEGER if isinstance(raw, int) else kind
    except NotAValue:
        scope.report(
            node.place,
            "unknown-fact",
            f"unknown fact `{raw}`",
            did_you_mean(str(raw), scope.facts, "name a declared fact, or write a number"),
        )
        return None


def _arithmetic_problem(operation: str, kinds: list[Type], result: Type) -> str:
    """What is wrong with the types of an arithmetic, or nothing."""
    names = [kind.kind for kind in kinds]
    match operation:
        case "count":
            got = "integer" if names == ["list"] else ""
        case "days_between":
            got = "integer" if names == ["date", "date"] else ""
        case "product":
            rest = [name for name in names if name != "money"]
            got = (
                ""
                if len(rest) < len(names) - 1
                else _widest(rest)
                if len(rest) == len(names)
                else "money" * (_widest(rest) != "")
            )
        case _:
            got = "money" if set(names) == {"money"} else _widest(names)
    if not got:
        return f"`{operation}` cannot take {', '.join(map(_article, kinds))}"
    fits = got == result.kind or (got == "integer" and result.kind == "number")
    return "" if fits else f"`{operation}` gives {_article(Type(got))}, and the fact is {_article(result)}"


def _widest(names: list[str]) -> str:
    if not set(names) <= NUMBER_KINDS:
        return ""
    return "number" if "number" in names else "integer"
