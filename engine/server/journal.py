"""The decision log: one line of JSON for each decision, with the operating system before its answer leaves.

All entries of a call go out in one `write` to a file opened for appending. Where several processes write, they do so
under a lock that all of them heed and that ends with the process that holds it: lines never mix. A write cut short
(a full disk, a process killed in the middle) may leave half a line; whoever writes next, in this process or another,
begins a new one. Nothing is flushed to the disk itself: a line outlives the process that wrote it, not the machine.

Rotation is logrotate's, by renaming: once a second the path is looked at, and opened anew if the file was renamed or
removed. What is written within that second still goes to the renamed file, so use `delaycompress`; do not remove
the file by hand, and do not use `copytruncate`, which loses lines.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.server.journal_lines import Entry, Lines
from engine.server.settings import LogPolicy, LogRequest

__all__ = ["Entry", "Journal", "JournalFailed"]

# How many seconds pass between looks at the path.
LOOK_EVERY = 1.0
_LOGGER = logging.getLogger("changegate.journal")


class JournalFailed(RuntimeError):
    """The decision log cannot be written; its text says why, and names the file: it is not for clients."""


class Journal:
    """An open decision log; several threads may write to it.

    `policy` says what happens when it cannot be written: `fail-closed` raises JournalFailed, so that no answer
    leaves without its line; `drop` counts and goes on. `failures` counts the writes that went wrong, `dropped` the
    entries that were given up (some lines of theirs may have been written). `masks` are the paths of facts whose
    values are left out. `is_shared` says that other processes write to the file, too. Raises ValueError for a mask
    that is no path, and JournalFailed where the file cannot be opened under `fail-closed`.
    """

    def __init__(
        self, path: str, policy: LogPolicy, request: LogRequest, masks: Sequence[str], *, is_shared: bool = True
    ) -> None:
        self.failures = 0
        self.dropped = 0
        self._path = path
        self._policy = policy
        self._lines = Lines(request, masks)
        self._lock = threading.Lock()
        self._is_shared = is_shared
        self._file: int | None = None
        self._is_whole = False
        self._next_look = 0.0
        self._failing = False
        self._closed = False
        try:
            self._current()
        except OSError as error:
            self._fail(error, 0)

    def write(self, entries: Sequence[Entry]) -> None:
        """Append the lines of the entries, all at once; raises JournalFailed under `fail-closed` if that cannot be done."""
        if not entries:
            return
        try:
            data = self._lines.of(entries)
            with self._lock:
                self._append(data)
        except (OSError, TypeError, ValueError, RecursionError) as error:
            self._fail(error, len(entries))
        else:
            if self._failing:
                self._recover()

    def fingerprint(self, request: Mapping[str, Any]) -> str:
        """The hash that this log gives a request (`request_hash`), so that other logs can point here."""
        return self._lines.fingerprint(request)

    def close(self) -> None:
        """Close the file; what is written afterwards fails."""
        with self._lock:
            self._closed = True
            self._release()

    def _append(self, data: bytes) -> None:
        file = self._current()
        if self._is_shared:
            with _locked(file):
                _write(file, data, is_whole=_ends_whole(file))
            return
        is_whole, self._is_whole = self._is_whole or _ends_whole(file), False
        _write(file, data, is_whole=is_whole)
        self._is_whole = True

    def _current(self) -> int:
        """The descriptor of the file that is at the path now; raises OSError if there can be none."""
        if self._closed:
            raise OSError("the log was closed")
        now = time.monotonic()
        if self._file is not None and now >= self._next_look and _has_left(self._path, self._file):
            self._release()
        if now >= self._next_look:
            self._next_look = now + LOOK_EVERY
        if self._file is None:
            # Reading is for the end of the file; personal data is not for everybody.
            self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
        return self._file

    def _release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._is_whole = False

    def _fail(self, error: Exception, count: int) -> None:
        self.failures += 1
        why = f"the decision log `{self._path}` cannot be written: {getattr(error, 'strerror', None) or error}"
        if not self._failing:
            self._failing = True
            _LOGGER.error("%s", why)
        if self._policy == "fail-closed":
            raise JournalFailed(f"{why}; make room or mend the path, or serve with `--log-policy drop`") from None
        self.dropped += count

    def _recover(self) -> None:
        self._failing = False
        _LOGGER.warning(
            "the decision log `%s` is written again; %d entries were dropped so far", self._path, self.dropped
        )


def _write(file: int, data: bytes, *, is_whole: bool) -> None:
    """Append all of it, on a new line if the last one is not whole; raises OSError."""
    rest = memoryview(data if is_whole else b"\n" + data)
    while rest:
        count = os.write(file, rest)
        if not count:
            raise OSError("nothing was written")
        rest = rest[count:]


@contextmanager
def _locked(file: int) -> Iterator[None]:
    """Nobody else writes; a pipe or a terminal is as safe as it can be without."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


def _ends_whole(file: int) -> bool:
    """Whether the file ends with a whole line; so does one without an end, such as a pipe."""
    try:
        end = os.lseek(file, 0, os.SEEK_END)
        return end == 0 or os.pread(file, 1, end - 1) == b"\n"
    except OSError:
        return True


def _has_left(path: str, file: int) -> bool:
    """Whether the open file is no longer the one at the path."""
    try:
        there = Path(path).stat()
    except OSError:
        return True
    here = os.fstat(file)
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
