"""The condition tree: what every rule is made of and every backend reads.

Conditions are three-valued (true, false, unknown = None). Nodes carry their place in the source, but
two conditions that say the same are equal wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.finding import Place
from engine.values import Type, Value


@dataclass(frozen=True, slots=True)
class Fact:
    """The value of a fact, by its path: the right-hand side written `$path`."""

    path: str


Operand: TypeAlias = Value | Fact


@dataclass(frozen=True, slots=True)
class Compare:
    """A fact, an operator of OPERATORS, and what it is compared with.

    `right` holds one operand, except for `in`, `not_in`, `has_any` and `has_all` (any number, or one
    Fact that is a list) and `between` (two). `type` is the type of the fact at `path`. In a
    comparison of money the plain number 0 stands for every currency's zero.
    """

    path: str
    operator: str
    right: tuple[Operand, ...]
    type: Type
    place: Place | None = field(default=None, compare=False, repr=False)

    def facts(self) -> Iterator[str]:
        """The paths this comparison reads, the left one first."""
        yield self.path
        yield from (operand.path for operand in self.right if isinstance(operand, Fact))


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether a fact is known (`known: true`) or not; never unknown itself."""

    path: str
    known: bool
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class All:
    """True when every term is; with no terms always true."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """True when some term is; with no terms never true."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the term is false."""

    term: Condition


Condition: TypeAlias = Compare | Presence | All | Any | Not
ALWAYS = All(())
# How the path of a reading begins: conditions compare readings like facts.
READING = "reading."


def leaves(condition: Condition) -> Iterator[Compare | Presence]:
    """Every comparison and presence test of the condition, in written order."""
    match condition:
        case Compare() | Presence():
            yield condition
        case All(terms) | Any(terms):
            for term in terms:
                yield from leaves(term)
        case Not(term):
            yield from leaves(term)


def paths(condition: Condition) -> Iterator[str]:
    """Every fact path that the condition names itself, in written order, with repeats."""
    for leaf in leaves(condition):
        if isinstance(leaf, Compare):
            yield from leaf.facts()
        else:
            yield leaf.path


EQUALITY = ("is", "is_not", "in", "not_in")
SIZE = ("more_than", "at_least", "less_than", "at_most", "between")
TIME = ("before", "on_or_before", "after", "on_or_after", "between")
TEXT = ("starts_with", "ends_with")
SET = ("has", "has_any", "has_all")
OPERATORS = tuple(dict.fromkeys((*EQUALITY, *SIZE, *TIME, *TEXT, *SET)))
SEVERAL = frozenset({"in", "not_in", "between", "has_any", "has_all"})


def operators_for(kind: Type) -> tuple[str, ...]:
    """The operators that a fact of this type admits, `known` aside."""
    match kind.kind:
        case "integer" | "number" | "money":
            return EQUALITY + SIZE
        case "date":
            return EQUALITY + TIME
        case "string":
            return EQUALITY + SIZE + TEXT
        case "enum" if kind.ordered:
            return EQUALITY + SIZE
        case "list":
            return SET
        case _:
            return EQUALITY
