"""Explanations: each rule's condition as a tree, with the truth of every node and the values behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any as Anything

from engine.condition import SEVERAL, All, Any, Compare, Condition, Fact, Not, Operand, Presence
from engine.judge import Judgment, route_test
from engine.kleene import Known, NotAsked, State, Truth, truth
from engine.model import Arithmetic, FactDeclaration, Rule
from engine.policy import ActionRules
from engine.situation import Situation
from engine.values import Value, plain_value


@dataclass(frozen=True, slots=True)
class Step:
    """A node of an explanation: what it says, whether it holds (None is unknown), its facts, and what is below it.

    `values` maps each fact that the node names to its value and where that comes from.
    """

    says: str
    holds: Truth
    values: Mapping[str, str]
    below: tuple[Step, ...] = ()

    def to_dict(self) -> dict[str, Anything]:
        """The step as JSON data."""
        return {
            "says": self.says,
            "holds": self.holds,
            "values": dict(self.values),
            "below": [step.to_dict() for step in self.below],
        }


@dataclass(frozen=True, slots=True)
class Explained:
    """A rule with whether it applies, its condition as steps, and the rules that override it here."""

    rule: Rule
    applies: Truth
    steps: tuple[Step, ...]
    overridden_by: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Anything]:
        """The explained rule as JSON data."""
        return {
            "rule": self.rule.id,
            "effect": self.rule.effect.kind,
            "applies": self.applies,
            "cites": list(self.rule.cites),
            "place": {"file": self.rule.place.file, "line": self.rule.place.line},
            "condition": [step.to_dict() for step in self.steps],
            "overridden_by": list(self.overridden_by),
        }


def explain(rules: ActionRules, judgment: Judgment) -> tuple[Explained, ...]:
    """Every rule of the action, by id, explained in the situation that was judged."""
    return tuple(_explained(rule, rules, judgment) for rule in rules.rules)


def _explained(rule: Rule, rules: ActionRules, judgment: Judgment) -> Explained:
    situation = judgment.situation
    steps = [_step(rule.condition, situation)]
    if rule.effect.kind == "only_by":
        steps.append(_step(route_test(rule.effect, situation), situation))
    overriders = tuple(other for other in rules.overriders.get(rule.id, ()) if judgment.applies[other] is not False)
    return Explained(rule, judgment.applies[rule.id], tuple(steps), overriders)


def _step(condition: Condition, situation: Situation) -> Step:
    holds = truth(condition, situation.state)
    match condition:
        case Compare():
            values = {path: tell(situation.state(path)) for path in condition.facts()}
            return Step(say(condition), holds, values, tuple(_definitions(condition.facts(), situation)))
        case Presence(path):
            return Step(
                say(condition), holds, {path: tell(situation.state(path))}, tuple(_definitions((path,), situation))
            )
        case All(terms):
            return Step("all of" if terms else "always", holds, {}, tuple(_step(term, situation) for term in terms))
        case Any(terms):
            return Step("any of", holds, {}, tuple(_step(term, situation) for term in terms))
        case Not(term):
            below = term.terms if isinstance(term, Any) else (term,)
            return Step("none of", holds, {}, tuple(_step(each, situation) for each in below))


def _definitions(paths: Anything, situation: Situation) -> Iterator[Step]:
    """How the derived facts among the paths come about, where the request does not give them."""
    for path in dict.fromkeys(paths):
        fact = situation.pack.facts.get(path)
        if fact is not None and path not in situation.given and fact.derived is not None:
            yield from _derivation(fact, situation)


def _derivation(fact: FactDeclaration, situation: Situation) -> Iterator[Step]:
    match fact.derived:
        case Arithmetic(operation, operands):
            values = {
                operand.path: tell(situation.state(operand.path)) for operand in operands if isinstance(operand, Fact)
            }
            known = isinstance(situation.state(fact.path), Known)
            says = f"{fact.path} = {operation}({', '.join(map(_operand, operands))})"
            yield Step(says, True if known else None, values)
        case tuple() as choices:
            for choice in choices:
                step = _step(choice.condition, situation)
                yield Step(f"{fact.path} is {_operand(choice.value)} when", step.holds, {}, (step,))
        case None:
            return
        case condition:
            step = _step(condition, situation)
            yield Step(f"{fact.path} means", step.holds, {}, (step,))


def say(condition: Compare | Presence) -> str:
    """A single test as its author wrote it: path, operator, right-hand side."""
    if isinstance(condition, Presence):
        return f"{condition.path} known: {'true' if condition.known else 'false'}"
    right = ", ".join(map(_operand, condition.right))
    listed = condition.operator in SEVERAL and not (len(condition.right) == 1 and isinstance(condition.right[0], Fact))
    return f"{condition.path} {condition.operator} {f'[{right}]' if listed else right}"


def tell(state: State) -> str:
    """The state of a fact in a few words."""
    match state:
        case Known(value, via):
            return _value(value) if via == "request" else f"{_value(value)} ({via})"
        case NotAsked():
            return "not asked for"
        case _:
            if state.invalid or state.clashes:
                return "invalid"
            return "not known"


def _operand(operand: Operand) -> str:
    return f"${operand.path}" if isinstance(operand, Fact) else _value(operand)


def _value(value: Value) -> str:
    shown = plain_value(value)
    if isinstance(shown, bool):
        return "true" if shown else "false"
    return f"[{', '.join(map(str, shown))}]" if isinstance(shown, list) else str(shown)
