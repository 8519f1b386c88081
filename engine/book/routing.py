"""The curves of a diagram: from the right of a box to the left of another, through lanes past the middle, in arcs within a column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from engine.book.figure import EFFECT, GIVEN, RULES, WORKED, Edge, Link, Sketch

# How far apart ways end at a box, and how far from its corners the last ones do.
_PORT, _CORNER = 5, 6
_ARROW_LEFT, _ARROW_RIGHT, _ARROW_DOWN = "m5-4l-5 4l5 4", "m-5-4l5 4l-5 4", "m-4-5l4 5l4-5"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where columns begin and end, in which column each shape is, where it ends above, how high it is; and the lanes."""

    left: Mapping[int, int]
    right: Mapping[int, int]
    column: Mapping[str, int]
    top: Mapping[str, int]
    height: Mapping[str, int]
    lanes: Mapping[str, int]

    def middle(self, name: str) -> int:
        """The height of the middle of a shape."""
        return self.top[name] + self.height[name] // 2


def route(sketch: Sketch, frame: Frame, numbers: Mapping[str, str]) -> tuple[Edge, ...]:
    """The links as edges, by where they begin; `numbers` are the names of the nodes."""
    ends = _ends(sketch.links, frame)
    accents = {shape.id: shape.accent for shape in sketch.shapes}
    order = sorted(sketch.links, key=lambda link: (_number(numbers[link.source]), _number(numbers[link.target])))
    return tuple(
        Edge(
            f"e{number}",
            numbers[link.source],
            numbers[link.target],
            link.weight,
            _path(link, frame, ends),
            link.kind,
            accents[link.target],
        )
        for number, link in enumerate(order)
    )


def _number(name: str) -> int:
    return int(name[1:])


def _ends(links: Iterable[Link], frame: Frame) -> dict[tuple[str, str], int]:
    """At which height each way to the right ends at the left of its target: in the order in which ways come in."""
    coming: dict[str, list[tuple[int, str]]] = {}
    for link in links:
        if frame.column[link.source] < frame.column[link.target]:
            coming.setdefault(link.target, []).append((_from(link, frame), link.source))
    return {
        (source, target): height
        for target, sources in coming.items()
        for (_, source), height in zip(sorted(sources), _ports(target, len(sources), frame), strict=True)
    }


def _from(link: Link, frame: Frame) -> int:
    """The height at which a way comes in."""
    return frame.lanes[link.source] if _passes(link, frame) else frame.middle(link.source)


def _passes(link: Link, frame: Frame) -> bool:
    """Whether a way goes past the middle column."""
    return link.source in frame.lanes and frame.column[link.target] > WORKED


def _ports(target: str, count: int, frame: Frame) -> Iterator[int]:
    step = min(_PORT, (frame.height[target] - 2 * _CORNER) / max(count - 1, 1))
    return (round(frame.middle(target) + (number - (count - 1) / 2) * step) for number in range(count))


def _path(link: Link, frame: Frame, ends: Mapping[tuple[str, str], int]) -> str:
    source, target = frame.column[link.source], frame.column[link.target]
    if source == target:
        return _down(link, frame) if source == RULES else _arc(link, frame)
    y = frame.middle(link.source)
    if source > target:
        return _curve(frame.left[source], y, frame.right[target] + 2, _beside(link, frame)) + _ARROW_LEFT
    x, end = frame.right[source], ends[link.source, link.target]
    if target == EFFECT:
        return f"M{x} {end}H{frame.left[target] - 2}{_ARROW_RIGHT}"
    if not _passes(link, frame):
        return _curve(x, y, frame.left[target], end)
    lane, through = frame.lanes[link.source], frame.right[WORKED]
    ahead = _bend(through, lane, frame.left[target], end)
    return f"{_curve(x, y, frame.left[WORKED], lane)}H{through}{ahead}"


def _curve(x: int, y: int, to_x: int, to_y: int) -> str:
    return f"M{x} {y}{_bend(x, y, to_x, to_y)}"


def _bend(x: int, y: int, to_x: int, to_y: int) -> str:
    """A way on that begins and ends level."""
    middle = (x + to_x) // 2
    return f"C{middle} {y} {middle} {to_y} {to_x} {to_y}"


def _arc(link: Link, frame: Frame) -> str:
    """A way within a column, beside its boxes: to the left of what is given, to the right of what is worked out."""
    left = frame.column[link.source] == GIVEN
    x = frame.left[GIVEN] if left else frame.right[WORKED]
    y, end = frame.middle(link.source), _beside(link, frame)
    bulge = 14 + min(abs(end - y) // 6, 30)
    outward, to = (-bulge, x - 2) if left else (bulge, x + 2)
    arrow = _ARROW_RIGHT if left else _ARROW_LEFT
    return f"M{x} {y}C{x + outward} {y} {x + outward} {end} {to} {end}{arrow}"


def _beside(link: Link, frame: Frame) -> int:
    """Where a way ends that comes from the wrong side: not in the middle of its target, where others begin."""
    middle, aside = frame.middle(link.target), min(8, frame.height[link.target] // 2 - 5)
    return middle - aside if frame.middle(link.source) < middle else middle + aside


def _down(link: Link, frame: Frame) -> str:
    """A way from a box straight down to the next one."""
    x = frame.right[RULES] - 24
    return f"M{x} {frame.top[link.source] + frame.height[link.source]}V{frame.top[link.target] - 2}{_ARROW_DOWN}"
