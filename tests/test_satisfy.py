"""A condition is called contradictory only if it can never hold."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any as Anything

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.condition import ALWAYS, EQUALITY, SIZE, TEXT, TIME, All, Any, Compare, Condition, Fact, Not, Presence
from engine.kleene import Known, NotAsked, State, Unknown, truth
from engine.satisfy import MAX_ALTERNATIVES, contradicts_itself
from engine.values import BOOLEAN, DATE, INTEGER, MONEY, NUMBER, STRING, Money, Type

ENUM = Type("enum", ("low", "mid", "high"), ordered=True)
FACTS: dict[str, Type] = {
    "context.flag": BOOLEAN,
    "thing.count": INTEGER,
    "thing.weight": NUMBER,
    "thing.cost": MONEY,
    "thing.due": DATE,
    "thing.name": STRING,
    "thing.level": ENUM,
    "thing.names": Type("list", item=STRING),
    "action.level": ENUM,
    "action.count": INTEGER,
}
ORDER = {"boolean": (), "date": TIME, "string": (*SIZE, *TEXT)}
SEVERAL = {"in": 2, "not_in": 2, "between": 2}


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def compare(path: str, operator: str, *right: Anything) -> Compare:
    return Compare(path, operator, right, FACTS[path])


def both(*terms: Condition) -> All:
    return All(terms)


COUNT, COST, DUE, LEVEL, FLAG = "thing.count", "thing.cost", "thing.due", "thing.level", "context.flag"
DAY = datetime.date(2026, 1, 1)
NEVER: list[tuple[str, Condition]] = [
    ("not anything", Not(ALWAYS)),
    ("some of nothing", Any(())),
    ("two values", both(compare(COUNT, "is", 5), compare(COUNT, "is", 6))),
    ("a value and not that value", both(compare(COUNT, "is", 5), compare(COUNT, "is_not", 5))),
    ("a comparison and its negation", both(compare(COUNT, "more_than", 5), Not(compare(COUNT, "more_than", 5)))),
    ("a value outside a list", both(compare(COUNT, "is", 5), compare(COUNT, "in", 6, 7))),
    ("every value of a list refused", both(compare(COUNT, "in", 5, 6), compare(COUNT, "not_in", 6, 5))),
    ("nothing between whole numbers", both(compare(COUNT, "more_than", 5), compare(COUNT, "less_than", 6))),
    ("a range backwards", compare("thing.weight", "between", Decimal(2), Decimal(1))),
    ("an amount above itself", both(compare(COST, "more_than", eur("5")), compare(COST, "at_most", eur("5")))),
    ("two currencies", both(compare(COST, "at_least", eur("5")), compare(COST, "at_most", Money(Decimal(9), "USD")))),
    ("between a day and the next", both(compare(DUE, "after", DAY), compare(DUE, "before", DAY + datetime.timedelta(1)))),
    ("after the last day", both(compare(DUE, "after", datetime.date.max), compare(DUE, "on_or_before", datetime.date.max))),
    ("above the highest", compare(LEVEL, "more_than", "high")),
    ("below the lowest", compare(LEVEL, "less_than", "low")),
    ("no level left", compare(LEVEL, "not_in", "low", "mid", "high")),
    ("neither true nor false", Not(Any((compare(FLAG, "is", True), compare(FLAG, "is", False))))),
    ("text above and below itself", both(compare("thing.name", "more_than", "a"), compare("thing.name", "less_than", "a"))),
    ("known and not", both(Presence(COUNT, True), Presence(COUNT, False))),
    ("known and not known to be known", both(Presence(COUNT, True), Not(Presence(COUNT, True)))),
    ("five though not known", both(Presence(COUNT, False), compare(COUNT, "is", 5))),
    ("every way out is closed", Any((compare(LEVEL, "more_than", "high"), compare(COUNT, "between", 2, 1)))),
    ("far apart in a long condition", both(compare(COUNT, "is", 1), *(compare("thing.weight", "is_not", Decimal(n)) for n in range(3000)), compare(COUNT, "is", 2))),
    ("a property of two values", both(compare("action.count", "is", 1), compare("action.count", "is", 2))),
]  # fmt: skip
PERHAPS: list[tuple[str, Condition]] = [
    ("anything", ALWAYS),
    ("one value", compare(COUNT, "is", 5)),
    ("a fact beside itself", compare(COUNT, "is_not", Fact(COUNT))),
    ("whole numbers have one between", both(compare(COUNT, "more_than", 5), compare(COUNT, "less_than", 7))),
    ("fractions have many between", both(compare("thing.weight", "more_than", Decimal(5)), compare("thing.weight", "less_than", Decimal(6)))),
    ("a day has itself", compare(DUE, "between", DAY, DAY)),
    ("the ends belong to between", both(compare(COUNT, "between", 1, 5), compare(COUNT, "between", 5, 9))),
    ("nothing costs nothing in any currency", both(compare(COST, "in", 0, eur("5")), compare(COST, "at_most", Money(Decimal(9), "USD")))),
    ("one of two currencies", compare(COST, "in", eur("5"), Money(Decimal(9), "USD"))),
    ("one way out is open", Any((compare(LEVEL, "more_than", "high"), compare(COUNT, "is", 1)))),
    ("a property that was not asked for", Not(Any(tuple(compare("action.level", "is", level) for level in ENUM.values)))),
    ("not known", Presence(COUNT, False)),
    ("members of a list do not exclude each other", both(compare("thing.names", "has", "a"), compare("thing.names", "has", "b"))),
    ("more ways than anyone wants to look at", All(tuple(Any((compare(COUNT, "is", n), compare(COUNT, "is", n + 1))) for n in range(60)))),
    ("more ways in one list", Any(tuple(compare(LEVEL, "more_than", "high") for _ in range(MAX_ALTERNATIVES + 1)))),
]  # fmt: skip


@pytest.mark.parametrize("condition", [each[1] for each in NEVER], ids=[each[0] for each in NEVER])
def test_what_can_never_hold_is_a_contradiction(condition: Condition) -> None:
    """Two values at once, an empty range, and every way out closed are contradictions."""
    assert contradicts_itself(condition)


@pytest.mark.parametrize("condition", [each[1] for each in PERHAPS], ids=[each[0] for each in PERHAPS])
def test_what_may_hold_is_none(condition: Condition) -> None:
    """What can hold, or is too long to tell, is not called a contradiction."""
    assert not contradicts_itself(condition)


# Few values, so that conditions often meet on the same ones.
VALUES: dict[str, st.SearchStrategy[Anything]] = {
    "boolean": st.booleans(),
    "integer": st.integers(0, 3),
    "number": st.sampled_from([Decimal(n) for n in ("0", "0.5", "1", "1.5")]),
    "money": st.builds(Money, st.sampled_from([Decimal(n) for n in ("0", "1", "1.5")]), st.sampled_from(["EUR", "USD"])),
    "date": st.sampled_from([datetime.date.min, DAY, DAY + datetime.timedelta(1), DAY + datetime.timedelta(2), datetime.date.max]),
    "string": st.sampled_from(["", "a", "ab", "b"]),
    "enum": st.sampled_from(ENUM.values),
    "list": st.frozensets(st.sampled_from(["", "a", "ab", "b"]), max_size=3),
}  # fmt: skip


@st.composite
def comparisons(draw: Callable[[st.SearchStrategy[Anything]], Anything]) -> Condition:
    path = draw(st.sampled_from(sorted(FACTS)))
    kind = FACTS[path]
    if draw(st.integers(0, 9)) == 0:
        return Presence(path, draw(st.booleans()))
    if kind.kind == "list":
        return compare(path, draw(st.sampled_from(["has", "has_any", "has_all"])), draw(VALUES["string"]))
    operator = draw(st.sampled_from((*EQUALITY, *ORDER.get(kind.kind, SIZE))))
    operand = VALUES[kind.kind] | st.just(0) if kind.kind == "money" else VALUES[kind.kind]
    if draw(st.integers(0, 9)) == 0:
        operand = st.sampled_from([Fact(other) for other in sorted(FACTS) if FACTS[other] == kind])
    return compare(path, operator, *(draw(operand) for _ in range(SEVERAL.get(operator, 1))))


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    comparisons(),
    lambda below: st.builds(Not, below) | st.builds(All, st.lists(below, max_size=4).map(tuple)) | st.builds(Any, st.lists(below, max_size=3).map(tuple)),
    max_leaves=8,
)  # fmt: skip


def states(path: str) -> st.SearchStrategy[State]:
    """A known value, an unknown one, or, of a property, one that was not asked for."""
    known = VALUES[FACTS[path].kind].map(Known)
    others: st.SearchStrategy[State] = st.just(Unknown(frozenset({path})))
    return known | known | others | st.just(NotAsked()) if path.startswith("action.") else known | known | others


SITUATIONS: st.SearchStrategy[list[dict[str, State]]] = st.lists(
    st.fixed_dictionaries({path: states(path) for path in FACTS}), min_size=10, max_size=10
)


@settings(max_examples=200)
@given(CONDITIONS, SITUATIONS)
def test_a_contradiction_never_holds(condition: Condition, situations: list[dict[str, State]]) -> None:
    """What is called a contradiction is false or unknown in every situation; what holds somewhere is not called one."""
    holds = [truth(condition, situation.__getitem__) for situation in situations]

    assert not (contradicts_itself(condition) and True in holds)


# For each kind, constants to compare with, and values that lie at, between and beyond them.
SMALL: list[tuple[str, tuple[Anything, ...], list[Anything]]] = [
    (FLAG, (True, False), [True, False]),
    (COUNT, (1, 2, 4), list(range(7))),
    ("thing.weight", (Decimal(1), Decimal(2)), [Decimal(n) / 2 for n in range(7)]),
    (LEVEL, ENUM.values, list(ENUM.values)),
    (DUE, (DAY, DAY + datetime.timedelta(1)), [DAY + datetime.timedelta(n) for n in range(-2, 5)]),
    ("thing.name", ("a", "b"), ["", "a", "aa", "b", "ba"]),
    (COST, (eur("1"), Money(Decimal(1), "USD")), [Money(Decimal(n) / 2, currency) for n in range(4) for currency in ("EUR", "USD")]),
]  # fmt: skip
PAIRS = ("is", "is_not", "more_than", "at_least", "less_than", "at_most")


@pytest.mark.parametrize(("path", "constants", "values"), SMALL, ids=[FACTS[each[0]].kind for each in SMALL])
def test_of_two_comparisons_with_constants_every_contradiction_is_found(
    path: str, constants: tuple[Anything, ...], values: list[Anything]
) -> None:
    """Two comparisons of one fact, negated or not, contradict each other exactly if no value makes both true."""
    operators = ("is", "is_not") if path == FLAG else PAIRS
    if path == DUE:
        operators = ("is", "is_not", "after", "on_or_after", "before", "on_or_before")
    plain = [compare(path, operator, constant) for operator in operators for constant in constants]
    literals: list[Condition] = [*plain, *map(Not, plain)]
    for condition in (All((one, other)) for one in literals for other in literals):
        possible = any(truth(condition, {path: Known(value)}.__getitem__) for value in values)
        assert possible is not contradicts_itself(condition), condition
