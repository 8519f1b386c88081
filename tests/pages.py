"""Reads pages of a book as a browser would: their text, anchors and links."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from engine.book.pages import Book

_VOID = {"meta", "link", "input", "br", "hr", "img", "path"}


@dataclass
class Page(HTMLParser):
    """A page that was read: ids, links, headings, and its text without white space at the ends."""

    path: str
    source: str
    ids: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    scripts: list[str] = field(default_factory=list)
    language: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self._open, f"{self.path} leaves {self._open} open"

    @cached_property
    def text(self) -> str:
        """What can be read on the page, with single spaces."""
        return " ".join("".join(self._parts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes.update(given)
        if "id" in given:
            self.ids[given["id"]] += 1
        if tag == "html":
            self.language = given["lang"]
        self.links += [given[name] for name in ("href", "src") if name in given]
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append(int(tag[1]))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self._open.pop() == tag, f"{self.path} closes {tag} out of turn"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        else:
            self._parts.append(data)


def read(book: Book, path: str) -> Page:
    """A page of a book."""
    data = book.page(path)
    assert data is not None, path
    return Page(path, data.decode())


def targets(page: Page) -> Iterator[tuple[str, str]]:
    """Where the links of a page lead: a path of the book and an anchor, which may be empty."""
    for link in page.links:
        parts = urlsplit(link)
        assert not parts.scheme, link
        assert not parts.netloc, link
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.path), parts.path)) if parts.path else page.path
        yield path, unquote(parts.fragment)
