"""Where two answers differ, for the report that says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def differences(answers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One line for each part of the decisions on which the engines differ."""
    (first, one), (second, other) = answers.items()
    for part in one:
        if one[part] != other[part]:
            yield f"{part}: {first} says {_show(one[part])}, {second} says {_show(other[part])}"


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
