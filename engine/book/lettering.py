"""How much room letters take, by estimate, and how a label is broken into rows that fit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from engine.finding import escape

CUT = "…"
_WORDS = re.compile(r"[^ _/-]*[ _/-]|[^ _/-]+")
# Widths in parts of the size of the letters; a little more than common sans-serif fonts need.
_NARROW, _SMALL, _MIDDLE, _LARGE, _WIDE = 0.34, 0.46, 0.62, 0.74, 1.0
_BY_LETTER = {
    **dict.fromkeys("iljI.,:;'|! \u2019·", _NARROW),
    **dict.fromkeys('frt()[]{}-/\\"*`', _SMALL),
    **dict.fromkeys("mwMW@%&—…œæ", _WIDE),
}


@lru_cache(maxsize=4096)
def _letter(character: str) -> float:
    if character in _BY_LETTER:
        return _BY_LETTER[character]
    if unicodedata.combining(character):
        return 0.0
    if character > "\u1fff" or unicodedata.east_asian_width(character) in "WF":
        return _WIDE
    if character > "\u052f":
        return _LARGE
    return _LARGE if character.isupper() else _MIDDLE


def width(text: str, size: float) -> float:
    """How wide a text is, at most, in letters of this size."""
    return sum(map(_letter, text)) * size


def printed(text: str) -> str:
    """The text with white space as single spaces, and escapes for whatever would steer the display."""
    return "".join(map(escape, " ".join(text.split())))


def rows(text: str, room: float, size: float, most: int) -> tuple[str, ...]:
    """The text in rows no wider than `room`, at most so many; what is left over is cut off, and shows it (`CUT`)."""
    shown = printed(text)
    found: list[str] = []
    for row in _broken(shown, room, size):
        if len(found) == most:
            found[-1] = _cut(found[-1], room, size)
            break
        found.append(row)
    return tuple(found) or ("",)


def _broken(text: str, room: float, size: float) -> Iterator[str]:
    """All rows of a text, one after the other: broken between words, in ids after a hyphen or the like, else anywhere."""
    row = ""
    for word in _WORDS.findall(text):
        if width(f"{row}{word}".rstrip(), size) <= room:
            row += word
            continue
        if row:
            yield row.rstrip()
        row = word
        while width(row.rstrip(), size) > room and len(row) > 1:
            head = _fitting(row, room, size)
            yield row[:head]
            row = row[head:]
    if row:
        yield row.rstrip()


def _fitting(text: str, room: float, size: float) -> int:
    """How many letters fit, at least one."""
    used = 0.0
    for number, character in enumerate(text):
        used += _letter(character) * size
        if used > room:
            return max(number, 1)
    return len(text)


def _cut(row: str, room: float, size: float) -> str:
    return row[: _fitting(row, room - width(CUT, size), size)].rstrip() + CUT
