"""How long the rule book takes: of the shipped policy in five languages, and of a policy of a thousand rules.

    python benchmarks/book.py [--rules 1000] [--cases 2000] [--rounds 3]

The cases of the large policy are requests of the benchmark's stream with the answers of the hand-written oracle, so
that the book itself shows that every one was decided rightly. Exit code 1 if it does not, or if a page is missing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import oracle
from benchmarks.family import Family
from engine import open_policy
from engine.book.contents import Contents, book_day
from engine.book.pages import Book
from engine.book.site import write

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the books and print how long each took; 0 if they were right."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="changegate-book-") as folder:
        large = large_pack(Family(options.rules), options.cases, Path(folder) / "large")
        print(f"{'policy':<8} {'rules':>6} {'cases':>6} {'files':>6} {'seconds':>8}")
        right = [report(name, pack, options.rounds) for name, pack in (("shipped", ROOT / "rules"), ("large", large))]
    return 0 if all(right) else 1


def large_pack(family: Family, cases: int, folder: Path) -> Path:
    """The family's pack, with so many cases whose answers are the oracle's."""
    family.write(folder)
    decide = oracle.load(family)
    written = []
    for number, sent in enumerate(family.requests(cases)):
        outcome, cause, rules = decide(sent.data)
        expect = {"outcome": outcome, "cause": cause, "rules": list(rules)}
        written.append({"case": f"request {number}", "request": sent.data, "expect": expect})
    (folder / "cases.yaml").write_text(json.dumps({"cases": written}), encoding="utf-8")
    return folder


def report(name: str, pack: Path, rounds: int) -> bool:
    """Make a book so many times and print the median; whether every case is as expected, and every rule has a page."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="changegate-site-") as site:
            book = make(pack, Path(site))
        taken.append(time.perf_counter() - begun)
    contents = book.contents
    counts = (len(contents.pack.rules), len(contents.pack.cases), len(book.paths))
    print(f"{name:<8} {counts[0]:>6} {counts[1]:>6} {counts[2]:>6} {statistics.median(taken):>8.1f}")
    wrong = [result.case.name for result in contents.results if not result.passed]
    lacking = set(contents.pack.rules) - {path.rpartition("/")[2].removesuffix(".html") for path in book.paths}
    for each in (*wrong[:5], *sorted(lacking)[:5]):
        print(f"WRONG: {each}")
    return not wrong and not lacking


def make(pack: Path, site: Path) -> Book:
    """The book of a pack, written to a folder."""
    gate = open_policy(pack, book_day(open_policy(pack).pack))
    contents = Contents([gate], [str(pack)])
    contents.work_out()
    book = Book(contents)
    write(book, site)
    return book


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=int, default=1000, help="rules of the large policy (1000)")
    parser.add_argument("--cases", type=int, default=2000, help="its cases (2000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each book is made (3)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
