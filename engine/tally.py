"""Tallies: the outcome of an action's rules from bits (DESIGN section 5, clause 4), as `engine.judge` has it from truths.

A bit of `possible` says that a rule is not ruled out, one of `unknown` that something keeps it open. What
follows depends on the bits alone, so it is found once for each combination and kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from engine.decision import Cause
from engine.kleene import Truth, every, negate
from engine.model import ACCOMPANYING, Outcome
from engine.program import Layout


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


class Ballot:
    """A layout as masks: the bits of each kind of effect, of those with a remedy, and of what accompanies outcomes."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    @cached_property
    def kinds(self) -> dict[str, int]:
        """The bits of each kind of effect."""
        found = dict.fromkeys(("allow", "deny", "defer", "only_by", "guide"), 0)
        for bit, role in enumerate(self.layout.roles):
            found[role.kind] = found.get(role.kind, 0) | 1 << bit
        return found

    @cached_property
    def lasting(self) -> int:
        """The bits of what is left once everything curable is cured: all but the rules with a remedy."""
        return sum(1 << bit for bit, role in enumerate(self.layout.roles) if not role.remedy)

    @cached_property
    def accompanying(self) -> dict[str, int]:
        """The duties, advice and guides that go with each outcome."""
        roles = [(bit, role) for bit, role in enumerate(self.layout.roles) if role.kind in ACCOMPANYING]
        outcomes: tuple[Outcome, ...] = ("allow", "deny", "indeterminate")
        return {each: sum(1 << bit for bit, role in roles if each in role.accompanies) for each in outcomes}


def tally(ballot: Ballot, possible: int, unknown: int, *, invalid: bool) -> Tally:
    """The outcome of the bits; `invalid` says that a fact which the rules read is invalid."""
    certain, possible = override(ballot.layout, possible & ~unknown, possible)
    kinds, open_ = ballot.kinds, possible & ~certain
    deny, may_deny, allow, may_allow = _only_by(kinds["only_by"] & possible, certain, possible)
    deny, may_deny = deny | certain & kinds["deny"], may_deny | open_ & kinds["deny"]
    allow, may_allow = allow | certain & kinds["allow"], may_allow | open_ & kinds["allow"]
    defer, may_defer = certain & kinds["defer"], open_ & kinds["defer"]
    undecided = 0
    outcome: Outcome = "indeterminate"
    cause: Cause = "missing_facts"
    reasons = may_deny | defer | may_defer | may_allow
    if deny:
        outcome, cause, reasons = "deny", "forbidden", deny
    elif may_deny:
        undecided = may_deny
    elif defer:
        cause = "deferred"
    elif may_defer:
        undecided = may_defer
    elif allow:
        outcome, cause = ("indeterminate", "invalid_facts") if invalid else ("allow", "permitted")
        reasons = allow
    elif may_allow:
        undecided = may_allow
    else:
        outcome, cause = "deny", "not_permitted"
    with_it = ballot.accompanying[outcome] & (possible & ~kinds["guide"] | certain)
    return Tally(
        outcome, cause, tuple(bits(reasons)), tuple((bit, bool(certain >> bit & 1)) for bit in bits(with_it)),
        tuple(bits(undecided)), cause == "forbidden" and not deny & ballot.lasting,
    )  # fmt: skip


def override(layout: Layout, certain: int, possible: int) -> tuple[int, int]:
    """The bits that are left certain and possible once overriders, their own overriders first, have spoken."""
    for bit, overriders in layout.overriders:
        if overriders & possible:
            certain &= ~(1 << bit)
        if overriders & certain:
            possible &= ~(1 << bit)
    return certain, possible


def bits(mask: int) -> Iterator[int]:
    """The places of the bits that are set, least first."""
    while mask:
        least = mask & -mask
        yield least.bit_length() - 1
        mask ^= least


def _only_by(rules: int, certain: int, possible: int) -> tuple[int, int, int, int]:
    """Which of these deny, may deny, allow and may allow: the bit after each says whether its route is taken."""
    found = {("deny", True): 0, ("deny", None): 0, ("allow", True): 0, ("allow", None): 0}
    for bit in bits(rules):
        holds: Truth = True if certain >> bit & 1 else None
        here: Truth = True if certain >> bit + 1 & 1 else None if possible >> bit + 1 & 1 else False
        for tier, truth in (("deny", every((holds, negate(here)))), ("allow", every((holds, here)))):
            if truth is not False:
                found[tier, truth] |= 1 << bit
    return found["deny", True], found["deny", None], found["allow", True], found["allow", None]
