"""Cases: every one of every shipped pack, rule coverage, and what running them finds."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from strategies import AS_OF, ROOT, STACKS, checked

from engine import open_policy
from engine.cases import Coverage, Report, Result, coverage_findings, readings_of, run_cases
from engine.gate import Gate
from engine.model import Case
from engine.request import from_paths
from engine.values import parse_date


@cache
def gates(stack: str) -> tuple[Gate, ...]:
    """The stack as it grows, pack by pack."""
    folders = STACKS[stack]
    return tuple(open_policy(folders[: count + 1], as_of=AS_OF) for count in range(len(folders)))


@cache
def report(stack: str) -> Report:
    return run_cases(gates(stack))


CASES = [
    pytest.param(stack, place, id=f"{stack}: {case.name}")
    for stack in STACKS
    for place, case in enumerate(gates(stack)[-1].pack.cases)
    # What a pack is stacked on has had its turn.
    if case.layer == len(STACKS[stack]) - 1
]


@pytest.mark.parametrize(("stack", "place"), CASES)
def test_case(stack: str, place: int) -> None:
    """What the author expects is what is decided."""
    result = report(stack).results[place]

    assert result.mismatches == ()
    assert result.decision is not None


SMALLEST = [case for case in gates("rules")[-1].pack.cases if case.place.file.endswith("cases/smallest.yaml")]


@pytest.mark.parametrize(
    ("case", "path"), [(case, path) for case in SMALLEST for path in case.given or {} if path != "action"],
    ids=lambda part: part if isinstance(part, str) else part.name,
)  # fmt: skip
def test_the_smallest_requests_need_every_fact(case: Case, path: str) -> None:
    """Without any one of its facts a smallest request gets another answer than with it."""
    given = dict(case.given or {})
    whole = gates("rules")[-1].decide(from_paths(given))
    less = gates("rules")[-1].decide(from_paths({other: value for other, value in given.items() if other != path}))

    assert whole.outcome != "indeterminate"
    assert whole.outcome != less.outcome


def test_every_action_has_a_smallest_request() -> None:
    """Whoever asks about an action finds how little will do."""
    assert set(gates("rules")[-1].pack.actions) == {(case.given or {})["action"] for case in SMALLEST}


@pytest.mark.parametrize("stack", STACKS)
def test_every_rule_decides_in_a_case_and_has_a_near_miss(stack: str) -> None:
    """A rule that no case shows is a rule that nobody has tried."""
    coverage = report(stack).coverage

    assert coverage.undecided == []
    assert coverage.not_missed == []
    assert set(coverage.decided) == set(gates(stack)[-1].pack.rules)
    assert report(stack).passed
    assert not list(coverage_findings(gates(stack)[-1]))


@pytest.mark.parametrize("stack", STACKS)
def test_case_names_tell_cases_apart(stack: str) -> None:
    """A failing case is found by its name."""
    names = [case.name for case in gates(stack)[-1].pack.cases]

    assert len(names) == len(set(names))


PACK = """
policy: {name: seats}
actions: {sit: {resource: seat}}
facts:
  seat.taken: {type: boolean}
  seat.row: {type: integer}
  seat.price: {type: money}
rules:
  - {id: sit, actions: [sit], allow: Sit.}
  - {id: taken, actions: [sit], when: {seat.taken: true}, deny: Taken.}
  - {id: pay, actions: [sit], when: {seat.row: {at_most: 3}}, oblige: Pay.}
"""
# A case, and what of it does not hold: part, expected, actual.
MISMATCHES: list[tuple[dict[str, Any], dict[str, Any], list[tuple[str, Any, Any]]]] = [
    ({"seat.taken": True}, {"outcome": "deny", "rules": ["taken"], "cause": "forbidden"}, []),
    ({"seat.taken": True}, {"outcome": "allow"}, [("outcome", "allow", "deny")]),
    ({"seat.taken": True}, {"outcome": "deny", "rules": []}, [("rules", [], ["taken"])]),
    ({"seat.taken": True}, {"outcome": "deny", "cause": "not_permitted"}, [("cause", "not_permitted", "forbidden")]),
    ({}, {"outcome": "indeterminate", "missing": ["seat.taken"], "unknown": ["seat.taken", "seat.row"]}, []),
    ({}, {"outcome": "indeterminate", "missing": []}, [("missing", [], ["seat.taken"])]),
    ({"seat.taken": 1}, {"outcome": "indeterminate", "invalid": ["seat.taken"]}, []),
    ({"seat.taken": 1}, {"outcome": "indeterminate", "invalid": []}, [("invalid", [], ["seat.taken"])]),
    ({"seat.taken": False}, {"outcome": "allow", "obligations": ["pay"], "route": None, "alternatives": []}, []),
    ({"seat.taken": False, "seat.row": 9}, {"outcome": "allow", "obligations": ["pay"]}, [("obligations", ["pay"], [])]),
    ({"seat.taken": False}, {"outcome": "allow", "route": "web"}, [("route", "web", None)]),
    ({"seat.taken": False}, {"outcome": "allow", "assumptions": ["r"]}, [("assumptions", ["r"], [])]),
    ({"seat.taken": False}, {"outcome": "deny", "rules": ["taken"]}, [("outcome", "deny", "allow"), ("rules", ["taken"], ["sit"])]),
]  # fmt: skip


def run(cases: list[dict[str, Any]], pack: str = PACK) -> Report:
    found = checked({"seats.yaml": pack, "cases.yaml": json.dumps({"cases": cases})})
    assert not found.errors, found.errors
    return run_cases([Gate(found.pack, parse_date(AS_OF))])


def case(name: str, given: dict[str, Any], expect: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"case": name, "given": {"action": "sit", **given}, "expect": expect or {"outcome": "allow"}}


@pytest.mark.parametrize(("given", "expect", "mismatches"), MISMATCHES)
def test_mismatches(given: dict[str, Any], expect: dict[str, Any], mismatches: list[tuple[str, Any, Any]]) -> None:
    """Every expectation that does not hold is told, beside what followed."""
    result: Result = run([case("one", given, expect)]).results[0]

    assert mismatches == [(each.part, each.expected, each.actual) for each in result.mismatches]
    assert result.passed is not bool(mismatches)


def test_a_case_whose_request_is_none_fails() -> None:
    """It is no reason for the rest not to run."""
    broken = {"case": "broken", "request": {"action": "sit"}, "expect": {"outcome": "deny"}}
    report = run([broken, case("sound", {"seat.taken": False})])

    assert [False, True] == [result.passed for result in report.results]
    assert report.results[0].decision is None


# Flat facts of cases; the rules that decide in none, and those without a near miss.
COVERED: list[tuple[str, list[dict[str, Any]], list[str], list[str]]] = [
    ("no cases", [], ["pay", "sit", "taken"], ["pay", "taken"]),
    ("one fact apart", [{"seat.taken": True}, {"seat.taken": False}], ["pay"], ["pay"]),
    ("two facts apart", [{"seat.taken": True, "seat.row": 1}, {"seat.taken": False, "seat.row": 9}], ["pay"], ["pay", "taken"]),
    ("one fact more", [{"seat.taken": False, "seat.row": 1}, {"seat.taken": False}], ["taken"], ["pay", "taken"]),
    ("unknown is no miss", [{"seat.taken": True}, {}], ["pay", "sit"], ["pay", "taken"]),
    ("both rules", [
        {"seat.taken": False, "seat.row": 1}, {"seat.taken": False, "seat.row": 4}, {"seat.taken": True, "seat.row": 1},
    ], [], []),
    ("null is absent", [{"seat.taken": True, "seat.row": None}, {"seat.taken": False}], ["pay"], ["pay"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "undecided", "not_missed"), [row[1:] for row in COVERED], ids=[row[0] for row in COVERED]
)
def test_coverage(given: list[dict[str, Any]], undecided: list[str], not_missed: list[str]) -> None:
    """A near miss differs in exactly one fact, and there the rule certainly does not apply; always needs none."""
    coverage: Coverage = run([case(str(place), facts) for place, facts in enumerate(given)]).coverage

    assert (undecided, not_missed) == (coverage.undecided, coverage.not_missed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cases").mkdir()
    (tmp_path / "seats.yaml").write_text(PACK, encoding="utf-8")
    return tmp_path


RIGHT = [
    case("taken", {"seat.taken": True, "seat.row": 1}, {"outcome": "deny", "rules": ["taken"]}),
    case("free", {"seat.taken": False, "seat.row": 1}, {"outcome": "allow", "obligations": ["pay"]}),
    case("far back", {"seat.taken": False, "seat.row": 4}, {"outcome": "allow", "obligations": []}),
]
RUNS = [
    (0, RIGHT),
    (1, [*RIGHT[:2], case("far back", {"seat.taken": False, "seat.row": 4}, {"outcome": "deny"})]),
    (1, RIGHT[:2]),
    (1, []),
]


@pytest.mark.parametrize(("code", "cases"), RUNS, ids=["right", "a wrong case", "a rule not covered", "no case"])
def test_the_command_fails_where_a_case_or_the_coverage_does(
    folder: Path, code: int, cases: list[dict[str, Any]]
) -> None:
    """A pack whose case is wrong is told so by its exit code, and by name."""
    (folder / "cases" / "seats.yaml").write_text(json.dumps({"cases": cases}), encoding="utf-8")
    command = [sys.executable, str(ROOT / "cli.py"), "test", "--rules", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert (code, "") == (done.returncode, done.stderr)
    if cases and cases != RIGHT:
        assert ("far back" in done.stdout) is (len(cases) == 3)


def test_every_option_of_every_reading_is_tried() -> None:
    """What another choice would change is shown by a case, for each that there is."""
    pack = gates("rules")[-1].pack
    tried = {pair for case in pack.cases for pair in readings_of(case).items()}

    assert {
        (reading.id, option)
        for reading in pack.readings.values()
        for option in reading.options
        if option != reading.chosen
    } <= tried


@pytest.mark.parametrize("action", gates("rules")[-1].pack.actions)
def test_a_support_desk_has_asked_about_every_action(action: str) -> None:
    """Ten questions and more, answered yes, no and not yet, as far as the action has such answers."""
    asked = [
        result.decision.outcome
        for result in report("rules").results
        if result.case.place.file.endswith(f"support_desk/{action}.yaml") and result.decision is not None
    ]

    assert len(asked) >= 10
    assert {"allow", "deny", "indeterminate"} == set(asked)
