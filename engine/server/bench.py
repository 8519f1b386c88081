"""The workbench over HTTP: the rule book, made from the policy that is live, and a bench to try requests and edits at.

Its addresses are for the browser of the author, not for programs. Nothing that is tried is written down anywhere.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeAlias, TypeVar

from engine.server.bench_copies import texts
from engine.server.bench_data import as_json
from engine.server.bench_try import Trial, Workshop
from engine.server.call import Answer, Call, Handler
from engine.server.front import Front
from engine.server.live import Live
from engine.server.problems import Problem, bad, busy
from engine.server.settings import is_loopback

T = TypeVar("T")
# What a page may load and where it may be shown: from here alone, and nowhere else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
BOOK = "/book/"
# How many copies of the rules may be asked for at once; one is made at a time.
MAX_WAITING = 8
MAX_LOCALE = 100
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:@/?#]+)(?::[0-9]{1,5})?")


class Pages(Protocol):
    """The pages of a book: those of each language in a folder of that name, and what belongs to them."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it is in."""
        ...

    @property
    def first(self) -> str:
        """The one of them in which it opens."""
        ...

    def page(self, path: str) -> bytes | None:
        """What is at the path, such as `sv/index.html`; None if nothing is."""
        ...


BookOf: TypeAlias = Callable[[Live], Pages]


def workbench(front: Front, book_of: BookOf) -> dict[str, dict[str, Handler]]:
    """The handlers of each path of the workbench, by method. `book_of` may take its time: it is called in a thread."""
    bench = _Bench(front, _Books(book_of))
    pages: dict[str, dict[str, Handler]] = {
        "/": {"GET": bench.home, "HEAD": bench.home},
        BOOK.rstrip("/"): {"GET": bench.home, "HEAD": bench.home},
        f"{BOOK}{{page:path}}": {"GET": bench.page, "HEAD": bench.page},
        "/bench/rules": {"GET": bench.rules, "HEAD": bench.rules},
        "/bench/decide": {"POST": bench.decide},
        "/bench/try": {"POST": bench.try_},
    }
    if front.settings.workbench_anywhere:
        return pages
    return {
        path: {method: partial(_for_this_machine, handler) for method, handler in methods.items()}
        for path, methods in pages.items()
    }


async def _for_this_machine(handler: Handler, call: Call) -> Answer:
    """Answer only who calls this machine by one of its own names: a page of a stranger may give it another (DNS rebinding)."""
    host = _HOST.fullmatch(call.header(b"host") or "")
    if host is None or not is_loopback(host[1]):
        raise Problem(HTTPStatus.MISDIRECTED_REQUEST, "the workbench is for this machine: call it `localhost`")
    return await handler(call)


class _Bench:
    def __init__(self, front: Front, books: _Books) -> None:
        self._front = front
        self._books = books
        self._workshop = Workshop()
        self._turns = _Turns(MAX_WAITING)

    async def home(self, call: Call) -> Answer:
        """Where the workbench is, in the language that the browser likes best."""
        book = await self._books.of(call.live)
        liked = call.live.language(call.header(b"accept-language") or self._front.settings.locale or "")
        language = liked if liked in book.languages else book.first
        headers = {"Location": f"{BOOK}{language}/bench.html", "Vary": "Accept-Language"}
        return Answer(b"", MEDIA[".html"], headers, 307)

    async def page(self, call: Call) -> Answer:
        """A page of the book, or what belongs to it."""
        path = call.path.removeprefix(BOOK)
        book = await self._books.of(call.live)
        page = await asyncio.to_thread(book.page, path or "index.html")
        if page is None:
            raise Problem(404, "the book has no such page")
        media = MEDIA.get(PurePosixPath(path or "index.html").suffix, "application/octet-stream")
        return Answer(page, media, {"Content-Security-Policy": POLICY})

    async def rules(self, call: Call) -> Answer:
        """The texts of all files of the rules that are live."""
        files = [{"name": name, "text": text} for name, text in texts(call.live.files).items()]
        return _answer({"files": files, "version": call.live.version})

    async def decide(self, call: Call) -> Answer:
        """The answer to a request, by the live rules or an edited copy, with a form of what else may be told."""
        trial = _trial(self._front.body(call, "decide"))
        if trial.request is None:
            raise bad("`request` must be an object")
        live = call.live
        if trial.edits:
            live = await self._turns.take(partial(self._workshop.edited, live, trial.edits))
        answer = partial(self._workshop.answer, live, trial.request, trial.locale, trial.detail)
        return _answer(await asyncio.to_thread(answer))

    async def try_(self, call: Call) -> Answer:
        """What edits of the rules would do: findings, cases, and the answer to a request."""
        trial = _trial(self._front.body(call, "decide"))
        return _answer(await self._turns.take(partial(self._workshop.tried, call.live, trial)))


class _Books:
    """The book of the live policy, made when somebody first wants to read it."""

    def __init__(self, book_of: BookOf) -> None:
        self._book_of = book_of
        self._lock = asyncio.Lock()
        self._made: tuple[Live, Pages] | None = None

    async def of(self, live: Live) -> Pages:
        """The book of this policy; whoever comes while it is being made waits."""
        async with self._lock:
            if self._made is None or self._made[0] is not live:
                self._made = (live, await asyncio.to_thread(self._book_of, live))
            return self._made[1]


class _Turns:
    """Has long work done in a thread, one piece after the other; raises Problem 503 where too many wait."""

    def __init__(self, most: int) -> None:
        self._lock = asyncio.Lock()
        self._free = most

    async def take(self, work: Callable[[], T]) -> T:
        """The result of the work, once it is its turn."""
        if self._free <= 0:
            raise busy("the workbench is busy; try again")
        self._free -= 1
        try:
            async with self._lock:
                return await asyncio.to_thread(work)
        finally:
            self._free += 1


def _trial(body: Mapping[str, Any]) -> Trial:
    """What a body asks to try; raises Problem 400."""
    request, locale, edits = body.get("request"), body.get("locale"), body.get("edits")
    if request is not None and not isinstance(request, dict):
        raise bad("`request` must be an object")
    if locale is not None and not (isinstance(locale, str) and len(locale) <= MAX_LOCALE):
        raise bad("`locale` must be a language tag, such as `sv`")
    if edits is not None and not (isinstance(edits, dict) and all(isinstance(text, str) for text in edits.values())):
        raise bad("`edits` must be an object of texts, by the names of files")
    detail = body.get("detail", "full")
    if detail not in (None, "full"):
        raise bad("`detail` must be `full` or null")
    return Trial(request, locale, edits or {}, detail)


def _answer(data: Any) -> Answer:
    text = json.dumps(data, ensure_ascii=False, default=as_json)
    return Answer(text.encode("utf-8", "backslashreplace"))
