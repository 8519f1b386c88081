"""The reference backend: the meaning of rules and overrides, plain and slow; every other backend must agree."""

from __future__ import annotations

from engine.kleene import Truth, every, negate, truth
from engine.policy import ActionRules, Matches
from engine.situation import Situation


def match(rules: ActionRules, situation: Situation) -> Matches:
    """Which rules certainly and possibly apply: each one's condition, and none of its overriders."""
    truths = applied(rules, situation)
    certain = frozenset(rule for rule, holds in truths.items() if holds is True)
    return Matches(certain, frozenset(rule for rule, holds in truths.items() if holds is not False))


def applied(rules: ActionRules, situation: Situation) -> dict[str, Truth]:
    """Whether each rule applies, by id: true, false or None (unknown)."""
    conditions = {rule.id: rule.condition for rule in rules.rules}
    truths: dict[str, Truth] = {}

    def applies(rule: str) -> Truth:
        if rule not in truths:
            overriders = [negate(applies(other)) for other in rules.overriders.get(rule, ())]
            truths[rule] = every([truth(conditions[rule], situation.state), *overriders])
        return truths[rule]

    return {rule: applies(rule) for rule in conditions}
