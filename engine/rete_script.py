"""A plan in the words of durable-rules: rulesets as JSON, ready to be loaded, and what their firing means.

A script is pure data, so that it can be kept for the next process; `engine.rete` loads and asks it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.codec import register
from engine.rete_facts import Codes
from engine.rete_plan import Clause, Column, Literal, Plan, Quantity, Stage, columns

# A message of 255 properties, some of them durable's own, is refused (error 302).
MAX_PROPERTIES: Final = 240
# More than 4,096 rules do not load (error 106).
MAX_RULES: Final = 2000
ZERO: Final = "p0"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One ruleset: its rules as JSON, the columns p1, p2, … of its facts, and the formulas each rule makes true.

    The rules are r0, r1, … and `end`, which always fires, and last.
    """

    definition: str
    columns: tuple[Column, ...]
    formulas: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Script:
    """The rulesets of a plan, stage by stage; the rest is as in the plan."""

    rules: Mapping[str, tuple[int, int]]
    stages: tuple[tuple[Sheet, ...], ...]
    texts: tuple[str, ...]
    constants: tuple[str, ...]


register(Quantity, shared=True)
register(Column, shared=True)
register(Sheet)
register(Script)


def make_script(plan: Plan) -> Script:
    """The plan as rulesets."""
    codes = Codes(plan.constants)
    stages = tuple(tuple(_sheet(part, stage, codes) for part in _parts(stage)) for stage in plan.stages)
    return Script(plan.rules, stages, plan.texts, plan.constants)


def _parts(clauses: Collection[Clause]) -> list[list[Clause]]:
    """The clauses in runs that one ruleset can hold."""
    parts: list[list[Clause]] = []
    seen: set[Column] = set()
    for clause in clauses:
        wanted = columns([clause])
        if not parts or len(parts[-1]) == MAX_RULES or len(seen | wanted) > MAX_PROPERTIES:
            parts.append([])
            seen = set()
        parts[-1].append(clause)
        seen |= wanted
    return parts


def _sheet(clauses: Sequence[Clause], stage: Stage, codes: Codes) -> Sheet:
    read = tuple(sorted(columns(clauses), key=repr))
    # Names are told apart by a hash of 32 bits alone; those from p0 to p99999 all differ.
    names = {column: f"p{place}" for place, column in enumerate(read, start=1)}
    rules = {
        f"r{place}": _rule([*_branch(place, len(clauses)), *_tests(clause, names, codes)])
        for place, clause in enumerate(clauses)
    }
    # Always true: a fact that nothing matches raises, and leaks. It comes last, so that it tells the end.
    rules["end"] = {"pri": 1, "all": [{"m": {"$lt": {ZERO: 1}}}]}
    return Sheet(json.dumps(rules), read, tuple(tuple(stage[clause]) for clause in clauses))


def _rule(tests: list[dict[str, Any]]) -> dict[str, Any]:
    return {"all": [{"m": {"$and": tests}}]}


def _tests(clause: Clause, names: Mapping[Column, str], codes: Codes) -> list[dict[str, Any]]:
    tests = [{literal.operator: {names[literal.column]: _right(literal, names, codes)}} for literal in clause]
    return sorted(tests, key=repr)


def _right(literal: Literal, names: Mapping[Column, str], codes: Codes) -> Any:
    if isinstance(literal.right, Column):
        return {"$m": names[literal.right]}
    return codes.number(literal.column.quantity, literal.right)


def _branch(place: int, count: int) -> list[dict[str, Any]]:
    """Tests that always hold and put the rules on a tree of eight branches at each fork.

    durable keeps what is still to match on a stack of 64 (error 303), the siblings at one fork in 512
    slots, and its search hangs once they are full; of 256 rules on one node the last corrupts memory.
    """
    digits = max(1, len(f"{count - 1:o}"))
    return [{"$lt": {ZERO: (place >> 3 * digit) % 8 + 1}} for digit in reversed(range(digits))]
