"""The decision service under load: which framework and server, how fast beside them, and for how long.

    python benchmarks/service.py choice
    python benchmarks/service.py load
    python benchmarks/service.py soak --minutes 10

All of it goes over loopback, with the client (wrk) on the same machine. benchmarks/README.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import timeit
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.compare import machine  # noqa: E402
from benchmarks.family import AS_OF  # noqa: E402
from benchmarks.report import with_block  # noqa: E402
from benchmarks.service_hello.__main__ import FRAMEWORKS, SERVERS  # noqa: E402
from benchmarks.service_processes import ROOT, Burst, Load, Server, running, serve_command  # noqa: E402
from benchmarks.service_requests import BATCH, EVALUATION, EVALUATIONS, Questions, wrong_answer  # noqa: E402
from benchmarks.service_soak import soak  # noqa: E402

RULES = ROOT / "rules"
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "service.json"
LEVELS = ("none", "codes", "reasons")
# What the service should reach: in single requests of hello, and decisions a second of a worker in batches.
SINGLE, MANY = 0.6, 60_000
WARM = 1.0
Row = dict[str, Any]


def main() -> int:
    options = _options()
    commands = {"choice": choice, "load": load, "soak": soak_for}
    return commands[options.command](options)


def choice(options: argparse.Namespace) -> int:
    """Measure hello in each framework under each server, by turns; print the table."""
    names = [(framework, server) for framework in FRAMEWORKS for server in SERVERS]
    bursts: dict[tuple[str, str], list[Burst]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="changegate-") as folder, ExitStack() as stack:
        body = Load(Path(folder), Questions(RULES).singles[:1])
        servers = {name: stack.enter_context(running(_hello(*name))) for name in names}
        for number in range(options.rounds + 1):
            for name, server in servers.items():
                _progress(f"round {number} of {options.rounds}: {name[0]} under {name[1]}")
                burst = body.burst(server.url("/"), options.connections, options.seconds if number else WARM)
                bursts[name] += [burst] if number else []
    print(choice_table(bursts) + "\n\n" + speed())
    return int(any(burst.errors for each in bursts.values() for burst in each))


def choice_table(bursts: Mapping[tuple[str, str], Sequence[Burst]]) -> str:
    """Requests a second of each pair (the median round), the fastest first, as Markdown."""
    rates = {name: median(burst.rate for burst in each) for name, each in bursts.items()}
    best = max(rates.values())
    ranked = sorted(rates.items(), key=lambda each: -each[1])
    rows = [(f"{framework.title()}, {server.title()}", f"{rate:,.0f}", f"{rate / best:.2f}")
            for (framework, server), rate in ranked]  # fmt: skip
    return table([("hello", "requests/s", "of the best"), *rows])


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing that `load` measures: where it is asked, how, and how many decisions an answer holds."""

    name: str
    server: str
    path: str
    level: str
    decisions: int


def cells() -> Iterator[tuple[Cell, ...]]:
    """What is measured, in groups; hello is measured before each, and what follows is held against that."""
    for server in ("serve", "log"):
        yield tuple(Cell("single", server, EVALUATION, level, 1) for level in LEVELS)
        yield tuple(Cell("batch", server, EVALUATIONS, level, BATCH) for level in LEVELS)


def load(options: argparse.Namespace) -> int:
    """Measure the service beside hello, by turns; print the table, write the results."""
    with tempfile.TemporaryDirectory(prefix="changegate-") as name, ExitStack() as stack:
        folder, questions = Path(name), Questions(RULES)
        log = folder / "decisions.ndjson"
        servers = {name: stack.enter_context(running(command)) for name, command in _commands(log).items()}
        wrong = [wrong_answer(servers[name].url(), questions, LEVELS) for name in ("serve", "log")]
        if any(wrong):
            print(next(filter(None, wrong)))
            return 1
        rounds = Rounds(
            options, servers, {path: Load(folder, bodies) for path, bodies in questions.bodies.items()}, log
        )
        rows = rounds.run()
    tables = "\n\n".join((load_table(rows), targets(rows), speed()))
    print(tables)
    if options.write_readme:
        README.write_text(with_block(README.read_text(encoding="utf-8"), tables, "service"), encoding="utf-8")
    results = {"machine": machine(), "call_ns": call_ns(), "rows": rows}
    options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return int(any(row["errors"] or row["unlogged"] for row in rows))


def _commands(log: Path) -> dict[str, list[str]]:
    serve = serve_command("--rules", RULES, "--as-of", AS_OF)
    return {"hello": _hello("falcon", "granian"), "serve": serve, "log": [*serve, "--log", str(log)]}


class Rounds:
    """Rounds of bursts on every cell."""

    def __init__(
        self, options: argparse.Namespace, servers: Mapping[str, Server], loads: Mapping[str, Load], log: Path
    ) -> None:
        self._options = options
        self._servers = servers
        self._loads = loads
        self._log = log
        self._found: dict[Cell, list[tuple[Burst, float, int]]] = {}

    def run(self) -> list[Row]:
        """Measure, and give a row for each cell: medians of the rounds; errors and lines not logged of all of them."""
        self._round(WARM)
        self._found.clear()
        for number in range(1, self._options.rounds + 1):
            _progress(f"round {number} of {self._options.rounds}")
            self._round(self._options.seconds)
        return [_row(cell, found) for cell, found in self._found.items()]

    def _round(self, seconds: float) -> None:
        hello = Cell("hello", "hello", "/", "none", 1)
        for group in cells():
            base = self._burst(hello, seconds)
            self._found.setdefault(hello, []).append((base, 1.0, 0))
            for cell in group:
                burst = self._burst(cell, seconds)
                unlogged = self._unlogged(burst.requests * cell.decisions) if cell.server == "log" else 0
                self._found.setdefault(cell, []).append((burst, burst.rate / base.rate, unlogged))

    def _burst(self, cell: Cell, seconds: float) -> Burst:
        url = self._servers[cell.server].url(cell.path)
        headers = {"ChangeGate-Detail": cell.level}
        return self._loads[cell.path].burst(url, self._options.connections, seconds, headers)

    def _unlogged(self, decisions: int) -> int:
        """How many answers lack their line in the log, which is emptied for the next burst."""
        with self._log.open("rb") as lines:
            count = sum(chunk.count(b"\n") for chunk in iter(lambda: lines.read(1 << 20), b""))
        os.truncate(self._log, 0)
        return max(0, decisions - count)


def _row(cell: Cell, found: Sequence[tuple[Burst, float, int]]) -> Row:
    bursts = [burst for burst, _, _ in found]
    return {
        "name": cell.name, "detail": cell.level, "log": cell.server == "log",
        "rate": median(burst.rate for burst in bursts),
        "decisions": cell.decisions * median(burst.rate for burst in bursts),
        "p50_ms": median(burst.p50_ms for burst in bursts), "p99_ms": median(burst.p99_ms for burst in bursts),
        "of_hello": median(ratio for _, ratio, _ in found), "rounds": len(bursts),
        "errors": sum(burst.errors for burst in bursts), "unlogged": sum(unlogged for _, _, unlogged in found),
    }  # fmt: skip


def load_table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    header = ("request", "detail", "log", "requests/s", "decisions/s", "p50 ms", "p99 ms", "of hello", "errors")
    return table([header, *map(_line, rows)])


def _line(row: Row) -> tuple[str, ...]:
    names = {"hello": "hello, Falcon under Granian", "single": "evaluation", "batch": f"batch of {BATCH}"}
    detail = "" if row["name"] == "hello" else row["detail"]
    return (
        names[row["name"]], detail, "yes" if row["log"] else "", f"{row['rate']:,.0f}", f"{row['decisions']:,.0f}",
        f"{row['p50_ms']:.2f}", f"{row['p99_ms']:.2f}", f"{row['of_hello']:.2f}", str(row["errors"] + row["unlogged"]),
    )  # fmt: skip


def targets(rows: Sequence[Row]) -> str:
    """What was asked for, what was measured, and whether that is enough, as Markdown."""
    bare = {row["name"]: row for row in rows if row["detail"] == "none" and not row["log"]}
    single, many = bare["single"]["of_hello"], bare["batch"]["decisions"]
    errors = sum(row["errors"] + row["unlogged"] for row in rows)
    return table([
        ("target", "wanted", "measured", "met"),
        ("single, of hello", f"≥ {SINGLE}", f"{single:.2f}", _met(single >= SINGLE)),
        (f"batch of {BATCH}, decisions/s", f"≥ {MANY:,}", f"{many:,.0f}", _met(many >= MANY)),
        ("errors, answers not logged", "0", str(errors), _met(not errors)),
    ])  # fmt: skip


def _met(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def soak_for(options: argparse.Namespace) -> int:
    """Answer for a long time while the rules change."""
    report = soak(RULES, options.minutes * 60, options.every, options.workers, options.connections, _progress)
    print("\n".join([*report.lines, "", speed()]))
    return int(not report.is_right)


def speed() -> str:
    """What it was measured on, and how fast that was then."""
    return f"{machine()['description']} An empty function call took {call_ns():.0f} ns."


def call_ns() -> float:
    """Nanoseconds that an empty function call takes, the loop around it included; machines are noisy."""
    number = 1_000_000
    return median(timeit.repeat(lambda: None, number=number, repeat=5)) / number * 1e9


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table whose columns line up, all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join((first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(rest, widths[1:], strict=True))))
        for first, *rest in rows
    ]
    rule = " | ".join(("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])))
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))


def _hello(framework: str, server: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.service_hello", framework, server]


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the decision service.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("choice", help="hello in each framework under each server")
    two = commands.add_parser("load", help="the service beside hello")
    for each in (one, two):
        each.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each is measured")
        each.add_argument("--seconds", type=float, default=3.0, metavar="S", help="how long, each time")
    two.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    two.add_argument("--write-readme", action="store_true", help="put the tables into README.md, too")
    three = commands.add_parser("soak", help="answer for long while the rules change")
    three.add_argument("--minutes", type=float, default=10.0, metavar="M", help="how long")
    three.add_argument("--every", type=float, default=5.0, metavar="S", help="seconds between changes")
    three.add_argument("--workers", type=int, default=2, metavar="N", help="how many processes answer")
    for each in (one, two, three):
        each.add_argument("--connections", type=int, default=16, metavar="N", help="of the load")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
