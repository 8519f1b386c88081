"""The addresses: what each of them answers to which method."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from engine.server import authzen, openapi
from engine.server.call import Answer, Call, Handler
from engine.server.front import DETAIL, Front
from engine.server.pages import page_of
from engine.server.problems import Problem
from engine.server.service import Asking


def addresses(front: Front) -> dict[str, dict[str, Handler]]:
    """The handlers of each path, by method."""
    metadata: dict[str, Handler] = {
        "GET": partial(_metadata, json.dumps(authzen.metadata(front.settings.url)).encode())
    }
    searches: dict[str, dict[str, Handler]] = {
        path: {"POST": partial(_search, front, kind)} for kind, path in authzen.SEARCHES.items()
    }
    return {
        **evaluations(front),
        **searches,
        authzen.METADATA: metadata,
        # The path of an identifier comes after the well-known one (section 9.2).
        authzen.METADATA + urlsplit(front.settings.url).path: metadata,
        "/openapi.json": {"GET": partial(_openapi, front)},
        "/healthz": {"GET": _health, "HEAD": _health},
        "/readyz": {"GET": partial(_ready, front), "HEAD": partial(_ready, front)},
        "/metrics": {"GET": partial(_figures, front)},
        "/admin/reload": {"POST": partial(_reload, front)},
    }


def evaluations(front: Front) -> dict[str, dict[str, Handler]]:
    """The handlers of those addresses at which decisions are made, in which every microsecond counts."""
    return {
        authzen.EVALUATION: {"POST": partial(_evaluation, front)},
        authzen.EVALUATIONS: {"POST": partial(_evaluations, front)},
    }


async def _evaluation(front: Front, call: Call) -> Answer:
    """One request, one decision."""
    return _decided(front, authzen.evaluation(front.body(call, "decide")), call)


async def _evaluations(front: Front, call: Call) -> Answer:
    """A batch of requests, in order, as far as its semantic goes; or one of them."""
    body = front.body(call, "decide")
    batch = authzen.evaluations(body, front.settings.max_batch)
    if batch is None:
        return _decided(front, authzen.evaluation(body), call)
    asking = front.asking(call)
    return _answer(await front.service.many(batch, asking), asking)


def _decided(front: Front, request: Mapping[str, Any], call: Call) -> Answer:
    asking = front.asking(call)
    return _answer(front.service.one(request, asking), asking)


def _answer(text: str, asking: Asking) -> Answer:
    """The answer, which says which language its texts are in, where there are any."""
    if asking.level in ("reasons", "full"):
        headers = {"Content-Language": asking.language, "Vary": f"Accept-Language, {DETAIL}"}
        return Answer(text.encode(), headers=headers)
    return Answer(text.encode())


async def _search(front: Front, kind: str, call: Call) -> Answer:
    """The subjects, resources or actions that would be allowed."""
    body = front.body(call, "search")
    request = authzen.searched(body, kind)
    page = page_of(body, kind, front.settings.max_page)
    return Answer((await front.service.search(kind, request, page, call.live)).encode())


async def _metadata(data: bytes, _call: Call) -> Answer:
    """What clients may ask here, and where."""
    return Answer(data)


async def _openapi(front: Front, call: Call) -> Answer:
    """The description of all this for programs."""
    document = openapi.document(front.settings, call.live.pack.languages)
    return Answer(json.dumps(document, ensure_ascii=False).encode())


async def _health(_call: Call) -> Answer:
    """That the process lives."""
    return Answer(b'{"status": "ok"}')


async def _ready(front: Front, call: Call) -> Answer:
    """Ready, or stale: the rules were changed, what they are now is wrong, and the policy before it answers."""
    status = "stale" if front.service.life.is_stale else "ready"
    return Answer(json.dumps({"status": status, "policy_version": call.live.version}).encode())


async def _figures(front: Front, call: Call) -> Answer:
    """Figures for Prometheus."""
    front.admit(call, "admin")
    return Answer(*front.service.metrics.render(call.header(b"accept") or ""))


async def _reload(front: Front, call: Call) -> Answer:
    """Read everything anew, and serve it unless it is wrong."""
    front.admit(call, "admin")
    life = front.service.life
    if not await asyncio.to_thread(life.call):
        raise Problem(409, "what is there now is wrong, as the log says; the policy before it stays")
    return Answer(json.dumps({"status": "ready", "policy_version": life.live.version}).encode())
