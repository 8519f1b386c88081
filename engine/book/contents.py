"""The contents of a book: everything that is worked out once, whatever the language it is told in."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import PurePath
from typing import Any

from engine.book.changes import Changes, changes
from engine.book.effects import OptionEffect, effects
from engine.book.matrices import Matrix, matrices
from engine.cases import Coverage, Report, Result, coverage_of, run_cases
from engine.finding import Place
from engine.gate import Gate
from engine.model import Pack, Rule
from engine.policy import Policy
from engine.register import register
from engine.resolve import change_dates, closure, rule_reads
from engine.situation import DATE
from engine.values import NotAValue, parse_date

# The day of a book of a pack in which no day is named; any would do.
SOME_DAY = datetime.date(2000, 1, 1)


class Contents:
    """What a book tells of a policy on one day. Each part is worked out once, when it is first wanted.

    `gates[n]` is the stack of the first n + 1 packs, all as of the same day; `folders` are those of the packs, and
    places are told without them. `older` is the policy from which changes are told, as of the same day.
    """

    def __init__(self, gates: Sequence[Gate], folders: Sequence[str], older: Gate | None = None) -> None:
        self.gates = tuple(gates)
        self.gate = gates[-1]
        self.pack: Pack = self.gate.pack
        self.older = older
        self._folders = tuple(folders)
        self._matrices: dict[str, tuple[Matrix, ...]] = {}

    def work_out(self, progress: Callable[[], None] = lambda: None) -> None:
        """Work everything out now; `progress` is called once for each case and once for each action."""
        self._report = run_cases(self.gates, progress)
        for action in self.pack.actions:
            self.matrices(action)
            progress()
        _ = self.register, self.effects, self.changes

    @cached_property
    def _report(self) -> Report:
        return run_cases(self.gates)

    @property
    def results(self) -> tuple[Result, ...]:
        """The results of the pack's cases, in their order."""
        return self._report.results

    @cached_property
    def coverage(self) -> Coverage:
        """How well the cases cover the rules."""
        worked_out = self.__dict__.get("_report")
        return coverage_of(self.gate) if worked_out is None else worked_out.coverage

    @cached_property
    def register(self) -> Mapping[str, Any]:
        """The register of the sources."""
        return register(self.pack, self.results)

    @cached_property
    def effects(self) -> Mapping[str, tuple[OptionEffect, ...]]:
        """What each other option of a reading would change, by reading."""
        return effects(self.gate, self.results)

    @cached_property
    def changes(self) -> Changes | None:
        """What has changed since the older policy, where there is one."""
        return None if self.older is None else changes(self.older, self.gate)

    def matrices(self, action: str) -> tuple[Matrix, ...]:
        """The decision tables of an action."""
        if action not in self._matrices:
            self._matrices[action] = matrices(self.gate, action, self.pack.cases)
        return self._matrices[action]

    @cached_property
    def policy(self) -> Policy:
        """The policy on the day of the book."""
        return self.gate.today()

    @property
    def day(self) -> datetime.date:
        """The day of the book."""
        assert self.gate.as_of is not None
        return self.gate.as_of

    @cached_property
    def is_dated(self) -> bool:
        """Whether the day of the book matters: something in the pack has dates, or reads the day."""
        return bool(change_dates(self.pack)) or DATE in self.readers

    @cached_property
    def reads(self) -> Mapping[str, frozenset[str]]:
        """The facts and readings that each rule reads, by its id: through worked-out facts, defaults and look-ups, too."""
        return {
            rule.id: frozenset(closure(self.pack, rule_reads(self.pack, rule))) for rule in self.pack.rules.values()
        }

    @cached_property
    def readers(self) -> Mapping[str, tuple[str, ...]]:
        """The ids of the rules that read each fact or reading, by its path, sorted."""
        found: dict[str, list[str]] = {}
        for rule in sorted(self.reads):
            for path in self.reads[rule]:
                found.setdefault(path, []).append(rule)
        return {path: tuple(rules) for path, rules in found.items()}

    @cached_property
    def overridden(self) -> Mapping[str, tuple[str, ...]]:
        """The rules that override each rule, by its id."""
        found: dict[str, list[str]] = {}
        for rule in sorted(self.pack.rules.values(), key=lambda each: each.id):
            for other in rule.overrides:
                found.setdefault(other, []).append(rule.id)
        return {rule: tuple(others) for rule, others in found.items()}

    @cached_property
    def unconfirmed(self) -> Mapping[str, tuple[str, ...]]:
        """The cells (`table.row.column`) with unconfirmed values that each looked-up fact may hold, by its path."""
        found: dict[str, tuple[str, ...]] = {}
        for fact in self.pack.facts.values():
            if fact.lookup and fact.lookup.table in self.pack.tables:
                column, table = fact.lookup.column, self.pack.tables[fact.lookup.table]
                cells = ((key, row.get(column, ())) for key, row in table.rows.items())
                found[fact.path] = tuple(
                    f"{table.name}.{key}.{column}"
                    for key, spans in cells
                    if any(span.basis == "unconfirmed" for span in spans)
                )
        return {path: cells for path, cells in found.items() if cells}

    def rules_of(self, action: str) -> tuple[Rule, ...]:
        """The rules of an action, in force or not, by id."""
        return tuple(rule for _, rule in sorted(self.pack.rules.items()) if action in rule.actions)

    def file(self, place: Place) -> str:
        """The file of a place, without the folder of its pack."""
        path = PurePath(place.file)
        for folder in sorted(self._folders, key=len, reverse=True):
            if path != PurePath(folder) and path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return path.name


def dated(gates: Sequence[Gate]) -> list[Gate]:
    """The policies of a stack as of the day of its book: their own, else the one that the whole pack tells."""
    day = gates[-1].as_of or book_day(gates[-1].pack)
    return [Gate(gate.pack, day, version=gate.version) for gate in gates]


def book_day(pack: Pack) -> datetime.date:
    """The day of a book where none is asked for, so that the same pack gives the same book.

    It is the day that most of the pack's cases are put on, else the day of the last change in the pack.
    """
    days: Counter[datetime.date] = Counter()
    for case in pack.cases:
        context = (case.request or {}).get("context")
        named = context.get("date") if isinstance(context, Mapping) else (case.given or {}).get(DATE)
        try:
            days[parse_date(named)] += 1
        except NotAValue:
            continue
    if days:
        return max(days, key=lambda day: (days[day], day))
    return max(change_dates(pack), default=SOME_DAY)
