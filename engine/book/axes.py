"""Axes of decision tables: a fact, and the points at which an outcome may turn on it.

A point stands for values that the rules cannot tell apart: one value of an enum, one row of a table, or all
numbers from one threshold to the next. So it is enough to decide it at a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import chain
from typing import Any, Literal, TypeAlias

from engine.model import FactDeclaration
from engine.values import MAX_DECIMALS, Money, NotAValue, Value, exact, plain_value

Kind = Literal["choice", "key", "number", "other"]
# A range of numbers, both ends included, None is open.
Ends: TypeAlias = tuple[Decimal | None, Decimal | None]
KINDS: tuple[Kind, ...] = ("choice", "key", "number", "other")


@dataclass(frozen=True, slots=True)
class Point:
    """The values from `low` to `high` (both included, None is open), decided at `sample` (request data)."""

    sample: Any
    low: Value | None
    high: Value | None

    def until(self, other: Point) -> Point | None:
        """Both as one, where the other is the next range of numbers; None where it is not."""
        here, there = self.high, other.low
        if here is None or there is None or _unit(here) != _unit(there):
            return None
        return Point(self.sample, self.low, other.high)


@dataclass(frozen=True, slots=True)
class Axis:
    """A fact, by its path, and its points in order."""

    path: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A fact that may become an axis; of each group of points it is enough to decide the first.

    That holds while the facts in `depends` stay as they are: they are what the fact is compared with.
    """

    path: str
    kind: Kind
    groups: tuple[tuple[Point, ...], ...]
    depends: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """How many points there are."""
        return sum(map(len, self.groups))

    def apart(self) -> Line:
        """The same with every point in a group of its own, in no need of other facts."""
        points = chain.from_iterable(self.groups)
        return Line(self.path, self.kind, tuple((point,) for point in points))


def value_points(values: Iterable[Value]) -> tuple[Point, ...]:
    """A point for each value."""
    return tuple(Point(value, value, value) for value in values)


def number_points(fact: FactDeclaration, thresholds: Iterable[Value], currencies: Iterable[str]) -> tuple[Point, ...]:
    """The ranges of a number or of money between thresholds, and the thresholds themselves, from below.

    Amounts are told by currency; where every threshold is the plain 0, in the first of `currencies`.
    """
    numbers = [value for value in thresholds if not isinstance(value, bool)]
    if fact.type.kind != "money":
        cuts = [Decimal(value) for value in numbers if isinstance(value, int | Decimal)]
        return tuple(_points(cuts, fact, None))
    amounts = [value for value in numbers if isinstance(value, Money)]
    zero = [Decimal(0) for value in numbers if isinstance(value, int | Decimal)][:1]
    told = sorted({amount.currency for amount in amounts}) or (list(currencies)[:1] if zero else [])
    by_currency = ([each.amount for each in amounts if each.currency == currency] for currency in told)
    return tuple(
        point
        for currency, cuts in zip(told, by_currency, strict=True)
        for point in _points(cuts + zero, fact, currency)
    )


def _points(cuts: Iterable[Decimal], fact: FactDeclaration, currency: str | None) -> Iterator[Point]:
    whole = fact.type.kind == "integer"
    lowest = fact.minimum.to_integral_value(ROUND_CEILING) if whole and fact.minimum is not None else fact.minimum
    ordered = sorted({cut for cut in cuts if lowest is None or cut >= lowest})
    for low, high in _ranges(ordered, lowest, whole):
        ends = [None if end is None else _value(end, currency, whole) for end in (low, high)]
        sample = ends[0] if ends[1] is None else ends[1]
        assert sample is not None
        yield Point(plain_value(sample), *ends)


def _ranges(cuts: list[Decimal], lowest: Decimal | None, whole: bool) -> Iterator[Ends]:
    """From below: what is less than the first cut, the cut, what lies between it and the next one, and so on."""
    steps = (Decimal(1),) if whole else _steps(cuts)
    for below, cut in zip([None, *cuts], [*cuts, None], strict=True):
        if below is not None and (not whole or below == below.to_integral_value()):
            yield below, below
        between = _between(below, cut, lowest, steps) if cuts else None
        if between is not None:
            yield between


def _between(
    below: Decimal | None, above: Decimal | None, lowest: Decimal | None, steps: Sequence[Decimal]
) -> Ends | None:
    """The numbers between two cuts; None if a request can give none of them."""

    def nearest(cut: Decimal, sign: int) -> Decimal | None:
        start = cut if len(steps) > 1 else cut.to_integral_value(ROUND_FLOOR if sign > 0 else ROUND_CEILING)
        candidates = (start + sign * step for step in steps)
        return next((number for number in candidates if _is_inside(number, below, above, lowest)), None)

    low = lowest if below is None else nearest(below, 1)
    high = None if above is None else nearest(above, -1)
    if (below is not None and low is None) or (above is not None and high is None):
        return None
    return low, high if low is None or high is None else max(low, high)


def _is_inside(number: Decimal, below: Decimal | None, above: Decimal | None, lowest: Decimal | None) -> bool:
    try:
        exact(number)
    except NotAValue:
        return False
    return (
        (below is None or below < number) and (above is None or number < above) and (lowest is None or lowest <= number)
    )


def _steps(cuts: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """How far beside a threshold its neighbors are looked for.

    First as finely as it is written, two decimals at least; then less so, for it may be too long a number; and then
    as finely as numbers go.
    """
    written = max((-int(cut.as_tuple().exponent) for cut in cuts), default=0)
    first = min(max(written, 2), MAX_DECIMALS)
    return tuple(
        Decimal(1).scaleb(-decimals) for decimals in (*range(first, -1, -1), *range(first + 1, MAX_DECIMALS + 1))
    )


def _value(number: Decimal, currency: str | None, whole: bool) -> Value:
    number = exact(number)
    if currency is not None:
        return Money(number, currency)
    return int(number) if whole else number


def _unit(value: Value) -> str | None:
    """What numbers are told in; None for what is no number."""
    if isinstance(value, Money):
        return value.currency
    return "" if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
