"""Decisions: the answer to a request, as the contract has it (DESIGN section 6)."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from engine.model import Outcome

Cause = Literal["permitted", "forbidden", "not_permitted", "missing_facts", "invalid_facts", "deferred"]
CAUSES: tuple[Cause, ...] = ("permitted", "forbidden", "not_permitted", "missing_facts", "invalid_facts", "deferred")


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that made the outcome; `effect` is what the rule says."""

    rule: str
    effect: str
    text: str
    cites: tuple[str, ...]
    curable: bool = False
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Obligation:
    """A duty that goes with the outcome; callers treat an uncertain one as due. `deadline` is a text or a day."""

    rule: str
    text: str
    cites: tuple[str, ...]
    due: str | None
    deadline: str | None
    certain: bool


@dataclass(frozen=True, slots=True)
class Advice:
    """What is good to know with the outcome."""

    rule: str
    text: str
    cites: tuple[str, ...]
    certain: bool


@dataclass(frozen=True, slots=True)
class Procedure:
    """The steps that carry the change out."""

    rule: str
    steps: tuple[str, ...]
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InvalidFact:
    """A fact whose value cannot be used, and why."""

    fact: str
    value: Any
    problem: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """Choices that would be allowed instead; it has been decided."""

    change: dict[str, Any]
    outcome: Outcome
    route: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The short answer: what a caller acts on. `rules` is None where the teller knows them better."""

    outcome: Outcome
    cause: Cause
    route: str | None = None
    answered_for: str | None = None
    rules: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The long answer: everything else that a decision says.

    `alternatives`, `assumptions` and `unknown` are None where they were not asked for.
    `as_of` is None where the request's own date is invalid.
    """

    policy: str
    version: str
    as_of: datetime.date | None
    reasons: tuple[Reason, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    advice: tuple[Advice, ...] = ()
    procedure: tuple[Procedure, ...] = ()
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] | None = None
    invalid: tuple[InvalidFact, ...] = ()
    warnings: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] | None = None
    assumptions: tuple[dict[str, Any], ...] | None = None


class Teller(Protocol):
    """Tells the parts of decisions, once they are asked for."""

    def rules(self, verdict: Any) -> tuple[str, ...]:
        """The ids of the rules that made the outcome, sorted."""
        ...

    def parts(self, verdict: Any, facts: Any) -> Parts:
        """The long answer for a verdict of this teller, and the facts it was given with that."""
        ...

    def missing(self, verdict: Any, facts: Any) -> tuple[str, ...]:
        """What is missing, as the parts have it."""
        ...

    def json(self, verdict: Any, facts: Any) -> str | None:
        """The whole decision as JSON text, if there is a faster way than through its parts."""
        ...


class Decision:
    """The answer to one request. Only `allow` is a yes.

    `outcome`, `cause`, `route`, `answered_for` and `rules` are at hand; the rest, texts above all, is worked
    out when it is first read. Decisions that say the same are equal.
    """

    __slots__ = ("_facts", "_parts", "_teller", "_verdict")

    def __init__(self, verdict: Verdict, teller: Teller, facts: Any = None) -> None:
        self._verdict = verdict
        self._teller = teller
        self._facts = facts
        self._parts: Parts | None = None

    def __bool__(self) -> bool:
        return self._verdict.outcome == "allow"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.outcome, self.cause, self.route, self.answered_for, self.rules))

    def __repr__(self) -> str:
        return f"<Decision {self.outcome}, {self.cause}: {', '.join(self.rules)}>"

    @property
    def decision(self) -> bool:
        """Whether the change is allowed."""
        return self._verdict.outcome == "allow"

    @property
    def outcome(self) -> Outcome:
        """Allow, deny or indeterminate."""
        return self._verdict.outcome

    @property
    def cause(self) -> Cause:
        """Why: one of CAUSES."""
        return self._verdict.cause

    @property
    def route(self) -> str | None:
        """The route that allows it, or would if everything curable were cured."""
        return self._verdict.route

    @property
    def answered_for(self) -> str | None:
        """The route that the answer is about."""
        return self._verdict.answered_for

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules that made the outcome, sorted."""
        rules = self._verdict.rules
        return self._teller.rules(self._verdict) if rules is None else rules

    @property
    def parts(self) -> Parts:
        """Everything else, worked out when first asked for."""
        if self._parts is None:
            self._parts = self._teller.parts(self._verdict, self._facts)
        return self._parts

    @property
    def policy(self) -> str:
        """The name of the policy."""
        return self.parts.policy

    @property
    def version(self) -> str:
        """The version of the policy."""
        return self.parts.version

    @property
    def as_of(self) -> datetime.date | None:
        """The day decided for; None where the request's own date is invalid."""
        return self.parts.as_of

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The rules that made the outcome, by id."""
        return self.parts.reasons

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """The duties that go with it."""
        return self.parts.obligations

    @property
    def advice(self) -> tuple[Advice, ...]:
        """What is good to know with it."""
        return self.parts.advice

    @property
    def procedure(self) -> tuple[Procedure, ...]:
        """The steps that carry it out."""
        return self.parts.procedure

    @property
    def missing(self) -> tuple[str, ...]:
        """The absent facts that keep the answer open."""
        return self._teller.missing(self._verdict, self._facts)

    @property
    def unknown(self) -> tuple[str, ...] | None:
        """Every fact that the rules read and the request does not give; None unless asked for."""
        return self.parts.unknown

    @property
    def invalid(self) -> tuple[InvalidFact, ...]:
        """The facts whose values cannot be used."""
        return self.parts.invalid

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was wrong with the request otherwise."""
        return self.parts.warnings

    @property
    def alternatives(self) -> tuple[Alternative, ...] | None:
        """Choices that would be allowed instead; None unless asked for."""
        return self.parts.alternatives

    @property
    def assumptions(self) -> tuple[dict[str, Any], ...] | None:
        """What the answer rests on; None unless asked for."""
        return self.parts.assumptions

    def to_dict(self) -> dict[str, Any]:
        """The decision as JSON data, in the contract's order of names."""
        return contract(self._verdict, self.parts)

    def to_json(self) -> str:
        """`to_dict` as JSON text in one line; much faster, where the compiled engine decided."""
        return self._teller.json(self._verdict, self._facts) or json.dumps(self.to_dict(), ensure_ascii=False)


def contract(verdict: Verdict, parts: Parts) -> dict[str, Any]:
    """A decision as JSON data, in the contract's order of names (DESIGN section 6)."""
    return {
        "decision": verdict.outcome == "allow",
        "outcome": verdict.outcome,
        "cause": verdict.cause,
        "route": verdict.route,
        "answered_for": verdict.answered_for,
        "reasons": records(parts.reasons),
        "obligations": records(parts.obligations),
        "advice": records(parts.advice),
        "procedure": records(parts.procedure),
        "missing": list(parts.missing),
        "unknown": None if parts.unknown is None else list(parts.unknown),
        "invalid": records(parts.invalid),
        "warnings": list(parts.warnings),
        "alternatives": None if parts.alternatives is None else records(parts.alternatives),
        "assumptions": None if parts.assumptions is None else [dict(each) for each in parts.assumptions],
        "policy": {
            "name": parts.policy,
            "version": parts.version,
            "as_of": parts.as_of.isoformat() if parts.as_of else None,
        },
    }


def records(items: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Records of one kind as JSON data."""
    return [{name: _data(getattr(item, name)) for name in item.__dataclass_fields__} for item in items]


def _data(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
