"""From a request to a decision: judged, then explained as far as was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, groupby, islice, product
from typing import Any, Literal

from engine.condition import Fact
from engine.decision import (
    Advice,
    Alternative,
    Decision,
    InvalidFact,
    Obligation,
    Parts,
    Procedure,
    Reason,
    Verdict,
)
from engine.judge import Judgment, answer, open_route
from engine.kleene import Known, Unknown
from engine.model import ACCOMPANYING, Rule
from engine.policy import ActionRules, Backend, Policy
from engine.request import Asked
from engine.situation import Invalid, Situation
from engine.texts import Speaker
from engine.values import MAX_DIGITS, Value, plain_value

Detail = Literal["full"] | None
MAX_ALTERNATIVES = 5
_LONG = 200


def decide(policy: Policy, asked: Asked, match: Backend, *, detail: Detail = None, locale: str = "en") -> Decision:
    """The decision on what was asked, matched by one backend; `detail="full"` adds what costs more to find out."""
    if asked.action is None:
        return refuse(policy, asked, detail)
    situation = Situation(policy.pack, asked.action, asked.given, policy.as_of)
    rules = policy.actions[asked.action.name]
    judgment = answer(rules, situation, match)
    said = judgment.situation
    parts = Parts(
        policy=policy.pack.name,
        version=policy.version,
        as_of=policy.as_of,
        **told(judgment.reasons, _accompanying(rules, judgment), said, Speaker(policy.pack, locale)),
        missing=tuple(sorted(judgment.why.missing)),
        unknown=tuple(path for path in rules.reads if path not in situation.given) if detail else None,
        invalid=tuple(invalid_facts(said.invalid(), judgment.why, said.value)),
        warnings=asked.warnings,
        alternatives=tuple(_alternatives(rules, situation, judgment, match)) if detail else None,
        assumptions=tuple(_assumptions(rules, situation, judgment, match)) if detail else None,
    )
    route = open_route(rules, judgment, match)
    made_it = tuple(rule.id for rule in judgment.reasons)
    return Decision(Verdict(judgment.outcome, judgment.cause, route, judgment.answered_for, made_it), Told(parts))


def refuse(policy: Policy, asked: Asked, detail: Detail = None) -> Decision:
    """The deny of what the policy knows nothing of."""
    nothing = () if detail else None
    parts = Parts(
        policy.pack.name, policy.version, policy.as_of,
        unknown=nothing, warnings=asked.warnings, alternatives=nothing, assumptions=nothing,
    )  # fmt: skip
    return Decision(Verdict("deny", "not_permitted", rules=()), Told(parts))


@dataclass(frozen=True, slots=True)
class Told:
    """The teller of a decision whose parts are known already."""

    known: Parts

    def rules(self, verdict: Verdict) -> tuple[str, ...]:
        """The ids of the rules that made the outcome."""
        return verdict.rules or ()

    def parts(self, _verdict: Verdict, _facts: None) -> Parts:
        """The parts."""
        return self.known

    def missing(self, _verdict: Verdict, _facts: None) -> tuple[str, ...]:
        """What is missing."""
        return self.known.missing

    def json(self, _verdict: Verdict, _facts: None) -> None:
        """There is no faster way."""


def told(
    reasons: Iterable[Rule], accompanying: Iterable[tuple[Rule, bool]], situation: Situation, speaker: Speaker
) -> dict[str, Any]:
    """What rules say in one situation, as fields of Parts; with those that accompany an outcome, whether for certain."""
    with_it = list(accompanying)
    return {
        "reasons": tuple(_reason(rule, situation, speaker) for rule in reasons),
        "obligations": tuple(_obligation(*each, situation, speaker) for each in with_it if _is(each, "oblige")),
        "advice": tuple(_advice(*each, situation, speaker) for each in with_it if _is(each, "advise")),
        "procedure": tuple(_procedure(rule, situation, speaker) for rule, _ in with_it if rule.effect.kind == "guide"),
    }


def _is(accompanying: tuple[Rule, bool], kind: str) -> bool:
    return accompanying[0].effect.kind == kind


def _reason(rule: Rule, situation: Situation, speaker: Speaker) -> Reason:
    remedy = speaker.remedy(rule, situation)
    return Reason(rule.id, rule.effect.kind, speaker.text(rule, situation), rule.cites, remedy is not None, remedy)


def _accompanying(rules: ActionRules, judgment: Judgment) -> Iterator[tuple[Rule, bool]]:
    """The duties, advice and guides that go with the outcome, and whether for certain; an unknown guide does not."""
    for rule in rules.rules:
        applies, kind = judgment.applies[rule.id], rule.effect.kind
        goes_with = kind in ACCOMPANYING and judgment.outcome in rule.effect.accompanies
        if goes_with and (applies or (applies is None and kind != "guide")):
            yield rule, applies is True


def _obligation(rule: Rule, certain: bool, situation: Situation, speaker: Speaker) -> Obligation:
    text, deadline = speaker.text(rule, situation), speaker.deadline(rule, situation)
    return Obligation(rule.id, text, rule.cites, rule.effect.due, deadline, certain)


def _advice(rule: Rule, certain: bool, situation: Situation, speaker: Speaker) -> Advice:
    return Advice(rule.id, speaker.text(rule, situation), rule.cites, certain)


def _procedure(rule: Rule, situation: Situation, speaker: Speaker) -> Procedure:
    return Procedure(rule.id, speaker.steps(rule, situation), rule.cites)


def invalid_facts(
    invalid: Iterable[Invalid], why: Unknown, value: Callable[[str], Value | None]
) -> Iterator[InvalidFact]:
    """The invalid facts of a request, and those whose currencies or sizes keep the outcome open, by path."""
    found = [(each.path, each.problem, _echo(each.value)) for each in invalid]
    for clash in why.clashes:
        known = value(clash.path)
        found.append((clash.path, clash.problem, None if known is None else plain_value(known)))
    for path, problems in groupby(sorted(found, key=lambda each: each[:2]), key=lambda each: each[0]):
        _, problem, shown = next(problems)
        yield InvalidFact(path, shown, problem)


def _echo(raw: object) -> Any:
    """What was sent, as JSON data; as text, cut where it is long, where JSON has no such value."""
    try:
        text = json.dumps(raw, allow_nan=False, ensure_ascii=False, default=_json_number)
        if len(text.encode()) <= _LONG:
            return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        text = str(raw).encode("utf-8", "backslashreplace").decode()
    except (ValueError, RecursionError):
        return "…"  # a number of thousands of digits, or lists without end
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _json_number(raw: object) -> Any:
    if not isinstance(raw, Decimal):
        raise TypeError(f"{type(raw).__name__} is no JSON data")
    return plain_value(raw) if raw.is_finite() and abs(raw.adjusted()) <= MAX_DIGITS else str(raw)


def _alternatives(
    rules: ActionRules, situation: Situation, judgment: Judgment, match: Backend
) -> Iterator[Alternative]:
    if judgment.outcome == "allow":
        return iter(())
    return islice(_allowed_changes(rules, situation, match), MAX_ALTERNATIVES)


def _allowed_changes(rules: ActionRules, situation: Situation, match: Backend) -> Iterator[Alternative]:
    """Changes to one choice fact, then to two, that would be allowed; none that contains another."""
    choices = {path: _other_values(path, situation) for path in rules.reads if _is_choice(path, situation)}
    found: list[dict[str, Any]] = []
    for size in (1, 2):
        for paths in combinations(choices, size):
            for values in product(*(choices[path] for path in paths)):
                change = dict(zip(paths, values, strict=True))
                if any(smaller.items() <= change.items() for smaller in found):
                    continue
                judgment = answer(rules, situation.but(given=change), match)
                if judgment.outcome == "allow":
                    found.append(change)
                    yield Alternative(change, judgment.outcome, open_route(rules, judgment, match))


def _is_choice(path: str, situation: Situation) -> bool:
    """Whether the asker picks it: of a property each action says so itself."""
    fact = situation.pack.facts[path]
    picked = path in situation.action.choices if path.startswith("action.") else fact.choice
    return picked and fact.type.kind in ("enum", "boolean") and not fact.sealed


def _other_values(path: str, situation: Situation) -> list[Any]:
    kind = situation.pack.facts[path].type
    now = situation.state(path)
    values: tuple[Any, ...] = (True, False) if kind.kind == "boolean" else kind.values
    return [value for value in values if not (isinstance(now, Known) and now.value == value)]


def _assumptions(
    rules: ActionRules, situation: Situation, judgment: Judgment, match: Backend
) -> Iterator[dict[str, Any]]:
    """The readings, unconfirmed values and defaults that this answer rests on, each changed alone and decided."""
    pack = situation.pack
    base = _essence(rules, judgment)

    def differs(**changes: Any) -> bool:
        return _essence(rules, answer(rules, situation.but(**changes), match)) != base

    for reading in (pack.readings[name] for name in rules.readings):
        if any(differs(readings={reading.id: option}) for option in reading.options if option != reading.chosen):
            yield {"reading": reading.id, "chosen": reading.chosen, "cites": list(reading.cites)}
    judged = _routed(rules, judgment.situation, situation)
    for cell, cites in sorted(_unconfirmed(rules, judged).items()):
        if differs(unset=frozenset({cell})):
            yield {"value": ".".join(cell), "basis": "unconfirmed", "cites": list(cites)}
    for path in rules.reads:
        states = [each.state(path) for each in judged]
        defaults = [state.value for state in states if isinstance(state, Known) and state.via == "default"]
        if defaults and differs(without=frozenset({path})):
            yield {"fact": path, "default": plain_value(defaults[0]), "cites": list(pack.facts[path].cites)}


def _routed(rules: ActionRules, judged: Situation, situation: Situation) -> list[Situation]:
    """The situation that was judged, then those of the other routes, which the search for a route looked at too."""
    if rules.route is None or rules.route.path in situation.given:
        return [judged]
    return [judged, *(situation.but(given={rules.route.path: value}) for value in rules.route.type.values)]


def _unconfirmed(rules: ActionRules, situations: list[Situation]) -> Mapping[tuple[str, str, str], tuple[str, ...]]:
    cells = {}
    for situation, path in product(situations, rules.reads):
        state, lookup = situation.state(path), situation.pack.facts[path].lookup
        if isinstance(state, Known) and state.span and state.span.basis == "unconfirmed" and lookup:
            key = situation.state(lookup.key)
            assert isinstance(key, Known)
            cells[(lookup.table, str(key.value), lookup.column)] = state.span.cites
    return cells


def _essence(rules: ActionRules, judgment: Judgment) -> tuple[Any, ...]:
    """What an assumption must change to count: the outcome, its reasons, its duties."""
    duties = tuple(
        (rule.id, certain, _deadline(rule, judgment.situation))
        for rule, certain in _accompanying(rules, judgment)
        if rule.effect.kind == "oblige"
    )
    return judgment.outcome, tuple(rule.id for rule in judgment.reasons), duties


def _deadline(rule: Rule, situation: Situation) -> Any:
    deadline = rule.effect.deadline
    return getattr(situation.state(deadline.path), "value", None) if isinstance(deadline, Fact) else deadline
