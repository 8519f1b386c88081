"""Results as text: the tables for the terminal, the check list, and the block that the README shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.contestants import BY_KEY, CONTESTANTS, Contestant
from benchmarks.targets import TIMES, Target, ratio_to_peers

# The markers in the README between which the results stand.
BENCHMARK = "benchmark"
NOTHING = "–"  # noqa: RUF001 (what a cell without a figure shows)
Cell = dict[str, Any]

HEADER = (
    "contestant", "load s", "memory MB", "after MB", "decisions/s", "p50 µs", "p99 µs", "of the oracle",
    "times the fastest peer", "requests",
)  # fmt: skip


def tables(cells: Sequence[Cell]) -> str:
    """A table for each size, fastest first."""
    sizes = sorted({cell["size"] for cell in cells})
    return "\n\n".join(f"{size:,} rules\n\n{_table(cells, size)}" for size in sizes)


def checklist(found: Iterable[Target]) -> str:
    """What was asked for, with the figure measured and whether that is enough."""
    return _aligned([("target", "wanted", "measured", "met", "note"), *map(_line, found)])


def summary(cells: Sequence[Cell], machine: str) -> str:
    """The README's table: decisions a second by size; load and memory at the largest."""
    sizes = sorted({cell["size"] for cell in cells})
    by = {(cell["contestant"], cell["size"]): cell for cell in cells}
    ranked = [each for each in CONTESTANTS if any((each.key, size) in by for size in sizes)]
    ranked.sort(key=lambda each: -by.get((each.key, sizes[-1]), {}).get("rate", 0))
    header = ("decisions a second", *(f"{size:,} rules" for size in sizes), "load s", "memory MB")
    rows = [(_named(each), *_row(by, each, sizes)) for each in ranked]
    note = f"\nLoad and memory at {sizes[-1]:,} rules. {machine}\n"
    return _aligned([header, *rows]) + "\n" + note


def with_block(text: str, block: str, name: str = BENCHMARK) -> str:
    """The text with what stands between the markers of a name replaced; raises ValueError where they are missing."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the text has no `{begin}` … `{end}`")
    return f"{before}{begin}\n{block.strip()}\n{end}{after}"


def block(cells: Sequence[Cell], found: Sequence[Target], machine: str) -> str:
    """What the README shows between its markers."""
    picture = "![Decisions a second over the number of rules](benchmarks/decisions.svg)"
    return f"{picture}\n\n{summary(cells, machine)}\n{checklist(found)}\n"


def _table(cells: Sequence[Cell], size: int) -> str:
    of_size = [cell for cell in cells if cell["size"] == size]
    measured = sorted((cell for cell in of_size if cell["status"] == "ok"), key=lambda cell: -float(cell["rate"]))
    missing = [cell for cell in of_size if cell["status"] != "ok"]
    rows = [_figures(cells, cell) for cell in measured]
    text = _aligned([HEADER, *rows]) if rows else ""
    return "\n".join([text, *(f"{_name(cell)}: {cell['status']} ({cell['reason']})" for cell in missing)]).strip()


def _figures(cells: Sequence[Cell], cell: Cell) -> tuple[str, ...]:
    to_peers, _ = ratio_to_peers(cells, cell["contestant"], cell["size"])
    return (
        _name(cell), f"{cell['load_s']:.2f}", f"{cell['memory_mb']:.1f}", f"{cell['memory_after_mb']:.1f}",
        f"{cell['rate']:,.0f}", f"{cell['p50_us']:,.1f}", f"{cell['p99_us']:,.1f}", share(cell["ratio"]),
        NOTHING if to_peers is None else share(to_peers), f"{cell['requests']:,}",
    )  # fmt: skip


def share(ratio: float) -> str:
    """A ratio with about two significant digits."""
    if ratio >= 10:
        return f"{ratio:,.0f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def _line(target: Target) -> tuple[str, ...]:
    sign = "≤" if target.at_most else "≥"
    measured = NOTHING if target.measured is None else _figure(target.measured, target.unit)
    wanted = f"{sign} {_figure(target.wanted, target.unit)}"
    return target.name, wanted, measured, "yes" if target.met else "**no**", target.note


def _figure(value: float, unit: str) -> str:
    written: Callable[[float], str] = (
        (lambda number: f"{number:,.0f}") if value >= 1000 else lambda number: f"{number:.3g}"
    )
    return f"{written(value)}{unit}" if unit in (TIMES, "/s") else f"{written(value)} {unit}"


def _row(by: dict[tuple[str, int], Cell], contestant: Contestant, sizes: Sequence[int]) -> tuple[str, ...]:
    found = [by.get((contestant.key, size)) for size in sizes]
    rates = [f"{cell['rate']:,.0f}" if cell and "rate" in cell else _why(cell) for cell in found]
    last = found[-1] or {}
    load = f"{last['load_s']:.2f}" if "load_s" in last else NOTHING
    memory = f"{last['memory_mb']:.0f}" if "memory_mb" in last else NOTHING
    return (*rates, load, memory)


def _why(cell: Cell | None) -> str:
    return str(cell["status"]) if cell else NOTHING


def _name(cell: Cell) -> str:
    return BY_KEY[cell["contestant"]].name


def _named(contestant: Contestant) -> str:
    return f"**{contestant.name}**" if contestant.ours else contestant.name


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table whose columns line up; figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [all(_is_figure(cell) for cell in column[1:]) for column in zip(*rows, strict=True)]
    lines = [
        _joined(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right, strict=True))
        for row in rows
    ]
    rule = _joined("-" * (w - 1) + ":" if r else "-" * w for w, r in zip(widths, right, strict=True))
    return "\n".join([lines[0], rule, *lines[1:]])


def _is_figure(cell: str) -> bool:
    return cell[:1].isdigit() or cell in (NOTHING, "cannot load", "disagrees", "fails", "timed out")


def _joined(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
