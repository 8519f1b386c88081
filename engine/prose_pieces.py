"""What prose consists of: sentences and blocks of pieces, which a page can link and color, and their plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from engine.prose_words import Template


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence. `ref` is the path of a fact (of a value, its fact's), or the id of a reading."""

    kind: Literal["text", "fact", "reading", "value"]
    text: str
    ref: str = ""


Pieces: TypeAlias = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said in one line."""

    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Block:
    """A head, and what is listed below it."""

    head: Pieces
    items: tuple[Said, ...]


Said: TypeAlias = Sentence | Block


def plain(said: Said) -> str:
    """What is said as text; what is listed stands in indented lines that begin with a dash."""
    return "\n".join(_lines(said))


def _lines(said: Said) -> Iterator[str]:
    yield text_of(said.pieces if isinstance(said, Sentence) else said.head)
    for item in () if isinstance(said, Sentence) else said.items:
        first, *rest = _lines(item)
        yield f"- {first}"
        yield from (f"  {line}" for line in rest)


def text_of(pieces: Pieces) -> str:
    """The pieces as one text."""
    return "".join(piece.text for piece in pieces)


def word(text: str) -> Pieces:
    """Words of a language, as pieces."""
    return (Piece("text", text),) if text else ()


def fill(template: Template, slots: Mapping[str, Pieces]) -> Pieces:
    """A template with its slots filled."""
    return tuple(piece for literal, slot in template for piece in (*word(literal), *(slots[slot] if slot else ())))


def put(template: Template, slot: str, said: Said, slots: Mapping[str, Pieces] | None = None) -> Said:
    """A template around something said: around the sentence, or around the head of the block."""
    inner = said.pieces if isinstance(said, Sentence) else said.head
    pieces = fill(template, {**(slots or {}), slot: inner})
    return Sentence(pieces) if isinstance(said, Sentence) else Block(pieces, said.items)


def joined(parts: Sequence[Pieces], between: str) -> Pieces:
    """The parts in order, with words between them."""
    return tuple(piece for place, part in enumerate(parts) for piece in (*(word(between) if place else ()), *part))
