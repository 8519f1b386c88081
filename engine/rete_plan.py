"""What durable-rules is to decide for an action: its formulas as rules that read nothing but numbers.

A plan is pure data and knows nothing of durable's code; `engine.rete` loads and asks it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any as Anything
from typing import TypeAlias, assert_never

from engine.condition import Fact
from engine.lower import And, Facts, Formula, Or, State, Test, lower
from engine.policy import ActionRules
from engine.values import Value


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number or truth worked out for a request: the `measure` of the fact at `path`, with a detail.

    Where the measure is "formula", the path is a formula's number.
    """

    path: str
    measure: str
    detail: Anything = None


@dataclass(frozen=True, slots=True)
class Column:
    """One property of the facts durable reads: a quantity's `low` or `high` end, or its truth (`is`).

    The ends differ only while the quantity is unknown, and may be anything. So a test of one end says
    that something certainly holds, a test of the other that it possibly does, and neither needs an `or`.
    """

    quantity: Quantity
    side: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A test that durable makes: a column, one of durable's operators, and a constant or another column."""

    column: Column
    operator: str
    right: Value | Column

    def columns(self) -> tuple[Column, ...]:
        """The one or two columns it reads."""
        return (self.column, self.right) if isinstance(self.right, Column) else (self.column,)


Clause: TypeAlias = frozenset[Literal]
Stage: TypeAlias = dict[Clause, list[int]]

# A clause is a rule of durable's. Beyond these sizes parts of a formula become formulas of their own.
MAX_CLAUSES = 8
MAX_COLUMNS = 200
MAX_TERMS = 40
# `in` with more constants than this is one truth worked out here, not a test by durable of each.
MAX_MEMBERS = 4


@dataclass(frozen=True, eq=False)
class Plan:
    """The rules of an action as clauses: a formula holds as soon as one of its clauses does.

    `rules` gives the numbers of each rule's two formulas, certainly and possibly. `stages` map clauses
    to the formulas they make true; a later stage reads formulas of earlier ones. `texts` are the facts
    that are compared as texts, `constants` what they are compared with; both are sorted.
    """

    rules: Mapping[str, tuple[int, int]]
    stages: Sequence[Stage]
    texts: tuple[str, ...]
    constants: tuple[str, ...]


def make_plan(rules: ActionRules, facts: Facts) -> Plan:
    """The plan for the rules of an action, given the facts of their pack."""
    planner = _Planner()
    numbers = {}
    for rule in rules.rules:
        lowered = lower(rule.condition, facts)
        numbers[rule.id] = (planner.number(lowered.certainly), planner.number(lowered.possibly))
    clauses = [clause for stage in planner.stages for clause in stage]
    texts = {column.quantity.path for column in columns(clauses) if column.quantity.measure == "text"}
    literals = [literal for clause in clauses for literal in clause if literal.column.quantity.measure == "text"]
    constants = {literal.right for literal in literals if isinstance(literal.right, str)}
    return Plan(numbers, planner.stages, tuple(sorted(texts)), tuple(sorted(constants)))


class _Planner:
    """Gives formulas numbers, and puts their clauses on stages."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._numbers: dict[Formula, int] = {}
        self._levels: list[int] = []
        self._found: dict[Formula, list[Clause]] = {}

    def number(self, formula: Formula) -> int:
        """The number of the formula, which is planned if it is new."""
        if formula not in self._numbers:
            clauses = self._clauses(formula)
            level = max((self._levels[read] + 1 for read in _formulas(clauses)), default=0)
            number = self._numbers[formula] = len(self._levels)
            self._levels.append(level)
            self.stages += [{} for _ in range(level + 1 - len(self.stages))]
            for clause in clauses:
                self.stages[level].setdefault(clause, []).append(number)
        return self._numbers[formula]

    def _clauses(self, formula: Formula) -> list[Clause]:
        if formula not in self._found:
            self._found[formula] = self._find(formula)
        return self._found[formula]

    def _find(self, formula: Formula) -> list[Clause]:
        match formula:
            case State() | Test():
                return _simple(formula)
            case Or(terms):
                if (test := _possible_test(terms)) is not None:
                    return _simple(test, lenient=True)
                return list(dict.fromkeys(clause for term in terms for clause in self._clauses(term)))
            case And(terms) if len(terms) > MAX_TERMS:
                parts = [And(terms[start : start + MAX_TERMS]) for start in range(0, len(terms), MAX_TERMS)]
                return self._clauses(And(tuple(parts)))
            case And(terms):
                return self._product([self._clauses(term) for term in terms], terms)
            case _:
                assert_never(formula)

    def _product(self, choices: list[list[Clause]], terms: Sequence[Formula]) -> list[Clause]:
        """Every way to pick a clause for each term; the heaviest terms are named until that is small enough."""
        while prod(map(len, choices)) > MAX_CLAUSES or sum(map(_width, choices)) > MAX_COLUMNS:
            heaviest = max(range(len(terms)), key=lambda term: (len(choices[term]), _width(choices[term])))
            choices[heaviest] = [self._named(terms[heaviest])]
        return [frozenset[Literal]().union(*picked) for picked in product(*choices)]

    def _named(self, formula: Formula) -> Clause:
        """That the formula, which is decided in an earlier stage, holds."""
        quantity = Quantity(str(self.number(formula)), "formula")
        return frozenset({Literal(Column(quantity, "is"), "$eq", True)})


def columns(clauses: Iterable[Clause]) -> set[Column]:
    """Every column that the clauses read."""
    return {column for clause in clauses for literal in clause for column in literal.columns()}


def _width(clauses: list[Clause]) -> int:
    return max((len(columns([clause])) for clause in clauses), default=0)


def _formulas(clauses: Iterable[Clause]) -> set[int]:
    """The numbers of the formulas that the clauses read."""
    quantities = {column.quantity for column in columns(clauses)}
    return {int(quantity.path) for quantity in quantities if quantity.measure == "formula"}


def _possible_test(terms: tuple[Formula, ...]) -> Test | None:
    """The test, if the terms say no more than that it possibly holds: it does, or not all it needs is known."""
    tests = [term for term in terms if isinstance(term, Test) and term.relation != "one_currency"]
    if len(tests) != 1:
        return None
    test = tests[0]
    needs: set[Formula] = {State(path, "known", False) for path in test.facts()}
    if test.relation in _COMPARABLE and any(isinstance(term, Test) and term != test for term in terms):
        needs.add(replace(test, relation="one_currency", positive=False))
    return test if set(terms) == {*needs, test} else None


def _simple(atom: State | Test, lenient: bool = False) -> list[Clause]:
    """The clauses of an atom: one, or one for each of the few constants that the fact may be among."""
    match atom:
        case Test(relation="among", right=frozenset() as members) if len(members) <= MAX_MEMBERS:
            tests = [replace(atom, relation="equal", right=member) for member in sorted(members, key=repr)]
            each = [_literals(test, lenient) for test in tests]
            return each if atom.positive else [frozenset[Literal]().union(*each)]
        case _:
            return [_literals(atom, lenient)]


# By relation, positive or not, and lenient or not: which end of the left is how to which end of the right.
_ENDS = {
    ("less", True, False): [("high", "$lt", "low")],
    ("less", True, True): [("low", "$lt", "high")],
    ("less", False, False): [("low", "$gte", "high")],
    ("less", False, True): [("high", "$gte", "low")],
    ("more", True, False): [("low", "$gt", "high")],
    ("more", True, True): [("high", "$gt", "low")],
    ("more", False, False): [("high", "$lte", "low")],
    ("more", False, True): [("low", "$lte", "high")],
    ("equal", True, False): [("low", "$eq", "high")],
    ("equal", True, True): [("low", "$lte", "high"), ("high", "$gte", "low")],
    ("equal", False, False): [("low", "$neq", "high")],
    ("equal", False, True): [("low", "$neq", "high")],
}
# What is not known beside money of another currency.
_COMPARABLE = frozenset({"equal", "less", "more", "has", "meets"})
_MEASURES = {
    "boolean": "truth", "integer": "number", "number": "number", "money": "amount", "date": "day",
    "string": "text", "enum": "text", "key": "text",
}  # fmt: skip


def _literals(atom: State | Test, lenient: bool) -> Clause:
    """The atom as tests that must all hold; a lenient one holds too where not everything it needs is known."""
    if isinstance(atom, State):
        return frozenset({Literal(Column(Quantity(atom.path, atom.state), "is"), "$eq", atom.positive)})
    if atom.relation not in ("equal", "less", "more"):
        flag = Quantity(atom.path, atom.relation, atom.right)
        return frozenset({Literal(Column(flag, "high" if atom.positive and lenient else "low"), "$eq", atom.positive)})
    left, right = _sides(atom)
    ends = _ENDS[atom.relation, atom.positive, lenient]
    return frozenset(Literal(Column(left, end), operator, _end(right, other)) for end, operator, other in ends)


def _end(right: Quantity | Value, side: str) -> Column | Value:
    return Column(right, side) if isinstance(right, Quantity) else right


def _sides(test: Test) -> tuple[Quantity, Quantity | Value]:
    """The two quantities that are compared, or a quantity and a constant."""
    measure, detail = _MEASURES[test.type.kind], None
    if test.type.kind == "enum" and test.relation != "equal":
        measure, detail = "rank", test.type.values
    # Money is unknown beside money of another currency, and in itself it never is.
    left = Quantity(test.path, measure, test.right if measure == "amount" else detail)
    if isinstance(test.right, Fact):
        return left, Quantity(test.right.path, measure, detail)
    return left, test.right
