"""Values: what is one, what is none, and that none is ever rounded."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.condition import Fact
from engine.finding import Place
from engine.kleene import Known, Unknown
from engine.model import Action, FactDeclaration, Pack
from engine.situation import Situation
from engine.values import (
    BOOLEAN,
    DATE,
    INTEGER,
    MONEY,
    NUMBER,
    STRING,
    Money,
    NotAValue,
    Plain,
    Type,
    exact,
    parse_value,
    plain_number,
    plain_value,
)

ENUM = Type("enum", ("low", "NO", "1"))
KEY = Type("key", ("JP", "NO"), table="regions")
NUMBERS = Type("list", item=NUMBER)
PRICES = Type("list", item=MONEY)


def euros(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


VALUES: list[tuple[Any, Type, object]] = [
    (True, BOOLEAN, True),
    (False, BOOLEAN, False),
    (5, INTEGER, 5),
    (5, INTEGER, 5.0),
    (5, INTEGER, Decimal("5.000")),
    (0, INTEGER, -0.0),
    (-3, INTEGER, -3),
    (999999999999999, INTEGER, 999999999999999),
    (1000, INTEGER, Plain("1e3")),
    (83, INTEGER, Plain("83")),
    (Decimal(5), NUMBER, 5),
    (Decimal("0.1"), NUMBER, 0.1),
    (Decimal("0.3"), NUMBER, Decimal("0.30000")),
    (Decimal("0.0001"), NUMBER, 0.0001),
    (Decimal("99999999999.9999"), NUMBER, 99999999999.9999),
    (Decimal(100000000000000), NUMBER, 1e14),
    (Decimal(0), NUMBER, -0.0),
    (Decimal(0), NUMBER, Decimal("0E+400")),
    (Decimal(0), NUMBER, Decimal("-0E-400")),
    (Decimal("2.5"), NUMBER, Plain("+2.50")),
    (euros("499.99"), MONEY, "499.99 EUR"),
    (euros("499.99"), MONEY, {"amount": 499.99, "currency": "EUR"}),
    (euros("499.99"), MONEY, {"amount": "499.990", "currency": "EUR"}),
    (euros("5"), MONEY, {"amount": Decimal("5.0"), "currency": "EUR"}),
    (euros("1000"), MONEY, {"amount": Plain("1e3"), "currency": "EUR"}),
    (euros("0"), MONEY, "-0 EUR"),
    (euros("-5"), MONEY, "-5 EUR"),
    (datetime.date(2024, 2, 29), DATE, "2024-02-29"),
    (datetime.date(1, 1, 1), DATE, "0001-01-01"),
    (datetime.date(9999, 12, 31), DATE, datetime.date(9999, 12, 31)),
    ("", STRING, ""),
    ("5", STRING, "5"),
    ("NO", STRING, Plain("NO")),
    ("😀\n", STRING, "😀\n"),
    ("NO", ENUM, "NO"),
    ("1", ENUM, "1"),
    ("NO", KEY, Plain("NO")),
    (frozenset(), NUMBERS, []),
    (frozenset({Decimal(5), Decimal("0.5")}), NUMBERS, [5, 5.0, 0.5]),
    (frozenset({euros("1")}), PRICES, ["1 EUR", {"amount": 1, "currency": "EUR"}]),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind", "raw"), VALUES)
def test_what_is_a_value(value: object, kind: Type, raw: object) -> None:
    """A value is what was sent, exactly, in the one form that its type has."""
    parsed = parse_value(raw, kind)

    assert (value, type(value)) == (parsed, type(parsed))


NOT_VALUES: list[tuple[str, Type, object]] = [
    ("is text, not true or false", BOOLEAN, "true"),
    ("is a number, not true or false", BOOLEAN, 1),
    ("is text, not true or false", BOOLEAN, Plain("on")),
    ("is true or false, not a number", INTEGER, True),
    ("is true or false, not a number", NUMBER, False),
    ("is text, not a number", INTEGER, "5"),
    ("is text, not a number", NUMBER, "0.5"),
    ("is text, not a number", NUMBER, Plain("12:30")),
    ("is text, not a number", NUMBER, Plain("1_000")),
    ("is text, not a number", NUMBER, Plain("NaN")),
    ("is text, not a number", NUMBER, Plain("٣")),
    ("is a list, not a number", NUMBER, [5]),
    ("is an object, not a number", NUMBER, {"amount": 5}),
    ("is null, not a number", NUMBER, None),
    ("is a complex, not a number", NUMBER, 5j),
    ("is not a whole number", INTEGER, 5.5),
    ("is not finite", NUMBER, float("nan")),
    ("is not finite", INTEGER, float("inf")),
    ("is not finite", NUMBER, Decimal("-Infinity")),
    ("is not finite", NUMBER, Decimal("sNaN")),
    ("has more than 15 significant digits", INTEGER, 10**15),
    ("has more than 15 significant digits", NUMBER, 1e15),
    ("has more than 15 significant digits", NUMBER, Decimal("1E+400")),
    ("has more than 15 significant digits", INTEGER, 10**100_000),
    ("has more than 15 significant digits", NUMBER, Decimal("100000000000.0001")),
    ("has more than 15 significant digits", NUMBER, Plain("1e999")),
    ("has more than 4 decimals", NUMBER, 0.00001),
    ("has more than 4 decimals", NUMBER, 0.1 + 0.2),
    ("has more than 4 decimals", NUMBER, Decimal("1E-400")),
    ("has more than 4 decimals", MONEY, "1.00001 EUR"),
    ("has more than 15 significant digits", MONEY, f"{'9' * 5000} EUR"),
    ("has more than 15 significant digits", MONEY, {"amount": "9" * 5000, "currency": "EUR"}),
    ("is a bare number; money needs a currency, such as `499.99 EUR`", MONEY, 5),
    ("is a bare number; money needs a currency, such as `499.99 EUR`", MONEY, Plain("1e3")),
    ("is true or false, not a number", MONEY, True),
    ("is not money such as `499.99 EUR`", MONEY, "5"),
    ("is not money such as `499.99 EUR`", MONEY, "5EUR"),
    ("is not money such as `499.99 EUR`", MONEY, "5 eur"),
    ("is not money such as `499.99 EUR`", MONEY, "EUR 5"),
    ("is not money such as `499.99 EUR`", MONEY, "5,5 EUR"),
    ("is not money such as `499.99 EUR`", MONEY, "1e3 EUR"),
    ("is not money such as `499.99 EUR`", MONEY, "5 EUR\n"),
    ("is not money such as `499.99 EUR`", MONEY, "٣ EUR"),
    ("is not money; give `amount` and `currency` (three capital letters)", MONEY, {"amount": 5}),
    ("is not money; give `amount` and `currency` (three capital letters)", MONEY, {"amount": 5, "currency": "eur"}),
    ("is not money; give `amount` and `currency` (three capital letters)", MONEY, {"amount": 5, "currency": None}),
    ("is not money; give `amount` and `currency` (three capital letters)", MONEY,
     {"amount": 5, "currency": "EUR", "tax": 1}),
    ("is true or false, not a number", MONEY, {"amount": True, "currency": "EUR"}),
    ("has an amount that is not a decimal number", MONEY, {"amount": "1e3", "currency": "EUR"}),
    ("has an amount that is not a decimal number", MONEY, {"amount": "NaN", "currency": "EUR"}),
    ("is not finite", MONEY, {"amount": float("nan"), "currency": "EUR"}),
    ("is no date written `YYYY-MM-DD`", DATE, "2026-W47-7"),
    ("is no date written `YYYY-MM-DD`", DATE, "20261122"),
    ("is no date written `YYYY-MM-DD`", DATE, "2026-02-29"),
    ("is no date written `YYYY-MM-DD`", DATE, "0000-01-01"),
    ("is no date written `YYYY-MM-DD`", DATE, "2026-11-22T00:00:00Z"),
    ("is no date written `YYYY-MM-DD`", DATE, "2026-11-22\n"),
    ("is no date written `YYYY-MM-DD`", DATE, "２０２６-11-22"),
    ("is no date written `YYYY-MM-DD`", DATE, 20261122),
    ("is no date written `YYYY-MM-DD`", DATE, datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)),
    ("is a number, not text", STRING, 5),
    ("is true or false, not text", STRING, True),
    ("is not Unicode text (it holds half of a surrogate pair)", STRING, "a\ud800"),
    ("is not Unicode text (it holds half of a surrogate pair)", ENUM, "\udfff"),
    ("is not one of its values", ENUM, "high"),
    ("is not one of its values; did you mean `low`?", ENUM, "Low"),
    ("is a number, not text", ENUM, 1),
    ("is not a row of `regions`", KEY, "SE"),
    ("is true or false, not text", KEY, False),
    ("is text, not a list", NUMBERS, "5"),
    ("is an object, not a list", NUMBERS, {}),
    ("is text, not a number", NUMBERS, [5, "5"]),
    ("is null, not a number", NUMBERS, [None]),
    ("is a list, not a number", NUMBERS, [[5]]),
]  # fmt: skip


@pytest.mark.parametrize(("problem", "kind", "raw"), NOT_VALUES, ids=range(len(NOT_VALUES)))
def test_what_is_no_value(problem: str, kind: Type, raw: object) -> None:
    """Nothing is cast, guessed or rounded; the reason is told instead."""
    with pytest.raises(NotAValue) as raised:
        parse_value(raw, kind)

    assert problem == str(raised.value)


BARE: list[tuple[object, object, object]] = [
    (euros("5"), "EUR", 5),
    (euros("0.5"), "EUR", 0.5),
    (Money(Decimal(5), "USD"), "EUR", "5 USD"),
    ("is a bare number, and `euro` is no currency code", "euro", 5),
    ("is true or false, not a number", "EUR", True),
    ("is not money such as `499.99 EUR`", "EUR", "5"),
]


@pytest.mark.parametrize(("expected", "currency", "raw"), BARE)
def test_bare_numbers_of_money(expected: object, currency: str, raw: object) -> None:
    """A bare number is money where the fact says in what currency; a currency that is sent wins."""
    try:
        found: object = parse_value(raw, MONEY, currency)
    except NotAValue as error:
        found = str(error)

    assert expected == found


def situation(currency: object, given: dict[str, object], kind: Type = MONEY) -> Situation:
    facts = {
        "order.cost": FactDeclaration("order.cost", kind, currency=currency),  # type: ignore[arg-type]
        "order.currency": FactDeclaration("order.currency", STRING),
    }
    return Situation(Pack("p", facts=facts), Action("buy", "Buy", "order", place=Place("")), given, None)


CURRENCY_FACTS: list[tuple[object, dict[str, object]]] = [
    (Known(euros("5")), {"order.cost": 5, "order.currency": "EUR"}),
    (Known(euros("5")), {"order.cost": "5 EUR"}),
    (Known(euros("5")), {"order.cost": "5 EUR", "order.currency": 7}),
    (Unknown(missing=frozenset({"order.currency"})), {"order.cost": 5}),
    (Unknown(invalid=frozenset({"order.currency"})), {"order.cost": 5, "order.currency": 7}),
    (Unknown(invalid=frozenset({"order.cost"})), {"order.cost": 5, "order.currency": "euro"}),
    (Unknown(invalid=frozenset({"order.cost"})), {"order.cost": True}),
    (Unknown(missing=frozenset({"order.cost"})), {"order.currency": "EUR"}),
]


@pytest.mark.parametrize(("expected", "given"), CURRENCY_FACTS)
def test_the_currency_may_be_a_fact(expected: object, given: dict[str, object]) -> None:
    """What a bare number is in may be unknown or wrong itself, and is not asked where it does not matter."""
    assert expected == situation(Fact("order.currency"), given).state("order.cost")


def test_the_currency_of_a_list() -> None:
    """A list of bare numbers is a list of money too."""
    given: dict[str, object] = {"order.cost": [5, "6 USD"], "order.currency": "EUR"}
    expected = Known(frozenset({euros("5"), Money(Decimal(6), "USD")}))

    assert expected == situation(Fact("order.currency"), given, PRICES).state("order.cost")


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 4))
def test_what_is_admitted_is_kept_to_the_last_digit(digits: int, decimals: int) -> None:
    """Up to 15 digits and four decimals a number is what was written, as text, Decimal and float."""
    number = Decimal(digits).scaleb(-decimals)

    assert number == exact(number)
    assert exact(number) == parse_value(float(number), NUMBER)
    assert number == Decimal(plain_number(exact(number)))
    assert Money(exact(number), "EUR") == parse_value(f"{number:f} EUR", MONEY)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_what_is_not_admitted_is_refused(number: Decimal) -> None:
    """A number comes out as it went in, or not at all."""
    try:
        found = exact(number)
    except NotAValue:
        shortest = number.normalize()
        assert shortest.adjusted() >= 15 or len(shortest.as_tuple().digits) > 15 or shortest != round(shortest, 4)
    else:
        assert number == found


JSON: list[tuple[object, object]] = [
    (True, True),
    (5, 5),
    (5, Decimal(5)),
    (0.5, Decimal("0.5")),
    ("499.99 EUR", euros("499.99")),
    ("-0.0001 EUR", euros("-0.0001")),
    ("100000000000000 EUR", euros("1E+14")),
    ("2026-11-22", datetime.date(2026, 11, 22)),
    (["1 EUR", "2 EUR"], frozenset({euros("2"), euros("1")})),
    ([1, 2, 10], frozenset({Decimal(10), Decimal(2), Decimal(1)})),
]


@pytest.mark.parametrize(("data", "value"), JSON)
def test_values_as_json(data: object, value: Any) -> None:
    """What is shown of a value can be sent again."""
    assert data == plain_value(value)
