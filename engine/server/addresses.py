"""The addresses: what each of them answers (Falcon resources)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from falcon.asgi import Request, Response

from engine.server import authzen, openapi
from engine.server.front import DETAIL, Front
from engine.server.guard import LIVE
from engine.server.pages import page_of
from engine.server.problems import Problem
from engine.server.service import Asking


def addresses(front: Front) -> dict[str, Any]:
    """The resource of each path."""
    searches = {path: _Search(front, kind) for kind, path in authzen.SEARCHES.items()}
    return {
        authzen.EVALUATION: _Evaluation(front),
        authzen.EVALUATIONS: _Evaluations(front),
        **searches,
        **dict.fromkeys((authzen.METADATA, authzen.METADATA + urlsplit(front.settings.url).path), _Metadata(front)),
        "/openapi.json": _OpenApi(front),
        "/healthz": _Health(),
        "/readyz": _Ready(front),
        "/metrics": _Figures(front),
        "/admin/reload": _Reload(front),
    }


class _Evaluation:
    """One request, one decision."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def on_post(self, req: Request, resp: Response) -> None:
        """Decide it."""
        request = authzen.evaluation(await self._front.body(req, "decide"))
        _decide_one(self._front, request, req, resp)


class _Evaluations:
    """A batch of requests, or one of them."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def on_post(self, req: Request, resp: Response) -> None:
        """Decide them in order, as far as their semantic goes."""
        body = await self._front.body(req, "decide")
        batch = authzen.evaluations(body, self._front.settings.max_batch)
        if batch is None:
            _decide_one(self._front, authzen.evaluation(body), req, resp)
            return
        asking = self._front.asking(req)
        resp.data = (await self._front.service.many(batch, asking)).encode()
        _name_language(resp, asking)


def _decide_one(front: Front, request: Mapping[str, Any], req: Request, resp: Response) -> None:
    asking = front.asking(req)
    resp.data = front.service.one(request, asking).encode()
    _name_language(resp, asking)


def _name_language(resp: Response, asking: Asking) -> None:
    """Say which language the texts are in, where there are any."""
    if asking.level in ("reasons", "full"):
        resp.set_header("Content-Language", asking.language)
        resp.append_header("Vary", f"Accept-Language, {DETAIL}")


class _Search:
    """A search for subjects, resources or actions."""

    def __init__(self, front: Front, kind: str) -> None:
        self._front = front
        self._kind = kind

    async def on_post(self, req: Request, resp: Response) -> None:
        """Find them."""
        body = await self._front.body(req, "search")
        request = authzen.searched(body, self._kind)
        page = page_of(body, self._kind, self._front.settings.max_page)
        resp.data = (await self._front.service.search(self._kind, request, page, req.scope[LIVE])).encode()


class _Metadata:
    """What clients may ask here, and where."""

    def __init__(self, front: Front) -> None:
        self._data = json.dumps(authzen.metadata(front.settings.url)).encode()

    async def on_get(self, _req: Request, resp: Response) -> None:
        """The metadata."""
        resp.data = self._data


class _OpenApi:
    """The description of all this for programs."""

    def __init__(self, front: Front) -> None:
        self._settings = front.settings

    async def on_get(self, req: Request, resp: Response) -> None:
        """The OpenAPI document."""
        languages = req.scope[LIVE].pack.languages
        resp.data = json.dumps(openapi.document(self._settings, languages), ensure_ascii=False).encode()


class _Health:
    """Whether the process lives."""

    async def on_get(self, _req: Request, resp: Response) -> None:
        """It does."""
        resp.data = b'{"status": "ok"}'

    on_head = on_get


class _Ready:
    """Whether the service can decide, and whether with the rules that are there."""

    def __init__(self, front: Front) -> None:
        self._life = front.service.life

    async def on_get(self, req: Request, resp: Response) -> None:
        """Ready, or stale: the rules were changed, what they are now is wrong, and the policy before it answers."""
        status = "stale" if self._life.is_stale else "ready"
        resp.data = json.dumps({"status": status, "policy_version": req.scope[LIVE].version}).encode()

    on_head = on_get


class _Figures:
    """Figures for Prometheus."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def on_get(self, req: Request, resp: Response) -> None:
        """The figures."""
        self._front.admit(req, "admin")
        accepted = req.get_header("Accept") or ""
        resp.data, resp.content_type = self._front.service.metrics.render(accepted)


class _Reload:
    """Reading the rules and entities anew."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def on_post(self, req: Request, resp: Response) -> None:
        """Read everything, and serve it unless it is wrong."""
        self._front.admit(req, "admin")
        life = self._front.service.life
        if not await asyncio.to_thread(life.call):
            raise Problem(409, "what is there now is wrong, as the log says; the policy before it stays")
        resp.data = json.dumps({"status": "ready", "policy_version": life.live.version}).encode()
