"""Values and their types: what a fact may be, and how a written or sent value becomes one.

Every value is exact. Numbers and amounts of money have at most 15 significant digits and four
decimals (DESIGN section 5), so that decimal, binary and integer backends agree on every comparison.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from engine.finding import did_you_mean

MAX_DIGITS = 15
MAX_DECIMALS = 4
MAX_SUGGESTED = 1000
KINDS = ("boolean", "integer", "number", "money", "date", "string", "enum", "key", "list")
TEXT_KINDS = frozenset({"string", "enum", "key"})
NUMBER_KINDS = frozenset({"integer", "number"})

_MONEY = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?) ([A-Z]{3})")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Plain(str):
    """Unquoted text in YAML that is no canonical number, boolean or null: `NO`, `12:30`, `0123`, `1e3`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency (three capital letters, as in ISO 4217)."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{plain_number(self.amount)} {self.currency}"


Value: TypeAlias = bool | int | Decimal | Money | datetime.date | str | frozenset[Any]


@dataclass(frozen=True, slots=True)
class Type:
    """What a fact may be.

    `values` are an enum's values or a key's rows, in declared order; `table` names a key's table;
    `item` is the type of a list's members.
    """

    kind: str
    values: tuple[str, ...] = ()
    ordered: bool = False
    table: str | None = None
    item: Type | None = None

    def __str__(self) -> str:
        match self.kind:
            case "key":
                return f"key of `{self.table}`"
            case "list":
                return f"list of {self.item}"
            case _:
                return self.kind


BOOLEAN = Type("boolean")
INTEGER = Type("integer")
NUMBER = Type("number")
MONEY = Type("money")
DATE = Type("date")
STRING = Type("string")


class NotAValue(ValueError):
    """A written or sent value that is not of the wanted type; its text says what is wrong with it."""


def parse_value(raw: object, kind: Type, currency: str | None = None) -> Value:
    """The value of type `kind` that `raw` stands for.

    `raw` is JSON or YAML data (text, int, float, Decimal, bool, list, mapping) or a Python date.
    `currency` is what a bare number of money is in; without it a bare number is refused.
    Raises NotAValue with the reason.
    """
    return _PARSERS[kind.kind](raw, kind, currency)


def exact(number: Decimal) -> Decimal:
    """The number without trailing zeros; raises NotAValue if it has too many digits or is not finite."""
    if not number.is_finite():
        raise NotAValue("is not finite")
    if not number:
        return Decimal(0)
    sign, digits, exponent = number.as_tuple()
    if -MAX_DECIMALS <= int(exponent) <= 0 and len(digits) <= MAX_DIGITS:
        return number.normalize()  # nearly all numbers; this cannot round so few digits
    if number.adjusted() >= MAX_DIGITS:
        raise NotAValue(f"has more than {MAX_DIGITS} significant digits")
    significant = "".join(map(str, digits)).rstrip("0")
    exponent = int(exponent) + len(digits) - len(significant)
    if exponent < -MAX_DECIMALS:
        raise NotAValue(f"has more than {MAX_DECIMALS} decimals")
    if len(significant) + max(0, exponent) > MAX_DIGITS:
        raise NotAValue(f"has more than {MAX_DIGITS} significant digits")
    return Decimal((sign, tuple(map(int, significant)), exponent))


def plain_number(number: Decimal | int) -> str:
    """The number in plain digits, without exponent or trailing zeros."""
    return f"{Decimal(number):f}"


def plain_value(value: Value) -> Any:
    """The value as JSON data: money and dates as text, exact decimals as numbers, sets as sorted lists."""
    match value:
        case bool() | int() | str():
            return value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Money():
            return str(value)
        case datetime.date():
            return value.isoformat()
        case _:
            return sorted(plain_value(member) for member in value)


def is_below(value: Value, minimum: Decimal | None) -> bool:
    """Whether a number or an amount of money is less than the minimum; without one nothing is."""
    number = value.amount if isinstance(value, Money) else value
    return minimum is not None and isinstance(number, int | Decimal) and number < minimum


def parse_date(raw: object) -> datetime.date:
    """The day written `YYYY-MM-DD` (only so; ISO week dates are refused); raises NotAValue."""
    if isinstance(raw, datetime.date) and not isinstance(raw, datetime.datetime):
        return raw
    if isinstance(raw, str) and _DATE.fullmatch(raw):
        try:
            return datetime.date.fromisoformat(raw)
        except ValueError:
            pass
    raise NotAValue("is no date written `YYYY-MM-DD`")


def is_currency(text: object) -> bool:
    """Whether the text has the form of a currency code."""
    return isinstance(text, str) and _CURRENCY.fullmatch(text) is not None


def is_number(raw: object) -> bool:
    """Whether the data is a number: not a boolean, and text only where YAML left a number unquoted."""
    if isinstance(raw, str):
        return isinstance(raw, Plain) and _NUMBER.fullmatch(raw) is not None
    return isinstance(raw, int | float | Decimal) and not isinstance(raw, bool)


def _boolean(raw: object, _kind: Type, _currency: str | None) -> bool:
    if isinstance(raw, bool):
        return raw
    raise NotAValue(f"is {_describe(raw)}, not true or false")


def _number(raw: object, _kind: Type, _currency: str | None) -> Decimal:
    if not is_number(raw):
        raise NotAValue(f"is {_describe(raw)}, not a number")
    assert isinstance(raw, Plain | int | float | Decimal)
    if isinstance(raw, int) and raw.bit_length() > 64:
        raise NotAValue(f"has more than {MAX_DIGITS} significant digits")
    return exact(Decimal(repr(raw)) if isinstance(raw, float) else Decimal(raw))


def _integer(raw: object, kind: Type, currency: str | None) -> int:
    number = _number(raw, kind, currency)
    if number != number.to_integral_value():
        raise NotAValue("is not a whole number")
    return int(number)


def _money(raw: object, kind: Type, currency: str | None) -> Money:
    if isinstance(raw, Money):
        return raw
    if isinstance(raw, str) and (written := _MONEY.fullmatch(raw)):
        return Money(exact(Decimal(written[1])), written[2])
    if isinstance(raw, Mapping):
        return _money_mapping(raw, kind)
    if isinstance(raw, str) and not is_number(raw):
        raise NotAValue("is not money such as `499.99 EUR`")
    number = _number(raw, kind, None)
    if currency is None:
        raise NotAValue("is a bare number; money needs a currency, such as `499.99 EUR`")
    if not is_currency(currency):
        raise NotAValue(f"is a bare number, and `{currency}` is no currency code")
    return Money(number, currency)


def _money_mapping(raw: Mapping[Any, Any], kind: Type) -> Money:
    if set(raw) != {"amount", "currency"} or not is_currency(raw["currency"]):
        raise NotAValue("is not money; give `amount` and `currency` (three capital letters)")
    amount = raw["amount"]
    if isinstance(amount, str) and not is_number(amount):
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", amount):
            raise NotAValue("has an amount that is not a decimal number")
        amount = Decimal(amount)
    return Money(_number(amount, kind, None), raw["currency"])


def _date(raw: object, _kind: Type, _currency: str | None) -> datetime.date:
    return parse_date(raw)


def _string(raw: object, _kind: Type, _currency: str | None) -> str:
    if not isinstance(raw, str):
        raise NotAValue(f"is {_describe(raw)}, not text")
    try:
        raw.encode("utf-8")
    except UnicodeEncodeError:
        raise NotAValue("is not Unicode text (it holds half of a surrogate pair)") from None
    return str(raw)


def _one_of(raw: object, kind: Type, currency: str | None) -> str:
    text = _string(raw, kind, currency)
    if text not in kind.values:
        where = f"a row of `{kind.table}`" if kind.kind == "key" else "one of its values"
        near = _nearest(text, kind.values)
        raise NotAValue(f"is not {where}{f'; {near}' if near else ''}")
    return text


def _nearest(text: str, values: tuple[str, ...]) -> str:
    """Help that names the nearest values; among so many that no author wrote them, nobody looks for it."""
    if len(values) > MAX_SUGGESTED:
        return ""
    return did_you_mean(text, values) or did_you_mean(text.upper(), values)


def _list(raw: object, kind: Type, currency: str | None) -> frozenset[Any]:
    if not isinstance(raw, list | tuple | set | frozenset):
        raise NotAValue(f"is {_describe(raw)}, not a list")
    assert kind.item is not None
    return frozenset(parse_value(member, kind.item, currency) for member in raw)


def _describe(raw: object) -> str:
    match raw:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float() | Decimal():
            return "a number"
        case str():
            return "text"
        case Mapping():
            return "an object"
        case list() | tuple() | set() | frozenset():
            return "a list"
        case _:
            return f"a {type(raw).__name__}"


_PARSERS: dict[str, Callable[[object, Type, str | None], Value]] = {
    "boolean": _boolean, "integer": _integer, "number": _number, "money": _money, "date": _date,
    "string": _string, "enum": _one_of, "key": _one_of, "list": _list,
}  # fmt: skip
