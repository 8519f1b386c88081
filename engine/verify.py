"""Whether source texts still say what the statements of a pack were taken from.

The pack holds no text of its sources, only where each statement stands and the fingerprint of its pieces;
nothing of the texts is in the result either, only numbers of lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

from engine.model import Pack, Source, Statement
from engine.originals import Original, quotes
from engine.seek import Hit, TooMuchWork, at_lines, elsewhere, on_one_line

State = Literal["found", "moved", "gone", "missing", "unchecked"]
STATES: tuple[State, ...] = ("found", "moved", "gone", "missing", "unchecked")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a statement, and where it stands now.

    `missing` is a statement whose file is not there, and that no other file has; `unchecked` is one without
    fingerprint or file. `complete` is False where not everything could be tried.
    """

    statement: Statement
    state: State
    hit: Hit | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Verified:
    """A source: whether its file is there, its statements, and the lines on which none of any source was found."""

    source: Source
    present: bool
    verdicts: tuple[Verdict, ...]
    uncovered: tuple[int, ...]

    @property
    def passed(self) -> bool:
        """Whether the file is there, if one is named, and everything that was checked stands somewhere."""
        lost = any(verdict.state in ("gone", "missing") for verdict in self.verdicts)
        return not lost and (self.present or self.source.file is None)


def files_of(pack: Pack) -> list[str]:
    """The files that the pack's sources name."""
    return [source.file for source in pack.sources.values() if source.file]


def verify(
    pack: Pack, originals: Mapping[str, Original], progress: Callable[[], None] = lambda: None
) -> tuple[Verified, ...]:
    """Each source of the pack, with what the texts (by file name) still say of it.

    `progress` is called for each statement.
    """
    prints = frozenset(statement.fingerprint for statement in pack.statements.values() if statement.fingerprint)
    places, all_tried = on_one_line(prints, originals.values())
    verdicts: dict[str, Verdict] = {}
    # Statements of one line first: where they went is a guess for those of several.
    for statement in sorted(pack.statements.values(), key=lambda statement: len(_named(statement))):
        file = pack.sources[statement.source].file
        verdict = _verdict(statement, file, places, originals, verdicts.values())
        verdicts[statement.id] = verdict if verdict.hit or all_tried else replace(verdict, complete=False)
        progress()
    hits = [verdict.hit for verdict in verdicts.values() if verdict.hit]
    covered = _covered(hits, originals)
    found = []
    for source in pack.sources.values():
        text = originals.get(source.file or "")
        own = tuple(verdicts[name] for name, each in pack.statements.items() if each.source == source.id)
        found.append(Verified(source, text is not None, own, tuple(_uncovered(text, covered)) if text else ()))
    return tuple(found)


def _verdict(
    statement: Statement,
    file: str | None,
    places: Mapping[str, list[Hit]],
    originals: Mapping[str, Original],
    before: Iterable[Verdict],
) -> Verdict:
    wanted = statement.fingerprint
    if not wanted or not file:
        return Verdict(statement, "unchecked")
    hits = places.get(wanted, [])
    here = next((hit for hit in hits if hit.file == file and hit.lines == _named(statement)), None)
    if here is not None:
        return Verdict(statement, "found", here)
    for place, numbers in ((file, _named(statement)), *_guesses(statement, file, before)):
        # What is too much to try here is so everywhere, and that is told below.
        with suppress(TooMuchWork):
            hit = at_lines(wanted, numbers, originals[place]) if place in originals else None
            if hit is not None:
                stayed = (hit.file, hit.lines) == (file, _named(statement))
                return Verdict(statement, "found" if stayed else "moved", hit)
    if hits:
        return Verdict(statement, "moved", min(hits, key=lambda hit: _distance(hit, statement, file)))
    return _moved_or_gone(statement, file, originals)


def _moved_or_gone(statement: Statement, file: str, originals: Mapping[str, Original]) -> Verdict:
    lost: State = "gone" if file in originals else "missing"
    try:
        hit = elsewhere(statement.fingerprint or "", _named(statement) or (1,), file, originals)
    except TooMuchWork:
        return Verdict(statement, lost, complete=False)
    return Verdict(statement, "moved", hit) if hit else Verdict(statement, lost)


def _guesses(statement: Statement, file: str, before: Iterable[Verdict]) -> list[tuple[str, tuple[int, ...]]]:
    """Where the statement's lines would be if each had gone the way of the statement just before or after it."""
    if len(_named(statement)) < 2:
        return []
    ways: dict[str, dict[int, int]] = {}
    for verdict in before:
        claimed = verdict.statement
        if verdict.hit and claimed.source == statement.source and len(verdict.hit.lines) == len(_named(claimed)) == 1:
            ways.setdefault(verdict.hit.file, {})[claimed.lines[0]] = verdict.hit.lines[0] - claimed.lines[0]
    if not ways:
        return []
    target = max(sorted(ways), key=lambda name: len(ways[name]))
    found = {
        (target, tuple(number + way(ways[target], number) for number in _named(statement))) for way in (_up, _down)
    }
    return sorted(found - {(file, _named(statement))})


def _up(ways: Mapping[int, int], number: int) -> int:
    """How far the nearest line at or before this one has gone, or else the first one after it."""
    return ways[max((line for line in ways if line <= number), default=min(ways))]


def _down(ways: Mapping[int, int], number: int) -> int:
    """How far the nearest line at or after this one has gone, or else the last one before it."""
    return ways[min((line for line in ways if line >= number), default=max(ways))]


def _named(statement: Statement) -> tuple[int, ...]:
    return tuple(dict.fromkeys(statement.lines))


def _distance(hit: Hit, statement: Statement, file: str) -> tuple[bool, int, str, int]:
    """What makes a place unlikely: another file, then a long way."""
    start = statement.lines[0] if statement.lines else 1
    return hit.file != file, abs(hit.lines[0] - start), hit.file, hit.lines[0]


def _covered(hits: list[Hit], originals: Mapping[str, Original]) -> set[tuple[str, int]]:
    """The lines, with their files, on which pieces stand: those found, and repeats of them anywhere."""
    covered = {(hit.file, number) for hit in hits for number in hit.lines}
    # A number of a list or a line of dashes is no repeat of anything.
    pieces = {piece for hit in hits for _, piece in hit.pieces if any(map(str.isalpha, piece))}
    for text in originals.values():
        for line in text.lines:
            if any(piece in pieces for (piece,) in chain.from_iterable(quotes(line).of[:2])):
                covered.add((text.file, line.number))
    return covered


def _uncovered(text: Original, covered: set[tuple[str, int]]) -> Iterator[int]:
    return (line.number for line in text.lines if line.text and (text.file, line.number) not in covered)
