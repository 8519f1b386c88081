"""Lanes of a policy: decisions whose short answer is found at once and whose long one when it is read.

Here a lane's key becomes a verdict, once for each key; and a verdict becomes the parts of a decision, in
the words of `engine.decide`, when somebody reads them.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from engine.blocks import Masked
from engine.compiled import Compiled
from engine.decide import told
from engine.decision import Decision, Parts, Verdict
from engine.emit import NOT_ASKED
from engine.judge import Overriders, why_open
from engine.kleene import Truth
from engine.lane import Lane, make_lane
from engine.model import Pack
from engine.program import Block, Layout, Program
from engine.reading import LongWay
from engine.request import read_request
from engine.resolve import closure, rule_reads
from engine.situation import DATE, Situation
from engine.stencil import Kind, Marker, NotToBeCut, Stencil
from engine.tally import Tally, bits, lasting, override, tally
from engine.texts import Speaker, say
from engine.values import NotAValue, exact, parse_date

# How many keys a lane remembers the verdicts of.
MAX_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Counted(Verdict):
    """A verdict with the bits behind it, general rules first.

    `leaves` says that its parts cannot be told: a clash may be what keeps it open.
    """

    tally: Tally = field(kw_only=True)
    layout: Layout = field(kw_only=True)
    possible: int = field(kw_only=True)
    unknown: int = field(kw_only=True)
    leaves: bool = field(kw_only=True)


class Counter:
    """The verdicts of an action's rules, by the keys that its lane gives."""

    def __init__(self, pack: Pack, compiled: Compiled) -> None:
        self.program = compiled.program
        self.lane: Lane = make_lane(pack, compiled)
        self.routes = pack.facts[self.program.route].type.values if self.program.route else ()
        self._bits = len(self.program.general.rules)
        self.counted: dict[Any, Counted] = {}
        self._lasting = lru_cache(maxsize=256)(lasting)

    def count(self, key: Any) -> Counted:
        """The verdict of a key, which is remembered in `counted`."""
        if len(self.counted) >= MAX_REMEMBERED:
            self.counted.clear()
        counted = self.counted[key] = self._count(key)
        return counted

    def _count(self, key: Any) -> Counted:
        if not self.routes:
            found, layout = self._spread(key[:2], key[2:])
            return _counted(found, tally(layout, *found[:2], invalid=False), layout)
        given, rest = key[0], key[1 + len(self.routes) :]
        spread = [self._spread(each, rest) for each in key[1 : 1 + len(self.routes)]]
        layout = spread[0][1]
        tallies = [tally(layout, *found[:2], invalid=False) for found, _ in spread]
        place = (
            min(range(len(tallies)), key=lambda each: tallies[each].finality)
            if given is None
            else self.routes.index(given)
        )
        answered = self.routes[place]
        route = (
            answered if tallies[place].outcome == "allow" else self._open_route([found for found, _ in spread], layout)
        )
        return _counted(spread[place][0], tallies[place], layout, route, answered)

    def _open_route(self, found: list[tuple[int, int, bool]], layout: Layout) -> str | None:
        """The first route that would allow, everything curable being cured."""
        left = self._lasting(layout)
        for route, (possible, unknown, _) in zip(self.routes, found, strict=True):
            if tally(layout, possible & left, unknown, invalid=False).outcome == "allow":
                return route
        return None

    def _spread(self, general: Masked, bucket: tuple[Any, ...]) -> tuple[tuple[int, int, bool], Layout]:
        """All bits in one row, whether something clashed, and what the bits mean."""
        possible, unknown, own = *general, self._bits
        clash = bool(unknown >> own & 1)
        unknown &= (1 << own) - 1
        if not bucket:
            return (possible, unknown, clash), self.program.layouts[self.program.general.layout]
        layout = self.program.layouts[bucket[2]]
        others = len(layout.roles) - own
        unknown |= (bucket[1] & (1 << others) - 1) << own
        return (possible | bucket[0] << own, unknown, clash or bool(bucket[1] >> others & 1)), layout


def _counted(
    found: tuple[int, int, bool], counted: Tally, layout: Layout, route: str | None = None, answered: str | None = None
) -> Counted:
    possible, unknown, clash = found
    return Counted(
        counted.outcome, counted.cause, route, answered, tally=counted, layout=layout, possible=possible, unknown=unknown,
        leaves=clash and bool(counted.undecided),
    )  # fmt: skip


class Telling:
    """Tells the parts of the verdicts of one lane and bucket, for one day and language.

    The facts of a decision are the values of its voice's `paths`, in that order. `warnings` are for a request
    that holds facts which nobody declared.
    """

    __slots__ = ("_stencils", "bucket", "voice", "warnings")

    def __init__(self, voice: Voice, bucket: Block | None, warnings: tuple[str, ...] = ()) -> None:
        self.voice = voice
        self.bucket = bucket
        self.warnings = warnings
        # By the identity of verdicts, which are kept beside, so that no other can have it.
        self._stencils: dict[int, tuple[Counted, Stencil | str | None, Missing]] = {}

    def rules(self, verdict: Counted) -> tuple[str, ...]:
        """The ids of the rules that made the outcome."""
        if self.bucket is None:
            general = self.voice.rules
            return tuple([general[bit] for bit in verdict.tally.reasons])
        return tuple(sorted(map(self._id, verdict.tally.reasons)))

    def parts(self, verdict: Counted, facts: tuple[Any, ...]) -> Parts:
        """The long answer."""
        situation = self._situation(verdict, facts)
        return self._told(verdict, situation, self.voice.speaker, self._missing(verdict, situation))

    def json(self, verdict: Counted, facts: tuple[Any, ...]) -> str | None:
        """The whole decision as JSON text."""
        _, stencil, missing = self._stencils.get(id(verdict)) or self._cut(verdict)
        if stencil is None or isinstance(stencil, str):
            return stencil
        voice = self.voice
        known: dict[str, Any] = {}

        def fill(kind: Kind, path: str) -> str:
            if kind == "missing":
                return missing.text(facts, lambda: self._missing(verdict, self._situation(verdict, facts)))
            if not known:
                known.update(voice.known(verdict, facts))
            value = voice.value(path, known)
            if kind == "due":
                return "null" if value is None else f'"{value}"'
            return encode_basestring(say(value, voice.speaker.language))[1:-1]

        return stencil.text(fill)

    def _cut(self, verdict: Counted) -> tuple[Counted, Stencil | str | None, Missing]:
        """The stencil of a verdict (its text, if that is always the same; None if there can be none)."""
        if len(self._stencils) >= MAX_REMEMBERED:
            self._stencils.clear()
        pack, voice = self.voice.pack, self.voice
        nothing = Situation(pack, pack.actions[voice.action], {}, voice.day)
        marker = Marker(pack, voice.speaker.language)
        cut: Stencil | str | None = None
        with suppress(NotToBeCut):
            cut = Stencil(verdict, self._told(verdict, nothing, marker, ()), misses=bool(verdict.tally.undecided))
            cut = cut.text(lambda _kind, _path: "") if cut.is_whole else cut
        made = self._stencils[id(verdict)] = (verdict, cut, Missing(self._reads(verdict)))
        return made

    def _reads(self, verdict: Counted) -> tuple[int, ...]:
        """The places of the facts on which it depends what the undecided rules miss."""
        pack = self.voice.pack
        overriding = (bit for _, mask in verdict.layout.overriders for bit in bits(mask))
        ids = {self._id(bit) for bit in (*verdict.tally.undecided, *overriding)} - {""}
        read = closure(pack, (path for rule in ids for path in rule_reads(pack, pack.rules[rule])))
        return tuple(place for place, path in enumerate(self.voice.paths) if path in read)

    def _told(self, verdict: Counted, situation: Situation, speaker: Speaker, missing: tuple[str, ...]) -> Parts:
        voice, rules = self.voice, self.voice.pack.rules
        accompanying = sorted((self._id(bit), certain) for bit, certain in verdict.tally.accompanying)
        reasons = [rules[rule] for rule in self.rules(verdict)]
        with_it = [(rules[rule], certain) for rule, certain in accompanying]
        parts = told(reasons, with_it, situation, speaker)
        return Parts(voice.pack.name, voice.version, voice.day, **parts, missing=missing, warnings=self.warnings)

    def _situation(self, verdict: Counted, facts: tuple[Any, ...]) -> Situation:
        """What is known of the facts; what follows from them is worked out again, with its reasons."""
        pack, voice = self.voice.pack, self.voice
        given = {path: value for path, value in voice.known(verdict, facts).items() if value is not NOT_ASKED}
        return Situation(pack, pack.actions[voice.action], given, voice.day)

    def _missing(self, verdict: Counted, situation: Situation) -> tuple[str, ...]:
        undecided = verdict.tally.undecided
        if not undecided:
            return ()
        certain, possible = override(verdict.layout, verdict.possible & ~verdict.unknown, verdict.possible)
        applies: dict[str, Truth] = {
            self._id(bit): True if certain >> bit & 1 else None for bit in self._rows(possible)
        }
        of = {self._id(bit): tuple(map(self._id, self._rows(mask))) for bit, mask in verdict.layout.overriders}
        rules = self.voice.pack.rules
        why = why_open((rules[self._id(bit)] for bit in undecided), Overriders(rules, of, applies), situation)
        return tuple(sorted(why.missing))

    def _rows(self, mask: int) -> Iterator[int]:
        return (bit for bit in bits(mask) if self._id(bit))

    def _id(self, bit: int) -> str:
        """The rule of a bit; empty where it is none."""
        general = self.voice.rules
        if bit < len(general):
            return general[bit]
        assert self.bucket is not None
        return self.bucket.rules[bit - len(general)] or ""


class Missing:
    """What is missing, as JSON text, by the values of the facts it depends on."""

    __slots__ = ("_known", "_places")

    def __init__(self, places: tuple[int, ...]) -> None:
        self._places = places
        self._known: dict[tuple[Any, ...], str] = {}

    def text(self, facts: tuple[Any, ...], find: Callable[[], tuple[str, ...]]) -> str:
        """What is missing with these facts; found once."""
        key = tuple([facts[place] for place in self._places])
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            known = self._known[key] = json.dumps(find(), ensure_ascii=False)
        return known


@dataclass(frozen=True)
class Voice:
    """What the decisions of an action have in common on one day, in one language."""

    pack: Pack
    version: str
    action: str
    program: Program
    rules: tuple[str, ...]
    day: datetime.date
    speaker: Speaker
    tellings: dict[int, Telling] = field(default_factory=dict)

    def known(self, verdict: Counted, facts: tuple[Any, ...]) -> dict[str, Any]:
        """The values of the facts by path, for the route that the verdict is about."""
        found = dict(zip(self.paths, facts, strict=True))
        if verdict.answered_for is not None and self.program.route is not None:
            found[self.program.route] = verdict.answered_for
        return found

    def value(self, path: str, known: dict[str, Any]) -> Any:
        """The value of a fact, worked out from the values by path if need be; None if it has none."""
        value = known.get(path)
        how = self.program.worked_out.get(path)
        if value is None and how is not None:
            found = how.function()(*[self.value(other, known) for other in how.paths], how.constants)
            value = known[path] = found
        return exact(Decimal(repr(value))) if value.__class__ is float else None if value is NOT_ASKED else value

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the facts that a decision keeps."""
        return self.program.reads

    def telling(self, bucket: Block | None) -> Telling:
        """How verdicts are told that keep nothing."""
        known = self.tellings.get(id(bucket))
        if known is None:
            known = self.tellings[id(bucket)] = Telling(self, bucket)
        return known


class Lanes:
    """The lanes of a policy, made as they are needed.

    `compiled` gives the code of an action's rules as of a day; it is one and the same from one change of
    the policy to the next.
    """

    def __init__(self, pack: Pack, version: str, compiled: Callable[[str, datetime.date], Compiled]) -> None:
        self._pack = pack
        self._version = version
        self._compiled = compiled
        self._counter = lru_cache(maxsize=1024)(lambda code: Counter(pack, code))
        self._sealed = pack.facts[DATE].sealed
        self._days: dict[str, datetime.date] = {}
        self._open: dict[tuple[str, datetime.date, str], tuple[Lane, Counter, Voice, Telling]] = {}

    def decide(self, request: Any, today: datetime.date, locale: str) -> Decision | None:
        """The decision on a request, for its own day or today; None where it has to go the long way."""
        try:
            context = request.get("context")
            day = self._day(context, today) if context and "date" in context else today
            action = request["action"]
            if action.__class__ is not dict or request.__class__ is not dict:
                return None
            name = action["name"]
            lane, counter, voice, telling = self._open.get((name, day, locale)) or self._make(name, day, locale)
            key, facts, bucket, strange = lane(request, action, day)
        except (LongWay, NotAValue, TypeError, KeyError, AttributeError):
            return None
        verdict = counter.counted.get(key) or counter.count(key)
        if verdict.leaves:
            return None
        if strange:
            return Decision(verdict, Telling(voice, bucket, read_request(request, self._pack).warnings), facts)
        return Decision(verdict, telling if bucket is None else voice.telling(bucket), facts)

    def _day(self, context: Mapping[str, Any], today: datetime.date) -> datetime.date:
        given = context["date"]
        if given is None or self._sealed:
            return today
        day = self._days.get(given)
        if day is None:
            day = parse_date(given)
            if len(self._days) < MAX_REMEMBERED and given.__class__ is str:
                self._days[given] = day
        return day

    def _make(self, action: str, day: datetime.date, locale: str) -> tuple[Lane, Counter, Voice, Telling]:
        counter = self._counter(self._compiled(action, day))
        rules = tuple(rule or "" for rule in counter.program.general.rules)
        voice = Voice(self._pack, self._version, action, counter.program, rules, day, Speaker(self._pack, locale))
        if len(self._open) >= MAX_REMEMBERED:
            self._open.clear()
        made = self._open[(action, day, locale)] = (counter.lane, counter, voice, voice.telling(None))
        return made
