"""The lanes of a policy: where the compiled engine decides without a detour."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from engine.compiled import Compiled
from engine.counter import Counted, Counter
from engine.decision import Decision
from engine.lane import Lane
from engine.model import Pack
from engine.program import Block
from engine.reading import LongWay
from engine.request import read_request
from engine.situation import DATE, Invalid
from engine.telling import Facts, OddTelling, Telling, Voice
from engine.texts import base_language, language_for
from engine.values import NotAValue, parse_date

# An action on a day, in a language: its lane, the verdicts known so far, how they are told, how others are found.
Opened: TypeAlias = tuple[Lane, dict[Any, Counted], Telling | Callable[[Block | None], Telling], Counter]
# How many days, actions and languages a policy keeps lanes open for.
MAX_OPEN = 20_000


class Lanes:
    """The lanes of a policy, made as they are needed.

    `compiled` gives the code of an action's rules as of a day; it is one and the same from one change of
    the policy to the next.
    """

    def __init__(self, pack: Pack, version: str, compiled: Callable[[str, datetime.date], Compiled]) -> None:
        self._pack = pack
        self._compiled = compiled
        self._counter = lru_cache(maxsize=1024)(lambda code: Counter(pack, code))
        self._voice = lru_cache(maxsize=1024)(lambda program, language: Voice(pack, version, program, language))
        self._sealed = DATE in pack.facts and pack.facts[DATE].sealed
        self._days: dict[str, datetime.date] = {}
        self._open: dict[tuple[str, datetime.date, str], Opened] = {}

    def decide(self, request: Any, today: datetime.date, locale: str) -> Decision | None:
        """The decision on a request, for its own day or today; None where it has to go the long way."""
        try:
            context = request.get("context")
            day = self._day(context, today) if context and "date" in context else today
            action = request["action"]
            if action.__class__ is not dict or request.__class__ is not dict:
                return None
            made = self._open.get((action["name"], day, locale))
        except (NotAValue, TypeError, KeyError, AttributeError):
            return None
        if made is None and action["name"] not in self._pack.actions:
            return None
        lane, known, teller, counter = made or self._make(action["name"], day, locale)
        try:
            found = lane(request, action, day, known, teller)
        except (LongWay, TypeError):
            return None
        if found.__class__ is Decision:
            return found
        key, telling, facts, strange, bad = found
        if strange or bad is not None:
            warnings = read_request(request, self._pack).warnings if strange else ()
            return _odd(counter, key, telling, facts, bad, warnings)
        verdict = known.get(key) or counter.count(key)
        return (
            _clashing(counter, verdict, telling, facts, (), ()) if verdict.clash else Decision(verdict, telling, facts)
        )

    def _day(self, context: Mapping[str, Any], today: datetime.date) -> datetime.date:
        given = context["date"]
        if given is None or self._sealed:
            return today
        day = self._days.get(given)
        if day is None:
            day = parse_date(given)
            if len(self._days) < MAX_OPEN and given.__class__ is str:
                self._days[given] = day
        return day

    def _make(self, action: str, day: datetime.date, locale: str) -> Opened:
        counter = self._counter(self._compiled(action, day))
        voice = self._voice(counter.program, language_for(self._pack, locale) or base_language(self._pack))
        if len(self._open) >= MAX_OPEN:
            self._open.clear()
        teller = voice.telling if counter.program.buckets else voice.telling(None)
        made = self._open[(action, day, locale)] = (counter.lane, counter.counted, teller, counter)
        return made


def _odd(counter: Counter, key: Any, telling: Telling, facts: Facts, bad: Any, warnings: tuple[str, ...]) -> Decision:
    """The decision where facts are invalid, or nobody declared them."""
    invalid = tuple(sorted(_listed(bad), key=lambda each: each.path))
    verdict = counter.spoiled(key, frozenset(each.path for each in invalid))
    if verdict.clash or (invalid and verdict.tally.undecided):
        return _clashing(counter, verdict, telling, facts, invalid, warnings)
    return Decision(verdict, OddTelling(telling, invalid, warnings), facts)


def _clashing(
    counter: Counter,
    verdict: Counted,
    telling: Telling,
    facts: Facts,
    bad: tuple[Invalid, ...],
    warnings: tuple[str, ...],
) -> Decision:
    """The decision where something invalid may be what keeps the outcome open."""
    why = telling.why(verdict, facts, bad)
    if why.invalid or why.clashes:
        verdict = counter.invalidated(verdict)
    return Decision(verdict, OddTelling(telling, bad, warnings), facts)


def _listed(bad: Any) -> Iterator[Invalid]:
    """The invalid facts that a lane found, from its pairs."""
    while bad is not None:
        bad, found = bad
        yield found
