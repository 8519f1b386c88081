"""Clients of a decision service: `open_service` gives what `open_policy` gives, except that a service decides.

The door of httpx, which is loaded when a client is opened (`pip install 'changegate[client]'`).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypedDict, Unpack

from engine.answer import Answer, NotNow, ServiceFailed, decision_in
from engine.decide import Detail
from engine.decision import Decision
from engine.exchange import Batch, Call, Kind, Patience, Search, Service, evaluation
from engine.request import InvalidRequest

if TYPE_CHECKING:
    import httpx

__all__ = [
    "AsyncServicePolicy",
    "InvalidRequest",
    "ServiceFailed",
    "ServicePolicy",
    "open_service",
    "open_service_async",
]

Request: TypeAlias = Mapping[str, Any]


class Options(TypedDict, total=False):
    """How a service is asked.

    `timeout`: seconds that a call may take (10). `retries`: how often a call is made again that the service did not
    take, because it was busy (503 with Retry-After) or could not be reached (2); never later than `timeout`.
    `batch`: how many requests `decide_many` sends at once (100). `discover`: whether endpoints are read from the
    service's metadata. `verify`: the file of the certificate authority to trust, or an `ssl.SSLContext`. `cert`: the
    client's own certificate, a file or a pair of it and the file of its key. `insecure`: whether http is good enough
    off this machine.
    """

    timeout: float
    retries: int
    batch: int
    discover: bool
    verify: str | Path | ssl.SSLContext | bool
    cert: str | Path | tuple[str | Path, str | Path]
    insecure: bool


def open_service(
    url: str, key: str | None = None, *, transport: httpx.BaseTransport | None = None, **options: Unpack[Options]
) -> ServicePolicy:
    """The policy that the service at a URL decides by; `key` is its bearer key, if it wants one.

    `transport` replaces the network. Nothing is sent yet. Raises ValueError where the URL or an option cannot be,
    ImportError where httpx is not installed.
    """
    service = _service(url, key, options)
    return ServicePolicy(service, _httpx().Client(transport=transport, **_connecting(service, options)))


def open_service_async(
    url: str, key: str | None = None, *, transport: httpx.AsyncBaseTransport | None = None, **options: Unpack[Options]
) -> AsyncServicePolicy:
    """As `open_service`, for asyncio; to be called without `await`."""
    service = _service(url, key, options)
    return AsyncServicePolicy(service, _httpx().AsyncClient(transport=transport, **_connecting(service, options)))


class ServicePolicy:
    """A policy that a service decides by. Several threads may ask it at once.

    All calls raise InvalidRequest where the request is none, and ServiceFailed where there is no answer.
    """

    def __init__(self, service: Service, http: httpx.Client) -> None:
        self._service = service
        self._http = http

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._service.url}>"

    def decide(self, request: Request, detail: Detail = None, locale: str = "en") -> Decision:
        """The decision on one request (AuthZEN needs type and id of subject and resource, too)."""
        return decision_in(self._ask(evaluation(request, detail, locale)))

    def decide_many(self, requests: Iterable[Request], detail: Detail = None, locale: str = "en") -> Iterator[Decision]:
        """The decisions on a stream of requests, in order; so many requests as make a batch are read ahead.

        What is wrong with a request is raised when its turn comes, and ends the stream.
        """
        source = iter(requests)
        is_last = False
        while not is_last:
            batch = Batch(self._service.batch)
            with batch:
                while not batch.is_full:
                    batch.add(next(source))
            if len(batch):
                yield from batch.read(self._ask(batch.call(detail, locale)))
            is_last = batch.finish()

    def search_subjects(self, request: Request) -> Iterator[dict[str, Any]]:
        """The subjects (type, id) that may; `subject` in the request says of which type. All pages, one after another.

        `page: {"limit": 50}` in the request says how large they are. Numbers with a point are Decimals.
        """
        return self._search("subject", request)

    def search_resources(self, request: Request) -> Iterator[dict[str, Any]]:
        """The resources (type, id) on which the subject may; `resource` in the request says of which type."""
        return self._search("resource", request)

    def search_actions(self, request: Request) -> Iterator[dict[str, Any]]:
        """The actions (name, and the properties that are choices) that the subject may do on the resource."""
        return self._search("action", request)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _search(self, kind: Kind, request: Request) -> Iterator[dict[str, Any]]:
        search = Search(kind, request)
        while not search.is_over:
            yield from search.read(self._ask(search.call()))

    def _ask(self, call: Call) -> dict[str, Any]:
        """The answer to a call; the metadata is read before the first one, if it is to be."""
        if self._service.endpoints is None:
            self._service.learn(self._send(self._service.get_metadata()))
        return self._send(self._service.post(call))

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        patience = Patience(self._service.retries, self._service.timeout)
        while True:
            try:
                return self._send_once(request)
            except NotNow as failure:
                seconds = patience.wait(failure)
            time.sleep(seconds)

    def _send_once(self, request: dict[str, Any]) -> dict[str, Any]:
        end = time.monotonic() + self._service.timeout
        with _telling(self._service), self._http.stream(**request) as response:
            answer = Answer(response.status_code, response.headers, end)
            for part in response.iter_bytes():
                answer.add(part)
        return answer.data()


class AsyncServicePolicy:
    """As ServicePolicy, for asyncio. Several tasks may ask it at once."""

    def __init__(self, service: Service, http: httpx.AsyncClient) -> None:
        self._service = service
        self._http = http

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._service.url}>"

    async def decide(self, request: Request, detail: Detail = None, locale: str = "en") -> Decision:
        """The decision on one request (AuthZEN needs type and id of subject and resource, too)."""
        return decision_in(await self._ask(evaluation(request, detail, locale)))

    async def decide_many(
        self, requests: Iterable[Request] | AsyncIterable[Request], detail: Detail = None, locale: str = "en"
    ) -> AsyncIterator[Decision]:
        """As ServicePolicy has it; the stream of requests may be asynchronous."""
        source = _each(requests)
        is_last = False
        while not is_last:
            batch = Batch(self._service.batch)
            with batch:
                while not batch.is_full:
                    batch.add(await anext(source))
            if len(batch):
                for decision in batch.read(await self._ask(batch.call(detail, locale))):
                    yield decision
            is_last = batch.finish()

    def search_subjects(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """As ServicePolicy has it."""
        return self._search("subject", request)

    def search_resources(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """As ServicePolicy has it."""
        return self._search("resource", request)

    def search_actions(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        """As ServicePolicy has it."""
        return self._search("action", request)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _search(self, kind: Kind, request: Request) -> AsyncIterator[dict[str, Any]]:
        search = Search(kind, request)
        while not search.is_over:
            for entity in search.read(await self._ask(search.call())):
                yield entity

    async def _ask(self, call: Call) -> dict[str, Any]:
        if self._service.endpoints is None:
            self._service.learn(await self._send(self._service.get_metadata()))
        return await self._send(self._service.post(call))

    async def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        patience = Patience(self._service.retries, self._service.timeout)
        while True:
            try:
                return await self._send_once(request)
            except NotNow as failure:
                seconds = patience.wait(failure)
            await asyncio.sleep(seconds)

    async def _send_once(self, request: dict[str, Any]) -> dict[str, Any]:
        end = time.monotonic() + self._service.timeout
        with _telling(self._service):
            async with self._http.stream(**request) as response:
                answer = Answer(response.status_code, response.headers, end)
                async for part in response.aiter_bytes():
                    answer.add(part)
        return answer.data()


async def _each(requests: Iterable[Request] | AsyncIterable[Request]) -> AsyncIterator[Request]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request


def _httpx() -> Any:
    try:
        import httpx  # noqa: PLC0415  # only those who open a client need it
    except ImportError:
        raise ImportError("a client needs httpx: `pip install 'changegate[client]'`") from None
    return httpx


def _service(url: str, key: str | None, options: Options) -> Service:
    service = Service(
        url, key,
        insecure=options.get("insecure", False), timeout=options.get("timeout", 10.0),
        retries=options.get("retries", 2), batch=options.get("batch", 100),
    )  # fmt: skip
    if not options.get("discover", False):
        service.assume()
    return service


def _connecting(service: Service, options: Options) -> dict[str, Any]:
    """What both kinds of clients of httpx are given."""
    # A proxy that the environment names would see what goes over http.
    is_encrypted = service.url.startswith("https:")
    trusted = _trusted(options) if is_encrypted else True
    return {"verify": trusted, "timeout": service.timeout, "trust_env": is_encrypted, "follow_redirects": False}


def _trusted(options: Options) -> ssl.SSLContext | bool:
    """Whose certificates are trusted, and which one the client shows; raises ValueError for everybody's."""
    verify, cert = options.get("verify", True), options.get("cert")
    if verify is False:
        raise ValueError("`verify=False` lets anybody answer; name the file of the certificate authority to trust")
    if verify is True and cert is None:
        return True
    if isinstance(verify, ssl.SSLContext):
        context = verify
    elif verify is True:
        context = _httpx().create_ssl_context()
    else:
        context = ssl.create_default_context(cafile=verify)
    if cert is not None:
        context.load_cert_chain(*(cert if isinstance(cert, tuple) else (cert,)))
    return context


@contextmanager
def _telling(service: Service) -> Iterator[None]:
    """Says failures of the network in our own words: those before anything was sent apart from the others."""
    httpx = _httpx()
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotNow(f"the service at {service.url} cannot be reached: {_reason(error)}") from error
    except httpx.TimeoutException as error:
        raise ServiceFailed(f"the service at {service.url} did not answer in {service.timeout} seconds") from error
    except (httpx.RequestError, httpx.InvalidURL, OSError) as error:  # httpx lets some errors of TLS pass
        raise ServiceFailed(f"the service at {service.url} did not answer: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
