"""Programs: the rules of one action as plain tables, made by `engine.assemble` and run by `engine.compiled`.

A rule is a bit. What tests a single fact goes into the fact's grid, which says by value what bits are left;
what compares several facts is an atom. Rules that ask one and the same fact to be a certain value are put
into a bucket for each such value, so that only a bucket and the general rules are ever looked at. Buckets
that differ in nothing but their constants share one shape.

Readings are folded in as chosen, and tables as of the day, so a program holds from one change of the policy
to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.codec import register
from engine.emit import Formula
from engine.grid import Grid, Masks, Scale


@dataclass(frozen=True, slots=True)
class Role:
    """What a bit stands for: a rule's effect, or (`here`) whether the route of the only_by before it is taken."""

    kind: str
    remedy: bool = False
    accompanies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Layout:
    """What the bits mean, general ones first; and who overrides whom (bit, mask of overriders), overriders first."""

    roles: tuple[Role, ...]
    overriders: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Atom:
    """A test of several facts, and the bits that hold only where it does."""

    formula: Formula
    bits: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A block of rules without the constants of its scales and atoms."""

    bits: int
    grids: tuple[Grid, ...]
    atoms: tuple[Atom, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rules by bit (None where a bit is no rule): a shape, and the constants that fill it."""

    rules: tuple[str | None, ...]
    shape: int
    bounds: tuple[tuple[Any, ...], ...]
    constants: tuple[tuple[Any, ...], ...]
    layout: int


@dataclass(frozen=True, eq=False)
class Program:
    """The rules of an action from one change of the policy to the next.

    `general` are the rules to be looked at whatever the facts are; `buckets` those to be looked at only
    where the fact `switch` has the value; those read the facts `in_buckets`. `worked_out` tells how facts
    that a request need not give come about, each after those it reads; `users` are the general rules (bits)
    that need one of them, where buckets do not. `late` facts depend on the `route`, `optional` ones may be
    not asked for, `exact` numbers are calculated with. `reads` are all facts, those of texts among them, by
    path, and in `order` each after those that it depends on; `judged` those that matter for the outcome, and
    `lasting` those that still do once everything curable is cured.
    """

    action: str
    general: Block
    shapes: tuple[Shape, ...]
    layouts: tuple[Layout, ...]
    switch: str | None = None
    buckets: Mapping[Any, Block] = field(default_factory=dict)
    worked_out: Mapping[str, Formula] = field(default_factory=dict)
    constant: Mapping[str, Any] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    exact: frozenset[str] = frozenset()
    route: str | None = None
    late: frozenset[str] = frozenset()
    order: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    in_buckets: tuple[str, ...] = ()
    judged: frozenset[str] = frozenset()
    lasting: frozenset[str] = frozenset()

    @property
    def late_is_simple(self) -> bool:
        """Whether nothing depends on the route but what its own grid says."""
        atoms = self.shapes[self.general.shape].atoms
        return self.late <= {self.route} and all(self.route not in atom.formula.paths for atom in atoms)


def filled(program: Program, block: Block) -> tuple[list[Grid], list[Atom]]:
    """The grids and atoms of a block, with their constants."""
    shape, bounds = program.shapes[block.shape], iter(block.bounds)
    grids = [_with_bounds(grid, bounds) for grid in shape.grids]
    atoms = [
        replace(atom, formula=replace(atom.formula, constants=each))
        for atom, each in zip(shape.atoms, block.constants, strict=True)
    ]
    return grids, atoms


def _with_bounds(grid: Grid, bounds: Iterator[tuple[Any, ...]]) -> Grid:
    scale = grid.scale and replace(grid.scale, bounds=next(bounds))
    return replace(
        grid, scale=scale, scales=tuple((name, replace(each, bounds=next(bounds))) for name, each in grid.scales)
    )


for _each in (Masks, Scale, Grid, Formula, Atom, Role, Layout, Shape, Block):
    register(_each)
register(Program, later={"buckets": 1})
