"""What a checked pack says, undated: the nouns that every capability reads.

Everything here is frozen and holds no behavior beyond look-ups of its own fields.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from engine.condition import Condition, Fact, Operand
from engine.finding import Place
from engine.values import Type, Value

Outcome = Literal["allow", "deny", "indeterminate"]
EFFECTS = ("allow", "deny", "only_by", "defer", "oblige", "advise", "guide")
VERDICTS = ("allow", "deny", "only_by", "defer")
ACCOMPANYING = ("oblige", "advise", "guide")
NOWHERE = Place("")


@dataclass(frozen=True, slots=True)
class Choice:
    """A value, and the condition under which it is taken (`{when: …, value: …}`)."""

    condition: Condition
    value: Operand


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`sum`, `difference`, `product`, `count` or `days_between` of facts and constants."""

    operation: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A column of a table, in the row that the fact at `key` names."""

    table: str
    column: str
    key: str


@dataclass(frozen=True, slots=True)
class FactDeclaration:
    """A declared fact. At most one of `default`, `derived` and `lookup` is declared.

    A lookup that is bound to entities may stand beside a default, which then counts where no cell is found.
    `derived` is a condition (of a boolean), the first that applies of some choices, or arithmetic.
    `currency` is what a bare number of money is in: a code or a Fact. `minimum` is the least value that a
    request may give. `implicit` facts are there without being declared (`subject.id`, `context.date`, …).
    """

    path: str
    type: Type
    description: str = ""
    choice: bool = False
    route: bool = False
    sealed: bool = False
    default: tuple[Choice, ...] = ()
    derived: Condition | tuple[Choice, ...] | Arithmetic | None = None
    lookup: Lookup | None = None
    currency: str | Fact | None = None
    minimum: Decimal | None = None
    changeable_by: str | None = None
    cites: tuple[str, ...] = ()
    implicit: bool = False
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Action:
    """Something one may ask to do, on one type of resource, with properties of its own.

    `optional` names the properties (as paths) that count as not asked for when left out.
    """

    name: str
    title: str
    resource: str | None
    properties: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    choices: frozenset[str] = frozenset()
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Span:
    """The value of a cell from `start` until `end` (days, both included; None is open)."""

    value: Value
    start: datetime.date | None = None
    end: datetime.date | None = None
    basis: str = "stated"
    cites: tuple[str, ...] = ()
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Table:
    """Data by key. `rows[key][column]` holds the spans of a cell; an unset cell is not there.

    `undated` says again what is in columns that hold no dates, as values by key, where rows are too many to be
    looked through; a column that is not in it may have dates.
    """

    name: str
    columns: Mapping[str, Type]
    rows: Mapping[str, Mapping[str, tuple[Span, ...]]]
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    undated: Mapping[str, Mapping[str, Value]] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """A question that the sources leave open, its possible answers, and the chosen one."""

    id: str
    asks: str
    options: Mapping[str, str]
    chosen: str
    because: str = ""
    cites: tuple[str, ...] = ()
    ambiguity: str | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a source in our own words; `lines` are where it stands there, or `where` says so in words."""

    id: str
    says: str
    kind: str = ""
    source: str = ""
    lines: tuple[int, ...] = ()
    fingerprint: str | None = None
    not_encoded: str | None = None
    where: str | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """A document that statements come from."""

    id: str
    title: str
    language: str = "en"
    file: str | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a rule says: one of EFFECTS, with the fields that this one has.

    `route` is that of `only_by`; `deadline` is a text or a date fact; `accompanies` are the outcomes
    that a duty, advice or guide goes with.
    """

    kind: str
    text: str = ""
    remedy: str | None = None
    route: str | Fact | None = None
    due: Literal["before", "after"] | None = None
    deadline: str | Fact | None = None
    steps: tuple[str, ...] = ()
    accompanies: frozenset[str] = frozenset({"allow"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One statement of the policy: for these actions, when the condition holds, one effect.

    `start` and `end` are the days between which it is in force (both included; None is open).
    """

    id: str
    actions: tuple[str, ...]
    condition: Condition
    effect: Effect
    title: str = ""
    cites: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    start: datetime.date | None = None
    end: datetime.date | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a rule in one language; what is not translated is None."""

    text: str | None = None
    title: str | None = None
    remedy: str | None = None
    deadline: str | None = None
    steps: tuple[str, ...] | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """An expected decision. `given` maps fact paths (and `action`) to values, or `request` is whole."""

    name: str
    given: Mapping[str, object] | None
    request: Mapping[str, object] | None
    expect: Mapping[str, object]
    layer: int = 0
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True)
class Pack:
    """A checked stack of packs. Names map to what they name; cases keep their order."""

    name: str
    title: str = ""
    languages: tuple[str, ...] = ("en",)
    actions: Mapping[str, Action] = field(default_factory=dict)
    facts: Mapping[str, FactDeclaration] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    statements: Mapping[str, Statement] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    translations: Mapping[str, Mapping[str, Texts]] = field(default_factory=dict)
    cases: Sequence[Case] = ()

    @property
    def route(self) -> FactDeclaration | None:
        """The fact marked `route: true`, if there is one."""
        return next((fact for fact in self.facts.values() if fact.route), None)
