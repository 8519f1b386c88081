"""The workbench in a real browser, beside a real service, as an author and a reviewer use it."""

from __future__ import annotations

import base64
import json
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from browsing import LOOKS, browsing, check_picture, fits, needs_browser, shift, violations, visiting
from playwright.sync_api import Browser, Page, expect
from test_book import HOSTILE, HOSTILE_PACK

from benchmarks.service_processes import Server, running, serve_command

pytestmark = needs_browser
# What a person takes for at once, in milliseconds, from the key to the verdict.
AT_ONCE = 200
JAPAN: dict[str, Any] = {
    "action": {"name": "change_payment_method", "properties": {"payment_method": "bank_account"}},
    "resource": {"type": "subscription", "properties": {"service_location": "JP", "payment_method": "invoice"}},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    """A service of the shipped policy with its workbench."""
    with running(serve_command("--workbench", "--as-of", "2026-11-22")) as server:
        yield server


def bench(page: Page, service: Server, request: Any = None) -> None:
    """Open the workbench, with a request, and wait for its answer."""
    fragment = (
        "" if request is None else f"#r={base64.urlsafe_b64encode(json.dumps(request).encode()).decode().rstrip('=')}"
    )
    page.goto(service.url(f"/book/en/bench.html{fragment}"))
    expect(page.locator("#verdict")).not_to_contain_text("The policy is asked.")


def outcome(page: Page, word: str) -> None:
    """Wait until that is the outcome."""
    expect(page.locator("#outcome")).to_have_text(word)


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_an_author_tries_a_request(browser: Browser, service: Server, size: str, scheme: str) -> None:
    """Fields appear as they matter; what is missing leads to its field; an alternative is a button; axe finds nothing."""
    with visiting(browser, service.url(), size, scheme) as visit:
        page = visit.page
        page.goto(service.url())
        expect(page).to_have_url(re.compile("/book/en/bench.html"))
        expect(page.locator("#verdict")).not_to_contain_text("The policy is asked.")
        # What an author asks for may move things; what comes by itself may not.
        assert shift(page) < 0.01
        page.get_by_label("Action", exact=True).select_option(label="Change the payment method")
        outcome(page, "Open")
        page.get_by_role("button", name="Subscription service location").click()
        field = page.get_by_role("combobox", name="Subscription service location")
        expect(field).to_be_focused()
        field.select_option(label="Japan (JP)")
        page.get_by_role("button", name="Subscription payment method").click()
        page.get_by_role("combobox", name="subscription payment method").select_option(label="invoice")
        page.get_by_role("combobox", name="requested payment method").select_option(label="bank account")
        outcome(page, "Denied")
        expect(page.locator("#verdict")).to_contain_text("Payment by bank account is not available in Japan.")
        assert violations(page) == []
        assert fits(page)
        page.get_by_role("button", name="requested payment method: credit card").click()
        outcome(page, "Allowed")
        assert violations(page) == []


def test_a_verdict_comes_at_once(browser: Browser, service: Server) -> None:
    """From the key to the verdict in less than a fifth of a second, most of the time and for each key of a number."""
    with visiting(browser, service.url()) as visit:
        page = visit.page
        bench(page, service, {"action": {"name": "cancel_subscription"}, "context": {"channel": "self_service"}})
        field = page.get_by_role("textbox", name="subscription licenses assigned")
        for key in "123456789" * 3:
            field.press(key)
            page.wait_for_timeout(120)
            field.press("Backspace")
            page.wait_for_timeout(120)
        took = page.evaluate('performance.getEntriesByName("verdict").map((entry) => entry.duration)')

    assert len(took) > 40
    assert statistics.median(took) < AT_ONCE


def test_a_request_is_pasted_and_shared(browser: Browser, service: Server) -> None:
    """JSON fills in the form; the address of a request brings it back, and another fragment another one."""
    with visiting(browser, service.url()) as visit:
        page = visit.page
        bench(page, service)
        page.get_by_text("The request as JSON").click()
        page.get_by_label(re.compile("^JSON")).fill(json.dumps(JAPAN))
        outcome(page, "Denied")
        chosen = page.get_by_role("combobox", name="requested payment method").locator("option:checked")
        expect(chosen).to_have_text("bank account")
        page.get_by_role("button", name="Copy link").click()
        address = page.locator("#link").input_value()
        page.goto("about:blank")
        page.goto(address)
        outcome(page, "Denied")
        page.get_by_text("The request as JSON").click()
        shown = page.get_by_label(re.compile("^JSON")).input_value()
        assert JAPAN == json.loads(shown)
        page.get_by_label(re.compile("^JSON")).fill('{"action": ')
        expect(page.locator("#json-problem")).not_to_be_empty()


@pytest.mark.parametrize(
    "fragment", ["#r=", "#r=!!!!", "#r=bm8", "#r=W10", "#r=eyJhY3Rpb24iOjF9", "#nothing", "#r=" + "A" * 5000]
)
def test_a_wrong_address_begins_an_empty_request(browser: Browser, service: Server, fragment: str) -> None:
    """Whatever stands in the address, there is a form to begin with."""
    with visiting(browser, service.url()) as visit:
        visit.page.goto(service.url(f"/book/en/bench.html{fragment}"))
        expect(visit.page.get_by_label("Action", exact=True)).to_be_enabled()
        expect(visit.page.locator("#verdict")).not_to_contain_text("The policy is asked.")


@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("narrow", "dark")])
def test_an_author_edits_a_copy_of_the_rules(browser: Browser, service: Server, size: str, scheme: str) -> None:
    """Findings as one types, at their lines; then what the edit does to every case and to the request; live stays live."""
    with visiting(browser, service.url(), size, scheme) as visit:
        page = visit.page
        bench(page, service, JAPAN)
        outcome(page, "Denied")
        page.get_by_role("button", name="Open the editor").click()
        page.get_by_label("File", exact=True).select_option(label="rules/payment_methods.yaml")
        editor = page.get_by_label("Text of the file")
        expect(editor).to_have_value(re.compile("no-bank-account-in-japan"))
        text = editor.input_value()
        editor.fill(text.replace("id: no-bank-account-in-japan", "id: no-bank-account-in-japan\n    colour: red", 1))
        expect(page.locator("#editor")).to_contain_text("colour")
        expect(page.locator("#editor")).to_contain_text("Error")
        assert violations(page) == []
        editor.fill(text.replace("subscription.service_location: JP", "subscription.service_location: NO", 1))
        expect(page.locator("#editor")).to_contain_text(re.compile(r"With another answer than now: [1-9]"))
        expect(page.locator("#verdict")).to_contain_text("Edited copy")
        expect(page.locator("#outcome")).not_to_have_text("Denied")
        assert violations(page) == []
        assert fits(page)
        page.get_by_role("button", name="Undo all").click()
        outcome(page, "Denied")
        assert editor.input_value() == text


def test_nothing_but_the_keyboard_is_needed(browser: Browser, service: Server) -> None:
    """From the skip link to an answer; the editor does not keep the focus."""
    with visiting(browser, service.url()) as visit:
        page = visit.page
        bench(page, service)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "action":
                break
        page.keyboard.type("Cancel a")
        outcome(page, "Open")
        page.get_by_role("button", name="Open the editor").focus()
        page.keyboard.press("Enter")
        editor = page.get_by_label("Text of the file")
        expect(editor).to_be_visible()
        editor.focus()
        page.keyboard.press("Tab")
        expect(editor).not_to_be_focused()


@pytest.mark.parametrize("language", ["el", "lv", "pl", "sv"])
def test_every_language_has_its_workbench(browser: Browser, service: Server, language: str) -> None:
    """The page, the texts and the conditions are in the language; no word of the page is missing."""
    with visiting(browser, service.url(), "narrow") as visit:
        page = visit.page
        fragment = base64.urlsafe_b64encode(json.dumps(JAPAN).encode()).decode().rstrip("=")
        page.goto(service.url(f"/book/{language}/bench.html#r={fragment}"))
        expect(page.locator("#verdict")).to_contain_text("no-bank-account-in-japan")
        assert not re.search(r"\b(bench|outcome|effect|due)\.[a-z_]+\b", page.locator("body").inner_text())
        assert violations(page) == []
        assert fits(page)


def test_hostile_rules_and_requests_are_shown_and_not_obeyed(browser: Browser, tmp_path: Path) -> None:
    """Markup in rule texts, names and values is text on the page, in the editor, and in what it finds."""
    (tmp_path / "pack.yaml").write_text(yaml.safe_dump(HOSTILE_PACK), encoding="utf-8")
    request = {
        "action": {"name": "do", "properties": {"how": HOSTILE, HOSTILE: HOSTILE}},
        "context": {HOSTILE: HOSTILE},
    }
    with (
        running(serve_command("--workbench", "--rules", tmp_path)) as server,
        visiting(browser, server.url()) as visit,
    ):
        page = visit.page
        page.on("dialog", lambda dialog: visit.wrong.append(dialog.message))
        bench(page, server, request)
        expect(page.locator("#verdict")).to_contain_text("alert(1)")
        page.get_by_role("button", name="Open the editor").click()
        editor = page.get_by_label("Text of the file")
        expect(editor).to_have_value(re.compile("hostile"))
        editor.fill(f"{editor.input_value()}\nnonsense: {json.dumps(HOSTILE)}\n")
        expect(page.locator("#editor")).to_contain_text("nonsense")
        assert page.locator("img, iframe, script:not([src]):not([type='application/json'])").count() == 0


def test_nothing_is_written_to_disk(browser: Browser, tmp_path: Path) -> None:
    """However much is tried: what an author wants to keep, the browser saves."""
    (tmp_path / "pack.yaml").write_text(yaml.safe_dump(HOSTILE_PACK), encoding="utf-8")
    before = {file: file.read_bytes() for file in tmp_path.rglob("*")}
    with (
        running(serve_command("--workbench", "--rules", tmp_path)) as server,
        visiting(browser, server.url()) as visit,
    ):
        bench(visit.page, server)
        visit.page.get_by_role("button", name="Open the editor").click()
        editor = visit.page.get_by_label("Text of the file")
        expect(editor).to_have_value(re.compile("hostile"))
        editor.fill(f"# mine\n{editor.input_value()}")
        with visit.page.expect_download() as saved:
            visit.page.get_by_role("button", name=re.compile("^Save ")).click()
        assert Path(saved.value.path()).read_text(encoding="utf-8").startswith("# mine\n")

    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*")}


@pytest.mark.parametrize(
    ("name", "size", "scheme"), [("bench-wide", "wide", "light"), ("bench-narrow", "narrow", "dark")]
)
def test_it_can_be_shown(
    browser: Browser, service: Server, name: str, size: str, scheme: str, rewrite_golden: bool
) -> None:
    """The pictures of the README are of this page, in these sizes."""
    with visiting(browser, service.url(), size, scheme) as visit:
        bench(visit.page, service, JAPAN)
        expect(visit.page.locator(".alternative").first).to_be_visible()
        check_picture(visit.page, name, rewrite_golden)
