"""The words of the book itself, in each language (`words.json`); what belongs to a pack is in the pack."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from engine.phrases import BASE, phrases


def words(language: str) -> Mapping[str, str]:
    """The words of a language such as `sv` or `sv-FI`, by name; the English ones where there are none."""
    known = catalog()
    return known.get(_plain(language), known[BASE])


def has_words(language: str) -> bool:
    """Whether the book itself speaks the language."""
    return _plain(language) in catalog()


def teller(language: str) -> Callable[..., str]:
    """A function that gives the word or phrase of a name, filled in; raises KeyError for a name there is not."""
    known = {**phrases(language), **words(language)}

    def tell(name: str, /, **values: object) -> str:
        text = known[name]
        return text.format(**values) if values else text

    return tell


def _plain(language: str) -> str:
    return language.split("-", maxsplit=1)[0].lower()


@cache
def catalog() -> Mapping[str, Mapping[str, str]]:
    """All words, by language and name."""
    text = Path(__file__).with_name("words.json").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, str]] = json.loads(text)
    return found
