"""OpenTelemetry, if the environment asks for it; otherwise nothing, at no cost.

The standard variables decide: traces and metrics are sent where OTEL_TRACES_EXPORTER and OTEL_METRICS_EXPORTER say, or
by OTLP where only an endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) is named; OTEL_SDK_DISABLED ends it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self, TypeAlias

# As ASGI has them: names in small letters.
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
_LOGGER = logging.getLogger("changegate.telemetry")


class Watched(Protocol):
    """A request that is being answered, from `with` to its end."""

    def decided(self, outcome: str, version: str, count: int = 1) -> None:
        """So many decisions with this outcome were made, by this version of the policy."""
        ...

    def answered(self, status: int) -> None:
        """The request is answered with this status."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Telemetry(Protocol):
    """Tells others what the service does."""

    def request(self, endpoint: str, headers: Headers, method: str | None = None) -> Watched:
        """Watch a request to an endpoint (its path, or another name from a closed list), as part of the caller's trace."""
        ...

    def shutdown(self) -> None:
        """Send what has not been sent; it takes a few seconds where nobody listens."""
        ...


class _Silence:
    """Tells nobody anything: telemetry and request in one."""

    def request(self, _endpoint: str, _headers: Headers, _method: str | None = None) -> Watched:
        return self

    def decided(self, outcome: str, version: str, count: int = 1) -> None:
        pass

    def answered(self, status: int) -> None:
        pass

    def shutdown(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


SILENCE: Telemetry = _Silence()


def telemetry() -> Telemetry:
    """What the environment asks for. Where that cannot be had, one line in the log says why, and the service goes on."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or not _asked_for():
        return SILENCE
    try:
        from engine.server.traces import configured  # noqa: PLC0415  # loaded where it is wanted, and may be missing

        return configured()
    except ImportError:
        _LOGGER.warning("OpenTelemetry is asked for and not installed; install it: pip install 'changegate[otel]'")
    except Exception as error:  # noqa: BLE001  # it may be any exporter's, and nobody is denied an answer for that
        _LOGGER.warning("OpenTelemetry is off, since its environment variables cannot be followed: %s", error)
    return SILENCE


def _asked_for() -> bool:
    """Whether traces or metrics are to be sent; what the standard leaves to us is put into the environment."""
    wanted = [signal for signal in ("TRACES", "METRICS") if _wants(signal)]
    if wanted:
        os.environ.setdefault("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        if "service.name" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
            os.environ.setdefault("OTEL_SERVICE_NAME", "changegate")
    return bool(wanted)


def _wants(signal: str) -> bool:
    named = os.environ.get(f"OTEL_{signal}_EXPORTER", "").strip().lower()
    if named:
        return named != "none"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    if not any(os.environ.get(each, "").strip() for each in endpoints):
        return False
    os.environ[f"OTEL_{signal}_EXPORTER"] = "otlp"
    return True
