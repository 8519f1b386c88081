"""Stencils: the JSON text of a verdict's decisions, written once, with holes for what facts fill in.

A stencil is cut by telling the verdict with marks in place of values, so that its text is that of
`Decision.to_dict` to the letter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from engine.condition import Fact
from engine.decision import Parts, Verdict, contract
from engine.model import Rule
from engine.situation import Situation
from engine.texts import PLACEHOLDER, Speaker

# What fills a hole: a value said within a text, the day of a deadline, or the list of what is missing.
Kind: TypeAlias = Literal["said", "due", "missing"]
_SAID, _DUE, _MISSING = "\x00", "\x01", "\x02"
_HOLE = re.compile(r'\\u0000(?P<said>.*?)\\u0000|"\\u0001(?P<due>.*?)\\u0001"|(?P<missing>"\\u0002")')


class NotToBeCut(Exception):
    """A text holds one of the marks itself."""


class Marker(Speaker):
    """Says texts with marks where they name facts."""

    def deadline(self, rule: Rule, situation: Situation) -> str | None:
        """The deadline; a mark for one that a fact holds."""
        deadline = rule.effect.deadline
        return f"{_DUE}{deadline.path}{_DUE}" if isinstance(deadline, Fact) else super().deadline(rule, situation)

    def _fill(self, text: str, _situation: Situation) -> str:
        if not {_SAID, _DUE, _MISSING}.isdisjoint(text):
            raise NotToBeCut
        return PLACEHOLDER.sub(lambda found: f"{_SAID}{found[1]}{_SAID}", text)


class Stencil:
    """The JSON text of decisions that say the same, but for the facts they name and those they miss."""

    def __init__(self, verdict: Verdict, parts: Parts, *, misses: bool) -> None:
        marked = contract(verdict, parts)
        if misses:
            marked["missing"] = _MISSING
        self._pieces = list(_pieces(json.dumps(marked, ensure_ascii=False)))

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing to fill in."""
        return len(self._pieces) == 1

    def text(self, fill: Callable[[Kind, str], str]) -> str:
        """The text; `fill` gives the JSON text for a hole (within quotes for what is said), by kind and path."""
        return "".join([piece if piece.__class__ is str else fill(*piece) for piece in self._pieces])


def _pieces(text: str) -> Iterator[str | tuple[Kind, str]]:
    """What stands between holes, and the holes: kind and path."""
    end = 0
    for hole in _HOLE.finditer(text):
        yield text[end : hole.start()]
        kind: Kind = hole.lastgroup  # type: ignore[assignment]
        yield kind, hole[kind]
        end = hole.end()
    yield text[end:]
