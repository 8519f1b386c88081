"""Lanes: one generated function for each action, from a request as it was sent to the bits of its rules.

A lane reads exactly what its rules read, checks it, works out what follows from it, and looks up in each
fact's grid which rules it leaves. Whatever is out of the ordinary (a request of another form, a bucket or
a currency that cannot be told) makes it step aside: it raises, and the request goes the long way,
which is `engine.decide`. Names, values and tables reach the code as numbered globals, never as text.

A lane is called with a request, its action, the day, the verdicts known by key, and the teller of its decisions
(where there are buckets, what gives the teller for one). Where the verdict is known it gives the decision.
Else it gives the key, the teller, the day with what it knows of the facts, whether the request holds facts that
nobody declared, and its invalid facts (pairs of the others and one; None for none). A key is made of the masks of the
rules: after the route given (or None) where there are routes, for each of them unless nothing but the route
itself depends on it; and with those of a bucket and the number of its layout where there are buckets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from engine.blocks import NAMES, BlockWriter, runnable
from engine.compiled import Compiled
from engine.condition import Fact
from engine.decision import Decision
from engine.emit import Formula, define
from engine.grid import Grid, Masks
from engine.model import FactDeclaration, Pack
from engine.program import Shape, filled
from engine.reading import (
    ACTION,
    BESIDE,
    CONTEXT,
    RESOURCE,
    SUBJECT,
    LongWay,
    bounds,
    checker,
    places,
    reader,
    texts,
    unread,
)
from engine.situation import DATE, Invalid

Lane: TypeAlias = Callable[..., Any]

# So few facts that no rule reads are checked like those that rules read; more are looked for where there are any.
MAX_UNREAD = 4
DATE_NAME = DATE.partition(".")[2]
# What comes first: the parts of a request, and that there are no others. `k`, `m` and `n` count what is known of
# the request, of its entities, and of properties and context.
_SECTIONS = """
 k = 1; m = n = 0; bad = None
 s0 = request.get("subject")
 if s0 is None: s0 = q0 = EMPTY
 else:
  k += 1
  if s0.__class__ is not dict: raise LongWay
  q0 = s0.get("properties")
  if q0 is None: q0 = EMPTY
  elif q0.__class__ is not dict: raise LongWay
  else: m = 1
 q1 = s1.get("properties")
 if q1 is None: q1 = EMPTY
 elif q1.__class__ is not dict: raise LongWay
 if len(s1) > 1 and (len(s1) > 2 or q1 is EMPTY): texts(s1)
 s2 = request.get("resource")
 if s2 is None: s2 = q2 = EMPTY
 else:
  k += 1
  if s2.__class__ is not dict: raise LongWay
  v = s2.get("type")
  if v is not None:
   if v != RESOURCE: raise LongWay
   m += 1
  q2 = s2.get("properties")
  if q2 is None: q2 = EMPTY
  elif q2.__class__ is not dict: raise LongWay
  else: m += 1
 q3 = request.get("context")
 if q3 is None: q3 = EMPTY
 else:
  k += 1
  if q3.__class__ is not dict: raise LongWay
 if len(request) != k: raise LongWay"""
_REST = """
 o = False
 if len(s0) + len(s2) != m: texts(s0); texts(s2)
 if len(q0) + len(q1) + len(q2) + len(q3) != n:
  o, bad = unread(q0, R0, O0, o, bad)
  o, bad = unread(q1, R1, O1, o, bad)
  o, bad = unread(q2, R2, O2, o, bad)
  o, bad = unread(q3, R3, O3, o, bad)"""


def make_lane(pack: Pack, compiled: Compiled) -> Lane:
    """The lane of an action, for the pack that its program was made from."""
    writer = _LaneWriter(pack, compiled)
    source = "\n".join(writer.source())
    return define(source, writer.globals)


class _LaneWriter(BlockWriter):
    def __init__(self, pack: Pack, compiled: Compiled) -> None:
        program = compiled.program
        super().__init__(program.shapes[program.general.shape].bits, program.optional)
        self.pack, self.program, self.buckets = pack, program, compiled.buckets
        self.action = pack.actions[program.action]
        self.globals: dict[str, Any] = {
            **NAMES, "Decision": Decision, "LongWay": LongWay, "EMPTY": {}, "Invalid": Invalid, "texts": texts, "unread": unread,
            "RESOURCE": self.action.resource,
        }  # fmt: skip
        self.names = {path: self.table(option) for path, option in program.constant.items()}
        self.places = {path: (section, name) for path, section, name in places(pack, self.action)}
        grids, self.atoms = filled(program, program.general)
        self.grids = {grid.path: grid for grid in grids}
        self.handed: dict[str, None] | None = None

    def table(self, value: Any) -> str:
        name = f"g{len(self.globals)}"
        self.globals[name] = value
        return name

    def constant(self, value: tuple[Any, ...]) -> str:
        return self.table(value)

    def name(self, path: str) -> str:
        name = super().name(path)
        if self.handed is not None and path not in self.program.constant and path != self.program.route:
            self.handed[name] = None
        return name

    def source(self) -> Iterator[str]:
        """The lines of the lane, and of the function that finishes it for one route."""
        route, parameters = self.program.route, []
        if route is not None:
            self.handed = {}
            late = list(self._late())
            parameters = ["p", "u", self.name(route), *self.handed]
            self.handed = None
            yield from (f"def late({', '.join(parameters)}):", *late, " return p, u")
        yield from ("def f(request, s1, day, known, tell):", _SECTIONS, f" p = {self.table(self.clash - 1)}; u = 0")
        yield from self._early()
        yield from self._bucket()
        yield _REST
        yield from self._sealed()
        names = {path: self.name(path) for path in self.program.reads}
        facts = "".join(f"{name}{' or None' if path == route else ''}, " for path, name in names.items())
        teller = "tell(b and b[4])" if self.program.buckets else "tell"
        yield f" k = {self._key(parameters)}; t = {teller}"
        yield " if not o and bad is None:"
        yield "  v = known.get(k)"
        yield f"  if v is not None and not v.clash: return Decision(v, t, (day, {facts}))"
        yield f" return k, t, (day, {facts}), o, bad"
        yield ""

    def _sealed(self) -> Iterator[str]:
        """What stands beside properties though the policy seals it is told as what nobody declared is: in a warning."""
        for section, namespace in ((SUBJECT, "subject"), (RESOURCE, self.action.resource)):
            for key in BESIDE[section]:
                fact = self.pack.facts.get(f"{namespace}.{key}")
                if fact is not None and fact.sealed:
                    yield f" if s{section}.get({self.table(key)}) is not None: o = True"

    def _key(self, parameters: list[str]) -> str:
        bucket = ", bp, bu, y" if self.program.buckets else ""
        if not parameters:
            return f"(p, u{bucket})"
        assert self.program.route is not None
        if self.program.late_is_simple:
            return f"({parameters[2]}, p, u{bucket})"
        routes = self.pack.facts[self.program.route].type.values
        found = [f"late(p, u, {', '.join([self.table(route), *parameters[3:]])})" for route in routes]
        return f"({parameters[2]}, {', '.join(found)}{bucket})"

    def _early(self) -> Iterator[str]:
        """What does not depend on the route."""
        late, worked_out = self.program.late, self.program.worked_out
        for path in self.program.order:
            formula = worked_out.get(path)
            if formula is None:
                yield from self._plain(path)
                continue
            yield from self._sent(path, masked=path not in late)
            if path not in late and not formula.paths:
                yield from self._default(path, formula)
            elif path not in late:
                yield from self._worked_out(path, formula, " else:" if path in self.places else None)
        for atom in self.atoms:
            if late.isdisjoint(atom.formula.paths):
                yield from self.atom(atom)
        yield from self._unread()

    def _late(self) -> Iterator[str]:
        """What depends on the route, once that is known."""
        late, route = self.program.late, self.program.route
        if route in self.grids:
            yield from (f" {line}" for line in self.known(self.grids[route], self.name(route)))
        for path, formula in self.program.worked_out.items():
            if path in late:
                yield f" if {self.name(path)} is None:"
                yield from self._work_out(path, formula)
                if path in self.grids:
                    yield from self.grid(self.grids[path])
        for atom in self.atoms:
            if not late.isdisjoint(atom.formula.paths):
                yield from self.atom(atom)

    def _plain(self, path: str) -> Iterator[str]:
        """A fact that only the request gives, or its day."""
        grid = self.grids.get(path) if path not in self.program.late else None
        if path == DATE:
            yield f" {self.name(path)} = day"
            yield from (f" {line}" for line in (self.known(grid, self.name(path)) if grid else ()))
            return
        yield from self._sent(path, masked=path not in self.program.late)
        absent = "NOT_ASKED" if path in self.optional else "None"
        yield from [" else:"] if path in self.places else [" if True:"]
        yield f"  {self.name(path)} = {absent}"
        if grid is not None:
            yield f"  {self.masks(grid.not_asked if path in self.optional else grid.unknown)}"

    def _sent(self, path: str, *, masked: bool) -> Iterator[str]:
        """A fact as the request gives it, if it does: an `if` that an `else` may follow."""
        name = self.name(path)
        if path not in self.places:
            yield f" {name} = None"
            return
        section, key = self.places[path]
        beside = key in BESIDE[section]
        yield f" {name} = {'s' if beside else 'q'}{section}.get({self.table(key)})"
        yield f" if {name} is not None:"
        yield f"  {'m' if beside else 'n'} += 1"
        grid = self.grids.get(path) if masked else None
        yield from (f"  {line}" for line in self._checked(path, name, grid))

    def _checked(self, path: str, name: str, grid: Grid | None) -> Iterator[str]:
        """Lines that check a value that was sent, make it what rules compare, and look it up."""
        fact = self.pack.facts[path]
        # What depends on the route is looked up later, and could not be told from an absent fact then.
        late = path in self.program.late
        read = self.table(reader(fact))
        bad = "raise LongWay" if late else f"bad = (bad, {read}({name})); {name} = None"
        if path == self.program.route and self.program.late_is_simple:
            bad = f"bad = (bad, {read}({name})); {name} = False"  # neither absent nor a route
        unread = "raise LongWay" if late else f"bad = (bad, {name}); {name} = None"
        if fact.type.kind in ("enum", "key") and grid is not None:
            named = {**dict.fromkeys(fact.type.values, grid.other.possible), **{v: m.possible for v, m in grid.named}}
            yield f"v = {self.table(named)}.get({name})"
            yield f"if v is None: {bad}; {self.masks(grid.unknown)}"
            yield "else: p &= v"
            return
        yield from self._value(fact, name, read, bad, f"if {name}.__class__ is Invalid: {unread}")
        if grid is not None:
            yield f"if {name} is None: {self.masks(grid.unknown)}"
            yield "else:"
            yield from (f" {line}" for line in self.known(grid, name, exact=path in self.program.exact))

    def _value(self, fact: FactDeclaration, name: str, read: str, bad: str, check: str) -> Iterator[str]:
        match fact.type.kind:
            case "enum" | "key":
                yield f"if {name} not in {self.table(frozenset(fact.type.values))}: {bad}"
            case "boolean":
                yield f"if {name} is not True and {name} is not False: {bad}"
            case "string":
                yield f"if {name}.__class__ is not str or not {name}.isascii():"
                yield f" {name} = {read}({name})"
                yield f" {check}"
            case "integer" | "number":
                yield from self._number(fact, name, read, check)
            case _:
                unit = fact.currency.path if isinstance(fact.currency, Fact) else ""
                unit = f", {self.name(unit)}" if unit in self.program.reads else ""
                yield f"{name} = {read}({name}{unit})"
                yield check

    def _number(self, fact: FactDeclaration, name: str, read: str, check: str) -> Iterator[str]:
        """Small whole numbers as they are; floats too where none is calculated with, if they are short enough."""
        least, most = bounds(fact)
        yield f"if {name}.__class__ is int and {self.table(least)} <= {name} <= {self.table(most)}: pass"
        short = fact.type.kind == "number" and fact.path not in self.program.exact
        if short:
            # So it is the one next to a number of at most 11 digits and 4 decimals: the one it was written as.
            low = self.table(max(least, -1e11))
            yield f"elif {name}.__class__ is float and {low} <= {name} < 1e11 and round({name} * 1e4) / 1e4 == {name}: pass"
        yield "else:"
        yield f" {name} = {read}({name})"
        yield f" {check}"
        if short:
            yield f" if {name} is not None: {name} = float({name})"

    def _default(self, path: str, formula: Formula) -> Iterator[str]:
        """A fact that is the same for every request that does not give it."""
        value = formula.function()(formula.constants)
        yield " else:" if path in self.places else " if True:"
        yield f"  {self.name(path)} = {self.table(value)}"
        if path in self.grids:
            grid = self.grids[path]
            table = runnable(Shape(self.clash - 1, (grid,), ()), self.optional)
            bounds = tuple(
                scale.bounds for scale in ([grid.scale] if grid.scale else [each for _, each in grid.scales])
            )
            yield f"  {self.masks(Masks(*table.function(value, table.tables, bounds)))}"

    def _worked_out(self, path: str, formula: Formula, otherwise: str | None) -> Iterator[str]:
        """A fact that the request need not give."""
        yield otherwise or " if True:"
        yield from self._work_out(path, formula)
        if path in self.grids:
            yield from (f" {line}" for line in self.grid(self.grids[path]))

    def _work_out(self, path: str, formula: Formula) -> Iterator[str]:
        """Lines that work a fact out, unless no rule is left that needs it."""
        name, users = self.name(path), self.program.users.get(path)
        indent = "  "
        if users is not None:
            yield f"  if p & {self.table(users)}:"
            indent = "   "
        yield f"{indent}{name} = {self.call(formula)}"
        if formula.clashes:
            yield f"{indent}if {name} is None:"
            yield from (f"{indent} {line}" for line in self.clashing(formula))

    def _bucket(self) -> Iterator[str]:
        """Lines that find the bucket and what it leaves of its rules."""
        if not self.program.buckets:
            return
        assert self.program.switch is not None
        switch = self.name(self.program.switch)
        values = ", ".join([*map(self.name, self.program.in_buckets), "b[1]", "b[2]"])
        yield f" if {switch} is None: raise LongWay"
        known = self.table(frozenset(self.program.buckets))
        yield f" b = {self.table(self.buckets)}[{switch}] if {switch} in {known} else None"
        yield f" if b is None: bp = bu = 0; y = {self.table(self.program.general.layout)}"
        yield f" else: bp, bu = b[0]({values}); y = b[3]"

    def _unread(self) -> Iterator[str]:
        """Facts that stand beside properties and that no rule reads; and what every other section holds."""
        read = set(self.program.reads)
        for path, (section, key) in self.places.items():
            if path not in read and key in BESIDE[section]:
                yield from self._sent(path, masked=False)
        if DATE in self.places:
            yield f" if q3.get({self.table(DATE_NAME)}) is not None: n += 1"
        for section in (SUBJECT, ACTION, RESOURCE, CONTEXT):
            inside = {path: key for path, (where, key) in self.places.items() if where == section}
            inside = {path: key for path, key in inside.items() if key not in BESIDE[section] and path != DATE}
            others = [path for path in inside if path not in read]
            if len(others) <= MAX_UNREAD:
                for path in others:
                    yield from self._sent(path, masked=False)
                others = []
            dated = {DATE_NAME} if section == CONTEXT and DATE in self.places else set()
            self.globals[f"R{section}"] = dated | {key for path, key in inside.items() if path not in others}
            self.globals[f"O{section}"] = {inside[path]: checker(self.pack.facts[path]) for path in others}
