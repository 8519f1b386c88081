"""How much slower a large policy decides than a small one, both in one process and asked by turns.

    python -m benchmarks.slowdown SMALL LARGE --sizes 12 10000 [--seconds 5]

SMALL and LARGE are folders with packs of the family. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median

from benchmarks.clock import rate
from benchmarks.contestants import COMPILED
from benchmarks.family import Family

STREAM = 500


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare ChangeGate on a small and a large policy.")
    parser.add_argument("folders", type=Path, nargs=2, metavar="FOLDER")
    parser.add_argument("--sizes", type=int, nargs=2, required=True, metavar="N")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    loaded = [COMPILED.load(folder) for folder in options.folders]
    streams = [[sent.data for sent in Family(size).requests(STREAM)] for size in options.sizes]
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + options.seconds
    while len(pairs) < 6 or time.perf_counter() < end:
        small, large = (rate(each.decide, requests) for each, requests in zip(loaded, streams, strict=True))
        pairs.append((small, large))
    warm = pairs[1:]
    print(json.dumps({"slowdown": median(small / large for small, large in warm), "rounds": len(warm)}))


if __name__ == "__main__":
    main()
