"""The files of packs as bytes: what loading reads and judges, read once, so that it cannot change in between."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.finding import Finding, Place

MAX_BYTES = 16 * 1024 * 1024
YAML_SUFFIXES = (".yaml", ".yml")
IGNORED_SUFFIXES = (".md",)


class NotRead(Exception):
    """What cannot be read; holds the finding that says why and where."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class PackFile:
    """A file of a pack: its shown name, and its bytes or the finding that says why there are none."""

    name: str
    data: bytes | Finding


@dataclass(frozen=True, slots=True)
class PackFiles:
    """The YAML files of one pack in path order, and what is wrong with the names of those that are there."""

    folder: str
    files: tuple[PackFile, ...]
    findings: tuple[Finding, ...]


def read_files(folder: str | Path) -> PackFiles:
    """Every YAML file below the folder (or the one file named)."""
    findings: list[Finding] = []
    files = tuple(PackFile(str(path), _read(path)) for path in _files(Path(folder), findings))
    return PackFiles(str(folder), files, tuple(findings))


def decode(data: bytes, file: str) -> str:
    """The text of UTF-8 bytes, without a byte order mark; raises NotRead with the place of the first bad byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        place = Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        help_ = "save the file as UTF-8"
        raise NotRead(Finding(place, "not-utf8", f"byte 0x{data[error.start]:02x} is not UTF-8", help_)) from None


def _files(folder: Path, findings: list[Finding]) -> Iterator[Path]:
    if folder.is_file():
        yield from _accept(folder, findings)
        return
    if not folder.is_dir():
        findings.append(Finding(Place(str(folder)), "unreadable", "no such folder", "name the folder of a pack"))
        return

    def complain(error: OSError) -> None:
        findings.append(_unreadable(error.filename or str(folder), error))

    for parent, folders, names in os.walk(folder, onerror=complain):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for link in (Path(parent) / name for name in folders if (Path(parent) / name).is_symlink()):
            help_ = "move the folder here, or give it as a pack of its own"
            findings.append(Finding(Place(str(link)), "unreadable", "a link to a folder is not followed", help_))
        for name in sorted(names):
            if not name.startswith("."):
                yield from _accept(Path(parent) / name, findings)


def _accept(path: Path, findings: list[Finding]) -> Iterator[Path]:
    suffix = path.suffix.lower()
    if suffix in YAML_SUFFIXES:
        if suffix == ".yml":
            findings.append(
                Finding(Place(str(path)), "yml-extension", "the extension is `.yml`", "rename it to `.yaml`")
            )
        yield path
    elif suffix not in IGNORED_SUFFIXES:
        message = (
            f"a file that is not read: its extension is `{path.suffix}`" if path.suffix else "a file without extension"
        )
        help_ = "rules are `.yaml` files; rename it or move it out of the pack"
        findings.append(Finding(Place(str(path)), "wrong-extension", message, help_))


def _read(path: Path) -> bytes | Finding:
    file = str(path)
    try:
        if not path.is_file():
            return Finding(Place(file), "unreadable", "not a regular file", "remove it from the pack")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return _unreadable(file, error)
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB"
        return Finding(Place(file), "too-large", message, "split it into several files")
    return data


def _unreadable(file: str, error: OSError) -> Finding:
    return Finding(
        Place(file),
        "unreadable",
        f"cannot be read: {(error.strerror or 'error').lower()}",
        "check the path and its permissions",
    )
