"""Counters: from the key that a lane gives to a verdict, found once for each key."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from engine.blocks import Masked
from engine.compiled import Compiled
from engine.decision import Verdict
from engine.grid import Masks
from engine.lane import Lane, make_lane
from engine.model import Pack
from engine.program import Layout, Program
from engine.tally import Ballot, Tally, tally

# How many keys a counter remembers the verdicts of.
MAX_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Counted(Verdict):
    """A verdict with the bits behind it, general rules first.

    `clash` says that it is open, and may be so because of two currencies, or of a result too large.
    """

    tally: Tally = field(kw_only=True)
    layout: Layout = field(kw_only=True)
    possible: int = field(kw_only=True)
    unknown: int = field(kw_only=True)
    clash: bool = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class _Bits:
    """All bits in one row, general rules first, and whether something clashed."""

    possible: int
    unknown: int
    clash: bool


class Counter:
    """The verdicts of an action's rules, by the keys of its lane."""

    def __init__(self, pack: Pack, compiled: Compiled) -> None:
        self.program = compiled.program
        self.lane: Lane = make_lane(pack, compiled)
        self.counted: dict[Any, Counted] = {}
        self._routes = pack.facts[self.program.route].type.values if self.program.route else ()
        self._left, self._grid = _left_by_route(self.program)
        self._ballots = [Ballot(layout) for layout in self.program.layouts]

    def count(self, key: Any) -> Counted:
        """The verdict of a key; look it up in `counted` first."""
        return self._remember(key, self._count(key, (False, False)))

    def spoiled(self, key: Any, bad: frozenset[str]) -> Counted:
        """The verdict of a key where these facts are invalid."""
        program = self.program
        flags = (not bad.isdisjoint(program.judged), not bad.isdisjoint(program.lasting))
        return self.counted.get((key, flags)) or self._remember((key, flags), self._count(key, flags))

    def invalidated(self, verdict: Counted) -> Counted:
        """The verdict, where it turns out that it is open because of what is invalid."""
        known = self.counted.get(verdict)
        return known or self._remember(verdict, replace(verdict, cause="invalid_facts"))

    def _remember(self, key: Any, counted: Counted) -> Counted:
        if len(self.counted) >= MAX_REMEMBERED:
            self.counted.clear()
        self.counted[key] = counted
        return counted

    def _count(self, key: Any, invalid: tuple[bool, bool]) -> Counted:
        """The verdict; whether a fact that the rules read is invalid, and one that the lasting rules do."""
        if not self._routes:
            bits, ballot = self._spread(key[:2], key[2:]), self._ballot(key[2:])
            return self._counted(bits, tally(ballot, bits.possible, bits.unknown, invalid=invalid[0]), ballot)
        if key[0] is False:
            return self._astray(key, invalid[0])
        given, general, bucket = self._by_route(key)
        ballot = self._ballot(bucket)
        spread = [self._spread(each, bucket) for each in general]
        tallies = [tally(ballot, bits.possible, bits.unknown, invalid=invalid[0]) for bits in spread]
        places = range(len(tallies)) if given is None else [self._routes.index(given)]
        place = min(places, key=lambda each: tallies[each].finality)
        answered = self._routes[place]
        allowed = tallies[place].outcome == "allow"
        route = answered if allowed else self._open_route(spread, ballot, invalid=invalid[1])
        return self._counted(spread[place], tallies[place], ballot, route, answered)

    def _astray(self, key: Any, invalid: bool) -> Counted:
        """The verdict where the route given is none: nothing replaces it, and what depends on it is open."""
        ballot, grid = self._ballot(key[3:]), self._grid
        possible, unknown = (key[1], key[2]) if grid is None else (key[1] & grid.possible, key[2] | grid.unknown)
        bits = self._spread((possible, unknown), key[3:])
        return self._counted(bits, tally(ballot, bits.possible, bits.unknown, invalid=invalid), ballot)

    def _by_route(self, key: Any) -> tuple[Any, list[Masked], tuple[Any, ...]]:
        """The route given, the masks of the general rules for each route, and those of a bucket."""
        if not self.program.late_is_simple:
            count = 1 + len(self._routes)
            return key[0], list(key[1:count]), key[count:]
        possible, unknown = key[1], key[2]
        return key[0], [(possible & self._left[route], unknown) for route in self._routes], key[3:]

    def _counted(
        self, bits: _Bits, counted: Tally, ballot: Ballot, route: str | None = None, answered: str | None = None
    ) -> Counted:
        general = self.program.general.rules
        # With a bucket the same bits stand for the rules of that bucket.
        rules = None if self.program.buckets else tuple([general[bit] or "" for bit in counted.reasons])
        return Counted(
            counted.outcome, counted.cause, route, answered, rules,
            tally=counted, layout=ballot.layout, possible=bits.possible, unknown=bits.unknown,
            clash=bits.clash and bool(counted.undecided),
        )  # fmt: skip

    def _open_route(self, spread: list[_Bits], ballot: Ballot, *, invalid: bool) -> str | None:
        """The first route that would allow, everything curable being cured."""
        for route, bits in zip(self._routes, spread, strict=True):
            if tally(ballot, bits.possible & ballot.lasting, bits.unknown, invalid=invalid).outcome == "allow":
                return route
        return None

    def _ballot(self, bucket: tuple[Any, ...]) -> Ballot:
        return self._ballots[bucket[2] if bucket else self.program.general.layout]

    def _spread(self, general: Masked, bucket: tuple[Any, ...]) -> _Bits:
        own = len(self.program.general.rules)
        bits = _Bits(general[0], general[1] & (1 << own) - 1, bool(general[1] >> own & 1))
        if not bucket:
            return bits
        others = len(self._ballot(bucket).layout.roles) - own
        unknown = bits.unknown | (bucket[1] & (1 << others) - 1) << own
        return _Bits(bits.possible | bucket[0] << own, unknown, bits.clash or bool(bucket[1] >> others & 1))


def _left_by_route(program: Program) -> tuple[dict[Any, int], Masks | None]:
    """The general rules that the grid of the route leaves possible, by route; and its masks where there is none."""
    grids = {grid.path: grid for grid in program.shapes[program.general.shape].grids}
    grid = grids.get(program.route or "")
    if grid is None:
        return defaultdict(lambda: -1), None
    left: dict[Any, int] = defaultdict(lambda: grid.other.possible)
    return left | {value: masks.possible for value, masks in grid.named}, grid.unknown
