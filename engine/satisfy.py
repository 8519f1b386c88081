"""Whether a condition can ever be true: contradictions, found without deciding anything.

The condition is spread into alternatives (a bounded number of them); an alternative that asks two values
of one fact, or an empty range, cannot hold. What is not certain to be impossible counts as possible.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any as Anything

from engine.condition import All, Any, Compare, Condition, Fact, Not, Presence
from engine.values import STRING, Money, Type

MAX_ALTERNATIVES = 256
_Literal = tuple[Compare | Presence, bool]


def contradicts_itself(condition: Condition) -> bool:
    """Whether the condition is never true, whatever the facts."""
    try:
        return not any(map(_possible, _alternatives(condition, True)))
    except _TooMany:
        return False


class _TooMany(Exception):
    """The condition has more alternatives than anyone wants to look at."""


def _alternatives(condition: Condition, wanted: bool) -> list[list[_Literal]]:
    """The ways in which a condition becomes true (or false, if that is wanted), as lists of literals; raises _TooMany."""
    match condition:
        case Not(term):
            return _alternatives(term, not wanted)
        case All(terms) | Any(terms):
            each = [_alternatives(term, wanted) for term in terms]
            return _together(each) if isinstance(condition, All) is wanted else _bounded(list(chain(*each)))
        case _:
            return [[(condition, wanted)]]


def _together(terms: list[list[list[_Literal]]]) -> list[list[_Literal]]:
    """One alternative of every term, in all ways; terms with a single one are put together first, since that is cheap."""
    ways: list[list[_Literal]] = [[literal for term in terms if len(term) == 1 for literal in term[0]]]
    for term in sorted((term for term in terms if len(term) != 1), key=len):
        ways = _bounded([way + more for way in ways for more in term])
    return ways


def _bounded(ways: list[list[_Literal]]) -> list[list[_Literal]]:
    if len(ways) > MAX_ALTERNATIVES:
        raise _TooMany
    return ways


@dataclass
class _Domain:
    """What is left for one fact: ranks (None is any), and bounds with whether they are excluded."""

    kind: Type
    allowed: set[Anything] | None = None
    refused: set[Anything] = field(default_factory=set)
    low: tuple[Anything, bool] | None = None
    high: tuple[Anything, bool] | None = None

    def possible(self) -> bool:
        """Whether some value is left."""
        ranks = _all_ranks(self.kind) if self.allowed is None else self.allowed
        if ranks is not None:
            return any(rank not in self.refused and self._within(rank) for rank in ranks)
        return self._range_possible()

    def _within(self, rank: Anything) -> bool:
        above = self.low is None or rank > self.low[0] or (rank == self.low[0] and not self.low[1])
        below = self.high is None or rank < self.high[0] or (rank == self.high[0] and not self.high[1])
        return bool(above and below)

    def _range_possible(self) -> bool:
        if self.low is None or self.high is None:
            return True
        if self.kind.kind in ("integer", "date"):
            return bool(self.low[0] + self.low[1] <= self.high[0] - self.high[1])
        return bool(self.low[0] < self.high[0] or (self.low[0] == self.high[0] and not (self.low[1] or self.high[1])))


def _possible(literals: list[_Literal]) -> bool:
    holding = {leaf.path for leaf, wanted in literals if isinstance(leaf, Compare) and wanted}
    presence: dict[str, set[bool]] = {path: {True} for path in holding}
    domains: dict[tuple[str, str], _Domain] = {}
    for leaf, wanted in literals:
        if isinstance(leaf, Presence):
            presence.setdefault(leaf.path, set()).add(leaf.known is wanted)
        elif leaf.path in holding or not leaf.path.startswith("action."):
            # A property that was not asked for makes every comparison with it false.
            _narrow(domains, leaf, wanted)
    return all(len(known) == 1 for known in presence.values()) and all(map(_Domain.possible, domains.values()))


def _narrow(domains: dict[tuple[str, str], _Domain], leaf: Compare, wanted: bool) -> None:
    """Narrow the domain of a fact by one comparison with constants; money is looked at by currency."""
    currencies = {value.currency for value in leaf.right if isinstance(value, Money)}
    if not _is_understood(leaf, currencies):
        return
    if all(isinstance(value, Money) for value in leaf.right):
        # Money of another currency does not compare: an amount has one.
        own = domains.setdefault((leaf.path, "currency"), _Domain(STRING, currencies))
        own.allowed = own.allowed and own.allowed & currencies
    key = (leaf.path, next(iter(currencies), ""))
    domain = domains.setdefault(key, _Domain(leaf.type))
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


def _is_understood(leaf: Compare, currencies: set[str]) -> bool:
    """Whether it compares with constants that can be put in an order: not with facts, lists or money without currency."""
    if leaf.type.kind == "list" or any(isinstance(operand, Fact) for operand in leaf.right):
        return False
    return len(currencies) <= 1 and (leaf.type.kind != "money" or bool(currencies))


_OPPOSITES = {
    "is": "is_not", "is_not": "is", "in": "not_in", "not_in": "in",
    "more_than": "at_most", "at_most": "more_than", "less_than": "at_least", "at_least": "less_than",
    "after": "on_or_before", "on_or_before": "after", "before": "on_or_after", "on_or_after": "before",
}  # fmt: skip


def _all_ranks(kind: Type) -> Iterable[Anything] | None:
    if kind.kind == "boolean":
        return (True, False)
    if kind.kind in ("enum", "key"):
        return range(len(kind.values)) if kind.ordered else kind.values
    return None


def _rank(value: Anything, kind: Type) -> Anything:
    """What values of a type are ordered by: an ordered enum's position, an amount, a day's number, or the value itself."""
    if kind.kind == "enum" and kind.ordered and isinstance(value, str):
        return kind.values.index(value)
    if isinstance(value, Money):
        return value.amount
    if isinstance(value, datetime.date):
        return value.toordinal()
    return value if isinstance(value, str | bool) else Decimal(value)


def _raise(domain: _Domain, bound: Anything, open_end: bool) -> None:
    if domain.low is None or bound > domain.low[0] or (bound == domain.low[0] and open_end):
        domain.low = (bound, open_end)


def _lower(domain: _Domain, bound: Anything, open_end: bool) -> None:
    if domain.high is None or bound < domain.high[0] or (bound == domain.high[0] and open_end):
        domain.high = (bound, open_end)
