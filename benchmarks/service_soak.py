"""The soak: the service answers under load while its rules change all the time, to another version or to nonsense.

Every checked answer must be that of the version which its header names, alone and in batches; nothing may fail,
and the memory of the workers must not grow.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import httpx

from benchmarks.service_processes import Burst, Load, Server, figures, resident_of, running, serve_command, until
from benchmarks.service_requests import EVALUATION, EVALUATIONS, Questions
from engine import open_policy

PEOPLE = ("alice", "bob")
# One rule differs between the versions: whom it keeps out.
RULE = """\
# change {number}
rules:
  - id: soak
    title: One of them is kept out
    actions: [view_payment_method]
    when: {{subject.id: {kept_out}}}
    deny: Not for {{subject.id}}.
"""
BROKEN = "# change {number}\nrules:\n  - {{id: soak, title: No such action, actions: [fly], deny: No.}}\n"
BROKEN_EVERY = 6
# A client opens a connection anew after so many answers, so that it meets every worker.
ANSWERS_A_CONNECTION = 40
# How many megabytes, or what share, a worker may grow after the first fifth of the time; and how many changes it takes
# to tell: with the first dozen, the heap grows to hold an old policy, a new one, and what checking needs.
SLACK_MB, SLACK = 8, 0.1
TELLING = 60
Progress = Callable[[str], None]
# For each version, whether it says yes to each person.
Wanted: TypeAlias = Mapping[str, Mapping[str, bool]]


@dataclass
class Seen:
    """What the clients that check have seen."""

    answers: int = 0
    looks: int = 0
    stale: int = 0
    versions: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    memory: list[dict[int, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Report:
    """What is printed at the end, and whether everything was right."""

    lines: list[str]
    is_right: bool


def soak(rules: Path, seconds: float, every: float, workers: int, connections: int, progress: Progress) -> Report:
    """Change a copy of the rules every so many seconds, under load, and check what is answered meanwhile."""
    with tempfile.TemporaryDirectory(prefix="changegate-") as name:
        folder = Path(name)
        pack = Changing(rules, folder / "rules")
        load = Load(folder, Questions(rules).singles)
        with running(serve_command("--rules", pack.folder, "--workers", str(workers))) as server:
            seen = Seen()
            with _wrk(load, server, connections, seconds) as burst, _clients(server, pack.wanted, seen):
                _change(pack, server, seen, seconds, every, progress)
            settled = until(lambda: _serves(server, pack.version), 4 * every + 10)
            return _report(Outcome(pack, server, seen, burst(), settled, workers))


class Changing:
    """A copy of a pack that is now one version, now the other, and now and then broken."""

    def __init__(self, rules: Path, folder: Path) -> None:
        shutil.copytree(rules, folder)
        self.folder = folder
        self.changes = 0
        self.broken = 0
        self.wanted: dict[str, Mapping[str, bool]] = {}
        self._versions = [self._version(person) for person in PEOPLE]
        self.version = self._versions[1]

    def change(self) -> None:
        """Make the next change; a file is replaced as a whole, as editors do."""
        self.changes += 1
        if self.changes % BROKEN_EVERY == 0:
            self.broken += 1
            self._write(BROKEN.format(number=self.changes))
        else:
            self.mend()

    def mend(self) -> None:
        """Make it the other version."""
        turn = 1 - self._versions.index(self.version)
        self._write(RULE.format(number=self.changes, kept_out=PEOPLE[turn]))
        self.version = self._versions[turn]

    def _version(self, kept_out: str) -> str:
        """The version that keeps this person out; what it must answer is noted."""
        self._write(RULE.format(number=0, kept_out=kept_out))
        policy = open_policy(self.folder)
        self.wanted[policy.version] = {person: policy.decide(_request(person)).decision for person in PEOPLE}
        if self.wanted[policy.version] != {person: person != kept_out for person in PEOPLE}:
            raise RuntimeError(f"the versions do not differ as they should: {self.wanted}")
        return policy.version

    def _write(self, text: str) -> None:
        new = self.folder / ".soak"
        new.write_text(text, encoding="utf-8")
        new.replace(self.folder / "soak.yaml")


def _change(pack: Changing, server: Server, seen: Seen, seconds: float, every: float, progress: Progress) -> None:
    """Change the pack and look at the workers' memory, until the time is up; the last change is a good one."""
    begun = time.monotonic()
    change_at = begun + every
    while (now := time.monotonic()) < begun + seconds and server.process.poll() is None:
        seen.memory.append({worker: resident_of(worker) for worker in server.workers})
        if now >= change_at:
            change_at += every
            pack.change()
            progress(f"{now - begun:.0f} of {seconds:.0f} s, {pack.changes} changes, {seen.answers} answers checked, "
                     f"{len(seen.wrong)} wrong")  # fmt: skip
        time.sleep(0.5)
    pack.mend()


@contextmanager
def _wrk(load: Load, server: Server, connections: int, seconds: float) -> Iterator[Callable[[], Burst]]:
    """Load for so many seconds; the value gives what came of it, at the end."""
    command = load.command(server.url(EVALUATION), connections, seconds, {})
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def ended() -> Burst:
        return figures(process.communicate(timeout=60)[0])

    try:
        yield ended
    finally:
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()


@contextmanager
def _clients(server: Server, wanted: Wanted, seen: Seen) -> Iterator[None]:
    """Clients that check, while the body of the `with` runs."""
    stop = threading.Event()
    works = (_ask_alone, _ask_together, _look)
    threads = [threading.Thread(target=_client, args=(work, server, wanted, seen, stop)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _client(
    work: Callable[..., None],
    server: Server,
    wanted: Wanted,
    seen: Seen,
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        with httpx.Client(base_url=server.url(), timeout=30) as client:
            for _ in range(ANSWERS_A_CONNECTION):
                if stop.wait(0.01):
                    return
                try:
                    work(client, wanted, seen)
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    seen.wrong.append(f"{type(error).__name__}: {error}")


def _ask_alone(client: httpx.Client, wanted: Wanted, seen: Seen) -> None:
    for person in PEOPLE:
        response = client.post(EVALUATION, json=_request(person))
        _check(response, {version: {"decision": right[person]} for version, right in wanted.items()}, seen)


def _ask_together(client: httpx.Client, wanted: Wanted, seen: Seen) -> None:
    people = PEOPLE * 10
    response = client.post(EVALUATIONS, json={"evaluations": list(map(_request, people))})
    answers = {
        version: {"evaluations": [{"decision": right[person]} for person in people]}
        for version, right in wanted.items()
    }
    _check(response, answers, seen)


def _check(response: httpx.Response, answers: Mapping[str, Any], seen: Seen) -> None:
    """Note the answer, and whether it is that of the version it names; raises HTTPError if it is none."""
    response.raise_for_status()
    version = response.headers["ChangeGate-Policy-Version"]
    seen.answers += 1
    seen.versions.add(version)
    if version not in answers or response.json() != answers[version]:
        seen.wrong.append(f"{response.text} by {version}")


def _look(client: httpx.Client, _wanted: Wanted, seen: Seen) -> None:
    """Look whether the service is ready; an hour of looks is no load."""
    time.sleep(0.2)
    response = client.get("/readyz", headers={"Connection": "close"})
    response.raise_for_status()
    seen.looks += 1
    seen.stale += response.json()["status"] == "stale"


def _serves(server: Server, version: str) -> bool:
    """Whether every worker, as far as one meets them, serves this version and knows it to be the newest."""
    for _ in range(10):
        told = httpx.get(server.url("/readyz")).json()
        if told != {"status": "ready", "policy_version": version}:
            return False
    return True


def _request(person: str) -> dict[str, Any]:
    resource = {"type": "subscription", "id": "sub-1"}
    return {"subject": {"type": "user", "id": person}, "action": {"name": "view_payment_method"}, "resource": resource}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that came of a soak."""

    pack: Changing
    server: Server
    seen: Seen
    burst: Burst
    settled: bool
    workers: int


def _report(found: Outcome) -> Report:
    pack, seen, burst = found.pack, found.seen, found.burst
    reloads = found.server.said.count("serving policy")
    wrong = list(_wrong(found, reloads))
    lines = [
        f"rules: {pack.changes} changes, {pack.broken} of them broken; {reloads} reloads in {found.workers} workers",
        f"ready: stale at {seen.stale} of {seen.looks} looks",
        f"load: {burst.requests:,} answers in {burst.seconds:.0f} s, {burst.rate:,.0f} a second, {burst.errors} errors",
        f"latency: p50 {burst.p50_ms:.2f} ms, p99 {burst.p99_ms:.2f} ms",
        f"checked: {seen.answers:,} answers of {len(seen.versions)} versions, {len(seen.wrong)} wrong or failed",
    ]
    for worker in _workers(seen):
        start, early, middle, end = _memory(seen, worker)
        lines.append(
            f"memory: a worker had {start:.1f} MB at the start, {early:.1f} after a fifth, {middle:.1f} in the middle, "
            f"{end:.1f} at the end"
        )
    lines += [f"WRONG: {each}" for each in wrong] or ["everything was right"]
    return Report(lines, not wrong)


def _wrong(found: Outcome, reloads: int) -> Iterator[str]:
    """What was wrong, as far as it is not too much to be told."""
    pack, seen = found.pack, found.seen
    yield from seen.wrong[:10]
    if found.burst.errors:
        yield f"{found.burst.refused} answers under load were no 200, {found.burst.broken} connections failed"
    if seen.memory and any(set(each) != set(seen.memory[0]) for each in seen.memory):
        yield "a worker ended, and another took its place"
    if not found.settled:
        yield "not all workers serve the last change"
    if seen.versions != set(pack.wanted) and pack.changes > 1:
        yield f"{len(seen.versions)} versions were seen instead of {len(pack.wanted)}"
    if pack.broken and not seen.stale:
        yield "/readyz never was stale, though the rules were broken"
    if reloads < (pack.changes - 2 * pack.broken) * found.workers / 2:
        yield f"there were only {reloads} reloads"
    for worker in _workers(seen):
        _, before, _, after = _memory(seen, worker)
        if pack.changes >= TELLING and after - before > max(SLACK_MB, before * SLACK):
            yield f"worker {worker} grew from {before:.1f} to {after:.1f} MB"


def _workers(seen: Seen) -> list[int]:
    return sorted(seen.memory[-1]) if seen.memory else []


def _memory(seen: Seen, worker: int) -> tuple[float, float, float, float]:
    """Megabytes at the start, after the first fifth, in the middle and at the end: each but the first of a fifth."""
    taken = [each[worker] for each in seen.memory if worker in each]
    fifth = max(1, len(taken) // 5)
    early, middle = (median(taken[start : start + fifth] or taken) for start in (fifth, 2 * fifth))
    return taken[0], early, middle, median(taken[-fifth:])
