"""The JSON Schemas that ship with the engine: of packs, of requests, of decisions."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

SCHEMAS = ("pack", "request", "decision")


@cache
def schema(name: str) -> dict[str, Any]:
    """One of SCHEMAS, as JSON data (JSON Schema 2020-12)."""
    text = Path(__file__).with_name("schemas").joinpath(f"{name}.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
