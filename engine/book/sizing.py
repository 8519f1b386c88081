"""How large the boxes of a diagram are, by what is written in them, and where its columns begin and end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from engine.book.figure import EFFECT, GIVEN, RULES, WORKED, Entry, Names, Shape, Sketch
from engine.book.lettering import printed, rows, width
from engine.book.placing import Placed
from engine.book.routing import Frame

# A link should be as high as a fingertip needs: a row and what is between two are 24.
ROW, PAD, SIDE, BETWEEN, MARK_ROOM, TURN_ROOM = 17, 6, 10, 7, 16, 22
# How far apart the ways into a box end, and how much room is left above and below them.
PORT, PORT_MARGIN = 5, 8
MARGIN, ARC_ROOM, COLUMN_ROOM, LEAST_GAP = 6, 34, 30, 56
# The names of the columns, and the sizes of letters by what is written.
COLUMN_NAMES: Mapping[int, str] = {GIVEN: "given", WORKED: "worked", RULES: "rules", EFFECT: "effect"}
SIZES: Mapping[str, int] = {"effect": 15, "count": 12, "heading": 12}
LABEL_SIZE = 13
MOST_ROWS: Mapping[str, int] = {"rule": 3, "count": 1}
NARROWEST: Mapping[int, int] = {GIVEN: 120, WORKED: 120, RULES: 144, EFFECT: 80}

Columns = dict[int, int]


# How wide a page of the book is, and how wide three columns, or four, are at most, so that a diagram fits on it.
PAGE = 976
WIDEST_OF_THREE: Mapping[int, int] = {GIVEN: 236, WORKED: 228, RULES: 208}
WIDEST_OF_FOUR: Mapping[int, int] = {GIVEN: 206, WORKED: 200, RULES: 190, EFFECT: 120}
LAST_GAP = 40


@dataclass(frozen=True, slots=True)
class Lettered:
    """The rows of an entry, its whole label where they do not hold it, and how wide it is with what stands beside it."""

    entry: Entry
    rows: tuple[str, ...]
    full: str | None
    width: int


def letter(sketch: Sketch, names: Names) -> dict[str, list[Lettered]]:
    """What is written in each shape."""
    widest = _widest(sketch)
    return {
        shape.id: [_entry(entry, shape, widest[shape.column], names) for entry in shape.entries]
        for shape in sketch.shapes
    }


def _widest(sketch: Sketch) -> Mapping[int, int]:
    return WIDEST_OF_FOUR if any(shape.column == EFFECT for shape in sketch.shapes) else WIDEST_OF_THREE


def _entry(entry: Entry, shape: Shape, widest: int, names: Names) -> Lettered:
    label, size = names(entry.kind, entry.ref), SIZES.get(entry.kind, LABEL_SIZE)
    turns = len(shape.turns) if entry.kind == "effect" else 0
    beside = MARK_ROOM * len(entry.marks) + TURN_ROOM * turns
    room, most = widest - 2 * SIDE - beside, MOST_ROWS.get(entry.kind, 2)
    found = rows(label, room, size, most)
    full = printed(label) if found != rows(label, room, size, most + 1) else None
    return Lettered(entry, found, full, ceil(max(width(row, size) for row in found)) + beside)


def text_height(entries: Sequence[Lettered]) -> int:
    """How high the rows of a box are together."""
    return sum(ROW * len(each.rows) for each in entries) + BETWEEN * (len(entries) - 1)


def measure(sketch: Sketch, lettered: Mapping[str, Sequence[Lettered]]) -> dict[str, int]:
    """How high each box is: its rows fit, and so do the ends of the ways that lead to it."""
    column = {shape.id: shape.column for shape in sketch.shapes}
    ways = dict.fromkeys(column, 0)
    for link in sketch.links:
        ways[link.target] += column[link.source] < column[link.target]
    return {
        name: max(2 * PAD + text_height(entries), 2 * PORT_MARGIN + PORT * (ways[name] - 1))
        for name, entries in lettered.items()
    }


def frame_of(
    sketch: Sketch,
    lettered: Mapping[str, Sequence[Lettered]],
    heights: Mapping[str, int],
    placed: Placed,
    names: Names,
) -> Frame:
    """Where columns and boxes are."""
    column = {shape.id: shape.column for shape in sketch.shapes}
    left, right = _columns(sketch, _widths(sketch, lettered, names), column, placed.height)
    top = {name: COLUMN_ROOM + top for name, top in placed.top.items()}
    lanes = {name: COLUMN_ROOM + lane for name, lane in placed.lanes.items()}
    return Frame(left, right, column, top, heights, lanes)


def _widths(sketch: Sketch, lettered: Mapping[str, Sequence[Lettered]], names: Names) -> Columns:
    """How wide each column is, for what is written in it and above it."""
    widest, found = _widest(sketch), dict[int, int]()
    for shape in sketch.shapes:
        headings = [names("column", COLUMN_NAMES[shape.column]), names(*shape.group) if shape.group else ""]
        needed = [each.width + 2 * SIDE for each in lettered[shape.id]]
        needed += [ceil(width(text, SIZES["heading"])) for text in headings]
        wanted = max(found.get(shape.column, NARROWEST[shape.column]), *needed)
        found[shape.column] = min(wanted, widest[shape.column])
    return found


def _columns(sketch: Sketch, widths: Columns, column: Mapping[str, int], height: int) -> tuple[Columns, Columns]:
    """The left and right ends of the columns; arcs need room to the left of the first, to the right of the second."""
    arcs = {column[link.source] for link in sketch.links if column[link.source] == column[link.target]}
    room = {number: ARC_ROOM if number in arcs and number in (GIVEN, WORKED) else 0 for number in widths}
    gaps = {number: LAST_GAP if number == RULES else 0 for number in sorted(widths)[:-1]}
    spare = PAGE - 2 * MARGIN - sum((*widths.values(), *room.values(), *gaps.values()))
    gap = max(LEAST_GAP, min(40 + height // 8, spare // max(sum(not each for each in gaps.values()), 1)))
    left, right = {}, {}
    x = MARGIN + room.get(GIVEN, 0)
    for number in sorted(widths):
        left[number], right[number] = x, x + widths[number]
        x = right[number] + (gaps.get(number) or gap) + (room[number] if number == WORKED else 0)
    return left, right
