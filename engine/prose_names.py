"""What facts and values are called in prose: words where these cannot be misread, else the path, or text in quotes.

No two facts of a pack have the same name, and no two values of a type the same text (tests/prose_reader.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cached_property

from engine.condition import READING
from engine.finding import escape
from engine.model import FactDeclaration, Pack
from engine.prose_words import grammar
from engine.texts import base_language, say
from engine.values import STRING, TEXT_KINDS, NotAValue, Type, Value, parse_value

# What can be told as words: `before_next_renewal`, `21vianet`, `NO`.
_REGULAR = re.compile(r"[^\W_]+(?:[_-][^\W_]+)*")
_TOKEN = re.compile(r"[^\W\d](?:[\w.-]*\w)?")
_ID = re.compile(r"\w(?:[\w.-]*\w)?")
_ODD = re.compile(r"[“”„«»`\"\\;:]")
_NEXT_SENTENCE = re.compile(r"; |\.\s+(?=[^\W\d_a-z])")
SEPARATORS = (", ", "; ")
_NAME_COLUMNS = ("name", "title")
_WHETHER = re.compile("Whether (?:or not )?")


class Names:
    """The names of a pack's facts and values in one language."""

    def __init__(self, pack: Pack, language: str) -> None:
        self.pack, self.language = pack, language
        self.grammar = grammar(language)
        self._requested = str(grammar(base_language(pack))["requested"])
        paths = (*pack.facts, *(READING + reading for reading in pack.readings))
        spelled = {path: self._spell(path) for path in paths}
        self._often = Counter(spelled.values())
        self._labels = {path: self._label(path, words) for path, words in spelled.items()}
        self._operands = frozenset(self.named(path) for path in paths)
        self._words: dict[tuple[str | None, str, str], str] = {}

    def label(self, path: str) -> str:
        """What a fact or reading is called: words made of its path, or the path."""
        return self._labels.get(path) or self._bare(path)

    def article(self, path: str) -> str:
        """What stands before the label of a fact or reading in a sentence, with its space; nothing in most languages."""
        return str(self.grammar["reading" if path.startswith(READING) else "fact"]).partition("{")[0]

    def named(self, path: str) -> str:
        """The label with its article."""
        return self.article(path) + self.label(path)

    def type_of(self, path: str) -> Type | None:
        """The type of a fact or reading; None if there is none such."""
        if path.startswith(READING):
            reading = self.pack.readings.get(path.removeprefix(READING))
            return Type("enum", tuple(reading.options)) if reading else None
        fact = self.pack.facts.get(path)
        return fact.type if fact else None

    def _spell(self, path: str) -> str | None:
        """The path in words; None where it cannot be told so."""
        if path.startswith(READING):
            reading = path.removeprefix(READING)
            said = reading if _ID.fullmatch(reading) and reading not in self._reserved else _framed(reading)
            return str(self.grammar["reading_label"]).format(said)
        namespace, _, name = path.rpartition(".")
        parts = [name] if namespace in ("", "context", "action") else [namespace, name]
        if not all(_REGULAR.fullmatch(part) for part in parts):
            return None
        words = " ".join(map(_in_words, parts))
        return f"{self._requested} {words}" if namespace == "action" else words

    def _label(self, path: str, words: str | None) -> str:
        if words and self._often[words] == 1 and (path.startswith(READING) or self._is_clear(words)):
            return words
        return self._bare(path)

    def _is_clear(self, words: str) -> bool:
        """Whether the words are no value, and do not seem to end before their end."""
        return (
            words[0].isalpha()
            and words not in self._fixed
            and not self.grammar.stops & set(words.split(" "))
            and not any(not start or start in self._often for start in self._starts(words))
        )

    def _starts(self, text: str) -> Iterator[str]:
        """What stands in the text before each word that could be the verb of a test."""
        words = text.split(" ")
        return (" ".join(words[:place]) for place, word in enumerate(words) if word in self.grammar.verbs)

    def _bare(self, path: str) -> str:
        return path if _TOKEN.fullmatch(path) and path not in self._reserved else _framed(path)

    @cached_property
    def _reserved(self) -> frozenset[str]:
        return self.grammar.verbs | self.grammar.stops | self._fixed

    def _has_reserved(self, words: Iterable[str]) -> bool:
        return not (self.grammar.verbs | self.grammar.stops).isdisjoint(words)

    @cached_property
    def _fixed(self) -> frozenset[str]:
        """The values that are words of the language."""
        return frozenset((say(True, self.language), say(False, self.language), str(self.grammar["empty"])))

    # Descriptions.

    def description(self, path: str) -> str | None:
        """What a boolean fact says when it is true, by its description (`Whether …`), in quotes where it could be misread.

        None where its description says nothing of the sort, or the same as another one.
        """
        return self._descriptions.get(path)

    def is_sentence(self, description: str) -> bool:
        """Whether the description can be said as a sentence of its own."""
        return "bare" in self.grammar["whether"] and not description.startswith(self.grammar["quotes"][0])

    @cached_property
    def _descriptions(self) -> dict[str, str]:
        found = {path: _whether(fact) for path, fact in self.pack.facts.items()}
        often = Counter(found.values())
        return {path: self._described(text) for path, text in found.items() if text and often[text] == 1}

    def _described(self, text: str) -> str:
        return text if "bare" in self.grammar["whether"] and self._stands_alone(text) else self.quoted(text)

    def _stands_alone(self, text: str) -> bool:
        """Whether the text, said without quotes, is nothing else that could be said."""
        return (
            not text.startswith(self.grammar.openings)
            and text.split(" ", maxsplit=1)[0] not in self.grammar.always_quoted
            and self._is_harmless(text)
            and not any(start in self._operands for start in self._starts(text))
        )

    def _is_harmless(self, text: str) -> bool:
        joined = any(joiner in text for joiner in self.grammar.joiners)
        return not joined and _ODD.search(text) is None and all(text.split(" ")) and _shown(text) == text

    # Values.

    def value(self, value: Value, kind: Type, group: str) -> str:
        """The text of a value of the type, as the tests of the group say it."""
        match value:
            case frozenset():
                return self.listed(sorted(self.value(each, kind.item or kind, group) for each in value))
            case str() if kind.kind in ("enum", "key"):
                key = (kind.table, group, value)
                if key not in self._words:
                    self._words[key] = self._word(value, kind, group)
                return self._words[key]
            case str():
                return self.quoted(value)
            case _:
                return say(value, self.language)

    def read(self, path: str, raw: object) -> Value:
        """The value of the fact at the path that raw data stands for; text where it stands for none."""
        kind = self.type_of(path) or STRING
        fact = self.pack.facts.get(path)
        if kind.kind in TEXT_KINDS:
            return str(raw)
        if kind.kind == "money" and isinstance(raw, int | Decimal) and not raw:
            return 0
        try:
            return parse_value(raw, kind, fact.currency if fact and isinstance(fact.currency, str) else None)
        except NotAValue:
            return str(raw)

    def listed(self, texts: list[str]) -> str:
        """Several texts as one."""
        return separator(texts).join(texts) or str(self.grammar["empty"])

    def quoted(self, text: str) -> str:
        """The text in quotes; control characters, quotes and backslashes in it are escaped."""
        start, end = self.grammar["quotes"]
        return f"{start}{_shown(text, start + end)}{end}"

    def _word(self, value: str, kind: Type, group: str) -> str:
        if not _REGULAR.fullmatch(value):
            return self.quoted(value)
        name = self._row_name(value, kind)
        if name and self._is_name(name, group):
            return f"{name} ({value})"
        words = _in_words(value)
        return words if self._is_plain(words, group) else self.quoted(value)

    def _is_plain(self, words: str, group: str) -> bool:
        taken = words in self._operands or words in self._fixed or self._has_reserved(words.split(" "))
        return not taken and self._is_free(words, group)

    def _row_name(self, key: str, kind: Type) -> str:
        """What the row of a key is called in its own table, where that is one text."""
        table = self.pack.tables.get(kind.table or "")
        if table is None:
            return ""
        column = next((name for name in _NAME_COLUMNS if table.columns.get(name) == STRING), "")
        spans = table.rows.get(key, {}).get(column, ())
        return str(spans[0].value) if len(spans) == 1 else ""

    def _is_free(self, text: str, group: str) -> bool:
        """Whether the text does not make the words of a test before it into those of another one."""
        return not any(
            f"{text} ".startswith(start) if start.endswith(" ") else text == start
            for start in self.grammar.continuations(group)
        )

    def _is_name(self, name: str, group: str) -> bool:
        words = {word.strip(",()") for word in name.split(" ")}
        return self._is_harmless(name) and self._is_free(name, group) and not self._has_reserved(words)


def separator(texts: list[str]) -> str:
    """What stands between several texts: a semicolon where one of them has a comma in it."""
    return SEPARATORS["," in "".join(texts)]


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def _framed(path: str) -> str:
    return f"`{_shown(path, '`')}`"


def _shown(text: str, quotes: str = "") -> str:
    """The text with what would steer or hide text escaped; within quotes, also these and backslashes."""
    return "".join(f"\\{each}" if quotes and each in f"{quotes}\\" else escape(each) for each in text)


def _whether(fact: FactDeclaration) -> str:
    """The first sentence of a description that begins with `Whether`, without that word; else nothing."""
    begun = _WHETHER.match(fact.description)
    if fact.type.kind != "boolean" or begun is None:
        return ""
    return _NEXT_SENTENCE.split(fact.description[begun.end() :].strip())[0].removesuffix(".")
