"""The guard: what stands between the network and the application.

It lets a request through once it is complete, small enough and in time, bounds how many are answered at once, and
answers for the application where that fails. Nothing that a client or a fault does gets past it as a traceback.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from engine.server.call import Answer, Call, Handler
from engine.server.deadline import Deadlines
from engine.server.life import Life
from engine.server.live import Live
from engine.server.metrics import Metrics
from engine.server.problems import MEDIA_TYPE, Problem, busy
from engine.server.telemetry import Headers, Telemetry, Watched

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Any, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("changegate")
SECURITY = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"server", b"changegate"),
    (b"x-content-type-options", b"nosniff"),
)
MAX_ID = 256
# Nobody sends a body whose length has more digits.
MAX_LENGTH = 18
# Where the application finds the call in the scope of a request.
CALL = "changegate.call"


class Guard:
    """An ASGI application around another one.

    `most` requests are answered at once; a body has at most `size` bytes and arrives within `seconds`. A request
    sees the policy that is live when it comes, to the end. `paths` are the addresses that figures are kept of.
    `direct` are handlers by path and method that are called without the application: where deciding takes a few
    microseconds, a framework would take as many again.
    """

    def __init__(
        self,
        application: Application,
        *,
        life: Life,
        metrics: Metrics,
        traces: Telemetry,
        paths: frozenset[str],
        direct: Mapping[str, Mapping[str, Handler]],
        most: int,
        size: int,
        seconds: float,
    ) -> None:
        self._application = application
        self._life = life
        self._metrics = metrics
        self._traces = traces
        self._paths = paths
        self._direct = direct
        self._most = most
        self._size = size
        self._deadlines = Deadlines(seconds)
        self.in_flight = 0
        # Workers are forked, so what tells their identifiers apart is found here.
        self._identifiers = map(f"{secrets.token_hex(8)}{{:08x}}".format, itertools.count(1))

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer a request, or hand on what is none."""
        if scope["type"] != "http":
            scope.setdefault("asgi", {"version": "3.0"})  # Falcon asks for it, and not every server says so
            await self._application(scope, receive, send)
            return
        if scope["http_version"] == "1":  # as Granian says it, and Falcon does not
            scope["http_version"] = "1.0"
        path = scope["path"] if scope["path"] in self._paths else "other"
        live = self._life.live
        out = _Outgoing(send, live.version, next(self._identifiers))
        self.in_flight += 1
        try:
            with self._traces.request(path, scope["headers"], scope["method"]) as span:
                await self._answer(scope, receive, out, live, span)
                span.answered(out.status)
        finally:
            self.in_flight -= 1
            self._metrics.answered(path, out.status, out.seconds)

    async def _answer(self, scope: Any, receive: Receive, out: _Outgoing, live: Live, span: Watched) -> None:
        try:
            headers = dict(scope["headers"])
            out.take_id(headers.get(b"x-request-id", b""))
            self._admit()
            body = await self._body(headers.get(b"content-length", b"0"), receive)
            call = Call(headers, body, out.identifier, live, span, scope["path"])
            handlers = self._direct.get(scope["path"])
            if handlers is not None and scope["method"] in handlers:
                await out.answer(await handlers[scope["method"]](call))
            else:
                scope[CALL] = call
                await self._application(scope, _once(body, receive), out.hand_on)
        except Problem as problem:
            await out.problem(problem)
        except Exception:
            LOG.exception("a request could not be answered")
            await out.problem(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "something is wrong here; nothing was decided"))

    def _admit(self) -> None:
        if self.in_flight > self._most:
            self._metrics.refused("busy")
            raise busy("too many requests at once; try again")

    async def _body(self, length: bytes, receive: Receive) -> bytes:
        if not length.isdigit() or len(length) > MAX_LENGTH or int(length) > self._size:
            self._metrics.refused("too_large")
            raise self._too_large()
        try:
            with self._deadlines:
                return await self._read(receive)
        except TimeoutError:
            self._metrics.refused("late")
            raise Problem(408, "the body did not arrive in time", {"Connection": "close"}) from None

    async def _read(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":  # who has hung up does not hear this; what cannot be read does
                raise Problem(400, "the body ends before it is complete", {"Connection": "close"})
            part = message.get("body", b"")
            size += len(part)
            if size > self._size:
                self._metrics.refused("too_large")
                raise self._too_large()
            if not message.get("more_body"):
                return b"".join((*parts, part)) if parts else part
            parts.append(part)

    def _too_large(self) -> Problem:
        return Problem(413, f"a body has at most {self._size} bytes", {"Connection": "close"})


class _Outgoing:
    """What goes out for one request: security headers, its identifier and the policy's version are on everything.

    `status` is that of the answer; 499 as long as there is none.
    """

    def __init__(self, send: Send, version: str, identifier: str) -> None:
        self._send = send
        self._version = version.encode("ascii")
        self._begun = time.perf_counter()
        self.identifier = identifier
        self.status = 499

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self._begun

    def take_id(self, given: bytes) -> None:
        """Have the client's identifier, if it gave one, sent back; raises Problem 400 if a header cannot hold it."""
        if len(given) > MAX_ID or not given.isascii() or not given.decode("ascii").isprintable():
            raise Problem(400, f"`X-Request-ID` must be at most {MAX_ID} printable ASCII characters")
        if given:
            self.identifier = given.decode("ascii")

    async def hand_on(self, message: Message) -> None:
        """Hand a message of the application on; what it says of its own security stands (two policies would both hold)."""
        if message["type"] == "http.response.start":
            named = {name for name, _ in message["headers"]}
            security = [pair for pair in SECURITY if pair[0] not in named]
            await self._begin(message["status"], message["headers"], security)
        else:
            await self._send(message)

    async def answer(self, answer: Answer) -> None:
        """Say what was found."""
        await self._say(answer.status, answer.body, answer.media, answer.headers)

    async def problem(self, problem: Problem) -> None:
        """Say what is wrong, unless an answer has begun."""
        if self.status == 499:
            await self._say(problem.status, problem.body(), MEDIA_TYPE, problem.headers)

    async def _say(self, status: int, body: bytes, media: str, headers: Mapping[str, str]) -> None:
        raw = [(b"content-type", media.encode("ascii")), (b"content-length", b"%d" % len(body))]
        raw += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._begin(status, raw)
        await self._send({"type": "http.response.body", "body": body})

    async def _begin(self, status: int, headers: Headers, security: Headers = SECURITY) -> None:
        self.status = status
        spent = f"total;dur={self.seconds * 1000:.3f}".encode("ascii")
        every = [
            *headers, *security, (b"changegate-policy-version", self._version),
            (b"server-timing", spent), (b"x-request-id", self.identifier.encode("ascii")),
        ]  # fmt: skip
        await self._send({"type": "http.response.start", "status": status, "headers": every})


def _once(body: bytes, receive: Receive) -> Receive:
    """Gives the whole body first, and then what else arrives."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return waiting.pop() if waiting else await receive()

    return read
