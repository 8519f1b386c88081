"""The lowering and the rete backend: the same meaning as the reference, reached another way."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any as Anything

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.random_policies import (
    TYPES,
    Sample,
    random_condition,
    random_request,
    random_sample,
)
from engine import cache, lower, reference, rete
from engine.condition import ALWAYS, All, Any, Compare, Condition, Fact, Not, Operand, Presence
from engine.kleene import Known, truth
from engine.lower import MAX_UNFOLDED, And, Formula, Or, State, Test
from engine.model import Effect, FactDeclaration, Rule
from engine.policy import Matches
from engine.resolve import action_rules
from engine.rete_facts import decimal_code
from engine.situation import Situation
from engine.values import (
    BOOLEAN,
    INTEGER,
    MAX_DECIMALS,
    MAX_DIGITS,
    Money,
    NotAValue,
    exact,
)

ROOT = Path(__file__).parent.parent
EUR_5 = Money(Decimal(5), "EUR")
SEEDS = st.integers(min_value=0, max_value=2**32)


def compare(path: str, operator: str, *right: Operand) -> Compare:
    return Compare(path, operator, right, TYPES[path])


def policy(*conditions: Condition, overrides: Mapping[int, tuple[int, ...]] | None = None) -> Sample:
    """A policy whose rules r0, r1, … have these conditions, over the facts of the random policies."""
    pack = random_sample(Random(0)).pack
    over = overrides or {}
    rules = [
        Rule(f"r{place}", ("act",), condition, Effect("deny"), overrides=tuple(f"r{o}" for o in over.get(place, ())))
        for place, condition in enumerate(conditions)
    ]
    return Sample(pack, action_rules(pack, "act", rules))


def by_rete(sample: Sample, request: Mapping[str, object]) -> Matches:
    return rete.match(sample.rules, sample.situation(request))


def by_reference(sample: Sample, request: Mapping[str, object]) -> Matches:
    return reference.match(sample.rules, sample.situation(request))


TRUE, UNKNOWN, FALSE = (True, True), (False, True), (False, False)
COUNT_OR_5 = compare("thing.count", "in", Fact("thing.limit"), 5)
MODE = compare("action.mode", "is", "red")
COSTS = compare("thing.cost", "at_most", EUR_5)
FEES = compare("thing.fees", "has_all", Fact("thing.credits"))
TRUTHS: list[tuple[str, Condition, dict[str, object], tuple[bool, bool]]] = [
    ("a known fact decides", compare("thing.count", "at_least", 5), {"thing.count": 5}, TRUE),
    ("and against, just below", compare("thing.count", "at_least", 5), {"thing.count": 4}, FALSE),
    ("an absent fact leaves it open", compare("thing.count", "at_least", 5), {}, UNKNOWN),
    ("and so its opposite", Not(compare("thing.count", "at_least", 5)), {}, UNKNOWN),
    ("an invalid fact is unknown too", compare("thing.count", "at_least", 5), {"thing.count": "5"}, UNKNOWN),
    ("a member may be known where another is not", COUNT_OR_5, {"thing.count": 5}, TRUE),
    ("it may be the unknown one", COUNT_OR_5, {"thing.count": 4}, UNKNOWN),
    ("none is it", COUNT_OR_5, {"thing.count": 4, "thing.limit": 3}, FALSE),
    ("nothing is in an empty list", compare("thing.count", "in"), {"thing.count": 4}, FALSE),
    ("of an unknown fact not even that is known", compare("thing.count", "in"), {}, UNKNOWN),
    ("what was not asked for compares as false", MODE, {}, FALSE),
    ("by the opposite operator too", compare("action.mode", "is_not", "red"), {}, FALSE),
    ("so that its negation is true", Not(MODE), {}, TRUE),
    ("and a fact compared with it", compare("thing.color", "not_in", Fact("action.mode"), "a"), {"thing.color": "NO"}, FALSE),
    ("a property that must be given is merely unknown", compare("action.force", "is", True), {}, UNKNOWN),
    ("money of one currency compares", COSTS, {"thing.cost": "5 EUR"}, TRUE),
    ("money of two does not", COSTS, {"thing.cost": "5 USD"}, UNKNOWN),
    ("nor when negated", Not(COSTS), {"thing.cost": "5 USD"}, UNKNOWN),
    ("nor is it different", compare("thing.cost", "is_not", EUR_5), {"thing.cost": "4 USD"}, UNKNOWN),
    ("zero is every currency's", compare("thing.cost", "more_than", 0), {"thing.cost": "0.0001 USD"}, TRUE),
    ("all the digits count", compare("thing.ratio", "less_than", Decimal("99999999999.9999")), {"thing.ratio": 99999999999.9998}, TRUE),
    ("to the last", compare("thing.ratio", "less_than", Decimal("99999999999.9998")), {"thing.ratio": 99999999999.9998}, FALSE),
    ("minus zero is zero", compare("thing.ratio", "is", 0), {"thing.ratio": -0.0}, TRUE),
    ("text is ordered by code point", compare("thing.name", "more_than", "\uffff"), {"thing.name": "\N{GRINNING FACE}"}, TRUE),
    ("also beside another fact", compare("thing.name", "less_than", Fact("thing.owner")), {"thing.name": "Z", "thing.owner": "a"}, TRUE),
    ("an ordered enum by its values", compare("thing.floor", "more_than", "low"), {"thing.floor": "high"}, TRUE),
    ("a list of money lacks what is another amount", FEES, {"thing.fees": ["1 EUR"], "thing.credits": ["2 EUR", "3 USD"]}, FALSE),
    ("unless its currency is another", FEES, {"thing.fees": ["1 EUR"], "thing.credits": ["3 USD"]}, UNKNOWN),
    ("all of no members are there", FEES, {"thing.fees": [], "thing.credits": []}, TRUE),
    ("known is never unknown", Presence("thing.count", known=False), {}, TRUE),
    ("a named condition is what the request says it is", compare_named := Compare("thing.both", "is", (True,), BOOLEAN), {"thing.both": True}, TRUE),
    ("an invalid one is unknown, and not worked out", compare_named, {"thing.both": "yes"}, UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "condition", "request_", "expected"), TRUTHS)
def test_what_rete_finds(
    sentence: str, condition: Condition, request_: dict[str, object], expected: tuple[bool, bool]
) -> None:
    """Each line of the table is so, and the reference says the same."""
    sample = policy(condition)
    found = by_rete(sample, request_)

    assert expected == ("r0" in found.certain, "r0" in found.possible), sentence
    assert found == by_reference(sample, request_)
    lowered, situation = lower.lower(condition, sample.pack.facts), sample.situation(request_)
    for meaningless in (True, False):
        formulas = (lowered.certainly, lowered.possibly)
        assert expected == tuple(formula_holds(formula, situation, meaningless) for formula in formulas)


@settings(max_examples=200)
@given(seed=SEEDS, rules=st.integers(1, 6), depth=st.integers(0, 5))
def test_rete_agrees_with_the_reference(seed: int, rules: int, depth: int) -> None:
    """Any policy, any request: the same rules certainly, and the same possibly."""
    random = Random(seed)
    sample = random_sample(random, rules=rules, depth=depth)

    for _ in range(5):
        request = random_request(random)
        assert by_reference(sample, request) == by_rete(sample, request)


@settings(max_examples=300)
@given(seed=SEEDS, depth=st.integers(0, 4), meaningless=st.booleans())
def test_the_formulas_mean_what_the_condition_does(seed: int, depth: int, meaningless: bool) -> None:
    """Certainly is true, possibly is not false, whatever tests say that have no meaning."""
    random = Random(seed)
    sample = random_sample(random, rules=1)
    condition = random_condition(random, sample.pack.facts, depth)
    lowered = lower.lower(condition, sample.pack.facts)

    for _ in range(5):
        situation = sample.situation(random_request(random))
        holds = truth(condition, situation.state)
        assert (holds is True) == formula_holds(lowered.certainly, situation, meaningless)
        assert (holds is not False) == formula_holds(lowered.possibly, situation, meaningless)


def formula_holds(formula: Formula, situation: Situation, meaningless: bool) -> bool:
    """The truth of a formula, given what to take for the truth of a test without meaning."""
    match formula:
        case And(terms):
            return all(formula_holds(term, situation, meaningless) for term in terms)
        case Or(terms):
            return any(formula_holds(term, situation, meaningless) for term in terms)
        case State(path, "given", positive):
            return (path in situation.given) == positive
        case State(path, state, positive):
            return (
                type(situation.state(path)).__name__ == {"known": "Known", "not_asked": "NotAsked"}[state]
            ) == positive
        case Test(positive=positive):
            holds = test_holds(formula, situation)
            return meaningless if holds is None else holds == positive


def test_holds(test: Test, situation: Situation) -> bool | None:
    """The truth of a test; None if it has no meaning."""
    if not all(isinstance(situation.state(path), Known) for path in test.facts()):
        return None
    if test.relation == "one_currency":
        sides = [_currencies(_value(operand, situation)) for operand in (Fact(test.path), test.right)]
        return all(ours == theirs for ours in sides[0] for theirs in sides[1])
    operator = {
        "equal": "is",
        "less": "less_than",
        "more": "more_than",
        "among": "in",
        "meets": "has_any",
        "covers": "has_all",
        "lacks": "has_all",
    }
    right = tuple(test.right) if isinstance(test.right, frozenset) else (test.right,)
    holds = truth(Compare(test.path, operator.get(test.relation, test.relation), right, test.type), situation.state)
    if test.relation in ("covers", "lacks"):
        return holds is (test.relation == "covers")
    return False if holds is None and test.relation in ("equal", "has", "meets") else holds


test_holds.__test__ = False  # type: ignore[attr-defined]


def _value(operand: Operand, situation: Situation) -> Anything:
    return getattr(situation.state(operand.path), "value", None) if isinstance(operand, Fact) else operand


def _currencies(value: Anything) -> list[str]:
    return [each.currency for each in (value if isinstance(value, frozenset) else [value]) if isinstance(each, Money)]


def test_a_named_condition_is_decided_here_not_by_the_situation() -> None:
    """The second engine unfolds definitions, and falls back on the fact's state where they grow too large."""
    small = FactDeclaration("thing.both", BOOLEAN, derived=compare("thing.count", "more_than", 5))
    large = replace(small, derived=Any((compare("thing.count", "more_than", 5),) * (MAX_UNFOLDED + 1)))
    named = Compare("thing.both", "is_not", (False,), BOOLEAN)

    assert "thing.count" in repr(lower.lower(named, {"thing.both": small}))
    assert "thing.count" not in repr(lower.lower(named, {"thing.both": large}))


def test_definitions_that_use_each_other_twice_do_not_double_for_ever() -> None:
    """Forty links would be a trillion comparisons; they stay within bounds and right."""
    facts: dict[str, FactDeclaration] = {"thing.count": FactDeclaration("thing.count", INTEGER)}
    last: Condition = compare("thing.count", "more_than", 5)
    for link in range(40):
        facts[f"thing.c{link}"] = FactDeclaration(f"thing.c{link}", BOOLEAN, derived=Any((last, Not(Not(last)))))
        last = Compare(f"thing.c{link}", "is", (True,), BOOLEAN)
    base = policy(last)
    sample = Sample(replace(base.pack, facts={**base.pack.facts, **facts}), base.rules)

    assert by_rete(sample, {"thing.count": 6}) == Matches(frozenset({"r0"}), frozenset({"r0"}))
    assert by_rete(sample, {"thing.count": 5}) == Matches(frozenset(), frozenset())


def test_a_plan_is_made_for_one_pack() -> None:
    """The same rules over another definition of a fact are other rules."""
    base = policy(Compare("thing.both", "is", (True,), BOOLEAN))
    for limit in (5, 7):
        fact = FactDeclaration("thing.both", BOOLEAN, derived=compare("thing.count", "more_than", limit))
        sample = Sample(replace(base.pack, facts={**base.pack.facts, "thing.both": fact}), base.rules)
        assert bool(by_rete(sample, {"thing.count": 6}).certain) == (limit < 6)


# Conditions of an overridden rule, its overrider, and the overrider's own; and whether the first applies.
OVERRIDES = [
    (TRUE, FALSE, FALSE, TRUE),
    (TRUE, TRUE, FALSE, FALSE),
    (TRUE, UNKNOWN, FALSE, UNKNOWN),
    (UNKNOWN, FALSE, TRUE, UNKNOWN),
    (FALSE, UNKNOWN, UNKNOWN, FALSE),
    (TRUE, TRUE, TRUE, TRUE),
    (TRUE, TRUE, UNKNOWN, UNKNOWN),
    (TRUE, UNKNOWN, TRUE, TRUE),
    (TRUE, UNKNOWN, UNKNOWN, UNKNOWN),
    (UNKNOWN, TRUE, TRUE, UNKNOWN),
]


@pytest.mark.parametrize(("first", "second", "third", "applies"), OVERRIDES)
def test_an_overrider_counts_as_far_as_it_applies_itself(
    first: tuple[bool, bool], second: tuple[bool, bool], third: tuple[bool, bool], applies: tuple[bool, bool]
) -> None:
    """A rule that others override counts as its condition and none of its overriders'."""
    rules = policy(ALWAYS, ALWAYS, ALWAYS, overrides={1: (0,), 2: (1,)}).rules
    named = dict(zip(("r0", "r1", "r2"), (first, second, third), strict=True))
    found = lower.apply_overrides(rules, {r for r, t in named.items() if t[0]}, {r for r, t in named.items() if t[1]})

    assert applies == ("r0" in found.certain, "r0" in found.possible)


def test_overrides_may_be_many_and_long() -> None:
    """Diamonds upon diamonds, and a chain of five thousand: each rule is looked at once."""
    diamonds = {place: (place - 1, max(0, place - 2)) for place in range(1, 80)}
    chain = {place: (place - 1,) for place in range(1, 5000)}

    assert by_rete(policy(*[ALWAYS] * 80, overrides=diamonds), {}).certain == {f"r{n}" for n in range(79, -1, -3)}
    rules = policy(*[ALWAYS] * 5000, overrides=chain).rules
    every = {rule.id for rule in rules.rules}
    assert len(lower.apply_overrides(rules, every, every).certain) == 2500


def _deep(random: Random, facts: Mapping[str, FactDeclaration], depth: int) -> Condition:
    condition = random_condition(random, facts, 0)
    for level in range(depth):
        beside = tuple(random_condition(random, facts, 0) for _ in range(2))
        condition = Not(All((condition, *beside))) if level % 3 else Any((*beside, condition))
    return condition


EXTREMES: dict[str, Callable[[Random, Mapping[str, FactDeclaration]], list[Condition]]] = {
    "sixty levels deep": lambda random, facts: [_deep(random, facts, 60)],
    "five hundred alternatives": lambda random, facts: [
        Any(tuple(random_condition(random, facts, 0) for _ in range(500)))
    ],
    "three hundred terms that all must hold": lambda random, facts: [
        All(tuple(random_condition(random, facts, 0) for _ in range(300)))
    ],
    "fifty times one of four": lambda random, facts: [
        All(tuple(Any(tuple(random_condition(random, facts, 0) for _ in range(4))) for _ in range(50)))
    ],
    "three hundred rules with one condition": lambda random, facts: [random_condition(random, facts, 1)] * 300,
    "a thousand rules": lambda random, facts: [random_condition(random, facts, 1) for _ in range(1000)],
    "a thousand rules that all hold": lambda _random, _facts: [
        compare("thing.count", "is_not", -2 - n) for n in range(1000)
    ],
    "a thousand constants": lambda _random, _facts: [
        compare("thing.name", operator, *(f"n{n}" for n in range(1000)), "NO") for operator in ("in", "not_in")
    ],
}


@pytest.mark.parametrize("extreme", EXTREMES)
def test_nothing_is_too_deep_too_wide_or_too_many(extreme: str) -> None:
    """Beyond durable's limits a formula is split, and the answer stays right."""
    random = Random(7)
    sample = policy(*EXTREMES[extreme](random, random_sample(Random(0)).pack.facts))

    for _ in range(5):
        request = random_request(random)
        assert by_reference(sample, request) == by_rete(sample, request)


def _exact(number: Decimal) -> bool:
    try:
        return exact(number) is not None
    except NotAValue:
        return False


NUMBERS = st.decimals(min_value=-(10**MAX_DIGITS) + 1, max_value=10**MAX_DIGITS - 1, places=MAX_DECIMALS).map(
    lambda number: number if _exact(number) else number.to_integral_value()
)


@given(st.lists(NUMBERS, min_size=2))
@example(
    [Decimal(n) for n in ("99999999999.9999", "100000000000", "999999999999.999", "1000000000000", "-0", "0", "0.0001")]
)
def test_numbers_keep_their_order_as_whole_numbers(numbers: list[Decimal]) -> None:
    """Every admitted number has a code of its own that no locale and no `double` can change."""
    for less, more in pairwise(sorted(numbers)):
        codes = decimal_code(less), decimal_code(more)
        assert (less < more, less == more) == (codes[0] < codes[1], codes[0] == codes[1])
        assert all(code.is_integer() and abs(code) < 2**53 for code in codes)


def test_a_number_beyond_the_digits_of_the_language_is_refused() -> None:
    """Nothing is rounded in silence."""
    with pytest.raises(ValueError, match="more than 15 digits"):
        decimal_code(10**MAX_DIGITS)


def test_durable_reads_nothing_but_whole_numbers_and_truths(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text of a request or a rule reaches the C layer, and no fraction."""
    told: list[object] = []
    tell, load = rete.Network._tell, rete.Network._rules

    def telling(network: rete.Network, message: dict[str, Anything]) -> None:
        told.append(message)
        tell(network, message)

    def loading(network: rete.Network) -> dict[str, Anything]:
        rules = load(network)
        told.extend(rule["all"] for rule in rules.values())
        return rules

    monkeypatch.setattr(rete.Network, "_tell", telling)
    monkeypatch.setattr(rete.Network, "_rules", loading)
    random = Random(11)
    for _ in range(20):
        by_rete(random_sample(random), random_request(random))

    leaves = [leaf for each in told for leaf in _leaves(each)]
    assert {type(leaf) for leaf in leaves} == {bool, int, float}
    assert all(leaf == int(leaf) for leaf in leaves)


def _leaves(node: object) -> list[Anything]:
    """The values in a message or definition, but for the names that durable itself wants."""
    match node:
        case dict():
            return [leaf for key, value in node.items() if key not in ("sid", "id", "$m") for leaf in _leaves(value)]
        case list():
            return [leaf for part in node for leaf in _leaves(part)]
        case _:
            return [node]


def test_four_threads_at_once_are_each_right() -> None:
    """Threads share the rules, never a ruleset of durable's."""
    samples = [random_sample(Random(seed)) for seed in range(10)]

    def wrong(thread: int) -> int:
        random = Random(thread)
        asked = [(random.choice(samples), random_request(random)) for _ in range(300)]
        return sum(by_reference(sample, request) != by_rete(sample, request) for sample, request in asked)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(wrong, range(4))) == [0, 0, 0, 0]


class Broken(Exception):
    """Something an action should never raise."""


def _raises(_context: object) -> None:
    raise Broken


DENIED = compare("thing.count", "more_than", 5)


@pytest.mark.parametrize("broken", [0, 1, 2], ids=["certainly", "possibly", "the end"])
def test_an_exception_in_an_action_does_not_fail_open(monkeypatch: pytest.MonkeyPatch, broken: int) -> None:
    """A deny that could not be recorded is an error; the next request gets a right answer."""
    sample = policy(DENIED)
    action = rete._action
    with monkeypatch.context() as patch:
        patch.setattr(rete, "_action", lambda place, fired: _raises if place == broken else action(place, fired))
        with pytest.raises(rete.ReteError, match="durable-rules failed"):
            by_rete(sample, {"thing.count": 6})
        with pytest.raises(rete.ReteError):
            by_rete(sample, {"thing.count": 6})

    assert by_rete(sample, {"thing.count": 6}).certain == {"r0"}


def test_a_run_that_ends_early_does_not_fail_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten seconds in one action durable goes on in silence, as if all were done."""
    sample = policy(DENIED)
    assert by_rete(sample, {"thing.count": 6}).certain == {"r0"}
    with monkeypatch.context() as patch:
        patch.setattr("durable.engine.Closure._has_completed", lambda _closure: True)
        with pytest.raises(rete.ReteError):
            by_rete(sample, {"thing.count": 6})

    assert by_rete(sample, {"thing.count": 6}).certain == {"r0"}


def test_a_run_that_only_says_it_is_done_does_not_fail_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """That every rule was considered is seen from the last one, which always fires."""
    monkeypatch.setattr("durable.engine.Ruleset.do_actions", lambda _ruleset, _state, complete: complete(None, {}))
    with pytest.raises(rete.ReteError, match="did not finish"):
        by_rete(policy(DENIED), {"thing.count": 6})


def test_an_interruption_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while durable is at work ends the program, not the answer."""
    sample = policy(DENIED)
    by_rete(sample, {})

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("durable.engine.Ruleset._flush_actions", interrupt)
    with pytest.raises(KeyboardInterrupt):
        by_rete(sample, {})


def test_what_is_forgotten_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rulesets go with the rules they were made for, and few stay loaded at a time."""
    library = pytest.importorskip("durable.engine").durable_rules_engine
    freed: list[int] = []
    delete = library.delete_ruleset

    def free(handle: int) -> None:
        freed.append(handle)
        delete(handle)

    gc.collect()  # what other tests forgot is theirs
    monkeypatch.setattr(library, "delete_ruleset", free)
    sample = policy(DENIED)
    by_rete(sample, {})
    del sample
    gc.collect()
    assert len(freed) == 1

    monkeypatch.setattr(rete, "MAX_LOADED", 10)
    samples = [policy(DENIED) for _ in range(20)]
    for sample in samples:
        by_rete(sample, {})
    gc.collect()
    assert len(freed) >= 15
    assert all(by_rete(sample, {"thing.count": 6}).certain for sample in samples)


def test_what_is_left_without_remedies_needs_no_rulesets_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same network answers for all rules and for some of them, who override nothing but each other."""
    loaded: list[int] = []
    load = rete.Network.__init__
    monkeypatch.setattr(rete.Network, "__init__", lambda self, *parts: loaded.append(1) or load(self, *parts))  # type: ignore[func-returns-value]
    whole = policy(ALWAYS, DENIED, MODE, overrides={0: (1,), 1: (2,)})
    some = [
        replace(rule, effect=replace(rule.effect, remedy="Wait.")) if rule.id == "r1" else rule
        for rule in whole.rules.rules
    ]
    rules = action_rules(whole.pack, "act", some)
    assert rules.without_remedies is not None

    for request in ({"thing.count": 6}, {"thing.count": 6, "action.mode": "red"}, {"thing.count": 5}, {}):
        situation = whole.situation(request)
        for asked in (rules, rules.without_remedies):
            assert reference.match(asked, situation) == rete.match(asked, situation)
    assert [1] == loaded


def test_a_script_may_come_from_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept of the rules gives the same answers, and nothing is planned again."""
    where = cache.Slot(tmp_path / "kept" / "a.policy", b"key")
    cache.store(where, {})
    random = Random(5)
    samples = [random_sample(random) for _ in range(20)]
    for number, sample in enumerate(samples):
        rete.prepare(sample.rules, sample.pack, cache.Shelf(where), f"rete {number}")
    monkeypatch.setattr(rete, "make_plan", None)
    for number, sample in enumerate(samples):
        again = replace(sample, rules=replace(sample.rules))
        rete.prepare(again.rules, again.pack, cache.Shelf(where), f"rete {number}")
        for _ in range(10):
            request = random_request(random)
            assert by_reference(sample, request) == by_rete(again, request)


def test_durable_is_loaded_late_and_asked_for_by_name() -> None:
    """Without the package the engine imports; who wants rete is told what to install, in one line."""
    code = """
import sys
sys.modules["durable"] = None
from engine import rete
from tests.test_rete import DENIED, by_rete, policy
try:
    by_rete(policy(DENIED), {})
except rete.ReteError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.startswith("the rete engine needs durable-rules: pip install durable-rules")
    assert done.stdout.count("\n") == 1
