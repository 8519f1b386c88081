"""Texts: placeholders filled in, in the asker's language, and nothing in a value can steer them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from strategies import ROOT, checked

from engine import open_policy
from engine.cases import request_of
from engine.decision import Decision
from engine.gate import Gate
from engine.phrases import catalog, phrases
from engine.request import from_paths
from engine.texts import language_for, placeholders, say
from engine.values import Money

PACK = """
policy: {name: letters, languages: [en, el, pl, sv, lv]}
actions:
  post: {resource: letter}
facts:
  letter.name: {type: string}
  letter.cost: {type: money}
  letter.weight: {type: number}
  letter.count: {type: integer}
  letter.sent: {type: date}
  letter.fast: {type: boolean}
  letter.size: {type: enum, values: [small, "NO", "{letter.name}"]}
  letter.stamps: {type: list, of: string}
  letter.prices: {type: list, of: money}
  letter.due: {type: date}
rules:
  - id: name
    actions: [post]
    deny:
      text: "To {letter.name}, {letter.size}."
      remedy: "Ask {letter.name}."
    cites: []
  - id: cost
    actions: [post]
    deny: "{letter.cost}; {letter.weight}; {letter.count}; {letter.sent}; {letter.fast}"
  - id: stamps
    actions: [post]
    oblige: {text: "{letter.stamps}; {letter.prices}", deadline: "by {letter.sent}", with: [deny]}
  - id: due
    actions: [post]
    oblige: {text: "Now {letter.due}.", deadline: $letter.due, due: before, with: [deny]}
  - id: how
    actions: [post]
    guide: {steps: ["Fold.", "Send to {letter.name}."], with: [deny]}
translations:
  el: {name: {text: "Προς {letter.name}.", remedy: "Ρωτήστε: {letter.name}."}}
  pl: {name: "Do {letter.name}.", stamps: {deadline: "do {letter.sent}"}, how: ["Złóż.", "Wyślij: {letter.name}."]}
"""
GIVEN: dict[str, Any] = {
    "action": "post",
    "letter.name": "Anna",
    "letter.size": "small",
    "letter.cost": "1234567.5 EUR",
    "letter.weight": 12345.6789,
    "letter.count": 1234567,
    "letter.sent": "2026-11-22",
    "letter.fast": True,
    "letter.stamps": ["b", "a"],
    "letter.prices": ["1 EUR"],
    "letter.due": "2026-12-01",
}


def decided(given: dict[str, Any], locale: str = "en") -> dict[str, Any]:
    pack = checked({"letters.yaml": PACK}).pack
    return Gate(pack, datetime.date(2026, 11, 22)).decide(from_paths(given), locale=locale).to_dict()


def texts(given: dict[str, Any], locale: str = "en") -> dict[str, str]:
    decision = decided(given, locale)
    return {each["rule"]: each["text"] for each in decision["reasons"] + decision["obligations"]}


# Spaces in numbers are no-break spaces, as these languages write them.
LOCALES = {
    "en": "€1,234,567.50; 12,345.6789; 1,234,567; November 22, 2026; yes",
    "el": "1.234.567,50\xa0€; 12.345,6789; 1.234.567; 22 Νοεμβρίου 2026; ναι",
    "pl": "1\xa0234\xa0567,50\xa0€; 12\xa0345,6789; 1\xa0234\xa0567; 22 listopada 2026; tak",
    "sv": "1\xa0234\xa0567,50\xa0€; 12\xa0345,6789; 1\xa0234\xa0567; 22 november 2026; ja",
    "lv": "1\xa0234\xa0567,50\xa0€; 12\xa0345,6789; 1\xa0234\xa0567; 2026. gada 22. novembris; jā",
}


@pytest.mark.parametrize("locale", LOCALES)
def test_numbers_money_and_dates_take_the_form_of_the_locale(locale: str) -> None:
    """In full, whether or not the text itself is translated."""
    assert LOCALES[locale] == texts(GIVEN, locale)["cost"]


UNKNOWN = {"en": "not known", "el": "άγνωστο", "pl": "nieznane", "sv": "okänt", "lv": "nav zināms"}


@pytest.mark.parametrize("locale", UNKNOWN)
@pytest.mark.parametrize("state", ["absent", "null", "invalid"])
def test_what_is_unknown_is_said_to_be(locale: str, state: str) -> None:
    """In the language, and whatever the reason; an invalid value is not repeated."""
    given: dict[str, Any] = (
        {"action": "post"} if state == "absent" else dict.fromkeys(GIVEN, None if state == "null" else {})
    )
    said = texts({**given, "action": "post"}, locale)

    assert "; ".join([UNKNOWN[locale]] * 5) == said["cost"]
    assert "; ".join([UNKNOWN[locale]] * 2) == said["stamps"]


HOSTILE = [
    ("To {letter.cost}, small.", "{letter.cost}"),
    ("To {{letter.name}}, small.", "{{letter.name}}"),
    ("To {}, small.", "{}"),
    (r"To a\u000ab\u001b[31m, small.", "a\nb\x1b[31m"),
    (r"To \u202eevil, small.", "\u202eevil"),
    (r"To a\u2028b\u0085, small.", "a\u2028b\x85"),
    (r"To \u0000\u007f\u200d, small.", "\x00\x7f\u200d"),
    (r"To \U000e0041, small.", "\U000e0041"),
    (r"To \1\g<0>, small.", r"\1\g<0>"),
    ("To %s {0} $x, small.", "%s {0} $x"),
    ("To , small.", ""),
    ("To Ł😀, small.", "Ł😀"),
]


@pytest.mark.parametrize(("said", "value"), HOSTILE)
def test_values_are_shown_and_never_obeyed(said: str, value: str) -> None:
    """Control characters are escaped, and braces in a value are not placeholders."""
    assert said == texts({**GIVEN, "letter.name": value})["name"]


def test_an_enum_whose_value_looks_like_a_placeholder() -> None:
    """What was filled in is not filled in again."""
    assert texts({**GIVEN, "letter.size": "{letter.name}"})["name"] == "To Anna, {letter.name}."


def test_every_part_of_a_rule_is_filled_in_and_translated() -> None:
    """Texts, remedies, steps and deadlines; a date fact as a deadline stays a day that programs read."""
    english, greek, polish = (decided(GIVEN, locale) for locale in ("en", "el", "pl"))

    def of(decision: dict[str, Any]) -> list[Any]:
        return [
            decision["reasons"][1]["text"], decision["reasons"][1]["remedy"], decision["procedure"][0]["steps"],
            [duty["deadline"] for duty in decision["obligations"]], decision["obligations"][0]["text"],
        ]  # fmt: skip

    assert of(english) == [
        "To Anna, small.", "Ask Anna.", ["Fold.", "Send to Anna."], ["2026-12-01", "by November 22, 2026"],
        "Now December 1, 2026.",
    ]  # fmt: skip
    assert of(greek) == [
        "Προς Anna.", "Ρωτήστε: Anna.", ["Fold.", "Send to Anna."], ["2026-12-01", "by 22 Νοεμβρίου 2026"],
        "Now 1 Δεκεμβρίου 2026.",
    ]  # fmt: skip
    assert of(polish) == [
        "Do Anna.", "Ask Anna.", ["Złóż.", "Wyślij: Anna."], ["2026-12-01", "do 22 listopada 2026"],
        "Now 1 grudnia 2026.",
    ]  # fmt: skip


def test_a_list_is_said_in_one_order() -> None:
    """Lists are sets."""
    assert texts(GIVEN)["stamps"] == "a, b; €1.00"


LANGUAGES = [("el", "el"), ("el", "el-GR"), ("el", "el_CY"), ("pl", "PL"), (None, "fr"), (None, ""), (None, "e")]


@pytest.mark.parametrize(("language", "locale"), LANGUAGES)
def test_the_language_for_a_locale(language: str | None, locale: str) -> None:
    """A region is left out where the policy does not tell it apart; a language that it lacks is told as such."""
    assert language == language_for(checked({"letters.yaml": PACK}).pack, locale)


def test_a_language_that_the_policy_lacks_is_english() -> None:
    """Somebody who asks in another language is answered all the same."""
    assert texts(GIVEN) == texts(GIVEN, "fr")


AMOUNTS = [
    ("€5.00", Money(Decimal(5), "EUR"), "en"),
    ("€0.0001", Money(Decimal("0.0001"), "EUR"), "en"),
    ("€5.125", Money(Decimal("5.125"), "EUR"), "en"),
    ("-€5.10", Money(Decimal("-5.1"), "EUR"), "en"),
    ("¥48,500", Money(Decimal(48500), "JPY"), "en"),
    ("¥48,500.50", Money(Decimal("48500.5"), "JPY"), "en"),
    ("450,00\xa0€", Money(Decimal(450), "EUR"), "el"),
    ("15\xa0500,00\xa0kr", Money(Decimal(15500), "SEK"), "sv"),
    ("999\xa0999\xa0999\xa0999\xa0999", 999999999999999, "pl"),
    ("0,1", Decimal("0.1"), "lv"),
    ("99,999,999,999.9999", Decimal("99999999999.9999"), "en"),
]


@pytest.mark.parametrize(("said", "value", "language"), AMOUNTS)
def test_nothing_is_rounded(said: str, value: Any, language: str) -> None:
    """A text tells an amount to the last digit that was sent."""
    assert said == say(value, language)


def test_a_decision_is_json_in_every_language() -> None:
    """Texts of all languages and values of all kinds fit into the contract."""
    for locale in LOCALES:
        assert json.loads(json.dumps(decided(GIVEN, locale), allow_nan=False)) == decided(GIVEN, locale)


ECHOES: list[tuple[Any, Any]] = [
    ("x", "x"),
    (5, 5),
    (True, True),
    (0.5, Decimal("0.5")),
    ({"amount": 0.1, "currency": "euro"}, {"amount": Decimal("0.1"), "currency": "euro"}),
    ([1, [2]], [1, [2]]),
    ("nan", float("nan")),
    ("NaN", Decimal("NaN")),
    ("Infinity", Decimal("Infinity")),
    ("1E+400", Decimal("1E+400")),
    ("…", 10**5000),
    ("x" * 200 + "…", "x" * 10_000),
    (r"\ud800", "\ud800"),
    ("2026-11-22", datetime.date(2026, 11, 22)),
]


@pytest.mark.parametrize(("echo", "sent"), ECHOES, ids=range(len(ECHOES)))
def test_invalid_values_are_told_as_they_were_sent(echo: Any, sent: Any) -> None:
    """As far as JSON can say them, and not at any length."""
    decision = decided({"action": "post", "letter.fast": sent, "letter.stamps": sent})
    found = {each["fact"]: each["value"] for each in decision["invalid"]}

    assert found["letter.stamps"] == echo
    assert json.loads(json.dumps(decision, allow_nan=False, ensure_ascii=False).encode()) == decision


@pytest.mark.parametrize("language", catalog())
def test_every_language_has_all_phrases_with_the_same_placeholders(language: str) -> None:
    """What is said around a decision is said in full in each language, and differs from English."""
    english, said = catalog()["en"], catalog()[language]

    assert english.keys() == said.keys()
    assert all(set(placeholders(english[name])) == set(placeholders(said[name])) for name in english)
    assert language == "en" or not [name for name in english if english[name] == said[name]]


def test_a_language_without_phrases_is_answered_in_english() -> None:
    """A pack may speak a language that the engine does not."""
    assert phrases("fi-FI") == phrases("en")
    assert phrases("sv-FI") == phrases("sv")


@pytest.mark.parametrize("language", ["el", "pl", "sv", "lv"])
def test_no_decision_of_the_shipped_policy_falls_back_to_english(language: str) -> None:
    """Every text of every case is another one in each other language."""
    gate = open_policy(ROOT / "rules", as_of="2026-11-22")
    english: set[str] = set()
    said: set[str] = set()
    for case in gate.pack.cases:
        request = request_of(case)
        english.update(_texts(gate.decide(request)))
        said.update(_texts(gate.decide(request, locale=language)))

    assert len(said) > 100
    assert english & said == set()


def _texts(decision: Decision) -> Iterator[str]:
    for reason in decision.reasons:
        yield from (text for text in (reason.text, reason.remedy) if text)
    yield from (duty.text for duty in decision.obligations)
    yield from (advice.text for advice in decision.advice)
    for procedure in decision.procedure:
        yield from procedure.steps
