"""The second engine has its say on a share of decisions, and whatever becomes of it, the service goes on."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

import pytest

from engine import Decision, open_policy
from engine.cases import readings_of, request_of
from engine.decide import Told
from engine.decision import Parts, Reason, Verdict
from engine.server import shadow, shadow_process
from engine.server.journal_lines import fingerprint
from engine.server.shadow import Shadow

ROOT = Path(__file__).parent.parent
TODO = str(ROOT / "examples" / "todo")
VERDICT = Verdict("deny", "forbidden", None, None, ("no-way",))
PARTS = Parts("small", "sha256:1", None, (Reason("no-way", "deny", "No.", ()),))
SAID = Decision(VERDICT, Told(PARTS))
PATIENCE = 20.0


@dataclass
class Opinion:
    """A second opinion that does what the request tells it to."""

    version: str

    def decide(self, request: Mapping[str, Any], locale: str) -> dict[str, Any]:
        answer = SAID.to_dict()
        match request["do"]:
            case "lie":
                answer |= {"decision": True, "outcome": "allow", "cause": "permitted", "reasons": []}
            case "speak":
                answer["warnings"] = [locale]
            case "raise":
                raise ValueError(f"cannot decide {request}")
            case int() as number:
                os.kill(os.getpid(), number)
        return answer


def read_opinion(file: Path) -> Opinion:
    """An opinion of the version that stands in the file."""
    return Opinion(file.read_text())


def hang(file: Path) -> Opinion:
    """An opinion that is never made."""
    file.touch()
    signal.pause()
    raise AssertionError


class Broken:
    """A process that cannot be started."""

    def __init__(self, _make: object) -> None:
        raise OSError("no more processes")


class RealOpinion:
    """What the second engine says of a policy."""

    def __init__(self, rules: str) -> None:
        self._gate = open_policy(rules, as_of="2026-11-22", engine="rete")
        self.version = self._gate.version

    def decide(self, request: Mapping[str, Any], locale: str) -> dict[str, Any]:
        return self._gate.decide(request, locale=locale).to_dict()


class Watching:
    """A shadow at work, and what it has noticed."""

    def __init__(self, make: Callable[[], Any], share: float = 1.0) -> None:
        self.seen: SimpleQueue[str] = SimpleQueue()
        self.shadow = Shadow(share, make, self.seen.put)

    def __enter__(self) -> Self:
        self.shadow.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shadow.stop()

    def offer(self, do: Any, decision: Decision = SAID, version: str = "1") -> str:
        """What comes of an offer."""
        self.shadow.offer(version, {"do": do, "secret": "s3cret"}, decision)
        return self.seen.get(timeout=PATIENCE)

    def offer_until(self, result: str, version: str = "1") -> set[str]:
        """All that comes of offers until one ends like this."""
        seen, end = set[str](), time.monotonic() + PATIENCE
        while result not in seen and time.monotonic() < end:
            seen.add(self.offer("agree", version=version))
        assert result in seen
        return seen


def pauses(caplog: pytest.LogCaptureFixture) -> list[object]:
    """How long it was waited for the next process, each time."""
    told = [record.args for record in caplog.records if "starts again" in record.msg]
    return [args[0] for args in told if isinstance(args, tuple)]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the version of opinions stands."""
    path = tmp_path_factory.mktemp("shadow") / "version"
    path.write_text("1")
    return path


@pytest.fixture(scope="module")
def watching(file: Path) -> Iterator[Watching]:
    """A shadow that is not to come to harm."""
    with Watching(partial(read_opinion, file)) as watching:
        yield watching


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(shadow, "LOOK_EVERY", 0.05)


def test_what_agrees_is_counted(watching: Watching, caplog: pytest.LogCaptureFixture) -> None:
    """Two decisions that say the same are worth a number, not a line."""
    assert watching.offer("agree") == "agreed"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_what_differs_is_counted_and_told(watching: Watching, caplog: pytest.LogCaptureFixture) -> None:
    """The line has both answers and the hash of the request, but nothing of the request itself, and no traceback."""
    assert watching.offer("lie") == "different"
    (record,) = caplog.records
    line = record.getMessage()
    assert (record.name, record.levelname, record.exc_info) == ("changegate.shadow", "ERROR", None)
    assert fingerprint({"do": "lie", "secret": "s3cret"}) in line
    assert "deny (forbidden; no-way)" in line
    assert "allow (permitted; no rule)" in line
    assert "in decision, outcome, cause, reasons:" in line
    assert "s3cret" not in line


def test_the_line_names_the_request_as_the_decision_log_does() -> None:
    """Who gives the hash of the log finds the log's line."""
    seen: SimpleQueue[str] = SimpleQueue()
    named = Shadow(1, Opinion.__call__, seen.put, digest=lambda request: f"mine:{request['do']}")

    assert named._digest({"do": "lie"}) == "mine:lie"


def test_what_only_the_first_was_asked_for_is_not_compared(watching: Watching) -> None:
    """A decision in full detail has parts that the second engine is not asked for."""
    full = Decision(VERDICT, Told(replace(PARTS, unknown=("subject.id",), alternatives=(), assumptions=())))

    assert watching.offer("agree", full) == "agreed"


@pytest.mark.parametrize("part", ["missing", "warnings", "reasons"])
def test_every_other_part_is_compared(watching: Watching, part: str) -> None:
    """The same outcome with something else said is a difference."""
    said: Any = (Reason("no-way", "deny", "Never.", ()),) if part == "reasons" else ("subject.id",)

    assert watching.offer("agree", Decision(VERDICT, Told(replace(PARTS, **{part: said})))) == "different"


def test_the_language_goes_along(watching: Watching) -> None:
    """Texts are compared in the language they were told in."""
    said = Decision(VERDICT, Told(replace(PARTS, warnings=("sv",))))
    watching.shadow.offer("1", {"do": "speak"}, said, "sv")

    assert watching.seen.get(timeout=PATIENCE) == "agreed"


def test_an_opinion_that_fails_is_counted(watching: Watching, caplog: pytest.LogCaptureFixture) -> None:
    """An exception is told by its kind: its text may hold the request. The process goes on."""
    before = watching.shadow._process
    assert watching.offer("raise") == "failed"
    assert "ValueError" in caplog.text
    assert "s3cret" not in caplog.text
    assert watching.offer("agree") == "agreed"
    assert watching.shadow._process is before


def test_another_version_is_skipped(watching: Watching) -> None:
    """What another policy decided is not compared."""
    assert watching.offer("lie", version="2") == "skipped"


@pytest.mark.parametrize(
    ("hours", "result"),
    [(0, "different"), (24, "skipped")],
    ids=["within a day", "over midnight"],
)
def test_a_new_day_is_no_difference(
    watching: Watching, monkeypatch: pytest.MonkeyPatch, hours: int, result: str
) -> None:
    """Where both decided for today, and that became another day, there is nothing to compare."""
    noon = time.time() // 86400 * 86400 + 43200
    times = iter([noon])
    monkeypatch.setattr(time, "time", lambda: next(times, noon + hours * 3600))
    other = Decision(VERDICT, Told(replace(PARTS, version="sha256:2")))

    assert watching.offer("agree", other) == result


def test_a_process_that_crashes_is_started_again(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The offer that it met is lost, what waits for the next process is skipped, and then all is well."""
    with Watching(partial(read_opinion, file)) as watching:
        assert watching.offer(int(signal.SIGSEGV)) == "failed"
        assert f"its process ended: {signal.strsignal(signal.SIGSEGV)}" in caplog.text
        assert watching.offer_until("agreed") <= {"skipped", "agreed"}


def test_a_process_that_is_killed_while_idle_is_noticed(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to ask first. After one that was well, the pause is short again."""
    monkeypatch.setattr(shadow, "SETTLED", 0.0)
    monkeypatch.setattr(shadow, "MAX_PAUSE", PATIENCE)
    with Watching(partial(read_opinion, file)) as watching:
        for _ in range(2):
            watching.offer_until("agreed")
            process = watching.shadow._process
            assert process is not None
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            assert watching.seen.get(timeout=PATIENCE) == "failed"
    assert pauses(caplog) == [0.05, 0.05]


def test_a_process_that_does_not_answer_is_ended(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Being stuck is as good as a crash."""
    with Watching(partial(read_opinion, file)) as watching:
        watching.offer_until("agreed")
        monkeypatch.setattr(shadow_process, "DECIDING", 0.1)
        assert watching.offer(int(signal.SIGSTOP)) == "failed"
        assert "no answer within 0.1 seconds" in caplog.text


def test_pauses_grow_up_to_a_limit(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot run at all is tried again, less and less often."""
    monkeypatch.setattr(shadow, "MAX_PAUSE", 0.2)
    monkeypatch.setattr(shadow, "Process", Broken)
    with Watching(partial(Opinion, "1")) as watching:
        assert [watching.seen.get(timeout=PATIENCE) for _ in range(4)] == ["failed"] * 4
    assert pauses(caplog)[:4] == [0.05, 0.1, 0.2, 0.2]
    assert "again in 0.05 s: OSError" in caplog.text


def test_a_policy_that_cannot_be_had_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The other process may meet files in the middle of a change."""
    file = tmp_path / "version"
    with Watching(partial(read_opinion, file)) as watching:
        assert watching.seen.get(timeout=PATIENCE) == "failed"
        assert "it cannot have the policy: FileNotFoundError" in caplog.text
        file.write_text("1")
        watching.offer_until("agreed")


def test_reloading_makes_the_opinion_anew(tmp_path: Path) -> None:
    """A new policy is skipped until the opinion is of that policy, too."""
    file = tmp_path / "version"
    file.write_text("1")
    with Watching(partial(read_opinion, file)) as watching:
        watching.offer_until("agreed")
        file.write_text("2")
        assert watching.offer("agree", version="2") == "skipped"
        watching.shadow.reload()
        assert watching.offer("agree", version="2") == "agreed"
        assert watching.offer("agree", version="1") == "skipped"


def test_a_version_that_was_missed_is_found_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files may have changed between the service's look at them and the other process's."""
    file = tmp_path / "version"
    file.write_text("too new")
    with Watching(partial(read_opinion, file)) as watching:
        assert watching.offer("agree") == "skipped"
        file.write_text("1")
        monkeypatch.setattr(shadow, "SETTLED", 0.0)
        assert watching.offer("agree") == "agreed"


def test_what_does_not_fit_is_skipped(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offers never wait for room."""
    monkeypatch.setattr(shadow, "MAX_WAITING", 2)
    watching = Watching(partial(read_opinion, file))
    for _ in range(5):
        watching.shadow.offer("1", {"do": "agree"}, SAID)
    assert [watching.seen.get_nowait() for _ in range(3)] == ["skipped"] * 3
    with watching:
        assert [watching.seen.get(timeout=PATIENCE) for _ in range(2)] == ["agreed"] * 2


@pytest.mark.parametrize(("share", "fewest", "most"), [(0, 0, 0), (0.5, 350, 650), (1, 1000, 1000)])
def test_a_share_is_picked(monkeypatch: pytest.MonkeyPatch, share: float, fewest: int, most: int) -> None:
    """As many as were asked for, more or less."""
    monkeypatch.setattr(shadow, "MAX_WAITING", 0)
    watching = Watching(partial(Opinion, "1"), share)
    for _ in range(1000):
        watching.shadow.offer("1", {"do": "agree"}, SAID)

    assert fewest <= watching.seen.qsize() <= most


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_a_share(share: float) -> None:
    """Less than none and more than all is refused."""
    with pytest.raises(ValueError, match="from 0 to 1"):
        Watching(partial(Opinion, "1"), share)


def test_stopping_ends_a_process_that_is_busy(tmp_path: Path) -> None:
    """Whatever it does, it is over in a moment, and nothing is started again."""
    file = tmp_path / "begun"
    with Watching(partial(hang, file)) as watching:
        end = time.monotonic() + PATIENCE
        while not file.exists() and time.monotonic() < end:
            time.sleep(0.01)
        process = watching.shadow._process
        assert process is not None
        pid = process.pid
        assert pid is not None
    assert not watching.shadow._thread.is_alive()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(Empty):
        watching.seen.get_nowait()


ORPHAN = """
import functools, signal, test_shadow
if __name__ == "__main__":
    with test_shadow.Watching(functools.partial(test_shadow.Opinion, "1")) as watching:
        watching.offer_until("agreed")
        print("ready", flush=True)
        signal.pause()
"""


def test_the_process_ends_with_the_service() -> None:
    """Not even a service that is killed leaves it behind: whoever reads what both write sees the end."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "ready\n"
        service.kill()
        assert service.stdout.read() == ""


def test_a_shadow_that_never_began_ends() -> None:
    """A service that does not come up can still go down."""
    watching = Watching(partial(Opinion, "1"))
    watching.shadow.stop()

    assert watching.offer("agree") == "skipped"


def test_the_second_engine_agrees_on_a_real_policy() -> None:
    """Every case of an example is decided alike by the engine in the other process."""
    gate = open_policy(TODO, as_of="2026-11-22")
    requests = [request_of(case) for case in gate.pack.cases if not readings_of(case)]
    assert len(requests) > 10
    with Watching(partial(RealOpinion, TODO)) as watching:
        for request in requests:
            watching.shadow.offer(gate.version, request, gate.decide(request))
        assert [watching.seen.get(timeout=PATIENCE) for _ in requests] == ["agreed"] * len(requests)
