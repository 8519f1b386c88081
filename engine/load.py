"""Reading YAML so that nothing is lost: the one door of PyYAML.

A file becomes a tree of nodes that keep their positions. Scalars follow the YAML 1.2 core schema with
one difference, for the author's sake: an unquoted scalar that is no canonical number, boolean or null
(`NO`, `12:30`, `0123`, `1e3`, a date) stays text, marked Plain, until a declared type says otherwise.
Whatever cannot be read is a finding with its place; nothing raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from engine.files import NotRead, PackFile, PackFiles, decode, read_files
from engine.finding import Finding, Place
from engine.nodes import Document, Mapping, Node, Scalar, ScalarValue, Sequence
from engine.values import Plain

MAX_DEPTH = 64
MAX_NODES = 1_000_000

_CANONICAL_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,40})")
_CANONICAL_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,40})\.[0-9]{1,40}")
_BEGINS_NUMBER = frozenset("-0123456789")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")
_Parser: Any = getattr(yaml, "CLoader", yaml.Loader)


@dataclass
class Loaded:
    """What a folder held: its documents, the texts for snippets, and what went wrong.

    `partial` says that something in it could not be read.
    """

    documents: list[Document] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    partial: bool = False


class NotYaml(NotRead):
    """The text is no YAML."""


def load_pack(folder: str | Path) -> Loaded:
    """Every YAML file below the folder (or the one file named), in path order, with all findings."""
    return load_files(read_files(folder))


def load_files(pack: PackFiles) -> Loaded:
    """The documents in the files of a pack, with all findings."""
    loaded = Loaded(findings=list(pack.findings))
    for file in pack.files:
        _load_file(file, loaded)
    loaded.partial |= any(finding.code == "unreadable" for finding in loaded.findings)
    if not loaded.documents and not loaded.findings:
        place = Place(pack.folder)
        loaded.findings.append(Finding(place, "empty-pack", "no `.yaml` file here", "a pack is a folder of YAML files"))
    return loaded


def read_yaml(text: str, file: str) -> Node:
    """The tree of the one YAML document in the text; raises NotYaml."""
    try:
        return _Composer(file).compose(text)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise NotYaml(_syntax_finding(error, text, file)) from None


def _load_file(read: PackFile, loaded: Loaded) -> None:
    file = read.name
    try:
        text = _text(read)
        loaded.texts[file] = text
        root = read_yaml(text, file)
    except NotRead as error:
        loaded.findings.append(error.finding)
        loaded.partial = True
        return
    if isinstance(root, Mapping):
        loaded.documents.append(Document(file, text, root))
    elif isinstance(root, Scalar) and root.value is None:
        loaded.findings.append(
            Finding(Place(file), "empty-file", "the file is empty", "write a section, or remove the file")
        )
    else:
        message = "a file of rules is a mapping of sections"
        loaded.findings.append(Finding(root.place, "wrong-shape", message, "start with a section, such as `rules:`"))
        loaded.partial = True


def _text(file: PackFile) -> str:
    if isinstance(file.data, Finding):
        raise NotRead(file.data)
    return decode(file.data, file.name)


class _Composer:
    """Builds nodes from YAML events, bounded in depth and in size with aliases expanded."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.open_anchors: set[str] = set()
        self.size = 0

    def compose(self, text: str) -> Node:
        loader = _Parser(text)
        self._next = loader.get_event
        try:
            self._next()  # stream start
            event = self._next()
            if isinstance(event, yaml.StreamEndEvent):
                return Scalar(None, Place(self.file))
            root = self._node(self._next(), 0)
            self._next()  # document end
            after = self._next()
            if not isinstance(after, yaml.StreamEndEvent):
                self._fail(
                    "several-documents", "a second YAML document begins here", after, "keep one document in a file"
                )
            return root
        finally:
            loader.dispose()

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _fail(self, code: str, message: str, event: Any, help_: str = "") -> None:
        raise NotYaml(Finding(self._place(event), code, message, help_))

    def _grow(self, count: int, event: Any) -> None:
        self.size += count
        if self.size > MAX_NODES and isinstance(event, yaml.AliasEvent):
            self._fail("alias-bomb", f"the file expands to more than {MAX_NODES:,} values", event, "use fewer aliases")
        elif self.size > MAX_NODES:
            self._fail("too-large", f"more than {MAX_NODES:,} values in one file", event, "split it into several files")

    def _node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self._fail(
                "too-deep",
                f"nested more than {MAX_DEPTH} deep",
                event,
                "flatten it; conditions may be named as derived facts",
            )
        if event.anchor is None:
            return self._build(event, depth)
        return self._alias(event) if isinstance(event, yaml.AliasEvent) else self._anchored(event, depth)

    def _alias(self, event: Any) -> Node:
        if event.anchor in self.open_anchors:
            self._fail("alias-bomb", f"`*{event.anchor}` contains itself", event, "write the value out")
        if event.anchor not in self.anchors:
            self._fail("not-yaml", f"`*{event.anchor}` names no anchor above it", event, "write the value out")
        node, size = self.anchors[event.anchor]
        self._grow(size, event)
        return node

    def _anchored(self, event: Any, depth: int) -> Node:
        before = self.size
        self.open_anchors.add(event.anchor)
        node = self._build(event, depth)
        self.open_anchors.discard(event.anchor)
        self.anchors[event.anchor] = (node, self.size - before)
        return node

    def _build(self, event: Any, depth: int) -> Node:
        if event.tag not in _TEXT_TAGS:
            self._fail(
                "yaml-tag",
                f"the tag `{_tag(event.tag)}` is not read",
                event,
                "remove it; types are declared under `facts`",
            )
        self._grow(1, event)
        if isinstance(event, yaml.ScalarEvent):
            untagged = not event.style and event.tag is None
            return Scalar(_core(event.value) if untagged else event.value, self._place(event), event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(item := self._next(), yaml.SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            return Sequence(tuple(items), self._place(event))
        return self._mapping(event, depth)

    def _mapping(self, event: Any, depth: int) -> Mapping:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(key_event := self._next(), yaml.MappingEndEvent):
            key = self._node(key_event, depth + 1)
            if not isinstance(key, Scalar):
                self._fail(
                    "not-a-name",
                    "a name must be text, not a list or a mapping",
                    key_event,
                    'put quotes around text that begins with a brace: `text: "{a.b}"`',
                )
            elif key.text == "<<" and isinstance(key.value, Plain):
                self._fail("not-a-name", "`<<` is no name; mappings are not merged", key_event, "write the entries out")
            elif key.text in entries:
                self._fail(
                    "duplicate-key",
                    f"`{key.text}` is here twice; first in line {keys[key.text].line}",
                    key_event,
                    "keep one of the two",
                )
            else:
                keys[key.text] = key.place
                entries[key.text] = self._node(self._next(), depth + 1)
        return Mapping(entries, keys, self._place(event))


def _tag(tag: str) -> str:
    """The tag as authors write it."""
    standard = "tag:yaml.org,2002:"
    return tag.replace(standard, "!!", 1) if tag.startswith(standard) else tag


def _core(text: str) -> ScalarValue:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in _BEGINS_NUMBER:
        return Plain(text)
    if _CANONICAL_INTEGER.fullmatch(text):
        return int(text)
    if _CANONICAL_DECIMAL.fullmatch(text):
        return Decimal(text)
    return Plain(text)


_NO_YAML_CHARACTER = re.compile("[^\\t\\n\\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _syntax_finding(error: Exception, text: str, file: str) -> Finding:
    strange = _NO_YAML_CHARACTER.search(text)
    if isinstance(error, yaml.reader.ReaderError | UnicodeEncodeError) and strange:
        before = text[: strange.start()]
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        return Finding(place, "not-yaml", f"the character U+{ord(strange[0]):04X} cannot stand in YAML", "remove it")
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    line = text.splitlines()[place.line - 1] if place.line <= len(text.splitlines()) else ""
    return Finding(place, "not-yaml", f"not YAML: {problem}".replace("\n", " "), _syntax_help(line, place.column))


def _syntax_help(line: str, column: int) -> str:
    if line[column - 1 : column] == "\t" or line[: len(line) - len(line.lstrip())].count("\t"):
        return "indent with spaces, not with tabs"
    if "{" in line:
        return 'put quotes around text with braces: `"Costs {a.b}."`'
    return "check indentation and quotes; text with braces, `: ` or ` #` needs quotes or a block (`>-`)"
