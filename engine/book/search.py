"""The search of a book: what can be found, and where. The page looks through it by itself, without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator

from engine.book.links import Links
from engine.book.shown import Shown
from engine.prose import plain

# How the page finds the entries; what a script may hold, and JSON may, is escaped.
_HEAD = "globalThis.changegateEntries = "
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def search_script(shown: Shown, links: Links) -> str:
    """The script that holds everything that can be found: `[kind, title, text, link]`."""
    entries = [list(entry) for entry in _entries(shown, links)]
    return f"{_HEAD}{json.dumps(entries, ensure_ascii=False).translate(_ESCAPES)};\n"


def _entries(shown: Shown, links: Links) -> Iterator[tuple[str, str, str, str]]:
    pack, t = shown.pack, shown.t
    for name, action in pack.actions.items():
        yield t("case.action"), action.title or name, name, links.href("action", name)
    for name, rule in sorted(pack.rules.items()):
        texts, _ = shown.told(rule)
        parts = (name, texts.text, texts.remedy, *(texts.steps or ()), plain(shown.say(rule.condition)), *rule.cites)
        yield t("rule"), shown.title(rule) or name, _text(parts), links.href("rule", name)
    for name, statement in pack.statements.items():
        yield t("statement"), name, _text((statement.says, statement.not_encoded)), links.href("statement", name)
    for name, reading in sorted(pack.readings.items()):
        parts = (name, reading.ambiguity, *reading.options.values(), reading.because)
        yield t("reading.word"), reading.asks, _text(parts), links.href("reading", name)
    for path, fact in sorted(pack.facts.items()):
        yield t("fact"), shown.fact(path), _text((path, fact.description)), links.href("fact", path)
    for name, table in sorted(pack.tables.items()):
        for key, row in sorted(table.rows.items()):
            values = (shown.cell(span.value) for spans in row.values() for span in spans)
            yield name.replace("_", " "), key, _text(values), links.href("row", f"{name}.{key}")
    for name in dict.fromkeys(case.name for case in pack.cases):
        yield t("case"), name, "", links.href("case", name)


def _text(parts: object) -> str:
    return " · ".join(" ".join(part.split()) for part in parts if part)  # type: ignore[attr-defined]
