"""Texts of rules, filled in and in the asker's language: the one door of Babel.

Placeholders name facts in braces. Numbers, money and dates take the form of the locale, in full: nothing
is rounded. Values come from requests, so control characters in them are shown escaped.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.condition import Fact
from engine.finding import escape
from engine.kleene import Known
from engine.model import Pack, Rule, Texts
from engine.phrases import BASE, phrases
from engine.situation import Situation
from engine.values import Money, Value

if TYPE_CHECKING:
    from babel import Locale

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def placeholders(text: str) -> Iterator[str]:
    """What stands in braces in a text, in order."""
    return (found[1] for found in PLACEHOLDER.finditer(text))


def base_language(pack: Pack) -> str:
    """The language that the rules themselves are written in: English, or the first the policy names."""
    return BASE if BASE in pack.languages else pack.languages[0]


def language_for(pack: Pack, locale: str) -> str | None:
    """The policy's language for a locale such as `el` or `el-GR`; None if it has none."""
    wanted = locale.replace("_", "-").lower()
    for candidate in (wanted, wanted.split("-")[0]):
        for language in pack.languages:
            if language.lower() == candidate:
                return language
    return None


class Speaker:
    """Says the texts of rules in one language; what is not translated is said in the rules' own language."""

    def __init__(self, pack: Pack, locale: str = BASE) -> None:
        self.language = language_for(pack, locale) or base_language(pack)
        self._texts = pack.translations.get(self.language, {})

    def text(self, rule: Rule, situation: Situation) -> str:
        """The text of the rule's effect."""
        return self._fill(self._of(rule).text or rule.effect.text, situation)

    def remedy(self, rule: Rule, situation: Situation) -> str | None:
        """How the asker can cure a deny, or None."""
        if rule.effect.remedy is None:
            return None
        return self._fill(self._of(rule).remedy or rule.effect.remedy, situation)

    def steps(self, rule: Rule, situation: Situation) -> tuple[str, ...]:
        """The steps of a guide."""
        return tuple(self._fill(step, situation) for step in self._of(rule).steps or rule.effect.steps)

    def deadline(self, rule: Rule, situation: Situation) -> str | None:
        """When a duty is due: a text, or the day `YYYY-MM-DD` that a date fact holds; None if it is not known."""
        deadline = rule.effect.deadline
        if isinstance(deadline, Fact):
            state = situation.state(deadline.path)
            return str(state.value) if isinstance(state, Known) else None
        return None if deadline is None else self._fill(self._of(rule).deadline or deadline, situation)

    def _of(self, rule: Rule) -> Texts:
        return self._texts.get(rule.id) or _UNTRANSLATED

    def _fill(self, text: str, situation: Situation) -> str:
        def value(found: re.Match[str]) -> str:
            state = situation.state(found[1])
            return say(state.value if isinstance(state, Known) else None, self.language)

        return PLACEHOLDER.sub(value, text) if "{" in text else text


_UNTRANSLATED = Texts()


def say(value: Value | None, language: str) -> str:
    """A value as a person reads it in the language; None is *not known*."""
    match value:
        case None:
            return phrases(language)["not_known"]
        case bool():
            return phrases(language)["yes" if value else "no"]
        case int() | Decimal():
            return _number(value, language)
        case Money():
            return _money(value, language)
        case datetime.date():
            return _date(value, language)
        case str():
            return "".join(map(escape, value))
        case _:
            return ", ".join(sorted(say(member, language) for member in value))


@lru_cache(maxsize=4096)
def _number(number: int | Decimal, language: str) -> str:
    from babel.numbers import format_decimal

    return format_decimal(number, locale=_locale(language), decimal_quantization=False)


@lru_cache(maxsize=4096)
def _money(money: Money, language: str) -> str:
    from babel.numbers import format_currency, get_currency_precision

    whole = -int(money.amount.as_tuple().exponent) <= get_currency_precision(money.currency)
    return format_currency(
        money.amount, money.currency, locale=_locale(language), currency_digits=whole, decimal_quantization=whole
    )


@lru_cache(maxsize=4096)
def _date(date: datetime.date, language: str) -> str:
    from babel.dates import format_date

    return format_date(date, format="long", locale=_locale(language))


def language_name(language: str) -> str:
    """The name of a language in itself: `svenska` for `sv`; the code where nobody knows it."""
    return _locale(language).get_display_name() or language if _is_known(language) else language


def _is_known(language: str) -> bool:
    return language == BASE or _locale(language) != _locale(BASE)


@lru_cache(maxsize=64)
def _locale(language: str) -> Locale:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(BASE)
