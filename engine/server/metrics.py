"""What the service counts, for Prometheus: the one door of prometheus_client.

With several worker processes set PROMETHEUS_MULTIPROC_DIR, to a folder of this service alone that is empty when it
starts. Whichever worker is asked then answers for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, values
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS: Final = (
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
_POLICY: Final = "changegate_policy_info"
# Their series begin with 0, so that the first of each can be seen as an increase.
_RELOADS: Final = ("ok", "failed")
_LINES: Final = ("written", "dropped", "failed")
_SHADOWED: Final = ("agreed", "different", "skipped", "failed")


class Metrics:
    """The numbers of a service, or of one of its workers. Calls cost a microsecond or two, and may come from any thread.

    `in_flight` is a gauge, to be set now and then. Labels become series that stay:
    give only names from closed lists. Raises ValueError if PROMETHEUS_MULTIPROC_DIR is no folder.
    """

    def __init__(self) -> None:
        self._folder = _shared_folder()
        values.ValueClass = _value_class(self._folder)
        self._registry = CollectorRegistry()
        own = self._registry if self._folder is None else None
        self.in_flight = Gauge(
            "changegate_requests_in_flight", "Requests being answered", registry=own, multiprocess_mode="livesum"
        )
        self._policy = Gauge(
            _POLICY, "1 for the version of the policy that is served", ["version"],
            registry=own, multiprocess_mode="livemax",
        )  # fmt: skip
        self._since = Gauge(
            "changegate_policy_served_since_timestamp_seconds", "When the policy began to be served",
            registry=own, multiprocess_mode="livemax",
        )  # fmt: skip
        self._version: str | None = None
        self._count(own)
        self._prepare()

    def _count(self, own: CollectorRegistry | None) -> None:
        """Make the counters and the histogram, and remember their children by label: that is most of their cost."""
        requests = Counter("changegate_requests", "Requests answered", ["endpoint", "status"], registry=own)
        seconds = Histogram(
            "changegate_request_duration_seconds", "Time to answer a request", ["endpoint"], registry=own, buckets=BUCKETS
        )  # fmt: skip
        decisions = Counter("changegate_decisions", "Decisions made", ["action", "outcome"], registry=own)
        refused = Counter(
            "changegate_requests_refused", "Requests refused unread or unanswered", ["reason"], registry=own
        )
        reloads = Counter("changegate_policy_reloads", "Times that rules were read anew", ["result"], registry=own)
        lines = Counter("changegate_log_lines", "Lines of the decision log", ["result"], registry=own)
        shadowed = Counter(
            "changegate_shadow_decisions", "Decisions that the second engine was to make again", ["result"], registry=own
        )  # fmt: skip
        self._answered = cache(lambda endpoint, status: requests.labels(endpoint, status).inc)
        self._seconds = cache(lambda endpoint: seconds.labels(endpoint).observe)
        self._decided = cache(lambda action, outcome: decisions.labels(action, outcome).inc)
        self._refused = cache(lambda why: refused.labels(why).inc)
        self._reloaded = {each: reloads.labels(each).inc for each in _RELOADS}
        self._logged = {each: lines.labels(each).inc for each in _LINES}
        self._shadowed = {each: shadowed.labels(each).inc for each in _SHADOWED}

    def _prepare(self) -> None:
        """Say who collects the numbers when they are asked for."""
        if self._folder is None:
            ProcessCollector(registry=self._registry)
        else:
            self._registry.register(_Workers(self._folder))
            # A worker before this one may have had the same process id.
            self.in_flight.set(0)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Count a request to an endpoint with the status it was answered with, and how long that took."""
        self._answered(endpoint, status)()
        self._seconds(endpoint)(seconds)

    def decided(self, action: str, outcome: str, count: int = 1) -> None:
        """Count decisions; `action` is a name that the policy declares, or `other`."""
        self._decided(action, outcome)(count)

    def reloaded(self, ok: bool) -> None:
        """Count that rules were read anew, and whether they are served now."""
        self._reloaded["ok" if ok else "failed"]()

    def serving(self, version: str, since: float) -> None:
        """Say which version of the policy is served, and since when (in seconds since the beginning of 1970)."""
        if self._version not in (None, version):
            self._forget(str(self._version))
        self._version = version
        self._policy.labels(version).set(1)
        self._since.set(since)

    def logged(self, written: int, dropped: int, failed: int) -> None:
        """Count lines of the decision log: written, given up, and refused with their answers."""
        for result, count in zip(_LINES, (written, dropped, failed), strict=True):
            if count:
                self._logged[result](count)

    def shadowed(self, result: str) -> None:
        """Count a decision that was to be made again: `agreed`, `different`, `skipped` or `failed`."""
        self._shadowed[result]()

    def refused(self, why: str) -> None:
        """Count a request that was refused: `busy`, `too_large`, `late`, `unauthorized` and such."""
        self._refused(why)()

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The body and its content type, in the format that the `Accept` header asks for (else Prometheus' text)."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def _forget(self, version: str) -> None:
        # What other processes can see cannot be taken back; `_Workers` leaves out what is 0.
        if self._folder is None:
            self._policy.remove(version)
        else:
            self._policy.labels(version).set(0)


def _shared_folder() -> str | None:
    """Where workers share their numbers, if there are several; raises ValueError if there is no such folder."""
    folder = os.environ.get(FOLDER)
    if folder is not None and not Path(folder).is_dir():
        raise ValueError(f"{FOLDER} is no folder: `{folder}`; make it, empty, before the service starts")
    return folder


@cache
def _value_class(_folder: str | None) -> Any:
    """How prometheus_client keeps numbers: it settles that when it is loaded, and we may know the folder only now."""
    return values.get_value_class()  # type: ignore[no-untyped-call]


class _Workers(Collector):
    """Collects the numbers of all workers from the folder they share; those of dead ones only where they add up."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """What all workers have counted."""
        _bury(self._folder)
        # A worker that is just being started has made its file, and written nothing yet.
        files = [str(file) for file in Path(self._folder).glob("*.db") if _size(file)]
        for metric in MultiProcessCollector.merge(files):  # type: ignore[no-untyped-call]
            if metric.name == _POLICY:
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric


def _bury(folder: str) -> None:
    """Let the gauges of dead workers count no more."""
    for file in Path(folder).glob("gauge_live*_*.db"):
        process = file.stem.rpartition("_")[2]
        if process.isdecimal() and not _lives(int(process)):
            file.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size
    return 0
