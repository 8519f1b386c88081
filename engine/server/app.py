"""The application, put together from its parts as the settings say."""

from __future__ import annotations

import functools
import gc
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import falcon
import falcon.asgi
from falcon.asgi import Request, Response

from engine.finding import one_of
from engine.server.addresses import addresses, evaluations
from engine.server.beside import Beside
from engine.server.call import JSON, Handler
from engine.server.front import Front
from engine.server.guard import CALL, Guard
from engine.server.journal import Journal
from engine.server.journal_lines import fingerprint
from engine.server.keys import read_keys
from engine.server.life import Life, second_opinion
from engine.server.metrics import Metrics
from engine.server.problems import MEDIA_TYPE, Problem
from engine.server.service import Service
from engine.server.settings import Settings, from_environment
from engine.server.shadow import Shadow
from engine.server.telemetry import telemetry
from engine.texts import language_for

if TYPE_CHECKING:
    from engine.server.bench import BookOf

LOG = logging.getLogger("changegate")


def create(settings: Settings, launcher: int | None = None, book_of: BookOf | None = None) -> Guard:
    """The application that answers as the settings say; it ends this process when that of the launcher has ended.

    `book_of` makes the book of the workbench. Raises InvalidRules, WrongEntities, WrongKeys, JournalFailed or ValueError
    where it could not answer.
    """
    metrics, traces = Metrics(), telemetry()
    keys = read_keys(settings.keys) if settings.keys else None
    journal = _journal(settings)
    shadow = _shadow(settings, metrics, journal)
    life = Life(settings, functools.partial(_reloaded, metrics, shadow))
    _check_locale(settings, life)
    _warn_of_masks(settings, life)
    service = Service(life, metrics, journal, shadow, settings.max_seconds)
    front = Front(settings, service, keys)
    handlers = {**addresses(front), **_workbench(front, book_of)}
    beside = Beside(settings, service, journal, shadow, traces, launcher)
    guard = Guard(
        _application(handlers, beside),
        life=life,
        metrics=metrics,
        traces=traces,
        paths=frozenset(handlers),
        direct=evaluations(front),
        most=settings.max_concurrent,
        size=settings.max_body,
        seconds=settings.max_seconds,
    )
    beside.in_flight = lambda: guard.in_flight
    return guard


def from_launch() -> Guard:
    """The application in a worker process, with the settings that the launcher has left; it ends with the launcher."""
    guard = create(from_environment(), os.getppid())
    gc.collect()
    gc.freeze()  # what is loaded stays; to look for garbage in it again and again holds up those who ask
    return guard


def _workbench(front: Front, book_of: BookOf | None) -> dict[str, dict[str, Handler]]:
    """The addresses of the workbench, if it is wanted; what it needs is loaded for it alone."""
    if not (front.settings.workbench or front.settings.workbench_anywhere):
        return {}
    from engine.server.bench import workbench  # noqa: PLC0415

    return workbench(front, book_of or _books())


def _books() -> BookOf:
    """What makes the book; raises ValueError where what that needs is not installed."""
    try:
        from engine.server.bench_book import open_book  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        package = (missing.name or "more").partition(".")[0]
        raise ValueError(f"the workbench needs `{package}`: pip install 'changegate[book]'") from None
    return open_book


def _application(handlers: Mapping[str, Mapping[str, Handler]], beside: Beside) -> falcon.asgi.App[Any, Any]:
    application = falcon.asgi.App(media_type=JSON, middleware=[beside])
    for path, methods in handlers.items():
        application.add_route(path, _Resource(methods))
    application.add_error_handler(Problem, _on_problem)
    application.add_error_handler(Exception, _on_fault)
    application.set_error_serializer(_serialize)
    return application


class _Resource:
    """Handlers as Falcon wants them: `on_get`, `on_post` and so on."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        for method, handler in handlers.items():
            setattr(self, f"on_{method.lower()}", self._responder(handler))

    def _responder(self, handler: Handler) -> Callable[[Request, Response], Awaitable[None]]:
        async def respond(req: Request, resp: Response, **_parts: str) -> None:
            answer = await handler(req.scope[CALL])
            resp.data, resp.content_type, resp.status = answer.body, answer.media, answer.status
            for name, value in answer.headers.items():
                resp.set_header(name, value)

        return respond


def _journal(settings: Settings) -> Journal | None:
    if settings.log is None:
        return None
    return Journal(
        settings.log, settings.log_policy, settings.log_request, settings.log_mask, is_shared=settings.workers > 1
    )


def _check_locale(settings: Settings, life: Life) -> None:
    languages = life.live.pack.languages
    if settings.locale is not None and language_for(life.live.pack, settings.locale) is None:
        raise ValueError(f"the policy has no texts for the locale `{settings.locale}`; it has {one_of(languages)}")


def _warn_of_masks(settings: Settings, life: Life) -> None:
    """A mask that names no fact may be a slip, and would hide nothing."""
    names = {path.partition(".")[2] for path in life.live.pack.facts}
    for mask in settings.log_mask:
        section, _, name = mask.partition(".")
        if name != "*" and mask not in life.live.pack.facts and not (section == "resource" and name in names):
            LOG.warning("the log masks `%s`, which is no fact of the policy", mask)


def _shadow(settings: Settings, metrics: Metrics, journal: Journal | None) -> Shadow | None:
    if settings.shadow == 0:
        return None
    digest = journal.fingerprint if journal else fingerprint
    return Shadow(settings.shadow, functools.partial(second_opinion, settings), metrics.shadowed, digest)


def _reloaded(metrics: Metrics, shadow: Shadow | None, ok: bool, version: str) -> None:
    metrics.reloaded(ok)
    if ok:
        metrics.serving(version, time.time())
    if ok and shadow is not None:
        shadow.reload()


async def _on_problem(_req: Request, resp: Response, problem: Problem, _params: Any) -> None:
    resp.status = problem.status
    resp.data = problem.body()
    resp.content_type = MEDIA_TYPE
    for name, value in problem.headers.items():
        resp.set_header(name, value)


def _serialize(_req: Request, resp: Response, wrong: falcon.HTTPError) -> None:
    """What the framework refuses, said as everything else that is refused."""
    details = {404: "nothing is here", 405: "this method is not for this address; `Allow` names those that are"}
    detail = details.get(wrong.status_code) or wrong.description or wrong.title or "the request cannot be answered"
    resp.data = Problem(wrong.status_code, detail).body()
    resp.content_type = MEDIA_TYPE


async def _on_fault(_req: Request, _resp: Response, fault: Exception, _params: Any) -> None:
    """Leave what nobody foresaw to the guard, which says so without a word of why."""
    raise fault
