"""What a request comes to as numbers: the only things that durable-rules is ever told about it.

Independent of `engine.kleene` but for the states of facts, so that a mistake there is not repeated here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Context, Decimal
from typing import Any as Anything
from typing import Protocol

from engine.condition import Fact, Operand
from engine.kleene import Known, NotAsked
from engine.rete_plan import Column, Quantity
from engine.situation import Situation
from engine.values import MAX_DECIMALS, MAX_DIGITS, Money, Value

# Wider than every number below.
_END = 1 << 53
_GAP = 1 << 20
_EXACT = Context(prec=2 * MAX_DIGITS)


class Texts(Protocol):
    """A plan, or what was made of it: the facts that it compares as texts, and the constants, sorted."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The paths of the facts."""
        ...

    @property
    def constants(self) -> tuple[str, ...]:
        """What they are compared with."""
        ...


class Readings:
    """What a request comes to in the columns of a plan, as numbers and truths that durable compares.

    `held` are the formulas found true so far.
    """

    def __init__(self, plan: Texts, situation: Situation, held: Collection[int]) -> None:
        self._situation = situation
        self._held = held
        self._codes = Codes(plan.constants, (self._value(Fact(path)) for path in plan.texts))
        self._numbers: dict[Quantity, int | float | None] = {}

    def column(self, column: Column) -> int | float:
        """What stands in the column; what is unknown reaches from one end to the other."""
        quantity = column.quantity
        if column.side == "is":
            return self._is(quantity)
        if quantity not in self._numbers:
            self._numbers[quantity] = self._number(quantity)
        number = self._numbers[quantity]
        if number is not None:
            return number
        if quantity.measure in _FLAGS:
            return column.side == "high"
        return _END if column.side == "high" else -_END

    def _is(self, quantity: Quantity) -> bool:
        match quantity.measure:
            case "formula":
                return int(quantity.path) in self._held
            case "given":
                return quantity.path in self._situation.given
            case "known":
                return isinstance(self._situation.state(quantity.path), Known)
            case _:
                return isinstance(self._situation.state(quantity.path), NotAsked)

    def _number(self, quantity: Quantity) -> int | float | None:
        value = self._value(Fact(quantity.path))
        if value is None:
            return None
        if quantity.measure in _FLAGS:
            other = self._value(quantity.detail)
            return None if other is None else _FLAGS[quantity.measure](value, other)
        if quantity.measure == "amount" and not _one_currency(value, self._value(quantity.detail)):
            return None
        return self._codes.number(quantity, value)

    def _value(self, operand: Operand | None) -> Value | None:
        """The value of an operand; None for a fact without one."""
        if not isinstance(operand, Fact):
            return operand
        state = self._situation.state(operand.path)
        return state.value if isinstance(state, Known) else None


class Codes:
    """Numbers for values, in the same order: no text ever reaches durable, and no decimal point.

    `constants` are the sorted texts that a plan knows; `values` what a request has besides.
    """

    def __init__(self, constants: tuple[str, ...], values: Iterable[Value | None] = ()) -> None:
        self._constants = constants
        texts = sorted({value for value in values if isinstance(value, str)}.difference(constants))
        self._places = {text: place for place, text in enumerate(texts, start=1)}

    def number(self, quantity: Quantity, value: Anything) -> int | float:
        """The number that stands for a value of the quantity."""
        match quantity.measure:
            case "number":
                return decimal_code(value)
            case "amount":
                return decimal_code(value.amount if isinstance(value, Money) else value)
            case "day":
                return int(value.toordinal())
            case "text":
                return self._text(value)
            case "rank":
                return int(quantity.detail.index(value))
            case _:
                return bool(value)

    def _text(self, text: str) -> float:
        """Constants stand far apart, so that a request's texts find a place between them."""
        before = bisect_left(self._constants, text)
        if text in self._places:
            return float(before * _GAP + self._places[text])
        return float((before + 1) * _GAP)


def decimal_code(number: Decimal | int) -> float:
    """A whole number below 2**53 for each number of 15 digits and four decimals, in the same order.

    durable reads fractions with `atof`, which in a Greek, Polish, Swedish or Latvian locale stops at
    the point: 0.5 would be 0. Whole floats survive that, and, unlike ints, where a `long` is short.
    """
    magnitude = Decimal(number).copy_abs()
    decimals = min(MAX_DECIMALS, MAX_DIGITS - len(str(int(magnitude))))
    if decimals < 0:
        raise ValueError(f"{number} has more than {MAX_DIGITS} digits")
    skipped = (MAX_DECIMALS - decimals) * 9 * 10 ** (MAX_DIGITS - 1)
    code = float(int(_EXACT.scaleb(magnitude, decimals)) + skipped)
    return -code if number < 0 else code


def _same(left: Value, right: Value) -> bool:
    """Equal values; a bare number beside money is zero of every currency."""
    if isinstance(left, Money) and not isinstance(right, Money):
        return left.amount == right
    return left == right


def _currencies(value: Value | None) -> set[str]:
    values = value if isinstance(value, frozenset) else (value,)
    return {each.currency for each in values if isinstance(each, Money)}


def _one_currency(left: Value, right: Value | None) -> bool:
    ours, theirs = _currencies(left), _currencies(right)
    return not ours or not theirs or len(ours | theirs) == 1


def _has(left: Anything, right: Anything) -> bool | None:
    return any(_same(member, right) for member in left) or (False if _one_currency(left, right) else None)


def _meets(left: Anything, right: Anything) -> bool | None:
    return not left.isdisjoint(right) or (False if _one_currency(left, right) else None)


def _lacks(left: Anything, right: Anything) -> bool:
    return any(member not in left and _one_currency(left, member) for member in right)


# Relations that durable has no test for, or none to rely on.
_FLAGS: Mapping[str, Callable[[Anything, Anything], bool | None]] = {
    "starts_with": lambda left, right: bool(left.startswith(right)),
    "ends_with": lambda left, right: bool(left.endswith(right)),
    "among": lambda left, right: left in right,
    "has": _has,
    "meets": _meets,
    "covers": lambda left, right: bool(left >= right),
    "lacks": _lacks,
    "one_currency": _one_currency,
}
