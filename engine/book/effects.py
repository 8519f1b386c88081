"""What another option of a reading would change: told by deciding the pack's own cases again.

A case is put to the whole policy once as the pack reads its sources, and once for each other option of a reading
that its answer rests on. Nothing is compiled anew for that: a situation knows other readings than the chosen ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.cases import Result, readings_of, request_of
from engine.condition import Fact
from engine.decision import Cause, Decision
from engine.gate import Gate
from engine.judge import Judgment, answer
from engine.model import Case, Outcome, Pack, Reading, Rule
from engine.policy import ActionRules
from engine.reference import match
from engine.request import InvalidRequest, read_request
from engine.situation import Situation


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in short: the outcome and why, the ids of the reasons and of the duties, each sorted.

    `perhaps` are the duties that are uncertain, `deadlines` the days on which duties are due, where a fact tells it.
    """

    outcome: Outcome
    cause: Cause
    rules: tuple[str, ...]
    duties: tuple[str, ...]
    perhaps: tuple[str, ...] = ()
    deadlines: tuple[tuple[str, str], ...] = ()

    def rests_like(self, other: Answer) -> bool:
        """Whether outcome, reasons and duties are the same; these are what an assumption of a decision is about."""
        return replace(self, cause=other.cause) == other


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A case, by its name, that is answered otherwise."""

    case: str
    before: Answer
    after: Answer


@dataclass(frozen=True, slots=True)
class OptionEffect:
    """An option that is not chosen, and the cases that would be answered otherwise if it were, in the pack's order."""

    option: str
    changes: tuple[CaseChange, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """A case as it is put to a policy: the rules of its action, and its situation with the readings it chooses."""

    name: str
    rules: ActionRules
    situation: Situation

    def answer(self, readings: Mapping[str, str] | None = None) -> Answer:
        """The answer, if these readings (options by id) were chosen beside those of the case."""
        chosen = {**self.situation.readings, **(readings or {})}
        judgment = answer(self.rules, self.situation.but(readings=chosen), match)
        duties = [(rule, judgment.applies[rule.id] is True) for rule in _duties(self.rules, judgment)]
        return Answer(
            judgment.outcome,
            judgment.cause,
            tuple(sorted(rule.id for rule in judgment.reasons)),
            tuple(sorted(rule.id for rule, _ in duties)),
            tuple(sorted(rule.id for rule, certain in duties if not certain)),
            tuple(sorted(_days([rule for rule, _ in duties], judgment.situation))),
        )


def effects(gate: Gate, results: Sequence[Result]) -> dict[str, tuple[OptionEffect, ...]]:
    """For each reading, by its id, what every option but the chosen one would change, in declared order.

    `results` are those of the cases of the policy's pack; those of lower layers of a stack, which were decided
    without the layers above, are decided anew.
    """
    resting = _resting(gate, results)
    readings = sorted(gate.pack.readings.items())
    return {name: tuple(_option_effects(reading, resting.get(name, []))) for name, reading in readings}


def pose(gate: Gate, case: Case) -> Posed | None:
    """The case, put to a policy; None if its request is none, or if the policy knows nothing of its action."""
    try:
        asked = read_request(request_of(case), gate.pack)
    except InvalidRequest:
        return None
    if asked.action is None:
        return None
    policy = gate.policy_for(asked)
    situation = Situation(policy.pack, asked.action, asked.given, policy.as_of, readings=readings_of(case))
    return Posed(case.name, policy.actions[asked.action.name], situation)


def answer_of(decision: Decision, pack: Pack) -> Answer:
    """A decision of the pack's policy in short."""
    duties = decision.obligations
    days = [(each.rule, each.deadline) for each in duties if isinstance(pack.rules[each.rule].effect.deadline, Fact)]
    return Answer(
        decision.outcome,
        decision.cause,
        tuple(sorted(decision.rules)),
        tuple(sorted(each.rule for each in duties)),
        tuple(sorted(each.rule for each in duties if not each.certain)),
        tuple(sorted((rule, day) for rule, day in days if day is not None)),
    )


def _duties(rules: ActionRules, judgment: Judgment) -> Iterator[Rule]:
    """The duties that go with the outcome, for certain or perhaps."""
    for rule in rules.rules:
        goes_with = rule.effect.kind == "oblige" and judgment.outcome in rule.effect.accompanies
        if goes_with and judgment.applies[rule.id] is not False:
            yield rule


def _days(duties: list[Rule], situation: Situation) -> Iterator[tuple[str, str]]:
    """The days on which duties are due, by rule, where a fact tells the day."""
    for rule in duties:
        deadline = rule.effect.deadline
        day = situation.value(deadline.path) if isinstance(deadline, Fact) else None
        if day is not None:
            yield rule.id, str(day)


def _resting(gate: Gate, results: Sequence[Result]) -> dict[str, list[tuple[Posed, Answer]]]:
    """For each reading, by its id, the cases whose answer may rest on it, each with that answer."""
    whole = _whole_layers(gate, results)
    resting: dict[str, list[tuple[Posed, Answer]]] = {}
    for result in results:
        posed = pose(gate, result.case)
        if posed is None:
            continue
        readings = _named(result) if result.case.layer in whole else posed.rules.readings
        tried = [name for name in readings if name not in posed.situation.readings]
        before = posed.answer() if tried else None
        for name in tried:
            assert before is not None
            resting.setdefault(name, []).append((posed, before))
    return resting


def _whole_layers(gate: Gate, results: Sequence[Result]) -> set[int]:
    """The layers whose cases this very policy has decided, so that their assumptions are its own."""
    return {
        result.case.layer
        for result in results
        if result.decision is not None and result.decision.version == gate.version and not readings_of(result.case)
    }


def _named(result: Result) -> list[str]:
    """The readings that a decision names among its assumptions."""
    # A decision is true only if it is an allow.
    assumptions = None if result.decision is None else result.decision.assumptions
    return [each["reading"] for each in assumptions or () if "reading" in each]


def _option_effects(reading: Reading, resting: list[tuple[Posed, Answer]]) -> Iterator[OptionEffect]:
    for option in reading.options:
        if option != reading.chosen:
            found = [(posed.name, before, posed.answer({reading.id: option})) for posed, before in resting]
            yield OptionEffect(option, tuple(CaseChange(*each) for each in found if not each[1].rests_like(each[2])))
