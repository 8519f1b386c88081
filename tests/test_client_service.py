"""Clients of a real service say what the library says; and of a real network, that it failed."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients import REQUEST, SIDES, URL, YES, Doing, answered
from strategies import AS_OF, ROOT, STACKS

from engine import Gate, InvalidRequest, open_policy
from engine.cases import readings_of, request_of
from engine.client import ServiceFailed, open_service, open_service_async
from engine.decide import Detail
from engine.server.app import create
from engine.server.keys import new_key
from engine.server.settings import Settings

# --- the real service ---


class Bridge(httpx.BaseTransport):
    """Takes the requests of a sync client to an application in this process."""

    def __init__(self, application: Any) -> None:
        self._inner = httpx.ASGITransport(application)
        self._runner = asyncio.Runner()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._runner.run(self._inner.handle_async_request(request))
        content = self._runner.run(response.aread())
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    def close(self) -> None:
        self._runner.close()


def deciding(request: Mapping[str, Any], detail: Detail = None, locale: str = "en") -> Doing:
    return lambda policy: policy.decide(request, detail, locale)


def searching(kind: str, request: Mapping[str, Any]) -> Doing:
    return lambda policy: getattr(policy, f"search_{kind}")(request)


def asked(side: str, application: Any, do: Doing, **options: Any) -> Any:
    """What a client of the application is given; streams as lists."""
    if side == "sync":
        with open_service(URL, transport=Bridge(application), **options) as policy:
            found = do(policy)
            return list(found) if isinstance(found, Iterator) else found
    return asyncio.run(_asked_async(application, do, options))


async def _asked_async(application: Any, do: Doing, options: dict[str, Any]) -> Any:
    async with open_service_async(URL, transport=httpx.ASGITransport(application), **options) as policy:
        found: Any = do(policy)
        return [each async for each in found] if hasattr(found, "__aiter__") else await found


@cache
def served(stack: str, **settings: Any) -> Any:
    """An application for a stack of packs, which never reads them again."""
    folders = tuple(map(str, STACKS[stack]))
    return create(Settings(rules=folders, as_of=AS_OF, base_url=URL, watch=0.0, max_seconds=60.0, **settings))


@cache
def library(stack: str) -> Gate:
    return open_policy(STACKS[stack], as_of=AS_OF)


def completed(request: Mapping[str, Any], gate: Gate) -> dict[str, Any]:
    """The request with what AuthZEN needs and the library does not."""
    action = gate.pack.actions.get(request["action"]["name"])
    subject, resource = ({**(request.get(name) or {})} for name in ("subject", "resource"))
    kind = (action and action.resource) or "thing"
    return {
        **request,
        "subject": {"type": "user", "id": "alice", **subject},
        "resource": {"type": kind, "id": "1", **resource},
    }


def cases(stack: str) -> list[dict[str, Any]]:
    """The requests of a stack's own cases, as many as a test may take; those that choose readings are none."""
    gate = library(stack)
    own = [case for case in gate.pack.cases if case.layer == len(STACKS[stack]) - 1 and not readings_of(case)]
    return [completed(request_of(case), gate) for case in own[:: max(1, len(own) // 150)]]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("detail", "locale"), [(None, "en"), ("full", "en"), (None, "el_GR"), (None, "xx")])
@pytest.mark.parametrize("stack", STACKS)
def test_a_stream_is_decided_as_by_the_library(side: str, stack: str, detail: Detail, locale: str) -> None:
    """A caller who asks a service is told the same, to the last word."""
    requests = cases(stack)
    assert requests
    decisions = asked(side, served(stack), lambda policy: policy.decide_many(requests, detail, locale))

    expected = [each.to_dict() for each in library(stack).decide_many(requests, detail, locale)]
    assert expected == [each.to_dict() for each in decisions]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("stack", STACKS)
def test_one_request_is_decided_as_by_the_library(side: str, stack: str) -> None:
    """Alone, too, and with its text unchanged."""
    for request in cases(stack)[::15]:
        expected = library(stack).decide(request, "full", "pl")
        decision = asked(side, served(stack), deciding(request, "full", "pl"))

        assert expected == decision
        assert expected.to_json() == decision.to_json()


VALUES: list[dict[str, Any]] = [
    {"cost": {"amount": Decimal("48500.0001"), "currency": "JPY"}},
    {"cost": Decimal("48500.01"), "service_location": "JP"},
    {"cost": Decimal("48500.00001"), "service_location": "JP"},
    {"cost": 0.1, "licenses_assigned": 2.5},
    {"term_end": date(2026, 12, 31), "licenses_assigned": 25},
    {"licenses_assigned": 10**20, "no_such_fact": [1, {"a": None}]},
    {"licenses_assigned": None, "cloud": 'ger"many\n😀'},
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("action", ["cancel_subscription", "change_payment_method"])
@pytest.mark.parametrize("values", VALUES, ids=str)
def test_values_reach_a_service_as_they_are(side: str, action: str, values: dict[str, Any]) -> None:
    """Decimals keep their digits, days are days, and what is wrong is wrong in the same way."""
    request = completed({"action": {"name": action}, "resource": {"properties": values}}, library("rules"))
    decision = asked(side, served("rules"), deciding(request))

    assert library("rules").decide(request).to_dict() == decision.to_dict()


BAD: list[tuple[str, dict[str, Any]]] = [
    ("no subject", {"action": {"name": "purchase"}, "resource": {"type": "subscription", "id": "1"}}),
    ("an id that is a number", {**REQUEST, "subject": {"type": "user", "id": 1}}),
    ("an action that is text", {**REQUEST, "action": "purchase"}),
    ("an action without name", {**REQUEST, "action": {"name": ""}}),
    ("a context that is a list", {**REQUEST, "context": []}),
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("request_", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_wrong_requests_are_told_alike_alone_and_in_a_stream(side: str, request_: dict[str, Any]) -> None:
    """The service says what is wrong, and the client raises it."""
    with pytest.raises(InvalidRequest) as alone:
        asked(side, served("rules"), deciding(request_))
    with pytest.raises(InvalidRequest) as streamed:
        asked(side, served("rules"), lambda policy: policy.decide_many([request_]))

    assert str(alone.value) == str(streamed.value)


@pytest.mark.parametrize("side", SIDES)
def test_a_service_that_wants_keys(side: str, tmp_path: Path) -> None:
    """The right key opens, and no other."""
    secret, line = new_key("shop", ["decide"])
    searching, other_line = new_key("finder", ["search"])
    path = tmp_path / "keys"
    path.write_text(f"{line}\n{other_line}\n", encoding="utf-8")
    path.chmod(0o600)
    application = served("todo", keys=str(path))

    assert asked(side, application, deciding(REQUEST), key=secret)
    for key, status in ((None, 401), (new_key("x", ["admin"])[0], 401), (searching, 403)):
        with pytest.raises(ServiceFailed) as caught:
            asked(side, application, deciding(REQUEST), key=key)
        assert status == caught.value.status


@pytest.mark.parametrize("side", SIDES)
def test_a_service_that_is_discovered(side: str) -> None:
    """What it says of itself is enough to ask it."""
    request = completed(cases("todo")[0], library("todo"))
    decision = asked(side, served("todo"), deciding(request), discover=True)

    assert library("todo").decide(request) == decision


@pytest.mark.parametrize("side", SIDES)
def test_searches_of_a_service(side: str) -> None:
    """What is found page by page is what is found at once, and is allowed."""
    folder = ROOT / "examples" / "certification"
    entities = ROOT / "examples" / "entities" / "certification.yaml"
    application = create(Settings(rules=(str(folder),), entities=(str(entities),), watch=0.0, as_of=AS_OF))
    base = {"subject": {"type": "user", "id": "alice"}, "resource": {"type": "record", "id": "record-1"}}
    for kind in ("subjects", "resources", "actions"):
        request = {**base, "action": {"name": "read"}}
        whole = asked(side, application, searching(kind, request))
        pages = asked(side, application, searching(kind, {**request, "page": {"limit": 1}}))

        assert len(whole) >= 2
        assert whole == pages
        for each in whole:
            assert asked(side, application, deciding({**request, kind[:-1]: each}))


# --- the real network ---

ANSWER = json.dumps(answered(YES)).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
PROBLEM = b'{"detail": "a body has at most 5 bytes"}'
Script = Callable[[socket.socket], None]


def receive(connection: socket.socket) -> None:
    """Take a whole request; whoever hangs up with some of it unread resets the connection."""
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
    while len(body) < length and (part := connection.recv(65536)):
        body += part


def silence(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def hang_up(connection: socket.socket) -> None:
    receive(connection)


def garbage(connection: socket.socket) -> None:
    receive(connection)
    connection.sendall(b"hello\r\n\r\n")


def half(connection: socket.socket) -> None:
    receive(connection)
    connection.sendall(HEAD % len(ANSWER) + ANSWER[:-10])


def drip(connection: socket.socket) -> None:
    receive(connection)
    connection.sendall(HEAD % len(ANSWER))
    for byte in ANSWER:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def early(connection: socket.socket) -> None:
    connection.recv(1)
    head = b"HTTP/1.1 413 Content Too Large\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
    connection.sendall(head + b"Content-Length: %d\r\n\r\n%b" % (len(PROBLEM), PROBLEM))
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def right(connection: socket.socket) -> None:
    receive(connection)
    connection.sendall(HEAD % len(ANSWER) + ANSWER)


@contextmanager
def listening(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that does what the script says with each connection; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, script, tls))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, script: Script, tls: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        try:
            with tls.wrap_socket(connection, server_side=True) if tls else connection as stream:
                script(stream)
        except OSError:
            connection.close()


def decided(side: str, url: str, request: Mapping[str, Any] = REQUEST, **options: Any) -> Any:
    if side == "sync":
        with open_service(url, **options) as policy:
            return policy.decide(request)
    return asyncio.run(_decided_async(url, request, options))


async def _decided_async(url: str, request: Mapping[str, Any], options: dict[str, Any]) -> Any:
    async with open_service_async(url, **options) as policy:
        return await policy.decide(request)


NETWORK: list[tuple[Script, int | None, str]] = [
    (silence, None, "did not answer in 0.4 seconds"),
    (hang_up, None, "did not answer"),
    (garbage, None, "did not answer"),
    (half, None, "did not answer"),
    (drip, 200, "did not arrive in time"),
    (early, 413, "a body has at most 5 bytes"),
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("script", "status", "message"), NETWORK, ids=[row[0].__name__ for row in NETWORK])
def test_a_network_that_fails(side: str, script: Script, status: int | None, message: str) -> None:
    """Whatever breaks, the caller learns it soon, and has no decision."""
    request = {**REQUEST, "context": {"note": "x" * 300_000}} if script is early else REQUEST
    with listening(script) as port:
        begun = time.monotonic()
        with pytest.raises(ServiceFailed, match=message) as caught:
            decided(side, f"http://127.0.0.1:{port}", request, timeout=0.4)

        assert time.monotonic() - begun < 1.4
    assert status == caught.value.status


@pytest.mark.parametrize("side", SIDES)
def test_nobody_listens(side: str) -> None:
    """It is tried again, and then told."""
    with listening(right) as port:
        assert decided(side, f"http://127.0.0.1:{port}")
    with pytest.raises(ServiceFailed, match=f"the service at http://127.0.0.1:{port} cannot be reached"):
        decided(side, f"http://127.0.0.1:{port}", retries=1)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, and one for a client; each signed by itself."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "client"):
        made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        about = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(["openssl", *made, *files, *about], check=True, capture_output=True)
    return folder


def encrypted(folder: Path, *, wants_certificate: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if wants_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "client.pem")
    return context


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")


@needs_openssl
@pytest.mark.parametrize("side", SIDES)
def test_a_certificate_must_be_trusted(side: str, certificates: Path) -> None:
    """A service that nobody vouches for is not asked."""
    with listening(right, encrypted(certificates, wants_certificate=False)) as port:
        url = f"https://127.0.0.1:{port}"
        with pytest.raises(ServiceFailed, match=r"cannot be reached.*certificate"):
            decided(side, url, retries=0)
        with pytest.raises(ServiceFailed, match=r"cannot be reached.*certificate"):
            decided(side, f"https://localhost:{port}", retries=0, verify=certificates / "server.pem")

        assert decided(side, url, verify=certificates / "server.pem")
        assert decided(side, url, verify=ssl.create_default_context(cafile=certificates / "server.pem"))


@needs_openssl
@pytest.mark.parametrize("side", SIDES)
def test_a_client_shows_its_certificate(side: str, certificates: Path) -> None:
    """A service, or its proxy, may want one."""
    with listening(right, encrypted(certificates, wants_certificate=True)) as port:
        url, trusted = f"https://127.0.0.1:{port}", certificates / "server.pem"
        pair = (certificates / "client.pem", certificates / "client.key")
        with pytest.raises(ServiceFailed):
            decided(side, url, retries=0, verify=trusted)

        assert decided(side, url, verify=trusted, cert=pair)
