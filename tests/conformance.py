"""How the tables under tests/authzen are read, asked and checked; shared by the tests of the AuthZEN service."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
import yaml

from engine.server.app import create
from engine.server.settings import Settings

Data: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
TABLES = Path(__file__).parent / "authzen"
INTEROP = ("interop/todo", "interop/search")
PLANS = ("evaluation", "evaluations", "subject_search", "resource_search", "action_search")
# What every answer has.
SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# What no answer may tell.
LEAKS = ("Traceback", str(ROOT), "site-packages", ".py", "falcon", "starlette", "granian", "uvicorn")


class Client:
    """Speaks HTTP to an application in this process, without a network."""

    def __init__(self, application: Any, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://testserver")

    def request(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """The answer to a request; `content`, `json` and `headers` are as in httpx."""
        return self._runner.run(self._http.request(method, path, **parts))

    def get(self, path: str, **parts: Any) -> httpx.Response:
        """The answer to a GET."""
        return self.request("GET", path, **parts)

    def post(self, path: str, **parts: Any) -> httpx.Response:
        """The answer to a POST."""
        return self.request("POST", path, **parts)


@contextmanager
def service(*packs: str, entities: str = "certification", **settings: Any) -> Iterator[Client]:
    """A client of a service for packs of examples/, certification unless told otherwise; the service ends with it."""
    rules = tuple(str(EXAMPLES / pack) for pack in packs or ("certification",))
    sources = (str(EXAMPLES / "entities" / f"{entities}.yaml"),)
    with serving(replace(Settings(rules=rules, entities=sources, watch=0.0), **settings)) as client:
        yield client


@contextmanager
def serving(settings: Settings, **parts: Any) -> Iterator[Client]:
    """A client of a service with these settings and parts of its own (as `create` has them), which ends with it."""
    application = create(settings, **parts)
    with asyncio.Runner() as runner:
        life = runner.run(_begin(application))
        yield Client(application, runner)
        runner.run(life.end())


class _Life:
    """The lifespan of an application (ASGI): it is told to begin, and later to end."""

    def __init__(self, application: Any) -> None:
        self._told: asyncio.Queue[Data] = asyncio.Queue()
        self._said: asyncio.Queue[Data] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._task = asyncio.create_task(application(scope, self._told.get, self._said.put))

    async def begin(self) -> None:
        """Begin; fails where the application does."""
        await self._tell("startup")

    async def end(self) -> None:
        """End, and wait until nothing is left to do."""
        await self._tell("shutdown")
        await self._task

    async def _tell(self, what: str) -> None:
        await self._told.put({"type": f"lifespan.{what}"})
        said = await self._said.get()
        assert said["type"] == f"lifespan.{what}.complete", said


async def _begin(application: Any) -> _Life:
    life = _Life(application)
    await life.begin()
    return life


@dataclass(frozen=True)
class Case:
    """A request of a table, and what must come back; `module` is the suite's name for it."""

    says: str
    path: str
    expect: Data
    content: bytes
    body: Data = field(default_factory=dict)
    module: str = ""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1


# --- reading ---


@cache
def table(name: str) -> Data:
    """A table of tests/authzen."""
    data: Data = yaml.safe_load((TABLES / f"{name}.yaml").read_text(encoding="utf-8"))
    return data


def cases_of(plan: str) -> list[Case]:
    """The cases of a plan, with those that all plans share."""
    data = table(plan)
    shared = [_of_transport(entry, data) for entry in table("transport")["cases"]]
    return [*(_of_plan(entry, data) for entry in data["cases"]), *shared]


def params(cases: Sequence[Case]) -> list[Any]:
    """The cases as parameters of a test, named by their sentences."""
    return [
        pytest.param(case, id=f"{case.path.removeprefix('/access/v1/')} {case.module}: {case.says}") for case in cases
    ]


def _of_plan(entry: Data, plan: Data) -> Case:
    body = entry["body"]
    return Case(entry["says"], plan["path"], entry["expect"], _json(body), body, entry.get("module", ""))


def _of_transport(entry: Data, plan: Data) -> Case:
    body = {**plan["sound"], **entry.get("with", {})}
    content = entry["raw"].encode() if "raw" in entry else _json([body] if entry.get("in_an_array") else body)
    expect = plan["answer"] if entry["expect"] == "sound" else entry["expect"]
    return Case(
        says=entry["says"],
        path=plan["path"],
        expect={**expect, **entry.get("also", {})},
        content=content,
        body=body,
        module=entry["module"],
        method=entry.get("method", "POST"),
        headers=entry.get("headers", {}),
        times=entry.get("times", 1),
    )


def _json(data: Any) -> bytes:
    return json.dumps(data).encode()


# --- asking ---


def send(client: Client, path: str, content: Any = b"", method: str = "POST", **headers: Any) -> Any:
    """The answer to a request, after what holds for every answer has been checked; `_` in a header's name is `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = client.request(method, path, content=content, headers={"Content-Type": "application/json"} | named)
    check_always(answer, method)
    return answer


def ask(client: Client, path: str, body: Any, **headers: Any) -> Any:
    """The answer to a body, as `send` gives it."""
    return send(client, path, _json(body), **headers)


def try_case(client: Client, case: Case) -> None:
    """Send the request of a case as often as it says; every answer is as expected, and the same."""
    bodies = []
    for _ in range(case.times):
        answer = send(client, case.path, case.content, case.method, **case.headers)
        status = case.expect.get("status", 200)
        assert status == answer.status_code, answer.text
        for name, expected in case.expect.items():
            CHECKS[name](answer, expected, case)
        bodies.append(answer.content)
    assert len(set(bodies)) == 1
    if "pages" in case.expect:
        assert case.expect["pages"] == pages(client, case.path, case.body)


def pages(client: Client, path: str, body: Data) -> list[list[str]]:
    """The names of the results on each page of a search, following the tokens to the end."""
    found: list[list[str]] = []
    asked = body
    while len(found) < 100:
        answer = ask(client, path, asked).json()
        assert next(iter(answer)) == "page"
        found.append(names(answer))
        token = answer["page"]["next_token"]
        if not token:
            return found
        # The scenario's follow-up says nothing of the limit.
        asked = {**body, "page": {"token": token}}
    raise AssertionError("the pages do not end")


def names(answer: Data) -> list[str]:
    """The ids, or names, of the results of a search."""
    return [result["id"] if "id" in result else result["name"] for result in answer["results"]]


# --- checking ---


def check_always(answer: Any, method: str = "POST") -> None:
    """What holds for every answer: its form, its headers, and what it keeps to itself."""
    assert {name: answer.headers.get(name, "")[: len(value)] for name, value in SECURITY.items()} == SECURITY
    assert "server-timing" in answer.headers
    assert not any(character.isdigit() for character in answer.headers.get("server", ""))
    assert not [leak for leak in LEAKS if leak.lower() in answer.text.lower()]
    if method != "HEAD" and answer.content:
        assert isinstance(answer.json(), dict)
        (check_problem if answer.status_code >= 400 else check_success)(answer)


def check_success(answer: Any) -> None:
    """An answer is JSON, and says which request it answers."""
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    assert answer.headers["x-request-id"]


def check_problem(answer: Any) -> None:
    """A refusal is a problem (RFC 9457) that says what is wrong."""
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"]
    assert problem["title"]
    assert problem["detail"].strip()


def _header(answer: Any, expected: Mapping[str, str], _case: Case) -> None:
    assert {name: answer.headers.get(name) for name in expected} == expected


def _allow(answer: Any, expected: str, case: Case) -> None:
    """Another method would do, and the one that was used is none of them."""
    methods = answer.headers["allow"].split(", ")
    assert expected in methods
    assert case.method not in methods


def _decision(answer: Any, expected: bool, _case: Case) -> None:
    assert answer.json() == {"decision": expected}


def _decisions(answer: Any, expected: list[bool], _case: Case) -> None:
    assert list(answer.json()) == ["evaluations"]
    assert [item["decision"] for item in answer.json()["evaluations"]] == expected


def _errors(answer: Any, expected: list[int], _case: Case) -> None:
    """These items are errors, and say what is wrong with them; no others have a context."""
    items = answer.json()["evaluations"]
    assert [place for place, item in enumerate(items) if "context" in item] == expected
    for place in expected:
        error = items[place]["context"]["error"]
        assert items[place]["decision"] is False
        assert error["status"] == 400
        assert error["message"]


def _results(answer: Any, expected: list[str], case: Case) -> None:
    """Exactly these are found, each once and of the kind that was asked for."""
    found = answer.json()
    kind = case.path.rpartition("/")[2]
    assert sorted(names(found)) == sorted(expected)
    if kind != "action":
        assert all(result == {"type": case.body[kind]["type"], "id": result["id"]} for result in found["results"])
    assert ("page" in found) == ("page" in case.body)


def _includes(answer: Any, expected: list[str], _case: Case) -> None:
    assert set(expected) <= set(names(answer.json()))


def _excludes(answer: Any, expected: list[str], _case: Case) -> None:
    assert not set(expected) & set(names(answer.json()))


def _more(answer: Any, expected: bool, _case: Case) -> None:
    """A page says first whether there is more, and how much it holds."""
    found = answer.json()
    assert next(iter(found)) == "page"
    assert isinstance(found["page"]["next_token"], str)
    assert bool(found["page"]["next_token"]) == expected
    assert found["page"]["count"] == len(found["results"])


def _detail(answer: Any, expected: str, _case: Case) -> None:
    """The member that is wrong is named by its path."""
    assert f"`{expected}`" in answer.json()["detail"]


def _body(answer: Any, expected: Data, _case: Case) -> None:
    assert answer.json() == expected


def _checked_elsewhere(_answer: Any, _expected: Any, _case: Case) -> None:
    """The status comes before everything else; pages are followed after everything else."""


CHECKS: dict[str, Callable[[Any, Any, Case], None]] = {
    "status": _checked_elsewhere,
    "pages": _checked_elsewhere,
    "header": _header,
    "allow": _allow,
    "decision": _decision,
    "decisions": _decisions,
    "errors": _errors,
    "results": _results,
    "includes": _includes,
    "excludes": _excludes,
    "more": _more,
    "detail": _detail,
    "body": _body,
}
