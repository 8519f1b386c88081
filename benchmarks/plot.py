"""The picture: decisions a second over the number of rules, both logarithmic, one labeled line a contestant.

Drawn with matplotlib. The same figures give the same bytes. Colors are of middling lightness on nothing,
so that the picture can be read on a light page and on a dark one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from math import log10
from pathlib import Path
from typing import Any

from benchmarks.contestants import CONTESTANTS, ORACLE, Contestant

GRAY = "#7d8590"
OURS = ("#f08c4a", "#e8590c", "#c2784a", "#b5835a")
PEERS = ("#2f8f9d", "#8a63d2", "#3d8b40", "#c2528b", "#4078c0", "#9a7d0a", "#6a8caf", "#a0675a")
STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "changegate",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 10,
    "text.color": GRAY,
    "axes.edgecolor": GRAY,
    "axes.labelcolor": GRAY,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
}
GAP = 0.04  # the least distance of two labels, as part of the height


def draw(cells: Sequence[dict[str, Any]], file: Path) -> None:
    """Write the picture of what was measured to an SVG file."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("svg")
    pyplot: Any = import_module("matplotlib.pyplot")
    with matplotlib.rc_context(dict(STYLE)):
        figure, axes = pyplot.subplots(figsize=(8.6, 5.4))
        lines = {each: points for each in CONTESTANTS if (points := _points(cells, each))}
        for contestant, points in lines.items():
            axes.plot(*zip(*points, strict=True), **_look(contestant))
        _dress(axes, sorted({cell["size"] for cell in cells}))
        _label(axes, lines)
        figure.tight_layout()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


def _points(cells: Sequence[dict[str, Any]], contestant: Contestant) -> list[tuple[int, float]]:
    own = [cell for cell in cells if cell["contestant"] == contestant.key and cell["status"] == "ok"]
    return sorted((cell["size"], cell["rate"]) for cell in own)


def _look(contestant: Contestant) -> dict[str, Any]:
    if contestant is ORACLE:
        return {"color": GRAY, "linestyle": (0, (2, 2)), "linewidth": 1.6, "marker": "o", "markersize": 3}
    main = contestant.key == "compiled"
    return {
        "color": _color(contestant),
        "linewidth": 3 if main else 1.6,
        "linestyle": "-" if main or not contestant.ours else (0, (5, 2)),
        "marker": "o",
        "markersize": 5 if main else 3,
    }


def _color(contestant: Contestant) -> str:
    if contestant is ORACLE:
        return GRAY
    alike = [each for each in CONTESTANTS if each is not ORACLE and each.ours == contestant.ours]
    colors = OURS if contestant.ours else PEERS
    return colors[alike.index(contestant) % len(colors)]


def _label(axes: Any, lines: Mapping[Contestant, Sequence[tuple[int, float]]]) -> None:
    """Each line's name where it ends, moved up or down so that no two names touch."""
    last = max(size for points in lines.values() for size, _ in points)
    ending = {each: points[-1] for each, points in lines.items()}
    at_the_end = sorted((each for each in ending if ending[each][0] == last), key=lambda each: -ending[each][1])
    low, high = axes.get_ylim()
    heights = spread([log10(ending[each][1]) for each in at_the_end], GAP * log10(high / low))
    for contestant, height in zip(at_the_end, heights, strict=True):
        _write(axes, contestant, ending[contestant], (last * 1.25, 10**height))
    for contestant in ending.keys() - set(at_the_end):
        size, rate = ending[contestant]
        _write(axes, contestant, (size, rate), (size * 1.15, rate))


def _write(axes: Any, contestant: Contestant, end: tuple[int, float], place: tuple[float, float]) -> None:
    color = _color(contestant)
    weight = "bold" if contestant.key == "compiled" else "normal"
    axes.annotate(
        contestant.name, end, xytext=place, color=color, fontweight=weight, va="center", annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3, "relpos": (0, 0.5)},
    )  # fmt: skip


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """The heights, which fall, moved as little as it takes to be a gap apart."""
    placed: list[list[float]] = []  # blocks of heights that touch
    for height in heights:
        placed.append([height])
        while len(placed) > 1 and _lowest(placed[-2], gap) - gap < _highest(placed[-1], gap):
            placed[-2:] = [placed[-2] + placed[-1]]
    return [_highest(block, gap) - gap * index for block in placed for index in range(len(block))]


def _highest(block: Sequence[float], gap: float) -> float:
    return sum(block) / len(block) + gap * (len(block) - 1) / 2


def _lowest(block: Sequence[float], gap: float) -> float:
    return sum(block) / len(block) - gap * (len(block) - 1) / 2


def _dress(axes: Any, sizes: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    powers = range(9)
    low, high = axes.get_ylim()
    shown = [10**power for power in powers if low <= 10**power <= high]
    axes.set_yticks(shown, [f"{tick:,}" for tick in shown])
    axes.grid(visible=True, axis="y", color=GRAY, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("rules in the policy")
    axes.set_title("decisions a second, one thread, reasons included", loc="left", fontsize=10, color=GRAY)
