"""From matches to a judgment: outcome, cause and route (DESIGN section 5, clauses 2 to 6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from engine.condition import Compare
from engine.decision import Cause
from engine.kleene import Known, Truth, Unknown, every, negate, open_comparisons, truth, why_unknown
from engine.model import Effect, FactDeclaration, Outcome, Rule
from engine.policy import ActionRules, Backend
from engine.situation import Situation

NOTHING = Unknown()
Tier = Literal["deny", "defer", "allow"]


@dataclass(frozen=True, slots=True)
class Vote:
    """What a rule that decides has to say: for one tier, true or unknown (None)."""

    rule: Rule
    tier: Tier
    holds: Literal[True] | None


@dataclass(frozen=True, eq=False)
class Judgment:
    """The outcome for one situation, and everything its explanation needs.

    `applies` holds the truth of every rule by id; `reasons` are the rules that made the outcome;
    `why` is what keeps an undecided tier open.
    """

    outcome: Outcome
    cause: Cause
    situation: Situation
    applies: dict[str, Truth]
    reasons: tuple[Rule, ...] = ()
    why: Unknown = NOTHING
    answered_for: str | None = None

    @property
    def curable(self) -> bool:
        """Whether this is a deny whose every reason names a remedy."""
        return self.cause == "forbidden" and all(rule.effect.remedy is not None for rule in self.reasons)


def answer(rules: ActionRules, situation: Situation, match: Backend) -> Judgment:
    """The judgment for the route given, or without one for the first route that allows, else the least final."""
    route = rules.route
    if route is None:
        return judge(rules, situation, match)
    given = known_route(route, situation)
    if given is not None or route.path in situation.given:
        return judge(rules, situation, match, given)
    tried: list[Judgment] = []
    for value in route.type.values:
        judgment = judge(rules, situation.but(given={route.path: value}), match, value)
        if judgment.outcome == "allow":
            return judgment
        tried.append(judgment)
    return min(tried, key=_finality)


def open_route(rules: ActionRules, judgment: Judgment, match: Backend) -> str | None:
    """The route of an allow; otherwise the first that would allow if everything curable were cured, or None."""
    route = rules.route
    if route is None or judgment.outcome == "allow":
        return judgment.answered_for
    if judgment.answered_for is None:
        return None  # the route given is invalid, and nothing replaces it
    rest = rules.without_remedies or rules
    for value in route.type.values:
        if judge(rest, judgment.situation.but(given={route.path: value}), match, value).outcome == "allow":
            return value
    return None


def known_route(route: FactDeclaration, situation: Situation) -> str | None:
    """The value of the route fact, if it has one."""
    state = situation.state(route.path)
    return str(state.value) if isinstance(state, Known) else None


def judge(rules: ActionRules, situation: Situation, match: Backend, answered_for: str | None = None) -> Judgment:
    """The outcome of the rules in one situation, with its reasons."""
    matches = match(rules, situation)
    applies: dict[str, Truth] = {
        rule.id: True if rule.id in matches.certain else None if rule.id in matches.possible else False
        for rule in rules.rules
    }
    votes = [vote for rule in rules.rules for vote in _votes(rule, applies[rule.id], situation)]
    outcome, cause, why = _combine(votes, rules, situation, applies)
    return Judgment(outcome, cause, situation, applies, _reasons(votes, outcome, cause), why, answered_for)


def _votes(rule: Rule, applies: Truth, situation: Situation) -> Iterator[Vote]:
    kind = rule.effect.kind
    if kind == "only_by":
        here = truth(route_test(rule.effect, situation), situation.state)
        sides: list[tuple[Tier, Truth]] = [("deny", every([applies, negate(here)])), ("allow", every([applies, here]))]
    elif kind in ("allow", "deny", "defer"):
        sides = [(kind, applies)]  # type: ignore[list-item]
    else:
        return
    for tier, holds in sides:
        if holds is not False:
            yield Vote(rule, tier, holds)


def route_test(effect: Effect, situation: Situation) -> Compare:
    """Whether the change is carried out by the route of an `only_by`, as a comparison."""
    route = situation.pack.route
    assert route is not None
    assert effect.route is not None
    return Compare(route.path, "is", (effect.route,), route.type)


def _combine(
    votes: list[Vote], rules: ActionRules, situation: Situation, applies: dict[str, Truth]
) -> tuple[Outcome, Cause, Unknown]:
    decided = {vote.tier for vote in votes if vote.holds}
    undecided = {vote.tier for vote in votes if vote.holds is None}
    if "deny" in decided:
        return "deny", "forbidden", NOTHING
    if "deny" not in undecided and "defer" in decided:
        return "indeterminate", "deferred", NOTHING
    for tier in ("deny", "defer", "allow"):
        if tier == "allow" and "allow" in decided:
            if any(invalid.path in rules.reads for invalid in situation.invalid()):
                return "indeterminate", "invalid_facts", NOTHING
            return "allow", "permitted", NOTHING
        if tier in undecided:
            waiting = [vote.rule for vote in votes if vote.tier == tier and vote.holds is None]
            by_id = {rule.id: rule for rule in rules.rules}
            why = why_open(waiting, Overriders(by_id, rules.overriders, applies), situation)
            return "indeterminate", "invalid_facts" if why.invalid or why.clashes else "missing_facts", why
    return "deny", "not_permitted", NOTHING


@dataclass(frozen=True, slots=True)
class Overriders:
    """The rules by id, who overrides each, and whether each applies (one that does not may be left out)."""

    rules: Mapping[str, Rule]
    of: Mapping[str, tuple[str, ...]]
    applies: Mapping[str, Truth]


def why_open(undecided: Iterable[Rule], overriders: Overriders, situation: Situation) -> Unknown:
    """What keeps undecided rules open, through those that override them."""
    return why_unknown(_open(list(undecided), overriders, situation), situation.state)


def _open(undecided: list[Rule], overriders: Overriders, situation: Situation) -> Iterator[Compare]:
    for rule in undecided:
        if rule.effect.kind == "only_by":
            yield from open_comparisons(route_test(rule.effect, situation), situation.state)
    waiting = [rule.id for rule in undecided]
    seen: set[str] = set()
    while waiting:
        rule_id = waiting.pop()
        if rule_id in seen or overriders.applies.get(rule_id, False) is not None:
            continue
        seen.add(rule_id)
        yield from open_comparisons(overriders.rules[rule_id].condition, situation.state)
        waiting.extend(overriders.of.get(rule_id, ()))


def _reasons(votes: list[Vote], outcome: Outcome, cause: Cause) -> tuple[Rule, ...]:
    if cause == "forbidden":
        chosen = [vote for vote in votes if vote.tier == "deny" and vote.holds]
    elif outcome == "allow" or (cause == "invalid_facts" and not _is_open(votes)):
        chosen = [vote for vote in votes if vote.tier == "allow" and vote.holds]
    else:
        chosen = [vote for vote in votes if vote.holds is None or vote.tier == "defer"]
    return tuple({vote.rule.id: vote.rule for vote in chosen}.values())


def _is_open(votes: list[Vote]) -> bool:
    """Whether the outcome was undecided before invalid facts were looked at."""
    allowed = any(vote.tier == "allow" and vote.holds for vote in votes)
    return not allowed or any(vote.tier != "allow" for vote in votes)


def _finality(judgment: Judgment) -> int:
    if judgment.outcome == "indeterminate":
        return 0
    return 1 if judgment.curable else 2
