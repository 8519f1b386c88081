"""Packs stacked on each other: one set of named entries, with a finding for every collision and override.

A later pack may add names, fill or replace table cells, choose readings, and disable a rule with a
reason. It may change nothing silently: each change is a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TypeAlias

from engine.finding import Finding, Place
from engine.nodes import Document, Mapping, Node, Scalar, Sequence, word
from engine.shape import misfits

NAMED = ("actions", "facts", "readings", "sources")
SECTIONS = ("policy", *NAMED, "tables", "rules", "translations", "cases")


@dataclass(frozen=True, slots=True)
class Entry:
    """A named entry of a section: its node, where its name stands, and the layer (0 is the first pack)."""

    name: str
    node: Mapping
    place: Place
    layer: int


# What is found where a name is declared nowhere: hearsay, while a part of the pack cannot be read.
HEARSAY = frozenset({
    "unknown-fact", "unknown-action", "unknown-table", "unknown-column", "unknown-reading", "unknown-statement",
    "unknown-rule", "unknown-language", "unknown-placeholder", "no-sources", "bad-route", "bad-name",
})  # fmt: skip


@dataclass
class Stack:
    """The entries of all packs, merged.

    `broken` holds (section, name) of entries with a misfit. `partial` says that a whole file or section could not
    be read, so that a name that seems to be unknown may well stand there.
    """

    policy: list[Entry] = field(default_factory=list)
    named: dict[str, dict[str, Entry]] = field(default_factory=lambda: {section: {} for section in NAMED})
    columns: dict[str, Entry] = field(default_factory=dict)
    cells: dict[tuple[str, str, str], tuple[Node, Place, int]] = field(default_factory=dict)
    tables: dict[str, Place] = field(default_factory=dict)
    rows: dict[str, dict[str, Place]] = field(default_factory=dict)
    chosen: dict[str, Entry] = field(default_factory=dict)
    rules: dict[str, Entry] = field(default_factory=dict)
    disabled: dict[str, tuple[str, Place]] = field(default_factory=dict)
    texts: list[tuple[str, str, Node, Place]] = field(default_factory=list)
    cases: list[Entry] = field(default_factory=list)
    broken: set[tuple[str, str]] = field(default_factory=set)
    partial: bool = False
    rule_places: dict[str, Place] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def report(self, place: Place, code: str, message: str, help_: str = "") -> None:
        """Add a finding."""
        self.findings.append(Finding(place, code, message, help_))


def stack_up(layers: list[list[Document]], partial: bool = False) -> Stack:
    """All documents of all layers as one stack; `partial` says that there are files that could not be read."""
    stack = Stack(partial=partial)
    for layer, documents in enumerate(layers):
        for document in documents:
            _add(stack, _with_sections(document), layer)
    _disable(stack)
    return stack


def _with_sections(document: Document) -> Document:
    """A file in `translations/` may hold the texts alone, without their section."""
    if _locale_of(document.file) and not set(document.root.entries) & set(SECTIONS):
        root = Mapping({"translations": document.root}, {"translations": document.root.place}, document.root.place)
        return Document(document.file, document.text, root)
    return document


def _locale_of(file: str) -> str | None:
    path = PurePath(file)
    return path.stem if path.parent.name == "translations" else None


_Broken: TypeAlias = set[tuple[str | int, ...]]


def _add(stack: Stack, document: Document, layer: int) -> None:
    broken: _Broken = set()
    for path, finding in misfits(document):
        broken.add(path)
        stack.findings.append(finding)
    for section, node in document.root.entries.items():
        place = document.root.keys[section]
        if section not in SECTIONS or (section,) in broken:
            stack.partial = True
            continue
        if section == "policy" and isinstance(node, Mapping):
            stack.policy.append(Entry("policy", node, place, layer))
        elif section == "rules" and isinstance(node, Sequence):
            _add_rules(stack, node, layer, broken)
        elif section == "cases" and isinstance(node, Sequence):
            _add_cases(stack, node, layer, broken)
        elif isinstance(node, Mapping):
            _add_named(stack, section, node, document, layer, broken)


def _add_named(stack: Stack, section: str, node: Mapping, document: Document, layer: int, broken: _Broken) -> None:
    for name, child in node.entries.items():
        place = node.keys[name]
        if section == "translations" and (section, name) not in broken:
            stack.texts.extend(_texts(name, child, place, _locale_of(document.file)))
        elif (section, name) in broken or not isinstance(child, Mapping):
            stack.broken.update((section, each) for each in (name, *_declared_by(section, child)))
        elif section == "tables":
            _add_table(stack, Entry(name, child, place, layer))
        else:
            _add_entry(stack, section, Entry(name, child, place, layer))


def _declared_by(section: str, node: Node) -> Iterator[str]:
    """The facts that come with an action: its properties, and the id of its resource."""
    if section == "actions" and isinstance(node, Mapping):
        properties = node.entries.get("properties")
        yield from (f"action.{name}" for name in properties.entries) if isinstance(properties, Mapping) else ()
        yield f"{word(node, 'resource')}.id"


def _texts(name: str, node: Node, place: Place, locale: str | None) -> Iterator[tuple[str, str, Node, Place]]:
    """(locale, rule, node, place) of each translated rule; locales are the file's name or the outer names."""
    if locale is not None and name != locale:
        yield locale, name, node, place
    elif isinstance(node, Mapping):
        yield from ((name, rule, child, node.keys[rule]) for rule, child in node.entries.items())


def _add_entry(stack: Stack, section: str, entry: Entry) -> None:
    known = stack.named[section].get(entry.name)
    if known is None:
        stack.named[section][entry.name] = entry
    elif section == "readings" and entry.layer > known.layer and set(entry.node.entries) <= {"chosen", "because"}:
        stack.chosen[entry.name] = entry
        stack.report(
            entry.place, "override", f"chooses the reading `{entry.name}` anew; it was chosen in {known.place}"
        )
    else:
        singular = section.removesuffix("s")
        stack.report(
            entry.place,
            "duplicate-id",
            f"the {singular} `{entry.name}` is here twice; first in {known.place}",
            "keep one, or rename it",
        )


def _add_table(stack: Stack, entry: Entry) -> None:
    stack.tables.setdefault(entry.name, entry.place)
    known = stack.columns.get(entry.name)
    if "columns" in entry.node.entries:
        if known is None:
            stack.columns[entry.name] = entry
        else:
            stack.report(
                entry.place,
                "duplicate-id",
                f"the table `{entry.name}` has columns twice; first in {known.place}",
                "declare the columns once; rows may stand in several files",
            )
    rows = entry.node.entries.get("rows")
    places = stack.rows.setdefault(entry.name, {})
    for key, row in rows.entries.items() if isinstance(rows, Mapping) else ():
        assert isinstance(rows, Mapping)
        places.setdefault(key, rows.keys[key])
        for column, cell in row.entries.items() if isinstance(row, Mapping) else ():
            assert isinstance(row, Mapping)
            _add_cell(stack, (entry.name, key, column), cell, row.keys[column], entry.layer)


def _add_cell(stack: Stack, cell: tuple[str, str, str], node: Node, place: Place, layer: int) -> None:
    name = ".".join(cell)
    if cell in stack.cells:
        _, before, before_layer = stack.cells[cell]
        if layer == before_layer:
            stack.report(place, "duplicate-id", f"the cell `{name}` is here twice; first in {before}", "keep one")
            return
        stack.report(place, "override", f"replaces the cell `{name}` of {before}")
    elif layer:
        stack.report(place, "override", f"fills the cell `{name}`")
    stack.cells[cell] = (node, place, layer)


def _add_rules(stack: Stack, node: Sequence, layer: int, broken: _Broken) -> None:
    for index, child in enumerate(node.items):
        name = child.entries.get("id") if isinstance(child, Mapping) else None
        if not isinstance(child, Mapping) or not isinstance(name, Scalar):
            continue
        rule, place = name.text, name.place
        reason = child.entries.get("disabled")
        if reason is None:
            first = stack.rule_places.setdefault(rule, place)
            if first != place:
                message = f"the rule `{rule}` is here twice; first in {first}"
                stack.report(place, "duplicate-id", message, "give each rule its own id")
        if ("rules", index) in broken:
            stack.broken.add(("rules", rule))
        elif reason is not None:
            _note_disabled(stack, Entry(rule, child, place, layer))
        else:
            stack.rules.setdefault(rule, Entry(rule, child, place, layer))


def _note_disabled(stack: Stack, entry: Entry) -> None:
    if len(entry.node.entries) > 2:
        stack.report(
            entry.place,
            "wrong-shape",
            f"the entry that disables `{entry.name}` says more than that",
            "give `id` and `disabled` only",
        )
    reason = entry.node.entries["disabled"]
    words = reason.text.split() if isinstance(reason, Scalar) else []
    stack.disabled[entry.name] = (" ".join(words).rstrip("."), entry.place)


def _disable(stack: Stack) -> None:
    for rule, (reason, place) in stack.disabled.items():
        if stack.rules.pop(rule, None) is not None:
            stack.report(place, "override", f"disables the rule `{rule}`: {reason}")
            stack.broken.add(("disabled", rule))
        elif ("rules", rule) not in stack.broken:
            stack.report(place, "unknown-rule", f"no rule `{rule}` to disable", "check the id")


def _add_cases(stack: Stack, node: Sequence, layer: int, broken: _Broken) -> None:
    for index, child in enumerate(node.items):
        if isinstance(child, Mapping) and ("cases", index) not in broken:
            name = child.entries["case"]
            assert isinstance(name, Scalar)
            stack.cases.append(Entry(name.text, child, name.place, layer))
