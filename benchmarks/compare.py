"""The benchmark: ChangeGate, a hand-written oracle and the field, side by side, in one command.

    python benchmarks/compare.py

makes an environment of its own (`benchmarks/.venv`), installs the contestants there, measures each at each
size in a fresh process, one after the other, then what the issue asks of ChangeGate. It prints the tables,
writes `results.json`, and beside it the picture `decisions.svg`. benchmarks/README.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import environment  # noqa: E402
from benchmarks.contestants import BY_KEY, CONTESTANTS, Contestant  # noqa: E402
from benchmarks.family import Family  # noqa: E402

ROOT = environment.ROOT
SIZES = [12, 100, 1000, 10000]
RESULTS = ROOT / "benchmarks" / "results.json"
README = ROOT / "README.md"
TIMEOUT = 300
Cell = dict[str, Any]


def main() -> int:
    options = _options()
    if not options.here:
        return environment.again_inside(Path(__file__), sys.argv[1:])
    from benchmarks import plot, report  # noqa: PLC0415 (the environment has what they need)

    options.json.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="changegate-") as folder:
        cells = list(_cells(options, Path(folder)))
        found = [] if options.no_targets else list(_targets(options, cells, Path(folder)))
    print(report.tables(cells) + "\n")
    print(f"{report.checklist(found)}\n" if found else "", end="")
    results = {"machine": machine(), "seconds": options.seconds, "cells": cells, "targets": list(map(asdict, found))}
    options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if any(cell["status"] == "ok" for cell in cells):
        plot.draw(cells, options.json.with_name("decisions.svg"))
    if options.write_readme:
        block = report.block(cells, found, machine()["description"])
        README.write_text(report.with_block(README.read_text(encoding="utf-8"), block), encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure ChangeGate beside other engines.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="how many rules")
    parser.add_argument("--only", nargs="+", choices=BY_KEY, metavar="KEY", help=f"of {', '.join(BY_KEY)}")
    parser.add_argument("--seconds", type=float, default=3.0, help="about how long to time each contestant at a size")
    parser.add_argument("--lines", type=int, default=200_000, help="length of the stream for `batch`")
    parser.add_argument("--starts", type=int, default=15, help="how often `check` is started")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    parser.add_argument("--no-targets", action="store_true", help="only the contestants, not what the issue asks")
    parser.add_argument("--write-readme", action="store_true", help="put the results into README.md, too")
    parser.add_argument("--here", action="store_true", help="install nothing; this interpreter has everything")
    return parser.parse_args()


def _cells(options: argparse.Namespace, folder: Path) -> Iterator[Cell]:
    """Every contestant at every size, each in a fresh process."""
    chosen = [BY_KEY[key] for key in options.only] if options.only else CONTESTANTS
    plan = [(size, contestant) for size in sorted(options.sizes) for contestant in chosen]
    for done, (size, contestant) in enumerate(plan):
        _progress(done, len(plan), f"{contestant.name}, {size:,} rules")
        yield {"contestant": contestant.key, "size": size, **_cell(contestant, size, folder, options.seconds)}
    _progress(len(plan), len(plan), "")


def _cell(contestant: Contestant, size: int, folder: Path, seconds: float) -> Cell:
    version = contestant.version()
    rules = folder / f"{contestant.key}-{size}"
    contestant.write(Family(size), rules)
    command = [sys.executable, "-m", "benchmarks.cell", "--contestant", contestant.key, "--size", str(size)]
    command += ["--folder", str(rules), "--seconds", str(seconds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return {"version": version, "status": "timed out", "reason": f"more than {TIMEOUT} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return {"version": version, "status": "fails", "reason": f"exit code {done.returncode}: {last}"[:300]}
    return {"version": version, **json.loads(done.stdout.strip().splitlines()[-1])}


def _targets(options: argparse.Namespace, cells: list[Cell], folder: Path) -> Iterator[Any]:
    from benchmarks.targets import targets  # noqa: PLC0415 (as above)

    for done, target in enumerate(targets(cells, folder, options.lines, options.starts), 1):
        _progress(done, 10, target.name)
        yield target


def machine() -> dict[str, str]:
    """What it was measured on."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.partition(":")[2].strip() for line in info.read_text("utf-8").splitlines() if "model name" in line
        ]
        processor = names[0] if names else processor
    python = f"{platform.python_implementation()} {platform.python_version()}"
    description = f"Measured on {os.cpu_count()} cores of {processor}, {platform.system()}, {python}."
    return {"processor": processor, "python": python, "system": platform.platform(), "description": description}


def _progress(done: int, of: int, what: str) -> None:
    if sys.stderr.isatty():
        filled = 30 * done // of
        end = "\n" if done == of else ""
        print(
            f"\r\033[K[{'#' * filled}{'.' * (30 - filled)}] {done} of {of} {what}", end=end, file=sys.stderr, flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
