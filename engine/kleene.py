"""Three-valued truth: what a condition means when facts may be unknown (DESIGN section 5, 1-3 and 6).

Truth is True, False or None (unknown), as in Kleene's strong logic. This module is the definition;
every other backend must agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any as Anything
from typing import TypeAlias, assert_never

from engine.condition import All, Any, Compare, Condition, Fact, Not, Operand, Presence
from engine.model import Span
from engine.values import Money, Type, Value

Truth: TypeAlias = bool | None
_NONE: frozenset[Anything] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """A fact with a value, and where that comes from: request, default, derived, lookup, reading or date."""

    value: Value
    via: str = "request"
    span: Span | None = None


@dataclass(frozen=True, slots=True, order=True)
class Clash:
    """A fact that cannot be used as it is (two currencies, a result too large), and why."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact without a value: the absent facts that would give it one, and what stands in the way."""

    missing: frozenset[str] = _NONE
    invalid: frozenset[str] = _NONE
    clashes: frozenset[Clash] = _NONE

    def __or__(self, other: Unknown) -> Unknown:
        return Unknown(self.missing | other.missing, self.invalid | other.invalid, self.clashes | other.clashes)


@dataclass(frozen=True, slots=True)
class NotAsked:
    """An optional property that was left out: every comparison with it is false."""


State: TypeAlias = Known | Unknown | NotAsked
States: TypeAlias = Callable[[str], State]


def truth(condition: Condition, states: States) -> Truth:
    """Whether the condition holds, given the state of each fact by its path."""
    match condition:
        case Compare():
            return _compare(condition, states)
        case Presence(path, known):
            return isinstance(states(path), Known) is known
        case All(terms):
            return every(truth(term, states) for term in terms)
        case Any(terms):
            return some(truth(term, states) for term in terms)
        case Not(term):
            return negate(truth(term, states))
        case _:
            assert_never(condition)


def every(truths: Iterable[Truth]) -> Truth:
    """False if one is false, else unknown if one is unknown, else true."""
    seen: Truth = True
    for each in truths:
        if each is False:
            return False
        if each is None:
            seen = None
    return seen


def some(truths: Iterable[Truth]) -> Truth:
    """True if one is true, else unknown if one is unknown, else false."""
    return negate(every(negate(each) for each in truths))


def negate(each: Truth) -> Truth:
    """Not knowing survives negation."""
    return None if each is None else not each


def open_comparisons(condition: Condition, states: States) -> Iterator[Compare]:
    """The unknown comparisons below nothing but unknown combinators: those that keep the answer open."""
    if truth(condition, states) is not None:
        return
    match condition:
        case Compare():
            yield condition
        case All(terms) | Any(terms):
            for term in terms:
                yield from open_comparisons(term, states)
        case Not(term):
            yield from open_comparisons(term, states)
        case Presence():
            pass


def why_unknown(comparisons: Iterable[Compare], states: States) -> Unknown:
    """What keeps these unknown comparisons from an answer."""
    reasons = Unknown()
    for comparison in comparisons:
        found = [(path, states(path)) for path in comparison.facts()]
        unknown = [state for _, state in found if isinstance(state, Unknown)]
        for state in unknown:
            reasons |= state
        reasons |= Unknown(clashes=frozenset(_currency_clashes(comparison, states)))
    return reasons


def _currency_clashes(comparison: Compare, states: States) -> Iterator[Clash]:
    """Both sides of every pair of different currencies, as far as they are facts."""
    left = _operand(Fact(comparison.path), states)
    for operand in comparison.right:
        right = _operand(operand, states)
        if not isinstance(left, Known) or not isinstance(right, Known):
            continue
        ours, theirs = _currencies(left.value), _currencies(right.value)
        if ours and theirs and len(ours | theirs) > 1:
            yield _clash(comparison.path, ours, theirs)
            if isinstance(operand, Fact):
                yield _clash(operand.path, theirs, ours)


def _clash(path: str, own: frozenset[str], others: frozenset[str]) -> Clash:
    currencies = ", ".join(sorted(others - own or others))
    return Clash(path, f"is in another currency than what it is compared with ({currencies})")


def _currencies(value: Value) -> frozenset[str]:
    if isinstance(value, Money):
        return frozenset({value.currency})
    return frozenset(m.currency for m in value if isinstance(m, Money)) if isinstance(value, frozenset) else _NONE


def _compare(comparison: Compare, states: States) -> Truth:
    left = states(comparison.path)
    right = [_operand(operand, states) for operand in comparison.right]
    if isinstance(left, NotAsked) or any(isinstance(state, NotAsked) for state in right):
        return False
    if isinstance(left, Unknown):
        return None
    values = [state.value if isinstance(state, Known) else None for state in right]
    return operate(comparison.operator, left.value, values, comparison.type)


def operate(operator: str, left: Anything, right: Sequence[Anything], kind: Type) -> Truth:
    """What an operator says of a known value of the given type; on the right None is unknown."""
    return _OPERATIONS[operator](left, right, kind)


def _operand(operand: Operand, states: States) -> State:
    return states(operand.path) if isinstance(operand, Fact) else Known(operand)


# Below, a right-hand value of None is unknown.
_Right: TypeAlias = Sequence[Anything]


def _equal(left: Anything, right: Anything) -> Truth:
    if right is None:
        return None
    if isinstance(left, Money) or isinstance(right, Money):
        amounts = _amounts(left, right)
        return None if amounts is None else amounts[0] == amounts[1]
    return bool(left == right)


def _amounts(left: Anything, right: Anything) -> tuple[Anything, Anything] | None:
    """The amounts to compare; None for two currencies. A bare number beside money is the constant 0."""
    if isinstance(left, Money) and isinstance(right, Money) and left.currency != right.currency:
        return None
    return tuple(side.amount if isinstance(side, Money) else side for side in (left, right))  # type: ignore[return-value]


def _order(left: Anything, right: Anything, kind: Type) -> int | None:
    """Negative, zero or positive as left is less than, equal to or more than right; None if unknown."""
    if right is None:
        return None
    if kind.kind == "money":
        amounts = _amounts(left, right)
        if amounts is None:
            return None
        left, right = amounts
    if kind.kind == "enum":
        left, right = kind.values.index(left), kind.values.index(right)
    return int(left > right) - int(left < right)


def _ordered(test: Callable[[int], bool]) -> Callable[[Anything, _Right, Type], Truth]:
    def compare(left: Anything, right: _Right, kind: Type) -> Truth:
        order = _order(left, right[0], kind)
        return None if order is None else test(order)

    return compare


def _members(right: _Right) -> _Right:
    """What a list on the right holds: the operands themselves, or the members of a fact that is a list."""
    if len(right) == 1 and isinstance(right[0], frozenset):
        return list(right[0])
    return right


def _in(left: Anything, right: _Right, _kind: Type) -> Truth:
    return some(_equal(left, member) for member in _members(right))


def _has(left: Anything, wanted: Anything) -> Truth:
    if wanted is None:
        return None
    return some(_equal(member, wanted) for member in left)


_more_than, _at_least = _ordered(lambda order: order > 0), _ordered(lambda order: order >= 0)
_less_than, _at_most = _ordered(lambda order: order < 0), _ordered(lambda order: order <= 0)


def _between(left: Anything, right: _Right, kind: Type) -> Truth:
    return every((_at_least(left, right[:1], kind), _at_most(left, right[1:], kind)))


def _text(test: Callable[[str, str], bool]) -> Callable[[Anything, _Right, Type], Truth]:
    return lambda left, right, _kind: None if right[0] is None else test(left, right[0])


_OPERATIONS: dict[str, Callable[[Anything, _Right, Type], Truth]] = {
    "is": lambda left, right, _kind: _equal(left, right[0]),
    "is_not": lambda left, right, _kind: negate(_equal(left, right[0])),
    "in": _in,
    "not_in": lambda left, right, kind: negate(_in(left, right, kind)),
    "more_than": _more_than,
    "at_least": _at_least,
    "less_than": _less_than,
    "at_most": _at_most,
    "before": _less_than,
    "on_or_before": _at_most,
    "after": _more_than,
    "on_or_after": _at_least,
    "between": _between,
    "starts_with": _text(str.startswith),
    "ends_with": _text(str.endswith),
    "has": lambda left, right, _kind: _has(left, right[0]),
    "has_any": lambda left, right, _kind: some(_has(left, member) for member in _members(right)),
    "has_all": lambda left, right, _kind: every(_has(left, member) for member in _members(right)),
}
