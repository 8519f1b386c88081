"""How a service is found, and whom it answers: the metadata of the decision point, and keys."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance import PLANS, Client, send, service, table

from engine.server.keys import new_key

WELL_KNOWN = "/.well-known/authzen-configuration"
BASE = "https://pdp.example.org"
ENDPOINTS = {
    "access_evaluation_endpoint": "/access/v1/evaluation",
    "access_evaluations_endpoint": "/access/v1/evaluations",
    "search_subject_endpoint": "/access/v1/search/subject",
    "search_resource_endpoint": "/access/v1/search/resource",
    "search_action_endpoint": "/access/v1/search/action",
}
OPEN = ("/healthz", "/readyz", WELL_KNOWN, "/openapi.json")


# --- metadata ---


@pytest.mark.parametrize("base_url", [BASE, f"{BASE}/", f"{BASE}:8443"])
def test_metadata_names_the_decision_point_and_its_endpoints(base_url: str) -> None:
    """The identifier is the URL that the metadata was derived from, and every endpoint is beneath it."""
    with service(base_url=base_url) as client:
        answer = send(client, WELL_KNOWN, method="GET")

    url = base_url.rstrip("/")
    assert answer.status_code == 200
    assert {"policy_decision_point": url, **{name: url + path for name, path in ENDPOINTS.items()}} == answer.json()


def test_metadata_of_a_tenant_is_between_host_and_path() -> None:
    """For an identifier with a path the well-known part stands before that path."""
    with service(base_url=f"{BASE}/tenant1") as client:
        answer = send(client, f"{WELL_KNOWN}/tenant1", method="GET")
        of_nobody = send(client, f"{WELL_KNOWN}/tenant2", method="GET")

    assert answer.status_code == 200
    assert answer.json()["policy_decision_point"] == f"{BASE}/tenant1"
    assert answer.json()["access_evaluation_endpoint"] == f"{BASE}/tenant1/access/v1/evaluation"
    assert of_nobody.status_code == 404


def test_metadata_leaves_out_what_has_no_value() -> None:
    """Parameters are URLs here; none is null or empty, since those must be left out."""
    with service(base_url=BASE) as client:
        parameters = send(client, WELL_KNOWN, method="GET").json()

    assert [name for name, value in parameters.items() if not (isinstance(value, str) and value)] == []
    assert [value for value in parameters.values() if not value.startswith("https://") or set("?#") & set(value)] == []


def test_metadata_needs_no_body_and_no_content_type() -> None:
    """Metadata is asked for by GET; what comes along does not matter."""
    with service(base_url=BASE) as client:
        plain = client.get(WELL_KNOWN)
        with_body = send(client, WELL_KNOWN, b"{", method="GET")
        posted = send(client, WELL_KNOWN, b"{}")

    assert plain.json() == with_body.json()
    assert posted.status_code == 405
    assert "GET" in posted.headers["allow"]


def test_every_endpoint_of_the_metadata_answers() -> None:
    """What is declared is offered: no endpoint is unknown."""
    with service(base_url=BASE) as client:
        parameters = send(client, WELL_KNOWN, method="GET").json()
        for plan in PLANS:
            sound = table(plan)
            assert f"{BASE}{sound['path']}" in parameters.values()
            assert client.post(sound["path"], json=sound["sound"]).status_code == 200


# --- keys ---


class Doors:
    """A service with one key for each scope, and one for all."""

    def __init__(self, client: Client, secrets: dict[str, str]) -> None:
        self.client = client
        self.secrets = secrets

    def knock(self, path: str, authorization: str | None, body: Any = None) -> Any:
        """The answer to a request with this `Authorization`; a GET where there is no body."""
        headers = {} if authorization is None else {"Authorization": authorization}
        method = "GET" if body is None else "POST"
        if body is None:
            return self.client.request(method, path, headers=headers)
        return self.client.request(method, path, json=body, headers=headers)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    made = {name: new_key(name, scopes) for name, scopes in SCOPES.items()}
    file = tmp_path_factory.mktemp("keys") / "keys.txt"
    file.write_text("".join(f"{line}\n" for _, line in made.values()), encoding="utf-8")
    file.chmod(0o600)
    with service(keys=str(Path(file))) as client:
        yield Doors(client, {name: secret for name, (secret, _) in made.items()})


SCOPES: dict[str, tuple[str, ...]] = {
    "decides": ("decide",),
    "searches": ("search",),
    "administers": ("admin",),
    "does-all": ("decide", "search", "admin"),
}
# Who may knock where: each closed address with a body (none is a GET), and the key that opens it.
CLOSED: dict[str, tuple[Any, str]] = {
    **{table(plan)["path"]: (table(plan)["sound"], "searches" if "search" in plan else "decides") for plan in PLANS},
    "/metrics": (None, "administers"),
    "/admin/reload": ({}, "administers"),
}
WRONG = {
    "no key at all": None,
    "a key that nobody has": "Bearer invalid-bogus-credential",
    "a key of the right form that nobody has": f"Bearer cg_{'A' * 43}",
    "nothing": "",
    "a scheme without a key": "Bearer",
    "another scheme": "Basic YWxpY2U6c2VjcmV0",
    "text that is no key": "Bearer \u0000",
}


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("wrong", WRONG)
def test_without_a_known_key_nothing_is_answered(doors: Doors, path: str, wrong: str) -> None:
    """A missing or unknown key is 401, says which scheme is wanted, and decides nothing."""
    body, _ = CLOSED[path]

    answer = doors.knock(path, WRONG[wrong], body)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert not {"decision", "evaluations", "results"} & set(answer.json())


@pytest.mark.parametrize(("path", "name"), [*itertools.product(CLOSED, SCOPES)])
def test_a_key_opens_what_its_scope_names(doors: Doors, path: str, name: str) -> None:
    """A known key answers within its scope; elsewhere it is 403."""
    body, opener = CLOSED[path]

    answer = doors.knock(path, f"Bearer {doors.secrets[name]}", body)

    assert answer.status_code == (200 if name in {opener, "does-all"} else 403), answer.text


@pytest.mark.parametrize("path", OPEN)
def test_what_says_nothing_of_the_policy_needs_no_key(doors: Doors, path: str) -> None:
    """Health, readiness, metadata and the description of the interface are for everybody."""
    assert doors.knock(path, None).status_code == 200


def test_a_stranger_is_not_told_what_is_wrong_with_the_request(doors: Doors) -> None:
    """Who has no key learns that, whatever is sent; not whether it was a request."""
    for content in (b"", b"{", b"[]", b'{"subject": 5}'):
        answer = send(doors.client, "/access/v1/evaluation", content)
        assert answer.status_code == 401


def test_the_scheme_is_read_in_either_case(doors: Doors) -> None:
    """`bearer` is as good as `Bearer` (RFC 9110)."""
    secret = doors.secrets["decides"]
    for scheme in ("bearer", "BEARER"):
        assert (
            doors.knock("/access/v1/evaluation", f"{scheme} {secret}", table("evaluation")["sound"]).status_code == 200
        )


def test_a_key_with_a_character_changed_is_unknown(doors: Doors) -> None:
    """Nearly right is wrong."""
    secret = doors.secrets["decides"]
    for place in range(3, len(secret)):
        changed = secret[:place] + ("B" if secret[place] == "A" else "A") + secret[place + 1 :]
        answer = doors.knock("/access/v1/evaluation", f"Bearer {changed}", table("evaluation")["sound"])
        assert answer.status_code == 401


def test_the_identifier_of_a_request_comes_back_with_a_refusal(doors: Doors) -> None:
    """The rule of X-Request-ID names no status."""
    answer = send(doors.client, "/access/v1/evaluation", b"{}", X_Request_ID="who-am-i")

    assert answer.status_code == 401
    assert answer.headers["x-request-id"] == "who-am-i"
