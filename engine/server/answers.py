"""Answers: a decision as AuthZEN has it, with as much in its context as the caller wants (section 5.5)."""

from __future__ import annotations

import json

from engine import Decision
from engine.server.settings import Level

_BARE = {True: '{"decision": true}', False: '{"decision": false}'}
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def told(decision: Decision, level: Level) -> str:
    """The decision as JSON text."""
    if level == "none":
        return _BARE[decision.decision]
    if level == "codes":
        return _ENCODE({"decision": decision.decision, "context": _codes(decision)})
    # The contract begins with the decision; what follows is the context.
    head, _, rest = decision.to_json().partition(", ")
    return f'{head}, "context": {{{rest}}}'


def _codes(decision: Decision) -> dict[str, object]:
    return {
        "reason": decision.cause,
        "outcome": decision.outcome,
        "route": decision.route,
        "answered_for": decision.answered_for,
        "rules": list(decision.rules),
        "missing": list(decision.missing),
    }
