"""Opened policies, kept for the next process: never stale, and never trusted blindly.

A file is used only if it belongs to this user alone, was made by this very engine of these very files, and is
whole; else it is as if it were not there. Nothing that fails here is an error: the policy is read anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.codec import NotDecodable, NotEncodable, decode, encode
from engine.files import PackFiles
from engine.finding import Finding

FORMAT = 1
MAGIC = b"changegate policy\n"
SUFFIX, UNFINISHED = ".policy", ".unfinished"
# How many policies are kept; those that were written longest ago make room.
MOST = 32
_HOUR = 3600
_LOADED = time.time()
_DIGEST = hashlib.sha256().digest_size
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the policy of some folders is kept, and the key: what it must have been made of."""

    path: Path
    key: bytes


def slot(packs: Sequence[PackFiles]) -> Slot | None:
    """The place for the policy in these files; None if it cannot be kept."""
    folder = _folder()
    engine = _engine()
    if folder is None or engine is None or any(_is_broken(pack) for pack in packs):
        return None
    name = _digest(os.fsencode(os.path.abspath(pack.folder)) for pack in packs).hex()  # noqa: PTH100  # links stay
    return Slot(folder / f"{name[:32]}{SUFFIX}", _key(packs, engine))


def load(where: Slot) -> dict[str, memoryview] | None:
    """The sections that were stored, by name, if they are all they should be."""
    try:
        if not _is_ours(where.path.parent.stat()):
            return None
        data = memoryview(_read(where.path))
    except OSError:
        return None
    head = MAGIC + where.key
    digest, payload = data[len(head) : len(head) + _DIGEST], data[len(head) + _DIGEST :]
    if data[: len(head)] != head or digest != _digest([where.key, payload]):
        return None
    return _sections(payload)


def store(where: Slot, sections: Mapping[str, bytes | memoryview]) -> None:
    """Keep the sections, in place of what is there."""
    index = encode({name: len(section) for name, section in sections.items()})
    payload = b"".join([len(index).to_bytes(4), index, *sections.values()])
    try:
        where.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_ours(where.path.parent.stat()):
            _write(where.path, b"".join([MAGIC, where.key, _digest([where.key, payload]), payload]))
            _tidy(where.path.parent)
    except OSError:
        pass


def add(where: Slot, sections: Mapping[str, bytes | memoryview]) -> None:
    """Keep more sections beside those that are there; if what is there is another policy by now, nothing is kept."""
    stored = load(where)
    if stored is not None:
        store(where, {**stored, **sections})


class Shelf:
    """The values kept for a policy, by name; what is put beside them is there for the next process."""

    def __init__(self, where: Slot) -> None:
        self._where = where
        self._sections = load(where) or {}

    def get(self, name: str) -> Any:
        """The value of that name; None if there is none that can be used."""
        try:
            return decode(self._sections[name])
        except (KeyError, NotDecodable):
            return None

    def put(self, name: str, value: Any) -> None:
        """Keep a value, if it can be encoded, as long as what is kept there is this policy."""
        with suppress(NotEncodable):
            add(self._where, {name: encode(value)})


def _folder() -> Path | None:
    """Where policies are kept: `CHANGEGATE_CACHE`, which may be `off`, else the user's own place for such things."""
    chosen = os.environ.get("CHANGEGATE_CACHE")
    if chosen:
        return None if chosen == "off" else Path(chosen)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # A relative path there is to be ignored, says the XDG specification.
        return (Path(shared) if os.path.isabs(shared) else Path.home() / ".cache") / "changegate"  # noqa: PTH117
    except RuntimeError:  # nobody's home
        return None


@functools.cache
def _engine() -> bytes | None:
    """What decides how packs are read: Python, the engine's own files, and the form of what is stored.

    None where that cannot be told: without files, or with files that are newer than what this process runs.
    """
    folder = Path(__file__).parent
    try:
        paths = sorted(path for kind in ("*.py", "*.json", "schemas/*.json") for path in folder.glob(kind))
        if not paths or max(path.stat().st_mtime for path in paths) > _LOADED:
            return None
        parts = [part for path in paths for part in (path.relative_to(folder).as_posix().encode(), path.read_bytes())]
    except OSError:
        return None
    return _digest([str(FORMAT).encode(), sys.version.encode(), *parts])


def _key(packs: Iterable[PackFiles], engine: bytes) -> bytes:
    """A hash of everything that the policy is made of; names are those that findings and explanations show."""
    parts = [engine]
    for pack in packs:
        parts += [os.fsencode(pack.folder), str(len(pack.files)).encode()]
        for file in pack.files:
            assert isinstance(file.data, bytes)
            parts += [os.fsencode(file.name), file.data]
    return _digest(parts)


def _digest(parts: Iterable[bytes | memoryview]) -> bytes:
    """SHA-256 of the parts, each with its length before it, so that no two lists run into the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def _is_broken(pack: PackFiles) -> bool:
    return any(isinstance(file.data, Finding) for file in pack.files) or any(
        finding.severity == "error" for finding in pack.findings
    )


def _is_ours(found: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user, and nobody else can write to it."""
    if not hasattr(os, "geteuid"):  # Windows: the user's own folders are closed to others
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & _OTHERS_WRITE


def _read(path: Path) -> bytes:
    """The bytes of a regular file of ours; raises OSError."""
    # Neither a link is followed nor a pipe waited for.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as stream:  # noqa: PTH123  # Path cannot take flags
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or not _is_ours(found):
            raise PermissionError
        return stream.read()


def _sections(payload: memoryview) -> dict[str, memoryview] | None:
    end = 4 + int.from_bytes(payload[:4])
    try:
        index = decode(payload[4:end])
    except NotDecodable:
        return None
    sections = {}
    for name, size in index.items():
        sections[name] = payload[end : end + size]
        end += size
    return sections


def _write(path: Path, data: bytes) -> None:
    """Put a file in its place at once, so that nobody ever sees half of it."""
    unfinished = path.with_name(f"{path.stem}-{os.getpid()}-{os.urandom(8).hex()}{UNFINISHED}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(unfinished, flags, 0o600), "wb") as stream:  # noqa: PTH123
            stream.write(data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _tidy(folder: Path) -> None:
    """Remove what makes the folder grow: all but the newest policies, and what was never finished."""
    kept = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    left = [path for path in folder.glob(f"*{UNFINISHED}") if path.stat().st_mtime < time.time() - _HOUR]
    for path in (*kept[MOST:], *left):
        path.unlink(missing_ok=True)
