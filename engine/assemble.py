"""From an action's rules to its program: bits, grids, atoms, buckets, and how facts come about that nobody sends."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any as Anything

from engine.condition import READING, All, Any, Compare, Condition, Fact, Not, Presence, paths
from engine.emit import Formula, derivation, formula
from engine.grid import Grid, make_grid
from engine.kleene import Known, NotAsked, State, Unknown, truth
from engine.model import FactDeclaration, Lookup, Pack, Rule, Texts
from engine.policy import ActionRules
from engine.program import Atom, Block, Layout, Program, Role, Shape
from engine.resolve import closure, inputs
from engine.situation import DATE, in_force
from engine.texts import placeholders
from engine.values import Value

# From so many rules on that ask one fact to be something, it is worth a look-up first.
MIN_SWITCHED = 24
# A rule that lists more values than this is looked at for all of them.
MAX_LISTED = 16


def make_program(rules: ActionRules, pack: Pack, day: datetime.date | None) -> Program:
    """The program of an action's rules, with the pack's readings and its tables as of the day."""
    return _Maker(rules, pack, day).program()


@dataclass(frozen=True, slots=True)
class _Row:
    """A bit in the making: its rule (None for a route test), its role, its tests of one fact each, and those of several."""

    id: str | None
    role: Role
    by_fact: Mapping[str, Condition]
    by_several: tuple[Condition, ...]


class _Maker:
    def __init__(self, rules: ActionRules, pack: Pack, day: datetime.date | None) -> None:
        self.rules = rules
        self.pack = pack
        self.day = day
        self.action = pack.actions[rules.action]
        self.chosen = {READING + reading.id: reading.chosen for reading in pack.readings.values()}
        self.shapes: dict[Shape, int] = {}
        self.layouts: dict[Layout, int] = {}

    def program(self) -> Program:
        rows = [row for rule in self.rules.rules for row in self._rows(rule)]
        read = self._read(rows)
        order = self._order(read)
        worked_out = dict(self._worked_out(order))
        route = self.rules.route.path if self.rules.route else None
        late = _dependent(route, worked_out)
        switch, by_value = self._switched(rows, late)
        apart = {id(row) for some in by_value.values() for row in some}
        general = [row for row in rows if id(row) not in apart]
        inside = {value: _inside(some, switch, value) for value, some in by_value.items()}
        block = self._block(general)
        buckets = {value: self._block(some, general) for value, some in inside.items()}
        in_buckets = sorted({path for some in inside.values() for row in some for path in _asks(row)})
        return Program(
            self.rules.action, block, tuple(self.shapes), tuple(self.layouts), switch, buckets, worked_out,
            {path: self.chosen[path] for path in sorted(read) if path in self.chosen},
            dict(_users(general, worked_out, {*in_buckets, switch, *self._currencies(read)})),
            frozenset(path for path in read if self._is_optional(path)), frozenset(self._exact(rows, worked_out)),
            route, late, order, tuple(sorted(order)), tuple(in_buckets),
            frozenset(self.rules.reads), frozenset((self.rules.without_remedies or self.rules).reads),
        )  # fmt: skip

    def _exact(self, rows: Iterable[_Row], worked_out: Mapping[str, Formula]) -> Iterator[str]:
        """The facts that are compared or calculated with each other."""
        yield from (path for formula in worked_out.values() for path in formula.paths)
        yield from worked_out
        yield from (path for row in rows for test in row.by_several for path in paths(test))

    def _rows(self, rule: Rule) -> Iterator[_Row]:
        effect = rule.effect
        role = Role(effect.kind, effect.remedy is not None, effect.accompanies)
        condition = self._fold(rule.condition)
        if condition == NEVER:
            return
        yield self._row(rule.id, role, condition)
        if effect.kind == "only_by":
            route = self.pack.route
            assert route is not None
            assert effect.route is not None
            test = Compare(route.path, "is", (effect.route,), route.type)
            yield self._row(None, Role("here"), self._fold(test))

    def _named(self, rule: Rule) -> Iterator[str]:
        """The facts that the rule's texts, in any language, and its deadline name."""
        effect = rule.effect
        told = [Texts(effect.text, remedy=effect.remedy, steps=effect.steps)]
        told += [texts[rule.id] for texts in self.pack.translations.values() if rule.id in texts]
        for each in told:
            for text in (each.text, each.remedy, each.deadline, *(each.steps or ())):
                yield from placeholders(text or "")
        if isinstance(effect.deadline, Fact):
            yield effect.deadline.path
        else:
            yield from placeholders(effect.deadline or "")

    def _row(self, rule: str | None, role: Role, condition: Condition) -> _Row:
        by_fact: dict[str, list[Condition]] = {}
        by_several: list[Condition] = []
        for term in _terms(condition):
            read = list(dict.fromkeys(paths(term)))
            if len(read) == 1:
                by_fact.setdefault(read[0], []).append(term)
            else:
                by_several.append(term)
        single = {path: terms[0] if len(terms) == 1 else All(tuple(terms)) for path, terms in by_fact.items()}
        return _Row(rule, role, single, tuple(by_several))

    def _fold(self, condition: Condition) -> Condition:
        """The condition with its readings decided, as far as they stand alone."""
        return fold(condition, self.chosen)

    def _switched(self, rows: Sequence[_Row], late: frozenset[str]) -> tuple[str | None, dict[Anything, list[_Row]]]:
        """The fact worth a look-up, and the rows that need one of its values, by that value."""
        # The bit of a route test stays beside that of its rule, and what depends on the route is looked at for each.
        apart = [row for row in rows if row.role.kind not in ("only_by", "here") and late.isdisjoint(_asks(row))]
        asked = {id(row): dict(self._wanted(row)) for row in apart}
        counts = Counter(path for wanted in asked.values() for path in wanted)
        best = max(counts, key=lambda path: (counts[path], path), default=None)
        if best is None or counts[best] < MIN_SWITCHED:
            return None, {}
        by_value: dict[Anything, list[_Row]] = {}
        for row in rows:
            for value in asked.get(id(row), {}).get(best, ()):
                by_value.setdefault(value, []).append(row)
        return best, by_value

    def _wanted(self, row: _Row) -> Iterator[tuple[str, tuple[Value, ...]]]:
        """The facts of which the row needs one of a few values: those, and nothing else, do not rule it out."""
        for path, test in row.by_fact.items():
            values = _equalities(test)
            if values is not None and path not in self.chosen and len(values) <= MAX_LISTED and _needs_it(test):
                yield path, values

    def _block(self, rows: Sequence[_Row], general: Sequence[_Row] = ()) -> Block:
        every = (1 << len(rows)) - 1
        grids = [self._grid(path, rows, every) for path in sorted({path for row in rows for path in row.by_fact})]
        atoms = self._atoms(rows)
        shape = Shape(every, tuple(map(_without_bounds, grids)), tuple(map(_without_constants, atoms)))
        return Block(
            tuple(row.id for row in rows),
            self.shapes.setdefault(shape, len(self.shapes)),
            tuple(bounds for grid in grids for bounds in _bounds(grid)),
            tuple(atom.formula.constants for atom in atoms),
            self._layout(rows, general),
        )

    def _grid(self, path: str, rows: Sequence[_Row], every: int) -> Grid:
        tests: dict[Condition, int] = {}
        for bit, row in enumerate(rows):
            if path in row.by_fact:
                tests[row.by_fact[path]] = tests.get(row.by_fact[path], 0) | 1 << bit
        return make_grid(path, self.pack.facts[path].type, list(tests.items()), every)

    def _atoms(self, rows: Sequence[_Row]) -> list[Atom]:
        bits: dict[Condition, int] = {}
        for bit, row in enumerate(rows):
            for test in row.by_several:
                bits[test] = bits.get(test, 0) | 1 << bit
        optional = {path: self._is_optional(path) for test in bits for path in paths(test)}
        return [Atom(formula(test, optional), mask) for test, mask in bits.items()]

    def _layout(self, rows: Sequence[_Row], general: Sequence[_Row]) -> int:
        everything = [*general, *rows]
        place = {row.id: bit for bit, row in enumerate(everything) if row.id is not None}
        overriders = {
            place[rule]: [place[other] for other in others if other in place]
            for rule, others in self.rules.overriders.items()
            if rule in place
        }
        order = [bit for bit in TopologicalSorter(overriders).static_order() if overriders.get(bit)]
        masks = tuple((bit, sum(1 << other for other in overriders[bit])) for bit in order)
        layout = Layout(tuple(row.role for row in everything), masks)
        return self.layouts.setdefault(layout, len(self.layouts))

    def _read(self, rows: Iterable[_Row]) -> set[str]:
        tests = [test for row in rows for test in (*row.by_fact.values(), *row.by_several)]
        route = [self.rules.route.path] if self.rules.route else []
        named = (path for rule in self.rules.rules for path in self._named(rule))
        read = closure(self.pack, [*(path for test in set(tests) for path in paths(test)), *route, *named])
        return {path for path in read if path in self.pack.facts or path in self.chosen}

    def _order(self, read: set[str]) -> tuple[str, ...]:
        """The facts that are read, each after those it depends on."""
        facts = {path: self.pack.facts[path] for path in sorted(read) if path in self.pack.facts}
        depends = {path: sorted(set(inputs(self.pack, fact)) & set(facts)) for path, fact in facts.items()}
        return tuple(TopologicalSorter(depends).static_order())

    def _worked_out(self, order: Iterable[str]) -> Iterator[tuple[str, Formula]]:
        for path in order:
            found = None if path == DATE else self._formula(self.pack.facts[path])
            if found is not None:
                yield path, found

    def _currencies(self, read: Iterable[str]) -> Iterator[str]:
        """The facts that tell the currency of bare numbers."""
        for path in read:
            currency = self.pack.facts[path].currency if path in self.pack.facts else None
            if isinstance(currency, Fact):
                yield currency.path

    def _formula(self, fact: FactDeclaration) -> Formula | None:
        """How a fact comes about that the request does not give; None for one that it then does not have."""
        optional = {path: self._is_optional(path) for path in inputs(self.pack, fact)}
        if fact.lookup is not None:
            return derivation(fact, optional, self._fold, self._cells(fact.lookup))
        if fact.derived is None and not fact.default:
            return None
        return derivation(fact, optional, self._fold, {}, not_asked=self._not_asked(fact.path))

    def _cells(self, lookup: Lookup) -> Mapping[str, Value]:
        """The values of a column by key, as of the day."""
        table = self.pack.tables[lookup.table]
        if lookup.column in table.undated:
            return table.undated[lookup.column]
        cells = ((key, row.get(lookup.column, ())) for key, row in table.rows.items())
        return {key: span.value for key, cell in cells for span in cell if in_force(span, self.day)}

    def _is_optional(self, path: str) -> bool:
        """Whether the fact may be not asked for."""
        fact = self.pack.facts.get(path)
        return fact is not None and fact.derived is None and fact.lookup is None and self._not_asked(path)

    def _not_asked(self, path: str) -> bool:
        return path in self.action.optional or (path.startswith("action.") and path not in self.action.properties)


def _asks(row: _Row) -> set[str]:
    """The facts that a row's tests name."""
    return {*row.by_fact, *(path for test in row.by_several for path in paths(test))}


def _dependent(first: str | None, worked_out: Mapping[str, Formula]) -> frozenset[str]:
    """A fact and all that are worked out from it; none for none."""
    found = set() if first is None else {first}
    for path, how in worked_out.items():  # each after those it reads
        if not found.isdisjoint(how.paths):
            found.add(path)
    return frozenset(found)


def _users(
    general: Sequence[_Row], worked_out: Mapping[str, Formula], always: set[str | None]
) -> Iterator[tuple[str, int]]:
    """For each fact that is worked out the bits that need it, through others too; not for those always needed."""
    users: dict[str, int] = {}
    for bit, row in enumerate(general):
        for path in _asks(row):
            users[path] = users.get(path, 0) | 1 << bit
    needed = {path for path in always if path is not None}
    for path in reversed(list(worked_out)):
        for other in worked_out[path].paths:
            users[other] = users.get(other, 0) | users.get(path, 0)
            if path in needed:
                needed.add(other)
        if path not in needed:
            yield path, users.get(path, 0)


def _terms(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, All):
        for term in condition.terms:
            yield from _terms(term)
    else:
        yield condition


def fold(condition: Condition, chosen: Mapping[str, str]) -> Condition:
    """The condition where readings are chosen: comparisons that read nothing else become always or never."""
    match condition:
        case Compare():
            if not any(path in chosen for path in condition.facts()):
                return condition
            if all(path in chosen for path in condition.facts()):
                return NEVER if truth(condition, lambda path: Known(chosen[path])) is False else All(())
            right = tuple(chosen.get(each.path, each) if isinstance(each, Fact) else each for each in condition.right)
            return replace(condition, right=right)
        case Presence():
            return condition
        case All(terms):
            return _all([fold(term, chosen) for term in terms])
        case Any(terms):
            return _any([fold(term, chosen) for term in terms])
        case Not(term):
            folded = fold(term, chosen)
            return NEVER if folded == All(()) else All(()) if folded == NEVER else Not(folded)


NEVER = Any(())


def _all(terms: list[Condition]) -> Condition:
    left = [term for term in terms if term != All(())]
    return NEVER if NEVER in left else left[0] if len(left) == 1 else All(tuple(left))


def _any(terms: list[Condition]) -> Condition:
    left = [term for term in terms if term != NEVER]
    return All(()) if All(()) in left else left[0] if len(left) == 1 else Any(tuple(left))


def _inside(rows: Iterable[_Row], path: str | None, value: Value) -> list[_Row]:
    """The rows where a fact has the value: those it does not rule out, and without what it settles."""
    inside = []
    for row in rows:
        holds = truth(row.by_fact[path or ""], lambda _path: Known(value))
        if holds is True:
            inside.append(replace(row, by_fact={other: test for other, test in row.by_fact.items() if other != path}))
        elif holds is None:
            inside.append(row)
    return inside


def _equalities(test: Condition) -> tuple[Value, ...] | None:
    """The values of which the fact must be one for the test to hold; None if that cannot be told so simply."""
    for term in _terms(test):
        if isinstance(term, Compare) and term.operator in ("is", "in") and term.type.kind in _SWITCHABLE:
            values = [each for each in term.right if isinstance(each, str)]
            if len(values) == len(term.right):
                return tuple(dict.fromkeys(values))
    return None


def _needs_it(test: Condition) -> bool:
    """Whether the test is open while its fact is unknown, and fails where it was not asked for."""
    states: tuple[State, ...] = (Unknown(), NotAsked())
    return [truth(test, lambda _path, state=state: state) for state in states] == [None, False]  # type: ignore[misc]


_SWITCHABLE = ("enum", "key", "string")


def _without_bounds(grid: Grid) -> Grid:
    empty = tuple((name, replace(scale, bounds=())) for name, scale in grid.scales)
    return replace(grid, scale=grid.scale and replace(grid.scale, bounds=()), scales=empty)


def _bounds(grid: Grid) -> Iterator[tuple[Anything, ...]]:
    if grid.scale is not None:
        yield grid.scale.bounds
    for _, scale in grid.scales:
        yield scale.bounds


def _without_constants(atom: Atom) -> Atom:
    return replace(atom, formula=replace(atom.formula, constants=()))
