"""Bearer keys: who may ask for what. A file of them holds hashes, never a key itself.

A key is 256 random bits, made here and nowhere else: what has another form than `new_key` gives is unknown, so that
nobody can let a password in. Such a key cannot be guessed, neither from its hash nor at the door. That is why one
SHA-256 without salt is right, and a slow hash would only make every request slow: NIST SP 800-63B asks for salt and
stretching where a look-up secret has less than 112 bits of entropy, and for an approved one-way function elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.server.settings import SCOPES

__all__ = ["SCOPES", "Key", "Keys", "WrongKeys", "new_key", "read_keys"]

PREFIX = "cg_"
MAX_BYTES = 1024 * 1024
_NAME = re.compile(r"(?!cg_)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"sha256:([0-9A-Fa-f]{64})")
_SECRET = re.compile(r"cg_[A-Za-z0-9_-]{43}")
# 32 bytes are 43 characters of base64url; white space around the key belongs to the header.
_BEARER = re.compile(rb"[ \t]*(?i:bearer) +(cg_[A-Za-z0-9_-]{43})[ \t]*")
_FORM = "a line is `NAME sha256:HEX scope,scope`; `changegate key NAME --scope decide` makes one"


class WrongKeys(ValueError):
    """The keys cannot be used; the text says what is wrong, where, and what to do, one problem in a line."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept: what its owner is called, the SHA-256 of its secret, and what it opens."""

    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a service knows."""

    keys: tuple[Key, ...]

    def scopes(self, authorization: bytes | None) -> frozenset[str] | None:
        """The scopes of the key in an `Authorization` header (its raw value); None if there is none that is known.

        How long that takes does not depend on which key it is, nor on how much of one is right.
        """
        bearer = _BEARER.fullmatch(authorization or b"")
        if bearer is None:
            return None
        digest = hashlib.sha256(bearer[1]).digest()
        found: frozenset[str] | None = None
        for key in self.keys:
            if hmac.compare_digest(key.digest, digest):
                found = key.scopes  # and on through all of them
        return found


def new_key(name: str, scopes: Sequence[str]) -> tuple[str, str]:
    """A new secret, to be given away once and kept nowhere, and the line that makes it known in the file of keys.

    Raises WrongKeys if the name or the scopes cannot stand in such a line.
    """
    wrong = [*_wrong_name(name), *_wrong_scopes(scopes)]
    if wrong:
        raise WrongKeys("\n".join(wrong))
    secret = PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode("ascii")).hexdigest()
    return secret, f"{name} sha256:{digest} {','.join(scope for scope in SCOPES if scope in scopes)}"


def read_keys(path: str | Path) -> Keys:
    """The keys of a file: `NAME sha256:HEX scope,scope` in a line, `#` begins a comment, blank lines do not count.

    Everybody may read the file, since hashes are of no use to a thief. But whoever can write it can let himself in,
    so it is refused if others than its owner may. Raises WrongKeys, with all that is wrong.
    """
    keys: list[Key] = []
    problems = []
    for number, line in enumerate(_lines(Path(path)), start=1):
        fields = line.partition("#")[0].split()
        wrong = list(_wrong_line(fields, keys)) if fields else []
        problems += [f"{path}:{number}: {each}" for each in wrong]
        if fields and not wrong:
            keys.append(_key(*fields))
    if not keys and not problems:
        problems = [f"{path}:1: there is no key in the file; {_FORM}"]
    if problems:
        raise WrongKeys("\n".join(problems))
    return Keys(tuple(keys))


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "error").lower()
        raise WrongKeys(f"{path}:1: cannot be read: {reason}; check the path and its permissions") from None
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise WrongKeys(f"{path}:1: others than the owner may write the file; run `chmod go-w` on it")
    if len(data) > MAX_BYTES:
        raise WrongKeys(f"{path}:1: the file is larger than {MAX_BYTES // 1024 // 1024} MiB; take old keys out")
    try:
        return data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise WrongKeys(f"{path}:{number}: not UTF-8; save the file as UTF-8") from None


def _key(name: str, digest: str, scopes: str) -> Key:
    return Key(name, bytes.fromhex(digest.removeprefix("sha256:")), frozenset(scopes.split(",")))


def _wrong_line(fields: Sequence[str], before: Sequence[Key]) -> Iterator[str]:
    """What is wrong with a line. Nothing but a name is ever repeated: a secret may stand where it does not belong."""
    if any(_SECRET.search(each) for each in fields):
        yield "a key itself stands in the line; make a new one, since this one has been written down, and put its line here"
        return
    if len(fields) != 3:
        yield f"a line holds three things, not {len(fields)}; {_FORM} (no space between scopes)"
        return
    name, digest, scopes = fields
    yield from _wrong_name(name)
    yield from _wrong_hash(digest, before)
    yield from _wrong_scopes(scopes.split(","))
    if any(name == key.name for key in before):
        yield f"the name `{name}` is here twice; give each key its own"


def _wrong_name(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield (
            "a name is made of up to 64 letters, digits, `.`, `_` and `-`, and does not begin with `cg_`; "
            "call the key by who uses it"
        )


def _wrong_hash(text: str, before: Sequence[Key]) -> Iterator[str]:
    digest = _HASH.fullmatch(text)
    if digest is None:
        yield f"a hash is `sha256:` and 64 hexadecimal digits; {_FORM}"
    elif twin := next((key for key in before if key.digest == bytes.fromhex(digest[1])), None):
        yield f"this is the key `{twin.name}` again; make a new one for each name"


def _wrong_scopes(scopes: Sequence[str]) -> Iterator[str]:
    if not scopes or not set(scopes) <= set(SCOPES):
        yield f"the scopes are {', '.join(SCOPES)}; name at least one, with commas between"
