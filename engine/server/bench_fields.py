"""The fields of the workbench's form: what may be told about a request, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from engine.decision import Decision
from engine.gate import Gate
from engine.kleene import Known
from engine.model import FactDeclaration
from engine.policy import ActionRules
from engine.prose import Prose
from engine.request import Asked, read_request
from engine.situation import DATE, Situation
from engine.values import Type, plain_value

State = Literal["given", "asked", "missing", "invalid", "further"]
# Among more values nobody picks one from a list.
MAX_VALUES = 1000
# Where a value comes from that counts though nobody gave it.
_BY_ITSELF = ("default", "lookup", "derived", "date")


@dataclass(frozen=True, slots=True)
class Field:
    """A fact as a field of a form.

    `type` is that of its values (of a list, which has `many`, that of the members); `values` are those it may have,
    None where they are not few. `currency` says that an amount needs one. `value` is what was sent, `default` what
    counts as long as nothing is, in words. `problem` says why the value cannot be used.
    """

    path: str
    label: str
    description: str
    type: str
    values: tuple[tuple[Any, str], ...] | None
    many: bool
    minimum: Decimal | None
    currency: bool
    state: State
    value: Any
    optional: bool
    default: str | None
    problem: str | None

    def to_dict(self) -> dict[str, Any]:
        """The field as JSON data, but for the numbers in what was sent, which are as they were read."""
        values = self.values and [{"value": value, "label": label} for value, label in self.values]
        minimum = None if self.minimum is None else plain_value(self.minimum)
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "values": values, "minimum": minimum}


def fields(gate: Gate, request: Any, decision: Decision, prose: Prose) -> tuple[Field, ...]:
    """The fields for a request that has been decided, in the order in which they matter; raises InvalidRequest.

    The action's own properties come first, then what is missing, what is given, what else may be chosen, and the rest
    that the action's rules read. What is worked out from other facts is left to that, unless it is given or missing.
    """
    asked = read_request(request, gate.pack)
    if asked.action is None:
        return ()
    policy = gate.policy_for(asked)
    situation = Situation(gate.pack, asked.action, asked.given, policy.as_of)
    form = _Form(asked, decision, situation, prose)
    return tuple(map(form.field, form.paths(policy.actions[asked.action.name])))


class _Form:
    def __init__(self, asked: Asked, decision: Decision, situation: Situation, prose: Prose) -> None:
        assert asked.action is not None
        self._action = asked.action
        self._given = asked.given
        self._missing = frozenset(decision.missing)
        self._problems = {each.fact: each.problem for each in decision.invalid}
        self._situation = situation
        self._facts = situation.pack.facts
        self._prose = prose

    def paths(self, rules: ActionRules) -> Iterable[str]:
        """The facts that are fields, in order."""
        return dict.fromkeys(path for path in self._all(rules) if self._is_open(path))

    def _all(self, rules: ActionRules) -> Iterator[str]:
        yield from self._action.properties
        yield from sorted(self._missing)
        yield from sorted(self._given)
        yield from (path for path in rules.reads if self._facts[path].choice)
        yield from sorted({*rules.reads, *((DATE,) if DATE in self._facts else ())})

    def _is_open(self, path: str) -> bool:
        """Whether it is for the asker to tell."""
        fact = self._facts[path]
        if path in self._given or path in self._missing:
            return True
        belongs = not path.startswith("action.") or path in self._action.properties
        return belongs and not fact.sealed and fact.derived is None

    def field(self, path: str) -> Field:
        """The field of a fact."""
        fact, prose = self._facts[path], self._prose
        kind = fact.type.item or fact.type
        return Field(
            path=path,
            label=prose.fact(path),
            description=fact.description,
            type=kind.kind,
            values=tuple((value, prose.value(path, value)) for value in _values(kind)) or None,
            many=fact.type.item is not None,
            minimum=fact.minimum,
            currency=kind.kind == "money" and fact.currency is None,
            state=self._state(fact),
            value=self._given.get(path),
            optional=path in self._action.optional,
            default=self._default(path),
            problem=self._problems.get(path),
        )

    def _state(self, fact: FactDeclaration) -> State:
        if fact.path in self._problems:
            return "invalid"
        if fact.path in self._given:
            return "given"
        if fact.path in self._missing:
            return "missing"
        return "asked" if fact.choice or fact.path in self._action.properties else "further"

    def _default(self, path: str) -> str | None:
        state = self._situation.state(path)
        counts = path not in self._given and isinstance(state, Known) and state.via in _BY_ITSELF
        return self._prose.value(path, state.value) if counts and isinstance(state, Known) else None


def _values(kind: Type) -> tuple[Any, ...]:
    if kind.kind == "boolean":
        return (True, False)
    return kind.values if len(kind.values) <= MAX_VALUES else ()
