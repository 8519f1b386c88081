"""How what a pack holds is shown in one language: names, values, texts with their placeholders, ranges."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from engine.book.axes import Axis, Point
from engine.book.contents import Contents
from engine.book.matrices import Cell, Matrix
from engine.book.words import teller
from engine.cases import readings_of
from engine.condition import READING, Condition, Fact
from engine.model import Action, Case, Choice, FactDeclaration, Rule, Span, Texts
from engine.prose import Piece, Prose, Said, plain
from engine.texts import PLACEHOLDER, base_language
from engine.texts import say as say_value
from engine.values import Money, Value

# In which order the effects of rules are told: as outcomes are made, then what goes with them.
ORDER = ("deny", "only_by", "defer", "allow", "oblige", "advise", "guide")

# What stands where there is nothing, and between the first and the last day.
_NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class Notes:
    """The rules behind the cells of a matrix, numbered in the order in which they first appear."""

    rules: tuple[str, ...]

    def of(self, cell: Cell) -> list[tuple[int, str]]:
        """The numbers and ids of a cell's rules."""
        return [(self.rules.index(rule) + 1, rule) for rule in cell.rules]


@dataclass(frozen=True)
class Asked:
    """What a case asks: its action, the readings it chooses for itself, and facts with their names and values."""

    action: str | None
    readings: list[tuple[str, str]]
    facts: list[tuple[str, str, str]]


def sent(case: Case) -> dict[str, object]:
    """The facts that a case sends, by path, with `action`; of a whole request what is an entity or the context."""
    if case.given is not None:
        return {path: value for path, value in case.given.items() if not path.startswith(READING)}
    found: dict[str, object] = {}
    for section, content in (case.request or {}).items():
        entity = content if isinstance(content, Mapping) else {}
        namespace = str(entity.get("type", section)) if section == "resource" else section
        for name, value in {**entity, **(entity.get("properties") or {})}.items():
            if name != "properties" and (section, name) not in {("action", "name"), ("resource", "type")}:
                found[f"{namespace}.{name}"] = value
        if section == "action":
            found["action"] = entity.get("name")
    return found


class Shown:
    """What a book says in one of its languages."""

    def __init__(self, contents: Contents, language: str) -> None:
        self.contents = contents
        self.pack = contents.pack
        self.language = language
        self.base = base_language(contents.pack)
        self.t = teller(language)
        self.prose = Prose(contents.pack, language)

    @property
    def other(self) -> str | None:
        """The language of the pack's own words, where it is not that of the page."""
        return None if self.base == self.language else self.base

    def fact(self, path: str) -> str:
        """The name of a fact."""
        return self.prose.fact(path)

    def value(self, path: str, value: object) -> str:
        """A value of a fact; what the fact cannot have as it was written."""
        try:
            return self.prose.value(path, value)
        except (ValueError, TypeError, KeyError):
            return str(value)

    def cell(self, value: Value) -> str:
        """A value that stands in a table."""
        return say_value(value, self.language)

    def day(self, day: datetime.date | None) -> str:
        """A day."""
        return "" if day is None else say_value(day, self.language)

    def number(self, number: int) -> str:
        """A number of things."""
        return say_value(number, self.language)

    def say(self, condition: Condition) -> Said:
        """A condition in words."""
        return self.prose.say(condition)

    def define(self, fact: FactDeclaration) -> Said | None:
        """How a fact comes about that the request does not give."""
        return self.prose.define(fact)

    def text(self, text: str) -> tuple[Piece, ...]:
        """A text of a rule, its placeholders as names of facts."""
        pieces, end = [], 0
        for found in PLACEHOLDER.finditer(text):
            pieces += [Piece("text", text[end : found.start()]), Piece("fact", self.fact(found[1]), found[1])]
            end = found.end()
        return (*pieces, Piece("text", text[end:]))

    def texts(self, rule: Rule, language: str) -> Texts | None:
        """The texts of a rule in a language; None where they are not translated."""
        effect = rule.effect
        deadline = None if isinstance(effect.deadline, Fact) else effect.deadline
        if language == self.base:
            return Texts(effect.text, rule.title, effect.remedy, deadline, effect.steps)
        found = self.pack.translations.get(language, {}).get(rule.id)
        # A translation that is one text may stand for any part; only what the rule has counts.
        return found and replace(
            found,
            text=found.text if effect.text else None,
            remedy=found.remedy if effect.remedy else None,
            deadline=found.deadline if deadline else None,
            steps=found.steps if effect.steps else None,
        )

    def told(self, rule: Rule) -> tuple[Texts, str]:
        """The texts of a rule in the language of the page, or in its own, and which language that is."""
        texts = self.texts(rule, self.language)
        if texts is not None:
            return texts, self.language
        own = self.texts(rule, self.base)
        assert own is not None
        return own, self.base

    def title(self, rule: Rule) -> str:
        """The title of a rule in the language of the page, else in its own, else none."""
        texts = self.texts(rule, self.language)
        return (texts and texts.title) or rule.title

    def title_language(self, rule: Rule) -> str:
        """The language of that title."""
        texts = self.texts(rule, self.language)
        return self.language if texts and texts.title else self.base

    def deadline_fact(self, rule: Rule) -> str | None:
        """The fact that holds the deadline of a duty."""
        deadline = rule.effect.deadline
        return deadline.path if isinstance(deadline, Fact) else None

    def route(self, rule: Rule) -> str:
        """The route of an `only_by`: a value, or the name of the fact that holds it."""
        route, fact = rule.effect.route, self.pack.route
        if isinstance(route, Fact):
            return self.fact(route.path)
        return self.value(fact.path, route) if fact and route is not None else ""

    def by_effect(self, rules: Iterable[Rule]) -> list[tuple[str, list[Rule]]]:
        """Rules by what they say, in the order of ORDER."""
        ordered = sorted(rules, key=lambda rule: (ORDER.index(rule.effect.kind), rule.id))
        return [(kind, list(group)) for kind, group in groupby(ordered, key=lambda rule: rule.effect.kind)]

    def readings_of(self, rule: Rule) -> list[str]:
        """The readings that a rule reads, sorted."""
        return sorted(path.removeprefix(READING) for path in self.contents.reads[rule.id] if path.startswith(READING))

    def unconfirmed_of(self, rule: Rule) -> list[str]:
        """The unconfirmed cells that a rule may read."""
        cells = self.contents.unconfirmed
        return sorted({cell for path in self.contents.reads[rule.id] for cell in cells.get(path, ())})

    def facts_of(self, action: Action) -> list[FactDeclaration]:
        """The facts that an action's rules read: its properties as declared, then the others by path."""
        reads = set(self.contents.policy.actions[action.name].reads)
        own = [path for path in action.properties if path in reads]
        return [self.pack.facts[path] for path in (*own, *sorted(reads - set(own)))]

    def is_choice(self, fact: FactDeclaration, action: Action | None) -> bool:
        """Whether the asker picks it: of a property each action says so itself."""
        return fact.path in action.choices if action and fact.path.startswith("action.") else fact.choice

    def point(self, axis: Axis, point: Point) -> str:
        """A value or a range of values on an axis of a matrix."""
        if axis.path and self.pack.facts[axis.path].type.kind in ("integer", "number", "money"):
            return self._range(axis.path, point)
        return self.value(axis.path, point.sample)

    def _range(self, path: str, point: Point) -> str:
        low, high = (None if end is None else self.value(path, end) for end in (point.low, point.high))
        if low is not None and high is not None:
            return low if low == high else self.t("range.between", low=low, high=high)
        if high is not None:
            return self.t("range.to", high=high)
        return self.t("range.from", low=low) if low is not None else self.t("range.any")

    def notes(self, matrix: Matrix) -> Notes:
        """The numbered rules behind the cells of a matrix."""
        return Notes(tuple(dict.fromkeys(rule for row in matrix.rows for cell in row.cells for rule in cell.rules)))

    def covered(self) -> tuple[list[str], list[str]]:
        """The rules that the cases cover, and those that they do not."""
        coverage = self.contents.coverage
        uncovered = sorted({*coverage.undecided, *coverage.not_missed})
        return [rule for rule in coverage.decided if rule not in uncovered], uncovered

    def asked(self, case: Case) -> Asked:
        """What a case asks, as shown."""
        facts = [
            (path, self.fact(path) if path in self.pack.facts else path, self.value(path, value))
            for path, value in sent(case).items()
            if path != "action"
        ]
        action = sent(case).get("action")
        return Asked(None if action is None else str(action), sorted(readings_of(case).items()), facts)

    def spans(self, spans: Sequence[Span]) -> Sequence[Span]:
        """The values of a cell, the latest first."""
        return sorted(spans, key=lambda span: span.start or datetime.date.min, reverse=True)

    def part(self, value: Any) -> list[str]:
        """A part of something that changed, as lines of text."""
        match value:
            case Mapping():
                return [f"{name}: {'; '.join(self.part(each))}" for name, each in value.items()] or [_NONE]
            case frozenset():
                return sorted(line for each in value for line in self.part(each)) or [_NONE]
            case tuple() | list():
                return [line for each in value for line in self.part(each)] or [_NONE]
            case Span():
                days = (
                    f" {_NONE} ".join(self.day(day) or "…" for day in (value.start, value.end))
                    if value.start or value.end
                    else ""
                )
                return [" · ".join(filter(None, (self.cell(value.value), days, value.basis, ", ".join(value.cites))))]
            case Choice():
                chosen = self.fact(value.value.path) if isinstance(value.value, Fact) else self.cell(value.value)
                return [f"{chosen}: {plain(self.say(value.condition))}"]
            case Fact():
                return [self.fact(value.path)]
            case bool() | int() | Decimal() | Money() | datetime.date() | str():
                return [self.cell(value)]
            case _:
                return [str(value)]
