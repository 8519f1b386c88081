"""What holds on the way to and from every address: identifiers of requests, methods, paths, versions."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from conformance import PLANS, Client, ask, send, service, table

EVALUATION = "/access/v1/evaluation"
PATHS = [table(plan)["path"] for plan in PLANS]
TEXT = json.dumps(table("evaluation")["sound"]).encode()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service() as client:
        yield client


# --- identifiers of requests ---


@pytest.mark.parametrize(
    "name", ["a", "~", "a" * 256, "a b  c", '{"a": "b"}', "<script>", "../../etc/passwd", "%0d%0a"]
)
def test_an_identifier_comes_back_as_it_was(client: Client, name: str) -> None:
    """A PEP's own name for a request is returned, on success and on failure."""
    for content, status in ((TEXT, 200), (b"{", 400)):
        answer = send(client, EVALUATION, content, X_Request_ID=name)
        assert (status, name) == (answer.status_code, answer.headers["x-request-id"])


@pytest.mark.parametrize(
    "name",
    [
        b"a" * 257,
        b"a" * 60_000,
        b"a\nb",
        b"a\r\nSet-Cookie: b=c",
        b"a\x00",
        b"\x1b[31m",
        b"\x7f",
        b"\xff",
        "ä".encode(),
    ],
)
def test_an_identifier_that_no_header_can_hold_is_refused(client: Client, name: bytes) -> None:
    """What is too long, or not printable, is 400; none of it comes back."""
    answer = client.post(
        EVALUATION, content=TEXT, headers={b"Content-Type": b"application/json", b"X-Request-ID": name}
    )

    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers
    assert answer.headers.get("x-request-id", "").isprintable()
    assert len(answer.headers.get("x-request-id", "")) <= 256


def test_without_an_identifier_one_is_given(client: Client) -> None:
    """Requests can be told apart, even if nobody named them."""
    names = {send(client, EVALUATION, TEXT).headers["x-request-id"] for _ in range(10)}

    assert len(names) == 10


def test_an_identifier_comes_back_even_when_there_is_no_time_for_more() -> None:
    """Who is turned away because too many ask learns when to come again, and which request it was."""
    with service(max_concurrent=0) as busy:
        answer = send(busy, EVALUATION, TEXT, X_Request_ID="later")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["x-request-id"] == "later"


# --- methods and paths ---


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"])
def test_an_endpoint_is_only_posted_to(client: Client, path: str, method: str) -> None:
    """Every other method is 405, and told which one would do."""
    answer = send(client, path, TEXT, method)

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize("path", PATHS)
def test_who_asks_for_the_methods_is_told(client: Client, path: str) -> None:
    """OPTIONS decides nothing; whether it is answered or refused, the methods are named."""
    answer = send(client, path, TEXT, "OPTIONS")

    assert answer.status_code in {200, 204, 405}
    assert "POST" in answer.headers["allow"]
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/access",
        "/access/v1",
        "/access/v1/evaluation/",
        "/access/v1/evaluation/1",
        "/access/v1/Evaluation",
        "/access/v2/evaluation",
        "/access/v1/search",
        "/access/v1/search/subjects",
        "/.well-known/openid-configuration",
        "/.well-known/authzen-configuration/tenant1",
        "/admin",
        "/docs",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/access/v1/evaluation%00",
        "/a" * 500,
    ],
)
def test_an_unknown_path_is_not_found(client: Client, path: str, method: str) -> None:
    """There is nothing else here, and what is not here is a problem like any other."""
    assert send(client, path, TEXT, method).status_code == 404


@pytest.mark.parametrize(("path", "content", "status"), [
    (EVALUATION, TEXT, 200), (EVALUATION, b"{", 400), (EVALUATION, b"", 400), ("/nowhere", TEXT, 404), ("/healthz", TEXT, 405),
])  # fmt: skip
def test_a_query_changes_nothing(client: Client, path: str, content: bytes, status: int) -> None:
    """Everything that counts is in the body."""
    assert status == send(client, f"{path}?subject=bob&debug=1&x=%ff", content).status_code


def test_an_answer_says_which_policy_made_it(client: Client) -> None:
    """Each decision, and each search, carries the version of its policy."""
    versions = set()
    for plan in PLANS:
        answer = ask(client, table(plan)["path"], table(plan)["sound"])
        versions.add(answer.headers["changegate-policy-version"])

    assert len(versions) == 1
    assert versions.pop().startswith("sha256:")
