"""The meaning, in tables: three-valued truth, every operator on every type, and how rules combine."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import Any as Anything

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.condition import OPERATORS, All, Any, Compare, Condition, Fact, Not, Operand, Presence, operators_for
from engine.kleene import Known, NotAsked, State, Truth, Unknown, every, negate, open_comparisons, some, truth
from engine.model import Action, Effect, FactDeclaration, Pack, Rule
from engine.reference import applied
from engine.resolve import action_rules
from engine.situation import Situation
from engine.values import BOOLEAN, DATE, INTEGER, MONEY, NUMBER, STRING, Money, Type

T, F, U = True, False, None
UNKNOWN, NOT_ASKED = Unknown(missing=frozenset({"x"})), NotAsked()
LEVEL = Type("enum", ("low", "middle", "high"), ordered=True)
COLOR = Type("enum", ("red", "green"))
KEY = Type("key", ("JP", "NO"), table="regions")
WORDS, PRICES, COUNTS = (Type("list", item=item) for item in (STRING, MONEY, INTEGER))

AND = [
    (T, T, T), (U, T, U), (F, T, F),
    (U, U, T), (U, U, U), (F, U, F),
    (F, F, T), (F, F, U), (F, F, F),
]  # fmt: skip
OR = [
    (T, T, T), (T, T, U), (T, T, F),
    (T, U, T), (U, U, U), (U, U, F),
    (T, F, T), (U, F, U), (F, F, F),
]  # fmt: skip


@pytest.mark.parametrize(("both", "left", "right"), AND)
def test_all(both: Truth, left: Truth, right: Truth) -> None:
    """*All* is false if one is, else unknown if one is."""
    assert both is every([left, right])


@pytest.mark.parametrize(("either", "left", "right"), OR)
def test_any(either: Truth, left: Truth, right: Truth) -> None:
    """*Any* is true if one is, else unknown if one is."""
    assert either is some([left, right])


@pytest.mark.parametrize(("opposite", "holds"), [(F, T), (T, F), (U, U)])
def test_not(opposite: Truth, holds: Truth) -> None:
    """Not knowing survives negation."""
    assert opposite is negate(holds)


def test_of_nothing() -> None:
    """All of nothing holds, any of nothing does not."""
    assert every([]) is True
    assert some([]) is False


def day(number: int) -> datetime.date:
    return datetime.date(2026, 11, number)


def eur(amount: int | str) -> Money:
    return Money(Decimal(amount), "EUR")


def usd(amount: int | str) -> Money:
    return Money(Decimal(amount), "USD")


def number(text: str) -> Decimal:
    return Decimal(text)


# A type with a value, and for each operator what is true, false and (by currency) unknown of it.
Row = tuple[Type, Anything, str, list[Anything], list[Anything], list[Anything]]
OPERATIONS: list[Row] = [
    (BOOLEAN, True, "is", [True], [False], []),
    (BOOLEAN, True, "is_not", [False], [True], []),
    (BOOLEAN, True, "in", [(True,), (False, True)], [(False,)], []),
    (BOOLEAN, True, "not_in", [(False,)], [(True, False)], []),
    (INTEGER, 25, "is", [25, number("25")], [24, number("25.5")], []),
    (INTEGER, 25, "is_not", [26], [25], []),
    (INTEGER, 25, "in", [(24, 25)], [(24, 26)], []),
    (INTEGER, 25, "not_in", [(24, 26)], [(24, 25)], []),
    (INTEGER, 25, "more_than", [24, number("24.9999")], [25, 26], []),
    (INTEGER, 25, "at_least", [24, 25], [26, number("25.0001")], []),
    (INTEGER, 25, "less_than", [26], [25, 24], []),
    (INTEGER, 25, "at_most", [25, 26], [24], []),
    (INTEGER, 25, "between", [(25, 25), (24, 26), (25, 30), (1, 25)], [(26, 30), (1, 24), (26, 24)], []),
    (NUMBER, number("0.3"), "is", [number("0.3")], [number("0.3001"), 0], []),
    (NUMBER, number("0.3"), "is_not", [0], [number("0.3")], []),
    (NUMBER, number("0.3"), "in", [(0, number("0.3"))], [(0, 1)], []),
    (NUMBER, number("0.3"), "not_in", [(0, 1)], [(number("0.3"),)], []),
    (NUMBER, number("0.3"), "more_than", [0, number("0.2999")], [number("0.3"), 1], []),
    (NUMBER, number("0.3"), "at_least", [number("0.3")], [number("0.3001")], []),
    (NUMBER, number("0.3"), "less_than", [1], [number("0.3")], []),
    (NUMBER, number("0.3"), "at_most", [number("0.3")], [number("0.2999")], []),
    (NUMBER, number("0.3"), "between", [(0, 1)], [(1, 2)], []),
    (MONEY, eur(5), "is", [eur("5.00")], [eur("5.0001"), 0], [usd(5)]),
    (MONEY, eur(5), "is_not", [eur(6), 0], [eur(5)], [usd(5), usd(6)]),
    (MONEY, eur(5), "in", [(eur(5), eur(6)), (usd(1), eur(5))], [(eur(6), 0)], [(usd(5),), (usd(1), eur(6))]),
    (MONEY, eur(5), "not_in", [(eur(6),)], [(eur(5),), (usd(1), eur(5))], [(usd(5), eur(6))]),
    (MONEY, eur(5), "more_than", [eur("4.9999"), 0], [eur(5)], [usd(1), usd(9)]),
    (MONEY, eur(5), "at_least", [eur(5), 0], [eur(6)], [usd(1)]),
    (MONEY, eur(5), "less_than", [eur(6)], [eur(5), 0], [usd(9)]),
    (MONEY, eur(5), "at_most", [eur(5)], [eur(4), 0], [usd(9)]),
    (MONEY, eur(5), "between", [(eur(5), eur(5)), (0, eur(9))], [(eur(6), eur(9)), (usd(1), 0)], [(usd(1), eur(9))]),
    (MONEY, eur(0), "is", [0, eur(0)], [eur(1)], [usd(0)]),
    (MONEY, eur(-5), "less_than", [0], [], []),
    (DATE, day(22), "is", [day(22)], [day(21)], []),
    (DATE, day(22), "is_not", [day(21)], [day(22)], []),
    (DATE, day(22), "in", [(day(21), day(22))], [(day(21),)], []),
    (DATE, day(22), "not_in", [(day(21),)], [(day(22),)], []),
    (DATE, day(22), "before", [day(23)], [day(22), day(21)], []),
    (DATE, day(22), "on_or_before", [day(22), day(23)], [day(21)], []),
    (DATE, day(22), "after", [day(21)], [day(22), day(23)], []),
    (DATE, day(22), "on_or_after", [day(22), day(21)], [day(23)], []),
    (DATE, day(22), "between", [(day(22), day(22)), (day(21), day(23))], [(day(23), day(24)), (day(1), day(21))], []),
    (STRING, "b", "is", ["b"], ["B", "", "b "], []),
    (STRING, "b", "is_not", ["B"], ["b"], []),
    (STRING, "b", "in", [("a", "b")], [("a", "B")], []),
    (STRING, "b", "not_in", [("a", "B")], [("a", "b")], []),
    (STRING, "b", "more_than", ["a", "B", "", "azz"], ["b", "ba", "ä"], []),
    (STRING, "b", "at_least", ["b"], ["ba"], []),
    (STRING, "b", "less_than", ["ba", "ä"], ["b", "B"], []),
    (STRING, "b", "at_most", ["b"], ["a"], []),
    (STRING, "b", "between", [("a", "c"), ("b", "b")], [("ba", "c")], []),
    (STRING, "\ufffd", "less_than", ["😀"], ["\uff00"], []),
    (STRING, "abc", "starts_with", ["", "ab", "abc"], ["b", "A", "abcd"], []),
    (STRING, "abc", "ends_with", ["", "bc", "abc"], ["b", "C"], []),
    (COLOR, "red", "is", ["red"], ["green"], []),
    (COLOR, "red", "is_not", ["green"], ["red"], []),
    (COLOR, "red", "in", [("green", "red")], [("green",)], []),
    (COLOR, "red", "not_in", [("green",)], [("red",)], []),
    (LEVEL, "middle", "is", ["middle"], ["low"], []),
    (LEVEL, "middle", "is_not", ["low"], ["middle"], []),
    (LEVEL, "middle", "in", [("low", "middle")], [("low", "high")], []),
    (LEVEL, "middle", "not_in", [("low", "high")], [("middle",)], []),
    (LEVEL, "middle", "more_than", ["low"], ["middle", "high"], []),
    (LEVEL, "middle", "at_least", ["low", "middle"], ["high"], []),
    (LEVEL, "middle", "less_than", ["high"], ["middle", "low"], []),
    (LEVEL, "middle", "at_most", ["middle", "high"], ["low"], []),
    (LEVEL, "middle", "between", [("low", "high"), ("middle", "middle")], [("high", "high"), ("high", "low")], []),
    (KEY, "NO", "is", ["NO"], ["JP"], []),
    (KEY, "NO", "is_not", ["JP"], ["NO"], []),
    (KEY, "NO", "in", [("JP", "NO")], [("JP",)], []),
    (KEY, "NO", "not_in", [("JP",)], [("NO",)], []),
    (WORDS, {"a", "b"}, "has", ["a"], ["c", "A"], []),
    (WORDS, {"a", "b"}, "has_any", [("a",), ("c", "b")], [("c", "d")], []),
    (WORDS, {"a", "b"}, "has_all", [("a",), ("a", "b"), ("b", "b")], [("a", "c"), ("c",)], []),
    (WORDS, set(), "has", [], ["a", ""], []),
    (WORDS, set(), "has_any", [], [("a", "b")], []),
    (WORDS, set(), "has_all", [], [("a",)], []),
    (COUNTS, {1, 2}, "has", [number("1.0")], [3], []),
    (COUNTS, {1, 2}, "has_any", [(3, 2)], [(3, 4)], []),
    (COUNTS, {1, 2}, "has_all", [(2, 1)], [(2, 3)], []),
    (PRICES, {eur(5), usd(6)}, "has", [eur(5), usd(6)], [0], [eur(6), Money(number("5"), "JPY")]),
    (PRICES, {eur(5)}, "has_any", [(usd(1), eur(5))], [(eur(6), 0)], [(usd(5), eur(6))]),
    (PRICES, {eur(5)}, "has_all", [(eur(5),)], [(eur(6), usd(1)), (0, eur(5))], [(eur(5), usd(1))]),
]  # fmt: skip
CASES = [
    (holds, kind, left, operator, right)
    for kind, left, operator, *columns in OPERATIONS
    for holds, rights in zip((T, F, U), columns, strict=True)
    for right in rights
]


def known(value: Anything) -> Known:
    return Known(frozenset(value) if isinstance(value, set) else value)


def holds(operator: str, kind: Type, right: tuple[Operand, ...], states: Mapping[str, State]) -> Truth:
    return truth(Compare("a.left", operator, right, kind), states.__getitem__)


@pytest.mark.parametrize(("expected", "kind", "left", "operator", "right"), CASES)
def test_operators(expected: Truth, kind: Type, left: Anything, operator: str, right: Anything) -> None:
    """Each operator says what its name says; money of two currencies cannot be compared; 0 is every currency's."""
    operands = right if isinstance(right, tuple) else (right,)
    states = {"a.left": known(left)} | {f"a.r{place}": known(value) for place, value in enumerate(operands)}
    facts = tuple(Fact(f"a.r{place}") for place in range(len(operands)))

    assert expected is holds(operator, kind, operands, states)
    if 0 not in operands or kind is not MONEY:
        assert expected is holds(operator, kind, facts, states)


def test_every_operator_of_every_type_is_in_the_table() -> None:
    """Nothing that an author may write is left out above."""
    tried = {(kind, operator) for kind, _, operator, *_ in OPERATIONS}
    kinds = {kind for kind, *_ in OPERATIONS}

    assert {(kind, operator) for kind in kinds for operator in operators_for(kind)} == tried
    assert set(OPERATORS) == {operator for _, operator in tried}


ONE_OF_EACH = {
    (kind, operator): (left, columns) for kind, left, operator, *columns in OPERATIONS if left not in ([], set())
}


@pytest.mark.parametrize(("kind", "operator"), ONE_OF_EACH)
def test_a_comparison_with_an_unknown_fact_is_unknown(kind: Type, operator: str) -> None:
    """On either side."""
    left, (true, false, _) = ONE_OF_EACH[kind, operator]
    right = next(iter([*true, *false]))
    operands = right if isinstance(right, tuple) else (right,)

    assert holds(operator, kind, operands, {"a.left": UNKNOWN}) is None
    facts = tuple(Fact(f"a.r{place}") for place in range(len(operands)))
    assert holds(operator, kind, facts, {"a.left": known(left)} | {fact.path: UNKNOWN for fact in facts}) is None


@pytest.mark.parametrize(("kind", "operator"), ONE_OF_EACH)
def test_a_comparison_with_what_was_not_asked_for_is_false(kind: Type, operator: str) -> None:
    """On either side, `is_not` and `not_in` too, and whether or not the rest is known."""
    left, (true, false, _) = ONE_OF_EACH[kind, operator]
    right = next(iter([*true, *false]))
    operands = right if isinstance(right, tuple) else (right,)

    assert holds(operator, kind, operands, {"a.left": NOT_ASKED}) is False
    facts = tuple(Fact(f"a.r{place}") for place in range(len(operands)))
    for one in (known(left), UNKNOWN):
        states: dict[str, State] = {"a.left": one} | {fact.path: UNKNOWN for fact in facts} | {"a.r0": NOT_ASKED}
        assert holds(operator, kind, facts, states) is False


# With a list on the right of which one member is unknown.
PARTLY_KNOWN: list[tuple[Truth, Type, Anything, str, tuple[Anything, ...]]] = [
    (T, STRING, "a", "in", ("a", Fact("a.r"))),
    (U, STRING, "a", "in", ("b", Fact("a.r"))),
    (F, STRING, "a", "not_in", ("a", Fact("a.r"))),
    (U, STRING, "a", "not_in", ("b", Fact("a.r"))),
    (T, WORDS, {"a"}, "has_any", ("a", Fact("a.r"))),
    (U, WORDS, {"a"}, "has_any", ("b", Fact("a.r"))),
    (F, WORDS, {"a"}, "has_all", ("b", Fact("a.r"))),
    (U, WORDS, {"a"}, "has_all", ("a", Fact("a.r"))),
    (F, INTEGER, 5, "between", (6, Fact("a.r"))),
    (U, INTEGER, 5, "between", (5, Fact("a.r"))),
    (F, INTEGER, 5, "between", (Fact("a.r"), 4)),
    (U, INTEGER, 5, "between", (Fact("a.r"), 5)),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "kind", "left", "operator", "right"), PARTLY_KNOWN)
def test_several_operands_are_so_many_comparisons(
    expected: Truth, kind: Type, left: Anything, operator: str, right: tuple[Anything, ...]
) -> None:
    """What one member settles, another that is unknown does not unsettle."""
    assert expected is holds(operator, kind, right, {"a.left": known(left), "a.r": UNKNOWN})


# With one fact on the right that is a list.
LISTS: list[tuple[Truth, Type, Anything, str, Anything]] = [
    (T, STRING, "a", "in", {"a", "b"}),
    (F, STRING, "c", "in", {"a", "b"}),
    (F, STRING, "c", "in", set()),
    (T, STRING, "c", "not_in", set()),
    (U, MONEY, eur(5), "in", {usd(5)}),
    (T, MONEY, eur(5), "in", {usd(5), eur(5)}),
    (F, MONEY, eur(5), "in", {eur(6)}),
    (T, WORDS, {"a", "b"}, "has_any", {"b", "c"}),
    (F, WORDS, {"a", "b"}, "has_any", {"c"}),
    (F, WORDS, {"a", "b"}, "has_any", set()),
    (T, WORDS, {"a", "b"}, "has_all", {"a"}),
    (F, WORDS, {"a", "b"}, "has_all", {"a", "c"}),
    (T, WORDS, {"a", "b"}, "has_all", set()),
    (T, WORDS, set(), "has_all", set()),
    (F, WORDS, set(), "has_any", {"a"}),
    (U, PRICES, {eur(5)}, "has_all", {eur(5), usd(1)}),
    (F, PRICES, {eur(5)}, "has_all", {eur(6), usd(1)}),
]


@pytest.mark.parametrize(("expected", "kind", "left", "operator", "right"), LISTS)
def test_a_list_that_is_a_fact(expected: Truth, kind: Type, left: Anything, operator: str, right: Anything) -> None:
    """`$fact` may name a list where a list is written; nothing is in the empty list, and all of it is in any."""
    assert expected is holds(operator, kind, (Fact("a.r"),), {"a.left": known(left), "a.r": known(right)})


@pytest.mark.parametrize(("expected", "wanted", "state"), [
    (T, True, Known(0)), (F, True, UNKNOWN), (F, True, NOT_ASKED), (F, True, Unknown(invalid=frozenset({"x"}))),
    (F, False, Known(False)), (T, False, UNKNOWN), (T, False, NOT_ASKED),
])  # fmt: skip
def test_known_is_never_unknown(expected: bool, wanted: bool, state: State) -> None:
    """A fact has a value or it has none."""
    assert expected is truth(Presence("x", wanted), lambda _: state)


FLAGS = {name: Compare(name, "is", (True,), BOOLEAN) for name in ("t", "f", "u", "v")}
STATES: dict[str, State] = {"t": Known(True), "f": Known(False), "u": UNKNOWN, "v": UNKNOWN}
t, f, u, v = FLAGS.values()
OPEN: list[tuple[str, Condition]] = [
    ("", t),
    ("", f),
    ("u", u),
    ("u", Not(u)),
    ("u", All((t, u))),
    ("", All((f, u))),
    ("uv", All((u, v))),
    ("", Any((t, u))),
    ("u", Any((f, u))),
    ("v", All((Any((t, u)), v))),
    ("", Any((All((u, v)), t))),
    ("v", Any((All((f, u)), v))),
    ("uv", Not(Any((u, All((v, Not(f))))))),
    ("", Presence("u", True)),
    ("u", All((Presence("u", False), u))),
]


@pytest.mark.parametrize(("expected", "condition"), OPEN)
def test_open_comparisons(expected: str, condition: Condition) -> None:
    """A comparison is open if nothing above it is settled without it."""
    found = open_comparisons(condition, STATES.__getitem__)

    assert expected == "".join(comparison.path for comparison in found)


conditions = st.recursive(
    st.sampled_from(list(FLAGS.values())),
    lambda inner: st.one_of(
        inner.map(Not), st.lists(inner, max_size=3).map(tuple).map(All), st.lists(inner, max_size=3).map(tuple).map(Any)
    ),
    max_leaves=8,
)


@given(conditions, st.booleans(), st.booleans())
def test_a_definite_truth_outlasts_more_knowledge(condition: Condition, first: bool, second: bool) -> None:
    """What is true or false while facts are unknown stays so whatever they turn out to be."""
    before = truth(condition, STATES.__getitem__)
    after = truth(condition, {**STATES, "u": Known(first), "v": Known(second)}.__getitem__)

    assert after is not None
    assert before in (None, after)
    assert (before is None) == any(open_comparisons(condition, STATES.__getitem__))


def rules_of(overrides: Mapping[str, tuple[str, ...]]) -> tuple[Pack, Action, list[Rule]]:
    """A rule for each name, which holds when the fact of its name does."""
    names = sorted(overrides)
    facts = {f"x.{name}": FactDeclaration(f"x.{name}", BOOLEAN) for name in names}
    action = Action("act", "Act", "x")
    rules = [
        Rule(name, ("act",), Compare(f"x.{name}", "is", (True,), BOOLEAN), Effect("deny"), overrides=overrides[name])
        for name in names
    ]
    return Pack("p", actions={"act": action}, facts=facts, rules={rule.id: rule for rule in rules}), action, rules


OVERRIDES: list[tuple[str, dict[str, Truth], dict[str, Truth]]] = [
    # b overrides a.
    ("b>a", {"a": T, "b": T}, {"a": F, "b": T}),
    ("b>a", {"a": T, "b": U}, {"a": U, "b": U}),
    ("b>a", {"a": T, "b": F}, {"a": T, "b": F}),
    ("b>a", {"a": U, "b": T}, {"a": F, "b": T}),
    ("b>a", {"a": U, "b": U}, {"a": U, "b": U}),
    ("b>a", {"a": U, "b": F}, {"a": U, "b": F}),
    ("b>a", {"a": F, "b": T}, {"a": F, "b": T}),
    ("b>a", {"a": F, "b": U}, {"a": F, "b": U}),
    ("b>a", {"a": F, "b": F}, {"a": F, "b": F}),
    # A chain: an overrider counts only so far as it applies itself.
    ("c>b b>a", {"a": T, "b": T, "c": T}, {"a": T, "b": F, "c": T}),
    ("c>b b>a", {"a": T, "b": T, "c": U}, {"a": U, "b": U, "c": U}),
    ("c>b b>a", {"a": T, "b": T, "c": F}, {"a": F, "b": T, "c": F}),
    ("c>b b>a", {"a": T, "b": U, "c": T}, {"a": T, "b": F, "c": T}),
    ("c>b b>a", {"a": T, "b": F, "c": U}, {"a": T, "b": F, "c": U}),
    ("d>c c>b b>a", {"a": T, "b": T, "c": T, "d": T}, {"a": F, "b": T, "c": F, "d": T}),
    ("d>c c>b b>a", {"a": T, "b": T, "c": T, "d": U}, {"a": U, "b": U, "c": U, "d": U}),
    # Several overriders, and a diamond.
    ("b>a c>a", {"a": T, "b": F, "c": T}, {"a": F, "b": F, "c": T}),
    ("b>a c>a", {"a": T, "b": F, "c": U}, {"a": U, "b": F, "c": U}),
    ("b>a c>a", {"a": T, "b": T, "c": U}, {"a": F, "b": T, "c": U}),
    ("d>b d>c b>a c>a", {"a": T, "b": T, "c": T, "d": T}, {"a": T, "b": F, "c": F, "d": T}),
]  # fmt: skip


@pytest.mark.parametrize(("chain", "own", "expected"), OVERRIDES)
def test_overrides(chain: str, own: Mapping[str, Truth], expected: Mapping[str, Truth]) -> None:
    """A rule that others override counts as its condition and none of its overriders'."""
    overrides = {name: tuple(link[2] for link in chain.split() if link[0] == name) for name in own}
    pack, action, rules = rules_of(overrides)
    given = {f"x.{name}": value for name, value in own.items() if value is not None}

    assert expected == applied(action_rules(pack, "act", rules), Situation(pack, action, given, None))


def test_a_rule_that_does_not_apply_to_the_action_overrides_nothing_there() -> None:
    """Only rules of the action count."""
    pack, action, rules = rules_of({"a": (), "b": ("a",)})
    situation = Situation(pack, action, {"x.a": True, "x.b": True}, None)

    assert {"a": True} == applied(action_rules(pack, "act", rules[:1]), situation)


TRUTHS = (F, U, T)
COMBINED: dict[tuple[Truth, Truth, Truth], str] = {
    # deny, defer, allow
    (F, F, F): "deny not_permitted",
    (F, F, U): "indeterminate missing_facts",
    (F, F, T): "allow permitted",
    (F, U, F): "indeterminate missing_facts",
    (F, U, U): "indeterminate missing_facts",
    (F, U, T): "indeterminate missing_facts",
    (F, T, F): "indeterminate deferred",
    (F, T, U): "indeterminate deferred",
    (F, T, T): "indeterminate deferred",
    (U, F, F): "indeterminate missing_facts",
    (U, F, U): "indeterminate missing_facts",
    (U, F, T): "indeterminate missing_facts",
    (U, U, F): "indeterminate missing_facts",
    (U, U, U): "indeterminate missing_facts",
    (U, U, T): "indeterminate missing_facts",
    (U, T, F): "indeterminate missing_facts",
    (U, T, U): "indeterminate missing_facts",
    (U, T, T): "indeterminate missing_facts",
    (T, F, F): "deny forbidden",
    (T, F, U): "deny forbidden",
    (T, F, T): "deny forbidden",
    (T, U, F): "deny forbidden",
    (T, U, U): "deny forbidden",
    (T, U, T): "deny forbidden",
    (T, T, F): "deny forbidden",
    (T, T, U): "deny forbidden",
    (T, T, T): "deny forbidden",
}
# Which facts are missing, and which rules are the reasons: only what the outcome hangs on.
DETAILS: dict[tuple[Truth, Truth, Truth], tuple[str, str]] = {
    (F, F, F): ("", ""),
    (F, F, U): ("allow", "allow"),
    (F, F, T): ("", "allow"),
    (F, U, F): ("defer", "defer"),
    (F, U, U): ("defer", "allow defer"),
    (F, U, T): ("defer", "defer"),
    (F, T, F): ("", "defer"),
    (F, T, U): ("", "allow defer"),
    (F, T, T): ("", "defer"),
    (U, F, F): ("deny", "deny"),
    (U, F, U): ("deny", "allow deny"),
    (U, F, T): ("deny", "deny"),
    (U, U, F): ("deny", "defer deny"),
    (U, U, U): ("deny", "allow defer deny"),
    (U, U, T): ("deny", "defer deny"),
    (U, T, F): ("deny", "defer deny"),
    (U, T, U): ("deny", "allow defer deny"),
    (U, T, T): ("deny", "defer deny"),
    **{(T, defer, allow): ("", "deny") for defer, allow in product(TRUTHS, TRUTHS)},
}


def verdicts() -> tuple[Pack, Action]:
    """One rule of each of three effects, which holds when the fact of its name does."""
    pack, action, rules = rules_of({"allow": (), "defer": (), "deny": ()})
    by_id = {rule.id: Rule(rule.id, rule.actions, rule.condition, Effect(rule.id, f"{rule.id}.")) for rule in rules}
    return Pack("p", actions=pack.actions, facts=pack.facts, rules=by_id), action


@pytest.mark.parametrize("truths", COMBINED)
def test_how_rules_combine(truths: tuple[Truth, Truth, Truth]) -> None:
    """A true deny wins; one that cannot be told silences all else; then defers; then allows; nothing is a deny."""
    from engine.gate import Gate

    pack, _ = verdicts()
    given = {name: value for name, value in zip(("deny", "defer", "allow"), truths, strict=True) if value is not None}
    request = {"action": {"name": "act"}, "resource": {"properties": given}}
    missing, reasons = DETAILS[truths]

    decision = Gate(pack).decide(request)
    assert COMBINED[truths] == f"{decision.outcome} {decision.cause}"
    assert [f"x.{missing}"] * bool(missing) == list(decision.missing)
    assert reasons.split() == [reason.rule for reason in decision.reasons]


@pytest.mark.parametrize("truths", COMBINED)
def test_how_an_invalid_fact_changes_that(truths: tuple[Truth, Truth, Truth]) -> None:
    """What is unknown because it is invalid gives the cause `invalid_facts`, and asks for nothing more."""
    from engine.gate import Gate

    pack, _ = verdicts()
    given = {
        name: "x" if value is None else value for name, value in zip(("deny", "defer", "allow"), truths, strict=True)
    }
    request = {"action": {"name": "act"}, "resource": {"properties": given}}
    changed = COMBINED[truths].replace("missing_facts", "invalid_facts")

    decision = Gate(pack).decide(request)
    assert changed == f"{decision.outcome} {decision.cause}"
    assert not decision.missing
    assert [f"x.{name}" for name in sorted(given) if given[name] == "x"] == [each.fact for each in decision.invalid]


def test_both_tables_are_whole() -> None:
    """Three truths for each of three effects."""
    assert set(product(TRUTHS, TRUTHS, TRUTHS)) == set(COMBINED) == set(DETAILS)
