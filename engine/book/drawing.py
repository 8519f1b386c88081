"""Draws a sketch: sets its boxes and what is written in them, and names columns, groups and marks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil

from engine.book.figure import Diagram, Edge, Heading, Line, Link, Names, Node, Row, Shape, Sketch
from engine.book.lettering import rows, width
from engine.book.placing import place
from engine.book.routing import Frame, route
from engine.book.sizing import (
    BETWEEN,
    COLUMN_NAMES,
    COLUMN_ROOM,
    MARGIN,
    MARK_ROOM,
    ROW,
    SIDE,
    SIZES,
    Lettered,
    frame_of,
    letter,
    measure,
    text_height,
)

# From the upper end of a row to its base line, and from a group's name to its first box.
BASE, ABOVE = 13, 7
LEGEND_ROOM, LEGEND_ROW, LEGEND_GAP, LEGEND_LEAST = 20, 22, 28, 260


def draw(name: str, sketch: Sketch, names: Names) -> Diagram:
    """The drawn sketch, under a name that tells it from others; `names` says what is written."""
    lettered = letter(sketch, names)
    heights = measure(sketch, lettered)
    placed = place(sketch, heights)
    frame = frame_of(sketch, lettered, heights, placed, names)
    shapes = sorted(sketch.shapes, key=lambda shape: (shape.column, placed.top[shape.id]))
    numbers = {shape.id: f"n{number}" for number, shape in enumerate(shapes)}
    edges = route(sketch, frame, numbers)
    nodes = tuple(_nodes(shapes, lettered, frame, numbers, _lights(sketch.links, numbers), _fed_by(edges)))
    right, bottom = max(frame.right.values()) + MARGIN, COLUMN_ROOM + placed.height + MARGIN
    legend = tuple(_legend(_marks(sketch), names, min(frame.left.values()), right, bottom + LEGEND_ROOM))
    right = max((right, *(each.x + each.width + MARGIN for each in legend)))
    bottom = max((bottom, *(each.y + MARGIN for each in legend)))
    return Diagram(name, right, bottom, nodes, edges, _headings(shapes, frame, names), legend)


def _lights(links: Iterable[Link], numbers: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """For each node those whose outgoing edges stand out with it: itself, and what it reaches."""
    after: dict[str, list[str]] = {}
    for link in links:
        after.setdefault(numbers[link.source], []).append(numbers[link.target])
    return {name: tuple(_reached(name, after)) for name in numbers.values()}


def _reached(name: str, after: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The node, and what it reaches, as far as something comes after it."""
    seen = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in seen and each in after:
            seen.add(each)
            yield each
            waiting.extend(reversed(after[each]))


def _fed_by(edges: Iterable[Edge]) -> dict[str, tuple[str, ...]]:
    """The edges that lead to each node without a color of its own: to what is worked out, mostly."""
    found: dict[str, tuple[str, ...]] = {}
    for edge in edges:
        if not edge.accent:
            found[edge.target] = (*found.get(edge.target, ()), edge.id)
    return found


def _nodes(
    shapes: Iterable[Shape],
    lettered: Mapping[str, Sequence[Lettered]],
    frame: Frame,
    numbers: Mapping[str, str],
    lights: Mapping[str, tuple[str, ...]],
    fed_by: Mapping[str, tuple[str, ...]],
) -> Iterator[Node]:
    for shape in shapes:
        name, left, right = numbers[shape.id], frame.left[shape.column], frame.right[shape.column]
        yield Node(
            name,
            shape.kind,
            left,
            frame.top[shape.id],
            right - left,
            frame.height[shape.id],
            tuple(_lines(shape, lettered[shape.id], frame)),
            shape.accent,
            shape.turns,
            lights[name],
            fed_by.get(name, ()),
        )


def _lines(shape: Shape, entries: Sequence[Lettered], frame: Frame) -> Iterator[Line]:
    """The entries of a box with their places, in its middle if it is higher than they are."""
    x, right = frame.left[shape.column] + SIDE, frame.right[shape.column] - SIDE
    y = frame.top[shape.id] + (frame.height[shape.id] - text_height(entries)) // 2
    for each in entries:
        texts = tuple(Row(text, x, y + ROW * number + BASE) for number, text in enumerate(each.rows))
        first = right - MARK_ROOM * len(each.entry.marks) + MARK_ROOM // 4
        marks = tuple((mark, first + MARK_ROOM * number) for number, mark in enumerate(each.entry.marks))
        yield Line(each.entry.kind, each.entry.ref, texts, each.full, marks)
        y += ROW * len(each.rows) + BETWEEN


def _headings(shapes: Iterable[Shape], frame: Frame, names: Names) -> tuple[Heading, ...]:
    """The names of the columns, and of the groups above their first boxes."""
    found: dict[tuple[int, tuple[str, str]], Heading] = {}
    for shape in shapes:
        column = ("column", COLUMN_NAMES[shape.column])
        found.setdefault((shape.column, column), _heading(column, shape.column, BASE - 1, frame, names))
        if shape.group and names(*shape.group) not in ("", names(*column)):
            above = frame.top[shape.id] - ABOVE
            found.setdefault((shape.column, shape.group), _heading(shape.group, shape.column, above, frame, names))
    return tuple(found.values())


def _heading(what: tuple[str, str], column: int, y: int, frame: Frame, names: Names) -> Heading:
    room = frame.right[column] - frame.left[column]
    return Heading(*what, rows(names(*what), room, SIZES["heading"], 1)[0], frame.left[column], y, room)


def _marks(sketch: Sketch) -> list[str]:
    used = {mark for shape in sketch.shapes for entry in shape.entries for mark in entry.marks}
    used |= {"turns" for shape in sketch.shapes if shape.turns}
    return [mark for mark in ("default", "lookup", "turns") if mark in used]


def _legend(marks: Iterable[str], names: Names, left: int, right: int, y: int) -> Iterator[Heading]:
    """What the marks mean, in rows below the boxes."""
    x = left
    for mark in marks:
        most = max(right - left - MARGIN - MARK_ROOM, LEGEND_LEAST)
        text = rows(names("mark", mark), most, SIZES["heading"], 1)[0]
        room = ceil(width(text, SIZES["heading"])) + MARK_ROOM + MARK_ROOM // 4
        if x > left and x + room > right - MARGIN:
            x, y = left, y + LEGEND_ROW
        yield Heading("mark", mark, text, x, y, room)
        x += room + LEGEND_GAP
