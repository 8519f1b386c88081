"""What the transport refuses, beyond the suite: JSON that is none, members of the wrong form, wrong methods and paths."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from conformance import PLANS, Client, ask, send, service, table

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
PATHS = [table(plan)["path"] for plan in PLANS]
SOUND = table("evaluation")["sound"]
ALICE, READ, RECORD = SOUND["subject"], SOUND["action"], SOUND["resource"]
TEXT = json.dumps(SOUND).encode()
REST = b'"action": {"name": "read"}, "resource": {"type": "record", "id": "record-1"}}'


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service() as client:
        yield client


@pytest.fixture(scope="module")
def narrow() -> Iterator[Client]:
    """A service with small bounds."""
    with service(max_body=1000, max_batch=3, max_page=1) as client:
        yield client


def with_context(value: bytes) -> bytes:
    """The sound request with this in its context."""
    return TEXT[:-1] + b', "context": {"x": ' + value + b"}}"


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 500):
        yield body[start : start + 500]


# --- JSON ---

NO_JSON: dict[str, bytes] = {
    "a subject twice": b'{"subject": {"type": "user", "id": "bob"}, "subject": {"type": "user", "id": "alice"}, '
    + REST,
    "an id twice": b'{"subject": {"type": "user", "id": "bob", "id": "alice"}, ' + REST,
    "an id twice, once escaped": b'{"subject": {"type": "user", "id": "bob", "\\u0069d": "alice"}, ' + REST,
    "a property twice": b'{"subject": {"type": "user", "id": "bob", "properties": {"role": "a", "role": "admin"}}, '
    + REST,
    "a name twice, deep in the context": with_context(b'[{"a": [{"b": 1, "b": 1}]}]'),
    "NaN": with_context(b"NaN"),
    "Infinity": with_context(b"Infinity"),
    "minus Infinity": with_context(b"-Infinity"),
    "an integer of 5,000 digits": with_context(b"9" * 5000),
    "a leading zero": with_context(b"007"),
    "half a surrogate pair": with_context(b'"\\ud800"'),
    "the other half": with_context(b'"\\udc00"'),
    "half a pair in a name": TEXT[:-1] + b', "\\udfff": 1}',
    "half a pair in an id": b'{"subject": {"type": "user", "id": "\\ud83d"}, ' + REST,
    "bytes that are no UTF-8": with_context(b'"\xff"'),
    "a surrogate in UTF-8": with_context(b'"\xed\xa0\x80"'),
    "an overlong slash": with_context(b'"\xc0\xaf"'),
    "UTF-16": TEXT.decode().encode("utf-16"),
    "UTF-32": TEXT.decode().encode("utf-32-le"),
    "a byte order mark": b"\xef\xbb\xbf" + TEXT,
    "100 arrays in each other": with_context(nested(100)),
    "100 objects in each other": with_context(b'{"a":' * 100 + b"1" + b"}" * 100),
    "10,000 arrays in each other": with_context(nested(10_000)),
    "10,000 arrays that stay open": b"[" * 10_000,
    "a control character in a text": with_context(b'"a\x00b"'),
    "a comma too many": TEXT[:-1] + b",}",
    "a bracket too many": TEXT + b"}",
    "two requests": TEXT + TEXT,
    "two requests in lines": TEXT + b"\n" + TEXT,
    "single quotes": TEXT.replace(b'"', b"'"),
    "a comment": TEXT + b"// please",
    "white space": b" \n\t ",
    "a form": b"subject=alice&action=read",
    "null": b"null",
    "true": b"true",
    "a number": b"5",
    "a text": b'"read"',
    "an empty array": b"[]",
    "an empty object": b"{}",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_json_object_is_refused(client: Client, path: str, name: str) -> None:
    """Nothing is guessed: a body that is not strict JSON, or no request, is 400 everywhere."""
    assert send(client, path, NO_JSON[name]).status_code == 400


JSON: dict[str, bytes] = {
    "white space around it": b"\r\n\t " + TEXT + b"\n\n",
    "members in another order": json.dumps({name: SOUND[name] for name in reversed(SOUND)}).encode(),
    "escaped letters": TEXT.replace(b"alice", b"\\u0061lice"),
    "a whole surrogate pair": with_context(b'"\\ud83d\\ude00"'),
    "the same in UTF-8": with_context('"😀"'.encode()),
    "an escaped null character in the context": with_context(b'"\\u0000"'),
    "one name in two objects": with_context(b'[{"a": 1}, {"a": 1}]'),
    "a colon in a text": with_context(b'"a: b: c"'),
    "50 arrays in each other": with_context(nested(50)),
    "a number with 15 digits": with_context(b"999999999999999"),
    "a number with an exponent": with_context(b"1.5E-7"),
    "a number beyond all measure that no rule reads": with_context(b"1e400"),
    "null in place of properties": json.dumps({**SOUND, "subject": {**ALICE, "properties": None}}).encode(),
    "null in place of a context": json.dumps({**SOUND, "context": None}).encode(),
    "empty properties": json.dumps({**SOUND, "action": {**READ, "properties": {}}}).encode(),
    "the members of other endpoints": json.dumps({**SOUND, "evaluations": 5, "options": [], "page": -1}).encode(),
}


@pytest.mark.parametrize("name", JSON)
def test_what_is_json_is_read(client: Client, name: str) -> None:
    """Strict is not narrow: what the standard admits is decided as always."""
    assert {"decision": True} == send(client, EVALUATION, JSON[name]).json()


# --- the form of members ---

NO_ENTITIES: dict[str, dict[str, Any]] = {
    "a subject that is null": {"subject": None},
    "a subject that is a list": {"subject": [ALICE]},
    "a subject that is true": {"subject": True},
    "a type that is a number": {"subject": {**ALICE, "type": 5}},
    "a type that is null": {"subject": {**ALICE, "type": None}},
    "an id that is a number": {"subject": {**ALICE, "id": 5}},
    "an id that is true": {"subject": {**ALICE, "id": True}},
    "an id that is an object": {"subject": {**ALICE, "id": {}}},
    "a name that is null": {"action": {"name": None}},
    "a name that is a list": {"action": {"name": ["read"]}},
    "an action that is text": {"action": "read"},
    "a resource that is text": {"resource": "record-1"},
    "a resource's type that is an object": {"resource": {**RECORD, "type": {}}},
    "a resource's id that is a number": {"resource": {**RECORD, "id": 1}},
    "properties that are a list": {"subject": {**ALICE, "properties": []}},
    "properties that are text": {"action": {**READ, "properties": "soft"}},
    "properties that are a number": {"resource": {**RECORD, "properties": 0}},
    "properties that are false": {"resource": {**RECORD, "properties": False}},
    "a context that is a list": {"context": []},
    "a context that is text": {"context": "now"},
    "a context that is false": {"context": False},
    "a context that is a number": {"context": 0},
}


@pytest.mark.parametrize("name", NO_ENTITIES)
def test_a_member_of_the_wrong_form_is_refused(client: Client, name: str) -> None:
    """Text is text, an object is an object; nothing is converted."""
    assert ask(client, EVALUATION, {**SOUND, **NO_ENTITIES[name]}).status_code == 400


ODD: dict[str, dict[str, Any]] = {
    "no subject at all, by name": {"subject": {"type": "", "id": ""}},
    "a stranger": {"subject": {"type": "user", "id": "mallory"}},
    "an id with a dot, a dollar and braces": {"subject": {"type": "user", "id": "$subject.id {record.author}"}},
    "an id in another script": {"subject": {"type": "user", "id": "Αλίκη"}},
    "an id that looks like alice": {"subject": {"type": "user", "id": "аlice"}},
    "an id with other letters": {"subject": {"type": "user", "id": "Alice"}},
    "an id with a null character": {"subject": {"type": "user", "id": "alice\u0000"}},
    "an id of 100,000 characters": {"subject": {"type": "user", "id": "a" * 100_000}},
    "another type of subject": {"subject": {"type": "users", "id": "alice"}},
    "an unknown action": {"action": {"name": "launch"}},
    "an action in capitals": {"action": {"name": "READ"}},
    "an unknown resource": {"resource": {"type": "record", "id": "record-3"}},
    "another type of resource": {"resource": {"type": "file", "id": "record-1"}},
    "a status that does not exist": {"resource": {**RECORD, "properties": {"status": "lost"}}},
    "a status that is no text": {"resource": {**RECORD, "properties": {"status": True}}},
    "a registration that is no truth value": {"subject": {**ALICE, "properties": {"registered": "true"}}},
    "a registration that is one": {"subject": {**ALICE, "properties": {"registered": 1}}},
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_not_known_is_denied_not_refused(client: Client, name: str) -> None:
    """A well-formed request about strange things is a decision, and the decision is no."""
    assert {"decision": False} == ask(client, EVALUATION, {**SOUND, **ODD[name]}).json()


# --- content ---

TYPES = {
    "application/json": 200,
    "Application/JSON": 200,
    "application/json;charset=UTF-8": 200,
    'application/json ; charset="utf-8"': 200,
    "application/json; charset=utf-8; profile=x": 200,
    "application/json; charset=utf-16": 400,
    "application/json; profile=x; charset=utf-16": 400,
    "application/json; charset=latin-1": 400,
    "application/jsonx": 400,
    "application/problem+json": 400,
    "application/x-www-form-urlencoded": 400,
    "multipart/form-data; boundary=x": 400,
    "text/json": 400,
    "*/*": 400,
    "": 400,
    ";": 400,
}


@pytest.mark.parametrize("kind", TYPES)
def test_only_json_in_utf_8_is_read(client: Client, kind: str) -> None:
    """The content type is `application/json`, in whatever letters; everything else is 400."""
    assert TYPES[kind] == send(client, EVALUATION, TEXT, Content_Type=kind).status_code


def test_a_body_without_content_type_is_refused(client: Client) -> None:
    """The content type must be told."""
    assert client.post(EVALUATION, content=TEXT).status_code == 400


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip", "x"])
def test_a_compressed_body_is_refused(client: Client, coding: str) -> None:
    """Nothing is unpacked here, so nothing can burst."""
    assert send(client, EVALUATION, TEXT, Content_Encoding=coding).status_code == 415


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9", "image/*", "nonsense"])
def test_the_answer_is_json_whatever_is_accepted(client: Client, accept: str) -> None:
    """AuthZEN knows one form of answers."""
    assert {"decision": True} == send(client, EVALUATION, TEXT, Accept=accept).json()


# --- sizes ---


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("told", [True, False], ids=["with its length told", "in chunks"])
def test_a_body_that_is_too_large_is_refused(narrow: Client, path: str, told: bool) -> None:
    """A byte too many is 413, whether the length is told or found out."""
    body = b'{"x": "' + b"a" * 992 + b'"}'
    assert len(body) == 1001

    answer = send(narrow, path, body if told else in_chunks(body))

    assert answer.status_code == 413


def test_a_body_as_large_as_may_be_is_read(narrow: Client) -> None:
    """The bound itself is allowed."""
    assert {"decision": True} == send(narrow, EVALUATION, TEXT + b" " * (1000 - len(TEXT))).json()


@pytest.mark.parametrize(("count", "status"), [(1, 200), (3, 200), (4, 413)])
def test_a_batch_has_so_many_items_at_most(narrow: Client, count: int, status: int) -> None:
    """An item too many is 413, and nothing is decided."""
    answer = ask(narrow, EVALUATIONS, {**SOUND, "evaluations": [{}] * count})

    assert status == answer.status_code
