"""Grids: which rules a single fact rules out, looked up by its value instead of compared.

Every value that a set of tests cannot tell apart is one class, and each class has a mask with one bit
for each rule. What a test says of a class is asked of `engine.kleene` when the grid is made, so a grid
cannot mean anything else than the definition does.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

from engine.condition import EQUALITY, Compare, Condition, leaves
from engine.kleene import Known, NotAsked, State, Truth, Unknown, truth
from engine.values import NUMBER_KINDS, Money, Type, Value

# A test of one fact, and the rules (bits) that hold only where it does. No two tests of a grid share a rule.
Tests: TypeAlias = Sequence[tuple[Condition, int]]


@dataclass(frozen=True, slots=True)
class Masks:
    """What a class of values does: the rules it leaves possible (bits), and those it leaves open."""

    possible: int
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """Classes of values that have an order: below, at and between some constants.

    `bounds` are the constants, each with the least value above it, so that a value's class is the number of
    bounds that are not above it. Those of numbers are floats: with at most 15 digits they are in the order of
    the decimals they are written as.
    """

    bounds: tuple[Any, ...]
    masks: tuple[Masks, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The classes of one fact: for a value that is known, is unknown, or was not asked for.

    Of `named`, `scale`, `scales` (by currency; of any other under "") and `tests` one tells a known value's
    class; what `named` does not name is `other`. Pairs are sorted, so that equal grids are equal.
    """

    path: str
    kind: str
    unknown: Masks
    not_asked: Masks
    other: Masks
    named: tuple[tuple[Any, Masks], ...] = ()
    scale: Scale | None = None
    scales: tuple[tuple[str, Scale], ...] = ()
    tests: tuple[tuple[Condition, int], ...] = ()


def make_grid(path: str, kind: Type, tests: Tests, every: int) -> Grid:
    """The grid of a fact of the given type; `every` has a bit for each rule there is."""
    unknown, not_asked = (_asked(tests, state, every) for state in (Unknown(), NotAsked()))
    grid = Grid(path, kind.kind, unknown, not_asked, Masks(every))
    operators = {leaf.operator for test, _ in tests for leaf in leaves(test) if isinstance(leaf, Compare)}
    if kind.kind in NUMBER_KINDS or kind.kind == "date":
        return replace(grid, scale=_scale(kind.kind, tests, every, lambda bound: bound))
    if kind.kind == "money":
        return replace(grid, scales=tuple(_scales(tests, every)))
    if kind.kind == "boolean" or (kind.kind == "enum" and not operators <= set(EQUALITY)):
        values: Iterable[Any] = (True, False) if kind.kind == "boolean" else kind.values
        return replace(grid, named=_pairs({value: _asked(tests, Known(value), every) for value in values}))
    if kind.kind == "list" or not operators <= set(EQUALITY):
        return replace(grid, tests=tuple(tests))
    other, named = _named(tests, every)
    return replace(grid, other=other, named=_pairs(named))


def _pairs(named: Mapping[Any, Masks]) -> tuple[tuple[Any, Masks], ...]:
    return tuple(sorted(named.items(), key=lambda pair: repr(pair[0])))


def ask(grid: Grid, value: Value) -> tuple[int, int]:
    """The masks for a known value, each test asked: the rules that are possible, and those that stay open."""
    masks = _asked(grid.tests, Known(value), grid.other.possible)
    return masks.possible, masks.unknown


def _asked(tests: Tests, state: State, every: int) -> Masks:
    """The masks for one state, each test asked."""
    possible, unknown = every, 0
    for test, rules in tests:
        holds = truth(test, lambda _path: state)
        if holds is False:
            possible &= ~rules
        elif holds is None:
            unknown |= rules
    return Masks(possible, unknown)


def constants(test: Condition) -> set[Any]:
    """Every constant that a test of one fact names."""
    found: set[Any] = set()
    for leaf in leaves(test):
        for operand in leaf.right if isinstance(leaf, Compare) else ():
            found |= operand if isinstance(operand, frozenset) else {operand}
    return {each for each in found if isinstance(each, bool | int | Decimal | str | Money | datetime.date)}


def _named(tests: Tests, every: int) -> tuple[Masks, dict[Any, Masks]]:
    """The masks of what no test names, and of each value that one does, where tests can only tell it from others."""
    asked = [(test, rules, constants(test)) for test, rules in tests]
    elsewhere = {id(test): truth(test, lambda _path: Known(_UNHEARD_OF)) for test, _, _ in asked}
    possible = every & ~_union(rules for test, rules, _ in asked if elsewhere[id(test)] is False)
    named: dict[Any, int] = {}
    for test, rules, values in asked:
        for value in values:
            if (elsewhere[id(test)] is False) != (truth(test, _known(value)) is False):
                named[value] = named.get(value, 0) ^ rules
    return Masks(possible), {value: Masks(possible ^ changed) for value, changed in named.items()}


# A text that no pack can name: not Unicode.
_UNHEARD_OF = "\udfff"


def _known(value: Any) -> Callable[[str], State]:
    return lambda _path: Known(value)


def _union(masks: Iterable[int]) -> int:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _scales(tests: Tests, every: int) -> Iterator[tuple[str, Scale]]:
    """A scale for each currency that the tests name, and for all others under the empty name."""
    named = {value.currency for test, _ in tests for value in constants(test) if isinstance(value, Money)}
    for currency in sorted(named):
        yield currency, _scale("money", tests, every, lambda amount, unit=currency: Money(amount, unit))  # type: ignore[misc]
    yield "", _scale("money", tests, every, lambda amount: Money(amount, "?"))


def _scale(kind: str, tests: Tests, every: int, value: Callable[[Any], Value]) -> Scale:
    """The scale of the tests' constants; `value` makes of a place on it the value that is there."""
    own = [_places(test) for test, _ in tests]
    bounds = sorted({place for places in own for place in places})
    rank = {bound: number for number, bound in enumerate(bounds)}
    denied, opened = [0] * (2 * len(bounds) + 2), [0] * (2 * len(bounds) + 2)
    for (test, rules), places in zip(tests, own, strict=True):
        for start, end, holds in _stretches(test, sorted(places), rank, value):
            for changes in [denied] if holds is False else [opened] if holds is None else []:
                changes[start] ^= rules
                changes[end] ^= rules
    doubled = (each for bound in bounds for each in (_days if kind == "date" else _floats)(bound))
    return Scale(tuple(doubled), tuple(_running(denied, opened, every)))


def _floats(bound: Any) -> tuple[float, float]:
    return float(bound), math.nextafter(float(bound), math.inf)


def _days(bound: datetime.date) -> tuple[datetime.date, ...]:
    return (bound,) if bound == datetime.date.max else (bound, bound + datetime.timedelta(days=1))


def _running(denied: list[int], opened: list[int], every: int) -> Iterator[Masks]:
    no = unknown = 0
    for denies, opens in zip(denied[:-1], opened[:-1], strict=True):
        no ^= denies
        unknown ^= opens
        yield Masks(every & ~no, unknown)


def _places(test: Condition) -> set[Any]:
    """Where on its scale a test changes its mind: its numbers, amounts or days."""
    return {value.amount if isinstance(value, Money) else value for value in constants(test)}


def _stretches(
    test: Condition, places: list[Any], rank: Mapping[Any, int], value: Callable[[Any], Value]
) -> Iterator[tuple[int, int, Truth]]:
    """The runs of classes (from, to) between and at a test's own places, and what it says there."""
    end = 2 * len(rank) + 1
    starts = [0, *(start for place in places for start in (2 * rank[place] + 1, 2 * rank[place] + 2))]
    for start, following, place in zip(starts, [*starts[1:], end], _samples(places), strict=True):
        yield start, following, None if place is None else truth(test, _known(value(place)))


def _samples(places: list[Any]) -> Iterator[Any]:
    """A place in each stretch: below the first, at it, between the first two, …; None where there is none."""
    before = None
    for place in places:
        yield _between(before, place)
        yield place
        before = place
    yield _between(before, None)


def _between(low: Any, high: Any) -> Any:
    if isinstance(low if high is None else high, datetime.date):
        return _day_between(low, high)
    if low is None or high is None:
        return Decimal(0) if low is high else Decimal(low) + 1 if high is None else Decimal(high) - 1
    return (Decimal(low) + Decimal(high)) / 2


def _day_between(low: datetime.date | None, high: datetime.date | None) -> datetime.date | None:
    if high is None:
        assert low is not None
        return None if low == datetime.date.max else low + datetime.timedelta(days=1)
    first = high if high == datetime.date.min else high - datetime.timedelta(days=1)
    return first if first < high and (low is None or low < first) else None
