"""Decisions: the answer to a request, as the contract has it (DESIGN section 6)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Literal

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


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request. Only `allow` is a yes.

    `alternatives`, `assumptions` and `unknown` are None where they were not asked for.
    `as_of` is None where the request's own date is invalid.
    """

    outcome: Outcome
    cause: Cause
    policy: str
    version: str
    as_of: datetime.date | None
    route: str | None = None
    answered_for: str | None = None
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

    def __bool__(self) -> bool:
        return self.decision

    @property
    def decision(self) -> bool:
        """Whether the change is allowed."""
        return self.outcome == "allow"

    def to_dict(self) -> dict[str, Any]:
        """The decision as JSON data, in the contract's order of names."""
        return {
            "decision": self.decision,
            "outcome": self.outcome,
            "cause": self.cause,
            "route": self.route,
            "answered_for": self.answered_for,
            "reasons": _records(self.reasons),
            "obligations": _records(self.obligations),
            "advice": _records(self.advice),
            "procedure": _records(self.procedure),
            "missing": list(self.missing),
            "unknown": None if self.unknown is None else list(self.unknown),
            "invalid": _records(self.invalid),
            "warnings": list(self.warnings),
            "alternatives": None if self.alternatives is None else _records(self.alternatives),
            "assumptions": None if self.assumptions is None else [dict(each) for each in self.assumptions],
            "policy": {
                "name": self.policy,
                "version": self.version,
                "as_of": self.as_of.isoformat() if self.as_of else None,
            },
        }


def _records(items: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [{name: _data(getattr(item, name)) for name in item.__dataclass_fields__} for item in items]


def _data(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
