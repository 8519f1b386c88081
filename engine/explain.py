"""Explanations: each rule's condition as a tree, with the truth of every node and the values behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any as Anything
from typing import Protocol

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


class Saying(Protocol):
    """How the nodes of explanations are told: as their authors wrote them, or in words (`engine.prose_spoken`)."""

    def test(self, condition: Compare | Presence, /) -> str:
        """A single test."""

    def head(self, condition: All | Any | Not, /) -> str:
        """What the terms of a combinator stand below."""

    def means(self, path: str, /) -> str:
        """What the condition of a derived fact stands below."""

    def when(self, fact: FactDeclaration, value: Operand, /) -> str:
        """What the condition of one of a fact's possible values stands below."""

    def reckoned(self, path: str, arithmetic: Arithmetic, /) -> str:
        """How a fact is worked out."""

    def state(self, path: str, state: State, /) -> str:
        """The state of a fact in a few words."""


def explain(rules: ActionRules, judgment: Judgment, saying: Saying | None = None) -> tuple[Explained, ...]:
    """Every rule of the action, by id, explained in the situation that was judged; told as written unless said otherwise."""
    teller = _Teller(judgment.situation, saying or AS_WRITTEN)
    return tuple(_explained(rule, rules, judgment, teller) for rule in rules.rules)


def _explained(rule: Rule, rules: ActionRules, judgment: Judgment, teller: _Teller) -> Explained:
    steps = [teller.step(rule.condition)]
    if rule.effect.kind == "only_by":
        steps.append(teller.step(route_test(rule.effect, judgment.situation)))
    overriders = tuple(other for other in rules.overriders.get(rule.id, ()) if judgment.applies[other] is not False)
    return Explained(rule, judgment.applies[rule.id], tuple(steps), overriders)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Makes the steps of one situation."""

    situation: Situation
    saying: Saying

    def step(self, condition: Condition) -> Step:
        """The condition and what is below it."""
        holds = truth(condition, self.situation.state)
        match condition:
            case Compare() | Presence():
                paths = tuple(condition.facts()) if isinstance(condition, Compare) else (condition.path,)
                return Step(self.saying.test(condition), holds, self._values(paths), tuple(self._definitions(paths)))
            case All(terms) | Any(terms) | Not(Any(terms)):
                return Step(self.saying.head(condition), holds, {}, tuple(map(self.step, terms)))
            case Not(term):
                return Step(self.saying.head(condition), holds, {}, (self.step(term),))

    def _values(self, paths: Iterable[str]) -> dict[str, str]:
        return {path: self.saying.state(path, self.situation.state(path)) for path in paths}

    def _definitions(self, paths: Iterable[str]) -> Iterator[Step]:
        """How the derived facts among the paths come about, where the request does not give them."""
        for path in dict.fromkeys(paths):
            fact = self.situation.pack.facts.get(path)
            if fact is not None and path not in self.situation.given and fact.derived is not None:
                yield from self._derivation(fact)

    def _derivation(self, fact: FactDeclaration) -> Iterator[Step]:
        match fact.derived:
            case Arithmetic(_, operands) as arithmetic:
                known = isinstance(self.situation.state(fact.path), Known)
                values = self._values(operand.path for operand in operands if isinstance(operand, Fact))
                yield Step(self.saying.reckoned(fact.path, arithmetic), True if known else None, values)
            case tuple() as choices:
                for choice in choices:
                    step = self.step(choice.condition)
                    yield Step(self.saying.when(fact, choice.value), step.holds, {}, (step,))
            case None:
                return
            case condition:
                step = self.step(condition)
                yield Step(self.saying.means(fact.path), step.holds, {}, (step,))


class AsWritten:
    """Tells conditions as their authors wrote them."""

    def test(self, condition: Compare | Presence) -> str:
        """A single test: path, operator, right-hand side."""
        return say(condition)

    def head(self, condition: All | Any | Not) -> str:
        """The combinator."""
        match condition:
            case All(terms):
                return "all of" if terms else "always"
            case Any():
                return "any of"
            case Not():
                return "none of"

    def means(self, path: str) -> str:
        """The path of the fact."""
        return f"{path} means"

    def when(self, fact: FactDeclaration, value: Operand) -> str:
        """The path of the fact and the value."""
        return f"{fact.path} is {_operand(value)} when"

    def reckoned(self, path: str, arithmetic: Arithmetic) -> str:
        """The operation with its operands."""
        return f"{path} = {arithmetic.operation}({', '.join(map(_operand, arithmetic.operands))})"

    def state(self, path: str, state: State) -> str:  # noqa: ARG002
        """The value, or what is known of it."""
        return tell(state)


AS_WRITTEN = AsWritten()


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
