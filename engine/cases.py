"""Cases: what must follow, run against the policy, and how well they cover its rules.

Each case is decided by the stack up to its own pack, so that a pack stacked on another does not have to
repeat the other's cases. Every rule needs a case in which it decides, and, if it has a condition, a near
miss: a case that differs from such a case in one fact, and in which the rule does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.condition import ALWAYS, READING
from engine.decide import Detail
from engine.decision import Decision
from engine.finding import Finding
from engine.gate import Gate
from engine.judge import answer
from engine.model import VERDICTS, Case, Rule
from engine.reference import match
from engine.request import InvalidRequest, from_paths, read_request
from engine.situation import Situation

_IN_DETAIL = frozenset({"alternatives", "assumptions", "unknown"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One expectation that did not hold."""

    part: str
    expected: Any
    actual: Any


@dataclass(frozen=True, slots=True)
class Result:
    """A case with its decision (None where its request is none) and what did not hold."""

    case: Case
    decision: Decision | None
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> bool:
        """Whether everything expected followed."""
        return not self.mismatches


@dataclass
class Coverage:
    """For each rule, by id, the names of the cases in which it decides, and of its near misses."""

    decided: dict[str, list[str]] = field(default_factory=dict)
    near_missed: dict[str, list[str]] = field(default_factory=dict)
    exempt: frozenset[str] = frozenset()

    @property
    def undecided(self) -> list[str]:
        """The rules that decide in no case."""
        return [rule for rule, cases in self.decided.items() if not cases]

    @property
    def not_missed(self) -> list[str]:
        """The rules that lack a near miss; one without condition needs none."""
        return [rule for rule, cases in self.near_missed.items() if not cases and rule not in self.exempt]


@dataclass(frozen=True, slots=True)
class Report:
    """All results and the coverage of all rules."""

    results: tuple[Result, ...]
    coverage: Coverage

    @property
    def passed(self) -> bool:
        """Whether every case holds and every rule is covered."""
        return (
            all(result.passed for result in self.results)
            and not self.coverage.undecided
            and not self.coverage.not_missed
        )


def run_cases(gates: Sequence[Gate], progress: Callable[[], None] = lambda: None) -> Report:
    """Runs all cases of a stack; `gates[n]` is the stack of the first n + 1 packs, the last one the whole."""
    whole = gates[-1]
    results = []
    for case in whole.pack.cases:
        results.append(run_case(case, gates[case.layer].choosing(readings_of(case))))
        progress()
    return Report(tuple(results), coverage_of(whole))


def coverage_findings(gate: Gate) -> Iterator[Finding]:
    """A finding for every rule without a case in which it decides, or without a near miss."""
    coverage = coverage_of(gate)
    for rule in coverage.undecided:
        help_ = "write a case whose decision it is part of"
        yield Finding(gate.pack.rules[rule].place, "no-case", f"`{rule}` decides in no case", help_)
    for rule in coverage.not_missed:
        if rule not in coverage.undecided:
            help_ = "take a case in which it decides, and change the one fact that makes it not apply"
            yield Finding(gate.pack.rules[rule].place, "no-near-miss", f"`{rule}` has no near miss", help_)


def request_of(case: Case) -> dict[str, Any]:
    """The request that a case puts; raises InvalidRequest."""
    if case.given is None:
        return dict(case.request or {})
    return from_paths({path: value for path, value in case.given.items() if not path.startswith(READING)})


def readings_of(case: Case) -> dict[str, str]:
    """The readings that a case chooses for itself (`reading.exactly-25: online` in its `given`), by id."""
    given = case.given or {}
    return {path.removeprefix(READING): str(value) for path, value in given.items() if path.startswith(READING)}


def run_case(case: Case, gate: Gate, detail: Detail = "full") -> Result:
    """A case decided by the stack up to its pack, in which the readings that it chooses are chosen.

    Without detail it takes a small part of the time, which does not do for a case that `needs_detail`.
    """
    try:
        decision = gate.decide(request_of(case), detail)
    except InvalidRequest as error:
        return Result(case, None, (Mismatch("request", "a request", str(error)),))
    mismatches = [
        Mismatch(part, wanted, actual) for part, wanted, actual in _compared(case.expect, decision) if wanted != actual
    ]
    return Result(case, decision, tuple(mismatches))


def needs_detail(case: Case) -> bool:
    """Whether the case expects something that a decision holds in full detail alone."""
    return not _IN_DETAIL.isdisjoint(case.expect)


def _compared(expect: Mapping[str, Any], decision: Decision) -> Iterator[tuple[str, Any, Any]]:
    """What is expected beside what followed, in comparable form: lists of ids and paths are sorted."""
    actual = decision.to_dict()
    for part, wanted in expect.items():
        match part:
            case "rules":
                yield part, sorted(wanted), [reason["rule"] for reason in actual["reasons"]]
            case "obligations" | "advice" | "procedure":
                yield part, sorted(wanted), [each["rule"] for each in actual[part]]
            case "invalid":
                yield part, sorted(wanted), [each["fact"] for each in actual[part]]
            case "assumptions":
                names = (each.get("reading") or each.get("value") or each.get("fact") for each in actual[part])
                yield part, sorted(wanted), sorted(str(name) for name in names)
            case "alternatives":
                yield part, wanted, [each["change"] for each in actual[part]]
            case "missing" | "unknown":
                yield part, sorted(wanted), actual[part]
            case _:
                yield part, wanted, actual[part]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Which rules decided in a case, which apply for certain, and which certainly do not; with the flat facts."""

    name: str
    facts: frozenset[tuple[str, str]]
    decided: frozenset[str]
    not_applying: frozenset[str]


def coverage_of(gate: Gate) -> Coverage:
    """How well the cases of a policy cover its rules."""
    outcomes = [outcome for case in gate.pack.cases if (outcome := _outcome(case, gate)) is not None]
    rules = gate.pack.rules
    near = _near(outcomes)
    coverage = Coverage(exempt=frozenset(rule.id for rule in rules.values() if _is_unconditional(rule)))
    for rule in sorted(rules):
        coverage.decided[rule] = [outcome.name for outcome in outcomes if rule in outcome.decided]
        coverage.near_missed[rule] = sorted(
            {other.name for one in outcomes if rule in one.decided for other in near[one] if rule in other.not_applying}
        )
    return coverage


def _is_unconditional(rule: Rule) -> bool:
    return rule.condition == ALWAYS


def _near(outcomes: list[_Outcome]) -> dict[_Outcome, list[_Outcome]]:
    """For each outcome the others whose facts differ in exactly one path."""
    by_rest: dict[tuple[str, frozenset[tuple[str, str]]], list[_Outcome]] = {}
    for outcome in outcomes:
        for path, value in outcome.facts:
            by_rest.setdefault((path, outcome.facts - {(path, value)}), []).append(outcome)
    by_facts: dict[frozenset[tuple[str, str]], list[_Outcome]] = {}
    for outcome in outcomes:
        by_facts.setdefault(outcome.facts, []).append(outcome)
    near: dict[_Outcome, list[_Outcome]] = {outcome: [] for outcome in outcomes}
    for outcome in outcomes:
        for pair in outcome.facts:
            rest = outcome.facts - {pair}
            for other in (*by_rest[(pair[0], rest)], *by_facts.get(rest, ())):
                if other.facts != outcome.facts:
                    near[outcome].append(other)
                if other.facts == rest:
                    near[other].append(outcome)
    return near


def _outcome(case: Case, gate: Gate) -> _Outcome | None:
    try:
        asked = read_request(request_of(case), gate.pack)
    except InvalidRequest:
        return None
    readings = readings_of(case)
    sent = {**asked.given, **{READING + reading: option for reading, option in readings.items()}}
    facts = frozenset((path, repr(value)) for path, value in sent.items() if value is not None)
    if asked.action is None:
        return None
    policy = gate.choosing(readings).policy_for(asked)
    rules = policy.actions[asked.action.name]
    judgment = answer(rules, Situation(policy.pack, asked.action, asked.given, policy.as_of), match)
    accompanying = {
        rule.id
        for rule in rules.rules
        if rule.effect.kind not in VERDICTS
        and judgment.outcome in rule.effect.accompanies
        and judgment.applies[rule.id]
    }
    decided = accompanying | {rule.id for rule in judgment.reasons}
    applying = {rule for rule, holds in judgment.applies.items() if holds is not False}
    return _Outcome(
        case.name,
        facts | {("action", asked.action.name)},
        frozenset(decided),
        frozenset(gate.pack.rules) - frozenset(applying),
    )
