"""Whether a condition can ever be true: contradictions, found without deciding anything.

The condition is spread into alternatives (a bounded number of them); an alternative that asks two values
of one fact, or an empty range, cannot hold. What is not certain to be impossible counts as possible.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any as Anything

from engine.condition import All, Any, Compare, Condition, Fact, Not, Presence
from engine.values import Money, Type

MAX_ALTERNATIVES = 256
_Literal = tuple[Compare | Presence, bool]


def contradicts_itself(condition: Condition) -> bool:
    """Whether the condition is never true, whatever the facts."""
    alternatives = list(islice(_alternatives(condition, True), MAX_ALTERNATIVES + 1))
    return len(alternatives) <= MAX_ALTERNATIVES and not any(map(_possible, alternatives))


def _alternatives(condition: Condition, wanted: bool) -> Iterator[tuple[_Literal, ...]]:
    """The ways in which a condition becomes true (or false, if that is wanted), as sets of literals."""
    match condition:
        case Compare() | Presence():
            yield ((condition, wanted),)
        case Not(term):
            yield from _alternatives(term, not wanted)
        case All(terms):
            yield from _together(terms, wanted) if wanted else _each(terms, wanted)
        case Any(terms):
            yield from _each(terms, wanted) if wanted else _together(terms, wanted)


def _each(terms: tuple[Condition, ...], wanted: bool) -> Iterator[tuple[_Literal, ...]]:
    for term in terms:
        yield from _alternatives(term, wanted)


def _together(terms: tuple[Condition, ...], wanted: bool) -> Iterator[tuple[_Literal, ...]]:
    if not terms:
        yield ()
        return
    for first in _alternatives(terms[0], wanted):
        for rest in _together(terms[1:], wanted):
            yield first + rest


@dataclass
class _Domain:
    """What is left for one fact: ranks (None is any), bounds with whether they are excluded, and presence."""

    kind: Type
    allowed: set[Anything] | None = None
    refused: set[Anything] = field(default_factory=set)
    low: tuple[Anything, bool] | None = None
    high: tuple[Anything, bool] | None = None
    known: set[bool] = field(default_factory=set)

    def possible(self) -> bool:
        if len(self.known) > 1:
            return False
        if self.allowed is not None:
            return any(rank not in self.refused and self._within(rank) for rank in self.allowed)
        return self._range_possible()

    def _within(self, rank: Anything) -> bool:
        above = self.low is None or rank > self.low[0] or (rank == self.low[0] and not self.low[1])
        below = self.high is None or rank < self.high[0] or (rank == self.high[0] and not self.high[1])
        return bool(above and below)

    def _range_possible(self) -> bool:
        if self.low is None or self.high is None:
            return True
        if self.kind.kind == "integer" or isinstance(self.low[0], datetime.date):
            step = datetime.timedelta(days=1) if isinstance(self.low[0], datetime.date) else 1
            low = self.low[0] + step if self.low[1] else self.low[0]
            high = self.high[0] - step if self.high[1] else self.high[0]
            return bool(low <= high)
        return bool(self.low[0] < self.high[0] or (self.low[0] == self.high[0] and not (self.low[1] or self.high[1])))


def _possible(literals: tuple[_Literal, ...]) -> bool:
    domains: dict[tuple[str, str], _Domain] = {}
    for leaf, wanted in literals:
        if isinstance(leaf, Presence):
            for (path, _), domain in list(domains.items()):
                if path == leaf.path:
                    domain.known.add(leaf.known is wanted)
            domains.setdefault((leaf.path, ""), _Domain(Type("string"))).known.add(leaf.known is wanted)
        elif not any(isinstance(operand, Fact) for operand in leaf.right):
            _narrow(domains, leaf, wanted)
    return all(domain.possible() for domain in domains.values())


def _narrow(domains: dict[tuple[str, str], _Domain], leaf: Compare, wanted: bool) -> None:
    """Narrow the domain of a fact by one comparison with constants; money is looked at by currency."""
    currencies = {value.currency for value in leaf.right if isinstance(value, Money)}
    if leaf.type.kind == "list" or len(currencies) > 1 or (leaf.type.kind == "money" and not currencies):
        return
    key = (leaf.path, next(iter(currencies), ""))
    domain = domains.setdefault(key, _Domain(leaf.type, _all_values(leaf.type)))
    operator = leaf.operator if wanted else _OPPOSITES.get(leaf.operator, "")
    ranks = [_rank(value, leaf.type) for value in leaf.right]
    match operator:
        case "is" | "in":
            domain.allowed = set(ranks) if domain.allowed is None else domain.allowed & set(ranks)
        case "is_not" | "not_in":
            domain.refused |= set(ranks)
        case "more_than" | "after":
            _raise(domain, ranks[0], True)
        case "at_least" | "on_or_after":
            _raise(domain, ranks[0], False)
        case "less_than" | "before":
            _lower(domain, ranks[0], True)
        case "at_most" | "on_or_before":
            _lower(domain, ranks[0], False)
        case "between":
            _raise(domain, ranks[0], False)
            _lower(domain, ranks[1], False)


_OPPOSITES = {
    "is": "is_not", "is_not": "is", "in": "not_in", "not_in": "in",
    "more_than": "at_most", "at_most": "more_than", "less_than": "at_least", "at_least": "less_than",
    "after": "on_or_before", "on_or_before": "after", "before": "on_or_after", "on_or_after": "before",
}  # fmt: skip


def _all_values(kind: Type) -> set[Anything] | None:
    if kind.kind == "boolean":
        return {True, False}
    return {_rank(value, kind) for value in kind.values} if kind.kind in ("enum", "key") else None


def _rank(value: Anything, kind: Type) -> Anything:
    """What values of a type are ordered by: an ordered enum's position, an amount, or the value itself."""
    if kind.kind == "enum" and kind.ordered and isinstance(value, str):
        return kind.values.index(value)
    if isinstance(value, Money):
        return value.amount
    return value if isinstance(value, datetime.date | str | bool) else Decimal(value)


def _raise(domain: _Domain, bound: Anything, open_end: bool) -> None:
    if domain.low is None or bound > domain.low[0] or (bound == domain.low[0] and open_end):
        domain.low = (bound, open_end)


def _lower(domain: _Domain, bound: Anything, open_end: bool) -> None:
    if domain.high is None or bound < domain.high[0] or (bound == domain.high[0] and open_end):
        domain.high = (bound, open_end)
