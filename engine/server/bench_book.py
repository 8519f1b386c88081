"""The book of a live policy, with the page of the workbench in it."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from engine.book.contents import Contents, dated
from engine.book.links import slug, slug_anchor
from engine.book.pages import Bench, Book
from engine.book.words import words
from engine.gate import Gate
from engine.model import Pack
from engine.phrases import phrases
from engine.server.bench_copies import Copies
from engine.server.bench_data import bench_data
from engine.server.live import Live


def open_book(live: Live) -> Book:
    """The book of the rules as they are written (not of entities), as of the service's day, or the book's own."""
    copy = Copies().open(live.files, live.gate(None).as_of)
    gates = dated(copy.gates)
    return Book(Contents(gates, [pack.folder for pack in live.files]), Bench(partial(_data, gates[-1])))


def _data(gate: Gate, language: str) -> dict[str, object]:
    data = bench_data(gate.pack, gate.pack.cases, language, {**phrases(language), **words(language)})
    return {**data, "links": _links(gate.pack)}


def _links(pack: Pack) -> dict[str, dict[str, str]]:
    """Where the book tells what has a name that is no address; everything else is where its name says."""
    return {
        "rule": {name: f"rules/{slug(name)}.html" for name in pack.rules if slug(name) != name},
        "statement": {
            name: f"statements.html#{quote(slug_anchor(name))}" for name in pack.statements if slug_anchor(name) != name
        },
        "reading": {
            name: f"readings.html#{quote(slug_anchor(name))}" for name in pack.readings if slug_anchor(name) != name
        },
    }
