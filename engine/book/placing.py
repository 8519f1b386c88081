"""In which order the shapes of a diagram stand in their columns, and how high: few crossings, short ways."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.book.figure import EFFECT, GIVEN, RULES, WORKED, Shape, Sketch

GAP, NARROW_GAP, LANE_GAP, HEADING_ROOM, MOST_GAP = 8, 6, 4, 24, 36
_SWEEPS = 6
# Shapes by column, and where each ends above.
Columns = dict[int, list[Shape]]
Tops = dict[str, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """Where shapes stand: `top` of each; `lanes` are the heights at which ways pass the middle, by the shape they are from."""

    top: Mapping[str, int]
    lanes: Mapping[str, int]
    height: int


@dataclass(frozen=True, slots=True)
class _Item:
    """A shape in its column, or a lane between two."""

    id: str
    height: int
    group: tuple[str, str] | None
    lane: bool = False


def place(sketch: Sketch, heights: Mapping[str, int]) -> Placed:
    """Puts shapes of these heights in their places."""
    return _Placing(sketch, heights).run()


class _Placing:
    def __init__(self, sketch: Sketch, heights: Mapping[str, int]) -> None:
        self._heights = heights
        self._columns: Columns = {}
        for shape in sketch.shapes:
            self._columns.setdefault(shape.column, []).append(shape)
        self._beside: dict[str, list[str]] = {shape.id: [] for shape in sketch.shapes}
        self._before: dict[str, list[str]] = {shape.id: [] for shape in sketch.shapes}
        for link in sketch.links:
            self._beside[link.source].append(link.target)
            self._beside[link.target].append(link.source)
            self._before[link.target].append(link.source)
        self._passing = _passing(sketch)
        self._tops: Tops = {}
        self._height = max(self._stack(column, 0) for column in self._columns)

    def run(self) -> Placed:
        for _ in range(_SWEEPS):
            for column in sorted(self._columns, key=lambda each: (each == GIVEN, -each)):
                if column in (GIVEN, WORKED):
                    self._order(column)
                self._set(column)
        lanes = self._weave() if WORKED in self._columns else {}
        ends = [self._tops[name] + height for name, height in self._heights.items()]
        return Placed(self._tops, lanes, max((*ends, *lanes.values(), self._height)))

    def _order(self, column: int) -> None:
        """Sorts the shapes of each group by where what they are linked with stands."""
        groups: dict[tuple[str, str] | None, list[Shape]] = {}
        for shape in self._columns[column]:
            groups.setdefault(shape.group, []).append(shape)
        arrange = self._by_wish if column == GIVEN else self._downward
        self._columns[column] = [shape for group in groups.values() for shape in arrange(group)]

    def _by_wish(self, group: Iterable[Shape]) -> list[Shape]:
        return sorted(group, key=lambda shape: (self._wish(shape.id), shape.id))

    def _downward(self, group: Sequence[Shape]) -> list[Shape]:
        """As `_by_wish`, but what is worked out from another stands below it."""
        within = {shape.id: shape for shape in group}
        open_before = {name: sum(other in within for other in self._before[name]) for name in within}
        ready = [(self._wish(name), name) for name, count in open_before.items() if not count]
        heapq.heapify(ready)
        found = []
        while ready:
            _, name = heapq.heappop(ready)
            found.append(within[name])
            for other in self._beside[name]:
                if other in within and name in self._before[other]:
                    open_before[other] -= 1
                    if not open_before[other]:
                        heapq.heappush(ready, (self._wish(other), other))
        return found

    def _wish(self, name: str) -> float:
        """The middle height of what a shape is linked with, else its own."""
        beside = self._beside[name] or [name]
        return sum(map(self._middle, beside)) / len(beside)

    def _set(self, column: int) -> None:
        if column in (WORKED, EFFECT):
            items = self._items(column)
            self._settle(items, [self._wish(item.id) - item.height / 2 for item in items])
            return
        gap = GAP
        slack = self._height - self._stack(column, 0)
        if column == RULES and len(self._columns[column]) > 1:
            gap += max(min(slack // (len(self._columns[column]) + 1), MOST_GAP), 0)
        self._stack(column, max(self._height - self._stack(column, 0, gap), 0) // 2, gap)

    def _stack(self, column: int, top: int, gap: int = GAP) -> int:
        """Sets a column from a height on, one shape close below the other; gives the lower end."""
        items = self._items(column)
        for item, room in zip(items, _rooms(items, gap), strict=True):
            top += room
            self._tops[item.id] = top
        return top + (items[-1].height if items else 0)

    def _items(self, column: int) -> list[_Item]:
        return [_Item(shape.id, self._heights[shape.id], shape.group) for shape in self._columns[column]]

    def _settle(self, items: Sequence[_Item], wishes: Sequence[float]) -> dict[str, int]:
        """Sets items as near to their wishes as their order and room allow; gives where the lanes are."""
        offsets, total = [], 0
        for room in _rooms(items, GAP):
            total += room
            offsets.append(total)
        free = rising([wish - offset for wish, offset in zip(wishes, offsets, strict=True)])
        lanes: dict[str, int] = {}
        for item, start, offset in zip(items, free, offsets, strict=True):
            (lanes if item.lane else self._tops)[item.id] = max(round(start), 0) + offset
        return lanes

    def _weave(self) -> dict[str, int]:
        """Makes lanes through the middle column for what passes it, each where its way is short."""
        items = self._items(WORKED)
        wishes = [float(self._tops[item.id]) for item in items]
        middles = [wish + item.height / 2 for wish, item in zip(wishes, items, strict=True)]
        lanes = sorted((self._crossing(source, targets), source) for source, targets in self._passing.items())
        woven: list[tuple[_Item, float]] = []
        below = 0
        for wish, source in lanes:
            while below < len(items) and middles[below] < wish:
                woven.append((items[below], wishes[below]))
                below += 1
            woven.append((_Item(source, 0, None, lane=True), wish))
        woven += zip(items[below:], wishes[below:], strict=True)
        return self._settle([item for item, _ in woven], [wish for _, wish in woven])

    def _crossing(self, source: str, targets: Sequence[str]) -> float:
        """The height at which straight ways from the source to its targets would cross the middle, on average."""
        return (self._middle(source) + sum(map(self._middle, targets)) / len(targets)) / 2

    def _middle(self, name: str) -> float:
        return self._tops[name] + self._heights[name] / 2


def _passing(sketch: Sketch) -> dict[str, list[str]]:
    """What passes the middle: the shapes to the right that are linked with each shape to the left."""
    column = {shape.id: shape.column for shape in sketch.shapes}
    found: dict[str, list[str]] = {}
    for link in sketch.links:
        if column[link.source] < WORKED < column[link.target]:
            found.setdefault(link.source, []).append(link.target)
    return found


def _rooms(items: Sequence[_Item], gap: int) -> list[int]:
    """How far below the upper end of the item before it each item ends above, at least."""
    shapes = [item for item in items if not item.lane]
    firsts = {shapes[0].id} if shapes and shapes[0].group else set()
    firsts |= {shape.id for above, shape in pairwise(shapes) if shape.group != above.group and shape.group}
    rooms = [HEADING_ROOM if items and items[0].id in firsts and not items[0].lane else 0]
    for above, item in pairwise(items):
        between = gap if not (above.lane or item.lane) else LANE_GAP if above.lane and item.lane else NARROW_GAP
        heading = HEADING_ROOM if item.id in firsts and not item.lane else 0
        rooms.append(above.height + between + heading)
    return rooms


def rising(wishes: Sequence[float]) -> list[float]:
    """The numbers nearest to the wishes (by least squares) of which none is less than the one before it."""
    blocks: list[tuple[float, int]] = []
    for wish in wishes:
        total, count = wish, 1
        while blocks and blocks[-1][0] * count > total * blocks[-1][1]:
            last, more = blocks.pop()
            total, count = total + last, count + more
        blocks.append((total, count))
    return [total / count for total, count in blocks for _ in range(count)]
