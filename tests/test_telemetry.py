"""Traces and metrics go where the environment says, and cost nothing where it says nothing."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode, get_current_span

from engine.server import traces
from engine.server.telemetry import SILENCE, telemetry
from engine.server.traces import Traces

ROOT = Path(__file__).parent.parent
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = [(b"host", b"pdp"), (b"traceparent", f"00-{TRACE}-{CALLER}-01".encode())]
PATH = "/access/v1/evaluation"


class Seen:
    """Telemetry, and what it has told."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.to = Traces(tracers, MeterProvider([self._reader], shutdown_on_exit=False))

    def span(self) -> ReadableSpan:
        """The only span."""
        (span,) = self._spans.get_finished_spans()
        return span

    def attributes(self) -> dict[str, Any]:
        """What the only span says."""
        return dict(self.span().attributes or {})

    def metric(self, name: str) -> list[Any]:
        """The points of a metric."""
        data = self._reader.get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return [
            point
            for scope in scopes
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Telemetry that is kept in memory."""
    seen = Seen()
    yield seen
    seen.to.shutdown()


@pytest.fixture(autouse=True)
def _unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No telemetry but what a test asks for, and no trace of that afterwards."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    environment = dict(os.environ)
    monkeypatch.setattr(os, "environ", environment)


def test_a_request_is_a_span_of_the_caller_s_trace(seen: Seen) -> None:
    """It is named by its endpoint, and tells what was decided and how it was answered."""
    with seen.to.request(PATH, PARENT, "POST") as request:
        request.decided("deny", "sha256:1")
        request.answered(200)
    span = seen.span()

    assert (span.name, span.kind, span.status.status_code) == (f"POST {PATH}", SpanKind.SERVER, StatusCode.UNSET)
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, CALLER)
    assert seen.attributes() == {
        "http.request.method": "POST",
        "http.route": PATH,
        "url.path": PATH,
        "http.response.status_code": 200,
        "changegate.policy.version": "sha256:1",
        "changegate.decisions": 1,
        "changegate.outcome": "deny",
    }


@pytest.mark.parametrize("headers", [[], [(b"traceparent", b"\xff")], [(b"traceparent", b"00-0-0-01")]])
def test_a_request_without_a_trace_begins_one(seen: Seen, headers: list[tuple[bytes, bytes]]) -> None:
    """So does one whose header is no such thing."""
    with seen.to.request(PATH, headers):
        pass

    assert (seen.span().name, seen.span().parent) == (PATH, None)


def test_what_is_called_meanwhile_belongs_to_the_request(seen: Seen) -> None:
    """The span is the current one until the request is over."""
    before = get_current_span()
    with seen.to.request(PATH, PARENT):
        assert f"{get_current_span().get_span_context().trace_id:032x}" == TRACE
    assert get_current_span() is before


@pytest.mark.parametrize(
    ("endpoint", "method", "name", "attributes"),
    [
        ("/healthz", "GET", "GET /healthz", {"http.request.method": "GET", "http.route": "/healthz", "url.path": "/healthz"}),
        ("other", "PROPFIND", "HTTP other", {"http.request.method": "_OTHER"}),
        ("other", None, "other", {}),
    ],
)  # fmt: skip
def test_names_come_from_closed_lists(
    seen: Seen, endpoint: str, method: str | None, name: str, attributes: dict[str, str]
) -> None:
    """Nobody can make names up from outside."""
    with seen.to.request(endpoint, [], method):
        pass

    assert (seen.span().name, seen.attributes()) == (name, attributes)


def test_a_batch_has_many_outcomes(seen: Seen) -> None:
    """The span says how many decisions; which ones is in the metrics."""
    with seen.to.request(PATH, []) as request:
        request.decided("allow", "sha256:1", 3)
        request.decided("deny", "sha256:1", 2)

    assert seen.attributes()["changegate.decisions"] == 5
    assert "changegate.outcome" not in seen.attributes()
    points = seen.metric("changegate.decisions")
    assert {point.attributes["changegate.outcome"]: point.value for point in points} == {"allow": 3, "deny": 2}


def test_requests_that_decide_are_timed(seen: Seen) -> None:
    """A look at the health of the service is no decision."""
    with seen.to.request("/healthz", []) as request:
        request.answered(200)
    assert seen.metric("changegate.decision.duration") == []
    with seen.to.request(PATH, []) as request:
        request.decided("allow", "sha256:1")
    (point,) = seen.metric("changegate.decision.duration")

    assert (dict(point.attributes), point.count) == ({"http.route": PATH}, 1)
    assert 0 < point.sum < 10
    assert point.explicit_bounds[0] == 0.00005


@pytest.mark.parametrize(
    ("status", "code"), [(400, StatusCode.UNSET), (500, StatusCode.ERROR), (503, StatusCode.ERROR)]
)
def test_a_fault_of_ours_is_an_error(seen: Seen, status: int, code: StatusCode) -> None:
    """A client's is not."""
    with seen.to.request(PATH, []) as request:
        request.answered(status)

    assert seen.span().status.status_code is code
    assert seen.attributes().get("error.type") == (str(status) if code is StatusCode.ERROR else None)


def test_an_exception_is_told_by_its_kind(seen: Seen) -> None:
    """Its text and its traceback may hold what was asked."""
    with pytest.raises(ValueError, match="s3cret"), seen.to.request(PATH, []):
        raise ValueError("s3cret")

    assert seen.attributes()["error.type"] == "ValueError"
    assert (seen.span().events, seen.span().status.description) == ((), None)


def test_shutting_down_waits_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that does not answer does not hold the service."""
    monkeypatch.setattr(traces, "PATIENCE", 0.1)

    class Stuck(TracerProvider):
        def shutdown(self) -> None:
            time.sleep(20)

    to = Traces(Stuck(shutdown_on_exit=False), MeterProvider(shutdown_on_exit=False))
    begun = time.monotonic()
    to.shutdown()

    assert 0.1 <= time.monotonic() - begun < 10


def test_what_provides_nothing_has_no_end(caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing was set up, there is nothing to shut down."""
    Traces(NoOpTracerProvider(), MeterProvider(shutdown_on_exit=False)).shutdown()

    assert not caplog.records


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": " None "},
        {"OTEL_TRACES_EXPORTER": "", "OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "True"},
        {"OTEL_SERVICE_NAME": "x"},
    ],
    ids=str,
)
def test_unless_it_is_asked_for_there_is_none(environment: dict[str, str]) -> None:
    """And what stands in for it does nothing, and leaves the environment alone."""
    os.environ.update(environment)
    before = dict(os.environ)
    assert telemetry() is SILENCE
    assert os.environ == before

    with SILENCE.request(PATH, PARENT, "POST") as request:
        request.decided("allow", "sha256:1", 2)
        request.answered(200)
    SILENCE.shutdown()


ASKED = [
    ({"OTEL_TRACES_EXPORTER": "console"}, ("console", None)),
    ({"OTEL_METRICS_EXPORTER": "console"}, (None, "console")),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, ("otlp", "otlp")),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, ("otlp", None)),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_METRICS_EXPORTER": "none"}, ("otlp", "none")),
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": ""}, ("otlp", "otlp")),
]


@pytest.mark.parametrize(("environment", "exporters"), ASKED, ids=str)
def test_what_the_standard_leaves_open_is_settled(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], exporters: tuple[str | None, ...]
) -> None:
    """OTLP where an endpoint is named, by HTTP unless said otherwise; nothing that nobody asked for."""
    os.environ.update(environment)
    to = Seen().to
    monkeypatch.setattr(traces, "configured", lambda: to)

    assert telemetry() is to
    assert (os.environ.get("OTEL_TRACES_EXPORTER"), os.environ.get("OTEL_METRICS_EXPORTER")) == exporters
    assert os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert os.environ["OTEL_SERVICE_NAME"] == "changegate"


def test_what_the_operator_says_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and protocols are theirs."""
    said = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=mine",
    }
    os.environ.update(said)
    monkeypatch.setattr(traces, "configured", lambda: SILENCE)
    telemetry()

    assert {name: value for name, value in os.environ.items() if name.startswith("OTEL_")} == said


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ImportError("no module"), "OpenTelemetry is asked for and not installed; install it: pip install 'changegate[otel]'"),
        (RuntimeError("no exporter `x`"), "OpenTelemetry is off, since its environment variables cannot be followed: no exporter `x`"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, line: str
) -> None:
    """The service answers all the same."""

    def configured() -> Traces:
        raise error

    monkeypatch.setattr(traces, "configured", configured)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "x")

    assert telemetry() is SILENCE
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(logging.WARNING, line)]
    assert caplog.records[0].exc_info is None


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own does, in which nothing is set up yet."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )


REAL = """
from engine.server.telemetry import telemetry
for _ in range(2):
    to = telemetry()
with to.request("/x", [], "POST") as request:
    request.decided("allow", "sha256:1")
to.shutdown()
"""


def test_the_sdk_sets_itself_up_from_the_environment() -> None:
    """Exporters are found by their names, as for every other service; asking twice sets up once."""
    done = run(REAL, OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER="console")
    decoder, rest, told = json.JSONDecoder(), done.stdout.lstrip(), list[dict[str, Any]]()
    while rest:
        data, end = decoder.raw_decode(rest)
        told.append(data)
        rest = rest[end:].lstrip()
    (span,) = [data for data in told if "name" in data]
    (metrics,) = [data for data in told if "resource_metrics" in data]

    assert (span["name"], span["kind"]) == ("POST /x", "SpanKind.SERVER")
    assert span["resource"]["attributes"]["service.name"] == "changegate"
    names = {metric["name"] for metric in metrics["resource_metrics"][0]["scope_metrics"][0]["metrics"]}
    assert names == {"changegate.decisions", "changegate.decision.duration"}
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"OTEL_TRACES_EXPORTER": "nobody"}, "Requested component 'nobody' not found"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon"}, "Unsupported OTLP protocol 'pigeon'"),
    ],
)  # fmt: skip
def test_a_wrong_environment_is_told(environment: dict[str, str], line: str) -> None:
    """In the words of the SDK, and without a traceback."""
    done = run(REAL, **environment)

    assert line in done.stderr
    assert "Traceback" not in done.stderr


ABSENT = """
import sys
sys.modules["opentelemetry"] = None
from engine.server.telemetry import telemetry
telemetry().shutdown()
"""


def test_packages_that_are_missing_are_named() -> None:
    """In one line that says what to do; unasked, they are not missed."""
    assert run(ABSENT, OTEL_TRACES_EXPORTER="otlp").stderr.splitlines() == [
        "OpenTelemetry is asked for and not installed; install it: pip install 'changegate[otel]'"
    ]
    assert run(ABSENT).stderr == ""


def test_silence_loads_nothing() -> None:
    """Who does not ask for it does not wait for it."""
    code = "import sys, engine.server.telemetry; print('opentelemetry' in sys.modules)"

    assert run(code).stdout == "False\n"
