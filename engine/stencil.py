"""Stencils: the JSON text of a verdict's decisions, written once, with holes for what facts fill in.

A stencil is cut by telling the verdict with marks in place of values, so that its text is that of
`Decision.to_dict` to the letter.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from engine.condition import Fact
from engine.decision import Parts, Verdict, contract
from engine.model import Rule
from engine.situation import Situation
from engine.texts import PLACEHOLDER, Speaker

# What fills a hole: a value said within a text, the day of a deadline, or one of three lists.
Kind: TypeAlias = Literal["said", "due", "missing", "invalid", "warnings"]
_SAID, _DUE, _DAY = "\x00", "\x01", "\x02"
_LISTS = {"missing": "\x03", "invalid": "\x04", "warnings": "\x05"}
_MARKS = frozenset({_SAID, _DUE, _DAY, *_LISTS.values()})
_HOLE = re.compile(
    r'\\u0000(?P<said>.*?)\\u0000|"\\u0001(?P<due>.*?)\\u0001"'
    r'|(?P<missing>"\\u0003")|(?P<invalid>"\\u0004")|(?P<warnings>"\\u0005")'
)


# A backslash before what looks like a mark: how JSON shows a text that spells one out.
_SPELLED_OUT = r"\\u000"


class NotToBeCut(Exception):
    """A text holds one of the marks itself, or spells it out."""


class Marker(Speaker):
    """Says texts with marks where they name facts."""

    def deadline(self, rule: Rule, situation: Situation) -> str | None:
        """The deadline; a mark for one that a fact holds."""
        deadline = rule.effect.deadline
        return f"{_DUE}{deadline.path}{_DUE}" if isinstance(deadline, Fact) else super().deadline(rule, situation)

    def _fill(self, text: str, _situation: Situation) -> str:
        if not _MARKS.isdisjoint(text):
            raise NotToBeCut
        return PLACEHOLDER.sub(lambda found: f"{_SAID}{found[1]}{_SAID}", text)


class Stencil:
    """The JSON text of decisions that say the same, but for the day, the facts they name and those they miss.

    `odd` ones have holes for what is invalid and for warnings, too.
    """

    def __init__(self, verdict: Verdict, parts: Parts, *, misses: bool, odd: bool) -> None:
        marked = contract(verdict, parts)
        if not _MARKS.isdisjoint(f"{verdict.route}{verdict.answered_for}{parts.policy}"):
            raise NotToBeCut
        marked["policy"]["as_of"] = _DAY
        for name in (["missing"] if misses else []) + (["invalid", "warnings"] if odd else []):
            marked[name] = _LISTS[name]
        whole = json.dumps(marked, ensure_ascii=False)
        if _SPELLED_OUT in whole:
            raise NotToBeCut
        # The day comes last of all.
        text, _, self._end = whole.rpartition("\\u0002")
        self._pieces = list(_pieces(text))

    def text(self, day: datetime.date, fill: Callable[[Kind, str], str]) -> str:
        """The text; `fill` gives the JSON text for a hole (within quotes for what is said), by kind and path."""
        if len(self._pieces) == 1:
            return f"{self._pieces[0]}{day}{self._end}"
        text = "".join([piece if piece.__class__ is str else fill(*piece) for piece in self._pieces])
        return f"{text}{day}{self._end}"


def _pieces(text: str) -> Iterator[str | tuple[Kind, str]]:
    """What stands between holes, and the holes: kind and path."""
    end = 0
    for hole in _HOLE.finditer(text):
        yield text[end : hole.start()]
        kind: Kind = hole.lastgroup  # type: ignore[assignment]
        yield kind, json.loads(f'"{hole[kind]}"') if kind in ("said", "due") else ""
        end = hole.end()
    yield text[end:]
