"""Looking for the pieces that a fingerprint was made of.

A fingerprint tells nothing of its pieces but whether a guess is right. So choices of quotes are tried, the
likely ones first: at the lines where a statement is said to be, then at the same lines moved by one
distance, then near each other in their order. The work is bounded, and whoever asks is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, combinations, pairwise, product
from typing import Any, TypeAlias

from engine.originals import MAX_PIECES, Line, Original, digest, quotes

MAX_TRIES = 250_000
NEAR = 8
# A text and the numbers of lines in it, in the order of the pieces.
_Place: TypeAlias = tuple[Original, tuple[int, ...]]
_Places: TypeAlias = Callable[[], Iterable[_Place]]


@dataclass(frozen=True, slots=True)
class Hit:
    """Where pieces with a fingerprint stand: the file, and each piece with its line."""

    file: str
    pieces: tuple[tuple[int, str], ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """The lines, in the order of the pieces."""
        return tuple(dict.fromkeys(number for number, _ in self.pieces))


class TooMuchWork(Exception):
    """More would have to be tried than is allowed."""


class _Work:
    """Counts down what may still be tried."""

    def __init__(self, tries: int) -> None:
        self.left = tries

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise TooMuchWork


def on_one_line(wanted: frozenset[str], originals: Iterable[Original]) -> tuple[dict[str, list[Hit]], bool]:
    """Where the fingerprints wanted are those of quotes of a single line, and whether all quotes were tried.

    All places of each are listed.
    """
    found: dict[str, list[Hit]] = {}
    complete = True
    for text in originals:
        for line in text.lines:
            listed = quotes(line)
            complete &= not listed.cut
            for quote in chain.from_iterable(listed.of):
                fingerprint = digest(quote)
                if fingerprint in wanted:
                    hit = Hit(text.file, tuple((line.number, piece) for piece in quote))
                    found.setdefault(fingerprint, []).append(hit)
    return found, complete


def at_lines(fingerprint: str, numbers: Sequence[int], text: Original, tries: int = MAX_TRIES) -> Hit | None:
    """The pieces on these lines of a text, at least one on each, in their order; None if they are not there.

    Raises TooMuchWork where more than `tries` quotes would have to be tried to tell.
    """
    place = (text, tuple(numbers))
    return _seek(fingerprint, lambda: [place], range(len(numbers) * MAX_PIECES + 1), _Work(tries))


def elsewhere(
    fingerprint: str, numbers: Sequence[int], own: str, originals: Mapping[str, Original], tries: int = MAX_TRIES
) -> Hit | None:
    """The pieces on several other lines of the text `own`, or of another one; None if they are nowhere.

    Raises TooMuchWork where more than `tries` quotes would have to be tried to tell.
    """
    texts = sorted(originals.values(), key=lambda text: (text.file != own, text.file))
    work = _Work(tries)
    hits = (_seek(fingerprint, places, effort, work) for places, effort in _stages(tuple(numbers), texts))
    return next((hit for hit in hits if hit is not None), None)


def _stages(numbers: tuple[int, ...], texts: Sequence[Original]) -> Iterator[tuple[_Places, range]]:
    """Where to look, and with how much effort: what is likely, and soon tried, first."""

    def together(numbers: tuple[int, ...]) -> _Places:
        return lambda: ((text, moved) for text in texts for moved in _moved(numbers, text))

    def apart(changes: int) -> _Places:
        return lambda: ((text, moved) for text in texts for moved in _spread(numbers, text, changes))

    if len(numbers) == 1:  # what was on one line may have come onto two, perhaps with a blank one between
        yield together((numbers[0], numbers[0] + 1)), range(3)
        yield together((numbers[0], numbers[0] + 2)), range(3)
        return
    yield together(numbers), range(3)
    yield apart(1), range(3)
    yield apart(2), range(3)
    yield together(numbers), range(3, len(numbers) * MAX_PIECES + 1)


def _moved(numbers: Sequence[int], text: Original) -> Iterator[tuple[int, ...]]:
    """The lines moved by one distance, short ones first."""
    for start in _starts(numbers, text):
        yield tuple(number - numbers[0] + start for number in numbers)


def _spread(numbers: Sequence[int], text: Original, changes: int) -> Iterator[tuple[int, ...]]:
    """The lines moved, with so many of the gaps between them wider or narrower."""
    gaps = [after - before for before, after in pairwise(numbers)]
    steps = sorted((step for step in range(-NEAR, NEAR + 1) if step), key=abs)
    for start in _starts(numbers, text):
        for chosen in combinations(range(len(gaps)), changes):
            for change in product(steps, repeat=changes):
                by_gap = dict(zip(chosen, change, strict=True))
                yield tuple(accumulate([start, *(gap + by_gap.get(n, 0) for n, gap in enumerate(gaps))]))


def _starts(numbers: Sequence[int], text: Original) -> list[int]:
    return sorted(range(1, len(text.lines) + 1), key=lambda number: abs(number - numbers[0]))


def _seek(fingerprint: str, places: _Places, efforts: Iterable[int], work: _Work) -> Hit | None:
    """The first hit at the places, the whole lines first; an effort is the number of quotes that are no whole line."""
    for effort in efforts:
        for text, numbers in places():
            work.spend()
            lines = _lines(text, numbers)
            pieces = _pieces(fingerprint, lines, effort, hashlib.sha256(), work) if lines else None
            if pieces is not None:
                return Hit(text.file, pieces)
    return None


def _lines(text: Original, numbers: Sequence[int]) -> tuple[Line, ...]:
    """The lines of these numbers; nothing if one of them is blank or not there."""
    if not numbers or min(numbers) < 1 or max(numbers) > len(text.lines):
        return ()
    lines = tuple(text.lines[number - 1] for number in numbers)
    return lines if all(line.text for line in lines) else ()


def _pieces(
    fingerprint: str, lines: tuple[Line, ...], effort: int, so_far: Any, work: _Work
) -> tuple[tuple[int, str], ...] | None:
    """The pieces, each with its line, that go on from `so_far` (a hash) with exactly this effort."""
    if not lines:
        return () if f"sha256:{so_far.hexdigest()}" == fingerprint else None
    line, rest = lines[0], lines[1:]
    listed = quotes(line).of
    for count in range(0 if rest else effort, min(effort, len(listed) - 1) + 1):
        for quote in listed[count]:
            work.spend()
            state = so_far.copy()
            state.update(("\n".join(quote) + ("\n" if rest else "")).encode())
            after = _pieces(fingerprint, rest, effort - count, state, work)
            if after is not None:
                return (*((line.number, piece) for piece in quote), *after)
    return None
