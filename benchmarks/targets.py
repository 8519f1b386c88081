"""What issue 4 asks of the engine, each with the figure measured.

Figures of cells come from the table; the others are measured here, in processes of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import everyday
from benchmarks.contestants import PEERS
from benchmarks.environment import ROOT
from benchmarks.family import Family

SMALL, LARGE = 12, 10000
TIMES = "×"  # noqa: RUF001
FRESH_REQUESTS = 2000


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the check list. `measured` is None where that failed or was not asked for; `note` says more."""

    name: str
    measured: float | None
    wanted: float
    unit: str
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the figure is good enough; what was not measured is not."""
        if self.measured is None:
            return False
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted


def targets(cells: Sequence[dict[str, Any]], folder: Path, lines: int, starts: int) -> Iterator[Target]:
    """All of them, in the issue's order; `folder` is for files, `lines` and `starts` how much to measure."""
    yield from _of_cells(cells, SMALL)
    yield from _of_growth(cells, folder)
    os.environ["CHANGEGATE_CACHE"] = str(folder / "cache")
    yield from _of_loading(folder)
    yield from _of_batch(folder, lines)
    yield from _of_check(folder, starts)


def ratio_to_peers(cells: Sequence[dict[str, Any]], key: str, size: int) -> tuple[float | None, str]:
    """How many times as fast as the fastest peer, each by its ratio to the oracle on the same requests; and its name."""
    ratios = {cell["contestant"]: cell["ratio_complete"] for cell in cells if _measured(cell, size)}
    peers = {peer.key: peer.name for peer in PEERS if peer.key in ratios}
    if key not in ratios or not peers:
        return None, "not measured"
    fastest = max(peers, key=lambda peer: float(ratios[peer]))
    return ratios[key] / ratios[fastest], peers[fastest]


def _measured(cell: dict[str, Any], size: int) -> bool:
    return bool(cell["size"] == size and cell["status"] == "ok")


def _of_cells(cells: Sequence[dict[str, Any]], size: int) -> Iterator[Target]:
    ratios = {cell["contestant"]: cell["ratio"] for cell in cells if _measured(cell, size)}
    yield Target(f"{size} rules: decide, of the oracle's rate", ratios.get("compiled"), 1 / 8, TIMES)
    ratio, peer = ratio_to_peers(cells, "compiled", size)
    yield Target(f"{size} rules: decide, times the fastest peer", ratio, 1.5, TIMES, note=peer)
    yield Target(f"{size} rules: bare match, of the oracle's rate", ratios.get("match"), 1 / 2, TIMES)


def _of_growth(cells: Sequence[dict[str, Any]], folder: Path) -> Iterator[Target]:
    packs = [str(Family(size).write(folder / f"family-{size}")) for size in (SMALL, LARGE)]
    found = _tried(lambda: _python("-m", "benchmarks.slowdown", *packs, "--sizes", str(SMALL), str(LARGE)))
    yield Target(f"{SMALL} to {LARGE:,} rules: decide slows down", found.get("slowdown"), 2, TIMES, True, _note(found))
    ratio, peer = ratio_to_peers(cells, "compiled", LARGE)
    yield Target(f"{LARGE:,} rules: decide, times the fastest peer", ratio, 50, TIMES, note=peer)


def _of_loading(folder: Path) -> Iterator[Target]:
    pack, requests = folder / f"family-{LARGE}", folder / "requests.ndjson"
    stream = Family(LARGE).requests(FRESH_REQUESTS)
    requests.write_text("".join(json.dumps(sent.data) + "\n" for sent in stream), encoding="utf-8")
    command = ("benchmarks/fresh.py", str(pack), str(requests))
    cold = _tried(lambda: _python(*command))
    _tried(lambda: _python(*command, "--cache"))
    warm = _tried(lambda: _python(*command, "--cache"))
    kept = f"{warm['memory_mb']:.1f} MB after the first decision" if "memory_mb" in warm else _note(warm)
    after = warm.get("memory_after_mb")
    yield Target(
        f"{LARGE:,} rules: memory, loaded from the cache, after {FRESH_REQUESTS:,} requests",
        after,
        60,
        "MB",
        True,
        kept,
    )
    yield Target(f"{LARGE:,} rules: load without cache", cold.get("load_s"), 8, "s", True, _note(cold))
    yield Target(f"{LARGE:,} rules: load from the cache", warm.get("load_s"), 0.5, "s", True, _note(warm))


def _of_batch(folder: Path, lines: int) -> Iterator[Target]:
    found = _tried(lambda: everyday.batch(folder, lines))
    name = "shipped policy: `batch`, file to file, one core, requests a second"
    note = _note(found) or (
        f"{found['lines']:,} lines, {found['cpu_rate']:,.0f}/s of processor time, "
        f"reference {found['reference_rate']:,.0f}/s, {found['sample']} lines compared with it"
    )
    yield Target(name, found.get("rate"), 100_000, "/s", note=note)


def _of_check(folder: Path, starts: int) -> Iterator[Target]:
    found = _tried(lambda: everyday.check(folder, starts))
    note = _note(found) or (
        f"median of {found['starts']}; with `--engine compiled` {found['compiled_s']:.3f} s; "
        f'`python -c "{everyday.BARE}"` {found["bare_s"]:.3f} s'
    )
    yield Target(
        "shipped policy: `check`, process start included, warm cache", found.get("check_s"), 0.35, "s", True, note
    )


def _tried(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was measured, or why it was not."""
    try:
        return measure()
    except (RuntimeError, OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        return {"failed": f"not measured: {error}"[:300]}


def _note(found: dict[str, Any]) -> str:
    return str(found.get("failed", ""))


def _python(*arguments: str) -> dict[str, Any]:
    """The JSON that a process of its own prints; raises RuntimeError with the last line of its complaint."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found
