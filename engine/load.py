"""Reading YAML so that nothing is lost: the one door of PyYAML.

A file becomes a tree of nodes that keep their positions. Scalars follow the YAML 1.2 core schema with
one difference, for the author's sake: an unquoted scalar that is no canonical number, boolean or null
(`NO`, `12:30`, `0123`, `1e3`, a date) stays text, marked Plain, until a declared type says otherwise.
Whatever cannot be read is a finding with its place; nothing raises.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from engine.finding import Finding, Place
from engine.nodes import Document, Mapping, Node, Scalar, ScalarValue, Sequence
from engine.values import Plain

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 1_000_000
YAML_SUFFIXES = (".yaml", ".yml")
IGNORED_SUFFIXES = (".md",)

_CANONICAL_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,40})")
_CANONICAL_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,40})\.[0-9]{1,40}")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
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


class NotYaml(Exception):
    """The text cannot be read; holds the finding that says why and where."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def load_pack(folder: str | Path) -> Loaded:
    """Every YAML file below the folder (or the one file named), in path order, with all findings."""
    loaded = Loaded()
    before = len(loaded.findings)
    for path in _files(Path(folder), loaded.findings):
        _load_file(path, loaded)
    loaded.partial |= any(finding.code == "unreadable" for finding in loaded.findings)
    if not loaded.documents and len(loaded.findings) == before:
        place = Place(str(folder))
        loaded.findings.append(Finding(place, "empty-pack", "no `.yaml` file here", "a pack is a folder of YAML files"))
    return loaded


def read_yaml(text: str, file: str) -> Node:
    """The tree of the one YAML document in the text; raises NotYaml."""
    try:
        return _Composer(file).compose(text)
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise NotYaml(_syntax_finding(error, text, file)) from None


def decode(data: bytes, file: str) -> str:
    """The text of UTF-8 bytes, without a byte order mark; raises NotYaml with the place of the first bad byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        help_ = "save the file as UTF-8"
        raise NotYaml(Finding(place, "not-utf8", f"byte 0x{data[error.start]:02x} is not UTF-8", help_)) from None


def _files(folder: Path, findings: list[Finding]) -> Iterator[Path]:
    if folder.is_file():
        yield from _accept(folder, findings)
        return
    if not folder.is_dir():
        findings.append(Finding(Place(str(folder)), "unreadable", "no such folder", "name the folder of a pack"))
        return

    def complain(error: OSError) -> None:
        findings.append(_unreadable(error.filename or str(folder), error))

    for parent, folders, names in os.walk(folder, onerror=complain):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for link in (Path(parent) / name for name in folders if (Path(parent) / name).is_symlink()):
            help_ = "move the folder here, or give it as a pack of its own"
            findings.append(Finding(Place(str(link)), "unreadable", "a link to a folder is not followed", help_))
        for name in sorted(names):
            if not name.startswith("."):
                yield from _accept(Path(parent) / name, findings)


def _accept(path: Path, findings: list[Finding]) -> Iterator[Path]:
    suffix = path.suffix.lower()
    if suffix in YAML_SUFFIXES:
        if suffix == ".yml":
            findings.append(
                Finding(Place(str(path)), "yml-extension", "the extension is `.yml`", "rename it to `.yaml`")
            )
        yield path
    elif suffix not in IGNORED_SUFFIXES:
        message = (
            f"a file that is not read: its extension is `{path.suffix}`" if path.suffix else "a file without extension"
        )
        help_ = "rules are `.yaml` files; rename it or move it out of the pack"
        findings.append(Finding(Place(str(path)), "wrong-extension", message, help_))


def _load_file(path: Path, loaded: Loaded) -> None:
    file = str(path)
    try:
        text = _read_text(path)
        loaded.texts[file] = text
        root = read_yaml(text, file)
    except NotYaml as error:
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


def _read_text(path: Path) -> str:
    file = str(path)
    try:
        if not path.is_file():
            raise NotYaml(Finding(Place(file), "unreadable", "not a regular file", "remove it from the pack"))
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotYaml(_unreadable(file, error)) from None
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB"
        raise NotYaml(Finding(Place(file), "too-large", message, "split it into several files"))
    return decode(data, file)


def _unreadable(file: str, error: OSError) -> Finding:
    return Finding(
        Place(file),
        "unreadable",
        f"cannot be read: {(error.strerror or 'error').lower()}",
        "check the path and its permissions",
    )


class _Composer:
    """Builds nodes from YAML events, bounded in depth and in size with aliases expanded."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.open_anchors: set[str] = set()
        self.size = 0

    def compose(self, text: str) -> Node:
        self.loader = _Parser(text)
        try:
            self._next()  # stream start
            if isinstance(self._peek(), yaml.StreamEndEvent):
                return Scalar(None, Place(self.file))
            self._next()  # document start
            root = self._node(0)
            self._next()  # document end
            after = self._peek()
            if not isinstance(after, yaml.StreamEndEvent):
                self._fail(
                    "several-documents", "a second YAML document begins here", after, "keep one document in a file"
                )
            return root
        finally:
            self.loader.dispose()

    def _peek(self) -> Any:
        return self.loader.peek_event()

    def _next(self) -> Any:
        return self.loader.get_event()

    def _place(self, event: Any) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _fail(self, code: str, message: str, event: Any, help_: str = "") -> None:
        raise NotYaml(Finding(self._place(event), code, message, help_))

    def _grow(self, count: int, event: Any) -> None:
        self.size += count
        if self.size > MAX_NODES and isinstance(event, yaml.AliasEvent):
            self._fail("alias-bomb", f"the file expands to more than {MAX_NODES:,} values", event, "use fewer aliases")
        elif self.size > MAX_NODES:
            self._fail("too-large", f"more than {MAX_NODES:,} values in one file", event, "split it into several files")

    def _node(self, depth: int) -> Node:
        event = self._next()
        if depth > MAX_DEPTH:
            self._fail(
                "too-deep",
                f"nested more than {MAX_DEPTH} deep",
                event,
                "flatten it; conditions may be named as derived facts",
            )
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._fail(
                "yaml-tag",
                f"the tag `{_tag(event.tag)}` is not read",
                event,
                "remove it; types are declared under `facts`",
            )
        before = self.size
        self._grow(1, event)
        if event.anchor is not None:
            self.open_anchors.add(event.anchor)
        node = self._build(event, depth)
        if event.anchor is not None:
            self.open_anchors.discard(event.anchor)
            self.anchors[event.anchor] = (node, self.size - before)
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor in self.open_anchors:
            self._fail("alias-bomb", f"`*{event.anchor}` contains itself", event, "write the value out")
        if event.anchor not in self.anchors:
            self._fail("not-yaml", f"`*{event.anchor}` names no anchor above it", event, "write the value out")
        node, size = self.anchors[event.anchor]
        self._grow(size, event)
        return node

    def _build(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            untagged = not event.style and event.tag is None
            return Scalar(_core(event.value) if untagged else event.value, self._place(event), event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(self._peek(), yaml.SequenceEndEvent):
                items.append(self._node(depth + 1))
            self._next()
            return Sequence(tuple(items), self._place(event))
        return self._mapping(event, depth)

    def _mapping(self, event: Any, depth: int) -> Mapping:
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        while not isinstance(self._peek(), yaml.MappingEndEvent):
            key_event = self._peek()
            key = self._node(depth + 1)
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
                entries[key.text] = self._node(depth + 1)
        self._next()
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
