"""Clients of made-up services, sync and async alike; shared by their tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from engine import InvalidRequest, open_policy
from engine.client import AsyncServicePolicy, ServicePolicy, open_service, open_service_async

ROOT = Path(__file__).parent.parent
URL = "https://pdp.example.com"
KEY = "cg_" + "k" * 43
SIDES = ("sync", "async")
Handler: TypeAlias = Callable[[httpx.Request], httpx.Response]
Policy: TypeAlias = ServicePolicy | AsyncServicePolicy
Doing: TypeAlias = Callable[[Policy], Any]

TODO = open_policy(ROOT / "examples" / "todo", as_of="2026-11-22")
REQUEST: dict[str, Any] = {
    "subject": {"type": "user", "id": "ann", "properties": {"roles": ["viewer"]}},
    "action": {"name": "read_todo"},
    "resource": {"type": "todo", "id": "1"},
}
YES = TODO.decide(REQUEST).to_dict()


def given(side: str, handler: Handler, do: Doing, taken: list[Any] | None = None, **options: Any) -> Any:
    """What a call gives, be it a value or a stream (as a list; `taken` holds what came before an exception)."""
    if side == "sync":
        with open_service(URL, transport=httpx.MockTransport(handler), **options) as policy:
            return _collect(do(policy), taken)
    return asyncio.run(_given_async(handler, do, taken, options))


def _collect(found: Any, taken: list[Any] | None) -> Any:
    if not isinstance(found, Iterator):
        return found
    into = [] if taken is None else taken
    for each in found:
        into.append(each)
    return into


async def _given_async(handler: Handler, do: Doing, taken: list[Any] | None, options: dict[str, Any]) -> Any:
    async with open_service_async(URL, transport=httpx.MockTransport(handler), **options) as policy:
        found = do(policy)
        if not isinstance(found, AsyncIterable):
            return await found if isinstance(found, Awaitable) else found
        into = [] if taken is None else taken
        async for each in found:
            into.append(each)
        return into


def answered(decision: dict[str, Any]) -> dict[str, Any]:
    """The decision as AuthZEN has it."""
    return {"decision": decision["decision"], "context": {n: each for n, each in decision.items() if n != "decision"}}


def says(data: Any, status: int = 200, **headers: str) -> Handler:
    """A service that always says the same."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    all_headers = {"content-type": "application/json"} | {
        name.replace("_", "-"): each for name, each in headers.items()
    }
    return lambda _: httpx.Response(status, headers=all_headers, content=body)


def problem(status: int, detail: str | None = "so it is", **headers: str) -> Handler:
    data = {"type": "about:blank", "title": "A title", "status": status} | (
        {} if detail is None else {"detail": detail}
    )
    return says(data, status, content_type="application/problem+json", **headers)


class Service:
    """A service that decides by the library itself, and remembers what it was sent."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.bodies: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.bodies.append(json.loads(request.content))
        if "evaluations" in self.bodies[-1]:
            return says({"evaluations": [self.item(each) for each in self.bodies[-1]["evaluations"]]})(request)
        return says(answered(TODO.decide(self.bodies[-1]).to_dict()))(request)

    @staticmethod
    def item(request: dict[str, Any]) -> dict[str, Any]:
        try:
            return answered(TODO.decide(request).to_dict())
        except InvalidRequest as error:
            return {"decision": False, "context": {"error": {"status": 400, "message": str(error)}}}


def numbered(count: int) -> Iterator[dict[str, Any]]:
    """Requests that can be told apart; every third is denied."""
    for number in range(count):
        action = "delete_todo" if number % 3 == 0 else "read_todo"
        yield {**REQUEST, "action": {"name": action}, "resource": {"type": "todo", "id": str(number)}}
