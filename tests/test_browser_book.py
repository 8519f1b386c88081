"""The rule book in a real browser, opened from disk, as a reviewer walks through it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import LOOKS, browsing, check_picture, fits, needs_browser, shift, violations, visiting
from playwright.sync_api import Browser, expect
from test_book import book

from engine.book.site import write

pytestmark = needs_browser
# One page of each kind.
KINDS = (
    "index.html", "actions/cancel_subscription.html", "actions/purchase.html", "rules/index.html",
    "rules/more-than-25-licenses.html", "statements.html", "readings.html", "tables/regions.html", "facts.html",
    "cases/index.html", "cases/cancellation.html", "search.html",
)  # fmt: skip
LARGE = (
    "actions/purchase.html", "rules/index.html", "statements.html", "tables/regions.html", "facts.html",
    "cases/cancellation.html",
)  # fmt: skip
SHOTS = {
    "book-cover": ("index.html", "wide", "light"),
    "book-action": ("actions/change_payment_method.html", "wide", "light"),
    "book-rule": ("rules/more-than-25-licenses.html", "wide", "dark"),
    "book-narrow": ("readings.html", "narrow", "light"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the shipped policy's book, written to disk."""
    folder = tmp_path_factory.mktemp("book")
    write(book("rules"), folder / "site")
    write(book("todo"), folder / "todo")
    return (folder / "site").as_uri()


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_every_kind_of_page_is_for_everyone(browser: Browser, site: str, size: str, scheme: str) -> None:
    """In two widths and two color schemes: axe finds nothing, nothing is wider than the window, nothing moves."""
    with visiting(browser, site, size, scheme) as visit:
        for kind in KINDS:
            visit.page.goto(f"{site}/en/{kind}")
            # What is large is looked through by axe in one look of each width and scheme; it takes seconds.
            if kind not in LARGE or (size, scheme) in (("wide", "light"), ("narrow", "dark")):
                assert violations(visit.page) == [], kind
            assert fits(visit.page), kind
            assert shift(visit.page) < 0.01, kind


@pytest.mark.parametrize("language", ["el", "lv", "pl", "sv"])
def test_every_language_is_for_everyone(browser: Browser, site: str, language: str) -> None:
    """The same page in another language has its own language, and nothing is wrong with it."""
    with visiting(browser, site, "narrow") as visit:
        for kind in ("index.html", "actions/cancel_subscription.html", "rules/more-than-25-licenses.html"):
            visit.page.goto(f"{site}/{language}/{kind}")
            assert visit.page.locator("html").get_attribute("lang") == language
            assert violations(visit.page) == [], kind
            assert fits(visit.page), kind


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_a_reviewer_follows_a_decision_to_its_sources(browser: Browser, site: str, size: str, scheme: str) -> None:
    """From the front page over an action and a cell of its table to the rule, its statement, and the cases that show it."""
    with visiting(browser, site, size, scheme) as visit:
        page = visit.page
        page.goto(f"{site}/index.html")
        page.get_by_role("link", name="English").click()
        page.get_by_role("link", name="Cancel a subscription").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cancel a subscription")
        table = page.get_by_role("table", name="subscription licenses assigned by channel")
        row = table.get_by_role("row", name=re.compile("26 or more"))
        expect(row.get_by_role("cell").first).to_contain_text("Denied")
        row.get_by_role("cell").first.get_by_role("link").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("More than 25 licenses need support")
        page.locator("section.sources").get_by_role("link", name="S48").click()
        expect(page.locator("tr:target")).to_contain_text("Support cancels where more than 25 licenses")
        page.locator("tr:target summary").click()
        page.locator("tr:target").get_by_role("link", name="26 licenses are not canceled online", exact=True).click()
        expect(page.locator("article:target")).to_contain_text("more-than-25-licenses")


def test_the_prose_and_the_texts_are_on_the_page_of_a_rule_in_the_chosen_language(browser: Browser, site: str) -> None:
    """Changing the language keeps the page."""
    with visiting(browser, site) as visit:
        page = visit.page
        page.goto(f"{site}/en/rules/no-bank-account-in-japan.html")
        expect(page.locator(".when")).to_contain_text("Japan (JP)")
        page.get_by_role("link", name="svenska").click()
        expect(page).to_have_url(re.compile("/sv/rules/no-bank-account-in-japan.html$"))
        expect(page.locator(".then")).to_contain_text("bankkonto")


def test_tables_are_sorted_by_their_headings_and_by_keyboard(browser: Browser, site: str) -> None:
    """A heading is a button; it says how the column is sorted."""
    with visiting(browser, site) as visit:
        page = visit.page
        page.goto(f"{site}/en/tables/regions.html")
        keys = page.locator("tbody th")
        expect(keys.first).to_have_text("AE")
        heading = page.get_by_role("columnheader", name="name")
        heading.get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(heading).to_have_attribute("aria-sort", "ascending")
        expect(page.locator("tbody tr").first).to_contain_text("Afghanistan")
        page.keyboard.press("Enter")
        expect(heading).to_have_attribute("aria-sort", "descending")
        expect(page.locator("tbody tr").first).to_contain_text("Zimbabwe")
        assert keys.count() == len(book("rules").contents.pack.tables["regions"].rows)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("japan bank", "No bank account in Japan"),
        ("S48", "S48"),
        ("exactly 25", "May exactly 25 licenses be canceled online?"),
        ("κουπ", None),
        ("invoice_minimum", "invoice minimum"),
        ("norway", "NO"),
    ],
)
def test_the_search_finds_words_anywhere(browser: Browser, site: str, typed: str, found: str | None) -> None:
    """Rules, statements, readings, facts and rows are found as one types, from disk and without a server."""
    with visiting(browser, site) as visit:
        page = visit.page
        page.goto(f"{site}/en/search.html")
        page.get_by_role("searchbox").fill(typed)
        if found is None:
            expect(page.get_by_role("status")).to_have_text("Nothing found.")
        else:
            hit = page.locator("#hits").get_by_role("link", name=found, exact=True).first
            hit.click()
            expect(page).not_to_have_url(re.compile("search.html"))


def test_the_keyboard_alone_is_enough(browser: Browser, site: str) -> None:
    """The first stop skips to the content; what is folded away opens with Enter; focus can be seen."""
    with visiting(browser, site) as visit:
        page = visit.page
        page.goto(f"{site}/en/readings.html")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        summary = page.locator("details > summary").first
        for _ in range(200):
            if summary.evaluate("each => each === document.activeElement"):
                break
            page.keyboard.press("Tab")
        expect(summary).to_be_focused()
        assert summary.evaluate("each => getComputedStyle(each).outlineStyle") != "none"
        page.keyboard.press("Enter")
        expect(page.locator("details[open] ul.changes").first).to_be_visible()


def test_the_whole_book_prints(browser: Browser, site: str, tmp_path: Path) -> None:
    """As one document, with what is folded away, and without navigation."""
    with visiting(browser, site.replace("/site", "/todo")) as visit:
        page = visit.page
        page.goto(site.replace("/site", "/todo") + "/en/book.html")
        page.emulate_media(media="print")
        expect(page.locator(".top")).to_be_hidden()
        document = page.pdf(path=tmp_path / "book.pdf", format="A4", tagged=True, outline=True)

    assert document.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", document)) > 3


def test_it_reads_without_javascript(browser: Browser, site: str) -> None:
    """Everything but sorting and searching is there without scripts."""
    with visiting(browser, site, java_script_enabled=False) as visit:
        visit.page.goto(f"{site}/en/actions/cancel_subscription.html")
        assert "26 or more" in visit.page.locator("main").inner_text()
        visit.page.goto(f"{site}/en/search.html")
        assert "needs JavaScript" in visit.page.locator("main").inner_text()


@pytest.mark.parametrize("name", SHOTS)
def test_it_can_be_shown(browser: Browser, site: str, name: str, rewrite_golden: bool) -> None:
    """The pictures of the README are of these pages, in these sizes."""
    kind, size, scheme = SHOTS[name]
    with visiting(browser, site, size, scheme) as visit:
        visit.page.goto(f"{site}/en/{kind}")
        check_picture(visit.page, name, rewrite_golden)
