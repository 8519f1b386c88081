"""A real browser (Debian's Chromium, driven by Playwright) for the tests of pages, and what is asked of every page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = shutil.which("chromium")
# Continuous integration sets it: there a missing browser is a failure, and no reason to skip.
REQUIRED = os.environ.get("CHANGEGATE_BROWSER") == "required"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none",
)  # fmt: skip
SIZES = {"wide": (1280, 900), "narrow": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOOKS = [(size, scheme) for size in SIZES for scheme in SCHEMES]
SCREENS = Path(__file__).parent / "golden" / "screens"
# Milliseconds until a step of a walk counts as failed.
PATIENCE = 15_000
needs_browser = pytest.mark.skipif(CHROMIUM is None and not REQUIRED, reason="there is no chromium here")


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser with an empty profile."""
    assert CHROMIUM, "install Debian's chromium, or unset CHANGEGATE_BROWSER"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page in a window of its own; `wrong` collects what the browser complains of, and what leaves the site."""

    page: Page
    site: str
    wrong: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Listen to the page."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.site, "data:", "blob:")):
            self.wrong.append(f"asked for {request.url}")


@contextmanager
def visiting(browser: Browser, site: str, size: str = "wide", scheme: Any = "light", **more: Any) -> Iterator[Visit]:
    """A window of a size and color scheme, for pages of the site; in the end nothing may have been wrong."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-US",
        **more,
    )
    context.set_default_timeout(PATIENCE)
    visit = Visit(context.new_page(), site)
    visit.watch()
    try:
        yield visit
    finally:
        context.close()
    assert not visit.wrong


@cache
def _axe() -> Axe:
    return Axe()


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2, levels A and AA, and against good practice; each with where it is."""
    options = {
        "preload": False,
        "resultTypes": ["violations"],
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
    found = _axe().run(page, options=options).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {each['help']}; {len(each['nodes'])} places, such as {each['nodes'][0]['html'][:200]}"
        for each in found
    ]


def fits(page: Page) -> bool:
    """Whether nothing makes the page itself wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def shift(page: Page) -> float:
    """How much of the layout has shifted without being asked to (cumulative layout shift)."""
    script = """() => new Promise((resolve) => {
        let sum = 0;
        new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
        }).observe({type: "layout-shift", buffered: true});
        setTimeout(() => resolve(sum), 50);
    })"""
    return float(page.evaluate(script))


def check_picture(page: Page, name: str, rewrite: bool, **more: Any) -> None:
    """See that there is a picture of that size; what is in it depends on the fonts of a machine."""
    file = SCREENS / f"{name}.png"
    data = page.screenshot(**more)
    if rewrite:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    # Width and height stand after the signature and the first chunk's head.
    assert data[16:24] == file.read_bytes()[16:24]
