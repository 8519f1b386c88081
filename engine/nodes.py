"""Nodes: what YAML text is once it is read, with the position of everything.

A node is a scalar, a sequence or a mapping. The functions below get at the parts of a node that should
be there; where they are not, they give nothing, since the schema has already told the author.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from engine.finding import Place

ScalarValue: TypeAlias = str | int | Decimal | bool | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `text` is what the author typed."""

    value: ScalarValue
    place: Place
    text: str = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping from names to nodes; `keys` holds the place of each name."""

    entries: dict[str, Node]
    keys: dict[str, Place]
    place: Place


Node: TypeAlias = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a pack: its shown name, its text, and its root (a mapping)."""

    file: str
    text: str
    root: Mapping


def plain(node: Node) -> Any:
    """The node as plain data: dicts, lists, text (Plain where unquoted), numbers, booleans, None."""
    match node:
        case Scalar(value):
            return value
        case Sequence(items):
            return [plain(item) for item in items]
        case Mapping(entries):
            return {name: plain(child) for name, child in entries.items()}


def words(node: Node | None) -> tuple[str, ...]:
    """The texts of a list of texts (nothing for no list)."""
    return tuple(item.text for item in node.items if isinstance(item, Scalar)) if isinstance(node, Sequence) else ()


def word(entry: Mapping, name: str, otherwise: str = "") -> str:
    """The text under a name, or `otherwise`."""
    node = entry.entries.get(name)
    return node.text if isinstance(node, Scalar) and node.value is not None else otherwise


def flag(entry: Mapping, name: str) -> bool:
    """Whether a name is there and true."""
    node = entry.entries.get(name)
    return isinstance(node, Scalar) and node.value is True


def mappings(node: Node | None) -> Iterator[tuple[str, Mapping, Place]]:
    """The named mappings in a mapping, with the places of their names (nothing for no mapping)."""
    for name, child in node.entries.items() if isinstance(node, Mapping) else ():
        if isinstance(node, Mapping) and isinstance(child, Mapping):
            yield name, child, node.keys[name]
