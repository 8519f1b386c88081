"""How deep a pack goes: conditions in conditions, facts worked out from facts, rules that override overriders.

Every capability walks down these levels, so they are bounded once, for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from engine.condition import All, Any, Compare, Condition, Not, Presence
from engine.finding import Finding
from engine.model import Arithmetic, FactDeclaration, Pack
from engine.resolve import inputs, rule_reads

MAX_LEVELS = 64
_HELP = "flatten it: state a fact that a caller can send, or split the rule"


def too_deep(pack: Pack) -> Iterator[Finding]:
    """A finding where a fact, a rule or a chain of overrides first goes deeper than MAX_LEVELS; none for circles."""
    reads = {path: [other for other in inputs(pack, fact) if other in pack.facts] for path, fact in pack.facts.items()}
    facts = _levels(reads, {path: 1 + own_levels(fact) for path, fact in pack.facts.items()})
    for path in _first_beyond(facts, reads):
        message = f"`{path}` is worked out through more than {MAX_LEVELS} levels"
        yield Finding(pack.facts[path].place, "too-deep", message, _HELP)
    for rule in pack.rules.values():
        below = max((facts.get(path, 0) for path in rule_reads(pack, rule)), default=0)
        if below <= MAX_LEVELS < below + nesting(rule.condition):
            message = f"the condition of `{rule.id}` goes through more than {MAX_LEVELS} levels"
            yield Finding(rule.place, "too-deep", message, _HELP)
    overrides = {rule.id: [other for other in rule.overrides if other in pack.rules] for rule in pack.rules.values()}
    for rule_id in _first_beyond(_levels(overrides, dict.fromkeys(overrides, 1)), overrides):
        message = f"`{rule_id}` begins a chain of more than {MAX_LEVELS} overrides"
        yield Finding(pack.rules[rule_id].place, "too-deep", message, "let one rule override all the others itself")


def nesting(condition: Condition) -> int:
    """How many conditions lie within each other at the deepest place."""
    match condition:
        case Compare() | Presence():
            return 1
        case Not(term):
            return 1 + nesting(term)
        case All(terms) | Any(terms):
            return 1 + max(map(nesting, terms), default=0)


def own_levels(fact: FactDeclaration) -> int:
    """The nesting of a fact's own definition."""
    match fact.derived:
        case None | tuple():
            return max((nesting(choice.condition) for choice in (*fact.default, *(fact.derived or ()))), default=0)
        case Arithmetic():
            return 1
        case condition:
            return nesting(condition)


def _levels(edges: Mapping[str, Iterable[str]], own: Mapping[str, int]) -> dict[str, int]:
    """For each node its own levels and the most of those it leads to; nothing where the edges go in a circle."""
    levels: dict[str, int] = {}
    try:
        for name in TopologicalSorter(edges).static_order():
            levels[name] = own[name] + max((levels[other] for other in edges[name]), default=0)
    except CycleError:
        return {}
    return levels


def _first_beyond(levels: Mapping[str, int], edges: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """The nodes that go too deep although nothing that they lead to does."""
    for name, level in levels.items():
        if level > MAX_LEVELS and all(levels[other] <= MAX_LEVELS for other in edges[name]):
            yield name
