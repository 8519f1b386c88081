"""Reports for people: explanations, findings, test results and vocabulary as plain text.

Each function gives lines; a Paint puts color on words where the terminal wants it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.cases import Report
from engine.explain import Explained, Step
from engine.finding import Finding, printable, show
from engine.kleene import Truth
from engine.model import Pack
from engine.paint import COLORS, Paint, no_paint
from engine.policy import ActionRules
from engine.values import plain_value

_MARKS: dict[Truth, tuple[str, str]] = {True: ("yes", "green"), False: ("no", "red"), None: ("?", "yellow")}


def explanation_lines(explained: Iterable[Explained], paint: Paint = no_paint) -> Iterator[str]:
    """Rules with their conditions as trees; each line says whether it holds and with which values."""
    for each in explained:
        color = _MARKS[each.applies][1]
        yield ""
        verb = {True: "applies", False: "does not apply", None: "may apply"}[each.applies]
        yield f"{each.rule.id} ({each.rule.effect.kind}) {paint(verb, color)}  {each.rule.place.file}:{each.rule.place.line}"
        for step in each.steps:
            yield from _step_lines(step, 1, paint)
        if each.overridden_by:
            yield f"  overridden by {', '.join(each.overridden_by)}"


def _step_lines(step: Step, depth: int, paint: Paint) -> Iterator[str]:
    word, color = _MARKS[step.holds]
    values = ", ".join(f"{path} = {value}" for path, value in step.values.items())
    said = printable(f"{step.says}{f'   [{values}]' if values else ''}")
    yield f"{'  ' * depth}{paint(f'{word:<3}', color)} {said}"
    for below in step.below:
        yield from _step_lines(below, depth + 1, paint)


def finding_lines(findings: Iterable[Finding], texts: Mapping[str, str], paint: Paint = no_paint) -> Iterator[str]:
    """Findings with source lines and carets, then their count."""
    count: Counter[str] = Counter()
    for finding in findings:
        count[finding.severity] += 1
        text = show(finding, texts)
        yield text.replace(f": {finding.severity}: ", f": {paint(finding.severity, COLORS[finding.severity])}: ", 1)
    counted = [_plural(count[severity], severity) for severity in ("error", "warning", "note") if count[severity]]
    yield ", ".join(counted) if counted else "no findings"


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def report_lines(report: Report, paint: Paint = no_paint) -> Iterator[str]:
    """Failed cases with what was expected, rules without coverage, then the count."""
    for result in (result for result in report.results if not result.passed):
        yield f"{paint('failed', 'red')} {printable(result.case.name)}  {result.case.place}"
        for mismatch in result.mismatches:
            yield f"  {mismatch.part}: expected {mismatch.expected!r}, got {mismatch.actual!r}"
    coverage = report.coverage
    for rule in coverage.undecided:
        yield f"{paint('not covered', 'red')} {rule} decides in no case"
    for rule in coverage.not_missed:
        yield f"{paint('not covered', 'red')} {rule} has no near miss"
    failed = sum(not result.passed for result in report.results)
    uncovered = len(set(coverage.undecided) | set(coverage.not_missed))
    yield f"{len(report.results) - failed} passed, {failed} failed; {len(coverage.decided) - uncovered} of {len(coverage.decided)} rules covered"


def report_data(report: Report) -> dict[str, Any]:
    """The report as JSON data."""
    return {
        "passed": report.passed,
        "cases": [
            {
                "case": result.case.name, "file": result.case.place.file, "line": result.case.place.line, "passed": result.passed,
                "mismatches": [{"part": each.part, "expected": each.expected, "actual": each.actual} for each in result.mismatches],
            }
            for result in report.results
        ],
        "rules": {
            rule: {"decides_in": cases, "near_misses": report.coverage.near_missed[rule], "needs_near_miss": rule not in report.coverage.exempt}
            for rule, cases in report.coverage.decided.items()
        },
    }  # fmt: skip


def vocabulary_data(pack: Pack, rules: Mapping[str, ActionRules], only: str | None = None) -> dict[str, Any]:
    """What a caller may send for each action, and what the action's rules read, as JSON data."""
    return {
        name: {
            "title": action.title,
            "resource": action.resource,
            "facts": {
                path: _fact_data(pack, path, path in rules[name].reads, path in action.optional, path in action.choices)
                for path in _sendable(pack, name)
            },
        }
        for name, action in pack.actions.items()
        if only in (None, name)
    }


def _sendable(pack: Pack, name: str) -> list[str]:
    action = pack.actions[name]
    others = [
        path
        for path in sorted(pack.facts)
        if path.partition(".")[0] in ("subject", "context", action.resource) or "." not in path
    ]
    return [*action.properties, *others]


def _fact_data(pack: Pack, path: str, read: bool, optional: bool, choice: bool) -> dict[str, Any]:
    fact = pack.facts[path]
    kind = fact.type.item if fact.type.kind == "list" and fact.type.item else fact.type
    return {
        "type": str(fact.type),
        "values": list(kind.values) if kind.kind == "enum" else None,
        "minimum": None if fact.minimum is None else plain_value(fact.minimum),
        "description": fact.description,
        "read": read,
        "optional": optional,
        "choice": choice if path.startswith("action.") else fact.choice,
        "default": bool(fact.default),
        "source": "derived"
        if fact.derived is not None
        else "looked up"
        if fact.lookup
        else "sealed"
        if fact.sealed
        else "request",
    }


def vocabulary_lines(data: Mapping[str, Any], whole: bool) -> Iterator[str]:
    """The vocabulary as text: each action with the facts that its rules read (all facts with `whole`)."""
    for name, action in data.items():
        yield f"{name}: {action['title']}" + (f" (resource {action['resource']})" if action["resource"] else "")
        shown = {path: fact for path, fact in action["facts"].items() if whole or fact["read"]}
        width = max(map(len, shown), default=0)
        for path, fact in shown.items():
            values = f" ({', '.join(fact['values'])})" if fact["values"] else ""
            values += "" if fact["minimum"] is None else f" (at least {fact['minimum']})"
            marks = ", ".join(_marks(fact))
            yield f"  {path:<{width}}  {fact['type']}{values}{f' [{marks}]' if marks else ''}  {fact['description']}".rstrip()
        yield ""


def _marks(fact: Mapping[str, Any]) -> Iterator[str]:
    yield from (mark for mark in ("optional", "choice", "default") if fact[mark])
    if fact["source"] != "request":
        yield fact["source"]
    if not fact["read"]:
        yield "not read"
