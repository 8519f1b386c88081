"""What the outcome of an action rests on: the facts that its deciding rules read, and how they read them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from engine.book.axes import KINDS, Kind, Line, Point, number_points, value_points
from engine.condition import EQUALITY, SET, Compare, Condition, Fact, leaves
from engine.model import VERDICTS, Arithmetic, FactDeclaration, Pack, Rule
from engine.policy import ActionRules
from engine.resolve import closure, rule_reads
from engine.situation import Situation
from engine.values import Money, Value

_NUMBERS = frozenset({"integer", "number", "money"})
_SECTIONS = frozenset({"subject", "action", "context"})
_LIKENESS = frozenset((*EQUALITY, *SET))


class Ground:
    """The facts that the rules which decide an action read, as of a day, and what they are compared with."""

    def __init__(self, pack: Pack, rules: ActionRules, day: datetime.date | None) -> None:
        self.pack = pack
        self.rules = rules
        self.action = pack.actions[rules.action]
        self._day = day
        deciding = _deciding(rules)
        own = (path for rule in deciding for path in rule_reads(pack, rule))
        self.reads = frozenset(closure(pack, own)).intersection(rules.reads)
        self.route = rules.route if rules.route and rules.route.path in self.reads else None
        self._compares: dict[str, list[Compare]] = {}
        self._copies: dict[str, list[str]] = {}
        self._columns: dict[str, list[tuple[str, str]]] = {}
        self._reckoned: set[str] = set()
        self._keys: dict[tuple[str, _Compared | None], Line] = {}
        for path in sorted(self.reads):
            self._note_fact(pack.facts[path])
        for rule in deciding:
            self._note(rule.condition)
            if pack.route and isinstance(rule.effect.route, Fact):
                self._note(Compare(pack.route.path, "is", (rule.effect.route,), pack.route.type))

    def lines(self, given: Mapping[str, object]) -> tuple[Line, ...]:
        """The facts that may be axes while others are as given: choices first, then keys, numbers, and the rest."""
        facts = [fact for path in sorted(self.reads) if self._is_free(fact := self.pack.facts[path])]
        found = [line for fact in facts if (line := self._line(fact, given)).size > 1]
        return tuple(sorted(found, key=lambda line: KINDS.index(line.kind)))

    def compares(self, one: str, other: str) -> bool:
        """Whether a rule compares the two facts with each other."""
        return any(other in compare.facts() for compare in self._compares.get(one, ()))

    def _is_free(self, fact: FactDeclaration) -> bool:
        """Whether it is the caller who gives the value, and can do so with this action."""
        namespace, _, name = fact.path.partition(".")
        sendable = not name or namespace in _SECTIONS or self.action.resource in (None, namespace)
        return sendable and not fact.sealed and fact.derived is None and fact.lookup is None

    def _line(self, fact: FactDeclaration, given: Mapping[str, object]) -> Line:
        """The fact as an axis; with no groups where it cannot be one."""
        match kind := self._kind(fact):
            case "number":
                return self._number_line(fact, given)
            case "key":
                return self._key_line(fact, given)
            case _:
                values = (True, False) if fact.type.kind == "boolean" else fact.type.values
                return Line(fact.path, kind, tuple((point,) for point in value_points(values)))

    def _kind(self, fact: FactDeclaration) -> Kind:
        if fact.type.kind in _NUMBERS:
            return "number"
        if fact.type.kind == "key":
            return "key"
        chosen = fact.path in self.action.choices if fact.path.startswith("action.") else fact.choice
        return "choice" if chosen or fact.route else "other"

    def _number_line(self, fact: FactDeclaration, given: Mapping[str, object]) -> Line:
        compared = self._compared(fact.path, given)
        if compared is None:
            return Line(fact.path, "number", ())
        points = number_points(fact, compared.values, self._currencies(fact, given))
        return Line(fact.path, "number", tuple((point,) for point in points), compared.depends)

    def _currencies(self, fact: FactDeclaration, given: Mapping[str, object]) -> Iterator[str]:
        """The currencies that an amount may be in, the likeliest first."""
        situation = self._situation(given)
        if isinstance(fact.currency, Fact):
            yield from map(str, _members(situation.value(fact.currency.path)))
        elif fact.currency is not None:
            yield fact.currency
        yield from (value.currency for value in [situation.value(fact.path)] if isinstance(value, Money))
        constants = chain.from_iterable(compare.right for compares in self._compares.values() for compare in compares)
        yield from sorted({value.currency for value in constants if isinstance(value, Money)})

    def _key_line(self, fact: FactDeclaration, given: Mapping[str, object]) -> Line:
        """The rows, grouped where they say the same in every column that is looked up, and none is named itself."""
        compared = self._compared(fact.path, given, _LIKENESS)
        known = (fact.path, compared)
        if known not in self._keys:
            points = value_points(fact.type.values)
            self._keys[known] = (
                Line(fact.path, "key", (points,)).apart()
                if compared is None
                else Line(fact.path, "key", self._grouped(fact.path, points, compared.values), compared.depends)
            )
        return self._keys[known]

    def _grouped(self, path: str, points: Iterable[Point], named: frozenset[Value]) -> tuple[tuple[Point, ...], ...]:
        columns = [column for alias in self._aliases(path) for column in self._columns.get(alias, ())]
        groups: dict[object, list[Point]] = {}
        for point in points:
            own = point.sample if point.sample in named else None
            groups.setdefault((own, self._cells(point.sample, columns)), []).append(point)
        return tuple(map(tuple, groups.values()))

    def _cells(self, key: str, columns: Iterable[tuple[str, str]]) -> tuple[object, ...]:
        rows = (self.pack.tables[table].rows.get(key, {}).get(column, ()) for table, column in columns)
        return tuple(tuple((span.value, span.start, span.end) for span in cell) for cell in rows)

    def _compared(
        self, path: str, given: Mapping[str, object], operators: frozenset[str] | None = None
    ) -> _Compared | None:
        """What the fact is compared with, by whatever name it goes.

        None where its ranges cannot be told from that: it is reckoned with, compared with what changes with
        itself or with the route, or by other operators than these.
        """
        aliases = self._aliases(path)
        compares = [compare for alias in aliases for compare in self._compares.get(alias, ())]
        others = any(operators is not None and compare.operator not in operators for compare in compares)
        copies = any(len(set(compare.facts()).intersection(aliases)) > 1 for compare in compares)
        if others or copies or not self._reckoned.isdisjoint(aliases):
            return None
        operands = [operand for compare in compares for operand in (Fact(compare.path), *compare.right)]
        facts = sorted({operand.path for operand in operands if isinstance(operand, Fact)}.difference(aliases))
        depends = closure(self.pack, facts)
        if path in depends or (self.route is not None and self.route.path in depends):
            return None
        situations = (self._situation(given), self._situation({}))
        known = (value for fact in facts for each in situations for value in _members(each.value(fact)))
        constants = (operand for operand in operands if not isinstance(operand, Fact))
        return _Compared(frozenset((*constants, *known)), frozenset(depends))

    def _aliases(self, path: str) -> tuple[str, ...]:
        """The fact, and every fact that may take its value."""
        found = [path]
        for alias in found:
            found.extend(copy for copy in self._copies.get(alias, ()) if copy not in found)
        return tuple(found)

    def _situation(self, given: Mapping[str, object]) -> Situation:
        return Situation(self.pack, self.action, given, self._day)

    def _note_fact(self, fact: FactDeclaration) -> None:
        if fact.lookup is not None:
            self._columns.setdefault(fact.lookup.key, []).append((fact.lookup.table, fact.lookup.column))
        match fact.derived:
            case Arithmetic(_, operands):
                self._reckoned.update(operand.path for operand in operands if isinstance(operand, Fact))
            case None | tuple():
                for choice in (*fact.default, *(fact.derived or ())):
                    self._note(choice.condition)
                    if isinstance(choice.value, Fact):
                        self._copies.setdefault(choice.value.path, []).append(fact.path)
            case condition:
                self._note(condition)

    def _note(self, condition: Condition) -> None:
        for leaf in leaves(condition):
            # `known` is in no rule that decides.
            if isinstance(leaf, Compare):
                for path in dict.fromkeys(leaf.facts()):
                    self._compares.setdefault(path, []).append(leaf)


@dataclass(frozen=True, slots=True)
class _Compared:
    """The values that a fact is compared with, and the facts that they change with."""

    values: frozenset[Value]
    depends: frozenset[str]


def _members(value: Value | None) -> Iterable[Value]:
    """The value, or the members of a list; nothing of None."""
    if value is None:
        return ()
    return value if isinstance(value, frozenset) else (value,)


def _deciding(rules: ActionRules) -> list[Rule]:
    """The rules that can make an outcome, and those that override them."""
    by_id = {rule.id: rule for rule in rules.rules}
    found = [rule.id for rule in rules.rules if rule.effect.kind in VERDICTS]
    seen = set(found)
    for rule_id in found:
        fresh = [other for other in rules.overriders.get(rule_id, ()) if other not in seen]
        found.extend(fresh)
        seen.update(fresh)
    return [by_id[rule_id] for rule_id in found]
