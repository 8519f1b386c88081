"""Reports for people: decisions, explanations, findings and test results as plain text.

Each function gives lines; a Paint puts color on words where the terminal wants it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from engine.cases import Report
from engine.decision import Decision, Reason
from engine.explain import Explained, Step
from engine.finding import Finding, printable, show
from engine.kleene import Truth
from engine.model import Pack
from engine.policy import ActionRules

Paint: TypeAlias = Callable[[str, str], str]
COLORS = {
    "allow": "green",
    "deny": "red",
    "indeterminate": "yellow",
    "error": "red",
    "warning": "yellow",
    "note": "cyan",
}
_HEADLINES = {
    "permitted": "Yes, this is allowed.",
    "forbidden": "No, this is not allowed.",
    "not_permitted": "No, no rule allows this.",
    "missing_facts": "This cannot be decided yet: facts are missing.",
    "invalid_facts": "This cannot be decided: facts are invalid.",
    "deferred": "The policy does not settle this.",
}


def no_paint(text: str, _color: str) -> str:
    """The text as it is."""
    return text


def decision_lines(decision: Decision, paint: Paint = no_paint) -> Iterator[str]:
    """A decision, as one would read it aloud: the answer, why, by whom, what to do, what is missing."""
    yield f"{paint(decision.outcome.upper(), COLORS[decision.outcome])}: {_HEADLINES[decision.cause]}"
    for reason in decision.reasons:
        yield f"  - {_perhaps(decision, reason)}{printable(reason.text)}{_source(reason.rule, reason.cites)}"
        if reason.remedy:
            yield f"    Remedy: {printable(reason.remedy)}"
    if decision.route or decision.answered_for:
        yield from _route_lines(decision)
    yield from _section("Missing facts", decision.missing)
    yield from _section(
        "Invalid facts", (f"{each.fact} = {_short(each.value)}: {each.problem}" for each in decision.invalid)
    )
    yield from _section("To do", (_duty(each) for each in decision.obligations))
    yield from _section(
        "Good to know",
        (f"{each.text}{_unsure(each.certain)}{_source(each.rule, each.cites)}" for each in decision.advice),
    )
    for procedure in decision.procedure:
        yield f"How{_source(procedure.rule, procedure.cites)}:"
        yield from (f"  {number}. {printable(step)}" for number, step in enumerate(procedure.steps, 1))
    yield from _section(
        "Would be allowed", (_alternative(each.change, each.route) for each in decision.alternatives or ())
    )
    yield from _section("Rests on", (_assumption(each) for each in decision.assumptions or ()))
    yield from _section("Warnings", decision.warnings)
    yield f"Policy {decision.policy} as of {decision.as_of or 'an unknown day'}, {decision.version[:19]}"


def _perhaps(decision: Decision, reason: Reason) -> str:
    """Of an indeterminate answer only a deferral that settles it is certain; the other rules may yet not apply."""
    certain = decision.outcome != "indeterminate" or (decision.cause == "deferred" and reason.effect == "defer")
    return "" if certain else "perhaps: "


def _route_lines(decision: Decision) -> Iterator[str]:
    if decision.route and decision.outcome == "allow":
        yield f"Route: {decision.route}"
    elif decision.route:
        yield f"Route: {decision.route} (the answer is for {decision.answered_for})"
    else:
        yield f"Route: none (the answer is for {decision.answered_for})"


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"  - {printable(item)}" for item in items]
    if lines:
        yield f"{title}:"
        yield from lines


def _source(rule: str, cites: tuple[str, ...]) -> str:
    return f" [{'; '.join([rule, *([', '.join(cites)] if cites else [])])}]"


def _duty(duty: Any) -> str:
    due = {"before": "before the change", "after": "after the change"}.get(duty.due or "")
    when = ", ".join(part for part in (due, duty.deadline) if part)
    return f"{duty.text}{f' ({when})' if when else ''}{_unsure(duty.certain)}{_source(duty.rule, duty.cites)}"


def _unsure(certain: bool) -> str:
    return "" if certain else " (perhaps; facts are missing)"


def _alternative(change: Mapping[str, Any], route: str | None) -> str:
    changed = ", ".join(f"{path} = {_short(value)}" for path, value in change.items())
    return f"{changed}{f' (route {route})' if route else ''}"


def _assumption(assumption: Mapping[str, Any]) -> str:
    cites = f" ({', '.join(assumption['cites'])})" if assumption["cites"] else ""
    if "reading" in assumption:
        return f"the reading {assumption['reading']} = {assumption['chosen']}{cites}"
    if "value" in assumption:
        return f"the unconfirmed value {assumption['value']}{cites}"
    return f"the default {assumption['fact']} = {_short(assumption['default'])}{cites}"


def _short(value: Any) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


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
            marks = ", ".join(_marks(fact))
            yield f"  {path:<{width}}  {fact['type']}{values}{f' [{marks}]' if marks else ''}  {fact['description']}".rstrip()
        yield ""


def _marks(fact: Mapping[str, Any]) -> Iterator[str]:
    yield from (mark for mark in ("optional", "choice", "default") if fact[mark])
    if fact["source"] != "request":
        yield fact["source"]
    if not fact["read"]:
        yield "not read"
