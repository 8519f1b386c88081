"""Servers in processes of their own, and load on them, for the measurements and the tests of the decision service.

A server is started, waited for, looked at from outside (its workers, their memory, what it says on standard
error) and ended with everything that it has started. The load is wrk's.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEGABYTE = 1024 * 1024
# How long a server may take to start, and to end, in seconds; the machine may be busy.
PATIENCE = 30.0
# Requests are put together before the clock runs. What wrk counts as errors: statuses of 400 and more, and sockets.
SCRIPT = """\
local requests, at = {}, 0

function init(args)
  wrk.method = "POST"
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format(nil, nil, nil, body)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local errors = summary.errors
  local sockets = errors.connect + errors.read + errors.write + errors.timeout
  local figures = {summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status, sockets}
  print("FIGURES " .. table.concat(figures, " "))
end
"""
MARK = "FIGURES "


class NotReady(RuntimeError):
    """A server did not start; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its process, its port on this machine, and the file that holds its standard error."""

    process: subprocess.Popen[bytes]
    port: int
    errors: Path

    @property
    def workers(self) -> list[int]:
        """The processes that answer: the children of the one that was started."""
        return children(self.process.pid)

    @property
    def said(self) -> str:
        """What it has said so far on standard error."""
        return self.errors.read_text(encoding="utf-8", errors="replace")

    def url(self, path: str = "", scheme: str = "http") -> str:
        """The URL of a path of the server."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def stop(self) -> int:
        """Ask it to end, wait for that, and give its exit code; it is killed if it takes too long."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def kill(self) -> None:
        """End it and everything that it has started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def serve_command(*options: str | Path) -> list[str]:
    """The command that serves, all but the port; the options are those of `changegate serve`."""
    return [sys.executable, str(ROOT / "cli.py"), "serve", *map(str, options)]


@contextmanager
def running(command: Sequence[str], port: int | None = None) -> Iterator[Server]:
    """A server, started with `--port` and a port (a free one), as soon as it answers; ended at the end.

    Raises NotReady if it ends before, or takes too long.
    """
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="changegate-said-") as folder:
        errors = Path(folder) / "errors"
        with errors.open("wb") as out:
            # A group of its own, so that whatever is left of it can be ended with it.
            process = subprocess.Popen(
                [*command, "--port", str(port)], stdout=out, stderr=out, cwd=ROOT, start_new_session=True
            )
        server = Server(process, port, errors)
        try:
            _wait(server)
            yield server
        finally:
            if process.poll() is None:
                server.stop()
            server.kill()


def _wait(server: Server) -> None:
    def answers() -> bool:
        if server.process.poll() is not None:
            raise NotReady(f"the server ended with {server.process.returncode}:\n{server.said}")
        return _answers(server.port)

    if not until(answers):
        raise NotReady(f"the server does not answer:\n{server.said}")


def _answers(port: int) -> bool:
    """Whether somebody takes connections there; the port may be open before that. Who speaks TLS just hangs up."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            connection.recv(1)
    except ConnectionResetError:
        return True
    except OSError:
        return False
    return True


def until(holds: Callable[[], bool], seconds: float = PATIENCE, every: float = 0.05) -> bool:
    """Wait until something holds; whether it does before the time is up."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(every)
    return held


def free_port() -> int:
    """A port on this machine that nobody uses now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def children(parent: int) -> list[int]:
    """The processes that a process has started and that live."""
    try:
        text = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(each) for each in text.split() if _lives(int(each))]


def _lives(process: int) -> bool:
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def resident_of(process: int) -> float:
    """The megabytes of a process that are in memory now; 0 if there is no such process."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0.0
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


@dataclass(frozen=True, slots=True)
class Burst:
    """What came of a burst: answers, seconds, how long half and all but 1 % of them took at most, and errors."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds

    @property
    def errors(self) -> int:
        """Answers with a status of 400 and more, and connections that failed."""
        return self.refused + self.broken


class Load:
    """Bodies of requests, ready to be sent by wrk again and again, in turn."""

    def __init__(self, folder: Path, bodies: Sequence[str]) -> None:
        self._script = folder / "post.lua"
        self._script.write_text(SCRIPT, encoding="utf-8")
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".ndjson", delete=False, encoding="utf-8") as file:
            file.writelines(f"{body}\n" for body in bodies)
        self._bodies = file.name

    def command(self, url: str, connections: int, seconds: float, headers: Mapping[str, str]) -> list[str]:
        """The command that sends them for so many (whole) seconds, over so many connections."""
        given = {"Content-Type": "application/json", **headers}
        more = [part for name, value in given.items() for part in ("-H", f"{name}: {value}")]
        where = ["-s", str(self._script), *more, url, "--", self._bodies]
        return ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", *where]

    def burst(self, url: str, connections: int, seconds: float, headers: Mapping[str, str] | None = None) -> Burst:
        """Send them, and say what came of it; raises CalledProcessError if wrk cannot."""
        command = self.command(url, connections, seconds, headers or {})
        return figures(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def figures(text: str) -> Burst:
    """What wrk has printed, as figures; raises ValueError if they are not there."""
    line = text.partition(MARK)[2].partition("\n")[0]
    requests, microseconds, p50, p99, refused, broken = map(float, line.split())
    return Burst(int(requests), microseconds / 1e6, p50 / 1000, p99 / 1000, int(refused), int(broken))
