"""Color for words on a terminal that wants it; which words get which."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Paint: TypeAlias = Callable[[str, str], str]
COLORS = {
    "allow": "green",
    "deny": "red",
    "indeterminate": "yellow",
    "error": "red",
    "warning": "yellow",
    "note": "cyan",
}


def no_paint(text: str, _color: str) -> str:
    """The text as it is."""
    return text
