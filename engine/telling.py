"""Telling: a verdict found from bits becomes the parts of a decision, or its JSON text, when somebody reads them.

The facts of a decision are its day, then the values of what its program reads, in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from json import JSONEncoder
from json.encoder import encode_basestring
from typing import Any, TypeAlias

from engine.counter import Counted
from engine.decide import invalid_facts, told
from engine.decision import InvalidFact, Parts, records
from engine.emit import NOT_ASKED
from engine.judge import Overriders, why_open
from engine.kleene import Truth, Unknown
from engine.model import Pack
from engine.program import Block, Program
from engine.resolve import closure, rule_reads
from engine.situation import Invalid, Situation
from engine.stencil import Kind, Marker, NotToBeCut, Stencil
from engine.tally import bits, override
from engine.texts import Speaker, say
from engine.values import exact

# How many verdicts, and sets of facts, are remembered with what they come to.
MAX_REMEMBERED = 4096
Facts: TypeAlias = tuple[Any, ...]
NOTHING = Unknown()
JSON = JSONEncoder(ensure_ascii=False).encode  # `json.dumps` makes an encoder for every text


class Voice:
    """What the decisions on an action have in common in one language, from one change of the policy to the next."""

    def __init__(self, pack: Pack, version: str, program: Program, language: str) -> None:
        self.pack = pack
        self.version = version
        self.program = program
        self.rules = tuple(rule or "" for rule in program.general.rules)
        self.speaker = Speaker(pack, language)
        self._tellings: dict[Block | None, Telling] = {}

    def telling(self, bucket: Block | None) -> Telling:
        """How verdicts with the rules of a bucket are told."""
        return self._tellings.get(bucket) or self._tellings.setdefault(bucket, Telling(self, bucket))

    def known(self, verdict: Counted, facts: Facts) -> dict[str, Any]:
        """The values of the facts by path, for the route that the verdict is about."""
        found = {path: _exact(value) for path, value in zip(self.program.reads, facts[1:], strict=True)}
        if verdict.answered_for is not None and self.program.route is not None:
            found[self.program.route] = verdict.answered_for
        return found

    def value(self, path: str, known: dict[str, Any]) -> Any:
        """The value of a fact, None if it has none; worked out from those known by path if it has to be."""
        value = self._value(path, known)
        return None if value is NOT_ASKED else value

    def _value(self, path: str, known: dict[str, Any]) -> Any:
        value = known.get(path)
        how = self.program.worked_out.get(path)
        if value is None and how is not None:
            found = how.function()(*[self._value(other, known) for other in how.paths], how.constants)
            value = known[path] = found
        return None if value.__class__ is Invalid else value


class Telling:
    """Tells the verdicts of one lane and bucket."""

    __slots__ = ("_bucket", "_reasons", "_stencils", "_whys", "voice")

    def __init__(self, voice: Voice, bucket: Block | None) -> None:
        self.voice = voice
        self._bucket = bucket
        self._reasons: dict[Counted, tuple[str, ...]] = {}
        self._stencils: dict[tuple[Counted, bool], Stencil | None] = {}
        self._whys: dict[Counted, _Whys] = {}

    def rules(self, verdict: Counted) -> tuple[str, ...]:
        """The ids of the rules that made the outcome, sorted."""
        return self._reasons.get(verdict) or self._name(verdict)

    def _name(self, verdict: Counted) -> tuple[str, ...]:
        _make_room(self._reasons)
        named = self._reasons[verdict] = tuple(sorted(map(self._id, verdict.tally.reasons)))
        return named

    def parts(self, verdict: Counted, facts: Facts) -> Parts:
        """The long answer."""
        return self.odd_parts(verdict, facts, (), ())

    def odd_parts(self, verdict: Counted, facts: Facts, bad: tuple[Invalid, ...], warnings: tuple[str, ...]) -> Parts:
        """The long answer where facts are invalid, or nobody declared them."""
        situation = self._situation(verdict, facts, bad)
        parts = self._told(verdict, situation, self.voice.speaker)
        why = self.why(verdict, facts, bad)
        invalid = tuple(invalid_facts(bad, why, situation.value))
        return replace(parts, missing=tuple(sorted(why.missing)), invalid=invalid, warnings=warnings)

    def missing(self, verdict: Counted, facts: Facts) -> tuple[str, ...]:
        """What is missing."""
        return tuple(sorted(self.why(verdict, facts, ()).missing))

    def json(self, verdict: Counted, facts: Facts) -> str | None:
        """The whole decision as JSON text."""
        stencil = self._stencils.get((verdict, False)) or self._stencil(verdict, odd=False)
        return None if stencil is None else stencil.text(facts[0], _Filling(self, verdict, facts, (), ()).fill)

    def odd_json(
        self, verdict: Counted, facts: Facts, bad: tuple[Invalid, ...], warnings: tuple[str, ...]
    ) -> str | None:
        """The JSON text where facts are invalid, or nobody declared them."""
        stencil = self._stencil(verdict, odd=True)
        return None if stencil is None else stencil.text(facts[0], _Filling(self, verdict, facts, bad, warnings).fill)

    def why(self, verdict: Counted, facts: Facts, bad: tuple[Invalid, ...]) -> Unknown:
        """What keeps the outcome open."""
        return self.whys(verdict, facts, bad)[0] if verdict.tally.undecided else NOTHING

    def whys(self, verdict: Counted, facts: Facts, bad: tuple[Invalid, ...]) -> tuple[Unknown, str]:
        """What keeps an undecided outcome open, and what is missing as JSON text."""
        whys = self._whys.get(verdict)
        if whys is None:
            _make_room(self._whys)
            whys = self._whys[verdict] = _Whys(self._reads(verdict))
        return whys.of(facts, bad, lambda: self._why(verdict, self._situation(verdict, facts, bad)))

    def _stencil(self, verdict: Counted, *, odd: bool) -> Stencil | None:
        """The stencil of a verdict; None if there can be none."""
        key = (verdict, odd)
        if key not in self._stencils:
            _make_room(self._stencils)
            self._stencils[key] = None
            pack, program = self.voice.pack, self.voice.program
            nothing = Situation(pack, pack.actions[program.action], {}, None)
            with suppress(NotToBeCut):
                parts = self._told(verdict, nothing, Marker(pack, self.voice.speaker.language))
                self._stencils[key] = Stencil(verdict, parts, misses=bool(verdict.tally.undecided), odd=odd)
        return self._stencils[key]

    def _told(self, verdict: Counted, situation: Situation, speaker: Speaker) -> Parts:
        voice, rules = self.voice, self.voice.pack.rules
        accompanying = sorted((self._id(bit), certain) for bit, certain in verdict.tally.accompanying)
        reasons = [rules[rule] for rule in self.rules(verdict)]
        with_it = [(rules[rule], certain) for rule, certain in accompanying]
        return Parts(voice.pack.name, voice.version, situation.date, **told(reasons, with_it, situation, speaker))

    def _situation(self, verdict: Counted, facts: Facts, bad: tuple[Invalid, ...]) -> Situation:
        """What is known of the facts; what follows from them is worked out again, with its reasons."""
        pack, program = self.voice.pack, self.voice.program
        known = self.voice.known(verdict, facts).items()
        values = {path: value for path, value in known if value is not None and value is not NOT_ASKED}
        given = {each.path: each.value for each in bad}
        return Situation(pack, pack.actions[program.action], given, facts[0]).knowing(values)

    def _why(self, verdict: Counted, situation: Situation) -> Unknown:
        certain, possible = override(verdict.layout, verdict.possible & ~verdict.unknown, verdict.possible)
        applies: dict[str, Truth] = {
            self._id(bit): True if certain >> bit & 1 else None for bit in self._rows(possible)
        }
        of = {self._id(bit): tuple(map(self._id, self._rows(mask))) for bit, mask in verdict.layout.overriders}
        rules = self.voice.pack.rules
        undecided = (rules[self._id(bit)] for bit in verdict.tally.undecided)
        return why_open(undecided, Overriders(rules, of, applies), situation)

    def _reads(self, verdict: Counted) -> tuple[int, ...]:
        """The places of the facts on which it depends what keeps the outcome open."""
        pack = self.voice.pack
        overriding = (bit for _, mask in verdict.layout.overriders for bit in bits(mask))
        ids = {self._id(bit) for bit in (*verdict.tally.undecided, *overriding)} - {""}
        read = closure(pack, (path for rule in ids for path in rule_reads(pack, pack.rules[rule])))
        return tuple(place for place, path in enumerate(self.voice.program.reads, start=1) if path in read)

    def _rows(self, mask: int) -> Iterator[int]:
        return (bit for bit in bits(mask) if self._id(bit))

    def _id(self, bit: int) -> str:
        """The rule of a bit; empty where it is none."""
        general = self.voice.rules
        if bit < len(general):
            return general[bit]
        assert self._bucket is not None
        return self._bucket.rules[bit - len(general)] or ""


class OddTelling:
    """Tells the verdict of one request in which facts are invalid, or nobody declared them."""

    __slots__ = ("_bad", "_telling", "_warnings")

    def __init__(self, telling: Telling, bad: tuple[Invalid, ...], warnings: tuple[str, ...]) -> None:
        self._telling = telling
        self._bad = bad
        self._warnings = warnings

    def rules(self, verdict: Counted) -> tuple[str, ...]:
        """The ids of the rules that made the outcome, sorted."""
        return self._telling.rules(verdict)

    def parts(self, verdict: Counted, facts: Facts) -> Parts:
        """The long answer."""
        return self._telling.odd_parts(verdict, facts, self._bad, self._warnings)

    def missing(self, verdict: Counted, facts: Facts) -> tuple[str, ...]:
        """What is missing."""
        return tuple(sorted(self._telling.why(verdict, facts, self._bad).missing))

    def json(self, verdict: Counted, facts: Facts) -> str | None:
        """The whole decision as JSON text."""
        return self._telling.odd_json(verdict, facts, self._bad, self._warnings)


class _Whys:
    """What keeps a verdict open, by the values of the facts it depends on and what of them is invalid."""

    __slots__ = ("_known", "_places")

    def __init__(self, places: tuple[int, ...]) -> None:
        self._places = places
        self._known: dict[Any, tuple[Unknown, str]] = {}

    def of(self, facts: Facts, bad: tuple[Invalid, ...], find: Callable[[], Unknown]) -> tuple[Unknown, str]:
        """What keeps it open with these facts; found once."""
        key = (*[facts[place] for place in self._places], *[each.path for each in bad])
        known = self._known.get(key)
        if known is None:
            _make_room(self._known)
            why = find()
            known = self._known[key] = (why, JSON(sorted(why.missing)))
        return known


class _Filling:
    """What fills the holes of a stencil for one decision."""

    __slots__ = ("_bad", "_facts", "_known", "_telling", "_verdict", "_warnings")

    def __init__(
        self, telling: Telling, verdict: Counted, facts: Facts, bad: tuple[Invalid, ...], warnings: tuple[str, ...]
    ) -> None:
        self._telling, self._verdict, self._facts = telling, verdict, facts
        self._bad, self._warnings = bad, warnings
        self._known: dict[str, Any] | None = None

    def fill(self, kind: Kind, path: str) -> str:
        """The JSON text for a hole (within quotes for what is said)."""
        match kind:
            case "missing":
                return self._telling.whys(self._verdict, self._facts, self._bad)[1]
            case "invalid":
                return JSON(records(tuple(self._invalid())))
            case "warnings":
                return JSON(self._warnings)
            case "due":
                value = self._value(path)
                return "null" if value is None else f'"{value}"'
            case _:
                return encode_basestring(say(self._value(path), self._telling.voice.speaker.language))[1:-1]

    def _value(self, path: str) -> Any:
        voice = self._telling.voice
        if self._known is None:
            self._known = voice.known(self._verdict, self._facts) | {each.path: each for each in self._bad}
        return voice.value(path, self._known)

    def _invalid(self) -> Iterator[InvalidFact]:
        why = self._telling.why(self._verdict, self._facts, self._bad)
        return invalid_facts(self._bad, why, self._value)


def _exact(value: Any) -> Any:
    """The value; of a number that a lane kept as it was sent, the exact one."""
    return exact(Decimal(repr(value))) if value.__class__ is float else value


def _make_room(remembered: dict[Any, Any]) -> None:
    """Forgets everything once it is too much."""
    if len(remembered) >= MAX_REMEMBERED:
        remembered.clear()
