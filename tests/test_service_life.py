"""The service in a process of its own: what it does when rules change, workers die, and when it is told to end."""

from __future__ import annotations

import functools
import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.service_processes import ROOT, NotReady, Server, running, serve_command, until
from engine import open_policy

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
VERSION = "ChangeGate-Policy-Version"
# How soon a change must be served, in seconds; the machine may be busy.
SOON = 15
STAFF = "{subject.role: staff}"
NOBODY = "{subject.role: nobody}"
RULES = """\
policy: {{name: doors, title: Doors, languages: [en]}}
actions: {{open: {{title: Open a door, resource: door}}}}
facts: {{subject.role: {{type: string, description: What the person is here.}}}}
rules:
  - {{id: who-may-open, actions: [open], when: {when}, allow: Come in.}}
"""
BROKEN = RULES.replace("[open]", "[fly]")
DOOR = {"subject": {"type": "user", "id": "ann"}, "action": {"name": "open"}, "resource": {"type": "door", "id": "1"}}
AS_STAFF = {**DOOR, "subject": {"type": "user", "id": "ann", "properties": {"role": "staff"}}}
# In full, these take about a second.
ITEMS = 60
SLOW_BATCH = {
    "subject": {"type": "user", "id": "alice"},
    "action": {"name": "cancel_subscription"},
    "resource": {"type": "subscription", "id": "sub-1"},
    "evaluations": [{}] * ITEMS,
}


# Looking at processes from outside is done as Linux has it.
on_linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="there is no /proc")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A pack in which staff may open doors."""
    folder = tmp_path / "rules"
    folder.mkdir()
    write(folder, STAFF)
    return folder


def write(folder: Path, when: str, text: str = RULES) -> None:
    """Replace the pack's file as a whole."""
    new = folder / ".new"
    new.write_text(text.format(when=when), encoding="utf-8")
    new.replace(folder / "doors.yaml")


def ask(server: Server, request: Any = AS_STAFF, path: str = EVALUATION, **headers: str) -> httpx.Response:
    return httpx.post(server.url(path), json=request, headers=headers, timeout=30)


def is_allowed(server: Server, request: Any = AS_STAFF) -> bool:
    response = ask(server, request)
    assert 200 == response.status_code, response.text
    return bool(response.json()["decision"])


def ready(server: Server) -> dict[str, Any]:
    data: dict[str, Any] = httpx.get(server.url("/readyz")).json()
    return data


def test_a_changed_rule_is_served_with_its_version(rules: Path) -> None:
    """Nobody needs to restart anything, and every answer says by which policy it is."""
    with running(serve_command("--rules", rules, "--watch", "0.1")) as server:
        before = ask(server)
        write(rules, NOBODY)

        assert (True, open_policy(rules).version != before.headers[VERSION]) == (before.json()["decision"], True)
        assert until(lambda: not is_allowed(server), SOON)
        assert open_policy(rules).version == ask(server).headers[VERSION]
        assert {"status": "ready", "policy_version": open_policy(rules).version} == ready(server)


def test_a_broken_change_is_not_served(rules: Path) -> None:
    """The policy before it goes on; /readyz and the log say so, until the rules are mended."""
    with running(serve_command("--rules", rules, "--watch", "0.1")) as server:
        version = ready(server)["policy_version"]
        write(rules, STAFF, BROKEN)

        assert until(lambda: ready(server)["status"] == "stale", SOON)
        assert {"status": "stale", "policy_version": version} == ready(server)
        assert is_allowed(server)
        assert f"{rules / 'doors.yaml'}:5:" in server.said
        assert "error: unknown action `fly` [unknown-action]" in server.said

        write(rules, STAFF)
        assert until(lambda: ready(server) == {"status": "ready", "policy_version": version}, SOON)
        assert is_allowed(server)


def test_rules_that_are_gone_are_not_served_either(rules: Path) -> None:
    """A folder that vanishes takes nobody's answers away."""
    with running(serve_command("--rules", rules, "--watch", "0.1")) as server:
        rules.rename(rules.with_name("elsewhere"))

        assert until(lambda: ready(server)["status"] == "stale", SOON)
        assert is_allowed(server)


def test_changed_entities_are_served(rules: Path, tmp_path: Path) -> None:
    """What is known of people is watched as the rules are; nonsense is not served."""
    entities = tmp_path / "people.yaml"
    entities.write_text("user: {ann: {role: staff}}\n", encoding="utf-8")
    with running(serve_command("--rules", rules, "--watch", "0.1", "--entities", entities)) as server:
        before = ask(server, DOOR)
        assert before.json()["decision"]

        entities.write_text("user: {ann: {role: guest}}\n", encoding="utf-8")
        assert until(lambda: not is_allowed(server, DOOR), SOON)
        assert before.headers[VERSION] != ask(server, DOOR).headers[VERSION]

        entities.write_text("user: [\n", encoding="utf-8")
        assert until(lambda: ready(server)["status"] == "stale", SOON)
        assert not is_allowed(server, DOOR)
        assert str(entities) in server.said


def test_a_reload_can_be_asked_for(rules: Path) -> None:
    """Without a watch, `POST /admin/reload` reads everything anew, and says at once whether it is served."""
    with running(serve_command("--rules", rules, "--watch", "0")) as server:
        write(rules, NOBODY)
        time.sleep(0.3)
        assert is_allowed(server)

        done = httpx.post(server.url("/admin/reload"))
        assert (200, {"status": "ready", "policy_version": open_policy(rules).version}) == (
            done.status_code,
            done.json(),
        )
        assert not is_allowed(server)

        write(rules, STAFF, BROKEN)
        refused = httpx.post(server.url("/admin/reload"))
        assert (409, "application/problem+json") == (refused.status_code, refused.headers["Content-Type"])
        assert str(rules) not in refused.text
        assert not is_allowed(server)


def spent(process: int) -> float:
    """Seconds of the processor that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@on_linux
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_what_is_being_answered_is_finished(told: signal.Signals) -> None:
    """SIGTERM and SIGINT let a slow batch end, take nothing new, and the process ends with 0."""
    command = serve_command("--rules", ROOT / "rules", "--detail", "full", "--max-seconds", "30")
    with running(command) as server, ThreadPoolExecutor(1) as pool:
        before = spent(server.workers[0])
        batch = pool.submit(ask, server, SLOW_BATCH, EVALUATIONS)
        assert until(lambda: spent(server.workers[0]) > before + 0.2, every=0.01)
        assert not batch.done()

        server.process.send_signal(told)
        assert until(lambda: refuses(server.port), SOON)

        response = batch.result(60)
        assert (200, ITEMS) == (response.status_code, len(response.json()["evaluations"]))
        assert 0 == server.process.wait(SOON)
    assert "Traceback" not in server_said(server)


def refuses(port: int) -> bool:
    """Whether nobody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


@dataclass
class Client:
    """A client that asks without end; each request has an identifier of its own."""

    server: Server
    name: str
    answered: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def ask(self, stop: threading.Event) -> None:
        with httpx.Client(base_url=self.server.url(), timeout=30) as client:
            for number in itertools.count():
                if stop.is_set():
                    return
                name = f"{self.name}-{number}"
                try:
                    response = client.post(EVALUATION, json=AS_STAFF, headers={"X-Request-ID": name})
                except httpx.TransportError as error:
                    self.failed.append(repr(error))
                    continue
                self.statuses.add(response.status_code)
                self.answered.append(response.headers["X-Request-ID"])


@contextmanager
def asking(clients: list[Client]) -> Iterator[Callable[[int], bool]]:
    """Let the clients ask; the value waits until each has so many more answers."""
    stop = threading.Event()
    threads = [threading.Thread(target=client.ask, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()

    def more(count: int) -> bool:
        wanted = [len(client.answered) + count for client in clients]
        return until(lambda: all(len(c.answered) >= w for c, w in zip(clients, wanted, strict=True)))

    try:
        yield more
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@on_linux
def test_a_worker_that_is_killed_takes_no_line_of_the_log_with_it(rules: Path, tmp_path: Path) -> None:
    """The other worker goes on, a new one comes, every status is 200, and every answer that arrived is in the log."""
    log = tmp_path / "decisions.ndjson"
    with running(serve_command("--rules", rules, "--workers", "2", "--log", log)) as server:
        assert until(lambda: len(server.workers) == 2)
        clients = [Client(server, f"client-{number}") for number in range(4)]
        killed = server.workers[0]
        with asking(clients) as more:
            assert more(30)
            os.kill(killed, signal.SIGKILL)
            assert until(lambda: len(server.workers) == 2 and killed not in server.workers, SOON)
            assert more(5)
            failed = [len(client.failed) for client in clients]
            assert more(30)
        assert {200} == set().union(*(client.statuses for client in clients))
        # One connection may be lost that the killed worker had, and one that was waiting for it.
        assert max(failed) <= 2, [client.failed for client in clients]
        assert failed == [len(client.failed) for client in clients]

    logged = [json.loads(line)["id"] for line in log.read_text(encoding="utf-8").splitlines()]
    answered = [name for client in clients for name in client.answered]
    assert len(set(logged)) == len(logged)
    assert set(answered) <= set(logged)
    assert len(logged) - len(answered) <= sum(failed)


def test_a_reload_reaches_every_worker(rules: Path) -> None:
    """Whichever worker was asked to read everything anew, soon none serves the policy before."""
    with running(serve_command("--rules", rules, "--workers", "2", "--watch", "0")) as server:
        write(rules, NOBODY)
        assert 200 == httpx.post(server.url("/admin/reload")).status_code

        version = open_policy(rules).version
        assert until(lambda: {ready(server)["policy_version"] for _ in range(20)} == {version}, SOON)


@on_linux
def test_a_worker_that_comes_while_the_rules_are_wrong_serves_what_was_served_last(rules: Path) -> None:
    """However often workers die: the policy that was served last goes on, and not the one before it."""
    with running(serve_command("--rules", rules, "--watch", "0.1")) as server:
        write(rules, NOBODY)
        assert until(lambda: not is_allowed(server), SOON)
        version = ready(server)["policy_version"]
        write(rules, STAFF, BROKEN)
        assert until(lambda: ready(server)["status"] == "stale", SOON)
        for _ in range(3):
            killed = server.workers[0]
            os.kill(killed, signal.SIGKILL)
            assert until(functools.partial(is_replaced, server, killed), SOON)

        assert {"status": "stale", "policy_version": version} == ready(server)
        assert not is_allowed(server)


def is_replaced(server: Server, killed: int) -> bool:
    try:
        return killed not in server.workers and bool(ready(server))
    except httpx.HTTPError:
        return False


@on_linux
def test_workers_end_with_the_process_that_started_them(rules: Path) -> None:
    """Nobody is left to answer by an old policy, beside those who are started next."""
    with running(serve_command("--rules", rules, "--workers", "2", "--watch", "0.1")) as server:
        assert until(lambda: len(server.workers) == 2)
        server.process.kill()

        assert until(lambda: refuses(server.port), SOON)


def server_said(server: Server) -> str:
    """What a server said; nothing once its folder is gone."""
    return server.said if server.errors.exists() else ""


def test_tls(rules: Path, tmp_path: Path) -> None:
    """With a certificate the service speaks TLS, names itself by it, and speaks nothing else."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    options: list[str | Path] = ["--host", "0.0.0.0", "--tls-certificate", certificate, "--tls-key", key]
    trusting = ssl.create_default_context(cafile=str(certificate))
    with running(serve_command("--rules", rules, *options)) as server:
        answer = httpx.post(server.url(EVALUATION, "https"), json=AS_STAFF, verify=trusting)
        assert (200, {"decision": True}) == (answer.status_code, answer.json())

        metadata = httpx.get(server.url("/.well-known/authzen-configuration", "https"), verify=trusting).json()
        assert metadata["policy_decision_point"].startswith("https://")
        with pytest.raises(httpx.TransportError):
            ask(server)


WRONG = [
    ("rules", ["--rules", "{tmp}/nothing"], "no such folder"),
    ("broken rules", ["--rules", "tests/packs/broken"], "unknown action `change_plans`"),
    ("keys", ["--keys", "{tmp}/keys"], "{tmp}/keys:1: cannot be read: no such file or directory"),
    ("a key that is none", ["--keys", "README.md"], "README.md:3: a line holds three things"),
    ("entities", ["--entities", "{tmp}/people.yaml"], "{tmp}/people.yaml: no such file"),
    ("entities of a kind nobody reads", ["--entities", "README.md"], "README.md: nothing reads a file"),
    ("a log", ["--log", "{tmp}/nowhere/log"], "`{tmp}/nowhere/log` cannot be written: No such file or directory"),
    ("a mask", ["--log", "{tmp}/log", "--log-mask", "subject..id"], "subject..id"),
    ("a day", ["--as-of", "2026-02-30"], "is no date written `YYYY-MM-DD`"),
    ("off loopback", ["--host", "0.0.0.0"], "`0.0.0.0` can be reached from other machines: give `--tls-certificate`"),
    ("any address", ["--host", "::"], "`::` can be reached from other machines"),
    ("half of TLS", ["--tls-key", "README.md"], "TLS needs both"),
    ("no certificate", ["--tls-certificate", "{tmp}/c", "--tls-key", "README.md"], "`{tmp}/c` is no file"),
    ("a certificate that is none", ["--tls-certificate", "README.md", "--tls-key", "README.md"], "README.md"),
    ("a locale that is none", ["--locale", "xx"], "xx"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "said"), [pytest.param(*each[1:], id=each[0]) for each in WRONG])
def test_what_could_not_be_answered_is_said_before_anybody_asks(options: list[str], said: str, tmp_path: Path) -> None:
    """Exit code 2, one message that names what is wrong, no traceback, and nothing listens."""
    given = [part.format(tmp=tmp_path) for part in options]
    rules = [] if "--rules" in options else ["--rules", "tests/packs/small"]
    with pytest.raises(NotReady) as ended, running(serve_command(*rules, *given)):
        pass

    check_said(str(ended.value), said.format(tmp=tmp_path))


def test_a_port_that_is_taken_is_said() -> None:
    """The message names the address; nothing is answered on another one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NotReady) as ended, running(serve_command("--rules", "tests/packs/small"), port):
            pass

    check_said(str(ended.value), str(port))


def test_two_services_do_not_share_a_port(rules: Path) -> None:
    """Clients would get the answers of the one or the other policy, as chance has it."""
    with running(serve_command("--rules", rules)) as server:
        second = subprocess.Popen(
            [*serve_command("--rules", rules), "--port", str(server.port)], stderr=subprocess.PIPE, cwd=ROOT, text=True
        )
        try:
            said = second.communicate(timeout=SOON)[1]
        finally:
            second.terminate()
            second.wait()

    assert 2 == second.returncode
    assert str(server.port) in said


def check_said(text: str, wanted: str) -> None:
    """Check that a server ended with 2 and said what it should, and nothing that only its makers understand."""
    assert "the server ended with 2:" in text
    assert wanted in text
    assert not [word for word in ("Traceback", "backtrace", "internal error") if word in text]
