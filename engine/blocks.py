"""Blocks of rules as Python: one function for each shape, with its tables and constants beside it.

The function of a shape takes the values of its facts, then `m` (the tables of the shape) and `c` (the
constants of a block), and gives two masks: the rules that are possible, and those that something keeps open.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from engine.emit import NOT_ASKED
from engine.grid import Grid, Masks, ask
from engine.program import Atom, Block, Shape
from engine.values import NUMBER_KINDS

Possible: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Runnable:
    """A block, ready to run: `function(*values of the facts at paths, tables, constants)`."""

    function: Callable[..., Possible]
    paths: tuple[str, ...]
    tables: tuple[Any, ...]


def runnable(shape: Shape, optional: frozenset[str]) -> Runnable:
    """The function of a shape, shared by all shapes that differ in nothing but their tables."""
    writer = BlockWriter(optional)
    writer.begin(shape.bits)
    for grid in shape.grids:
        writer.grid(grid)
    for atom in shape.atoms:
        writer.atom(atom)
    parameters = ", ".join([*writer.names.values(), "m", "c"])
    source = "\n".join([f"def f({parameters}):", *writer.lines, " return p, u", ""])
    return Runnable(_compiled(source), tuple(writer.names), tuple(writer.tables))


def constants(block: Block) -> tuple[Any, ...]:
    """What a block hands to the function of its shape as `c`."""
    return (*block.bounds, *block.constants)


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Callable[..., Possible]:
    namespace = {"NOT_ASKED": NOT_ASKED, "left": bisect_left, "right": bisect_right, "ask": ask}
    exec(compile(source, "<generated>", "exec"), namespace)  # noqa: S102  # nothing but our own names is in it
    function: Callable[..., Possible] = namespace["f"]  # type: ignore[assignment]
    return function


class BlockWriter:
    """The lines of a function over grids and atoms."""

    def __init__(self, optional: frozenset[str]) -> None:
        self.optional = optional
        self.lines: list[str] = []
        self.names: dict[str, str] = {}
        self.tables: list[Any] = []
        self.places = 0

    def begin(self, every: int) -> None:
        """All rules are possible, and nothing is open."""
        self.lines += [f" p = {self.table(every)}", " u = 0"]

    def table(self, value: Any) -> str:
        """An expression for a table or mask."""
        self.tables.append(value)
        return f"m[{len(self.tables) - 1}]"

    def name(self, path: str) -> str:
        """The parameter of a fact."""
        return self.names.setdefault(path, f"f{len(self.names)}")

    def grid(self, grid: Grid) -> None:
        """What the state of one fact leaves of the rules."""
        name = self.name(grid.path)
        self.lines.append(f" if {name} is None:")
        self.lines += self._masks(grid.unknown)
        if grid.path in self.optional:
            self.lines.append(f" elif {name} is NOT_ASKED:")
            self.lines += self._masks(grid.not_asked)
        self.lines.append(" else:")
        self.lines += [f"  {line}" for line in self.known(grid, name)]

    def known(self, grid: Grid, name: str) -> Iterator[str]:
        """Lines for a known value."""
        if grid.scale is not None:
            value = f"float({name})" if grid.kind in NUMBER_KINDS else name
            yield f"b = {self._constant()}; v = {value}"
            yield f"p &= {self.table(possible(grid.scale.masks))}[left(b, v) + right(b, v)]"
        elif grid.scales:
            yield from self._money(grid, name)
        elif grid.tests:
            table = self.table(grid)
            yield f"g, o = ask({table}, {name}); p &= g; u |= o"
        else:
            named = {value: masks.possible for value, masks in grid.named}
            yield f"p &= {self.table(named)}.get({name}, {self.table(grid.other.possible)})"

    def atom(self, atom: Atom) -> None:
        """What a test of several facts leaves of the rules; not asked where it could rule out nothing more."""
        bits, function = self.table(atom.bits), self.table(atom.formula.function())
        values = ", ".join([*map(self.name, atom.formula.paths), self._constant()])
        self.lines += [
            f" if p & {bits}:",
            f"  t = {function}({values})",
            f"  if t is False: p &= ~{bits}",
            f"  elif t is None: u |= {bits}",
        ]

    def _constant(self) -> str:
        self.places += 1
        return f"c[{self.places - 1}]"

    def _money(self, grid: Grid, name: str) -> Iterator[str]:
        scales = {
            currency: (possible(scale.masks), tuple(masks.unknown for masks in scale.masks), number)
            for number, (currency, scale) in enumerate(grid.scales)
        }
        first = self.places
        self.places += len(scales)
        table = self.table(scales)
        yield f"g, o, b = {table}.get({name}.currency) or {table}['']"
        yield f"b = c[{first} + b]; v = float({name}.amount); v = left(b, v) + right(b, v)"
        yield "p &= g[v]; u |= o[v]"

    def _masks(self, masks: Masks) -> Sequence[str]:
        return [f"  p &= {self.table(masks.possible)}; u |= {self.table(masks.unknown)}"]


def possible(masks: Sequence[Masks]) -> tuple[int, ...]:
    """The possible rules of each class, where nothing is left open."""
    return tuple(each.possible for each in masks)
