"""Diagrams before and after they are drawn: what they show, then the same with places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

# The word or label for a kind and a name, such as `fact` and `subscription.cost`.
Names: TypeAlias = Callable[[str, str], str]
# The columns, from left to right.
GIVEN, WORKED, RULES, EFFECT = range(4)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that a shape names; `marks` say more about it."""

    kind: str
    ref: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """Something to draw: a box in a column, under the heading of its group (a kind and a name, None for none)."""

    id: str
    kind: str
    column: int
    group: tuple[str, str] | None
    entries: tuple[Entry, ...]
    accent: str = ""
    turns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A shape reads another (`source`), on behalf of `weight` rules; or `says`, or `overrides`, another."""

    source: str
    target: str
    weight: int
    kind: str = "reads"


@dataclass(frozen=True, slots=True)
class Sketch:
    """What to draw. The shapes of a group stand together, groups in the order of their first shapes."""

    shapes: tuple[Shape, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of letters that begins at `x`, on the base line `y`."""

    text: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Line:
    """What a box names, as its label is broken into rows; `full` is the whole label where they do not hold all of it.

    `marks` stand beside the first row, each with its left end.
    """

    kind: str
    ref: str
    rows: tuple[Row, ...]
    full: str | None = None
    marks: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `accent` is the effect whose color it has; `turns` are those at which the effect counts.

    `lights` are the nodes whose outgoing edges stand out with it: itself, and what it reaches. `fed_by` are the
    edges that lead to a fact which is worked out.
    """

    id: str
    kind: str
    x: int
    y: int
    width: int
    height: int
    lines: tuple[Line, ...]
    accent: str = ""
    turns: tuple[int, ...] = ()
    lights: tuple[str, ...] = ()
    fed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A curve from a node to one that reads it, on behalf of `weight` rules; `kind` is reads, says or overrides.

    `accent` is that of the target.
    """

    id: str
    source: str
    target: str
    weight: int
    path: str
    kind: str = "reads"
    accent: str = ""

    @property
    def thickness(self) -> int:
        """From 1 for one rule to 5 for sixteen or more."""
        return min(self.weight.bit_length(), 5)


@dataclass(frozen=True, slots=True)
class Heading:
    """A word above a column or a group of boxes, or beside a mark that it explains."""

    kind: str
    ref: str
    text: str
    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """A diagram, `width` by `height`; `id` is unique among those of a book."""

    id: str
    width: int
    height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    headings: tuple[Heading, ...] = ()
    legend: tuple[Heading, ...] = ()

    @property
    def outgoing(self) -> tuple[tuple[str, tuple[Edge, ...]], ...]:
        """The edges by the node that they begin at."""
        return tuple((source, tuple(edges)) for source, edges in groupby(self.edges, key=lambda edge: edge.source))
