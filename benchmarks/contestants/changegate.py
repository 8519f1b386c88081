"""ChangeGate itself: each engine through the library's front door, and the bare match of a checked request.

Every answer is read as callers read it: outcome, cause, ids of the reasons. Texts are not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Answer, Loaded
from benchmarks.family import AS_OF, Family


def write(family: Family, folder: Path) -> None:
    family.write(folder)


def load_compiled(folder: Path) -> Loaded:
    return _deciding(folder, "compiled")


def load_rete(folder: Path) -> Loaded:
    return _deciding(folder, "rete")


def load_reference(folder: Path) -> Loaded:
    return _deciding(folder, "reference")


def load_match(folder: Path) -> Loaded:
    """Only the rules of requests that have been checked beforehand, with nothing concluded from them."""
    policy = _open(folder, "compiled")
    effects = {id_: rule.effect.kind for id_, rule in policy.pack.rules.items()}

    def match(checked: Any) -> Any:
        return checked.match()

    return Loaded(match, lambda matches: _concluded(matches.certain, matches.possible, effects), policy.checked)


def _open(folder: Path, engine: str) -> Any:
    gate = import_module("engine.gate")
    if engine not in gate.ENGINES:
        raise RuntimeError(f"this ChangeGate has no engine `{engine}`")
    return gate.open_policy(folder, AS_OF, engine=engine)


def _deciding(folder: Path, engine: str) -> Loaded:
    policy = _open(folder, engine)

    def decide(request: Mapping[str, Any]) -> Answer:
        decision = policy.decide(request)
        return decision.outcome, decision.cause, decision.rules

    def decide_by_reasons(request: Mapping[str, Any]) -> Answer:
        decision = policy.decide(request)
        return decision.outcome, decision.cause, tuple(reason.rule for reason in decision.reasons)

    has_rules = hasattr(import_module("engine.decision").Decision, "rules")
    return Loaded(decide if has_rules else decide_by_reasons, read=lambda answer: answer)


def _concluded(certain: frozenset[str], possible: frozenset[str], effects: Mapping[str, str]) -> Answer:
    """What follows from a match of the family's rules, to hold it against the oracle."""
    forbidden = sorted(rule for rule in certain if effects[rule] == "deny")
    allowed = sorted(rule for rule in certain if effects[rule] == "allow")
    undecided = sorted(possible - certain)
    if forbidden:
        return "deny", "forbidden", tuple(forbidden)
    if any(effects[rule] == "deny" for rule in undecided) or (undecided and not allowed):
        return "indeterminate", "missing_facts", tuple(undecided)
    return ("allow", "permitted", tuple(allowed)) if allowed else ("deny", "not_permitted", ())
