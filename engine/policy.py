"""A policy: a pack as of one day, resolved so that a backend needs nothing but it and a situation."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.model import FactDeclaration, Pack, Rule
from engine.situation import Situation


@dataclass(frozen=True, eq=False)
class ActionRules:
    """The rules in force for one action.

    `rules` are sorted by id. `overriders[id]` are the ids of the rules here that override it.
    `reads` are the paths of all facts that the rules read, through derived facts, defaults and
    look-ups too, sorted; `readings` the ids of the readings. `route` is the route fact if they read it.
    `without_remedies` are the rules left once everything curable is cured; None where that changes nothing.
    """

    action: str
    rules: tuple[Rule, ...]
    overriders: Mapping[str, tuple[str, ...]]
    reads: tuple[str, ...]
    readings: tuple[str, ...]
    route: FactDeclaration | None
    without_remedies: ActionRules | None = None


@dataclass(frozen=True, eq=False)
class Policy:
    """A pack as of a day (None where the request's own date is invalid)."""

    pack: Pack
    version: str
    as_of: datetime.date | None
    actions: Mapping[str, ActionRules]


@dataclass(frozen=True, slots=True)
class Matches:
    """Which rules of an action certainly apply, and which possibly do (a superset), overrides considered."""

    certain: frozenset[str]
    possible: frozenset[str]


class EngineFailure(RuntimeError):
    """A backend cannot answer; nothing may be concluded from that. Its text says why."""


class Backend(Protocol):
    """An implementation of the language: it matches the rules of one action in one situation."""

    def __call__(self, rules: ActionRules, situation: Situation) -> Matches:
        """Which of the rules certainly and possibly apply; raises EngineFailure if that cannot be told."""
        ...
