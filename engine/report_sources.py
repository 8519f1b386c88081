"""Reports for reviewers: the register of sources as a table or as Markdown, and what verifying them showed."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import Any

from engine.finding import printable
from engine.paint import Paint, no_paint
from engine.verify import STATES, Verdict, Verified

WIDTH = 120
_SHOWN_CASES = 2
_CITING = {"rules": "", "readings": "reading ", "facts": "fact ", "cells": "cell "}


def register_lines(data: Mapping[str, Any], width: int = WIDTH, paint: Paint = no_paint) -> Iterator[str]:
    """The register as text: a table for each source, the readings, and the rules that cite nothing."""
    for source in data["sources"]:
        yield paint(printable(f"{source['title']} ({_about(source)})"), "cyan")
        rows = [
            (each["statement"], _said(each), _used(each), _some_cases(each["cases"])) for each in source["statements"]
        ]
        yield from _table(("", "says", "cited by", "cases"), rows, width)
        yield ""
    if data["readings"]:
        yield paint("Readings", "cyan")
        rows = [(each["reading"], _asked(each), _chosen(each), _tried(each)) for each in data["readings"]]
        yield from _table(("", "asks", "chosen", "tried otherwise by"), rows, width)
        yield ""
    if data["uncited_rules"]:
        yield paint("Rules that cite nothing", "cyan")
        yield from (f"  {each['rule']}  {each['file']}:{each['line']}" for each in data["uncited_rules"])
        yield ""
    statements = [each for source in data["sources"] for each in source["statements"]]
    cited = sum(bool(_citing(each)) for each in statements)
    left = sum(not _citing(each) and bool(each["not_encoded"]) for each in statements)
    yield f"{len(statements)} statements: {cited} cited, {left} not encoded, {len(statements) - cited - left} neither"


def _about(source: Mapping[str, Any]) -> str:
    return ", ".join(part for part in (source["source"], source["file"], source["language"]) if part)


def _said(statement: Mapping[str, Any]) -> str:
    place = _ranges(statement["lines"]) or statement["place"]
    about = "; ".join(part for part in (statement["kind"], place) if part)
    return f"{statement['says']} ({about})" if about else str(statement["says"])


def _citing(statement: Mapping[str, Any]) -> list[str]:
    return [f"{word}{name}" for kind, word in _CITING.items() for name in statement[kind]]


def _used(statement: Mapping[str, Any]) -> str:
    reason = [f"not encoded: {statement['not_encoded']}"] if statement["not_encoded"] else []
    return "; ".join([*_citing(statement), *reason]) or "-"


def _some_cases(names: Sequence[str]) -> str:
    more = [f"{len(names) - _SHOWN_CASES} more"] if len(names) > _SHOWN_CASES else []
    return "; ".join([*names[:_SHOWN_CASES], *more]) or "-"


def _asked(reading: Mapping[str, Any]) -> str:
    about = "; ".join([*([reading["ambiguity"]] if reading["ambiguity"] else []), *reading["cites"]])
    return f"{reading['asks']} ({about})" if about else str(reading["asks"])


def _chosen(reading: Mapping[str, Any]) -> str:
    others = ", ".join(option for option in reading["options"] if option != reading["chosen"])
    return f"{reading['chosen']}, not {others}" if others else str(reading["chosen"])


def _tried(reading: Mapping[str, Any]) -> str:
    return "; ".join(f"{each['option']}: {each['case']}" for each in reading["cases"]) or "-"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Rows of wrapped cells; the first column is as wide as it must be, within reason."""
    first = min(max((len(row[0]) for row in rows), default=0), width // 4)
    rest = max(2, (width - first - 8) // 10)
    widths = (max(first, 2), rest * 4, rest * 3, rest * 3)
    for row in (heads, *rows) if rows else ():
        cells = [textwrap.wrap(printable(cell), size) for cell, size in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            yield "  ".join(["", *(f"{part:<{size}}" for part, size in zip(parts, widths, strict=True))]).rstrip()


def register_markdown(data: Mapping[str, Any]) -> Iterator[str]:
    """The register as Markdown, to be kept beside the rules: whole, and in the same order each time."""
    yield f"# Sources of {_escaped(data['title'] or data['policy'])}"
    for source in data["sources"]:
        yield from ("", f"## {_escaped(source['title'])}", "", _escaped(_about(source)), "")
        yield from _rows(("statement", "says", "kind", "place", "cited by", "cases"), map(_cells, source["statements"]))
    if data["readings"]:
        yield from ("", "## Readings", "")
        heads = ("reading", "ambiguity", "asks", "options", "chosen", "because", "cites", "tried otherwise by")
        yield from _rows(heads, map(_reading_cells, data["readings"]))
    if data["uncited_rules"]:
        yield from ("", "## Rules that cite nothing", "")
        yield from (f"- {_escaped(each['rule'])}" for each in data["uncited_rules"])


def _cells(statement: Mapping[str, Any]) -> list[str]:
    about = (statement["statement"], statement["says"], statement["kind"], statement["place"])
    return [*(part or "" for part in about), _used(statement), "; ".join(statement["cases"])]


def _reading_cells(reading: Mapping[str, Any]) -> list[str]:
    options = "; ".join(f"{option}: {text}" for option, text in reading["options"].items())
    about = (reading["reading"], reading["ambiguity"], reading["asks"], options, reading["chosen"], reading["because"])
    return [*(part or "" for part in about), ", ".join(reading["cites"]), _tried(reading)]


def _rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from (f"| {' | '.join(map(_escaped, row))} |" for row in rows)


_SPECIAL = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)")


def _escaped(text: str) -> str:
    """The text as Markdown that says just that, on one line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(printable(text).split()))


def verified_data(verified: Sequence[Verified]) -> dict[str, Any]:
    """What verifying showed, as JSON data; it holds numbers of lines, and no text of a source."""
    return {
        "passed": all(each.passed for each in verified),
        "counts": _counts(verified),
        "sources": [
            {
                "source": each.source.id,
                "file": each.source.file,
                "present": each.present,
                "counts": _counts([each]),
                "uncovered": list(each.uncovered),
                "statements": [_verdict_data(verdict) for verdict in each.verdicts],
            }
            for each in verified
        ],
    }


def _counts(verified: Sequence[Verified]) -> dict[str, int]:
    found = Counter(verdict.state for each in verified for verdict in each.verdicts)
    return {**{state: found[state] for state in STATES}, "uncovered": sum(len(each.uncovered) for each in verified)}


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    hit = verdict.hit
    return {
        "statement": verdict.statement.id,
        "state": verdict.state,
        "lines": list(verdict.statement.lines),
        "at": {"file": hit.file, "lines": list(hit.lines)} if hit else None,
        "complete": verdict.complete,
    }


_STATE_COLORS = {"moved": "yellow", "gone": "red", "missing": "red", "unchecked": "cyan"}


def verified_lines(verified: Sequence[Verified], paint: Paint = no_paint) -> Iterator[str]:
    """What verifying showed, as text: for each source its counts, its problems, and the lines not covered."""
    for each in verified:
        about = each.source.file or "no file"
        missing = "" if each.present or not each.source.file else f": {paint('no such file', 'red')}"
        yield f"{each.source.id} ({printable(about)}){missing}: {_counted([each])}"
        for verdict in each.verdicts:
            if verdict.state in ("moved", "gone", "missing"):
                yield f"  {paint(verdict.state, _STATE_COLORS[verdict.state])} {verdict.statement.id}: {_told(verdict)}"
        unchecked = [verdict.statement.id for verdict in each.verdicts if verdict.state == "unchecked"]
        if unchecked:
            yield f"  {paint('unchecked', 'cyan')} {', '.join(unchecked)}: no fingerprint, or no file"
        if each.uncovered:
            yield f"  no statement on {_ranges(each.uncovered)}"
    yield _counted(verified) if verified else "the policy lists no sources"


def _counted(verified: Sequence[Verified]) -> str:
    counts = _counts(verified)
    states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state] or state in ("found", "gone"))
    return f"{states}; lines without a statement: {counts['uncovered']}"


def _told(verdict: Verdict) -> str:
    named = _ranges(verdict.statement.lines) or "no line"
    if verdict.hit is not None:
        return f"{named}, now {_ranges(verdict.hit.lines)} of {printable(verdict.hit.file)}"
    return f"{named}{'' if verdict.complete else ' (there was too much to try it all)'}"


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers of lines as ranges, in their order: `lines 3-5, 9`."""
    if not numbers:
        return ""
    breaks = [0, *(n for n, (one, next_) in enumerate(pairwise(numbers), 1) if next_ != one + 1), len(numbers)]
    spans = [(numbers[start], numbers[end - 1]) for start, end in pairwise(breaks)]
    told = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
    return f"line{'s' if len(numbers) > 1 else ''} {told}"
