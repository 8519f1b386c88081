"""The law of agreement at any length: random packs and requests, decided by all engines.

    python benchmarks/agreement.py --pairs 20000 [--seed 1] [--rules rules]

Each pack has a seed of its own, so that a difference is found again in a moment. With `--rules` the
requests are drawn from the vocabulary of the packs named instead. Exits 1 at the first difference.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from strategies import AS_OF, difference, draw_pack, draw_request, requests_for, vocabulary  # noqa: E402

from engine import open_policy  # noqa: E402
from engine.gate import Gate  # noqa: E402

REQUESTS = 10
Pair: TypeAlias = tuple[int, dict[str, str], Gate, dict[str, Any]]


def main() -> int:
    options = _options()
    counts: Counter[str] = Counter()
    started = time.monotonic()
    for done, (seed, files, gate, request) in enumerate(_pairs(options), start=1):
        found = difference(gate, request)
        if found is not None:
            print(f"--- pair {done:,} differs")
            return _report(options, seed, files, request, found)
        decision = gate.decide(request)
        counts[f"{decision.outcome}, {decision.cause}"] += 1
        _progress(done, options.pairs)
        if done == options.pairs:
            break
    seconds = time.monotonic() - started
    print(f"{options.pairs:,} pairs of pack and request, 0 differed ({seconds:.0f} s, first seed {options.seed})")
    for outcome, count in sorted(counts.items()):
        print(f"{count:>10,}  {outcome}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Do all engines agree?")
    parser.add_argument("--pairs", type=int, default=20000, help="how many pairs of a pack and a request to decide")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first pack; each has the next")
    parser.add_argument(
        "--rules", action="append", metavar="DIR", help="take this pack (or stack) instead of random ones"
    )
    return parser.parse_args()


def _pairs(options: argparse.Namespace) -> Iterator[Pair]:
    """Pairs without end, with the seed that each comes from."""
    seed = options.seed
    gate = open_policy(options.rules, as_of=AS_OF) if options.rules else None
    words = vocabulary(gate) if gate else None
    while True:
        random = Random(seed)
        if gate is None or words is None:
            pack = draw_pack(random)
            requests = requests_for(pack, random)
            for _ in range(REQUESTS):
                yield seed, dict(pack.files), pack.gate, next(requests)
        else:
            yield seed, {}, gate, draw_request(random, words)
        seed += 1


def _progress(done: int, pairs: int) -> None:
    if sys.stderr.isatty() and (done % 50 == 0 or done == pairs):
        filled = 30 * done // pairs
        end = "\n" if done == pairs else ""
        print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done:,} of {pairs:,}", end=end, file=sys.stderr, flush=True)


def _report(options: argparse.Namespace, seed: int, files: dict[str, str], request: dict[str, Any], found: str) -> int:
    """The difference with all that it takes to see it again."""
    for name, text in files.items():
        print(f"--- {name}\n{text}")
    print("--- request\n" + json.dumps(request, indent=1, default=str))
    print(f"--- difference\n{found}")
    rules = " ".join(f"--rules {folder}" for folder in options.rules or ())
    print(f"--- again\npython benchmarks/agreement.py --pairs {REQUESTS} --seed {seed} {rules}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
