"""Writing a book to a folder, so that what was there before is either this book's or untouched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from engine.book.pages import Book

# Lists what a book has written to its folder, so that the next one may take away what is no longer in it.
LIST = "changegate-book.json"


class NotWritten(ValueError):
    """The book cannot be written there; the text says why and what to do."""


def write(book: Book, folder: str | Path, progress: Callable[[], None] = lambda: None) -> int:
    """Write all pages, and take away those of an older book; `progress` is called for each. Returns their number.

    Raises NotWritten for a folder that holds anything else, or cannot be written.
    """
    target = Path(folder)
    before = _listed(target)
    try:
        # First of all, so that a book that is cut short is known for one.
        _list(target, before | set(book.paths))
        for path in book.paths:
            _write(target / path, book.page(path) or b"")
            progress()
        for path in sorted(before - set(book.paths)):
            _remove(target, path)
        _list(target, set(book.paths))
    except OSError as error:
        raise NotWritten(f"`{error.filename or target}` cannot be written: {error.strerror or error}") from None
    return len(book.paths)


def check_folder(folder: str | Path) -> None:
    """See that a book may be written there, before it is worked out; raises NotWritten."""
    _listed(Path(folder))


def _listed(target: Path) -> set[str]:
    """What an older book has written there; raises NotWritten where something else is there."""
    if not target.exists():
        return set()
    if not target.is_dir():
        raise NotWritten(f"`{target}` is no folder; name a new one, or that of an older book")
    try:
        listed = json.loads((target / LIST).read_text(encoding="utf-8"))
        return {path for path in listed if isinstance(path, str)}
    except (OSError, ValueError, TypeError):
        if any(target.iterdir()):
            raise NotWritten(f"`{target}` holds something that is no book; name a new or empty folder") from None
        return set()


def _list(target: Path, paths: set[str]) -> None:
    _write(target / LIST, f"{json.dumps(sorted(paths), indent=0)}\n".encode())


def _write(file: Path, data: bytes) -> None:
    """Write what has changed only, so that the dates of files tell what has."""
    if file.is_file() and file.read_bytes() == data:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _remove(target: Path, path: str) -> None:
    file = (target / path).resolve()
    if file.is_relative_to(target.resolve()) and file.is_file():
        file.unlink()
        if file.parent != target.resolve() and not any(file.parent.iterdir()):
            file.parent.rmdir()
