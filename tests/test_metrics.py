"""What the service counts is what Prometheus reads, of one process and of several."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from engine.server.metrics import BUCKETS, FOLDER, Metrics

ROOT = Path(__file__).parent.parent


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """The numbers of a process on its own."""
    monkeypatch.delenv(FOLDER, raising=False)
    return Metrics()


def read(metrics: Metrics) -> dict[str, float]:
    """The samples as `name{label="value"}`."""
    return samples(metrics.render()[0].decode())


def samples(text: str) -> dict[str, float]:
    """The samples in a text."""
    found = {}
    for family in parse(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_requests_are_counted_and_timed(metrics: Metrics) -> None:
    """By endpoint and status, and how long they took by endpoint."""
    metrics.answered("/a", 200, 0.0003)
    metrics.answered("/a", 200, 0.0006)
    metrics.answered("/a", 400, 20.0)
    metrics.answered("/b", 200, 0.0)
    found = read(metrics)

    assert found['changegate_requests_total{endpoint="/a",status="200"}'] == 2
    assert found['changegate_requests_total{endpoint="/a",status="400"}'] == 1
    assert found['changegate_requests_total{endpoint="/b",status="200"}'] == 1
    assert found['changegate_request_duration_seconds_count{endpoint="/a"}'] == 3
    assert found['changegate_request_duration_seconds_sum{endpoint="/a"}'] == pytest.approx(20.0009)
    assert found['changegate_request_duration_seconds_bucket{endpoint="/a",le="0.0005"}'] == 1
    assert found['changegate_request_duration_seconds_bucket{endpoint="/a",le="0.001"}'] == 2
    assert found['changegate_request_duration_seconds_bucket{endpoint="/a",le="10.0"}'] == 2
    assert found['changegate_request_duration_seconds_bucket{endpoint="/a",le="+Inf"}'] == 3


def test_buckets_reach_from_microseconds_to_seconds() -> None:
    """A decision takes 50 microseconds, a slow client ten seconds."""
    assert (BUCKETS[0], BUCKETS[-1]) == (0.00005, 10.0)
    assert list(BUCKETS) == sorted(set(BUCKETS))


def test_decisions_are_counted_by_action_and_outcome(metrics: Metrics) -> None:
    """One by one, or a batch at once."""
    metrics.decided("purchase", "allow")
    metrics.decided("purchase", "allow", 98)
    metrics.decided("other", "deny", 2)
    found = read(metrics)

    assert found['changegate_decisions_total{action="purchase",outcome="allow"}'] == 99
    assert found['changegate_decisions_total{action="other",outcome="deny"}'] == 2


def test_what_is_refused_is_counted_by_reason(metrics: Metrics) -> None:
    """So that who is busy is told from who is attacked."""
    metrics.refused("busy")
    metrics.refused("busy")
    metrics.refused("unauthorized")
    found = read(metrics)

    assert found['changegate_requests_refused_total{reason="busy"}'] == 2
    assert found['changegate_requests_refused_total{reason="unauthorized"}'] == 1


def test_what_alarms_are_made_of_begins_with_zero(metrics: Metrics) -> None:
    """The first of them is an increase, not a beginning."""
    found = read(metrics)

    assert {name: value for name, value in found.items() if "_total{result" in name} == {
        'changegate_policy_reloads_total{result="ok"}': 0,
        'changegate_policy_reloads_total{result="failed"}': 0,
        'changegate_log_lines_total{result="written"}': 0,
        'changegate_log_lines_total{result="dropped"}': 0,
        'changegate_log_lines_total{result="failed"}': 0,
        'changegate_shadow_decisions_total{result="agreed"}': 0,
        'changegate_shadow_decisions_total{result="different"}': 0,
        'changegate_shadow_decisions_total{result="skipped"}': 0,
        'changegate_shadow_decisions_total{result="failed"}': 0,
    }


def test_reloads_lines_and_second_opinions_are_counted(metrics: Metrics) -> None:
    """Each under what came of it."""
    metrics.reloaded(ok=True)
    metrics.reloaded(ok=False)
    metrics.reloaded(ok=False)
    metrics.logged(written=5, dropped=3, failed=1)
    metrics.logged(written=2, dropped=0, failed=0)
    for result in ("agreed", "agreed", "agreed", "different", "skipped"):
        metrics.shadowed(result)
    found = read(metrics)

    assert {name: value for name, value in found.items() if "_total{result" in name} == {
        'changegate_policy_reloads_total{result="ok"}': 1,
        'changegate_policy_reloads_total{result="failed"}': 2,
        'changegate_log_lines_total{result="written"}': 7,
        'changegate_log_lines_total{result="dropped"}': 3,
        'changegate_log_lines_total{result="failed"}': 1,
        'changegate_shadow_decisions_total{result="agreed"}': 3,
        'changegate_shadow_decisions_total{result="different"}': 1,
        'changegate_shadow_decisions_total{result="skipped"}': 1,
        'changegate_shadow_decisions_total{result="failed"}': 0,
    }


def test_a_result_that_does_not_exist_is_a_mistake_of_ours(metrics: Metrics) -> None:
    """A misspelled label would be a series that nobody looks at."""
    with pytest.raises(KeyError):
        metrics.shadowed("agred")


def test_one_version_is_served_at_a_time(metrics: Metrics) -> None:
    """The one before it is forgotten."""
    metrics.serving("sha256:1", 1000.0)
    metrics.serving("sha256:1", 1000.0)
    assert read(metrics)['changegate_policy_info{version="sha256:1"}'] == 1
    metrics.serving("sha256:2", 2000.0)
    found = read(metrics)

    assert [name for name in found if name.startswith("changegate_policy_info")] == [
        'changegate_policy_info{version="sha256:2"}'
    ]
    assert found["changegate_policy_served_since_timestamp_seconds"] == 2000


def test_requests_in_flight_come_and_go(metrics: Metrics) -> None:
    """A gauge, not a counter."""
    metrics.in_flight.inc()
    metrics.in_flight.inc()
    metrics.in_flight.dec()

    assert read(metrics)["changegate_requests_in_flight"] == 1


def test_names_follow_the_conventions_of_prometheus(metrics: Metrics) -> None:
    """Counters end in `_total`, times are in seconds, everything has a help text, and the prefix is ours."""
    metrics.answered("/a", 200, 0.1)
    metrics.decided("a", "allow")
    metrics.refused("busy")
    families = [family for family in parse(metrics.render()[0].decode()) if not family.name.endswith("_created")]
    ours = [family for family in families if not family.name.startswith("process_")]
    assert len(ours) == 10
    for family in ours:
        assert re.fullmatch(r"changegate_[a-z_]+", family.name)
        assert family.documentation
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
    assert "process_resident_memory_bytes" in {family.name for family in families} or sys.platform != "linux"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_format_is_the_one_asked_for(metrics: Metrics, accept: str, content_type: str) -> None:
    """Prometheus' own text, unless the newer one is asked for."""
    metrics.answered("/a", 200, 0.1)
    body, found = metrics.render(accept)

    assert found.startswith(content_type)
    read_all: Any = parse_open if accept else parse
    assert "changegate_requests" in {family.name for family in read_all(body.decode())}


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that share nothing would each tell a part."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=rf"{FOLDER} is no folder: `.*nowhere`; make it, empty"):
        Metrics()


WORKER = """
import sys
from engine.server.metrics import Metrics
metrics = Metrics()
metrics.serving(sys.argv[1], float(sys.argv[2]))
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


class Worker:
    """A process that counts as it is told."""

    def __init__(self, folder: Path, version: str, since: float) -> None:
        environment = {**os.environ, FOLDER: str(folder), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", WORKER, version, str(since)]
        self.process = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def tell(self, line: str) -> None:
        """Have it done."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        while self.process.stdout.readline() != "done\n":
            assert self.process.poll() is None

    def end(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def test_several_workers_count_as_one(tmp_path: Path) -> None:
    """Counts of a dead worker stay, its gauges do not, and any worker answers for all."""
    first, second = (Worker(tmp_path, f"sha256:{number}", number * 1000.0) for number in (1, 2))
    try:
        first.tell('metrics.answered("/a", 200, 0.001); metrics.in_flight.inc(); metrics.decided("a", "allow", 3)')
        second.tell('metrics.answered("/a", 200, 0.001); metrics.in_flight.inc(); metrics.decided("a", "allow", 4)')
        (tmp_path / "counter_1.db").touch()  # a worker that has only just begun
        show = f'open({str(tmp_path / "out")!r}, "wb").write(metrics.render()[0])'
        second.tell(show)
        both = samples((tmp_path / "out").read_text())
        first.end()
        second.tell('metrics.serving("sha256:3", 3000.0)')
        second.tell(show)
        alone = samples((tmp_path / "out").read_text())
    finally:
        first.end()
        second.end()

    for found in (both, alone):
        assert found['changegate_requests_total{endpoint="/a",status="200"}'] == 2
        assert found['changegate_request_duration_seconds_count{endpoint="/a"}'] == 2
        assert found['changegate_decisions_total{action="a",outcome="allow"}'] == 7
        assert found['changegate_policy_reloads_total{result="failed"}'] == 0
    assert both["changegate_requests_in_flight"] == 2
    assert alone["changegate_requests_in_flight"] == 1
    assert sorted(name for name in both if "_info" in name) == [
        'changegate_policy_info{version="sha256:1"}',
        'changegate_policy_info{version="sha256:2"}',
    ]
    assert [name for name in alone if "_info" in name] == ['changegate_policy_info{version="sha256:3"}']
    assert alone["changegate_policy_served_since_timestamp_seconds"] == 3000


LATE = f"""
import os, sys
from engine.server.metrics import Metrics
os.environ[{FOLDER!r}] = sys.argv[1]
metrics = Metrics()
metrics.decided("a", "allow", 2)
if os.fork() == 0:
    metrics = Metrics()
    metrics.decided("a", "allow", 3)
    os._exit(0)
os.wait()
print(metrics.render()[0].decode())
"""


def test_the_folder_may_be_named_late_and_workers_forked(tmp_path: Path) -> None:
    """The launcher loads the service before it knows how many workers there will be."""
    command = [sys.executable, "-c", LATE, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop(FOLDER, None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert samples(done.stdout)['changegate_decisions_total{action="a",outcome="allow"}'] == 5


def test_counting_costs_microseconds(metrics: Metrics) -> None:
    """A request must not feel that it is counted."""
    best = 1.0
    for _ in range(20):
        begun = time.perf_counter()
        for _ in range(200):
            metrics.answered("/a", 200, 0.0003)
        best = min(best, (time.perf_counter() - begun) / 200)

    assert best < 10e-6
