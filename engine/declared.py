"""What a stack declares, and what every declaration shares: citations and spans of days."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

from engine.express import Scope
from engine.finding import did_you_mean, one_of
from engine.model import Action, Reading, Source, Statement, Table
from engine.nodes import Mapping, Scalar, Sequence, plain, words
from engine.values import NotAValue, parse_date

# Marks, among broken names, that a source could not be read, so that its statements are not missed.
BROKEN_SOURCE = "a source"


@dataclass
class Declared:
    """What a stack declares, with the scope that conditions are read in."""

    scope: Scope
    actions: dict[str, Action] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    statements: dict[str, Statement] = field(default_factory=dict)


def span_of_days(entry: Mapping, scope: Scope) -> tuple[datetime.date | None, datetime.date | None]:
    """`from` and `until` of an entry, with findings where they are no days or in the wrong order."""
    days: list[datetime.date | None] = []
    for name in ("from", "until"):
        node = entry.entries.get(name)
        day = None
        if node is not None:
            try:
                day = parse_date(plain(node))
            except NotAValue as error:
                scope.report(node.place, "wrong-type", f"`{name}` {error}", "write a day as `YYYY-MM-DD`")
        days.append(day)
    start, end = days
    if start and end and start > end:
        scope.report(
            entry.keys["from"],
            "from-after-until",
            f"from {start} until {end} is no time at all",
            "exchange the two, or mend one",
        )
        return None, None
    return start, end


def check_cites(entry: Mapping, declared: Declared) -> tuple[str, ...]:
    """The statements that an entry cites, with a finding for each that no source has."""
    node = entry.entries.get("cites")
    cited = words(node)
    if node is not None and not isinstance(node, Sequence):
        # The schema has told so of rules and facts, but does not look into cells.
        declared.scope.report(node.place, "wrong-shape", "`cites` must be a list", "write a list of statements: `[S1]`")
    if not declared.statements:
        if cited and node is not None and not _has_broken_sources(declared):
            declared.scope.report(
                node.place,
                "no-sources",
                f"cites {one_of(cited)}, but the pack has no `sources`",
                "list the sources and their statements",
            )
        return cited
    for item in node.items if isinstance(node, Sequence) else ():
        if isinstance(item, Scalar) and item.text not in declared.statements and not _has_broken_sources(declared):
            declared.scope.report(
                item.place,
                "unknown-statement",
                f"unknown statement `{item.text}`",
                did_you_mean(item.text, declared.statements, "list it under `sources`"),
            )
    return cited


def _has_broken_sources(declared: Declared) -> bool:
    return BROKEN_SOURCE in declared.scope.broken
