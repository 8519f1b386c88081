"""Clients of a service, sync and async alike: what they make of answers, and of what is none."""

from __future__ import annotations

import json
import pickle
import ssl
from decimal import Decimal
from typing import Any

import httpx
import pytest
from clients import KEY, REQUEST, SIDES, URL, YES, Doing, Handler, answered, given, problem, says

from engine import InvalidRequest
from engine.answer import NotNow
from engine.client import ServiceFailed

GOOD = answered(YES)


def but(**members: Any) -> dict[str, Any]:
    return {**GOOD, "context": {**GOOD["context"], **members}}


NO_ANSWERS: list[tuple[str, Handler, int | None, str]] = [
    ("no key", problem(401, "send a key", www_authenticate="Bearer"), 401, "answered 401: send a key"),
    ("a key without the scope", problem(403), 403, "answered 403: so it is"),
    ("another address", problem(404), 404, "answered 404: so it is"),
    ("too large", problem(413), 413, "answered 413: so it is"),
    ("too much", says(b"slow down", 429, content_type="text/plain", retry_after="1"), 429, "429: Too Many Requests"),
    ("broken", problem(500), 500, "answered 500: so it is"),
    ("busy without a word when", problem(503), 503, "answered 503: so it is"),
    ("a title alone", problem(500, None), 500, "answered 500: A title"),
    ("a problem that is none", says(b"<html>", 500, content_type="application/problem+json"), 500, "500: Internal"),
    ("a problem with a list", says([1], 500, content_type="application/problem+json"), 500, "500: Internal"),
    ("a detail that is a number", says({"detail": 5}, 500, content_type="application/problem+json"), 500, "500: Int"),
    ("a proxy", says(b"<html>Bad gateway", 502, content_type="text/html"), 502, "answered 502: Bad Gateway"),
    ("a proxy's 400", says(b"<html>", 400, content_type="text/html"), 400, "answered 400: Bad Request"),
    ("a bare 400", says({"decision": True}, 400), 400, "answered 400: Bad Request"),
    ("an unknown status", says(b"", 599), 599, "answered 599: no status that is known"),
    ("nothing at all", says(b"", 204), 204, "answered 204"),
    ("created", says(GOOD, 201), 201, "answered 201"),
    ("elsewhere", says(b"", 307, location="https://other.example.com/"), 307, "answered 307"),
    ("a web page", says(b"<html>", content_type="text/html"), 200, "`text/html` in place of JSON"),
    ("no type", lambda _: httpx.Response(200, content=json.dumps(GOOD).encode()), 200, "`` in place of JSON"),
    ("a yes as text", says(GOOD, content_type="text/plain"), 200, "`text/plain` in place of JSON"),
    ("a yes as a problem", says(GOOD, content_type="application/problem+json"), 200, "in place of JSON"),
    ("an empty body", says(b""), 200, "no JSON object"),
    ("half a body", says(json.dumps(GOOD).encode()[:-5]), 200, "no JSON object"),
    ("no JSON", says(b"yes"), 200, "no JSON object"),
    ("no UTF-8", says(b'{"decision": "\xff"}'), 200, "no JSON object"),
    ("a name twice", says(b'{"decision": false, "decision": true}'), 200, "no JSON object"),
    ("not a number", says(b'{"decision": NaN}'), 200, "no JSON object"),
    ("10,000 brackets", says(b"[" * 10_000), 200, "no JSON object"),
    ("a list", says([GOOD]), 200, "no JSON object"),
    ("true", says(b"true"), 200, "no JSON object"),
    ("nothing in it", says({}), 200, "no decision with its reasons"),
    ("a bare yes", says({"decision": True}), 200, "no decision with its reasons"),
    ("a yes with little", says({"decision": True, "context": {}}), 200, "no decision: "),
    ("a yes with a text", says({"decision": True, "context": "ok"}), 200, "no decision with its reasons"),
    ("the yes is text", says({**GOOD, "decision": "true"}), 200, "`decision` is not true or false"),
    ("the yes is a number", says({**GOOD, "decision": 1}), 200, "`decision` is not true or false"),
    ("no word of yes or no", says({"context": GOOD["context"]}), 200, "`decision` is not true or false"),
    ("yes, and a deny", says(but(outcome="deny", cause="forbidden")), 200, "do not agree"),
    ("no, and an allow", says({**GOOD, "decision": False}), 200, "do not agree"),
    ("yes in the context alone", says({"decision": False, "context": YES}), 200, "do not agree"),
    ("a yes for no cause", says(but(cause="because")), 200, "`cause` is not one of"),
    ("a yes that lacks its duties", says({**GOOD, "context": {n: v for n, v in GOOD["context"].items() if n != "obligations"}}),
     200, "`obligations` is missing"),
    ("a yes with an odd duty", says(but(obligations=[{"rule": "x"}])), 200, r"`obligations\[0\].text` is missing"),
    ("an error, and a yes", says({"decision": True, "context": {"error": {"status": 500, "message": "x"}}}), 500, "could not decide: x"),
    ("an error without words", says({"decision": False, "context": {"error": None}}), None, "says no more"),
    ("control characters", problem(500, "a\x1b[31m\nb"), 500, r"answered 500: a \[31m b"),
    ("a long detail", problem(500, "x" * 5000), 500, "x{500}…$"),
]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("handler", "status", "message"), [row[1:] for row in NO_ANSWERS], ids=[row[0] for row in NO_ANSWERS]
)
def test_what_is_no_answer(side: str, handler: Handler, status: int | None, message: str) -> None:
    """It is a failure with its status, never a decision; and it does not tell the key."""
    with pytest.raises(ServiceFailed, match=message) as caught:
        given(side, handler, lambda policy: policy.decide(REQUEST), key=KEY)

    assert status == caught.value.status
    assert caught.value.problem == str(caught.value)
    assert KEY not in f"{caught.value!r} {vars(caught.value)}"


BATCHES: list[tuple[str, Any, type[Exception], str, int]] = [
    ("no list", {"evaluations": GOOD}, ServiceFailed, "not 3 `evaluations`", 0),
    ("none", {}, ServiceFailed, "not 3 `evaluations`", 0),
    ("a single decision", GOOD, ServiceFailed, "not 3 `evaluations`", 0),
    ("too few", {"evaluations": [GOOD, GOOD]}, ServiceFailed, "not 3 `evaluations`", 0),
    ("too many", {"evaluations": [GOOD] * 4}, ServiceFailed, "not 3 `evaluations`", 0),
    ("an item that is none", {"evaluations": [GOOD, GOOD, 5]}, ServiceFailed, "no decision with its reasons", 2),
    ("a bare yes", {"evaluations": [GOOD, {"decision": True}, GOOD]}, ServiceFailed, "no decision with", 1),
    ("a wrong request", {"evaluations": [GOOD, {"decision": False, "context": {"error": {"status": 400, "message": "m"}}}, GOOD]},
     InvalidRequest, "^m$", 1),
    ("a failure", {"evaluations": [GOOD, GOOD, {"decision": False, "context": {"error": {"status": 503, "message": "m"}}}]},
     ServiceFailed, "could not decide: m", 2),
    ("an odd error", {"evaluations": [{"decision": False, "context": {"error": "400"}}, GOOD, GOOD]}, ServiceFailed, "no more", 0),
]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("data", "error", "message", "before"), [row[1:] for row in BATCHES], ids=[row[0] for row in BATCHES]
)
def test_batches_that_are_no_answer(side: str, data: Any, error: type[Exception], message: str, before: int) -> None:
    """The items before a wrong one count; as many answers as questions are needed for any to count."""
    taken: list[Any] = []
    with pytest.raises(error, match=message):
        given(side, says(data), lambda policy: policy.decide_many([REQUEST] * 3), taken)

    assert before == len(taken)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("do", [
    lambda policy: policy.decide(REQUEST),
    lambda policy: policy.decide_many([REQUEST]),
    lambda policy: policy.search_actions(REQUEST),
], ids=["one", "many", "search"])  # fmt: skip
def test_a_service_says_what_is_wrong_with_a_request(side: str, do: Doing) -> None:
    """Its 400 is the library's InvalidRequest, with its words."""
    with pytest.raises(InvalidRequest, match=r"^`subject` is missing$"):
        given(side, problem(400, "`subject` is missing"), do)


def test_an_answer_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up when it is too large."""
    monkeypatch.setattr("engine.answer.MAX_BYTES", 3 * 1024 * 1024)

    def endless(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "application/json"}, content=b" " * 10_000_000)

    for side in SIDES:
        with pytest.raises(ServiceFailed, match="more than 3 MiB"):
            given(side, endless, lambda policy: policy.decide(REQUEST))


def test_failures_can_be_sent_between_processes() -> None:
    """A pool of workers tells the same failure."""
    failure = pickle.loads(pickle.dumps(NotNow("busy", 503, 2.0)))

    assert ("busy", 503, 2.0) == (failure.problem, failure.status, failure.seconds)


# --- again ---


def fails(error: Exception) -> Handler:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


UNREACHED = fails(httpx.ConnectError("refused"))
BUSY = problem(503, "busy", retry_after="1")
RIGHT = says(GOOD)
# What the service does, one call after another; the options; the seconds waited; what is made of it.
RETRIES: list[tuple[str, list[Handler], dict[str, Any], list[float], str | None]] = [
    ("at once", [RIGHT], {}, [], None),
    ("busy once", [BUSY, RIGHT], {}, [1], None),
    ("busy twice", [BUSY, BUSY, RIGHT], {}, [1, 1], None),
    ("busy three times", [BUSY, BUSY, BUSY, RIGHT], {}, [1, 1], "503: busy"),
    ("busy, and no patience", [BUSY, RIGHT], {"retries": 0}, [], "503: busy"),
    ("busy, and much patience", [BUSY] * 4 + [RIGHT], {"retries": 5}, [1, 1, 1, 1], None),
    ("busy for a moment", [problem(503, "busy", retry_after="0"), RIGHT], {}, [0], None),
    ("busy for longer than we wait", [problem(503, "busy", retry_after="11"), RIGHT], {}, [], "503: busy"),
    ("busy for ever", [problem(503, "busy", retry_after="9" * 5000), RIGHT], {}, [], "503: busy"),
    ("busy until a day", [problem(503, "busy", retry_after="Sun, 22 Nov 2026 12:00:00 GMT"), RIGHT], {}, [], "503: busy"),
    ("busy, who knows how long", [problem(503, "busy"), RIGHT], {}, [], "503: busy"),
    ("less time than it asks for", [BUSY, RIGHT], {"timeout": 0.5}, [], "503: busy"),
    ("not reached once", [UNREACHED, RIGHT], {}, [0.5], None),
    ("not reached in time", [fails(httpx.ConnectTimeout("late")), RIGHT], {}, [0.5], None),
    ("no connection free", [fails(httpx.PoolTimeout("")), RIGHT], {}, [0.5], None),
    ("not reached, then busy", [UNREACHED, BUSY, RIGHT], {}, [0.5, 1], None),
    ("never reached", [UNREACHED] * 3, {}, [0.5, 0.5], "cannot be reached: refused"),
    ("never free", [fails(httpx.PoolTimeout(""))] * 3, {}, [0.5, 0.5], "cannot be reached: PoolTimeout"),
    ("no answer in time", [fails(httpx.ReadTimeout("")), RIGHT], {}, [], "did not answer in 10.0 seconds"),
    ("not sent in time", [fails(httpx.WriteTimeout("")), RIGHT], {}, [], "did not answer in 10.0 seconds"),
    ("hung up while sending", [fails(httpx.WriteError("")), RIGHT], {}, [], "did not answer: WriteError"),
    ("hung up", [fails(httpx.ReadError("reset")), RIGHT], {}, [], "did not answer: reset"),
    ("no HTTP", [fails(httpx.RemoteProtocolError("what?")), RIGHT], {}, [], "did not answer: what?"),
    ("an alert of TLS", [fails(ssl.SSLError("alert")), RIGHT], {}, [], "did not answer: .*alert"),
    ("a broken proxy", [fails(httpx.ProxyError("no")), RIGHT], {}, [], "did not answer: no"),
    ("a body nobody can read", [fails(httpx.DecodingError("gzip")), RIGHT], {}, [], "did not answer: gzip"),
    ("broken", [problem(500), RIGHT], {}, [], "answered 500"),
    ("a wrong request", [problem(400, "no `action`"), RIGHT], {}, [], "no `action`"),
    ("too many requests", [problem(429, "slower", retry_after="1"), RIGHT], {}, [], "answered 429"),
]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("answers", "options", "waits", "failure"), [row[1:] for row in RETRIES], ids=[row[0] for row in RETRIES]
)
def test_calls_that_are_made_again(
    monkeypatch: pytest.MonkeyPatch,
    side: str,
    answers: list[Handler],
    options: dict[str, Any],
    waits: list[float],
    failure: str | None,
) -> None:
    """Only what the service has not taken is sent again, a few times, and never late."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("engine.client.asyncio.sleep", sleep)
    coming, called = iter(answers), list[httpx.Request]()

    def handler(request: httpx.Request) -> httpx.Response:
        called.append(request)
        return next(coming)(request)

    if failure is None:
        assert given(side, handler, lambda policy: policy.decide(REQUEST), **options)
    else:
        with pytest.raises((ServiceFailed, InvalidRequest), match=failure):
            given(side, handler, lambda policy: policy.decide(REQUEST), **options)
    assert waits == slept
    assert len(waits) + 1 == len(called)
    assert 1 == len({sent.content for sent in called})


# --- searches ---

ALICE, BOB, CAROL = ({"type": "user", "id": name} for name in ("alice", "bob", "carol"))
READ = {"name": "read", "properties": {"limit": 2.5}}


def page(results: list[Any], token: Any = None, **more: Any) -> dict[str, Any]:
    return {"results": results} | ({} if token is None else {"page": {"next_token": token, **more}})


# What is searched, the request's page, the answers, what is found, and the pages that were asked for.
SEARCHES: list[tuple[str, str, Any, list[Any], list[Any], list[Any]]] = [
    ("no page", "subjects", None, [page([ALICE, BOB])], [ALICE, BOB], [None]),
    ("nobody", "subjects", None, [page([])], [], [None]),
    ("one page", "subjects", None, [page([ALICE], "", count=1)], [ALICE], [None]),
    ("several pages", "subjects", None, [page([ALICE], "t1"), page([], "t2"), page([BOB, CAROL], "")],
     [ALICE, BOB, CAROL], [None, {"token": "t1"}, {"token": "t2"}]),
    ("small pages", "subjects", {"limit": 1}, [page([ALICE], "t"), page([BOB], "")],
     [ALICE, BOB], [{"limit": 1}, {"limit": 1, "token": "t"}]),
    ("an empty page", "subjects", {}, [page([ALICE])], [ALICE], [{}]),
    ("a page that is null", "subjects", None, [{"results": [ALICE], "page": None}], [ALICE], [None]),
    ("more in it", "subjects", None, [page([{**ALICE, "properties": {"a": [1]}}])], [{**ALICE, "properties": {"a": [1]}}], [None]),
    ("resources", "resources", None, [page([{"type": "todo", "id": "1"}])], [{"type": "todo", "id": "1"}], [None]),
    ("actions", "actions", None, [page([{"name": "read"}, READ])],
     [{"name": "read"}, {"name": "read", "properties": {"limit": Decimal("2.5")}}], [None]),
]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("kind", "asked", "answers", "found", "pages"), [row[1:] for row in SEARCHES], ids=[row[0] for row in SEARCHES]
)
def test_searches(side: str, kind: str, asked: Any, answers: list[Any], found: list[Any], pages: list[Any]) -> None:
    """All pages are read, one after another, each for the same search."""
    coming, sent = iter(answers), list[httpx.Request]()

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return says(next(coming))(request)

    request = REQUEST if asked is None else {**REQUEST, "page": asked}
    results = given(side, handler, lambda policy: getattr(policy, f"search_{kind}")(request), key=KEY)

    assert found == results
    assert {f"{URL}/access/v1/search/{kind[:-1]}"} == {str(each.url) for each in sent}
    bodies = [json.loads(each.content) for each in sent]
    assert pages == [body.pop("page", None) for body in bodies]
    assert all(body == REQUEST for body in bodies)


NO_RESULTS: list[tuple[str, str, list[Any], str, int]] = [
    ("no results", "subjects", [{}], "not subjects in `results`", 0),
    ("results that are no list", "subjects", [{"results": ALICE}], "not subjects in `results`", 0),
    ("a result that is text", "subjects", [page(["alice"])], "not subjects in `results`", 0),
    ("a subject without id", "subjects", [page([{"type": "user"}])], "not subjects in `results`", 0),
    ("a resource whose id is a number", "resources", [page([{"type": "todo", "id": 1}])], "not resources in `results`", 0),
    ("an action without name", "actions", [page([ALICE])], "not actions in `results`", 0),
    ("no token", "subjects", [{"results": [ALICE], "page": {}}], "leads nowhere", 0),
    ("a token that is a number", "subjects", [page([ALICE], 5)], "leads nowhere", 0),
    ("a page that is a list", "subjects", [{"results": [ALICE], "page": []}], "leads nowhere", 0),
    ("the same token for ever", "subjects", [page([ALICE], "t"), page([ALICE], "t")], "leads nowhere", 1),
    ("round in circles", "subjects", [page([ALICE], "t"), page([BOB], "u"), page([BOB], "t")], "leads nowhere", 2),
]  # fmt: skip


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("kind", "answers", "message", "before"), [row[1:] for row in NO_RESULTS], ids=[row[0] for row in NO_RESULTS]
)
def test_searches_without_an_answer(side: str, kind: str, answers: list[Any], message: str, before: int) -> None:
    """A page that is none ends the search with a failure, so that nobody takes a part for all."""
    coming, taken = iter(map(says, answers)), list[Any]()

    def handler(request: httpx.Request) -> httpx.Response:
        return next(coming)(request)

    with pytest.raises(ServiceFailed, match=message):
        given(side, handler, lambda policy: getattr(policy, f"search_{kind}")(REQUEST), taken)

    assert before == len(taken)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("request_", [None, "x", {**REQUEST, "page": 5}, {**REQUEST, "page": ["x"]}], ids=str)
def test_a_search_that_is_no_request(side: str, request_: Any) -> None:
    """It is not sent."""
    with pytest.raises(InvalidRequest, match=r"a request is an object|`page` must be an object"):
        given(side, fails(AssertionError()), lambda policy: policy.search_subjects(request_))
