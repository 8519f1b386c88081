"""Where everything is in a book: the files of its pages, and the anchors on them. The same name, the same place."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from engine.book.contents import Contents

_PLAIN = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,79}")
_UNFIT = re.compile(r"[^a-z0-9_]+")
# What would be taken for something else: the list of a folder, or a name that some systems keep for devices.
_TAKEN = re.compile(r"index|con|prn|aux|nul|(com|lpt)\d")


def slug(name: str) -> str:
    """The name as part of a file's name: itself where that is safe on every system, else with a hash of it."""
    if _PLAIN.fullmatch(name) and not _TAKEN.fullmatch(name.partition(".")[0]):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_UNFIT.sub('-', name.lower()).strip('-')[:60]}-{digest}".lstrip("-")


def case_pages(contents: Contents) -> dict[str, list[int]]:
    """The numbers of the cases on each page of cases, by the name of their file without its suffix."""
    pages: dict[str, list[int]] = {}
    for number, case in enumerate(contents.pack.cases):
        file = contents.file(case.place)
        stem = file.removeprefix("cases/").rpartition(".")[0] or file
        pages.setdefault(stem, []).append(number)
    return pages


def case_anchors(names: Iterable[str]) -> list[str]:
    """An anchor for each case, in their order; of cases with one name the later ones have a number."""
    seen: Counter[str] = Counter()
    anchors = []
    for name in names:
        seen[name] += 1
        anchors.append(f"case-{slug(name)}" + (f"-{seen[name]}" if seen[name] > 1 else ""))
    return anchors


class Places:
    """Where the cases are, which is worked out once for all languages."""

    def __init__(self, contents: Contents) -> None:
        self.pages = case_pages(contents)
        self.anchors = case_anchors(case.name for case in contents.pack.cases)
        found: dict[str, tuple[str, str]] = {}
        for page, numbers in self.pages.items():
            for number in numbers:
                found.setdefault(contents.pack.cases[number].name, (page, self.anchors[number]))
        self.of_case: Mapping[str, tuple[str, str]] = found


class Links:
    """Links from one page: `root` leads from it to the folder of its language.

    On the page that holds the whole book everything is on the page itself.
    """

    def __init__(self, places: Places, root: str = "", *, whole: bool = False) -> None:
        self._places = places
        self.root = root
        self._whole = whole

    def href(self, kind: str, name: str) -> str:
        """Where something is told: a rule, action, statement, reading, fact, table, row (`table.key`), case or page."""
        page, anchor = self._place(kind, name)
        if self._whole and kind != "page":
            return f"#{quote(self.anchor(kind, name))}"
        return f"{self.root}{page}" + (f"#{quote(anchor)}" if anchor else "")

    def anchor(self, kind: str, name: str) -> str:
        """The id of the element that tells it."""
        _, anchor = self._place(kind, name)
        return f"{kind}-{anchor or slug(name)}" if self._whole else anchor or f"{kind}-{slug(name)}"

    def _place(self, kind: str, name: str) -> tuple[str, str]:
        match kind:
            case "rule" | "action" | "table":
                return f"{kind}s/{slug(name)}.html", ""
            case "statement":
                return "statements.html", slug_anchor(name)
            case "reading" | "fact":
                return f"{kind}s.html", slug_anchor(name)
            case "row":
                table, _, key = name.partition(".")
                return f"tables/{slug(table)}.html", slug_anchor(key)
            case "case":
                page, anchor = self._places.of_case.get(name, ("", ""))
                return f"cases/{slug(page)}.html", anchor
            case "cases":
                return f"cases/{slug(name)}.html", ""
            case _:
                return name, ""


_ANCHOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def slug_anchor(name: str) -> str:
    """The name as an anchor: itself where it is one word of plain letters, else with a hash of it."""
    return name if _ANCHOR.fullmatch(name) else slug(name)
