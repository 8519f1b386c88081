"""The oracle as a contestant, so that its own rate stands in the table."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import oracle
from benchmarks.contestants import Loaded
from benchmarks.family import Family


def write(family: Family, folder: Path) -> None:
    """The function is made from the family itself: only which one that is needs to be known."""
    (folder / "family.json").write_text(json.dumps([family.size, family.seed]), encoding="utf-8")


def load(folder: Path) -> Loaded:
    size, seed = json.loads((folder / "family.json").read_bytes())
    return Loaded(oracle.load(Family(size, seed)), read=lambda answer: answer)
