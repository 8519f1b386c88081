"""One cell of the table: one contestant at one size, in a process of its own.

    python -m benchmarks.cell --contestant zen --size 100 --folder FOLDER [--seconds 3]

FOLDER holds the rules as the contestant wrote them. Prints one JSON object. Order of events: the stream and
the oracle are there; memory is read; the contestant is imported, loads, and answers one request (load time);
memory; its answers are compared with the oracle's, which warms it up; it is timed; memory.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import oracle
from benchmarks.clock import measure
from benchmarks.contestants import BY_KEY, Answer, Contestant, Loaded
from benchmarks.family import Family, Sent
from benchmarks.memory import resident

STREAM = 2000
TIMED = 500  # of them: as many as stay in a processor's cache, as a request just received does
FEWEST = 36
SLOW = 1000  # decisions a second below which the few requests without every fact make no difference


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure one contestant at one size.")
    parser.add_argument("--contestant", choices=BY_KEY, required=True)
    parser.add_argument("--size", type=int, required=True, metavar="N", help="how many rules")
    parser.add_argument("--folder", type=Path, required=True, help="where the contestant's rules are")
    parser.add_argument("--seconds", type=float, default=3.0, help="about how long to time it")
    options = parser.parse_args()
    found = run(BY_KEY[options.contestant], Family(options.size), options.folder, options.seconds)
    print(json.dumps(found))


def run(contestant: Contestant, family: Family, folder: Path, seconds: float) -> dict[str, Any]:
    """The measurements of a cell, or why there are none (`status` is `ok`, `cannot load`, `disagrees` or `fails`)."""
    sent = family.requests(STREAM)
    stream = [each.data for each in sent if contestant.three_valued or each.complete]
    decide = oracle.load(family)
    before = resident()
    started = time.perf_counter()
    try:
        loaded = contestant.load(folder)
        first = loaded.prepare(stream[0])
        loaded.decide(first)
    except Exception as error:  # noqa: BLE001 (whatever a contestant raises is its result)
        return {"status": "cannot load", "reason": _reason(error)}
    load_s = time.perf_counter() - started
    found: dict[str, Any] = {"load_s": load_s, "memory_mb": resident() - before}
    try:
        found |= _decide(loaded, decide, stream, seconds)
        if found["status"] == "ok":
            other = contestant.three_valued and found["rate"] > SLOW
            found["ratio_complete"] = _on_complete(loaded, decide, sent, seconds / 2) if other else found["ratio"]
    except Exception as error:  # noqa: BLE001 (as above)
        return {**found, "status": "fails", "reason": _reason(error)}
    return {**found, "memory_after_mb": resident() - before}


def _decide(
    loaded: Loaded, decide: Callable[[Any], oracle.Answer], stream: Sequence[dict[str, Any]], seconds: float
) -> dict[str, Any]:
    requests = stream[: portion(loaded, stream, seconds)]
    asked = [loaded.prepare(request) for request in requests]
    wrong = disagreement(loaded, asked, decide, requests)
    if wrong is not None:
        return {"status": "disagrees", "reason": wrong}
    timing = measure(loaded.decide, asked[:TIMED], decide, requests[:TIMED], seconds)
    return {"status": "ok", "requests": len(requests), **asdict(timing)}


def _on_complete(
    loaded: Loaded, decide: Callable[[Any], oracle.Answer], stream: Sequence[Sent], seconds: float
) -> float:
    """The ratio to the oracle on the requests that every contestant is asked: those that give every fact."""
    requests = [sent.data for sent in stream if sent.complete]
    requests = requests[: min(TIMED, portion(loaded, requests, seconds))]
    return measure(loaded.decide, list(map(loaded.prepare, requests)), decide, requests, seconds).ratio


def portion(loaded: Loaded, stream: Sequence[dict[str, Any]], seconds: float) -> int:
    """How much of the stream is used: what a fifth of the time is enough for, but a few dozen in any case."""
    tried = [loaded.prepare(request) for request in stream[:100]]
    taken: list[float] = []
    while len(taken) < len(tried) and sum(taken) < seconds / 10:
        started = time.perf_counter()
        loaded.decide(tried[len(taken)])
        taken.append(time.perf_counter() - started)
    return max(FEWEST, min(len(stream), int(seconds / 5 / median(taken))))


def disagreement(
    loaded: Loaded,
    asked: Sequence[Any],
    decide: Callable[[Mapping[str, Any]], oracle.Answer],
    requests: Sequence[Mapping[str, Any]],
) -> str | None:
    """The first request that the contestant answers otherwise than the oracle, in words; None if there is none."""
    for question, request in zip(asked, requests, strict=True):
        answer, expected = loaded.read(loaded.decide(question)), decide(request)
        if not agrees(answer, expected):
            return f"{answer} instead of {expected} for {json.dumps(request)}"
    return None


def agrees(answer: Answer, expected: oracle.Answer) -> bool:
    """Whether an answer is the oracle's; a cause only where the contestant gives one."""
    outcome, cause, rules = answer
    return (outcome, rules) == (expected[0], expected[2]) and cause in (None, expected[1])


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


if __name__ == "__main__":
    main()
