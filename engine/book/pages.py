"""The pages of a book: what is at each path. Each is made when it is asked for, from contents worked out once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from engine.book.changes import Change
from engine.book.contents import Contents
from engine.book.diagram import action_diagram, rule_diagram
from engine.book.links import Links, Places, slug
from engine.book.render import language_attribute, lines, render
from engine.book.search import search_script
from engine.book.shown import Shown
from engine.book.words import has_words
from engine.condition import All, Compare, Not, Presence
from engine.condition import Any as AnyOf
from engine.phrases import BASE
from engine.texts import base_language, language_name
from engine.values import Money

ASSETS = Path(__file__).with_name("assets")
# What a page of a book may load: what is in the book, and nothing else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Bench:
    """What makes a book a workbench: the data of its page for each language."""

    data: Callable[[str], Mapping[str, Any]]


@dataclass
class Book:
    """The pages of a book by path, in order; `bench` adds the page of the workbench."""

    contents: Contents
    bench: Bench | None = None
    _makers: dict[str, Callable[[], bytes]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._places = Places(self.contents)
        self._add("index.html", self._front_page)
        for file in sorted(ASSETS.iterdir()):
            if self.bench or not file.name.startswith("bench"):
                self._add(f"assets/{file.name}", file.read_bytes)
        for language in self.languages:
            for path, make in _Volume(self, language, self._places).pages():
                self._add(f"{language}/{path}", make)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages of the book: those of the pack for which there are words; English where there are none."""
        return tuple(filter(has_words, self.contents.pack.languages)) or (BASE,)

    @property
    def first(self) -> str:
        """The language in which the book opens."""
        own = base_language(self.contents.pack)
        return own if own in self.languages else self.languages[0]

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all pages and assets."""
        return tuple(self._makers)

    def page(self, path: str) -> bytes | None:
        """What is at a path; None where nothing is."""
        make = self._makers.get(path)
        return None if make is None else make()

    def _add(self, path: str, make: Callable[[], bytes]) -> None:
        self._makers[path] = make

    def _front_page(self) -> bytes:
        languages = [(code, language_name(code)) for code in self.languages]
        return render(
            "front.html",
            csp=POLICY,
            pack=self.contents.pack,
            languages=languages,
            first=self.first,
            lang=language_attribute,
        ).encode()


class _Volume:
    """The pages of a book in one language."""

    def __init__(self, book: Book, language: str, places: Places) -> None:
        self._book = book
        self._contents = book.contents
        self._pack = book.contents.pack
        self._places = places
        self._language = language

    @cached_property
    def shown(self) -> Shown:
        """How things are shown in the language."""
        return Shown(self._contents, self._language)

    def pages(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """The path of each page, and what makes it."""
        yield "index.html", self._page("index.html", "index.html", figures=self._figures())
        for name, action in self._pack.actions.items():
            path = f"actions/{slug(name)}.html"
            yield path, self._page("action.html", path, action=action)
        yield "rules/index.html", self._page("rules_index.html", "rules/index.html")
        for name, rule in sorted(self._pack.rules.items()):
            path = f"rules/{slug(name)}.html"
            yield path, self._page("rule.html", path, rule=rule)
        for name in ("statements", "readings", "facts"):
            yield f"{name}.html", self._page(f"{name}.html", f"{name}.html")
        for name, table in sorted(self._pack.tables.items()):
            path = f"tables/{slug(name)}.html"
            yield path, self._page("table.html", path, table=table)
        yield from self._case_pages()
        if self._contents.older is not None:
            yield "changes.html", self._page("changes.html", "changes.html")
        yield "search.html", self._page("search.html", "search.html")
        yield "search.js", lambda: search_script(self.shown, Links(self._places)).encode()
        yield "book.html", self._page("book.html", "book.html", whole=True)
        if self._book.bench is not None:
            yield "bench.html", self._bench_page

    def _case_pages(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        yield "cases/index.html", self._page("cases_index.html", "cases/index.html")
        for page in self._places.pages:
            path = f"cases/{slug(page)}.html"
            yield path, self._page("cases.html", path, page=page)

    def _page(self, template: str, path: str, *, whole: bool = False, **more: Any) -> Callable[[], bytes]:
        return partial(self._render, template, path, whole, more)

    def _bench_page(self) -> bytes:
        assert self._book.bench is not None
        return self._render("bench.html", "bench.html", False, {"bench_data": self._book.bench.data(self._language)})

    def _render(self, template: str, path: str, whole: bool, more: Mapping[str, Any]) -> bytes:
        root = "../" * path.count("/")
        links = Links(self._places, root, whole=whole)
        csp = POLICY if template != "bench.html" else f"{POLICY}; connect-src 'self'"
        return render(
            template, **self._common, path=path, root=root, here=path, whole=whole, csp=csp,
            href=links.href, anchor=links.anchor, **more,
        ).encode("utf-8", "backslashreplace")  # fmt: skip

    @cached_property
    def _common(self) -> dict[str, Any]:
        shown, contents = self.shown, self._contents
        return {
            "contents": contents,
            "pack": self._pack,
            "shown": shown,
            "t": shown.t,
            "places": self._places,
            "menu": self._menu(),
            "languages": [(code, language_name(code)) for code in self._book.languages],
            "language_name": language_name,
            "lang": language_attribute,
            "dict_of": lambda effects: {each.option: each for each in effects},
            "sort_key": _sort_key,
            "fact_groups": self._fact_groups(),
            "asked_of": lambda number: shown.asked(contents.pack.cases[number]),
            "failed_of": lambda numbers: sum(not contents.results[number].passed for number in numbers),
            "is_condition": lambda value: isinstance(value, Compare | Presence | All | AnyOf | Not),
            "plain_part": lambda value: lines(shown.part(value)),
            "change_groups": self._change_groups,
            "names": self._names,
            "diagram_of": self._diagram,
        }

    def _menu(self) -> list[tuple[str, str]]:
        tables = sorted(self._pack.tables)
        found = [("contents", "index.html"), ("rules", "rules/index.html"), ("statements", "statements.html")]
        found += [("readings", "readings.html")] if self._pack.readings else []
        found += [("tables", f"tables/{slug(tables[0])}.html")] if tables else []
        found += [("facts", "facts.html"), ("cases", "cases/index.html")]
        found += [("changes", "changes.html")] if self._contents.older is not None else []
        found += [("book", "book.html"), ("search", "search.html")]
        return found + ([("bench", "bench.html")] if self._book.bench is not None else [])

    def _figures(self) -> list[tuple[str, int, str]]:
        pack = self._pack
        found = [
            ("rules", len(pack.rules), "rules/index.html"),
            ("statements", len(pack.statements), "statements.html"),
            ("readings", len(pack.readings), "readings.html"),
            ("facts", len(pack.facts), "facts.html"),
            ("cases", len(self._pack.cases), "cases/index.html"),
        ]
        return [each for each in found if each[1]]

    def _fact_groups(self) -> list[tuple[str, list[Any]]]:
        facts = sorted(self._pack.facts.values(), key=lambda fact: (not _namespace(fact.path), fact.path))
        return [(name, list(group)) for name, group in groupby(facts, key=lambda fact: _namespace(fact.path))]

    def _change_groups(self) -> list[tuple[str, list[Change]]]:
        found = self._contents.changes
        return [
            (kind, list(group)) for kind, group in groupby(found.entries if found else (), key=lambda each: each.kind)
        ]

    def _names(self, kind: str, ref: str) -> str:
        """The words for something in a diagram."""
        match kind:
            case "fact":
                return self.shown.fact(ref)
            case "rule":
                return self.shown.title(self._pack.rules[ref]) or ref
            case "reading":
                return ref
            case "effect":
                return self.shown.t(f"effect.{ref}")
            case "count":
                return self.shown.t("diagram.count", count=self.shown.number(int(ref)))
            case "namespace":
                return self.shown.t("diagram.namespace.action") if ref == "action" else ref.replace("_", " ")
            case _:
                return self.shown.t(f"diagram.{kind}.{ref}")

    def _diagram(self, rules: Any, rule: Any) -> Any:
        if rule is None:
            return action_diagram(rules, self._pack, self._names)
        return rule_diagram(rule, self._pack, self._names)


def _namespace(path: str) -> str:
    return path.rpartition(".")[0]


def _sort_key(value: object) -> str:
    """What a cell of a table is sorted by."""
    if isinstance(value, Money):
        return f"{value.currency} {value.amount:020.4f}"
    return ", ".join(sorted(map(str, value))) if isinstance(value, frozenset) else str(value)
