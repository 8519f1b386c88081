"""Blocks of rules as Python: one function for each shape, with its tables and constants beside it.

The function of a shape takes the values of its facts, then `m` (the tables of the shape) and `c` (the
constants of a block), and gives two masks: the rules that are possible, and those that something keeps
open. One bit beyond the rules' in the second says that what is open may be so by a clash: money of two
currencies, or a result too large.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from engine.emit import NOT_ASKED, Formula, define
from engine.grid import Grid, Masks, Scale, ask
from engine.program import Atom, Block, Shape

Masked: TypeAlias = tuple[int, int]
# What generated code may name.
NAMES = {"NOT_ASKED": NOT_ASKED, "bisect": bisect_right, "ask": ask}


@dataclass(frozen=True, slots=True)
class Runnable:
    """A shape, ready to run: `function(*values of the facts at paths, tables, constants)`.

    The facts in `rough` are numbers that are only looked up, so that floats will do.
    """

    function: Callable[..., Masked]
    paths: tuple[str, ...]
    tables: tuple[Any, ...]
    rough: frozenset[str] = frozenset()


def runnable(shape: Shape, optional: frozenset[str], paths: Iterable[str] = ()) -> Runnable:
    """The function of a shape, taking at least the facts named, in that order.

    Shapes that differ in nothing but their tables share it.
    """
    writer = BlockWriter(shape.bits, optional)
    for path in paths:
        writer.name(path)
    lines = [f" p = {writer.table(shape.bits)}; u = 0"]
    lines += [line for grid in shape.grids for line in writer.grid(grid)]
    lines += [line for atom in shape.atoms for line in writer.atom(atom)]
    parameters = ", ".join([*writer.names.values(), "m", "c"])
    source = "\n".join([f"def f({parameters}):", *lines, " return p, u", ""])
    exact = {path for atom in shape.atoms for path in atom.formula.paths}
    rough = frozenset(grid.path for grid in shape.grids if grid.kind == "number") - exact
    return Runnable(_compiled(source), tuple(writer.names), tuple(writer.tables), rough)


def constants(block: Block) -> tuple[Any, ...]:
    """What a block hands to the function of its shape as `c`."""
    return (*block.bounds, *block.constants)


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Callable[..., Masked]:
    return define(source, NAMES)


class BlockWriter:
    """Writes what grids and atoms leave of the rules, into `p` and `u`."""

    def __init__(self, every: int, optional: frozenset[str]) -> None:
        self.optional = optional
        self.clash = 1 << every.bit_length()
        self.names: dict[str, str] = {}
        self.tables: list[Any] = []
        self._places = 0

    def name(self, path: str) -> str:
        """The variable of a fact."""
        return self.names.setdefault(path, f"f{len(self.names)}")

    def table(self, value: Any) -> str:
        """An expression for a table or mask."""
        self.tables.append(value)
        return f"m[{len(self.tables) - 1}]"

    def constant(self, _value: tuple[Any, ...]) -> str:
        """An expression for the next constants of the block."""
        self._places += 1
        return f"c[{self._places - 1}]"

    def grid(self, grid: Grid) -> Iterator[str]:
        """Lines for one fact in any state."""
        name = self.name(grid.path)
        yield f" if {name} is None:"
        yield f"  {self.masks(grid.unknown)}"
        if grid.path in self.optional:
            yield f" elif {name} is NOT_ASKED:"
            yield f"  {self.masks(grid.not_asked)}"
        yield " else:"
        yield from (f"  {line}" for line in self.known(grid, name))

    def masks(self, masks: Masks) -> str:
        """A line for a state that is the same for all values."""
        lines = [] if masks.possible == self.clash - 1 else [f"p &= {self.table(masks.possible)}"]
        lines += [f"u |= {self.table(masks.unknown)}"] if masks.unknown else []
        return "; ".join(lines) or "pass"

    def known(self, grid: Grid, name: str, *, exact: bool = True) -> Iterator[str]:
        """Lines for a known value; a number that is not `exact` is an int or a float."""
        if grid.scale is not None:
            number = exact and grid.kind == "number"
            value = f"float({name})" if number else name
            yield f"p &= {self.table(possible(grid.scale))}[bisect({self.constant(grid.scale.bounds)}, {value})]"
        elif grid.scales:
            yield from self._money(grid.scales, name)
        elif grid.tests:
            yield f"g, o = ask({self.table(grid)}, {name}); p &= g; u |= o"
            yield f"if o: u |= {self.table(self.clash)}"
        else:
            named = {value: masks.possible for value, masks in grid.named}
            yield f"p &= {self.table(named)}.get({name}, {self.table(grid.other.possible)})"

    def atom(self, atom: Atom) -> Iterator[str]:
        """Lines for a test of several facts; it is not asked where it could rule out nothing more."""
        bits = self.table(atom.bits)
        yield f" if p & {bits}:"
        yield f"  t = {self.call(atom.formula)}"
        yield f"  if t is False: p &= ~{bits}"
        yield "  elif t is None:"
        yield f"   u |= {bits}"
        yield from (f"   {line}" for line in self.clashing(atom.formula))

    def call(self, formula: Formula) -> str:
        """An expression for what a formula gives."""
        values = [*map(self.name, formula.paths), self.constant(formula.constants)]
        return f"{self.table(formula.function())}({', '.join(values)})"

    def clashing(self, formula: Formula) -> Iterator[str]:
        """Lines for a formula that gave nothing: whether it may be by a clash."""
        for group in formula.clashes:
            known = [f"{self.name(path)} is not None" for path in group]
            yield f"if {' and '.join(known) or 'True'}: u |= {self.table(self.clash)}"

    def _money(self, scales: Sequence[tuple[str, Scale]], name: str) -> Iterator[str]:
        by_currency = {
            currency: (
                possible(scale),
                tuple(each.unknown and each.unknown | self.clash for each in scale.masks),
                place,
            )
            for place, (currency, scale) in enumerate(scales)
        }
        bounds = ", ".join(self.constant(scale.bounds) for _, scale in scales)
        table = self.table(by_currency)
        yield f"g, o, b = {table}.get({name}.currency) or {table}['']"
        yield f"v = bisect(({bounds},)[b], float({name}.amount))"
        yield "p &= g[v]; u |= o[v]"


def possible(scale: Scale) -> tuple[int, ...]:
    """The possible rules of each class of a scale."""
    return tuple(each.possible for each in scale.masks)
