"""The service among clients that mean it no good, or do not know how to ask: it goes on, and says what is right.

It runs in a process of its own, with small bounds. Most clients here are bare sockets, since no HTTP library
would send what they send.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from benchmarks.service_processes import ROOT, Server, running, serve_command, until

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
MAX_BODY, MAX_CONCURRENT = 10_000, 4
# How long a body may take; and how long the headers, which is not for an option to say.
BODY_WITHIN, HEADERS_WITHIN = 1.0, 10.0
ASK = {
    "subject": {"type": "user", "id": "alice"},
    "action": {"name": "view_payment_method"},
    "resource": {"type": "subscription", "id": "sub-1"},
}
BODY = json.dumps(ASK).encode()
# What an answer must not hold: where the service is, what it is made of, and how it fails.
LEAKS = re.compile(
    rb"traceback|\.py\b|site-packages|/work|/tmp|/home|/usr|rules/|python|falcon|granian|hyper|uvicorn|exception|errno",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    bounds = ["--max-seconds", str(BODY_WITHIN), "--max-body", str(MAX_BODY), "--max-concurrent", str(MAX_CONCURRENT)]
    with running(serve_command("--rules", ROOT / "rules", *bounds)) as running_server:
        yield running_server


@pytest.fixture(autouse=True)
def _goes_on(server: Server) -> Iterator[None]:
    """After every test the same process answers the next client at once, and nothing has gone wrong inside."""
    workers, said = server.workers, len(server.said)
    yield
    assert until(lambda: answered(server) == (200, {"decision": True}), 5)
    assert workers == server.workers
    assert "Traceback" not in server.said[said:], server.said[said:]


def answered(server: Server) -> tuple[int, Any]:
    """Status and body that an ordinary client gets."""
    response = httpx.post(server.url(EVALUATION), json=ASK, timeout=5)
    return response.status_code, response.json()


def connect(server: Server, wait: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=wait)


def post(*headers: bytes, body: bytes = BODY, path: bytes = EVALUATION.encode(), length: int | None = None) -> bytes:
    """A request as bytes; its length is said to be this, or what it is."""
    said = b"Content-Length: %d" % (len(body) if length is None else length)
    return raw(b"POST %s HTTP/1.1" % path, b"Content-Type: application/json", said, *headers, body=body)


def raw(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, b"Host: localhost", *headers, b"", body])


def chunked(*chunks: bytes, body: bytes | None = None) -> bytes:
    """A request whose body comes in chunks; `body` is what is sent in place of well-formed ones."""
    sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")) if body is None else body
    line = b"POST %s HTTP/1.1" % EVALUATION.encode()
    return raw(line, b"Content-Type: application/json", b"Transfer-Encoding: chunked", body=sent)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back over a connection: all bytes, whether the server then hung up, and how long that took."""

    data: bytes
    hung_up: bool
    seconds: float

    @property
    def statuses(self) -> list[int]:
        """The statuses of the answers."""
        return list(map(int, re.findall(rb"HTTP/1\.[01] (\d{3}) ", self.data)))


def tell(server: Server, *parts: bytes, wait: float = 5, pause: float = 0, answers: int = 1) -> Heard:
    """Send the parts, and listen until there are so many whole answers, or the server hangs up, or the time is up."""
    begun = time.monotonic()
    with connect(server, wait) as connection:
        data, hung_up = b"", False
        with suppress(OSError):  # the server may hang up before it has heard everything
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        try:
            while not (hung_up or are_whole(data, answers)):
                piece = connection.recv(65536)
                data, hung_up = data + piece, not piece
        except TimeoutError:
            pass
        except ConnectionResetError:
            hung_up = True
    return Heard(data, hung_up, time.monotonic() - begun)


def are_whole(data: bytes, answers: int) -> bool:
    """Whether so many answers are there, each to the last byte of its body."""
    for _ in range(answers):
        head, end, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        if not end or length is None or len(rest) < int(length[1]):
            return False
        data = rest[int(length[1]) :]
    return True


def check_discreet(heard: Heard) -> None:
    """Check that an answer says nothing of the machinery behind it."""
    assert LEAKS.search(heard.data) is None, heard.data


WRONG_BODIES = [
    ("said to be too long", post(length=MAX_BODY + 1), {413}),
    ("said to be far too long", post(length=10**15), {413}),
    ("too long", post(body=b"[" + b" " * MAX_BODY + b"]"), {413}),
    ("too long in chunks", chunked(*[b" " * 1000] * 11), {413}),
    ("too long in tiny chunks", chunked(*[b" "] * (MAX_BODY + 1)), {413}),
    ("compressed", post(b"Content-Encoding: gzip", body=gzip.compress(b" " * 10**6)), {415}),
    ("said to be compressed", post(b"Content-Encoding: gzip, deflate, br"), {415}),
    ("nested deeply", post(body=b"[" * MAX_BODY), {400}),
    ("nested deeply and whole", post(body=b'{"a":' * 1500 + b"1" + b"}" * 1500), {400}),
    ("deep within text", post(body=b'{"subject": "' + b"[" * 9000 + b'"}'), {400}),
    ("empty", post(body=b""), {400}),
    ("no JSON", post(body=b"\xff\xfe\x00"), {400}),
    ("a long number", post(body=b'{"subject": 1' + b"0" * 9000 + b"}"), {400}),
    ("NaN", post(body=b'{"subject": NaN}'), {400}),
    ("a name twice", post(body=BODY[:-1] + b', "subject": {"type": "user", "id": "eve"}}'), {400}),
    ("many names", post(body=b"{" + b",".join(b'"%d":1' % number for number in range(900)) + b"}"), {400}),
    ("half a pair", post(body=rb'{"subject": "\ud800"}'), {400}),
]  # fmt: skip


@pytest.mark.parametrize(("data", "statuses"), [pytest.param(*each[1:], id=each[0]) for each in WRONG_BODIES])
def test_a_body_that_is_none_is_refused_with_a_problem(server: Server, data: bytes, statuses: set[int]) -> None:
    """Too long, too deep, compressed or malformed: the status is right, and the body says why, as RFC 9457 has it."""
    heard = tell(server, data)

    assert statuses >= set(heard.statuses) != set()
    assert b"content-type: application/problem+json" in heard.data
    problem = json.loads(heard.data.partition(b"\r\n\r\n")[2])
    assert {heard.statuses[0]} == {problem["status"]}
    check_discreet(heard)


WRONG_HEADERS = [
    ("too many", post(*(b"X-%d: y" % number for number in range(5000))), {431}),
    ("one too large", post(b"X-Large: " + b"y" * 200_000), {431}),
    ("too large together", post(*(b"X-%d: %s" % (number, b"y" * 2000) for number in range(90))), {431}),
    ("a URL too long", post(path=b"/" + b"y" * 200_000), {414, 431}),
    ("a query too long", post(path=EVALUATION.encode() + b"?" + b"y" * 200_000), {414, 431}),
    ("a long path", post(path=b"/" + b"y" * 20_000), {404, 414, 431}),
    ("a path upwards", raw(b"GET /../../../etc/passwd HTTP/1.1"), {400, 404}),
    ("a path upwards, hidden", raw(b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"), {400, 404}),
    ("no path", raw(b"GET HTTP/1.1"), {400}),
    ("an identifier too long", post(b"X-Request-ID: " + b"y" * 5000), {400}),
    ("a control character", post(b"X-A: a\x00b"), {400}),
    ("a header that is none", post(b"nonsense"), {400}),
    ("a folded header", post(b"X-A: a\r\n b"), {400}),
    ("a length that is none", raw(b"POST /access/v1/evaluation HTTP/1.1", b"Content-Length: ten"), {400}),
    ("a negative length", raw(b"POST /access/v1/evaluation HTTP/1.1", b"Content-Length: -1"), {400}),
    ("a length beyond numbers", raw(b"POST /access/v1/evaluation HTTP/1.1", b"Content-Length: " + b"9" * 99), {400}),
    ("an unknown detail", post(b"ChangeGate-Detail: \xff\xfe"), {400}),
    ("not JSON", post().replace(b"application/json", b"text/plain"), {400}),
    ("garbage", b"\x00\x01\x02\xff\xfe\r\n\r\n", {400}),
    ("TLS to a plain port", bytes.fromhex("16030100c5010000c10303") + bytes(190), {400}),
    ("HTTP/0.9", b"GET /healthz\r\n\r\n", {400}),
    ("HTTP/3.7", b"GET /healthz HTTP/3.7\r\nHost: localhost\r\n\r\n", {400, 505}),
]  # fmt: skip


@pytest.mark.parametrize(("data", "statuses"), [pytest.param(*each[1:], id=each[0]) for each in WRONG_HEADERS])
def test_what_is_no_request_is_refused(server: Server, data: bytes, statuses: set[int]) -> None:
    """Floods of headers, URLs without end, noise: one answer with a status that fits, from the server or from us."""
    heard = tell(server, data)

    assert 1 == len(heard.statuses)
    assert set(heard.statuses) <= statuses
    check_discreet(heard)


METHODS = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "post"]


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_method_is_refused(server: Server, method: str) -> None:
    """Only POST asks for a decision; an unknown method may be said to be a bad request."""
    heard = tell(server, raw(b"%s %s HTTP/1.1" % (method.encode(), EVALUATION.encode()), b"Connection: close"))

    assert heard.statuses in ([405], [400], [501])
    assert heard.statuses == [405] or method in ("PROPFIND", "post")
    assert b"allow: post" in heard.data.lower() or heard.statuses != [405]
    check_discreet(heard)


# What a proxy before us and we could understand as two different requests.
SMUGGLED = raw(b"GET /healthz HTTP/1.1")
SMUGGLING = [
    ("a length and chunks", post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED, length=5)),
    ("chunks and a length", post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED, length=500)),
    ("two lengths", post(b"Content-Length: 5", body=BODY + SMUGGLED, length=len(BODY))),
    ("two lengths in one", post(body=BODY + SMUGGLED).replace(b"Content-Length: ", b"Content-Length: 5, ")),
    ("an unknown coding", post(b"Transfer-Encoding: xchunked", body=BODY + SMUGGLED, length=len(BODY))),
    ("a coding after chunks", post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + SMUGGLED, length=5)),
    ("a space in the name", post(b"Transfer-Encoding : chunked", body=BODY + SMUGGLED, length=len(BODY))),
    ("a size that is none", chunked(body=b"5;\x00\r\nhello\r\nzz\r\n" + SMUGGLED)),
    ("a size with a sign", chunked(body=b"+5\r\nhello\r\n0\r\n\r\n" + SMUGGLED)),
    ("a size beyond numbers", chunked(body=b"F" * 40 + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED)),
    ("a chunk longer than said", chunked(body=b"2\r\nhello\r\n0\r\n\r\n" + SMUGGLED)),
    ("trailers without end", chunked(body=b"0\r\n" + b"X-A: y\r\n" * 20_000)),
]  # fmt: skip


@pytest.mark.parametrize("data", [pytest.param(each[1], id=each[0]) for each in SMUGGLING])
def test_nothing_is_smuggled_in(server: Server, data: bytes) -> None:
    """A request whose length can be understood in two ways is a bad one, and what follows it is not listened to."""
    heard = tell(server, data, answers=2, wait=2)

    assert heard.statuses in ([400], [431])
    assert heard.hung_up
    assert b'"decision": true' not in heard.data
    check_discreet(heard)


def test_requests_in_a_row_are_answered_in_a_row(server: Server) -> None:
    """Pipelining works: each request gets its own answer, in order, whatever the one before it was."""
    names = [b"first", b"second", b"third", b"fourth"]
    requests = [post(b"X-Request-ID: " + name, body=b"{" if name == b"third" else BODY) for name in names]
    heard = tell(server, b"".join(requests), answers=4)

    assert [200, 200, 400, 200] == heard.statuses
    assert names == re.findall(rb"x-request-id: (\w+)", heard.data)


@pytest.mark.parametrize("line", [b"GET /healthz HTTP/1.0", b"POST /access/v1/evaluation HTTP/1.0"])
def test_http_1_0_is_answered(server: Server, line: bytes) -> None:
    """Simple proxies and probes speak it; the connection ends with the answer."""
    body = BODY if line.startswith(b"POST") else b""
    heard = tell(server, raw(line, b"Content-Type: application/json", b"Content-Length: %d" % len(body), body=body))

    assert [200] == heard.statuses
    assert tell(server, line + b"\r\n\r\n").statuses in ([200], [400])


HALF_HEADERS = [
    b"",
    b"P",
    b"GET /heal",
    b"POST /access/v1/evaluation HTTP/1.1\r\nHost: local",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]
HALF_BODIES = [post(length=len(BODY) + 1), post(body=b"", length=100), chunked(body=b"5\r\nhello\r\n")]


def test_who_does_not_finish_the_headers_is_hung_up_on(server: Server) -> None:
    """Whether nothing comes, or a little at a time, the connection ends; others are answered meanwhile."""
    longest = HEADERS_WITHIN + 5
    with ThreadPoolExecutor(len(HALF_HEADERS) + 1) as pool:
        waiting = [pool.submit(tell, server, data, wait=longest, answers=2) for data in HALF_HEADERS]
        dripping = pool.submit(drip, server, b"GET /healthz HTTP/1.1\r\nX-A: ", b"y", longest)
        others = answered_meanwhile(server, [*waiting, dripping])

    assert {200} == others
    assert [True] * len(HALF_HEADERS) == [each.result().hung_up for each in waiting]
    assert max(dripping.result(), *(each.result().seconds for each in waiting)) < HEADERS_WITHIN + 3


@pytest.mark.parametrize("data", HALF_BODIES, ids=["half a body", "no body", "half of the chunks"])
def test_who_does_not_finish_the_body_is_told_so(server: Server, data: bytes) -> None:
    """A body that stops, or comes a little at a time, is waited for as long as was said; others are answered."""
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(tell, server, data, answers=2) for _ in range(2)]
        dripping = pool.submit(drip, server, post(body=b"", length=9000), b" ", 5)
        others = answered_meanwhile(server, [*waiting, dripping])

    assert {200} == others
    assert [([408], True)] * 2 == [(each.result().statuses, each.result().hung_up) for each in waiting]
    assert max(dripping.result(), *(each.result().seconds for each in waiting)) < BODY_WITHIN + 3


def drip(server: Server, begin: bytes, drop: bytes, longest: float) -> float:
    """Send a little every now and then; how long the server bore it, at most so long."""
    begun = time.monotonic()
    with connect(server) as connection, suppress(OSError):
        connection.sendall(begin)
        while time.monotonic() < begun + longest:
            connection.sendall(drop)
            time.sleep(0.1)
    return time.monotonic() - begun


def answered_meanwhile(server: Server, waiting: Sequence[Future[Any]]) -> set[int]:
    """The statuses that ordinary clients get, one after the other, as long as others wait."""
    statuses = set()
    while not all(each.done() for each in waiting):
        statuses.add(answered(server)[0])
        time.sleep(0.05)
    return statuses


def test_idle_connections_are_in_nobody_s_way(server: Server) -> None:
    """Hundreds of clients that say nothing, or nothing more, do not keep others from being answered."""
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(server)) for _ in range(400)]
        for connection in idle[::2]:
            connection.sendall(raw(b"GET /healthz HTTP/1.1"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        begun = time.monotonic()

        assert (200, {"decision": True}) == answered(server)
        assert time.monotonic() < begun + 3


# Slow enough for others to come meanwhile, and well within the time that a request has, even on a busy machine.
SLOW = {**ASK, "action": {"name": "cancel_subscription"}, "evaluations": [{}] * 3}


def test_too_many_at_once_are_told_to_come_again(server: Server) -> None:
    """Beyond the bound the status is 503, with Retry-After; nothing else goes wrong, and some are answered."""
    with ThreadPoolExecutor(24) as pool:
        headers = {"ChangeGate-Detail": "full"}
        each = [
            pool.submit(httpx.post, server.url(EVALUATIONS), json=SLOW, headers=headers, timeout=30) for _ in range(72)
        ]
        responses = [one.result() for one in each]

    assert {200, 503} == {response.status_code for response in responses}
    for response in responses:
        assert ("1" if response.status_code == 503 else None) == response.headers.get("Retry-After")
        assert response.status_code == 200 or response.json()["status"] == 503


def test_clients_that_hang_up_leave_nothing_behind(server: Server) -> None:
    """Whoever goes away in the middle frees the place."""
    for data in [post()[:40], post(length=5000), chunked(body=b"5\r\nhe"), post(), b""] * 20:
        with connect(server) as connection:
            connection.sendall(data)

    assert until(lambda: answered(server) == (200, {"decision": True}), 5)


def test_a_batch_too_long_is_refused(server: Server) -> None:
    """The bound on a batch holds however short its items are."""
    response = httpx.post(server.url(EVALUATIONS), json={**ASK, "evaluations": [{}] * 1001})

    assert (413, 413) == (response.status_code, response.json()["status"])


def test_what_takes_too_long_is_ended(server: Server) -> None:
    """A batch that cannot be decided in time is given up, and says so."""
    slow = {**SLOW, "evaluations": [{}] * 1000}
    begun = time.monotonic()
    response = httpx.post(server.url(EVALUATIONS), json=slow, headers={"ChangeGate-Detail": "full"}, timeout=30)

    assert (503, "1") == (response.status_code, response.headers["Retry-After"])
    assert time.monotonic() < begun + BODY_WITHIN + 3
