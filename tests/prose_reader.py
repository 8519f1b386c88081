"""Reads prose back: the plain text of a condition gives that condition, and no other.

The reader knows the pack's vocabulary and the words of `prose.json`. It looks for every way in which a text can be
read, and takes none if there are several: so whatever it reads, nobody can misread.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, cached_property
from typing import Any as Anything

from babel import Locale
from babel.dates import get_month_names
from babel.numbers import get_currency_symbol, list_currencies

from engine.condition import READING, All, Any, Compare, Condition, Fact, Not, Operand, Presence, operators_for
from engine.model import Pack
from engine.prose import Prose, Sentence
from engine.prose_words import catalog, group_of, parse
from engine.texts import say
from engine.values import BOOLEAN, Money, NotAValue, Type, exact

WHETHER: dict[str, tuple[str, bool]] = {
    "true": ("is", True), "bare": ("is", True), "false": ("is", False),
    "not_true": ("is_not", True), "not_false": ("is_not", False),
}  # fmt: skip


class MisreadError(Exception):
    """A text that can be read in no way, or in several."""


@dataclass
class Line:
    """A line of prose, without its dash, and those below it."""

    text: str
    below: list[Line] = field(default_factory=list)


class Reader:
    """Reads the prose of one pack in one language."""

    def __init__(self, pack: Pack, language: str) -> None:
        self.pack, self.language = pack, language
        self.words = catalog()[language]
        self.prose = Prose(pack, language)
        paths = (*pack.facts, *(READING + reading for reading in pack.readings))
        self.names = {self._article(path).format(self.prose.fact(path)): path for path in paths}
        assert len(self.names) == len(paths), "two facts have one name"

    def read(self, text: str) -> Condition:
        """The one condition that the text says; raises MisreadError if there is none, or a second."""
        return self._condition(_outline(text))

    def _condition(self, line: Line) -> Condition:
        if not line.below:
            found: Condition = _only(self._sentence(line.text), line.text)
            return found
        terms = tuple(map(self._condition, line.below))
        heads = [name for name, head in self.words["heads"].items() if head == line.text]
        match _only(heads, line.text):
            case "all":
                return All(terms)
            case "any":
                return Any(terms)
            case "none" | "none_one":
                return Not(Any(terms))
            case _:
                (term,) = terms
                return Not(term)

    def _sentence(self, text: str) -> Iterator[Condition]:
        yield from self._test(text)
        if text in (self.words["heads"]["always"], self.words["heads"]["never"]):
            yield All(()) if text == self.words["heads"]["always"] else Any(())
        for (negated,) in _slots(self.words["sentences"]["not"], text):
            yield from map(Not, self._negated(negated))
        for (negated,) in _slots(self.words["sentences"]["none"], text):
            yield from (Not(Any((term,))) for term in self._negated(negated))
        for name, combined in (("all", All), ("any", Any)):
            for left, right in _slots(self.words["sentences"][name], text):
                yield from (combined((one, other)) for one in self._test(left) for other in self._test(right))

    def _negated(self, text: str) -> Iterator[Condition]:
        if text in self._descriptions:
            yield _whether(self._descriptions[text], "true")
        yield from self._test(text)

    def _test(self, text: str) -> Iterator[Condition]:
        for name, template in self.words["whether"].items():
            for (description,) in _slots(template, text):
                if description in self._descriptions:
                    yield _whether(self._descriptions[description], name)
        for name, path in self.names.items():
            if text.startswith(f"{name} "):
                yield from self._compared(path, text.removeprefix(name))

    @cached_property
    def _descriptions(self) -> Mapping[str, str]:
        """What is said of boolean facts instead of their names."""
        found = {}
        for path, fact in self.pack.facts.items():
            if fact.type == BOOLEAN:
                said = self.prose.say(Compare(path, "is", (False,), BOOLEAN))
                assert isinstance(said, Sentence)
                if said.pieces[0].text == self.words["whether"]["false"].partition("{")[0]:
                    assert said.pieces[1].text not in found
                    found[said.pieces[1].text] = path
        return found

    def _compared(self, path: str, rest: str) -> Iterator[Condition]:
        kind = self._type(path)
        group = "reading" if path.startswith(READING) else group_of(kind)
        tests = {**self.words["tests"]["text"], **self.words["tests"].get(group, {})}
        for name, template in tests.items():
            operator, _, about = name.partition(":")
            if operator in ("known", "unknown"):
                yield from (Presence(path, operator == "known") for _ in _slots(template, f"{{f}}{rest}"))
            elif operator in operators_for(kind):
                either = f"{name}:fact" not in tests
                for slots in _slots(template, f"{{f}}{rest}"):
                    for right in self._right(path, kind, "{list}" in template, slots):
                        facts = any(isinstance(each, Fact) for each in right)
                        named = facts and (len(right) == 1 or operator == "between")
                        if either if named and not about else named == bool(about):
                            yield Compare(path, operator, right, kind)

    def _right(self, path: str, kind: Type, listed: bool, slots: tuple[str, ...]) -> Iterator[tuple[Operand, ...]]:
        wanted = kind.item or kind
        for texts in self._lists(slots[0]) if listed else [slots]:
            found = [list(self._operand(path, wanted, text)) for text in texts]
            if all(found):
                yield tuple(_only(each, text) for each, text in zip(found, texts, strict=True))

    def _lists(self, text: str) -> Iterator[tuple[str, ...]]:
        if text == self.words["empty"]:
            yield ()
            return
        yield (text,)
        for separator, semicolon in ((", ", False), ("; ", True)):
            texts = _split(text, separator, self.words["quotes"])
            if len(texts) > 1 and any("," in each for each in texts) == semicolon:
                yield tuple(texts)

    def _operand(self, path: str, kind: Type, text: str) -> Iterator[Operand]:
        if text in self.names:
            yield Fact(self.names[text])
        match kind.kind:
            case "enum" | "key":
                if text in (known := self._known_words(path)):
                    yield known[text]
            case "boolean":
                yield from (value for value in (True, False) if say(value, self.language) == text)
            case "string":
                yield from self._quoted(text)
            case "date":
                yield from self._date(text)
            case "money":
                yield from self._money(text)
            case numeric:
                yield from self._number(text, numeric == "integer")

    def _known_words(self, path: str) -> Mapping[str, str]:
        kind = self._type(path)
        values = (kind.item or kind).values
        if path not in self._words_read:
            texts = {self.prose.value(path, [value] if kind.item else value): value for value in values}
            assert len(texts) == len(set(values)), f"two values of {path} have one text"
            self._words_read[path] = texts
        return self._words_read[path]

    @cached_property
    def _words_read(self) -> dict[str, Mapping[str, str]]:
        return {}

    def _quoted(self, text: str) -> Iterator[str]:
        start, end = self.words["quotes"]
        if len(text) > 1 and text[0] == start and text[-1] == end:
            found = _unescaped(text[1:-1])
            if self.prose.value("no.such_fact", found) == text:
                yield found

    def _number(self, text: str, whole: bool) -> Iterator[Operand]:
        plain = self._plain(text)
        if _NUMBER.fullmatch(plain):
            try:
                number = exact(Decimal(plain))
            except NotAValue:
                return
            value = int(number) if whole and number == int(number) else number
            if say(value, self.language) == text:
                yield value

    def _money(self, text: str) -> Iterator[Operand]:
        if text == "0":
            yield 0
        if (digits := _DIGITS.search(text)) is None:
            return
        symbol = (text[: digits.start()] + text[digits.end() :]).strip("-\u2212\xa0\u202f ")
        sign = "-" if text.startswith(("-", "\u2212")) else ""
        currency = _currencies(self.language).get(symbol, symbol)
        amount = self._plain(digits[0])
        if re.fullmatch("[A-Z]{3}", currency) and _NUMBER.fullmatch(amount):
            money = Money(exact(Decimal(sign + amount)), currency)
            if say(money, self.language) == text:
                yield money

    def _plain(self, number: str) -> str:
        symbols = Locale.parse(self.language).number_symbols["latn"]
        return number.replace(symbols["group"], "").replace(symbols["decimal"], ".").replace(symbols["minusSign"], "-")

    def _date(self, text: str) -> Iterator[datetime.date]:
        numbers = [int(number) for number in re.findall("[0-9]+", text)]
        months = get_month_names("wide", "format", self.language)
        for month in (month for month, name in months.items() if name in text):
            for day, year in (numbers, reversed(numbers)) if len(numbers) == 2 else ():
                if 1 <= day <= 31 and 1 <= year <= 9999:
                    try:
                        date = datetime.date(year, month, day)
                    except ValueError:
                        continue
                    if say(date, self.language) == text:
                        yield date

    def _type(self, path: str) -> Type:
        if path.startswith(READING):
            return Type("enum", tuple(self.pack.readings[path.removeprefix(READING)].options))
        return self.pack.facts[path].type

    def _article(self, path: str) -> str:
        return str(self.words["reading" if path.startswith(READING) else "fact"])


def _whether(path: str, name: str) -> Condition:
    if name in ("known", "unknown"):
        return Presence(path, name == "known")
    operator, value = WHETHER[name]
    return Compare(path, operator, (value,), BOOLEAN)


def _only(found: Iterable[Anything], text: str) -> Anything:
    """The one thing found; several equal ones are one."""
    different: list[Anything] = []
    for each in found:
        if each not in different:
            different.append(each)
    if len(different) != 1:
        raise MisreadError(f"{len(different)} ways to read {text!r}: {different}")
    return different[0]


def _outline(text: str) -> Line:
    """The lines of a text below each other, by their indentation."""
    first, *rest = text.split("\n")
    stack = [Line(first)]
    for line in rest:
        indented, dash, said = line.partition("- ")
        assert dash
        assert not indented.strip()
        depth = len(indented) // 2 + 1
        del stack[depth:]
        stack[-1].below.append(Line(said))
        stack.append(stack[-1].below[-1])
    return stack[0]


def _slots(template: str, text: str) -> Iterator[tuple[str, ...]]:
    """Every way to fill the slots of the template, other than `{f}`, that gives the text."""
    seen = set()
    for plural in (False, True):
        parts = [part for part in parse(template, plural=plural) if part != ("", "f")]
        begun = text.removeprefix("{f}") if "{f}" in template else text
        for found in _filled(list(parts), begun):
            if found not in seen:
                seen.add(found)
                yield found


def _filled(parts: list[tuple[str, str]], text: str) -> Iterator[tuple[str, ...]]:
    if not parts:
        if not text:
            yield ()
        return
    (literal, slot), *rest = parts
    if not text.startswith(literal):
        return
    text = text.removeprefix(literal)
    if not slot:
        yield from _filled(rest, text)
        return
    for end in range(1, len(text) + 1) if rest else [len(text)]:
        if not rest or text.startswith(rest[0][0], end):
            yield from ((text[:end], *more) for more in _filled(rest, text[end:]))


def _split(text: str, separator: str, quotes: str) -> list[str]:
    """The text split where the separator stands outside quotes and backticks."""
    found, start, place, closing = [], 0, 0, ""
    while place < len(text):
        character = text[place]
        if closing and character == "\\":
            place += 1
        elif closing:
            closing = "" if character == closing else closing
        elif character in (quotes[0], "`"):
            closing = quotes[1] if character == quotes[0] else "`"
        elif text.startswith(separator, place):
            found.append(text[start:place])
            start = place + len(separator)
        place += 1
    return [*found, text[start:]]


_DIGITS = re.compile(r"[0-9](?:[0-9.,\s]*[0-9])?")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: found[3] or chr(int(found[1] or found[2], 16)), text)


@cache
def _currencies(language: str) -> Mapping[str, str]:
    codes = sorted(list_currencies())
    found = {get_currency_symbol(code, language): code for code in codes}
    assert len(found) == len(codes), "two currencies have one symbol"
    return found
