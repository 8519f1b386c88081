"""The OpenAPI document: that it is one, that it says all the service has, and that the answers are what it says."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import falcon.inspect
import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from engine.schema import schema
from engine.server.app import create
from engine.server.keys import SCOPES, new_key
from engine.server.openapi import document
from engine.server.service import Service
from engine.server.settings import LEVELS, Settings

ROOT = Path(__file__).parent.parent
RECORDS = Settings(
    rules=(str(ROOT / "examples" / "certification"),),
    entities=(str(ROOT / "examples" / "entities" / "certification.yaml"),),
    as_of="2026-11-22",
    watch=0,
)
EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
SUBJECTS, RESOURCES, ACTIONS = (f"/access/v1/search/{kind}" for kind in ("subject", "resource", "action"))
ALICE, RECORD = {"type": "user", "id": "alice"}, {"type": "record", "id": "record-1"}
READ: dict[str, Any] = {"subject": ALICE, "action": {"name": "read"}, "resource": RECORD}
WHO = {**READ, "subject": {"type": "user"}}
WHAT = {**READ, "resource": {"type": "record"}}
WHICH = {"subject": ALICE, "resource": RECORD}

# --- the document ---

KINDS = [
    ("as it is by default", Settings(), ("en",)),
    ("with keys", Settings(keys="keys"), ("en", "el")),
    ("of a policy without languages", Settings(base_url="https://pdp.example.com/tenant"), ()),
    ("with other bounds", Settings(max_body=1, max_batch=1, max_page=1, detail="full"), ("en",)),
]


@pytest.mark.parametrize(("settings", "languages"), [kind[1:] for kind in KINDS], ids=[kind[0] for kind in KINDS])
def test_the_document_is_openapi(settings: Settings, languages: tuple[str, ...]) -> None:
    """Whatever the settings, the document is OpenAPI 3.1, with nothing left of what it was made from."""
    made = document(settings, languages)

    assert [] == [error.message for error in OpenAPIV31SpecValidator(made).iter_errors()]
    assert [] == re.findall(r'"x-[a-z]+"|\$[a-z]+_[a-z]+|\$languages', json.dumps(made))


def test_the_document_has_every_route_and_no_other() -> None:
    """An address that is not described is not found; one that is only described misleads."""
    application = create(RECORDS)._application
    routes = {
        (route.path, method.method.lower())
        for route in falcon.inspect.inspect_routes(application)  # type: ignore[arg-type]
        for method in route.methods
        if not method.internal and method.method != "HEAD"  # any address that has a GET may have it
    }

    assert routes == {(path, method) for path, item in document(RECORDS, ["en"])["paths"].items() for method in item}


def test_operations_have_names_of_their_own() -> None:
    """Clients that are generated call their functions so."""
    names = [operation["operationId"] for operation in _operations(document(RECORDS, ["en"]))]

    assert len(names) == len(set(names))


# What a setting changes: the setting, the place in the document, and what stands there.
SETTINGS: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "servers/0/url", "http://127.0.0.1:8080"),
    ({"base_url": "https://pdp.example.com/"}, "servers/0/url", "https://pdp.example.com"),
    ({"max_batch": 7}, "components/schemas/Batch/properties/evaluations/maxItems", 7),
    ({"max_batch": 7}, "components/schemas/BatchWithErrors/properties/evaluations/maxItems", 7),
    ({"max_page": 7}, "components/schemas/PageResponse/properties/count/maximum", 7),
    ({"detail": "codes"}, "components/parameters/Detail/schema/default", "codes"),
    ({}, "components/parameters/Detail/schema/enum", list(LEVELS)),
    ({}, "components/headers/ContentLanguage/schema/enum", ["en", "el"]),
]


@pytest.mark.parametrize(("changes", "place", "value"), SETTINGS)
def test_the_document_is_of_this_service(changes: dict[str, Any], place: str, value: Any) -> None:
    """Bounds, defaults and languages are those that hold here."""
    found: Any = document(replace(RECORDS, **changes), ["en", "el"])
    for step in place.split("/"):
        found = found[int(step) if isinstance(found, list) else step]

    assert value == found


@pytest.mark.parametrize("number", [123456, 234567])
def test_the_size_of_a_body_is_said(number: int) -> None:
    """JSON Schema has no word for it, so the description has."""
    made = document(replace(RECORDS, max_body=number), ["en"])

    assert f"{number} bytes" in made["info"]["description"]
    assert f"{number} bytes" in made["components"]["responses"]["TooLarge"]["description"]


@pytest.mark.parametrize("keys", [None, "keys"])
def test_keys_are_asked_for_where_they_are(keys: str | None) -> None:
    """Deciding, searching and what operators do need a key with a scope, once there are keys; the rest is open."""
    made = document(replace(RECORDS, keys=keys), ["en"])
    scopes = {path: item.get("post", item.get("get")).get("security") for path, item in made["paths"].items()}
    asked = {
        EVALUATION: "decide", EVALUATIONS: "decide", SUBJECTS: "search", RESOURCES: "search", ACTIONS: "search",
        "/metrics": "admin", "/admin/reload": "admin",
    }  # fmt: skip

    assert {path: [{"key": [asked[path]]}] if keys and path in asked else None for path in scopes} == scopes
    assert bool(keys) == ("securitySchemes" in made["components"])
    for operation in _operations(made):
        assert ("security" in operation) == ("401" in operation["responses"]) == ("403" in operation["responses"])


def test_a_decision_is_explained_as_the_contract_has_it() -> None:
    """`context` has the members of a decision, without `decision`, which stands beside it; none is written twice."""
    contract = schema("decision")
    schemas = document(RECORDS, ["en"])["components"]["schemas"]
    properties = {name: each for name, each in contract["properties"].items() if name != "decision"}

    assert properties == schemas["Explanation"]["properties"]
    assert set(properties) == set(schemas["Explanation"]["required"])
    assert properties["cause"] == schemas["Cause"]


def test_a_document_is_nobody_else_s() -> None:
    """Who changes a document changes no other, and no schema of the engine."""
    document(RECORDS, ["en"])["components"]["schemas"]["Cause"]["enum"].append("whim")

    assert "whim" not in json.dumps([schema("decision"), document(RECORDS, ["en"])])


def _operations(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in made["paths"].values():
        yield from item.values()


# --- its examples ---


def _holders(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything in the document that has a schema, with its place."""
    if isinstance(node, dict):
        if "schema" in node:
            yield place, node
        for name, each in node.items():
            yield from _holders(each, f"{place}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list):
        for index, each in enumerate(node):
            yield from _holders(each, f"{place}/{index}")


def _examples(holder: dict[str, Any]) -> list[Any]:
    named = [each["value"] for each in holder.get("examples", {}).values()]
    return [*named, *([holder["example"]] if "example" in holder else [])]


EXAMPLES = [
    pytest.param(place, value, id=f"{place}-{index}")
    for place, holder in _holders(document(RECORDS, ["en"]))
    for index, value in enumerate(_examples(holder))
]


@pytest.mark.parametrize(("place", "value"), EXAMPLES)
def test_examples_are_what_they_show(place: str, value: Any) -> None:
    """Each example has the form that it is an example of, and no member that is not described."""
    assert [] == _wrong_with(value, _closed(document(RECORDS, ["en"])), f"{place}/schema")


def test_requests_and_decisions_have_examples() -> None:
    """The table above is not empty where readers look first."""
    places = {place for place, holder in _holders(document(RECORDS, ["en"])) if _examples(holder)}

    for path in (EVALUATION, EVALUATIONS, SUBJECTS, RESOURCES, ACTIONS):
        whole = f"/paths/{path.replace('/', '~1')}/post"
        assert {
            f"{whole}/requestBody/content/application~1json",
            f"{whole}/responses/200/content/application~1json",
        } <= places


def _closed(made: dict[str, Any]) -> dict[str, Any]:
    """The document, so that no object has a member that is not described; for what is sent, not for what is taken."""
    for each in made["components"]["schemas"].values():
        _close(each)
    return made


def _close(node: Any) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict) and "type" in node:
            node.setdefault("additionalProperties", False)
        for each in node.values():
            _close(each)
    elif isinstance(node, list):
        for each in node:
            _close(each)


def _wrong_with(value: Any, made: dict[str, Any], place: str) -> list[str]:
    """What keeps the value from being what the schema at that place of the document says."""
    registry: Registry[Any] = Registry().with_resource("urn:document", DRAFT202012.create_resource(made))
    validator = Draft202012Validator(
        {"$ref": f"urn:document#{place}"}, registry=registry, format_checker=FormatChecker()
    )
    return [error.message for error in validator.iter_errors(value)]


# --- the answers ---


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A key for each scope, and under `file` the file that they are in."""
    made = {scope: new_key(scope, [scope]) for scope in SCOPES}
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text("\n".join(line for _, line in made.values()), encoding="utf-8")
    file.chmod(0o600)
    return {"file": str(file), **{scope: secret for scope, (secret, _) in made.items()}}


def _ask(
    settings: Settings, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    """The answer of a service with these settings; data that is no bytes is sent as JSON."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create(settings))
        sent = body if isinstance(body, bytes | None) or hasattr(body, "__aiter__") else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **(headers or {})}
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, content=sent, headers=given)

    return asyncio.run(ask())


def _check(
    settings: Settings, method: str, path: str, response: httpx.Response, languages: Sequence[str] = ("en",)
) -> None:
    """The answer is one that the document knows: its status, its headers, its body, and nothing besides."""
    made = _closed(document(settings, languages))
    status = str(response.status_code)
    described = f"/paths/{path.replace('/', '~1')}/{method.lower()}/responses/{status}"
    known = made["paths"][path][method.lower()]["responses"][status]
    if "$ref" in known:
        described = known["$ref"].removeprefix("#")
        known = made["components"]["responses"][described.rpartition("/")[2]]
    media = response.headers["Content-Type"].partition(";")[0]
    body = response.text if media == "text/plain" else response.json()

    assert [media] == list(known["content"])
    assert [] == _wrong_with(body, made, f"{described}/content/{media.replace('/', '~1')}/schema")
    _check_headers(made, known["headers"], response)


def _check_headers(made: dict[str, Any], known: dict[str, Any], response: httpx.Response) -> None:
    for name, reference in known.items():
        place = reference["$ref"].removeprefix("#")
        header = made["components"]["headers"][place.rpartition("/")[2]]
        assert name in response.headers or not header.get("required"), name
        if name in response.headers:
            assert [] == _wrong_with(response.headers[name], made, f"{place}/schema")
    assert set(response.headers) <= {name.lower() for name in known} | {"content-type", "content-length", "connection"}


ANSWERS: list[tuple[str, str, Any, dict[str, str]]] = [
    *(("POST", EVALUATION, READ, {"ChangeGate-Detail": str(level)}) for level in LEVELS),
    ("POST", EVALUATION, {**READ, "action": {"name": "write"}, "context": {"date": "never"}}, {"ChangeGate-Detail": "full"}),
    ("POST", EVALUATION, {**READ, "subject": {"type": "", "id": ""}, "context": None, "more": 1}, {}),
    ("POST", EVALUATION, {**READ, "action": {"name": "write"}}, {"ChangeGate-Detail": "reasons", "Accept-Language": "el"}),
    ("POST", EVALUATION, READ, {"X-Request-ID": "mine"}),
    ("POST", EVALUATIONS, READ, {"ChangeGate-Detail": "codes"}),
    ("POST", EVALUATIONS, {**READ, "evaluations": [], "options": None}, {}),
    ("POST", EVALUATIONS, {**READ, "evaluations": None, "options": {"evaluations_semantic": None}}, {}),
    *(("POST", EVALUATIONS, {**READ, "evaluations": [{}, {}]}, {"ChangeGate-Detail": str(level)}) for level in LEVELS),
    ("POST", EVALUATIONS, {"resource": {}, "evaluations": [READ, {}, 5, {"subject": ALICE}]}, {"ChangeGate-Detail": "full"}),
    ("POST", EVALUATIONS, {"evaluations": [READ], "options": {"evaluations_semantic": "deny_on_first_deny"}}, {}),
    ("POST", SUBJECTS, WHO, {}),
    ("POST", SUBJECTS, {**WHO, "page": {}}, {}),
    ("POST", SUBJECTS, {**WHO, "page": {"limit": 1, "token": "", "properties": {}}}, {}),
    ("POST", RESOURCES, WHAT, {}),
    ("POST", RESOURCES, {**WHAT, "page": {"limit": 0}}, {}),
    ("POST", RESOURCES, {**WHAT, "page": {"limit": 10**30}}, {}),
    ("POST", RESOURCES, {**WHAT, "page": {"limit": 5.0, "token": None}}, {}),
    ("POST", RESOURCES, {**WHAT, "page": {"limit": None}, "context": None}, {}),
    ("POST", RESOURCES, {**WHAT, "resource": {"type": "planet", "id": 5}}, {}),
    ("POST", ACTIONS, WHICH, {}),
    ("POST", ACTIONS, {**WHICH, "action": 5, "page": {"limit": 2}}, {}),
    ("GET", "/.well-known/authzen-configuration", None, {}),
    ("GET", "/openapi.json", None, {}),
    ("GET", "/healthz", None, {}),
    ("GET", "/readyz", None, {}),
    ("GET", "/metrics", None, {}),
    ("POST", "/admin/reload", None, {}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "headers"), ANSWERS)
def test_answers_are_as_described(method: str, path: str, body: Any, headers: dict[str, str]) -> None:
    """What the service sends has the form that the document gives it, with no member or header besides."""
    response = _ask(RECORDS, method, path, body, headers)

    assert HTTPStatus.OK == response.status_code
    _check(RECORDS, method, path, response)


def test_rich_decisions_are_as_described() -> None:
    """Whatever a decision can tell, also in another language, comes as the document has it."""
    languages = ("en", "el", "pl", "sv", "lv")
    shipped = replace(RECORDS, rules=(str(ROOT / "rules"),), entities=())
    asked = [
        json.loads(file.read_text(encoding="utf-8")) for file in sorted((ROOT / "examples" / "requests").iterdir())
    ]
    strange = {"action": {"name": "purchase", "properties": {"payment_method": 5}}, "context": {"whim": 1}}
    items = [
        {**each, "subject": {**ALICE, **each.get("subject", {})}, "resource": {"id": "one", **each["resource"]}}
        for each in [*asked, *({**each, "resource": {"type": "subscription"}} for each in [*asked, strange])]
    ]
    wanted = {"ChangeGate-Detail": "full", "Accept-Language": "el"}
    response = _ask(shipped, "POST", EVALUATIONS, {"evaluations": items}, wanted)
    told = [each["context"] for each in response.json()["evaluations"]]
    lists = [name for name, each in schema("decision")["properties"].items() if "array" in each.get("type", ())]

    assert "el" == response.headers["Content-Language"]
    assert [] == [name for name in lists if not any(each[name] for each in told)]
    _check(shipped, "POST", EVALUATIONS, response, languages)


# What no answer may be: the value and its schema.
STRANGE = [
    ({"decision": True, "reason": "whim"}, "Decision"),
    ({"decision": True, "context": {"outcome": "allow"}}, "Decision"),
    ({"decision": True, "evaluations": []}, "EvaluationsResponse"),
    (
        {"evaluations": [{"decision": True, "context": {"error": {"status": 200, "message": ""}}}]},
        "EvaluationsResponse",
    ),
    ({"results": [], "page": {"count": 0}}, "SubjectSearchResponse"),
    ({"type": "about:blank", "title": "", "status": 400, "detail": "", "trace": ""}, "Problem"),
]


@pytest.mark.parametrize(("value", "name"), STRANGE)
def test_what_is_not_described_is_found(value: Any, name: str) -> None:
    """The checks here can fail."""
    assert _wrong_with(value, _closed(document(RECORDS, ["en"])), f"/components/schemas/{name}")


def test_the_served_document_is_this_one() -> None:
    """What is tested here is what clients read."""
    assert document(RECORDS, ["en"]) == _ask(RECORDS, "GET", "/openapi.json").json()


def test_a_service_without_entities_says_so() -> None:
    """That nothing is found is told apart from that nothing can be found."""
    response = _ask(replace(RECORDS, entities=()), "POST", SUBJECTS, WHO)

    assert {"reason": "no_entities"} == response.json()["context"]
    _check(RECORDS, "POST", SUBJECTS, response)


def test_the_next_page_is_where_the_link_says() -> None:
    """Whoever follows the link of a search reaches all results, and is told where they end."""
    made, found, token = document(RECORDS, ["en"]), [], None
    link = made["paths"][SUBJECTS]["post"]["responses"]["200"]["links"]["next"]["requestBody"]
    assert {"token": "$response.body#/page/next_token"} == link["page"]
    while token != "":
        sent = {name: WHO[name] for name in link if name in WHO}
        response = _ask(RECORDS, "POST", SUBJECTS, {**sent, "page": {"limit": 1, "token": token}})
        _check(RECORDS, "POST", SUBJECTS, response)
        found += response.json()["results"]
        token = response.json()["page"]["next_token"]

    assert [ALICE, {"type": "user", "id": "bob"}] == found


# --- the problems ---


async def _slowly() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.sleep(10)


# What is refused: what is special about the service, the request, and the status.
PROBLEMS: list[tuple[dict[str, Any], str, str, Any, dict[str, str], int]] = [
    ({}, "POST", EVALUATION, b"{", {}, 400),
    ({}, "POST", EVALUATION, [], {}, 400),
    ({}, "POST", EVALUATION, READ, {"Content-Type": "text/plain"}, 400),
    ({}, "POST", EVALUATION, {**READ, "subject": None}, {}, 400),
    *(({}, "POST", path, {**READ, "action": {"name": ""}}, {}, 400) for path in (EVALUATION, SUBJECTS, RESOURCES)),
    ({}, "POST", SUBJECTS, {**WHO, "subject": {"type": "planet"}, "action": {"name": ""}}, {}, 400),
    ({}, "POST", EVALUATION, READ, {"ChangeGate-Detail": "everything"}, 400),
    ({}, "POST", EVALUATION, READ, {"X-Request-ID": "x" * 257}, 400),
    ({}, "GET", "/healthz", None, {"X-Request-ID": "x" * 257}, 400),
    ({}, "POST", EVALUATIONS, {**READ, "options": {"evaluations_semantic": "any"}}, {}, 400),
    ({}, "POST", EVALUATIONS, {**READ, "evaluations": {}}, {}, 400),
    ({}, "POST", SUBJECTS, {**WHO, "page": {"token": "mine"}}, {}, 400),
    ({}, "POST", RESOURCES, {**WHAT, "page": {"limit": -1}}, {}, 400),
    ({"keys": True}, "POST", EVALUATION, READ, {}, 401),
    ({"keys": True}, "POST", SUBJECTS, WHO, {"Authorization": "Bearer mine"}, 401),
    ({"keys": True}, "GET", "/metrics", None, {}, 401),
    ({"keys": True}, "POST", EVALUATIONS, READ, {"Authorization": "search"}, 403),
    ({"keys": True}, "POST", "/admin/reload", None, {"Authorization": "decide"}, 403),
    ({"max_seconds": 0.01}, "POST", EVALUATION, _slowly, {}, 408),
    ({"max_body": 9}, "POST", EVALUATION, READ, {}, 413),
    ({"max_batch": 1}, "POST", EVALUATIONS, {**READ, "evaluations": [{}, {}]}, {}, 413),
    ({}, "POST", ACTIONS, WHICH, {"Content-Encoding": "gzip"}, 415),
    ({"max_concurrent": 0}, "POST", EVALUATION, READ, {}, 503),
    ({"max_concurrent": 0}, "GET", "/healthz", None, {}, 503),
]  # fmt: skip


@pytest.mark.parametrize(("special", "method", "path", "body", "headers", "status"), PROBLEMS)
def test_problems_are_as_described(
    special: dict[str, Any],
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
    status: int,
    keys: dict[str, str],
) -> None:
    """What is refused is refused with a status and a problem that the document has for this operation."""
    settings = replace(RECORDS, **{**special, **({"keys": keys["file"]} if "keys" in special else {})})
    key = keys.get(headers.get("Authorization", ""))
    given = {**headers, "Authorization": f"Bearer {key}"} if key else headers
    response = _ask(settings, method, path, body() if callable(body) else body, given)

    assert status == response.status_code
    assert status == response.json()["status"]
    _check(settings, method, path, response)


OTHER_METHODS = [(EVALUATION, "GET"), (SUBJECTS, "PUT"), ("/healthz", "POST"), ("/admin/reload", "GET")]


@pytest.mark.parametrize(("path", "method"), OTHER_METHODS)
def test_other_methods_are_refused_as_described(path: str, method: str) -> None:
    """An answer to a method that a path does not know is described with the one that it knows."""
    (known,) = document(RECORDS, ["en"])["paths"][path]
    response = _ask(RECORDS, method, path)

    assert HTTPStatus.METHOD_NOT_ALLOWED == response.status_code
    assert known.upper() in response.headers["Allow"]
    _check(RECORDS, known, path, response)


def test_where_nothing_is_there_is_a_problem() -> None:
    """No operation has this answer, and yet it has the form of the others."""
    response = _ask(RECORDS, "GET", "/access/v2/evaluation")

    assert (404, "application/problem+json") == (response.status_code, response.headers["Content-Type"])
    assert [] == _wrong_with(response.json(), _closed(document(RECORDS, ["en"])), "/components/schemas/Problem")


def test_rules_that_are_wrong_are_a_conflict(tmp_path: Path) -> None:
    """A reload that cannot be is described, too; the policy before it stays, and is called stale."""
    pack = shutil.copytree(RECORDS.rules[0], tmp_path / "pack")
    settings = replace(RECORDS, rules=(str(pack),))
    application = create(settings)
    (pack / "records.yaml").write_text("rules: 5", encoding="utf-8")

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return [await client.post("/admin/reload"), await client.get("/readyz")]

    refused, ready = asyncio.run(ask())
    assert (409, "stale") == (refused.status_code, ready.json()["status"])
    _check(settings, "POST", "/admin/reload", refused)
    _check(settings, "GET", "/readyz", ready)


def test_a_fault_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong inside is described as such, and nothing of it is shown."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(Service, "one", fail)
    response = _ask(RECORDS, "POST", EVALUATION, READ)

    assert HTTPStatus.INTERNAL_SERVER_ERROR == response.status_code
    assert "secret" not in response.text
    _check(RECORDS, "POST", EVALUATION, response)
