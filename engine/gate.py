"""The library's front door: open a policy, ask it, get decisions."""

from __future__ import annotations

import bisect
import datetime
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from engine import reference
from engine.assemble import make_program
from engine.cache import Shelf, Slot, slot, store
from engine.codec import NotEncodable, encode
from engine.compiled import Checked, Compiled, Undirected, adopt, check
from engine.decide import Detail, decide
from engine.decision import Decision
from engine.files import PackFiles, read_files
from engine.finding import Finding, show
from engine.judge import Judgment, judge
from engine.lanes import Lanes
from engine.model import Pack
from engine.policy import ActionRules, Backend, Policy
from engine.request import Asked, read_request
from engine.resolve import change_dates, resolve
from engine.situation import DATE, Situation
from engine.texts import base_language, language_for
from engine.values import NotAValue, parse_date
from engine.version import version_of

Engine = Literal["compiled", "reference", "rete"]
ENGINES: tuple[Engine, ...] = ("compiled", "reference", "rete")


class InvalidRules(Exception):
    """The rules have errors; `findings` holds everything that is wrong with them, warnings and notes too."""

    def __init__(self, findings: tuple[Finding, ...], texts: Mapping[str, str]) -> None:
        errors = [finding for finding in findings if finding.severity == "error"]
        super().__init__("\n".join(show(finding, texts) for finding in errors))
        self.findings = findings
        self.texts = texts


def open_policy(
    rules: str | Path | Sequence[str | Path],
    as_of: datetime.date | str | None = None,
    *,
    engine: Engine = "compiled",
    cache: bool = False,
) -> Gate:
    """The policy in a folder, or in a stack of folders (the first one below).

    `as_of` is the day decided for where a request gives none; without it that is today (UTC). With `cache` the
    policy is kept for the next process, which then need not read and check these rules again.
    Raises InvalidRules if the rules have errors, ValueError if `as_of` is no day `YYYY-MM-DD`.
    """
    day = day_of(as_of)
    packs = [read_files(folder) for folder in ([rules] if isinstance(rules, str | Path) else rules)]
    return open_files(packs, day, engine=engine, cache=cache)


def day_of(as_of: datetime.date | str | None) -> datetime.date | None:
    """The day that was named, None for none; raises ValueError if it is no day `YYYY-MM-DD`."""
    try:
        return None if as_of is None else parse_date(as_of)
    except NotAValue as error:
        raise ValueError(f"`as_of` {error}") from None


def open_files(
    packs: Sequence[PackFiles], as_of: datetime.date | None = None, *, engine: Engine = "compiled", cache: bool = False
) -> Gate:
    """As `open_policy`, of files that have been read; raises InvalidRules."""
    where = slot(packs) if cache else None
    shelf = Shelf(where) if where else None
    pack, version = (shelf and _kept(shelf)) or _checked(packs, where)
    return Gate(pack, as_of, engine, version, shelf)


def _kept(shelf: Shelf) -> tuple[Pack, str] | None:
    """What the cache holds, if that can be used."""
    pack, version = shelf.get("pack"), shelf.get("version")
    return (pack, version) if isinstance(pack, Pack) and isinstance(version, str) else None


def _checked(packs: Sequence[PackFiles], where: Slot | None) -> tuple[Pack, str]:
    """The packs, read and checked, and kept where that can be done; raises InvalidRules."""
    # What reads and checks YAML is loaded only when the cache has no answer.
    from engine.author import check_files  # noqa: PLC0415

    checked = check_files(packs)
    if checked.errors:
        raise InvalidRules(checked.findings, checked.texts)
    version = version_of(checked.pack)
    if where:
        with suppress(NotEncodable):
            store(where, {"pack": encode(checked.pack), "version": encode(version)})
    return checked.pack, version


class Gate:
    """An open policy. Nothing in it changes, and several threads may ask it at once."""

    def __init__(
        self,
        pack: Pack,
        as_of: datetime.date | None = None,
        engine: Engine = "compiled",
        version: str | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.pack = pack
        self.as_of = as_of
        self.engine = engine
        self.version = version or version_of(pack)
        self._shelf = shelf
        self._changes: tuple[datetime.date, ...] = self._keeping("changes", lambda: change_dates(pack))
        self._span = lru_cache(maxsize=64)(self._resolve_span)
        self._code = lru_cache(maxsize=1024)(self._make_code)
        self._lanes = Lanes(pack, self.version, self._compiled)
        self._variant = lru_cache(maxsize=64)(self._with_readings)

    def decide(
        self, request: Mapping[str, Any], detail: Detail = None, locale: str = "en", engine: Engine | None = None
    ) -> Decision:
        """The decision on one request (AuthZEN-shaped data); raises InvalidRequest if it is none.

        `detail="full"` adds alternatives, assumptions and unknown facts; texts are in the language of
        `locale` where the policy has it, else in its own. Raises ValueError for another `detail`.
        """
        if detail is None and (engine or self.engine) == "compiled":
            decision = self._lanes.decide(request, self.as_of or _today(), locale)
            if decision is not None:
                return decision
        elif detail not in (None, "full"):
            raise ValueError(f"`detail` is `full` or None, not `{detail}`")
        asked = read_request(request, self.pack)
        policy = self.policy_for(asked)
        match = self._backend(engine or self.engine, policy, asked)
        return decide(policy, asked, match, detail=detail, locale=locale)

    def decider(self, locale: str = "en") -> Callable[[Mapping[str, Any]], Decision]:
        """`decide` for many requests in a row: the day that is today is the same for all of them."""
        lanes, today = self._lanes.decide, self.as_of or _today()

        def decide_one(request: Mapping[str, Any]) -> Decision:
            decision = lanes(request, today, locale)
            return self.decide(request, None, locale) if decision is None else decision

        return decide_one if self.engine == "compiled" else lambda request: self.decide(request, None, locale)

    def decide_many(
        self, requests: Iterable[Mapping[str, Any]], detail: Detail = None, locale: str = "en"
    ) -> Iterator[Decision]:
        """The decisions on a stream of requests, in order, one at a time."""
        return (self.decide(request, detail, locale) for request in requests)

    def checked(self, request: Mapping[str, Any]) -> Checked | Undirected | None:
        """The request, read and checked, so that `match()` finds the rules that apply; None for an unknown action.

        Raises InvalidRequest.
        """
        asked = read_request(request, self.pack)
        if asked.action is None:
            return None
        policy = self.policy_for(asked)
        self._share(policy, asked)
        return check(policy.actions[asked.action.name], Situation(self.pack, asked.action, asked.given, policy.as_of))

    def judged(self, request: Mapping[str, Any], route: str | None = None) -> tuple[ActionRules, Judgment] | None:
        """The rules of the request's action and their judgment, for explanations; None if the policy knows no such action.

        `route` is the one to look at where the request gives none. Raises InvalidRequest.
        """
        asked = read_request(request, self.pack)
        if asked.action is None:
            return None
        policy = self.policy_for(asked)
        rules = policy.actions[asked.action.name]
        situation = Situation(self.pack, asked.action, asked.given, policy.as_of)
        if rules.route is not None and route is not None:
            situation = situation.but(given={rules.route.path: route})
        return rules, judge(rules, situation, reference.match, route)

    def choosing(self, readings: Mapping[str, str]) -> Gate:
        """The same policy with other options of its readings chosen (by id), to see what they would change."""
        return self._variant(frozenset(readings.items())) if readings else self

    def _with_readings(self, readings: frozenset[tuple[str, str]]) -> Gate:
        chosen = {reading: replace(self.pack.readings[reading], chosen=option) for reading, option in readings}
        return Gate(replace(self.pack, readings={**self.pack.readings, **chosen}), self.as_of, self.engine)

    def language(self, locale: str | None) -> str | None:
        """The policy's language for a locale (its own for None); None if it has no such texts."""
        return base_language(self.pack) if locale is None else language_for(self.pack, locale)

    def today(self) -> Policy:
        """The policy as of its own day, or today."""
        return self.on(self.as_of or _today())

    def policy_for(self, asked: Asked) -> Policy:
        """The policy in force for what was asked: on its own date, or `as_of`, or today (UTC)."""
        return self.on(self._day(asked))

    def on(self, day: datetime.date | None) -> Policy:
        """The policy in force on a day; None is a day that nobody knows."""
        if day is None:
            return self._span(None)
        span = self._span(bisect.bisect_right(self._changes, day))
        return Policy(span.pack, span.version, day, span.actions)

    def _resolve_span(self, index: int | None) -> Policy:
        """The policy of the days from one change to the next; the first span has no beginning, None is no day."""
        if index is None:
            return resolve(self.pack, self.version, None)
        return resolve(self.pack, self.version, self._first_day(index))

    def _backend(self, name: Engine, policy: Policy, asked: Asked) -> Backend:
        """The backend of that name, for what was asked; what it needs to prepare is kept in the cache."""
        match = backend(name)
        if name == "compiled":
            self._share(policy, asked)
        if name == "rete" and self._shelf is not None and asked.action is not None:
            span = None if policy.as_of is None else bisect.bisect_right(self._changes, policy.as_of)
            rules = policy.actions[asked.action.name]
            import_module("engine.rete").prepare(rules, self.pack, self._shelf, f"rete {asked.action.name} {span}")
        return match

    def _share(self, policy: Policy, asked: Asked) -> None:
        """Let the long way use the code that lanes use."""
        day, action = policy.as_of, asked.action
        if action is not None and day is not None:
            adopt(policy.actions[action.name], policy.pack, lambda: self._compiled(action.name, day))

    def _compiled(self, action: str, day: datetime.date) -> Compiled:
        """The code of an action's rules, made once for the days from one change to the next."""
        return self._code(action, bisect.bisect_right(self._changes, day))

    def _make_code(self, action: str, span: int) -> Compiled:
        day = self._first_day(span)
        program = self._keeping(
            f"program {span} {action}", lambda: make_program(self._span(span).actions[action], self.pack, day)
        )
        return Compiled(program)

    def _first_day(self, span: int) -> datetime.date:
        """The first day of a span; the first span has no beginning."""
        return self._changes[span - 1] if span else datetime.date.min

    def _keeping(self, name: str, make: Callable[[], Any]) -> Any:
        """What the shelf keeps under a name, made and put there if it is not."""
        kept = None if self._shelf is None else self._shelf.get(name)
        if kept is None:
            kept = make()
            if self._shelf is not None:
                self._shelf.put(name, kept)
        return kept

    def _day(self, asked: Asked) -> datetime.date | None:
        given = asked.given.get(DATE)
        if given is None or self.pack.facts[DATE].sealed:
            return self.as_of or _today()
        try:
            return parse_date(given)
        except NotAValue:
            return None


def shipped_rules() -> Path:
    """The folder of rules to use by default: `rules` here, else the policy that ships with ChangeGate."""
    here = Path("rules")
    if here.is_dir():
        return here
    package = Path(__file__).parent
    return next((folder for folder in (package / "rules", package.parent / "rules") if folder.is_dir()), here)


def _today() -> datetime.date:
    return _day_number(int(time.time()) // _DAY)


_DAY = 24 * 60 * 60


@lru_cache(maxsize=4)
def _day_number(days: int) -> datetime.date:
    """The day so many days after the beginning of 1970 (UTC)."""
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=days)


def backend(name: str) -> Backend:
    """The backend of that name, loaded when it is first asked for."""
    match: Backend = import_module(f"engine.{name}").match
    return match
