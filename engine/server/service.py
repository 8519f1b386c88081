"""The service: from requests to answers, with everything that goes with a decision (log, figures, second opinion)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from engine import Decision, InvalidRequest
from engine.model import Outcome
from engine.policy import EngineFailure
from engine.server.answers import told
from engine.server.authzen import Batch, error
from engine.server.journal import Journal, JournalFailed
from engine.server.journal_lines import Entry
from engine.server.life import Life
from engine.server.live import Live
from engine.server.metrics import Metrics
from engine.server.pages import Page
from engine.server.problems import Problem, bad, busy
from engine.server.search import Candidates
from engine.server.settings import Level
from engine.server.shadow import Shadow
from engine.server.telemetry import Watched

Decide: TypeAlias = Callable[[Mapping[str, Any]], Decision]
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_STOPS = {"deny_on_first_deny": False, "permit_on_first_permit": True}
# How long one request may keep the others waiting, in seconds.
_TURN = 0.01


class Asking(NamedTuple):
    """What is particular to a request: the policy that is live for it, its identifier, how it is told, and its span."""

    live: Live
    identifier: str
    level: Level
    language: str
    span: Watched


class Decided(NamedTuple):
    """A decision with its request, its number in a batch (None where there is none), and how long it took."""

    number: int | None
    request: Mapping[str, Any]
    decision: Decision
    seconds: float


class Turns:
    """Lets other requests have their turn now and then, and ends what takes too long."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds
        self._next = min(time.perf_counter() + _TURN, self._end)

    def is_over(self, now: float) -> bool:
        """Whether the time is up."""
        return now > self._end

    def is_due(self, now: float) -> bool:
        """Whether it is the others' turn, or the time is up."""
        return now > self._next

    async def pause(self) -> None:
        """Let the others have their turn."""
        await asyncio.sleep(0)
        self._next = min(time.perf_counter() + _TURN, self._end)


class Service:
    """Answers requests with the policy that is live, and records what was decided."""

    def __init__(
        self, life: Life, metrics: Metrics, journal: Journal | None, shadow: Shadow | None, seconds: float
    ) -> None:
        self.life = life
        self.metrics = metrics
        self._journal = journal
        self._shadow = shadow
        self._seconds = seconds

    def one(self, request: Mapping[str, Any], asking: Asking) -> str:
        """The answer to one request, as JSON text; raises Problem."""
        begun = time.perf_counter()
        decision = _decision(request, lambda each: asking.live.decide(each, asking.level, asking.language))
        self._record([Decided(None, request, decision, time.perf_counter() - begun)], asking)
        return told(decision, asking.level)

    async def many(self, batch: Batch, asking: Asking) -> str:
        """The answers to a batch, as JSON text; raises Problem."""
        turns, stop = Turns(self._seconds), _STOPS.get(batch.semantic)
        decide, now = asking.live.decider(asking.level, asking.language), time.perf_counter()
        texts: list[str] = []
        decided: list[Decided] = []
        for number, request in enumerate(batch.requests):
            begun, found = now, _item(request, decide)
            if isinstance(found, Problem):
                texts.append(_ENCODE(error(found.status, found.detail)))
            else:
                texts.append(told(found, asking.level))
                now = time.perf_counter()
                decided.append(Decided(number, request, found, now - begun))  # type: ignore[arg-type]
            if stop is not None and bool(isinstance(found, Decision) and found) is stop:
                break
            if turns.is_due(now):
                await _pause(turns, now)
        self._record(decided, asking)
        return f'{{"evaluations": [{", ".join(texts)}]}}'

    async def search(self, kind: str, request: Mapping[str, Any], page: Page, live: Live) -> str:
        """The results of a search, as JSON text; raises Problem 400.

        A page ends early where the time is up; its token leads on.
        """
        turns, candidates = Turns(self._seconds), Candidates(live, kind, request, page.after)
        results: list[Mapping[str, Any]] = []
        token, last, shown = "", page.after, page.after
        for candidate in candidates:
            if self._is_allowed(candidate.request, live) and candidates.accept(candidate):
                if len(results) == page.limit:
                    token = page.token(shown)
                    break
                results.append(candidate.entity)
                shown = candidate.place
            last = max(last, candidate.place)
            now = time.perf_counter()
            if turns.is_over(now):
                token = page.token(last)
                break
            if turns.is_due(now):
                await turns.pause()
        return _ENCODE(_found(results, token, page, live, kind))

    def _is_allowed(self, request: Mapping[str, Any], live: Live) -> bool:
        try:
            return live.decide(request, "none", live.own_language).decision
        except InvalidRequest as wrong:
            raise bad(str(wrong)) from None
        except EngineFailure:
            return False

    def _record(self, decided: Sequence[Decided], asking: Asking) -> None:
        """Log, count and offer to the second engine; raises Problem 503 if the log fails and nothing may go unlogged."""
        live = asking.live
        if self._journal is not None:
            self._log(self._journal, decided, asking)
        counts: dict[tuple[str, Outcome], int] = {}
        for each in decided:
            kind = (each.request["action"]["name"], each.decision.outcome)
            counts[kind] = counts.get(kind, 0) + 1
        for (action, outcome), count in counts.items():
            self.metrics.decided(action if action in live.pack.actions else "other", outcome, count)
            asking.span.decided(outcome, live.version, count)
        if self._shadow is not None:
            for each in decided:
                self._shadow.offer(live.version, each.request, each.decision, asking.language)

    def _log(self, journal: Journal, decided: Sequence[Decided], asking: Asking) -> None:
        now, dropped = time.time(), journal.dropped
        name, version = asking.identifier, asking.live.version
        entries = [
            Entry(name if number is None else f"{name}/{number}", now, version, request, decision, seconds)
            for number, request, decision, seconds in decided
        ]
        try:
            journal.write(entries)
        except JournalFailed:
            self.metrics.logged(0, 0, len(entries))
            raise busy("the decision log cannot be written, and no decision goes unlogged") from None
        dropped = journal.dropped - dropped
        self.metrics.logged(len(entries) - dropped, dropped, 0)


def _item(request: Mapping[str, Any] | str, decide: Decide) -> Decision | Problem:
    """The decision on an item of a batch, or what is wrong with the item."""
    try:
        return bad(request) if isinstance(request, str) else _decision(request, decide)
    except Problem as problem:
        return problem


def _decision(request: Mapping[str, Any], decide: Decide) -> Decision:
    try:
        return decide(request)
    except InvalidRequest as wrong:
        raise bad(str(wrong)) from None
    except EngineFailure as failed:
        raise busy(str(failed)) from None


async def _pause(turns: Turns, now: float) -> None:
    if turns.is_over(now):
        raise busy("the batch takes too long; send smaller ones")
    await turns.pause()


def _found(results: Sequence[Mapping[str, Any]], token: str, page: Page, live: Live, kind: str) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    if page.asked or token:
        answer["page"] = {"next_token": token, "count": len(results)}
    if kind != "action" and not live.entities.kinds:
        answer["context"] = {"reason": "no_entities"}
    return {**answer, "results": results}
