"""Traces and metrics by OpenTelemetry: its one door, loaded only where they are asked for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from threading import Thread
from types import TracebackType
from typing import Self, TypeGuard

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context

from engine.server.metrics import BUCKETS

_NAME = "changegate"
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
# How long what has not been sent may hold up the end, in seconds.
PATIENCE = 5.0


class _Configurator(_OTelSDKConfigurator):
    """Sets OpenTelemetry up as its environment variables say; the SDK leaves it to its users to subclass this."""


def configured() -> Traces:
    """Traces and metrics as the environment asks for; those that are set up already, if there are any.

    Raises RuntimeError, ImportError, or what an exporter raises, where they cannot be had.
    """
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        _Configurator().configure()  # type: ignore[no-untyped-call]
    return Traces(trace.get_tracer_provider(), metrics.get_meter_provider())


class Traces:
    """Each request is a span of the caller's trace, and its decisions are counted by outcome."""

    def __init__(self, tracers: trace.TracerProvider, meters: metrics.MeterProvider) -> None:
        self._tracers = tracers
        self._meters = meters
        self.tracer = tracers.get_tracer(_NAME)
        meter = meters.get_meter(_NAME)
        self.decisions = meter.create_counter(
            "changegate.decisions", unit="{decision}", description="Decisions made, by outcome."
        )
        self.duration = meter.create_histogram(
            "changegate.decision.duration",
            unit="s",
            description="Time to answer a request in which something was decided.",
            explicit_bucket_boundaries_advisory=BUCKETS,
        )

    def request(self, endpoint: str, headers: Iterable[tuple[bytes, bytes]], method: str | None = None) -> _Request:
        """Begin the span of a request to an endpoint."""
        caller = propagate.extract({name.decode("latin-1"): value.decode("latin-1") for name, value in headers})
        return _Request(self, endpoint, caller, _attributes(endpoint, method))

    def shutdown(self) -> None:
        """Send what has not been sent; what nobody has taken after a few seconds is given up."""
        # The SDK's own time limits do not hold while an exporter tries again.
        ends = [Thread(target=each.shutdown, daemon=True) for each in (self._tracers, self._meters) if _is_ours(each)]
        latest = time.monotonic() + PATIENCE
        for end in ends:
            end.start()
        for end in ends:
            end.join(max(0.0, latest - time.monotonic()))


class _Request:
    """A request that is being answered."""

    def __init__(self, to: Traces, endpoint: str, caller: context.Context, attributes: Mapping[str, str]) -> None:
        self._to = to
        self._endpoint = endpoint
        self._span: Span = to.tracer.start_span(_name(endpoint, attributes), caller, SpanKind.SERVER, attributes)
        self._caller = caller
        self._begun = time.perf_counter()
        self._count = 0
        self._outcome = ""

    def __enter__(self) -> Self:
        self._token = context.attach(set_span_in_context(self._span, self._caller))
        return self

    def decided(self, outcome: str, version: str, count: int = 1) -> None:
        """Count decisions; the outcome of a single one is told with the span."""
        self._to.decisions.add(count, {"changegate.outcome": outcome})
        self._count += count
        self._outcome = outcome
        self._span.set_attribute("changegate.policy.version", version)

    def answered(self, status: int) -> None:
        """Tell the status with the span; from 500 on it is an error of ours."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._fail(str(status))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        context.detach(self._token)
        if kind is not None:
            self._fail(kind.__qualname__)
        if self._count:
            self._to.duration.record(time.perf_counter() - self._begun, {"http.route": self._endpoint})
            self._span.set_attribute("changegate.decisions", self._count)
        if self._count == 1:
            self._span.set_attribute("changegate.outcome", self._outcome)
        self._span.end()

    def _fail(self, why: str) -> None:
        # Neither message nor traceback: they may hold what was asked.
        self._span.set_attribute("error.type", why)
        self._span.set_status(StatusCode.ERROR)


def _is_ours(provider: object) -> TypeGuard[TracerProvider | MeterProvider]:
    """Whether the SDK provides it; one that provides nothing has no end."""
    return isinstance(provider, TracerProvider | MeterProvider)


def _name(endpoint: str, attributes: Mapping[str, str]) -> str:
    method = attributes.get("http.request.method")
    return endpoint if method is None else f"{'HTTP' if method == '_OTHER' else method} {endpoint}"


def _attributes(endpoint: str, method: str | None) -> dict[str, str]:
    found = {"http.route": endpoint, "url.path": endpoint} if endpoint.startswith("/") else {}
    return found if method is None else {"http.request.method": method if method in _METHODS else "_OTHER", **found}
