"""Conditions as Python: one function for every shape of condition, its constants in a table beside it.

What is generated holds numbered names and operators, nothing else: paths, ids, texts and constants reach it
as values and can never become code. Functions of the same source are the same function, so ten thousand
conditions that differ in their constants alone share one.

In a generated function `f0`, `f1`, … are the values of facts: None is unknown, NOT_ASKED was not asked for.
`k` holds the constants. It gives true, false or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any as Anything
from typing import assert_never

from engine.condition import ALWAYS, EQUALITY, All, Any, Compare, Condition, Fact, Not, Operand, Presence
from engine.kleene import Truth, operate
from engine.model import Arithmetic, Choice, FactDeclaration
from engine.situation import reckon
from engine.values import NUMBER_KINDS, TEXT_KINDS, Money


class _NotAsked:
    """The value of an optional property that was left out."""

    def __repr__(self) -> str:
        return "NOT_ASKED"


NOT_ASKED = _NotAsked()


@dataclass(frozen=True, slots=True)
class Formula:
    """A condition as a function of the facts at `paths` (in that order) and of its constants.

    `clashes` are groups of facts: where all of one are known and the result is not, currencies may differ, or
    a number may be too large.
    """

    source: str
    paths: tuple[str, ...]
    constants: tuple[Anything, ...]
    clashes: tuple[tuple[str, ...], ...] = ()

    def function(self) -> Callable[..., Truth]:
        """The compiled function; call it with the facts' values and then the constants."""
        return compiled(self.source)


def define(source: str, names: Mapping[str, Anything]) -> Callable[..., Anything]:
    """The function `f` that a generated source defines, which may use the names: the one place that runs such code."""
    namespace = dict(names)
    exec(compile(source, "<generated>", "exec"), namespace)  # noqa: S102  # nothing but our own names is in it
    function: Callable[..., Anything] = namespace["f"]
    return function


@lru_cache(maxsize=4096)
def compiled(source: str) -> Callable[..., Anything]:
    """The function of a condition, or of how a fact comes about; of one source always the same one."""
    return define(source, {"NOT_ASKED": NOT_ASKED, "operate": operate, "reckon": reckon, "weigh": weigh})


def weigh(left: Anything, right: Anything) -> int | None:
    """Negative, zero or positive as money is less than, equal to or more than other money (or 0); None if they clash."""
    if left.__class__ is Money and right.__class__ is Money and left.currency != right.currency:
        return None
    one = left.amount if left.__class__ is Money else left
    other = right.amount if right.__class__ is Money else right
    return (one > other) - (one < other)


def formula(condition: Condition, optional: Mapping[str, bool]) -> Formula:
    """The function of a condition; `optional` tells which facts may be not asked for."""
    writer = _Writer(optional)
    return writer.formula(writer.condition(condition, 1))


def derivation(
    fact: FactDeclaration,
    optional: Mapping[str, bool],
    fold: Callable[[Condition], Condition],
    cells: Mapping[str, Anything],
    *,
    not_asked: bool = False,
) -> Formula:
    """How a fact comes about that a request does not give: by look-up in `cells`, derivation or default.

    A default stands in where there is no cell. `fold` is applied to every condition first. Where no default applies,
    the fact is unknown or `not_asked`.
    """
    writer = _Writer(optional)
    if fact.lookup is not None:
        key = writer.fact(fact.lookup.key)
        found = f"None if {key} is None or {key} is NOT_ASKED else {writer.constant(cells)}.get({key})"
        if not fact.default:
            return writer.formula(found)
        writer.lines += [f" found = {found}", " if found is not None: return found"]
    match fact.derived:
        case Arithmetic():
            return writer.formula(writer.arithmetic(fact.derived, fact))
        case None | tuple():
            writer.choices([(fold(each.condition), each) for each in fact.derived or fact.default])
            return writer.formula("NOT_ASKED" if not_asked and fact.derived is None else "None")
        case condition:
            return writer.formula(writer.condition(fold(condition), 1))


@dataclass
class _Writer:
    """Lines of a function as they are written; every condition leaves its truth in a variable of its own."""

    optional: Mapping[str, bool]
    lines: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    constants: list[Anything] = field(default_factory=list)
    clashes: list[tuple[str, ...]] = field(default_factory=list)
    variables: int = 0

    def condition(self, condition: Condition, indent: int) -> str:
        """Write the condition; gives the name of the variable that holds its truth."""
        match condition:
            case Compare():
                return self._set(_comparison(condition, self), indent)
            case Presence(path, known):
                name = self.fact(path)
                here = f"{name} is not None and {name} is not NOT_ASKED"
                return self._set(here if known else f"not ({here})", indent)
            case All(terms):
                return self._joined(terms, "False", "True", indent)
            case Any(terms):
                return self._joined(terms, "True", "False", indent)
            case Not(term):
                inner = self.condition(term, indent)
                return self._set(f"None if {inner} is None else not {inner}", indent)
            case _:
                assert_never(condition)

    def formula(self, result: str) -> Formula:
        """What was written, as a function that gives the result."""
        parameters = ", ".join([*self.names.values(), "k"])
        body = "".join(f"{line}\n" for line in self.lines)
        source = f"def f({parameters}):\n{body} return {result}\n"
        return Formula(source, tuple(self.names), tuple(self.constants), tuple(dict.fromkeys(self.clashes)))

    def choices(self, choices: Iterable[tuple[Condition, Choice]]) -> None:
        """Write the first choice that applies; an earlier one that may apply leaves the value unknown."""
        for condition, choice in choices:
            value = self._value(choice.value)
            if condition == ALWAYS:
                self.lines.append(f" return {value}")
                return
            holds = self.condition(condition, 1)
            self.lines += [f" if {holds} is True: return {value}", f" if {holds} is None: return None"]

    def arithmetic(self, arithmetic: Arithmetic, fact: FactDeclaration) -> str:
        """An expression for the result of arithmetic."""
        for operand in arithmetic.operands:
            if isinstance(operand, Fact):
                name = self.fact(operand.path)
                self.lines.append(f" if {name} is None or {name} is NOT_ASKED: return None")
        values = [self._value(operand) for operand in arithmetic.operands]
        if arithmetic.operation == "days_between":
            return f"({values[1]} - {values[0]}).days"
        self.clashes.append(tuple(each.path for each in arithmetic.operands if isinstance(each, Fact)))
        operation, kind = self.constant(arithmetic.operation), self.constant(fact.type)
        return f"reckon({operation}, [{', '.join(values)}], {kind})"

    def _value(self, operand: Operand) -> str:
        """An expression for a value; what was not asked for is unknown."""
        if not isinstance(operand, Fact):
            return self.constant(operand)
        name = self.fact(operand.path)
        return f"(None if {name} is NOT_ASKED else {name})" if self.optional.get(operand.path) else name

    def fact(self, path: str) -> str:
        """The name of a fact's parameter."""
        return self.names.setdefault(path, f"f{len(self.names)}")

    def operand(self, operand: Operand) -> str:
        """An expression for what a fact is compared with."""
        return self.fact(operand.path) if isinstance(operand, Fact) else self.constant(operand)

    def constant(self, value: Anything) -> str:
        """An expression for a constant."""
        self.constants.append(value)
        return f"k[{len(self.constants) - 1}]"

    def _set(self, expression: str, indent: int) -> str:
        self.variables += 1
        self.lines.append(f"{' ' * indent}t{self.variables} = {expression}")
        return f"t{self.variables}"

    def _joined(self, terms: tuple[Condition, ...], settles: str, otherwise: str, indent: int) -> str:
        """Kleene's and (or its mirror image, or): a term that settles it ends it, an unknown one leaves it open."""
        if not terms:
            return self._set(otherwise, indent)
        result = self._set(self.condition(terms[0], indent), indent)
        for term in terms[1:]:
            self.lines.append(f"{' ' * indent}if {result} is not {settles}:")
            inner = self.condition(term, indent + 1)
            self.lines.append(f"{' ' * indent} if {inner} is not {otherwise}: {result} = {inner}")
        return result


_SYMBOLS = {
    "is": "==", "is_not": "!=", "more_than": ">", "at_least": ">=", "less_than": "<", "at_most": "<=",
    "after": ">", "on_or_after": ">=", "before": "<", "on_or_before": "<=",
}  # fmt: skip
_PLAIN = TEXT_KINDS | NUMBER_KINDS | {"boolean", "date"}


def _comparison(comparison: Compare, writer: _Writer) -> str:
    """An expression for a comparison: Python's own operators where they mean the same, else what defines it."""
    left = writer.fact(comparison.path)
    not_asked = [f"{writer.fact(path)} is NOT_ASKED" for path in comparison.facts() if writer.optional.get(path)]
    first = f"False if {' or '.join(dict.fromkeys(not_asked))} else " if not_asked else ""
    return first + (_inline(comparison, left, writer) or _defined(comparison, left, writer))


def _inline(comparison: Compare, left: str, writer: _Writer) -> str | None:
    """The comparison by an operator of Python's; None where there is none that means the same."""
    kind, operator = comparison.type, comparison.operator
    if kind.kind not in _PLAIN or (kind.kind == "enum" and operator not in EQUALITY):
        return None
    if operator in ("in", "not_in"):
        return _membership(comparison, left, writer)
    if operator not in _SYMBOLS:
        return None
    right = writer.operand(comparison.right[0])
    unknown = [f"{name} is None" for name in dict.fromkeys((left, right)) if not name.startswith("k[")]
    return f"None if {' or '.join(unknown)} else {left} {_SYMBOLS[operator]} {right}"


def _membership(comparison: Compare, left: str, writer: _Writer) -> str | None:
    """Whether the fact is one of some constants; None where facts are among them."""
    members: set[Anything] = set()
    for operand in comparison.right:
        if isinstance(operand, Fact):
            return None
        members |= operand if isinstance(operand, frozenset) else {operand}
    negated = "not " if comparison.operator == "not_in" else ""
    return f"None if {left} is None else {left} {negated}in {writer.constant(frozenset(members))}"


def _defined(comparison: Compare, left: str, writer: _Writer) -> str:
    right = [writer.operand(each) for each in comparison.right]
    if "money" in (comparison.type.kind, comparison.type.item and comparison.type.item.kind):
        pairs = [Compare(comparison.path, "is", (each,), comparison.type) for each in comparison.right]
        writer.clashes += [tuple(dict.fromkeys(pair.facts())) for pair in pairs]
    if comparison.type.kind == "money" and comparison.operator in _SYMBOLS:
        unknown = " or ".join(f"{name} is None" for name in dict.fromkeys((left, *right)) if not name.startswith("k["))
        weighed = f"(w := weigh({left}, {right[0]})) is None"
        return f"None if {unknown} or {weighed} else w {_SYMBOLS[comparison.operator]} 0"
    operator, kind = writer.constant(comparison.operator), writer.constant(comparison.type)
    return f"None if {left} is None else operate({operator}, {left}, [{', '.join(right)}], {kind})"
