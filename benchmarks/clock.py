"""How fast something decides, held against the oracle in the same minute.

The machine is rarely quiet. So each pass over the requests stands between two passes of the oracle, and the
ratio is taken within such a round; of many rounds the median counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

Decide: TypeAlias = Callable[[Any], Any]
ROUNDS = 5
SHORTEST = 0.05  # seconds of passes that are timed together
SLOW = 1_000_000  # nanoseconds of a call to which the clock adds nothing


@dataclass(frozen=True, slots=True)
class Timing:
    """Decisions a second (the median pass), the ratio to the oracle (the median round), microseconds of a call."""

    rate: float
    oracle_rate: float
    ratio: float
    p50_us: float
    p99_us: float
    rounds: int


def measure(decide: Decide, asked: Sequence[Any], oracle: Decide, requests: Sequence[Any], seconds: float) -> Timing:
    """Times both over the same requests (`asked` is what `decide` takes for each) for about so many seconds."""
    started = time.perf_counter()
    slow = latencies(decide, asked[:1])[0] > SLOW
    calls: list[int] = []
    rates: list[tuple[float, float]] = []
    before = rate(oracle, requests)
    while not _enough(len(rates), time.perf_counter() - started, seconds):
        if slow:  # its calls are timed one by one, and no pass is spent on them alone
            calls += (taken := latencies(decide, asked))
            ours = len(taken) * 1e9 / sum(taken)
        else:
            ours = rate(decide, asked)
        after = rate(oracle, requests)
        rates.append((ours, (before + after) / 2))
        before = after
    calls = sorted(calls or latencies(decide, asked, seconds / 4))
    return _timing(rates, calls)


def _enough(rounds: int, taken: float, seconds: float) -> bool:
    """Whether to stop: the time is up and there are some rounds, or it was up long ago and there is one."""
    return (rounds >= ROUNDS and taken >= seconds * 0.75) or (rounds >= 1 and taken >= seconds * 2)


def _timing(rates: Sequence[tuple[float, float]], calls: Sequence[int]) -> Timing:
    return Timing(
        rate=median(ours for ours, _ in rates),
        oracle_rate=median(theirs for _, theirs in rates),
        ratio=median(ours / theirs for ours, theirs in rates),
        p50_us=calls[len(calls) // 2] / 1000,
        p99_us=calls[min(len(calls) - 1, len(calls) * 99 // 100)] / 1000,
        rounds=len(rates),
    )


def rate(decide: Decide, requests: Sequence[Any], at_least: float = SHORTEST) -> float:
    """Decisions a second over whole passes, as many as it takes for a time that can be measured."""
    passes = 0
    started = time.perf_counter()
    while True:
        for request in requests:
            decide(request)
        passes += 1
        taken = time.perf_counter() - started
        if taken >= at_least:
            return passes * len(requests) / taken


def latencies(decide: Decide, requests: Sequence[Any], seconds: float = 0) -> list[int]:
    """Nanoseconds of single calls: whole passes for so many seconds, one at least; the clock's own time included."""
    now = time.perf_counter_ns
    taken: list[int] = []
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        for request in requests:
            started = now()
            decide(request)
            taken.append(now() - started)
    return taken
