"""Decision tables, made by deciding: two facts beside each other, and the outcome where they meet.

Which facts those are, and what else is known, is found by trying: pairs of facts along both of which the
outcome really varies, beside the facts of one of the pack's own cases. Every cell has been decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from engine.book.axes import Axis, Point
from engine.book.ground import Ground
from engine.book.trial import OPEN_CAUSES, Asking, Trial, bases, best
from engine.decision import Decision
from engine.gate import Gate
from engine.model import Case, FactDeclaration
from engine.request import from_paths


@dataclass(frozen=True, slots=True)
class Cell:
    """What was decided; `settled` where it follows from the two facts and the defaults, whatever else holds."""

    outcome: str
    cause: str
    route: str | None
    rules: tuple[str, ...]
    settled: bool


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a point, or of several points that are alike in each."""

    points: tuple[Point, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A decision table of an action.

    `base` is the case whose facts hold in every cell (None for none); `given` are those of them that the
    action's rules read, by path, without the two of the axes.
    """

    action: str
    rows_of: Axis
    columns_of: Axis
    base: str | None
    given: Mapping[str, Any]
    rows: tuple[Row, ...]

    def request(self, row: Point, column: Point) -> dict[str, Any]:
        """The request that was decided where a row and a column meet."""
        axes = {self.rows_of.path: row.sample, self.columns_of.path: column.sample}
        return from_paths({"action": self.action, **self.given, **axes})


def matrices(gate: Gate, action: str, cases: Sequence[Case]) -> tuple[Matrix, ...]:
    """The decision tables of an action that tell most, the most telling first; at most MAX_MATRICES.

    They are as of the day of `gate`; `cases` are where the other facts come from.
    """
    policy = gate.today()
    ground = Ground(policy.pack, policy.actions[action], policy.as_of)
    return tuple(_matrix(gate, ground, trial) for trial in best(gate, ground, bases(gate, ground, cases)))


def _matrix(gate: Gate, ground: Ground, trial: Trial) -> Matrix:
    """The table of two facts beside what is given, with rows that are alike made one."""
    pair, given = trial.pair, trial.base.without(*trial.pair.paths)
    columns = _in_order(chain.from_iterable(pair.columns.groups), ground.pack.facts[pair.columns.path])
    cell = _Cells(gate, ground, given, pair.paths)
    rows = [Row(group, tuple(cell(group[0], column) for column in columns)) for group in pair.rows.groups]
    if pair.columns.kind == "number":
        columns, rows = _with_merged_columns(columns, rows)
    fact = ground.pack.facts[pair.rows.path]
    rows = _merged(rows) if pair.rows.kind == "number" else _grouped(rows, fact)
    points = _in_order((point for row in rows for point in row.points), fact)
    axes = Axis(pair.rows.path, tuple(points)), Axis(pair.columns.path, tuple(columns))
    return Matrix(ground.action.name, *axes, trial.base.case, given, tuple(rows))


def _in_order(points: Iterable[Point], fact: FactDeclaration) -> list[Point]:
    """The points of an enum or a key as they are declared, others as they come."""
    place = {value: number for number, value in enumerate(fact.type.values)}
    return sorted(points, key=lambda point: place.get(point.sample, 0)) if place else list(points)


class _Cells:
    """Decides the cells of a table, and whether they are settled."""

    def __init__(self, gate: Gate, ground: Ground, given: Mapping[str, Any], paths: tuple[str, str]) -> None:
        action = ground.action.name
        self._ask = Asking(gate, action, given, paths)
        routes = [] if ground.route is None or ground.route.path in paths else [ground.route]
        self._ask_alone = Asking(gate, action, {}, (*paths, *(route.path for route in routes)))
        self._routes: list[tuple[str, ...]] = [(value,) for route in routes for value in route.type.values] or [()]

    def __call__(self, row: Point, column: Point) -> Cell:
        """The cell where a row and a column meet."""
        told = self._ask(row.sample, column.sample)
        settled = told.cause not in OPEN_CAUSES and all(
            self._follows(told, row, column, route) for route in self._routes
        )
        return Cell(told.outcome, told.cause, told.route, told.rules, settled)

    def _follows(self, told: Decision, row: Point, column: Point, route: tuple[str, ...]) -> bool:
        """Whether the outcome is already certain when, by a route, only the two facts are known."""
        values = (row.sample, column.sample, *route)
        if self._ask_alone.leaves_open(told.cause, *values):
            return False
        alone = self._ask_alone(*values)
        return alone.outcome == told.outcome and alone.cause not in OPEN_CAUSES


def _merged(rows: Iterable[Row]) -> list[Row]:
    """The rows, with ranges of numbers that follow each other and are alike made one."""
    found: list[Row] = []
    for row in rows:
        last = found[-1] if found and found[-1].cells == row.cells else None
        both = last.points[0].until(row.points[0]) if last else None
        if both is None:
            found.append(row)
        else:
            found[-1] = Row((both,), row.cells)
    return found


def _with_merged_columns(columns: Sequence[Point], rows: Sequence[Row]) -> tuple[list[Point], list[Row]]:
    """Columns and rows, with columns of numbers merged as rows are."""
    turned = zip(columns, zip(*(row.cells for row in rows), strict=True), strict=True)
    merged = _merged(Row((point,), cells) for point, cells in turned)
    cells = zip(*(column.cells for column in merged), strict=True)
    return [column.points[0] for column in merged], [
        Row(row.points, each) for row, each in zip(rows, cells, strict=True)
    ]


def _grouped(rows: Iterable[Row], fact: FactDeclaration) -> list[Row]:
    """The rows, with those that are alike made one, where the first of them is; the most keys come last."""
    groups: dict[tuple[Cell, ...], list[Point]] = {}
    for row in rows:
        groups.setdefault(row.cells, []).extend(row.points)
    found = [Row(tuple(_in_order(points, fact)), cells) for cells, points in groups.items()]
    most = max(found, key=lambda row: len(row.points))
    if fact.type.kind == "key" and len(most.points) > 1:
        found.remove(most)
        found.append(most)
    return found
