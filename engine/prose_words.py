"""The words that prose is made of, in each language (`prose.json`): templates, and the words that these keep for themselves.

A template is text with slots in braces; `[is|are]` is said in the singular or in the plural. `{f}` is the fact that
a test is about, `{0}`, `{1}` and `{list}` are what it is compared with, `{d}` is a description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from string import Formatter
from typing import Any, TypeAlias

from engine.phrases import BASE
from engine.values import Type

# Literal text and the slot after it (empty where the template ends), in turn.
Template: TypeAlias = tuple[tuple[str, str], ...]
_NUMBERED = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")
_GROUPS = {
    "integer": "number",
    "number": "number",
    "money": "number",
    "date": "date",
    "string": "string",
    "boolean": "boolean",
    "list": "list",
}


@cache
def grammar(language: str) -> Grammar:
    """The grammar of a language such as `sv` or `sv-FI`; the English one where there is none."""
    found = catalog()
    known = language.split("-", maxsplit=1)[0].lower()
    return Grammar(found[known if known in found else BASE])


@cache
def catalog() -> Mapping[str, Mapping[str, Any]]:
    """All words, by language, as they are in `prose.json`."""
    found: Mapping[str, Mapping[str, Any]] = json.loads(
        Path(__file__).with_name("prose.json").read_text(encoding="utf-8")
    )
    return found


def group_of(kind: Type) -> str:
    """The group of tests that facts of the type share: `text`, `level` (of ordered enums), `number`, and so on."""
    return "level" if kind.ordered else _GROUPS.get(kind.kind, "text")


class Grammar:
    """The templates of one language, read once."""

    def __init__(self, words: Mapping[str, Any]) -> None:
        self.words = words
        self._tests: dict[tuple[str, str, bool], Template] = {}
        self._continuations: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, section: str) -> Any:
        return self.words[section]

    def test(self, group: str, name: str, *, plural: bool = False) -> Template:
        """The template of a test in a group; what the group does not say itself it says like `text`."""
        key = (group, name, plural)
        if key not in self._tests:
            written = self._group(group)
            self._tests[key] = parse(written.get(name, written[name.removesuffix(":fact")]), plural=plural)
        return self._tests[key]

    def continuations(self, group: str) -> tuple[str, ...]:
        """What would turn the start of one test of the group into that of another: `not ` after `is `, and so on."""
        if group not in self._continuations:
            leads = {literals[0] for each in self._group(group).values() for literals in _literals(each)}
            found = {
                long.removeprefix(short)
                for short in leads
                for long in leads
                if long != short and long.startswith(short)
            }
            self._continuations[group] = tuple(sorted(found))
        return self._continuations[group]

    def _group(self, group: str) -> Mapping[str, str]:
        return {**self["tests"]["text"], **self["tests"].get(group, {})}

    @cached_property
    def verbs(self) -> frozenset[str]:
        """The words that may follow the fact which a test is about."""
        return frozenset(word for literals in self._all() for word in _first_word(literals[0]))

    @cached_property
    def stops(self) -> frozenset[str]:
        """The words that may follow what a fact is compared with."""
        found = [word for literals in self._all() for literal in literals[1:] for word in _first_word(literal)]
        return frozenset(found) | {word for joiner in self.joiners for word in _first_word(joiner)}

    def _all(self) -> Iterator[tuple[str, ...]]:
        return (found for tests in self["tests"].values() for each in tests.values() for found in _literals(each))

    @cached_property
    def joiners(self) -> tuple[str, str]:
        """What stands between two tests that must both hold, and between two of which one must."""
        return _between(self["sentences"]["all"]), _between(self["sentences"]["any"])

    @cached_property
    def openings(self) -> tuple[str, ...]:
        """How sentences begin that do not begin with a fact."""
        whole = [*self["sentences"].values(), *self["whether"].values()]
        starts = [parse(each)[0][0] for each in whole]
        return tuple(start for start in (*starts, *self["heads"].values()) if start)

    @cached_property
    def linkers(self) -> frozenset[str]:
        """The words that end what the number of a name is told by: `days` in `days since cancellation`."""
        return frozenset(self.words.get("linkers", "").split())

    def subordinate(self, opening: str) -> str | None:
        """The words that a sentence or head begins with, as they are after `when`; None where they stay as they are."""
        ordered = self.words.get("subordinate", {}).get(opening.strip())
        return None if ordered is None else opening.replace(opening.strip(), ordered)

    @cached_property
    def always_quoted(self) -> frozenset[str]:
        """What begins with one of these words is always quoted: `it is true that that …` reads badly."""
        return frozenset(self.words.get("always_quoted", "").split())

    def is_plural(self, name: str) -> bool:
        """Whether a name of several words names several things, as far as its form tells; only some languages ask."""
        head: list[str] = []
        for word in name.split():
            if word in self.linkers:
                break
            head.append(word)
        while len(head) > 1 and head[-1].endswith("ed"):
            head.pop()
        return bool(self.linkers and head) and head[-1].endswith("s") and not head[-1].endswith(("ss", "us", "is"))


def parse(template: str, *, plural: bool = False) -> Template:
    """A template, taken apart."""
    chosen = _NUMBERED.sub(lambda found: found[2 if plural else 1], template)
    return tuple((literal, slot or "") for literal, slot, _, _ in Formatter().parse(chosen))


def _literals(template: str) -> Iterator[tuple[str, ...]]:
    """What stands after the fact in a template: the literals around the other slots, in the singular and the plural."""
    for plural in (False, True):
        (_, first), *rest = parse(template, plural=plural)
        assert first == "f"
        yield tuple(literal for literal, _ in rest)


def _first_word(literal: str) -> list[str]:
    return literal.split()[:1] if literal.startswith(" ") else []


def _between(template: str) -> str:
    return parse(template)[1][0]
