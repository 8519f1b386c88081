"""Tallies: the outcome of an action's rules from bits (DESIGN section 5, clause 4), as `engine.judge` has it from truths.

A bit of `possible` says that a rule is not ruled out, one of `unknown` that something keeps it open. What
follows depends on the bits alone, so it is found once for each combination and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.decision import Cause
from engine.kleene import Truth, every, negate
from engine.model import ACCOMPANYING, Outcome
from engine.program import Layout, Role


@dataclass(frozen=True, slots=True)
class Tally:
    """What bits come to.

    `reasons` are the bits of the rules that made the outcome; `accompanying` those of duties, advice and
    guides that go with it, and whether for certain. `undecided` are the bits of the tier that is open.
    """

    outcome: Outcome
    cause: Cause
    reasons: tuple[int, ...]
    accompanying: tuple[tuple[int, bool], ...]
    undecided: tuple[int, ...] = ()
    curable: bool = False

    @property
    def finality(self) -> int:
        """How final the outcome is, for the search of a route: an allow least, a deny without remedies most."""
        if self.outcome == "deny":
            return 2 if self.curable else 3
        return int(self.outcome == "indeterminate")


@dataclass(frozen=True, slots=True)
class _Vote:
    bit: int
    tier: str
    holds: Truth


def tally(layout: Layout, possible: int, unknown: int, *, invalid: bool) -> Tally:
    """The outcome of the bits; `invalid` says that a fact which the rules read is invalid."""
    certain, possible = override(layout, possible & ~unknown, possible)
    votes = [vote for bit in bits(possible) for vote in _votes(bit, layout.roles, certain, possible)]
    outcome, cause, tier = _combined(votes, invalid=invalid)
    reasons = _reasons(votes, outcome, cause, open_=tier is not None)
    return Tally(
        outcome, cause, reasons, tuple(_accompanying(layout.roles, outcome, certain, possible)),
        tuple(dict.fromkeys(vote.bit for vote in votes if vote.tier == tier and vote.holds is None)),
        cause == "forbidden" and all(layout.roles[bit].remedy for bit in reasons),
    )  # fmt: skip


def override(layout: Layout, certain: int, possible: int) -> tuple[int, int]:
    """The bits that are left certain and possible once overriders, their own overriders first, have spoken."""
    for bit, overriders in layout.overriders:
        if overriders & possible:
            certain &= ~(1 << bit)
        if overriders & certain:
            possible &= ~(1 << bit)
    return certain, possible


def lasting(layout: Layout) -> int:
    """The bits of what is left once everything curable is cured: all but the rules with a remedy."""
    return sum(1 << bit for bit, role in enumerate(layout.roles) if not role.remedy)


def bits(mask: int) -> Iterator[int]:
    """The places of the bits that are set, least first."""
    while mask:
        least = mask & -mask
        yield least.bit_length() - 1
        mask ^= least


def _votes(bit: int, roles: tuple[Role, ...], certain: int, possible: int) -> Iterator[_Vote]:
    kind = roles[bit].kind
    holds: Truth = True if certain >> bit & 1 else None
    if kind in ("allow", "deny", "defer"):
        yield _Vote(bit, kind, holds)
    elif kind == "only_by":
        here: Truth = True if certain >> bit + 1 & 1 else None if possible >> bit + 1 & 1 else False
        for tier, truth in (("deny", every((holds, negate(here)))), ("allow", every((holds, here)))):
            if truth is not False:
                yield _Vote(bit, tier, truth)


def _combined(votes: list[_Vote], *, invalid: bool) -> tuple[Outcome, Cause, str | None]:
    """Outcome and cause, and the tier that is open if that is why there is none."""
    decided = {vote.tier for vote in votes if vote.holds}
    open_ = {vote.tier for vote in votes if vote.holds is None}
    if "deny" in decided:
        return "deny", "forbidden", None
    if "deny" in open_:
        return "indeterminate", "missing_facts", "deny"
    if "defer" in decided:
        return "indeterminate", "deferred", None
    if "defer" in open_:
        return "indeterminate", "missing_facts", "defer"
    if "allow" in decided:
        return ("indeterminate", "invalid_facts", None) if invalid else ("allow", "permitted", None)
    if "allow" in open_:
        return "indeterminate", "missing_facts", "allow"
    return "deny", "not_permitted", None


def _reasons(votes: list[_Vote], outcome: Outcome, cause: Cause, *, open_: bool) -> tuple[int, ...]:
    if cause == "forbidden":
        chosen = [vote for vote in votes if vote.tier == "deny" and vote.holds]
    elif outcome == "allow" or (cause == "invalid_facts" and not open_):
        chosen = [vote for vote in votes if vote.tier == "allow" and vote.holds]
    else:
        chosen = [vote for vote in votes if vote.holds is None or vote.tier == "defer"]
    return tuple(dict.fromkeys(vote.bit for vote in chosen))


def _accompanying(roles: tuple[Role, ...], outcome: Outcome, certain: int, possible: int) -> Iterator[tuple[int, bool]]:
    for bit in bits(possible):
        role, sure = roles[bit], bool(certain >> bit & 1)
        if role.kind in ACCOMPANYING and outcome in role.accompanies and (sure or role.kind != "guide"):
            yield bit, sure
