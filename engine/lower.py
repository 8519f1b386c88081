"""The lowering: a three-valued condition becomes two two-valued formulas, *certainly* and *possibly*.

Written once for every two-valued backend. The formulas are in negation normal form and test presence
explicitly; unknown is what possibly but not certainly holds. Nothing here works out a truth: that is
the backend's, which gives every atom a meaning and otherwise needs only `and` and `or`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Literal, TypeAlias, assert_never

from engine.condition import SEVERAL, All, Any, Compare, Condition, Fact, Not, Operand, Presence, leaves
from engine.model import FactDeclaration
from engine.policy import ActionRules, Matches
from engine.values import BOOLEAN, Money, Type, Value

Facts: TypeAlias = Mapping[str, FactDeclaration]
# A derived fact whose definition has more comparisons than this, inner definitions included, is not
# unfolded: a chain of definitions that use each other twice would double with every link.
MAX_UNFOLDED = 200
PROPERTY = "action."


@dataclass(frozen=True, slots=True)
class State:
    """Whether the fact is known, was not asked for, or was given by the request (or, if not `positive`, is not)."""

    path: str
    state: Literal["known", "not_asked", "given"]
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Test:
    """Whether the fact stands in the relation to the right-hand side (or, if not `positive`, does not).

    It has no meaning while a fact it reads is not known, nor have `less` and `more` between money of two
    currencies (which `equal`, `has` and `meets` take for different); State and `one_currency` atoms
    stand beside it wherever that matters. `type` is the type of the fact at `path`. The relations:

    - `equal`; `less` and `more`, by the order of the type (numbers, days, code points, an enum's values);
    - `starts_with`, `ends_with`;
    - `among`: the right-hand side is a frozenset that holds the fact;
    - `has`: the fact is a list that holds the right-hand side;
    - `meets`, `covers`: the fact is a list that shares a member with the list on the right, holds them all;
    - `lacks`: some money on the right shares its currency with all in the list, and is not in it;
    - `one_currency`: no money of the fact differs in currency from any on the right.
    """

    __test__ = False  # pytest, this is no test class

    path: str
    relation: str
    right: Operand
    type: Type
    positive: bool = True

    def facts(self) -> Iterator[str]:
        """The paths this test reads, the left one first."""
        yield self.path
        if isinstance(self.right, Fact):
            yield self.right.path


@dataclass(frozen=True, slots=True)
class And:
    """True when every term is."""

    terms: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True when some term is."""

    terms: tuple[Formula, ...]


Formula: TypeAlias = State | Test | And | Or
TRUE = And(())
FALSE = Or(())


@dataclass(frozen=True, slots=True)
class Lowered:
    """What a condition comes to: it is true where it certainly holds, false where it not even possibly does."""

    certainly: Formula
    possibly: Formula


def lower(condition: Condition, facts: Facts) -> Lowered:
    """The two formulas of a condition; `facts` are the pack's, whose named conditions are unfolded."""
    return Lowered(_lower(condition, True, False, facts), _lower(condition, True, True, facts))


def apply_overrides(rules: ActionRules, certain: Collection[str], possible: Collection[str]) -> Matches:
    """Which rules apply, overrides considered, given whose own conditions certainly and possibly hold.

    A rule certainly applies if its condition certainly holds and none of its overriders possibly
    applies; it possibly applies if its condition possibly holds and none of them certainly applies.
    """
    overridden = {rule: overriders for rule, overriders in rules.overriders.items() if overriders}
    applies = {rule for rule in certain if rule not in overridden}
    may_apply = {rule for rule in possible if rule not in overridden}
    for rule in TopologicalSorter(overridden).static_order():  # overriders first, each rule once
        overriders = overridden.get(rule, ())
        if overriders and rule in certain and may_apply.isdisjoint(overriders):
            applies.add(rule)
        if overriders and rule in possible and applies.isdisjoint(overriders):
            may_apply.add(rule)
    return Matches(frozenset(applies), frozenset(may_apply))


def conjunction(*terms: Formula) -> Formula:
    """All of the terms, flat and without repeats."""
    flat = _flat(terms, And)
    if FALSE in flat:
        return FALSE
    return flat[0] if len(flat) == 1 else And(flat)


def disjunction(*terms: Formula) -> Formula:
    """Any of the terms, flat and without repeats."""
    flat = _flat(terms, Or)
    if TRUE in flat:
        return TRUE
    return flat[0] if len(flat) == 1 else Or(flat)


def complement(formula: Formula) -> Formula:
    """The formula that is true where this one is not, in negation normal form too."""
    match formula:
        case State() | Test():
            return replace(formula, positive=not formula.positive)
        case And(terms):
            return disjunction(*[complement(term) for term in terms])
        case Or(terms):
            return conjunction(*[complement(term) for term in terms])
        case _:
            assert_never(formula)


def _flat(terms: Iterable[Formula], kind: type[And | Or]) -> tuple[Formula, ...]:
    parts = [part for term in terms for part in (term.terms if isinstance(term, kind) else (term,))]
    return tuple(dict.fromkeys(parts))


def _lower(condition: Condition, holds: bool, possibly: bool, facts: Facts) -> Formula:
    """Where the condition is true (or, if not `holds`, false): certainly so, or possibly."""
    match condition:
        case Compare():
            if (definition := _definition(condition, facts)) is not None:
                return _unfold(condition, definition, holds, possibly, facts)
            return complement(_compare(condition, not holds, facts)) if possibly else _compare(condition, holds, facts)
        case Presence(path, known):
            return State(path, "known", known == holds)
        case All(terms):
            return _join(holds)(*[_lower(term, holds, possibly, facts) for term in terms])
        case Any(terms):
            return _join(not holds)(*[_lower(term, holds, possibly, facts) for term in terms])
        case Not(term):
            return _lower(term, not holds, possibly, facts)
        case _:
            assert_never(condition)


def _join(every: bool) -> Callable[..., Formula]:
    return conjunction if every else disjunction


def _definition(comparison: Compare, facts: Facts) -> Condition | None:
    """The condition behind a comparison of a derived fact with true or false, unless it is too large."""
    fact = facts.get(comparison.path)
    if fact is None or comparison.operator not in ("is", "is_not") or not isinstance(comparison.right[0], bool):
        return None
    if fact.derived is None or not isinstance(fact.derived, Compare | Presence | All | Any | Not):
        return None
    return fact.derived if _room(fact.derived, facts, MAX_UNFOLDED) >= 0 else None


def _room(condition: Condition, facts: Facts, room: int) -> int:
    """What is left of the room once the condition is unfolded; negative as soon as it does not fit."""
    for leaf in leaves(condition):
        room -= 1
        fact = facts.get(leaf.path)
        if room < 0:
            break
        if isinstance(leaf, Compare) and fact and isinstance(fact.derived, Compare | Presence | All | Any | Not):
            room = _room(fact.derived, facts, room)
    return room


def _unfold(comparison: Compare, definition: Condition, holds: bool, possibly: bool, facts: Facts) -> Formula:
    """A named condition: what the request says of it, if it says anything; else its definition."""
    wanted = (comparison.right[0] is (comparison.operator == "is")) == holds
    defined = _lower(definition, wanted, possibly, facts)
    if facts[comparison.path].sealed:
        return defined
    known, given = State(comparison.path, "known"), State(comparison.path, "given")
    fits = Test(comparison.path, "equal", wanted, BOOLEAN)
    says = disjunction(complement(known), fits) if possibly else conjunction(known, fits)
    return disjunction(conjunction(given, says), conjunction(complement(given), defined))


def _compare(comparison: Compare, holds: bool, facts: Facts) -> Formula:
    """Where the comparison is certainly true (or, if not `holds`, certainly false)."""
    left = State(comparison.path, "known")
    decided = conjunction(left, _decided(comparison, holds, facts))
    properties = [path for path in dict.fromkeys(comparison.facts()) if path.startswith(PROPERTY)]
    if not holds:
        return disjunction(*[State(path, "not_asked") for path in properties], decided)
    if comparison.operator not in SEVERAL:
        return decided  # every fact of it is known, so none was not asked for
    return conjunction(*[State(path, "not_asked", False) for path in properties], decided)


_SINGLE = {
    "is": ("equal", True),
    "is_not": ("equal", False),
    "more_than": ("more", True),
    "after": ("more", True),
    "at_most": ("more", False),
    "on_or_before": ("more", False),
    "less_than": ("less", True),
    "before": ("less", True),
    "at_least": ("less", False),
    "on_or_after": ("less", False),
    "starts_with": ("starts_with", True),
    "ends_with": ("ends_with", True),
    "has": ("has", True),
}


def _decided(comparison: Compare, holds: bool, facts: Facts) -> Formula:
    """Where a comparison of a known fact, all facts being asked for, is certainly true (or false)."""
    path, kind, right = comparison.path, comparison.type, comparison.right
    match comparison.operator:
        case "between":
            ends = (_test(path, "less", right[0], kind, not holds), _test(path, "more", right[1], kind, not holds))
            return _join(holds)(*ends)
        case "in":
            return _in(comparison, holds, facts)
        case "not_in":
            return _in(comparison, not holds, facts)
        case "has_any" | "has_all":
            return _has_several(comparison, holds, facts)
        case operator:
            relation, positive = _SINGLE[operator]
            return _test(path, relation, right[0], kind, positive == holds)


def _test(path: str, relation: str, right: Operand, kind: Type, positive: bool) -> Formula:
    """The test, beside what it needs: the fact on the right known, and one currency where two leave it open."""
    terms: list[Formula] = [Test(path, relation, right, kind, positive)]
    # Equal money is of one currency, and a list that has it need not be of one throughout.
    settled = positive and relation in ("equal", "has", "meets")
    if _is_money(kind) and isinstance(right, Fact | Money) and not settled and relation not in ("covers", "lacks"):
        terms.insert(0, Test(path, "one_currency", right, kind))
    if isinstance(right, Fact):
        terms.insert(0, State(right.path, "known"))
    return conjunction(*terms)


def _in(comparison: Compare, holds: bool, facts: Facts) -> Formula:
    path, kind = comparison.path, comparison.type
    if (members := _list_fact(comparison, facts)) is not None:
        known = State(members.path, "known")
        return conjunction(known, _test(members.path, "has", Fact(path), facts[members.path].type, holds))
    operands = _operands(comparison)
    constants = [operand for operand in operands if not isinstance(operand, Fact)]
    if len(constants) > 1 and not _is_money(kind):
        tests = [_test(path, "among", frozenset(constants), kind, holds)]
        operands = tuple(operand for operand in operands if isinstance(operand, Fact))
    else:
        tests = []
    tests += [_test(path, "equal", operand, kind, holds) for operand in operands]
    return _join(not holds)(*tests)


def _has_several(comparison: Compare, holds: bool, facts: Facts) -> Formula:
    path, kind, every = comparison.path, comparison.type, comparison.operator == "has_all"
    if (members := _list_fact(comparison, facts)) is None:
        return _join(every == holds)(*[_test(path, "has", member, kind, holds) for member in _operands(comparison)])
    if not every:
        return _test(path, "meets", members, kind, holds)
    if not holds and _is_money(kind):
        return _test(path, "lacks", members, kind, True)
    return _test(path, "covers", members, kind, holds)


def _list_fact(comparison: Compare, facts: Facts) -> Fact | None:
    """The one fact on the right, if it is a list."""
    if len(comparison.right) != 1 or not isinstance(comparison.right[0], Fact):
        return None
    fact = facts.get(comparison.right[0].path)
    return comparison.right[0] if fact is not None and fact.type.kind == "list" else None


def _operands(comparison: Compare) -> tuple[Operand, ...]:
    if len(comparison.right) == 1 and isinstance(comparison.right[0], frozenset):
        members: list[Value] = sorted(comparison.right[0], key=repr)
        return tuple(members)
    return comparison.right


def _is_money(kind: Type) -> bool:
    return "money" in (kind.kind, kind.item.kind if kind.item else None)
