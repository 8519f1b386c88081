"""Test results as JUnit XML, in the dialect that CI systems read.

The same results give the same bytes: there is no time and no machine in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from xml.etree import ElementTree as ET

from engine.cases import Report, Result
from engine.finding import Finding, Place, printable
from engine.model import Rule

COVERAGE, RULES = "coverage", "rules"
# What XML 1.0 cannot carry even as a character reference.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Case:
    """A test case; `problem` is its `failure` or `error`, if it has one."""

    suite: str
    name: str
    group: str
    place: Place
    problem: str = ""
    message: str = ""
    kind: str = ""
    text: str = ""


def junit(report: Report, rules: Mapping[str, Rule]) -> str:
    """The report as an XML document: a suite for each file of cases, and one of the rules that are not covered.

    `rules` are the policy's, by id; they say where an uncovered one stands.
    """
    return _document([*map(_case, report.results), *_uncovered(report, rules)])


def junit_of_findings(findings: Iterable[Finding]) -> str:
    """Rules that cannot be tested as an XML document: an error for each finding of that severity."""
    return _document(
        [
            _Case(RULES, each.message, RULES, each.place, "error", each.message, each.code, each.help)
            for each in findings
            if each.severity == "error"
        ]
    )


def _case(result: Result) -> _Case:
    place = result.case.place
    group = re.sub(r"\.ya?ml$", "", place.file).replace("\\", "/").strip("./").replace("/", ".")
    if result.passed:
        return _Case(place.file, result.case.name, group, place)
    lines = [f"{each.part}: expected {each.expected!r}, got {each.actual!r}" for each in result.mismatches]
    parts = ", ".join(each.part for each in result.mismatches)
    message = f"not as expected: {parts}"
    return _Case(place.file, result.case.name, group, place, "failure", message, "mismatch", "\n".join(lines))


def _uncovered(report: Report, rules: Mapping[str, Rule]) -> Iterable[_Case]:
    undecided, not_missed = set(report.coverage.undecided), set(report.coverage.not_missed)
    for rule in sorted(undecided | not_missed):
        lacks = [
            *(["decides in no case"] if rule in undecided else []),
            *(["has no near miss"] if rule in not_missed else []),
        ]
        kind = "no-case" if rule in undecided else "no-near-miss"
        message = f"{rule} {' and '.join(lacks)}"
        yield _Case(COVERAGE, rule, COVERAGE, rules[rule].place, "failure", message, kind, str(rules[rule].place))


def _document(cases: list[_Case]) -> str:
    root = ET.Element("testsuites", _counts(cases))
    for suite, listed in groupby(cases, key=lambda case: case.suite):
        members = list(listed)
        element = ET.SubElement(root, "testsuite", {"name": _xml(suite), **_counts(members)})
        for case in members:
            _add(element, case)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}'


def _counts(cases: list[_Case]) -> dict[str, str]:
    count = {word: sum(case.problem == word for case in cases) for word in ("failure", "error")}
    return {"tests": str(len(cases)), "failures": str(count["failure"]), "errors": str(count["error"])}


def _add(suite: ET.Element, case: _Case) -> None:
    about = {"name": case.name, "classname": case.group, "file": case.place.file, "line": str(case.place.line)}
    element = ET.SubElement(suite, "testcase", {name: _xml(text) for name, text in about.items()})
    if case.problem:
        said = {"message": _xml(case.message), "type": case.kind}
        ET.SubElement(element, case.problem, said).text = _xml(case.text)


def _xml(text: str) -> str:
    """The text with what XML cannot carry, or what would steer a terminal, shown escaped."""
    return _NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", printable(text))
