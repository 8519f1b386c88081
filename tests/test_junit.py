"""Test results as JUnit XML: what other programs read back is what was found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from cli import main
from engine.cases import Coverage, Report
from engine.cases import Result as CaseResult
from engine.finding import Place
from engine.junit import junit
from engine.model import Case

PACK = """
policy: {name: seats}
actions: {sit: {resource: seat}}
facts: {seat.taken: {type: boolean}}
rules:
  - {id: sit, actions: [sit], allow: Sit.}
  - {id: taken, actions: [sit], when: {seat.taken: true}, deny: Taken.}
"""


def case(name: str, taken: bool | None, outcome: str) -> dict[str, Any]:
    return {"case": name, "given": {"action": "sit", "seat.taken": taken}, "expect": {"outcome": outcome}}


TAKEN, FREE, WRONG = case("taken", True, "deny"), case("free", False, "allow"), case("wrong", True, "allow")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pack" / "cases").mkdir(parents=True)
    (tmp_path / "pack" / "seats.yaml").write_text(PACK, encoding="utf-8")
    return tmp_path / "pack"


def write(folder: Path, **cases: list[dict[str, Any]]) -> None:
    for name, listed in cases.items():
        (folder / "cases" / f"{name}.yaml").write_text(json.dumps({"cases": listed}), encoding="utf-8")


def run() -> Result:
    return CliRunner().invoke(main, ["test", "--rules", "pack", "--format", "junit"])


def read(result: Result) -> dict[str, dict[str, list[str]]]:
    """Suites by name; in each the cases by name, with the kinds of what is wrong with them."""
    suites = JUnitXml.fromstring(result.stdout.encode())
    found = {}
    for suite in suites:
        assert isinstance(suite, TestSuite)
        found[str(suite.name)] = {str(each.name): [type(wrong).__name__ for wrong in each.result] for each in suite}
    return found


# Files of cases; the exit code, and what the suites hold.
RUNS: list[tuple[str, dict[str, list[dict[str, Any]]], int, dict[str, dict[str, list[str]]]]] = [
    ("all is well", {"a": [TAKEN, FREE]}, 0, {"pack/cases/a.yaml": {"taken": [], "free": []}}),
    ("a suite for each file", {"a": [TAKEN], "b": [FREE]}, 0, {"pack/cases/a.yaml": {"taken": []}, "pack/cases/b.yaml": {"free": []}}),
    ("a case fails", {"a": [TAKEN, FREE, WRONG]}, 1, {"pack/cases/a.yaml": {"taken": [], "free": [], "wrong": ["Failure"]}}),
    ("no near miss", {"a": [TAKEN, case("unknown", None, "indeterminate")]}, 1,
     {"pack/cases/a.yaml": {"taken": [], "unknown": []}, "coverage": {"sit": ["Failure"], "taken": ["Failure"]}}),
    ("no cases", {}, 1, {"coverage": {"sit": ["Failure"], "taken": ["Failure"]}}),
]  # fmt: skip


@pytest.mark.parametrize(("cases", "code", "suites"), [row[1:] for row in RUNS], ids=[row[0] for row in RUNS])
def test_every_case_is_a_test_case_and_every_uncovered_rule_a_failure(
    folder: Path, cases: dict[str, list[dict[str, Any]]], code: int, suites: dict[str, dict[str, list[str]]]
) -> None:
    """Cases go by their file, rules that are not covered into a suite of their own; the exit code is as ever."""
    write(folder, **cases)
    result = run()

    assert (code, suites) == (result.exit_code, read(result))


def test_a_failure_says_what_was_expected_and_where(folder: Path) -> None:
    """The message names the parts, the text both values; file and line lead to the case."""
    write(folder, a=[TAKEN, FREE, WRONG])
    (failed,) = [each for suite in JUnitXml.fromstring(run().stdout.encode()) for each in suite if each.result]
    assert isinstance(failed, TestCase)
    (failure,) = failed.result

    assert isinstance(failure, Failure)
    assert ("not as expected: outcome", "mismatch") == (failure.message, failure.type)
    assert "outcome: expected 'allow', got 'deny'" == failure.text
    assert ("pack.cases.a", "pack/cases/a.yaml", "1") == tuple(
        failed._elem.get(name) for name in ("classname", "file", "line")
    )


def test_counts_are_those_of_what_is_listed(folder: Path) -> None:
    """`tests`, `failures` and `errors` of each suite, and of them all, add up."""
    write(folder, a=[TAKEN, WRONG])
    for element in ET.fromstring(run().stdout).iter():
        if element.tag.startswith("testsuite"):
            counted = [len(list(element.iter(tag))) for tag in ("testcase", "failure", "error")]
            assert counted == [int(element.attrib[name]) for name in ("tests", "failures", "errors")]


def test_wrong_rules_are_errors(folder: Path) -> None:
    """Rules that cannot be tested give a document, too: an error with code, place and help for each finding."""
    (folder / "seats.yml").write_text(PACK.replace("[sit]", "[sti]"), encoding="utf-8")
    (folder / "seats.yaml").unlink()
    result = run()
    errors = [each for suite in JUnitXml.fromstring(result.stdout.encode()) for each in suite]
    wrong = errors[0].result[0]

    assert (1, ["Error"] * 2) == (result.exit_code, [type(each.result[0]).__name__ for each in errors])
    assert isinstance(wrong, Error)
    assert ("unknown action `sti`", "unknown-action", "did you mean `sit`?") == (wrong.message, wrong.type, wrong.text)
    assert "[unknown-action]" in result.stderr
    assert "[yml-extension]" in result.stderr, "a warning, and no error"


def test_what_xml_cannot_carry_is_shown_escaped() -> None:
    """Names are the author's: quotes and angle brackets, control characters, halves of pairs, what is no character."""
    name = "<&\"'>]]> é😀 \x01\x1b\t\u202e\ufffe\ud800"
    odd = Case(name, {}, None, {}, place=Place("odd.yaml"))
    (suite,) = JUnitXml.fromstring(junit(Report((CaseResult(odd, None, ()),), Coverage()), {}).encode())

    assert ["<&\"'>]]> é😀 \\u0001\\u001b\\u0009\\u202e\\ufffe\\ud800"] == [each.name for each in suite]


def test_the_same_results_are_the_same_bytes(folder: Path) -> None:
    """There is no time and no machine in them."""
    write(folder, a=[TAKEN, WRONG], b=[FREE])
    first, second = run().stdout, run().stdout

    assert first == second
    assert first.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites tests=')
    assert not [word for word in ("time", "hostname") if f"{word}=" in first]
