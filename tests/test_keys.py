"""Bearer keys: what opens, what does not, and what a file of them may hold."""

from __future__ import annotations

import hashlib
import re
import timeit
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from engine.server.keys import MAX_BYTES, SCOPES, Keys, WrongKeys, new_key, read_keys

SECRET, LINE = new_key("shop", ["decide", "search"])
OTHER, OTHER_LINE = new_key("ops", ["admin"])
HEX = LINE.split()[1]


def written(folder: Path, text: str | bytes, mode: int = 0o644) -> Path:
    path = folder / "keys.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return read_keys(written(tmp_path, f"# ours\n\n{LINE}\n  {OTHER_LINE}  # of the night shift\n"))


BOTH = frozenset({"decide", "search"})
HEADERS: list[tuple[str, bytes | None, frozenset[str] | None]] = [
    ("a key", f"Bearer {SECRET}".encode(), BOTH),
    ("another key", f"Bearer {OTHER}".encode(), frozenset({"admin"})),
    ("the scheme in small letters", f"bearer {SECRET}".encode(), BOTH),
    ("the scheme in capitals", f"BEARER {SECRET}".encode(), BOTH),
    ("several spaces", f"Bearer   {SECRET}".encode(), BOTH),
    ("white space around it", f" Bearer {SECRET}\t".encode(), BOTH),
    ("no header", None, None),
    ("an empty header", b"", None),
    ("the scheme alone", b"Bearer", None),
    ("the scheme and a space", b"Bearer ", None),
    ("the key alone", SECRET.encode(), None),
    ("no space", f"Bearer{SECRET}".encode(), None),
    ("a tab", f"Bearer\t{SECRET}".encode(), None),
    ("another scheme", f"Basic {SECRET}".encode(), None),
    ("the key in quotes", f'Bearer "{SECRET}"'.encode(), None),
    ("two keys", f"Bearer {SECRET} {OTHER}".encode(), None),
    ("two keys, with a comma", f"Bearer {SECRET}, Bearer {OTHER}".encode(), None),
    ("one character too many", f"Bearer {SECRET}A".encode(), None),
    ("one character too few", f"Bearer {SECRET[:-1]}".encode(), None),
    ("another last character", f"Bearer {SECRET[:-1]}{'A' if SECRET[-1] != 'A' else 'E'}".encode(), None),
    ("the prefix in capitals", f"Bearer CG_{SECRET[3:]}".encode(), None),
    ("the hash in place of the key", f"Bearer {HEX}".encode(), None),
    ("another prefix", f"Bearer gc_{SECRET[3:]}".encode(), None),
    ("a new line at the end", f"Bearer {SECRET}\n".encode(), None),
    ("a key nobody knows", f"Bearer {new_key('x', ['admin'])[0]}".encode(), None),
    ("bytes that are no text", b"Bearer \xff\xfe", None),
    ("a megabyte", b"Bearer " + b"a" * 1024 * 1024, None),
    ("a megabyte of spaces", b"Bearer" + b" " * 1024 * 1024, None),
]


@pytest.mark.parametrize(("header", "scopes"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_headers(keys: Keys, header: bytes | None, scopes: frozenset[str] | None) -> None:
    """Only a known key, whole and in the right place, opens anything, and no more than its own scopes."""
    assert scopes == keys.scopes(header)


def test_a_password_is_no_key(tmp_path: Path) -> None:
    """What people make up is refused even where its hash stands in the file: one SHA-256 is too little for it."""
    digest = hashlib.sha256(b"correct-horse").hexdigest()
    keys = read_keys(written(tmp_path, f"shop sha256:{digest} decide\n"))

    assert keys.scopes(b"Bearer correct-horse") is None


def test_every_key_is_compared(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first key takes as long as the last one, and as one that nobody knows."""
    compared: list[bytes] = []

    def compare(kept: bytes, sent: bytes) -> bool:
        compared.append(kept)
        return kept == sent

    monkeypatch.setattr("hmac.compare_digest", compare)
    counts = []
    for secret in (SECRET, OTHER, new_key("x", ["admin"])[0]):
        compared.clear()
        keys.scopes(f"Bearer {secret}".encode())
        counts.append(len(compared))

    assert [2, 2, 2] == counts


def test_a_look_is_quick(keys: Keys) -> None:
    """Asking for a key costs microseconds (far less than this bound, which a busy machine must keep, too)."""
    header = f"Bearer {OTHER}".encode()

    assert min(timeit.repeat(lambda: keys.scopes(header), number=1000, repeat=5)) / 1000 < 100e-6


def test_nothing_shows_a_hash(keys: Keys) -> None:
    """What is printed of keys tells who has one, and no more."""
    assert "shop" in repr(keys)
    assert HEX.removeprefix("sha256:")[:8] not in repr(keys)
    assert str(bytes.fromhex(HEX.removeprefix("sha256:")))[2:10] not in repr(keys)


# What stands in a file, and what is said of it: the line, and a part of the message.
WRONG: list[tuple[str, str | bytes, list[tuple[int, str]]]] = [
    ("nothing", "", [(1, "no key in the file")]),
    ("comments alone", "# later\n\n   # and more\n", [(1, "no key in the file")]),
    ("one field", "shop\n", [(1, "three things, not 1")]),
    ("two fields", f"shop {HEX}\n", [(1, "three things, not 2")]),
    ("a space between scopes", f"shop {HEX} decide, search\n", [(1, "no space between scopes")]),
    ("another hash", f"shop md5:{'0' * 32} decide\n", [(1, "64 hexadecimal digits")]),
    ("a short hash", f"shop {HEX[:-1]} decide\n", [(1, "64 hexadecimal digits")]),
    ("no digits", f"shop sha256:{'g' * 64} decide\n", [(1, "64 hexadecimal digits")]),
    ("an unknown scope", f"shop {HEX} decide,rule\n", [(1, "the scopes are decide, search, admin")]),
    ("a scope in capitals", f"shop {HEX} Decide\n", [(1, "the scopes are decide, search, admin")]),
    ("a comma at the end", f"shop {HEX} decide,\n", [(1, "the scopes are decide, search, admin")]),
    ("a name that begins like a key", f"cg_shop {HEX} decide\n", [(1, "does not begin with `cg_`")]),
    ("a name of signs", f"sh/op {HEX} decide\n", [(1, "a name is made of")]),
    ("a long name", f"{'a' * 65} {HEX} decide\n", [(1, "a name is made of")]),
    ("a name twice", f"{LINE}\n# again\nshop sha256:{'0' * 64} admin\n", [(3, "the name `shop` is here twice")]),
    ("a key twice", f"{LINE}\nops {HEX.lower()} admin\n", [(2, "the key `shop` again")]),
    ("a key twice, in capitals", f"{LINE}\nops sha256:{HEX[7:].upper()} admin\n", [(2, "the key `shop` again")]),
    ("the key itself", f"shop {SECRET} decide\n", [(1, "a key itself stands in the line")]),
    ("the key as a name", f"{SECRET} {HEX} decide\n", [(1, "a key itself stands in the line")]),
    ("the key among the scopes", f"shop {HEX} decide,{SECRET}\n", [(1, "a key itself stands in the line")]),
    ("the key as a hash", f"shop sha256:{SECRET} decide\n", [(1, "a key itself stands in the line")]),
    ("no text", f"{LINE}\n".encode() + b"\xff\n", [(2, "not UTF-8")]),
    ("too much", b"#" * (MAX_BYTES + 1), [(1, "larger than 1 MiB")]),
    ("several mistakes", f"shop {HEX[:-1]} rule\n{OTHER_LINE}\nx\n", [(1, "64 hex"), (1, "the scopes"), (3, "not 1")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_files(tmp_path: Path, text: str | bytes, problems: list[tuple[int, str]]) -> None:
    """Every mistake is told with its file and line, and no secret is repeated."""
    path = written(tmp_path, text)
    with pytest.raises(WrongKeys) as caught:
        read_keys(path)

    told = str(caught.value).splitlines()
    assert len(problems) == len(told)
    for (line, part), said in zip(problems, told, strict=True):
        assert said.startswith(f"{path}:{line}: ")
        assert part in said
    assert SECRET not in str(caught.value)


MODES = [(0o600, True), (0o640, True), (0o644, True), (0o444, True), (0o660, False), (0o602, False), (0o666, False)]


@pytest.mark.parametrize(("mode", "good"), MODES, ids=[oct(mode) for mode, _ in MODES])
def test_others_may_read_the_file_but_not_write_it(tmp_path: Path, mode: int, good: bool) -> None:
    """Hashes are no secret; but whoever adds a line lets himself in."""
    path = written(tmp_path, LINE, mode)
    if good:
        assert len(read_keys(path).keys) == 1
    else:
        with pytest.raises(WrongKeys, match=r"keys\.txt:1: others than the owner may write .*chmod go-w"):
            read_keys(path)


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """It says which one, and why."""
    with pytest.raises(WrongKeys, match=re.escape(str(tmp_path / name)) + ":1: cannot be read: "):
        read_keys(tmp_path / name)


@pytest.mark.parametrize("scopes", [["decide"], ["search", "decide"], list(SCOPES), ["admin", "admin"]])
def test_a_new_key_opens_what_its_line_says(tmp_path: Path, scopes: list[str]) -> None:
    """What is made is read, and the file does not hold the secret."""
    secret, line = new_key("a.b_c-1", scopes)

    assert frozenset(scopes) == read_keys(written(tmp_path, f"{line}\r\n")).scopes(f"Bearer {secret}".encode())
    assert secret not in line
    assert re.fullmatch(r"cg_[A-Za-z0-9_-]{43}", secret)


def test_no_two_keys_are_the_same() -> None:
    """Each is made anew."""
    assert len({new_key("shop", ["decide"]) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("name", "scopes", "message"),
    [
        ("a shop", ["decide"], "a name is made of"),
        ("", ["decide"], "a name is made of"),
        ("cg_shop", ["decide"], "does not begin with `cg_`"),
        ("shop\n", ["decide"], "a name is made of"),
        ("shop", [], "name at least one"),
        ("shop", ["decide", "all"], "the scopes are decide, search, admin"),
    ],
)
def test_a_key_that_cannot_be_made(name: str, scopes: list[str], message: str) -> None:
    """What could not be read back is not made."""
    with pytest.raises(WrongKeys, match=message):
        new_key(name, scopes)


def test_the_command_prints_the_line_and_says_the_key_apart(tmp_path: Path) -> None:
    """`changegate key` can be appended to the file of keys, and the key itself does not get there."""
    done = CliRunner().invoke(main, ["key", "billing", "--scope", "decide", "--scope", "search"])
    file = tmp_path / "keys.txt"
    file.write_text(done.stdout, encoding="utf-8")
    file.chmod(0o600)
    secret = done.stderr.split()[-1]

    assert 0 == done.exit_code
    assert secret not in done.stdout
    assert frozenset({"decide", "search"}) == read_keys(file).scopes(f"Bearer {secret}".encode())


def test_a_name_that_cannot_stand_in_the_file_is_bad_usage() -> None:
    """The command says what a name is made of."""
    done = CliRunner().invoke(main, ["key", "a name", "--scope", "decide"])

    assert (2, "") == (done.exit_code, done.stdout)
    assert "a name is made of" in done.stderr
