"""The texts that statements were taken from: their lines, what may be quoted of a line, and fingerprints.

A piece of a line is a stretch from one end of a sentence to another; nothing here says what it means. The
fingerprint of a statement is the SHA-256 of its pieces, NFC-normalized, white space collapsed, trimmed,
joined by a newline.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, takewhile
from pathlib import Path, PurePath

MAX_BYTES = 16 * 1024 * 1024
MAX_PIECES = 3
MAX_QUOTES = 20_000
MAX_LETTERS = 5_000_000
# NFC makes the Greek question mark a semicolon and the Greek semicolon a middle dot.
# What may close a sentence, or hang on its end, in any of the scripts that one may meet.
_END = re.compile(r"""([.;?!:…·\u3002\uff01\uff1f\uff1a\uff1b\u061f]+)(["'«»“”\u2018\u2019\u203a)\]}]*)""")
_MARKER = re.compile(r"[-*•‣▪●○\u2013\u2014]+|\(?\w{1,3}\)")


class NotReadable(Exception):
    """A text or folder that cannot be read; its message says which and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its number from 1, and its normalized text."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Quotes:
    """What may be quoted of a line: `of[0]` is the whole line, `of[n]` are the choices of n pieces in order.

    A blank line has none. `cut` says that the line is too long for all of them to be listed.
    """

    of: tuple[tuple[tuple[str, ...], ...], ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Original:
    """A text by file name, line by line."""

    file: str
    lines: tuple[Line, ...]


def read_originals(folder: Path, named: Iterable[str]) -> dict[str, Original]:
    """The texts named, as far as they are there, and others in the folder of the same extensions, by file name.

    Raises NotReadable where the folder, or a text that is named, cannot be read or is not UTF-8.
    """
    wanted = sorted(name for name in set(named) if _is_within(name))
    try:
        if not folder.is_dir():
            raise NotReadable(f"`{folder}` is no folder; name the folder of the source texts")
        found = {name: read_original(folder / name, name) for name in wanted if (folder / name).exists()}
        suffixes = {Path(name).suffix for name in wanted}
        others = sorted(path for path in folder.iterdir() if path.suffix in suffixes and path.is_file())
    except OSError as error:
        raise NotReadable(f"`{folder}` cannot be read: {error.strerror}") from None
    for path in others:
        if path.name not in found:
            # Nobody asked for it; it is only where a statement may have gone.
            with suppress(NotReadable):
                found[path.name] = read_original(path, path.name)
    return found


def _is_within(name: str) -> bool:
    """Whether the name of a file stays in its folder."""
    return not PurePath(name).is_absolute() and ".." not in PurePath(name).parts


def read_original(path: Path, name: str) -> Original:
    """The text in a file, to be called `name`; raises NotReadable."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise NotReadable(f"`{path}` is larger than {MAX_BYTES // 2**20} MiB; verify the texts themselves")
        return original(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotReadable(f"`{path}` is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise NotReadable(f"`{path}` cannot be read: {getattr(error, 'strerror', None) or error}") from None


def original(name: str, text: str) -> Original:
    """A text, line by line."""
    return Original(name, tuple(Line(number, normalized(line)) for number, line in enumerate(text.split("\n"), 1)))


def normalized(text: str) -> str:
    """The text in NFC, trimmed, with each run of white space as one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def fingerprint(pieces: Iterable[str]) -> str:
    """What `fingerprint` in a pack says of these pieces."""
    return digest(map(normalized, pieces))


def digest(pieces: Iterable[str]) -> str:
    """The fingerprint of pieces that are normalized."""
    joined = "\n".join(pieces)
    return f"sha256:{hashlib.sha256(joined.encode()).hexdigest()}"


@lru_cache(maxsize=32)
def quotes(line: Line) -> Quotes:
    """What may be quoted of a line, the likely before the many."""
    if not line.text:
        return Quotes(())
    whole = (line.text,)
    listed: list[tuple[tuple[str, ...], ...]] = [(whole,)]
    room = _Room()
    for count in range(1, MAX_PIECES + 1):
        listed.append(tuple(quote for quote in takewhile(room.holds, _choices(line.text, count)) if quote != whole))
        if room.is_full:
            break
    return Quotes(tuple(listed), room.is_full)


class _Room:
    """How many quotes, and letters in them, may still be kept of a line."""

    def __init__(self) -> None:
        self.quotes, self.letters = MAX_QUOTES, MAX_LETTERS
        self.is_full = False

    def holds(self, quote: tuple[str, ...]) -> bool:
        self.quotes -= 1
        self.letters -= sum(map(len, quote))
        self.is_full = self.quotes < 0 or self.letters < 0
        return not self.is_full


def _choices(line: str, count: int) -> Iterator[tuple[str, ...]]:
    """Every choice of so many pieces, in order and apart from each other, short ones first where it is one."""
    parts = _sentences(line)
    if count == 1:
        for length in range(len(parts)):
            for start in range(len(parts) - length):
                yield (line[parts[start][0] : parts[start + length][1]],)
        return
    # Of 2·count numbers that rise, each pair is a first and a last sentence; two pieces may meet, not overlap.
    for chosen in combinations(range(len(parts) + count), 2 * count):
        pairs = ((chosen[2 * n] - n, chosen[2 * n + 1] - n - 1) for n in range(count))
        yield tuple(line[parts[first][0] : parts[last][1]] for first, last in pairs)


def _sentences(line: str) -> list[tuple[int, int]]:
    """The sentences of a line as spans: whatever stands between two places where one may end."""
    marker = _MARKER.match(line)
    ends = {len(line), *([marker.end()] if marker else [])}
    for found in _END.finditer(line):
        ends |= {found.end(1), found.end(2)}
    spans = []
    start = 0
    for end in sorted(ends):
        text = line[start:end]
        if text.strip():
            spans.append((end - len(text.lstrip()), start + len(text.rstrip())))
        start = end
    return spans
