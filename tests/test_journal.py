"""The decision log: a line for each decision, whole, in time, and without what is masked."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Decision, open_policy
from engine.decide import Told
from engine.decision import Parts, Verdict
from engine.server import journal
from engine.server.journal import Entry, Journal, JournalFailed
from engine.server.journal_lines import Lines, fingerprint
from engine.server.masks import Masks

ROOT = Path(__file__).parent.parent
FULL = "/dev/full"
REQUEST: dict[str, Any] = {
    "subject": {"type": "user", "id": "alice", "properties": {"role": "admin", "mail": "alice@example.com"}},
    "action": {"name": "purchase", "properties": {"payment_method": "invoice"}},
    "resource": {"type": "subscription", "id": "sub-1", "properties": {"cost": {"amount": Decimal("499.90")}}},
    "context": {"ip": "192.0.2.7", "date": "2026-11-22"},
}
NAMES = ["id", "time", "policy_version", "request", "decision", "outcome", "cause", "route", "rules"]


def decision(verdict: Verdict | None = None) -> Decision:
    """A decision whose long answer nobody may ask for."""
    return Decision(verdict or Verdict("deny", "forbidden", "support", "self_service", ("a", "b")), Told(_untold()))


def _untold() -> Parts:
    return None  # type: ignore[return-value]


def entry(request: Mapping[str, Any] = REQUEST, name: str = "r-1", **more: Any) -> Entry:
    """An entry that says so."""
    return Entry(name, 1795345530.0456, "sha256:1", request, decision(), 0.0000421, **more)


def lines(path: Path) -> list[dict[str, Any]]:
    """What the lines of a log hold."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is to be."""
    return tmp_path / "decisions.log"


@pytest.fixture
def log(path: Path) -> Iterator[Journal]:
    """A log that nothing may be missing from."""
    opened = Journal(str(path), "fail-closed", "whole", ())
    yield opened
    opened.close()


@pytest.fixture
def _always_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write looks at the path."""
    monkeypatch.setattr(journal, "LOOK_EVERY", 0.0)


def test_a_line_says_everything_in_a_fixed_order(log: Journal, path: Path) -> None:
    """Programs and people find everything in the same place."""
    log.write([entry()])
    line = path.read_text()
    assert line == (
        '{"id":"r-1","time":"2026-11-22T11:05:30.045Z","policy_version":"sha256:1",'
        '"request":{"subject":{"type":"user","id":"alice","properties":{"role":"admin","mail":"alice@example.com"}},'
        '"action":{"name":"purchase","properties":{"payment_method":"invoice"}},'
        '"resource":{"type":"subscription","id":"sub-1","properties":{"cost":{"amount":499.90}}},'
        '"context":{"ip":"192.0.2.7","date":"2026-11-22"}},'
        '"decision":false,"outcome":"deny","cause":"forbidden","route":"support","rules":["a","b"],"duration_ms":0.042}\n'
    )


def test_an_allow_is_told(log: Journal, path: Path) -> None:
    """A route that there is none of is null."""
    log.write([Entry("r", 0.0, "v", {}, decision(Verdict("allow", "permitted", None, None, ())), 0)])
    (line,) = lines(path)
    assert (line["decision"], line["outcome"], line["route"], line["rules"]) == (True, "allow", None, [])
    assert line["time"] == "1970-01-01T00:00:00.000Z"


def test_entries_keep_their_order(log: Journal, path: Path) -> None:
    """A batch is logged as it was asked."""
    log.write([entry(name=str(number)) for number in range(100)])
    log.write([])
    log.write([entry(name="100")])
    assert [line["id"] for line in lines(path)] == [str(number) for number in range(101)]


def test_a_batch_is_one_write(log: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written at once cannot be mixed with what others write."""
    written: list[int] = []

    def write(_file: int, data: memoryview) -> int:
        written.append(bytes(data).count(b"\n"))
        return len(data)

    monkeypatch.setattr(os, "write", write)
    log.write([entry(name="1"), entry(name="2")])
    assert written == [2]


TEXTS = ["Ærøskøbing", "\n\r\t\x00\x1b[31m", "\x7f\x85\x9b31m", "\u2028\u2029", "😀", '"\\', "\ud800", "a\ud83dz"]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_line_stays_a_line(log: Journal, path: Path, text: str) -> None:
    """Whatever a request holds, nothing takes it for another line or a command, and what is a letter stays one."""
    request = {**REQUEST, "context": {text: [text]}}
    log.write([entry(request, name=text)])
    written = path.read_text()
    assert len(written.splitlines()) == 1
    assert written[:-1].isprintable()
    if not set(text) & set("\ud800\ud83d"):
        line = json.loads(written)
        assert (line["id"], line["request"]["context"]) == (text, {text: [text]})
        assert not text.isprintable() or text in written or text == '"\\'


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("0.10"), "0.10"),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("1E+999999"), "1E+999999"),
        (Decimal("-5.0"), "-5.0"),
        (10**40, "1" + 40 * "0"),
        (-(2**63), "-9223372036854775808"),
        (0.5, "0.5"),
        (True, "true"),
        (None, "null"),
    ],
)
def test_numbers_are_logged_as_they_were_sent(log: Journal, path: Path, number: Any, text: str) -> None:
    """Nothing is rounded, and nothing becomes text."""
    log.write([entry({"context": {"n": [number]}})])
    assert f'"request":{{"context":{{"n":[{text}]}}}},' in path.read_text()


def test_a_log_of_hashes_holds_no_requests(path: Path) -> None:
    """The hash stands where the request would, and is that of its canonical JSON."""
    Journal(str(path), "fail-closed", "hash", ()).write([entry()])
    (line,) = lines(path)
    assert list(line) == [*NAMES[:3], "request_hash", *NAMES[4:], "duration_ms"]
    canonical = json.dumps(
        {**REQUEST, "resource": {**REQUEST["resource"], "properties": {"cost": {"amount": "@"}}}},
        sort_keys=True,
        separators=(",", ":"),
    ).replace('"@"', "499.90")
    assert line["request_hash"] == f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
)


@given(request=st.dictionaries(st.text(), JSON, max_size=4))
def test_the_hash_is_that_of_the_line(request: dict[str, Any]) -> None:
    """Who has a whole line can tell its hash, and the order of names has no part in it."""
    whole = Lines("whole", ()).of([entry(request)])
    logged = json.loads(whole, parse_float=Decimal)["request"]
    turned = dict(reversed(logged.items()))
    assert Lines("hash", ()).fingerprint(request) == fingerprint(logged) == fingerprint(turned)


MASKED = [
    ("subject.id", {"subject": {"type": "user", "id": "***", "properties": {"role": "admin", "mail": "m"}}}),
    ("subject.mail", {"subject": {"type": "user", "id": "alice", "properties": {"role": "admin", "mail": "***"}}}),
    ("subject.type", {"subject": {"type": "***", "id": "alice", "properties": {"role": "admin", "mail": "m"}}}),
    ("subject.*", {"subject": {"type": "user", "id": "***", "properties": {"role": "***", "mail": "***"}}}),
    ("subject.properties", {"subject": {"type": "user", "id": "alice", "properties": "***"}}),
    ("subject.other", {}),
    ("action.how", {"action": {"name": "buy", "properties": {"how": "***"}}}),
    ("action.*", {"action": {"name": "buy", "properties": {"how": "***"}}}),
    ("todo.owner", {"resource": {"type": "todo", "id": "t-1", "properties": {"owner": "***", "done": True}}}),
    ("resource.owner", {"resource": {"type": "todo", "id": "t-1", "properties": {"owner": "***", "done": True}}}),
    ("todo.id", {"resource": {"type": "todo", "id": "***", "properties": {"owner": {"id": 1}, "done": True}}}),
    ("todo.*", {"resource": {"type": "todo", "id": "***", "properties": {"owner": "***", "done": "***"}}}),
    ("note.owner", {}),
    ("context.ip", {"context": {"ip": "***", "at": None}, "context.ip": "***"}),
    ("context.*", {"context": {"ip": "***", "at": "***"}, "context.ip": "***"}),
    ("night", {"night": "***"}),
]
BARE: dict[str, Any] = {
    "subject": {"type": "user", "id": "alice", "properties": {"role": "admin", "mail": "m"}},
    "action": {"name": "buy", "properties": {"how": ["card"]}},
    "resource": {"type": "todo", "id": "t-1", "properties": {"owner": {"id": 1}, "done": True}},
    "context": {"ip": "192.0.2.7", "at": None},
    "context.ip": "192.0.2.8",
    "night": True,
}


@pytest.mark.parametrize(("mask", "changed"), MASKED, ids=[mask for mask, _ in MASKED])
def test_a_masked_fact_is_hidden_where_the_request_carries_it(mask: str, changed: dict[str, Any]) -> None:
    """Whatever its shape, and nothing else with it; the request itself stays as it is."""
    before = json.dumps(BARE)
    assert Masks([mask]).apply(BARE) == {**BARE, **changed}
    assert json.dumps(BARE) == before


@pytest.mark.parametrize(
    ("request_", "hidden"),
    [
        ({"subject": {"id": "a", "mail": "m"}}, {"subject": {"id": "a", "mail": "***"}}),
        ({"subject": {"properties": {"id": "a", "mail": "m"}}}, {"subject": {"properties": {"id": "a", "mail": "***"}}}),
        ({"subject": {"properties": ["mail", "m"]}}, {"subject": {"properties": "***"}}),
        ({"subject": "m"}, {"subject": "***"}),
        ({"subject": None}, {"subject": None}),
        ({"subject.mail": "m", "subject.id": "a"}, {"subject.mail": "***", "subject.id": "a"}),
        ({"resource": {"properties": {"cost": 1}}}, {"resource": {"properties": {"cost": "***"}}}),
        ({"resource": {"type": 5, "properties": {"cost": 1}}}, {"resource": {"type": 5, "properties": {"cost": "***"}}}),
        ({"resource": {"type": "todo", "properties": {"cost": 1}}}, {"resource": {"type": "todo", "properties": {"cost": 1}}}),
        ({"resource": {"type": "note", "properties": {"owner": 1}}}, {"resource": {"type": "note", "properties": {"owner": "***"}}}),
        ({"subscription.cost": 1, "note.owner": 2, "owner": 3}, {"subscription.cost": "***", "note.owner": "***", "owner": 3}),
    ],
)  # fmt: skip
def test_odd_requests_hide_rather_too_much(request_: dict[str, Any], hidden: dict[str, Any]) -> None:
    """What stands in the wrong place is hidden, too; a resource without a type may be of any type."""
    assert Masks(["subject.mail", "subscription.cost", "resource.owner"]).apply(request_) == hidden


@pytest.mark.parametrize(
    "mask", ["", "subject", "context", "subject.", ".id", "a b", "subject.a.b", "*", "*.id", "x.*y"]
)
def test_a_mask_is_a_path(mask: str, path: Path) -> None:
    """What could never hide anything is refused at once."""
    with pytest.raises(ValueError, match=r"is no path of a fact; write `"):
        Journal(str(path), "drop", "whole", [mask])


def test_masked_facts_have_no_part_in_the_log_nor_in_the_hash(path: Path) -> None:
    """Nobody can try out what was hidden."""
    masks = ["subject.*", "subscription.cost", "context.ip"]
    other = {**REQUEST, "subject": {"type": "user", "id": "bob", "properties": {"role": "user", "mail": "b"}}}
    for mode in ("whole", "hash"):
        log = Journal(str(path), "fail-closed", mode, masks)
        log.write([entry(), entry(other)])
        log.close()
    text = path.read_text()
    assert not [secret for secret in ("alice", "bob", "499", "192.0.2.7") if secret in text]
    whole, also_whole, hashed, also_hashed = lines(path)
    assert whole == also_whole
    assert hashed["request_hash"] == also_hashed["request_hash"] == fingerprint(whole["request"])
    assert log.fingerprint(REQUEST) == hashed["request_hash"]


@pytest.mark.usefixtures("_always_looking")
@pytest.mark.parametrize("gone", ["renamed", "removed", "replaced"])
def test_a_file_that_was_rotated_is_opened_anew(log: Journal, path: Path, tmp_path: Path, gone: str) -> None:
    """What is written afterwards is where the path says."""
    log.write([entry(name="before")])
    if gone == "removed":
        path.unlink()
    else:
        path.rename(tmp_path / "decisions.log.1")
    if gone == "replaced":
        path.touch()
    log.write([entry(name="after")])
    assert [line["id"] for line in lines(path)] == ["after"]
    if gone != "removed":
        assert [line["id"] for line in lines(tmp_path / "decisions.log.1")] == ["before"]


def test_the_path_is_looked_at_once_in_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking costs more than writing; until it is time, lines go to the file that was open."""
    clock = iter([1000.0, 1000.2, 1000.9, 1001.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    log = Journal(str(path), "fail-closed", "whole", ())
    log.write([entry(name="1")])
    old = path.rename(path.with_suffix(".1"))
    log.write([entry(name="2")])
    log.write([entry(name="3")])
    assert [[line["id"] for line in lines(file)] for file in (old, path)] == [["1", "2"], ["3"]]


@pytest.mark.usefixtures("_always_looking")
def test_a_path_that_has_gone_fails_until_it_is_back(log: Journal, path: Path) -> None:
    """Nothing goes into a file that nobody can find."""
    log.write([entry(name="1")])
    folder = path.parent.rename(path.parent.with_name("elsewhere"))
    for _ in range(2):
        with pytest.raises(JournalFailed, match="No such file or directory"):
            log.write([entry(name="2")])
    folder.rename(path.parent)
    log.write([entry(name="3")])
    assert [line["id"] for line in lines(path)] == ["1", "3"]


def test_a_file_that_is_there_is_gone_on_with(path: Path) -> None:
    """Starting the service again loses nothing."""
    for name in ("1", "2"):
        log = Journal(str(path), "fail-closed", "whole", ())
        log.write([entry(name=name)])
        log.close()
    assert [line["id"] for line in lines(path)] == ["1", "2"]


def test_the_log_is_not_for_everybody(path: Path) -> None:
    """It holds what people asked."""
    Journal(str(path), "fail-closed", "whole", ())
    assert not stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXO | stat.S_IWGRP)


def test_a_log_that_cannot_be_opened_stops_the_service(tmp_path: Path) -> None:
    """Where no decision may go unlogged, none is made."""
    with pytest.raises(
        JournalFailed, match=r"`.*/nowhere/log` cannot be written: No such file or directory; make room"
    ):
        Journal(str(tmp_path / "nowhere" / "log"), "fail-closed", "whole", ())


def test_a_log_that_may_fail_begins_when_it_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is dropped is counted; the beginning and the end of it are told once."""
    folder = tmp_path / "later"
    log = Journal(str(folder / "log"), "drop", "whole", ())
    assert (log.failures, log.dropped) == (1, 0)
    log.write([entry(), entry()])
    log.write([entry()])
    assert (log.failures, log.dropped) == (3, 3)
    folder.mkdir()
    log.write([entry(name="kept")])
    assert [line["id"] for line in lines(folder / "log")] == ["kept"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "3 entries were dropped so far" in caplog.text


@pytest.mark.skipif(not Path(FULL).exists(), reason="this system has no disk that is always full")
def test_a_full_disk_fails_closed() -> None:
    """No answer leaves without its line."""
    log = Journal(FULL, "fail-closed", "whole", ())
    for count in (1, 2):
        with pytest.raises(JournalFailed, match="No space left on device"):
            log.write([entry()])
        assert (log.failures, log.dropped) == (count, 0)


@pytest.mark.skipif(not Path(FULL).exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_counted() -> None:
    """Who would rather answer knows what is missing."""
    log = Journal(FULL, "drop", "whole", ())
    log.write([entry(), entry()])
    assert (log.failures, log.dropped) == (1, 2)


@pytest.mark.parametrize("request_", [{"context": object()}, {1j: 1}], ids=["a value", "a name"])
def test_what_is_no_json_cannot_be_logged(log: Journal, path: Path, request_: Any) -> None:
    """The server never asks that; should it, no answer leaves."""
    with pytest.raises(JournalFailed):
        log.write([entry(request_)])
    assert path.read_bytes() == b""


def test_a_closed_log_is_closed(log: Journal) -> None:
    """Nothing is lost without a word."""
    log.close()
    log.close()
    with pytest.raises(JournalFailed, match="the log was closed"):
        log.write([entry()])


def test_a_write_that_is_cut_short_leaves_no_torn_line_behind(log: Journal, path: Path) -> None:
    """Half a line may stand there; the next one is whole, and so are those before."""
    log.write([entry(name="before")])
    room = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * room + room // 2, hard))
    try:
        with pytest.raises(JournalFailed, match="File too large"):
            log.write([entry(name="whole."), entry(name="torn")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.write([entry(name="after")])
    first, second, torn, last = path.read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in (first, second, last)] == ["before", "whole.", "after"]
    assert torn.startswith(b'{"id":"torn"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(torn)


def test_a_write_in_several_parts_is_one_line(log: Journal, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operating system that takes a little at a time gets everything in the end."""
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, bytes(data[:7])))
    log.write([entry(name="1"), entry(name="2")])
    assert [line["id"] for line in lines(path)] == ["1", "2"]


def test_half_a_line_of_somebody_else_is_ended(path: Path) -> None:
    """A worker that was killed in the middle of a line takes nobody's line with it."""
    path.write_text('{"id":"torn"')
    Journal(str(path), "fail-closed", "whole", ()).write([entry(name="mine")])
    torn, mine = path.read_text().splitlines()
    assert (torn, json.loads(mine)["id"]) == ('{"id":"torn"', "mine")


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """What has no end to look at is written to all the same."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    log = Journal(str(pipe), "fail-closed", "whole", ())
    with pipe.open("rb", buffering=0) as reader:
        log.write([entry(name="1")])
        assert json.loads(reader.read(4096))["id"] == "1"


WRITER = """
import sys
from test_journal import Entry, Journal, decision
log = Journal(sys.argv[1], "fail-closed", "whole", ())
for number in range(200):
    log.write([Entry(f"{sys.argv[2]} {number} {each}", 0.0, "v", {"context": {"x": "x" * 500}}, decision(), 0.0) for each in range(20)])
"""


def test_several_processes_write_to_one_file(path: Path) -> None:
    """No line is lost or mixed with another, and each write stays together."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], env=environment) for name in ("a", "b")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    written = [line["id"].split() for line in lines(path)]
    assert len(written) == 2 * 200 * 20
    assert all(before[:2] == after[:2] for before, after in pairwise(written) if after[2] != "0")


def test_several_threads_write_while_the_file_is_rotated(
    log: Journal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every line is in one of the files."""
    monkeypatch.setattr(journal, "LOOK_EVERY", 0.0)

    def work(name: str) -> None:
        for number in range(300):
            log.write([entry(name=f"{name} {number}")])

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    files = [path]
    while any(thread.is_alive() for thread in threads) and len(files) < 50:
        if path.exists():
            files.append(path.rename(path.with_suffix(f".{len(files)}")))
    for thread in threads:
        thread.join()
    found = [line["id"] for file in files if file.exists() for line in lines(file)]
    assert sorted(found) == sorted(f"{name} {number}" for name in "ab" for number in range(300))


def test_a_decision_is_logged_without_being_told(log: Journal, path: Path) -> None:
    """Its texts are not worked out for the log."""
    gate = open_policy(ROOT / "examples" / "todo", as_of="2026-11-22")
    request = {"subject": {"type": "user", "id": "a"}, "action": {"name": "read_todo"}, "resource": {"type": "todo"}}
    made = gate.decide(request)
    log.write([Entry("r", 0.0, gate.version, request, made, 0.0)])
    (line,) = lines(path)
    assert made._parts is None
    assert (line["outcome"], line["cause"]) == ("indeterminate", "missing_facts")
    assert line["rules"] == list(made.rules)


def test_a_log_that_works_says_nothing(log: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """Only its beginning to fail, and the end of that, are worth a word."""
    with caplog.at_level(logging.DEBUG):
        log.write([entry()])
        log.write([entry()])
    assert not caplog.records
