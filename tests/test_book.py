"""The rule book: complete, self-contained, the same bytes each time, and safe whatever a pack says."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from pages import Page, read, targets
from strategies import ROOT, STACKS

from cli import main
from engine.book.contents import Contents, book_day
from engine.book.links import Links, Places, slug
from engine.book.pages import POLICY, Book
from engine.book.words import catalog
from engine.gate import Gate, open_policy
from engine.prose import Prose, plain
from engine.texts import PLACEHOLDER

STACK_NAMES = sorted(STACKS)


def contents_of(folders: list[str], older: list[str] | None = None) -> Contents:
    """The contents of the book of a stack, on its own day."""
    day = book_day(open_policy(folders).pack)
    gates = [open_policy(folders[: layer + 1], day) for layer in range(len(folders))]
    return Contents(gates, folders, open_policy(older, day) if older else None)


@cache
def book(name: str) -> Book:
    """The book of a shipped stack."""
    return Book(contents_of([str(folder) for folder in STACKS[name]]))


@cache
def pages(name: str) -> Mapping[str, Page]:
    """All pages of a shipped stack, in its first language."""
    made = book(name)
    return {
        path.removeprefix(f"{made.first}/"): read(made, path)
        for path in made.paths
        if path.startswith(f"{made.first}/") and path.endswith(".html")
    }


def bare(text: str) -> str:
    """A text without white space and placeholders, which pages show as names of facts."""
    return "".join(PLACEHOLDER.sub("", text).split())


@pytest.mark.parametrize("name", STACK_NAMES)
def test_the_book_is_complete(name: str) -> None:
    """Each rule, statement, reading, fact, region and case has its place, and the whole book has all of them again."""
    pack, found = book(name).contents.pack, pages(name)
    whole, places = found["book.html"].ids, Links(Places(book(name).contents), whole=True)
    cases = sum(count for path, page in found.items() if path.startswith("cases/") for anchor, count in page.ids.items()
                if anchor.startswith("case-"))  # fmt: skip

    assert {f"rules/{slug(rule)}.html" for rule in pack.rules} <= set(found)
    assert {f"actions/{slug(action)}.html" for action in pack.actions} <= set(found)
    assert set(pack.statements) <= set(found["statements.html"].ids)
    assert set(pack.readings) <= set(found["readings.html"].ids)
    assert set(pack.facts) <= set(found["facts.html"].ids)
    for table in pack.tables.values():
        assert set(table.rows) <= set(found[f"tables/{slug(table.name)}.html"].ids)
    assert len(pack.cases) == cases
    for kind, names in (("rule", pack.rules), ("statement", pack.statements), ("reading", pack.readings),
                        ("fact", pack.facts), ("action", pack.actions), ("table", pack.tables)):  # fmt: skip
        assert {places.anchor(kind, each) for each in names} <= set(whole), kind


def test_the_shipped_book_has_as_many_of_each_as_the_pack() -> None:
    """Nothing of the shipped policy is lost, counted in its files by hand."""
    rules = sum(
        len(re.findall(r"^  - id: ", file.read_text(), re.MULTILINE)) for file in (ROOT / "rules").glob("*.yaml")
    )
    cases = sum(
        len(re.findall(r"^  - case: ", file.read_text(), re.MULTILINE))
        for file in (ROOT / "rules/cases").rglob("*.yaml")
    )
    statements = len(re.findall(r"^      [SB]\d+:", (ROOT / "rules/sources.yaml").read_text(), re.MULTILINE))
    found, whole = pages("rules"), pages("rules")["book.html"].ids

    assert rules == sum(path.startswith("rules/") for path in found) - 1
    assert cases == sum(anchor.startswith("case-") for anchor in whole)
    assert statements == sum(anchor.startswith("statement-") for anchor in whole)


@pytest.mark.parametrize("language", ["el", "en", "lv", "pl", "sv"])
def test_a_rule_s_page_holds_its_prose_and_all_its_texts(language: str) -> None:
    """In each language the condition is told in that language's words, and the texts of all five are beside it."""
    made = book("rules")
    pack = made.contents.pack
    prose = Prose(pack, language)
    for rule in list(pack.rules.values())[::7]:
        text = "".join(read(made, f"{language}/rules/{slug(rule.id)}.html").text.split())
        texts = [rule.effect.text, rule.effect.remedy, *rule.effect.steps]
        for translated in (pack.translations[other][rule.id] for other in pack.languages if other != "en"):
            texts += [translated.text, translated.remedy, *(translated.steps or ())]

        for line in plain(prose.say(rule.condition)).splitlines():
            assert "".join(line.strip().removeprefix("- ").split()) in text, rule.id
        for part in filter(None, texts):
            for piece in filter(None, map(bare, re.split(r"\{[^{}]*\}", part))):
                assert piece in text, (rule.id, piece)


@pytest.mark.parametrize("name", STACK_NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    """Each link leads to a file of the book, and to an anchor that is there once."""
    made, found = book(name), pages(name)
    paths = set(made.paths)
    for page in found.values():
        assert set(page.ids.values()) <= {1}, page.path
        for path, anchor in targets(page):
            assert path in paths, (page.path, path)
            other = found.get(path.removeprefix(f"{made.first}/"))
            assert not anchor or (other is not None and anchor in other.ids), (page.path, path, anchor)


@pytest.mark.parametrize("name", STACK_NAMES)
def test_pages_need_nothing_but_themselves(name: str) -> None:
    """Each page says what it may load, in its head; it has no script, style or handler in itself."""
    for page in pages(name).values():
        assert POLICY.replace("'", "&#39;") in page.source, page.path
        assert "<style" not in page.source
        assert not "".join(page.scripts).strip()
        assert not {each for each in page.attributes if each == "style" or each.startswith("on")}, page.path


@pytest.mark.parametrize("name", STACK_NAMES)
def test_headings_are_in_order(name: str) -> None:
    """A page has one first heading, and no level is left out on the way down."""
    for page in pages(name).values():
        assert page.headings[0] == 1, page.path
        assert page.headings.count(1) == 1, page.path
        assert all(below <= above + 1 for above, below in zip(page.headings, page.headings[1:], strict=False)), (
            page.path
        )
        assert page.language == book(name).first


def test_the_same_pack_gives_the_same_bytes(tmp_path: Path) -> None:
    """Wherever the pack lies, and whenever the book is made."""
    copy = tmp_path / "somewhere else"
    shutil.copytree(ROOT / "examples" / "records", copy)
    one, other = book("records"), Book(contents_of([str(copy)]))

    assert one.paths == other.paths
    for path in one.paths:
        assert one.page(path) == other.page(path) == one.page(path), path


@pytest.mark.parametrize("name", [name for name in STACK_NAMES if name not in ("rules", "operator")])
def test_a_book_of_another_domain_knows_nothing_of_the_shipped_one(name: str) -> None:
    """What a book says comes from its own pack."""
    for page in pages(name).values():
        assert not re.search(
            r"\boffice\b|microsoft|365|21vianet|subscription|licen[sc]e|invoice", page.text, re.IGNORECASE
        ), page.path


HOSTILE = (
    """</script><script>alert(1)</script>"><img src=x onerror=alert(1)>{{7*7771}}{% raw %}' onload='x' \u202e--> ]]>"""
)
HOSTILE_PACK = {
    "policy": {"name": "hostile", "title": HOSTILE, "languages": ["en", "pl"]},
    "actions": {
        "do": {"title": HOSTILE, "resource": "thing", "properties": {
            "how": {"type": "enum", "values": [HOSTILE, "b"], "choice": True, "description": HOSTILE}}}},
    "facts": {
        "thing.name": {"type": "string", "description": f"Whether {HOSTILE}"},
        "thing.flag": {"type": "boolean", "description": f"Whether {HOSTILE}"},
        "thing.place": {"type": "key", "of": "places", "description": HOSTILE},
        "thing.tax": {"type": "integer", "lookup": "places.tax", "by": "thing.place", "description": HOSTILE},
    },
    "tables": {"places": {"columns": {"name": {"type": "string"}, "tax": {"type": "integer"}},
                          "rows": {HOSTILE: {"name": HOSTILE, "tax": 1}, "b": {"name": "x"}}}},
    "readings": {"r": {"asks": HOSTILE, "options": {"a": HOSTILE, "b": "b"}, "chosen": "a", "because": HOSTILE,
                       "cites": ["S1"], "ambiguity": HOSTILE}},
    "sources": {"s": {"title": HOSTILE, "language": "en", "file": HOSTILE,
                      "statements": {"S1": {"says": HOSTILE, "kind": HOSTILE, "place": HOSTILE}}}},
    "rules": [
        {"id": "index", "title": HOSTILE, "actions": ["do"], "cites": ["S1"],
         "when": {"action.how": HOSTILE, "thing.name": {"is_not": HOSTILE}, "reading.r": "a", "thing.place": HOSTILE},
         "deny": {"text": HOSTILE.replace("{", "(").replace("}", ")"), "remedy": "x"}},
        {"id": "yes", "actions": ["do"], "when": {"thing.flag": True, "thing.tax": 1}, "allow": "Yes."}],
    "translations": {"pl": {"index": {"text": HOSTILE.replace("{", "(").replace("}", ")"), "remedy": "x"}, "yes": "Tak."}},
    "cases": [{"case": HOSTILE, "given": {"action": "do", "action.how": HOSTILE, "thing.name": HOSTILE},
               "expect": {"outcome": "allow"}}],
}  # fmt: skip


GERMAN = """
policy: {name: fahrt, title: Fahrt, languages: [de]}
actions: {fahren: {title: Fahren, resource: bus}}
facts: {bus.karte: {type: boolean, description: Ob eine Karte da ist.}}
rules:
  - {id: nicht-ohne-karte, title: Nicht ohne Karte, actions: [fahren], when: {bus.karte: false}, deny: Bitte die Karte vorzeigen.}
  - {id: mit-karte, actions: [fahren], when: {bus.karte: true}, allow: Gute Fahrt.}
"""


def test_a_hostile_pack_is_told_and_not_obeyed(tmp_path: Path) -> None:
    """Markup, scripts and template code in a pack are text in its book, in pages as in what the search looks through."""
    (tmp_path / "pack.yaml").write_text(yaml.safe_dump(HOSTILE_PACK, allow_unicode=False), encoding="utf-8")
    made = Book(contents_of([str(tmp_path)]))
    plain_page = read(book("todo"), "en/index.html")
    for path in made.paths:
        if path.endswith(".html") and path.count("/"):
            page = read(made, path)
            assert (
                not page.attributes
                & {"onerror", "onload", "src" if "search" not in path and "bench" not in path else ""}
                - plain_page.attributes
            )
            assert not "".join(page.scripts).strip(), path
            assert "alert(1)" in page.text, path
            assert "54397" not in page.text, path
        if path.endswith("search.js"):
            script = (made.page(path) or b"").decode()
            assert "<" not in script
            assert json.loads(script[script.index("[") : script.rindex(";")])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no-bank-account-in-japan", "no-bank-account-in-japan"),
        ("change_payment_method", "change_payment_method"),
        ("index", "index-1bc04b52"),
        ("con.txt", "con-txt-"),
        ("A", "a-559aead0"),
        ("..", "5ec1f7e7"),
        ("../../etc/passwd", "etc-passwd-"),
        ("Ελλάδα", slug("Ελλάδα")[-8:]),
        ("a" * 200, "a" * 60 + "-"),
    ],
)
def test_names_of_files_are_safe_everywhere(name: str, expected: str) -> None:
    """A name is its own file where it can be; else it is folded, and a hash tells it from others."""
    assert slug(name).startswith(expected)
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", slug(name))


def test_no_two_names_share_a_file() -> None:
    """Not even on systems that take capitals for small letters."""
    names = ["index", "Index", "INDEX", "a/b", "a\\b", "a b", "a-b", "a_b", "ä", "Ä", "", ".", ".."]

    assert len(names) == len({slug(name) for name in names})


def test_the_book_s_own_words_are_there_in_every_language() -> None:
    """Each word has its translation, with the same placeholders."""
    words = catalog()
    assert set(words) == {"en", "el", "lv", "pl", "sv"}
    for language, texts in words.items():
        assert list(texts) == list(words["en"]), language
        for name, text in texts.items():
            assert text.strip(), (language, name)
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(words["en"][name])), (language, name)


def test_the_changes_since_an_older_pack_are_a_chapter(tmp_path: Path) -> None:
    """What was added, removed and changed is told, with the cases that get another decision."""
    older = tmp_path / "older"
    shutil.copytree(ROOT / "examples" / "todo", older)
    file = older / "todo.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("todo.completed: true", "todo.completed: false").replace("admins-delete", "admins-may"), "utf-8"
    )
    cases = older / "cases" / "todo.yaml"
    cases.write_text(cases.read_text(encoding="utf-8").replace("admins-delete", "admins-may"), "utf-8")
    made = Book(contents_of([str(ROOT / "examples" / "todo")], [str(older)]))
    page = read(made, "en/changes.html")

    for part in ("done-is-done", "admins-delete", "admins-may", "added", "removed", "changed"):
        assert part in page.text
    assert [path for path, _ in targets(page) if path.startswith("en/cases/")]


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.output


TODO = ("book", "--rules", "examples/todo", "-o")


def test_a_book_is_written_and_written_again(tmp_path: Path) -> None:
    """The second time changes no file; an older book's pages go, and nothing else does."""
    site = tmp_path / "a" / "site"
    assert run(*TODO, str(site))[0] == 0
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in site.rglob("*") if file.is_file()}
    assert site / "en" / "rules" / "done-is-done.html" in before

    assert run(*TODO, str(site))[0] == 0
    assert before == {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in site.rglob("*") if file.is_file()}

    (site / "mine.txt").write_text("mine", encoding="utf-8")
    assert run("book", "--rules", "examples/records", "-o", str(site))[0] == 0
    assert not (site / "en" / "rules" / "done-is-done.html").exists()
    assert (site / "mine.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-o", "{tmp}/full"), "holds something that is no book; name a new or empty folder"),
        (("-o", "{tmp}/full/file"), "is no folder"),
        (("-o", "{tmp}/full/file/below"), "cannot be written"),
        (("-o", "{tmp}/new", "--as-of", "yesterday"), "`as_of`|--as-of is no date"),
        (("-o", "{tmp}/new", "--since", "{tmp}/none"), "no such folder"),
        ((), "Missing option"),
    ],
)
def test_what_stands_in_the_way_of_a_book_is_said(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    """In one line, with exit code 2, and nothing is written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine", encoding="utf-8")
    code, output = run("book", "--rules", "examples/todo", *(each.format(tmp=tmp_path) for each in arguments))

    assert code == 2
    assert re.search(says, output), output
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "full" / "file").read_text(encoding="utf-8") == "mine"


def test_a_pack_in_a_language_without_words_is_told_in_english(tmp_path: Path) -> None:
    """Its own texts are marked as what they are, so that a screen reader says them right."""
    (tmp_path / "pack.yaml").write_text(GERMAN, encoding="utf-8")
    made = Book(contents_of([str(tmp_path)]))
    page = read(made, "en/rules/nicht-ohne-karte.html")

    assert made.languages == ("en",)
    assert page.language == "en"
    assert '<h1 lang="de">Nicht ohne Karte</h1>' in page.source
    assert "Bitte die Karte vorzeigen." in page.text


def test_a_book_without_its_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is missing is named in one line, with the command that brings it."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    for name in [name for name in sys.modules if name.startswith(("jinja2.", "engine.book"))]:
        monkeypatch.delitem(sys.modules, name)

    assert (2, "changegate: the book needs `jinja2`: pip install 'changegate[book]'\n") == run(
        *TODO, str(tmp_path / "site")
    )


def test_gate_is_on_a_day_of_its_own() -> None:
    """The day of a book comes from its pack, so that tomorrow's book is today's."""
    day = book_day(open_policy(ROOT / "rules").pack)

    assert day.isoformat() == "2026-11-22"
    assert Gate(open_policy(ROOT / "rules").pack, day).today().as_of == day
