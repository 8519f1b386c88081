"""Derived facts as authors write them: named conditions, choices, and small arithmetic with checked types."""

from __future__ import annotations

from decimal import Decimal

from engine.condition import Condition, Fact, Operand
from engine.express import HOW, Scope, a_type, choices, guarded
from engine.finding import did_you_mean, one_of
from engine.model import Arithmetic, Choice, FactDeclaration
from engine.nodes import Mapping as MappingNode
from engine.nodes import Node, Sequence, plain
from engine.values import INTEGER, NUMBER_KINDS, NotAValue, Type, parse_value

ARITHMETIC = ("sum", "difference", "product", "count", "days_between")


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
            f"{what} is {a_type(fact.type)}, and a condition is true or false",
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
            did_you_mean(str(raw), scope.facts, f"name a declared fact, or {HOW[kind.kind]}"),
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
        return f"`{operation}` cannot take {', '.join(map(a_type, kinds))}"
    fits = got == result.kind or (got == "integer" and result.kind == "number")
    return "" if fits else f"`{operation}` gives {a_type(Type(got))}, and the fact is {a_type(result)}"


def _widest(names: list[str]) -> str:
    if not set(names) <= NUMBER_KINDS:
        return ""
    return "number" if "number" in names else "integer"
