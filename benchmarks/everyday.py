"""Measurements of `changegate` as it is used: `batch` from file to file, and the start of `check`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.environment import ROOT
from benchmarks.family import AS_OF
from benchmarks.shipped import write_stream, wrong_line

RULES = ROOT / "rules"
SAMPLE = 400
SLOW_LINES = 2000
BARE = "import click, yaml"
REQUEST = """\
{"subject": {"type": "user", "id": "alice", "properties": {"role": "admin"}},
 "action": {"name": "change_payment_method", "properties": {"payment_method": "bank_account"}},
 "resource": {"type": "subscription", "id": "sub-1",
              "properties": {"service_location": "JP", "cloud": "worldwide", "payment_method": "invoice"}},
 "context": {"channel": "self_service", "date": "2026-11-22"}}
"""


def batch(folder: Path, lines: int) -> dict[str, Any]:
    """Requests a second, file to file on one core, process start included; the reference engine beside it.

    Raises RuntimeError where a sampled line differs from what the reference engine says.
    """
    asked, few, empty = folder / "asked.ndjson", folder / "few.ndjson", folder / "empty.ndjson"
    write_stream(RULES, asked, lines)
    few.write_text("".join(_first(asked, SLOW_LINES)), encoding="utf-8")
    empty.touch()
    _batch(few, folder / "warm.ndjson", "compiled")
    wall, cpu = _batch(asked, folder / "answered.ndjson", "compiled")
    wrong = wrong_line(RULES, asked, folder / "answered.ndjson", SAMPLE)
    if wrong is not None:
        raise RuntimeError(wrong)
    slow, _ = _batch(few, folder / "slow.ndjson", "reference")
    start, _ = _batch(empty, folder / "none.ndjson", "reference")
    return {
        "lines": lines, "rate": lines / wall, "cpu_rate": lines / cpu,
        "reference_rate": SLOW_LINES / max(slow - start, 1e-9), "sample": SAMPLE,
    }  # fmt: skip


def check(folder: Path, starts: int) -> dict[str, Any]:
    """Median seconds of `changegate check` with a warm cache, and of an interpreter that only imports; by turns."""
    request = folder / "request.json"
    request.write_text(REQUEST, encoding="utf-8")
    asking = [*_changegate(), "check", str(request), "--rules", str(RULES)]
    commands = {"check": asking, "compiled": [*asking, "--engine", "compiled"], "bare": [sys.executable, "-c", BARE]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(starts + 1):
        for name, command in commands.items():
            seconds = _seconds(command)
            if turn:  # the first start fills the caches
                taken[name].append(seconds)
    return {"starts": starts, **{f"{name}_s": median(seconds) for name, seconds in taken.items()}}


def _batch(asked: Path, answered: Path, engine: str) -> tuple[float, float]:
    """Seconds that `changegate batch` takes on one core, by the clock and of the processor."""
    command = [*_changegate(), "batch", str(asked), "--rules", str(RULES), "--as-of", AS_OF, "--engine", engine]
    with answered.open("wb") as out, _one_core():
        before = os.times()
        started = time.perf_counter()
        subprocess.run(command, stdout=out, check=True, cwd=ROOT)
        wall = time.perf_counter() - started
        after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, max(cpu, 1e-9)


def _seconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    # Byte code is kept, as Python does unless it is told otherwise.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, cwd=ROOT, env=environment
    )
    taken = time.perf_counter() - started
    if done.returncode in (2, 4):
        raise RuntimeError(done.stderr.decode(errors="replace").strip()[:300])
    return taken


def _changegate() -> list[str]:
    """The command as it is installed beside the interpreter, else from the checkout."""
    installed = shutil.which("changegate", path=str(Path(sys.executable).parent))
    return [installed] if installed else [sys.executable, str(ROOT / "cli.py")]


@contextmanager
def _one_core() -> Iterator[None]:
    """Processes started here run on one core, where the system can be told so."""
    pin = getattr(os, "sched_setaffinity", None)
    if pin is None:
        yield
        return
    cores = os.sched_getaffinity(0)
    pin(0, {max(cores)})
    try:
        yield
    finally:
        pin(0, cores)


def _first(file: Path, count: int) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        for line, _ in zip(lines, range(count), strict=False):
            yield line
