"""Soak the rete backend: many decisions in one process, each compared with the reference; then four threads at once.

    python benchmarks/rete_soak.py [--decisions 200000] [--fresh 50] [--threads 4] [--seed 0]

Prints counts, wrong answers, memory and speed. Exit code 1 on a wrong answer or growing memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.random_policies import Sample, random_request, random_sample
from engine import reference, rete

KEPT = 20
# Rulesets of other sizes come and go, so that the allocator settles only roughly.
SLACK_MB = 16


@dataclass
class Tally:
    """What was counted: decisions, wrong ones, rules that held for certain, perhaps or not, seconds in rete."""

    decisions: int = 0
    wrong: int = 0
    certain: int = 0
    uncertain: int = 0
    false: int = 0
    seconds: float = 0.0

    def add(self, sample: Sample, request: dict[str, object]) -> None:
        """Decide by both engines and compare."""
        wanted = reference.match(sample.rules, sample.situation(request))
        situation = sample.situation(request)
        start = time.perf_counter()
        found = rete.match(sample.rules, situation)
        self.seconds += time.perf_counter() - start
        self.decisions += 1
        self.certain += len(wanted.certain)
        self.uncertain += len(wanted.possible) - len(wanted.certain)
        self.false += len(sample.rules.rules) - len(wanted.possible)
        if found != wanted:
            self.wrong += 1
            print(f"WRONG: {found} is not {wanted} for {request}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak; 0 if every answer was right and memory flat."""
    options = _options(arguments)
    random = Random(options.seed)
    kept = [random_sample(random) for _ in range(KEPT)]
    tally = Tally()
    memory: list[float] = []
    for count, (sample, request) in enumerate(_questions(random, kept, options.decisions, options.fresh)):
        tally.add(sample, request)
        # The first tenth warms up: plans are made, rulesets loaded, pools grown.
        if count in (options.decisions // 10, options.decisions // 2, options.decisions - 1):
            memory.append(_resident())
            print(f"after {count + 1:,} decisions: {memory[-1]:.0f} MB", flush=True)
    _report("one thread", tally, tally.seconds)
    start = time.perf_counter()
    parts = _threads(kept, options.threads, options.decisions // 10, options.seed)
    together = Tally(*(sum(column) for column in zip(*(vars(part).values() for part in parts), strict=True)))
    _report(f"{options.threads} threads, the same policies", together, time.perf_counter() - start)
    growth = memory[-1] - memory[0]
    print(f"memory: {', '.join(f'{each:.0f}' for each in memory)} MB; {_resident():.0f} MB after the threads")
    return 1 if tally.wrong or together.wrong or growth > SLACK_MB else 0


def _questions(
    random: Random, kept: Sequence[Sample], count: int, fresh: int
) -> Iterator[tuple[Sample, dict[str, object]]]:
    """Requests for policies that stay, and now and then for one that is asked a little and forgotten."""
    newest = kept[0]
    for number in range(count):
        if fresh and number % fresh == 0:
            newest = random_sample(random, depth=random.randint(1, 4))
        yield newest if number % 4 == 0 else random.choice(kept), random_request(random)


def _threads(kept: Sequence[Sample], threads: int, count: int, seed: int) -> list[Tally]:
    def work(thread: int) -> Tally:
        random, tally = Random(seed + 1 + thread), Tally()
        for sample, request in _questions(random, kept, count, 0):
            tally.add(sample, request)
        return tally

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, range(threads)))


def _report(title: str, tally: Tally, seconds: float) -> None:
    print(f"{title}: {tally.decisions:,} decisions, {tally.wrong} wrong, {tally.decisions / seconds:,.0f} per second")
    print(f"  rules that held: {tally.certain:,} certainly, {tally.uncertain:,} perhaps, {tally.false:,} not")


def _resident() -> float:
    """The resident memory of this process in MB; 0 where the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Soak the rete backend.")
    parser.add_argument("--decisions", type=int, default=200_000, help="decisions in one thread; a tenth in each other")
    parser.add_argument("--fresh", type=int, default=50, help="a new policy every so many decisions; 0 for never")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
