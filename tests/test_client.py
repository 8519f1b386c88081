"""Clients of a service, sync and async alike: what they send, and how they are opened."""

from __future__ import annotations

import asyncio
import datetime
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from clients import KEY, REQUEST, ROOT, SIDES, TODO, URL, YES, Doing, Handler, Policy, Service, given, numbered, says

from engine import InvalidRequest
from engine.client import AsyncServicePolicy, ServiceFailed, ServicePolicy, open_service, open_service_async
from engine.sending import encode

# --- what is sent ---

WISHES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "reasons", "en"),
    ({"detail": "full"}, "full", "en"),
    ({"locale": "el"}, "reasons", "el"),
    ({"locale": "pt_BR"}, "reasons", "pt-BR"),
    ({"locale": "el_GR.UTF-8"}, "reasons", "el-GR"),
    ({"locale": "sr@latin"}, "reasons", "sr"),
    ({"locale": "pl\r\nX-Evil: 1"}, "reasons", "pl"),
    ({"locale": ""}, "reasons", "en"),
    ({"locale": "κ"}, "reasons", "en"),
    ({"locale": "*"}, "reasons", "en"),
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("wish", "level", "language"), WISHES, ids=[str(row[0]) for row in WISHES])
def test_a_call(side: str, wish: dict[str, Any], level: str, language: str) -> None:
    """Detail, language and key go into headers, the request into the body as it is."""
    service = Service()
    decision = given(side, service, lambda policy: policy.decide(REQUEST, **wish), key=KEY)

    (sent,) = service.requests
    assert ("POST", f"{URL}/access/v1/evaluation") == (sent.method, str(sent.url))
    assert level == sent.headers["changegate-detail"]
    assert language == sent.headers["accept-language"]
    assert f"Bearer {KEY}" == sent.headers["authorization"]
    assert "application/json" == sent.headers["content-type"]
    assert "x-evil" not in sent.headers
    assert [REQUEST] == service.bodies
    assert YES == decision.to_dict()
    assert decision


@pytest.mark.parametrize("side", SIDES)
def test_without_a_key_none_is_sent(side: str) -> None:
    """A service that asks for none gets none."""
    service = Service()
    given(side, service, lambda policy: policy.decide(REQUEST))

    assert "authorization" not in service.requests[0].headers


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("do", [
    lambda policy: policy.decide(REQUEST, detail="more"),
    lambda policy: policy.decide_many([REQUEST], detail="more"),
], ids=["one", "many"])  # fmt: skip
def test_another_detail(side: str, do: Doing) -> None:
    """There is none, as in the library, and nothing is sent."""
    service = Service()
    with pytest.raises(ValueError, match="`detail` is `full` or None, not `more`"):
        given(side, service, do)

    assert not service.requests


VALUES: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (False, "false"),
    (0, "0"),
    (-5, "-5"),
    (10**30, "1" + "0" * 30),
    (0.1, "0.1"),
    (1e300, "1e+300"),
    (Decimal("499.99"), "499.99"),
    (Decimal("0.10000000000000000000000001"), "0.10000000000000000000000001"),
    (Decimal("1E+3"), "1E+3"),
    (Decimal(-0), "0"),
    (datetime.date(2026, 11, 22), '"2026-11-22"'),
    (datetime.datetime(2026, 11, 22, 12, 30, tzinfo=datetime.UTC), '"2026-11-22T12:30:00+00:00"'),
    ("", '""'),
    ('a"\\\n\x00é😀', '"a\\"\\\\\\n\\u0000é😀"'),
    ([], "[]"),
    ([1, "a", [None]], '[1, "a", [null]]'),
    ((1, 2), "[1, 2]"),
    ({"b", "a"}, '["a", "b"]'),
    (frozenset({2, 1}), "[1, 2]"),
    ({}, "{}"),
    ({"a": {"b": 1}, 'c"': 2}, '{"a": {"b": 1}, "c\\"": 2}'),
]


@pytest.mark.parametrize(("value", "text"), VALUES, ids=[text[:40] for _, text in VALUES])
def test_values_are_sent_exactly(value: Any, text: str) -> None:
    """Nothing is rounded, and what JSON lacks is text or a list."""
    sent = encode({"value": value})

    assert f'{{"value": {text}}}' == sent.decode()
    assert json.loads(sent, parse_float=Decimal)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def circle() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["context"] = value
    return value


NOT_SENT: list[tuple[str, Any, str]] = [
    ("nothing", None, "a request is an object"),
    ("a list", [REQUEST], "a request is an object"),
    ("text", "{}", "a request is an object"),
    ("not a number", {"context": {"x": float("nan")}}, "not finite"),
    ("infinity", {"context": {"x": float("-inf")}}, "not finite"),
    ("a Decimal that is none", {"context": {"x": Decimal("sNaN")}}, "not finite"),
    ("thousands of digits", {"context": {"x": 10**5000}}, "thousands of digits"),
    ("half of a pair", {"context": {"x": "\udc00"}}, "half of a surrogate pair"),
    ("half of a pair in a name", {"\udc00": 1}, "half of a surrogate pair"),
    ("a name that is a number", {"context": {1: 2}}, "names in a request must be text"),
    ("bytes", {"context": {"x": b"x"}}, "type `bytes` cannot be sent"),
    ("an object", {"context": {"x": object()}}, "type `object` cannot be sent"),
    ("a complex number", {"context": {"x": 1j}}, "type `complex` cannot be sent"),
    ("too deep", {"context": nested(62)}, "nested more than 62 deep"),
    ("a circle", circle(), "nested more than 62 deep"),
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("request_", "message"), [row[1:] for row in NOT_SENT], ids=[row[0] for row in NOT_SENT])
def test_what_is_no_request_is_not_sent(side: str, request_: Any, message: str) -> None:
    """Neither alone nor in a batch; what stands before it in a stream is decided first."""
    service, taken = Service(), list[Any]()
    with pytest.raises(InvalidRequest, match=message):
        given(side, service, lambda policy: policy.decide(request_))
    assert not service.requests

    with pytest.raises(InvalidRequest, match=message):
        given(side, service, lambda policy: policy.decide_many([REQUEST, request_, REQUEST]), taken)
    assert [YES] == [decision.to_dict() for decision in taken]
    assert [{"evaluations": [REQUEST]}] == service.bodies


def test_the_deepest_request_is_read_by_a_service() -> None:
    """What a client lets through is not too deep in a batch."""
    body = b'{"evaluations": [%b]}' % encode({"context": nested(61)})

    assert 64 == max(body[: end + 1].count(b"[") + body[: end + 1].count(b"{") for end in range(body.index(b"1")))


# --- streams ---


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("count", "options", "sizes"),
    [
        (0, {}, []),
        (1, {}, [1]),
        (99, {}, [99]),
        (100, {}, [100]),
        (101, {}, [100, 1]),
        (250, {}, [100, 100, 50]),
        (5, {"batch": 2}, [2, 2, 1]),
        (3, {"batch": 1}, [1, 1, 1]),
    ],
)
def test_streams_are_sent_in_batches(side: str, count: int, options: dict[str, Any], sizes: list[int]) -> None:
    """Every request once, in order, and the answers in that order too."""
    service = Service()
    decisions = given(side, service, lambda policy: policy.decide_many(numbered(count)), **options)

    assert sizes == [len(body["evaluations"]) for body in service.bodies]
    assert [each for body in service.bodies for each in body["evaluations"]] == list(numbered(count))
    assert [each.to_dict() for each in TODO.decide_many(numbered(count))] == [each.to_dict() for each in decisions]
    assert {f"{URL}/access/v1/evaluations"} >= {str(sent.url) for sent in service.requests}


@pytest.mark.parametrize("side", SIDES)
def test_a_batch_is_bounded_in_bytes(side: str) -> None:
    """Large requests go in smaller batches, so that a service need not refuse them."""
    service = Service()
    large = [{**REQUEST, "context": {"note": "x" * 200_000}} for _ in range(7)]
    given(side, service, lambda policy: policy.decide_many(large))

    assert [3, 3, 1] == [len(body["evaluations"]) for body in service.bodies]
    assert all(len(sent.content) < 1024 * 1024 for sent in service.requests)


def test_a_stream_is_read_as_it_is_wanted() -> None:
    """Nothing is read before the first decision is wanted, and never more than a batch ahead."""
    read: list[int] = []

    def endless() -> Iterator[dict[str, Any]]:
        for number in range(1_000_000):
            read.append(number)
            yield REQUEST

    with open_service(URL, transport=httpx.MockTransport(Service())) as policy:
        decisions = policy.decide_many(endless())
        assert not read
        next(decisions)
        assert 100 == len(read)
        for _ in range(100):
            next(decisions)
        assert 200 == len(read)


def test_an_asynchronous_stream() -> None:
    """Requests may come from somewhere else, too."""

    async def requests() -> AsyncIterator[dict[str, Any]]:
        for request in numbered(3):
            await asyncio.sleep(0)
            yield request

    def do(policy: Any) -> Any:
        return policy.decide_many(requests())

    decisions = given("async", Service(), do)

    assert [each.to_dict() for each in TODO.decide_many(numbered(3))] == [each.to_dict() for each in decisions]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("place", [0, 1, 99, 100, 149])
def test_a_wrong_request_is_told_at_its_turn(side: str, place: int) -> None:
    """What comes before it is decided; what comes after it is not, as in the library."""
    requests = list(numbered(150))
    requests[place] = {**REQUEST, "action": {}}
    taken: list[Any] = []
    with pytest.raises(InvalidRequest, match=r"`action\.name` is missing"):
        given(side, Service(), lambda policy: policy.decide_many(requests), taken)

    assert place == len(taken)


@pytest.mark.parametrize("side", SIDES)
def test_a_stream_that_breaks_is_told_at_its_turn(side: str) -> None:
    """What it gave before is decided."""

    def broken() -> Iterator[dict[str, Any]]:
        yield from numbered(3)
        raise OSError("the file is gone")

    taken: list[Any] = []
    with pytest.raises(OSError, match="the file is gone"):
        given(side, Service(), lambda policy: policy.decide_many(broken()), taken)

    assert 3 == len(taken)


# --- the metadata ---

PATHS = {
    "access_evaluation_endpoint": "/ask/one/",
    "access_evaluations_endpoint": "/ask/many",
    "search_subject_endpoint": "/ask/who",
}


class Discovered:
    """A service that says where it is to be asked."""

    def __init__(self, metadata: Any, inner: Handler) -> None:
        self.metadata = metadata
        self.inner = inner
        self.urls: list[str] = []
        self.authorized: list[bool] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        self.authorized.append("authorization" in request.headers)
        if "/.well-known/" in str(request.url):
            assert request.method == "GET"
            return says(self.metadata)(request)
        return self.inner(request)


def metadata(url: str = URL, **more: Any) -> dict[str, Any]:
    return {"policy_decision_point": url, **{name: f"{url}{path}" for name, path in PATHS.items()}, **more}


@pytest.mark.parametrize("side", SIDES)
def test_the_metadata_say_where_to_ask(side: str) -> None:
    """They are read once, without the key, when the first call is made."""
    service = Discovered(metadata(other=None), Service())

    async def two(policy: AsyncServicePolicy) -> None:
        await policy.decide(REQUEST)
        await policy.decide(REQUEST)

    def both(policy: Any) -> Any:
        return two(policy) if side == "async" else [policy.decide(REQUEST), policy.decide(REQUEST)]

    given(side, service, both, key=KEY, discover=True)

    assert [f"{URL}/.well-known/authzen-configuration", f"{URL}/ask/one/", f"{URL}/ask/one/"] == service.urls
    assert [False, True, True] == service.authorized


@pytest.mark.parametrize("base", [URL, f"{URL}/", f"{URL}/tenant/one", f"{URL}/tenant/one/", f"{URL}:8443/x"])
def test_the_url_may_have_a_path(base: str) -> None:
    """Endpoints lie below it; the metadata between host and path."""
    plain = base.rstrip("/")
    service = Discovered(metadata(plain), Service())
    host, _, path = plain.removeprefix("https://").partition("/")
    for discover in (False, True):
        with open_service(base, transport=httpx.MockTransport(service), discover=discover) as policy:
            policy.decide(REQUEST)

    well_known = f"https://{host}/.well-known/authzen-configuration" + (f"/{path}" if path else "")
    assert [f"{plain}/access/v1/evaluation", well_known, f"{plain}/ask/one/"] == service.urls


METADATA: list[tuple[str, Any, str]] = [
    ("another service", metadata("https://other.example.com"), "that of another service"),
    ("another path", metadata(f"{URL}/tenant"), "that of another service"),
    ("another scheme", metadata("http://pdp.example.com"), "that of another service"),
    (
        "no name",
        {name: each for name, each in metadata().items() if name != "policy_decision_point"},
        "that of another",
    ),
    ("a name that is a list", metadata(policy_decision_point=[URL]), "that of another service"),
    ("an endpoint in the clear", metadata(access_evaluation_endpoint="http://pdp.example.com/x"), "cannot be used"),
    ("an endpoint that is none", metadata(search_subject_endpoint="x"), "cannot be used"),
    ("an endpoint that is null", metadata(access_evaluation_endpoint=None), "cannot be used"),
    ("an endpoint that is a number", metadata(access_evaluation_endpoint=5), "cannot be used"),
    ("no such endpoint", {"policy_decision_point": URL}, "does not offer the access evaluation endpoint"),
    ("no JSON object", [URL], "no JSON object"),
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("data", "message"), [row[1:] for row in METADATA], ids=[row[0] for row in METADATA])
def test_metadata_that_are_not_used(side: str, data: Any, message: str) -> None:
    """Nothing is asked of a service that does not say who it is, nor the key sent there."""
    service = Discovered(data, Service())
    with pytest.raises(ServiceFailed, match=message):
        given(side, service, lambda policy: policy.decide(REQUEST), key=KEY, discover=True)

    assert [False] == service.authorized


# --- opening ---

WRONG: list[tuple[str, str, dict[str, Any], str]] = [
    ("no scheme", "pdp.example.com", {}, "the URL of a service is"),
    ("another scheme", "ftp://pdp.example.com", {}, "the URL of a service is"),
    ("no host", "https://", {}, "the URL of a service is"),
    ("a query", f"{URL}?x=1", {}, "the URL of a service is"),
    ("a fragment", f"{URL}#x", {}, "the URL of a service is"),
    ("a password", "https://a:b@pdp.example.com", {}, "the URL of a service is"),
    ("a space", f"{URL}/a b", {}, "the URL of a service is"),
    ("a new line", f"{URL}/a\n", {}, "the URL of a service is"),
    ("a port that is none", "https://pdp.example.com:x", {}, "[Pp]ort"),
    ("in the clear", "http://pdp.example.com", {}, "anybody on the way can forge an answer; use https"),
    ("nearly here", "http://localhost.example.com", {}, "anybody on the way can forge"),
    ("a key with a space", URL, {"key": f"Bearer {KEY}"}, "`key` cannot stand in a header"),
    ("a key with a new line", URL, {"key": f"{KEY}\n"}, "`key` cannot stand in a header"),
    ("an empty key", URL, {"key": ""}, "`key` cannot stand in a header"),
    ("no batch", URL, {"batch": 0}, "`batch` is how many"),
    ("no verification", URL, {"verify": False}, "`verify=False` lets anybody answer"),
]


@pytest.mark.parametrize("open_", [open_service, open_service_async], ids=SIDES)
@pytest.mark.parametrize(("url", "options", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_cannot_be_opened(open_: Callable[..., Policy], url: str, options: dict[str, Any], message: str) -> None:
    """What could not be asked, or not safely, is told before anything is sent; a key is never repeated."""
    with pytest.raises(ValueError, match=message) as caught:
        open_(url, **options)

    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://localhost:8080", {}),
        ("http://127.0.0.1:8080", {}),
        ("http://[::1]:8080/x", {}),
        ("http://pdp.example.com", {"insecure": True}),
        ("HTTPS://PDP.example.com", {}),
    ],
)
def test_what_can_be_opened(url: str, options: dict[str, Any]) -> None:
    """This machine, and what somebody says is good enough."""
    with open_service(url, key=KEY, **options) as policy:
        assert f"<ServicePolicy {url}>" == repr(policy)
    assert KEY not in repr(policy._service)
    assert f"<AsyncServicePolicy {url}>" == repr(open_service_async(url, key=KEY, **options))


@pytest.mark.parametrize(("url", "expected"), [("http://localhost", False), (URL, True)])
def test_a_proxy_of_the_environment_sees_nothing_in_the_clear(url: str, expected: bool) -> None:
    """Over http a proxy would see the key and could forge the answer."""
    with open_service(url) as policy:
        assert expected is policy._http.trust_env
        assert policy._http.follow_redirects is False


@pytest.mark.parametrize("open_", [open_service, open_service_async], ids=SIDES)
def test_without_httpx(monkeypatch: pytest.MonkeyPatch, open_: Callable[..., Policy]) -> None:
    """One line says what to install."""
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ImportError, match=r"^a client needs httpx: `pip install 'changegate\[client\]'`$"):
        open_(URL)


def test_importing_the_client_loads_no_network() -> None:
    """httpx comes when a client is opened; and the client brings neither server nor rules with it."""
    code = "import sys, engine.client; print([n for n in ('httpx', 'yaml', 'babel', 'engine.server', 'durable') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "[]"


def names(cls: type) -> Iterable[str]:
    return (name for name in vars(cls) if not name.startswith("_"))


def test_both_sides_offer_the_same() -> None:
    """What one client can do the other can, and a policy that is open here is asked in the same way."""
    assert set(names(ServicePolicy)) == set(names(AsyncServicePolicy))
    assert {"decide", "decide_many"} <= set(names(ServicePolicy))
    for name in ("decide", "decide_many"):
        library = list(getattr(type(TODO), name).__annotations__)
        assert [each for each in library if each != "engine"] == list(getattr(ServicePolicy, name).__annotations__)
