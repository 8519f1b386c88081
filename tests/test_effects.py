"""What other options of readings change: exactly what deciding with them gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache

import pytest
from hypothesis import given, settings
from strategies import AS_OF, STACKS, Data, Written, packs_and_requests

from engine import open_policy
from engine.author import check
from engine.book.effects import Answer, CaseChange, answer_of, effects, pose
from engine.cases import Result, readings_of, request_of, run_cases
from engine.condition import READING
from engine.gate import Gate
from engine.load import Loaded, read_yaml
from engine.model import Case
from engine.nodes import Document, Mapping
from engine.request import InvalidRequest
from engine.values import parse_date

DAY = parse_date(AS_OF)
PACK = """
policy: {name: boats}
actions: {sail: {resource: boat}, moor: {resource: boat}}
facts:
  boat.wind: {type: integer}
  boat.leaks: {type: boolean}
  boat.paid_on: {type: date}
  boat.built_on: {type: date}
  due_on: {type: date, derived: [{when: {reading.from-when: built}, value: $boat.built_on}, {value: $boat.paid_on}]}
readings:
  strong-wind:
    asks: Is seven a strong wind?
    options: {"yes": It is., perhaps: Nobody knows., "no": It is not.}
    chosen: perhaps
  leaks: {asks: May one sail with a leak?, options: {may: Yes., may_not: No.}, chosen: may_not}
  from-when: {asks: From when on do the days count?, options: {paid: From the payment., built: From the start.}, chosen: paid}
  reef: {asks: Does one reef?, options: {always: Yes., by_wind: As the wind is.}, chosen: always}
rules:
  - {id: sail, actions: [sail], allow: Sail.}
  - {id: moor, actions: [moor], allow: Moor.}
  - {id: strong, actions: [sail], when: {boat.wind: 7, reading.strong-wind: "yes"}, deny: Too strong.}
  - {id: open, actions: [sail], when: {boat.wind: 7, reading.strong-wind: perhaps}, defer: Nobody knows.}
  - {id: leak, actions: [sail], when: {boat.leaks: true, reading.leaks: may_not}, deny: It leaks.}
  - {id: pump, actions: [sail], when: {boat.leaks: true}, oblige: Pump.}
  - {id: rope, actions: [sail], when: {boat.wind: 8, reading.reef: by_wind}, oblige: Rope.}
  - {id: paint, actions: [moor], oblige: {text: Paint., deadline: $due_on}}
  - id: reef
    actions: [moor]
    when: {any: [{reading.reef: always}, {boat.wind: {more_than: 5}}]}
    oblige: {text: Reef., deadline: soon}
"""
CALM, WINDY = {"boat.leaks": False, "boat.wind": 3}, {"boat.leaks": False, "boat.wind": 7}
ALLOW = Answer("allow", "permitted", ("sail",), ())
STRONG = Answer("deny", "forbidden", ("strong",), ())
OPEN = Answer("indeterminate", "deferred", ("open",), ())
MOOR = Answer("allow", "permitted", ("moor",), ("paint", "reef"))
DATED = {"boat.paid_on": "2026-01-02", "boat.built_on": "2020-01-02"}
Changes = dict[tuple[str, str], tuple[Answer, Answer]]
# The facts of a case, and for each reading and option that changes its answer, what that was and would be.
ONE_CASE: list[tuple[str, Data, Changes]] = [
    ("nothing rests on them", {"action": "sail", **CALM}, {}),
    ("two options", {"action": "sail", **WINDY}, {
        ("strong-wind", "yes"): (OPEN, STRONG), ("strong-wind", "no"): (OPEN, ALLOW),
    }),
    ("a denial less", {"action": "sail", "boat.leaks": True, "boat.wind": 3}, {
        ("leaks", "may"): (Answer("deny", "forbidden", ("leak",), ()), replace(ALLOW, duties=("pump",))),
    }),
    ("chosen by the case", {"action": "sail", **WINDY, "reading.strong-wind": "yes"}, {}),
    ("another chosen by the case", {"action": "sail", "boat.leaks": True, "boat.wind": 7, "reading.leaks": "may"}, {
        ("strong-wind", "yes"): (OPEN, STRONG), ("strong-wind", "no"): (OPEN, replace(ALLOW, duties=("pump",))),
    }),
    ("more is missing", {"action": "sail", "boat.wind": 3}, {
        ("leaks", "may"): (
            Answer("indeterminate", "missing_facts", ("leak",), ()),
            replace(ALLOW, duties=("pump",), perhaps=("pump",)),
        ),
    }),
    ("only the day", {"action": "moor", "boat.wind": 9, **DATED}, {
        ("from-when", "built"): (
            replace(MOOR, deadlines=(("paint", "2026-01-02"),)), replace(MOOR, deadlines=(("paint", "2020-01-02"),)),
        ),
    }),
    ("only how certain", {"action": "moor"}, {("reef", "by_wind"): (MOOR, replace(MOOR, perhaps=("reef",)))}),
    ("a duty less", {"action": "moor", "boat.wind": 2}, {("reef", "by_wind"): (MOOR, replace(MOOR, duties=("paint",)))}),
    ("an action that is not there", {"action": "fly", **WINDY}, {}),
    ("what is no request", {"action": "sail", "boat.wind": 7, "car.wind": 7}, {}),
]  # fmt: skip


def gate_of(*layers: str) -> Gate:
    loaded = []
    for layer, text in enumerate(layers):
        root = read_yaml(text, f"{layer}.yaml")
        assert isinstance(root, Mapping)
        loaded.append(Loaded([Document(f"{layer}.yaml", text, root)], {f"{layer}.yaml": text}))
    found = check(loaded)
    assert not found.errors, found.errors
    return Gate(found.pack, DAY)


def asking(gate: Gate, given: Sequence[Data]) -> Gate:
    """The same policy with these cases."""
    cases = tuple(Case(str(place), facts, None, {}) for place, facts in enumerate(given))
    return Gate(replace(gate.pack, cases=cases), gate.as_of, gate.engine, gate.version)


def told(gate: Gate, results: Sequence[Result]) -> dict[tuple[str, str], tuple[CaseChange, ...]]:
    """The changes by reading and option."""
    return {(name, each.option): each.changes for name, options in effects(gate, results).items() for each in options}


@pytest.mark.parametrize(("facts", "expected"), [row[1:] for row in ONE_CASE], ids=[row[0] for row in ONE_CASE])
def test_one_case(facts: Data, expected: Changes) -> None:
    """Told are the readings that a case does not choose itself, and each option that would change its answer."""
    gate = asking(gate_of(PACK), [facts])
    found = told(gate, run_cases([gate]).results)

    assert expected == {key: (each.before, each.after) for key, changes in found.items() for each in changes}


def test_every_option_but_the_chosen_one_is_there() -> None:
    """In the order in which they were declared, by reading; an option without effects too."""
    found = effects(gate_of(PACK), [])

    assert ["from-when", "leaks", "reef", "strong-wind"] == list(found)
    assert [["built"], ["may"], ["by_wind"], ["yes", "no"]] == [[each.option for each in found[name]] for name in found]
    assert not any(each.changes for options in found.values() for each in options)


def test_cases_stand_in_the_order_of_the_pack() -> None:
    """Each under its name."""
    gate = asking(gate_of(PACK), [{"action": "sail", **WINDY}] * 12)
    found = told(gate, run_cases([gate]).results)

    assert list(map(str, range(12))) == [each.case for each in found["strong-wind", "yes"]]


UPPER = """
readings: {leaks: {chosen: may}}
rules:
  - {id: leak, disabled: One may.}
  - {id: holed, actions: [sail], when: {boat.leaks: true, reading.strong-wind: perhaps}, deny: A hole.}
cases:
  - {case: above, given: {action: sail, boat.leaks: true, boat.wind: 3}, expect: {outcome: deny}}
"""
LOWER = """
cases:
  - {case: below, given: {action: sail, boat.leaks: true, boat.wind: 3}, expect: {outcome: deny}}
  - {case: below as chosen, given: {action: sail, boat.leaks: true, boat.wind: 3, reading.leaks: may}, expect: {outcome: allow}}
"""


def test_cases_of_lower_layers_are_decided_by_the_whole_stack() -> None:
    """What a layer above changes counts, before and after; what rested on a reading below need not do so here."""
    lower, whole = gate_of(PACK + LOWER), gate_of(PACK + LOWER, UPPER)
    results = run_cases([lower, whole]).results
    before = Answer("deny", "forbidden", ("holed",), ())
    after = replace(ALLOW, duties=("pump",))
    names = ("below", "below as chosen", "above")

    assert [["leak"], ["sail"], ["holed"]] == [
        list(each.decision.rules) for each in results if each.decision is not None
    ]
    found = {key: changes for key, changes in told(whole, results).items() if changes}
    assert {
        ("strong-wind", option): tuple(CaseChange(name, before, after) for name in names) for option in ("yes", "no")
    } == found


def test_a_case_that_chooses_as_a_layer_above_does_not_vouch_for_its_own_layer() -> None:
    """It was decided by what is, by chance, the whole policy; the other cases beside it were not."""
    below = "  - {case: both, given: {action: sail, boat.leaks: true, boat.wind: 8}, expect: {outcome: deny}}"
    lower, whole = gate_of(PACK + LOWER + below), gate_of(PACK + LOWER + below, "readings: {leaks: {chosen: may}}")
    results = run_cases([lower, whole]).results
    versions = [each.decision.version for each in results if each.decision is not None]

    assert [False, True, False] == [version == whole.version for version in versions]
    assert ["both"] == [each.case for each in told(whole, results)["reef", "by_wind"]]


def test_results_of_another_policy_are_not_trusted() -> None:
    """Results without decisions give the same: then every reading is tried."""
    gate = asking(gate_of(PACK), [facts for _, facts, _ in ONE_CASE])
    bare = [Result(case, None, ()) for case in gate.pack.cases]

    assert effects(gate, run_cases([gate]).results) == effects(gate, bare)


@cache
def shipped() -> tuple[Gate, tuple[Result, ...]]:
    """The shipped policy with a sample of its cases, and those that try options, as if they did not."""
    gate = open_policy(STACKS["rules"], as_of=AS_OF)
    tried = [case for case in gate.pack.cases if readings_of(case)]
    plain = [replace(case, name=f"{case.name}, untried", given=without_readings(case)) for case in tried]
    sample = Gate(replace(gate.pack, cases=(*gate.pack.cases[::6], *plain)), DAY, version=gate.version)
    return sample, run_cases([sample]).results


def without_readings(case: Case) -> Data:
    return {path: value for path, value in (case.given or {}).items() if not path.startswith(READING)}


def brute(gate: Gate, reading: str, option: str) -> tuple[CaseChange, ...]:
    """The policy rewritten with the option, and every case asked of both."""
    other = replace(gate.pack.readings[reading], chosen=option)
    rewritten = Gate(replace(gate.pack, readings={**gate.pack.readings, reading: other}), gate.as_of, "reference")
    found = []
    for case, before in as_it_is(gate):
        after = None if reading in readings_of(case) else asked(rewritten, case)
        if before and after and replace(before, cause=after.cause) != after:
            found.append(CaseChange(case.name, before, after))
    return tuple(found)


@lru_cache(maxsize=1)
def as_it_is(gate: Gate) -> list[tuple[Case, Answer | None]]:
    return [(case, asked(gate, case)) for case in gate.pack.cases]


def asked(gate: Gate, case: Case) -> Answer | None:
    try:
        return answer_of(gate.choosing(readings_of(case)).decide(request_of(case)), gate.pack)
    except InvalidRequest:
        return None


PAIRS = [
    (reading.id, option)
    for reading in open_policy(STACKS["rules"], as_of=AS_OF).pack.readings.values()
    for option in reading.options
    if option != reading.chosen
]


@pytest.mark.parametrize(("reading", "option"), PAIRS)
def test_options_of_the_shipped_readings(reading: str, option: str) -> None:
    """What is told is what a policy rewritten with the option decides otherwise, case by case."""
    gate, results = shipped()
    expected = brute(gate, reading, option)

    assert expected
    assert expected == told(gate, results)[reading, option]


def test_a_reading_that_an_answer_rests_on_has_an_effect() -> None:
    """An assumption of a case says that another option gives another answer: one of them does, there."""
    gate, results = shipped()
    found = effects(gate, results)
    resting = {
        (each["reading"], result.case.name)
        for result in results
        for each in (() if result.decision is None else result.decision.assumptions or ())
        if "reading" in each and each["reading"] not in readings_of(result.case)
    }

    assert resting
    assert resting == {
        (name, change.case) for name, options in found.items() for each in options for change in each.changes
    }


@settings(max_examples=25)
@given(packs_and_requests(count=6))
def test_options_of_random_readings(drawn: tuple[Written, list[Data]]) -> None:
    """Told are the options that change outcome, reasons or duties, and no others."""
    pack, requests = drawn
    cases = tuple(Case(str(place), None, request, {}) for place, request in enumerate(requests))
    gate = Gate(replace(pack.gate.pack, cases=cases), DAY)
    found = told(gate, run_cases([gate]).results)

    assert {key: brute(gate, *key) for key in found} == found


@settings(max_examples=25)
@given(packs_and_requests(count=6))
def test_a_case_that_is_posed_is_answered_as_it_is_decided(drawn: tuple[Written, list[Data]]) -> None:
    """In short, a decision and the judgment of a posed case say the same."""
    pack, requests = drawn
    for request in requests:
        posed = pose(pack.gate, Case("it", None, request, {}))
        if posed is not None:
            assert answer_of(pack.gate.decide(request), pack.gate.pack) == posed.answer()


def test_shipped_cases_are_answered_as_they_are_decided() -> None:
    """With the readings that they choose."""
    gate, results = shipped()
    posed = [pose(gate, result.case) for result in results]

    assert [result.decision is not None for result in results] == [each is not None for each in posed]
    for each, result in zip(posed, results, strict=True):
        if each is not None and result.decision is not None:
            assert answer_of(result.decision, gate.pack) == each.answer()
