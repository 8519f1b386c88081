"""Loading loses nothing: scalars mean what their author meant, everything has a place, and what cannot be read is said."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine import Finding, read_packs
from engine.files import MAX_BYTES
from engine.load import MAX_DEPTH, NotYaml, load_pack, read_yaml
from engine.nodes import Mapping, Node, Scalar, Sequence, plain
from engine.values import NotAValue, Plain, Type, parse_value


def read(text: str) -> Any:
    return plain(read_yaml(text, "f.yaml"))


def failing(text: str) -> Finding:
    with pytest.raises(NotYaml) as raised:
        read_yaml(text, "f.yaml")
    return raised.value.finding


TEXT = [
    "NO", "no", "No", "yes", "on", "off", "Off", "y", "n", "TrUe", "nULL", "12:30", "1:2:3", "0123", "00", "-0123", "+5", "0x10", "0o17",
    "0b1", "1_000", "1e3", "1.", ".5", "1.5e2", "+1.5", ".inf", "-.inf", ".nan", "2026-01-01", "2026-01-01T00:00:00Z", "1.2.3", "=", "--",
    "9" * 42, "48500 JPY", "JP", "a%5",
]  # fmt: skip
VALUES: list[tuple[str, Any]] = [
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
    ("null", None), ("Null", None), ("NULL", None), ("~", None), ("", None),
    ("0", 0), ("-0", 0), ("5", 5), ("-17", -17), ("9" * 41, int("9" * 41)), ("1.50", Decimal("1.50")), ("-0.5", Decimal("-0.5")),
    ("499.99", Decimal("499.99")),
]  # fmt: skip


@pytest.mark.parametrize("written", TEXT)
def test_what_is_no_canonical_number_boolean_or_null_stays_text(written: str) -> None:
    """Unquoted text that YAML 1.1, or 1.2, might take for something else stays text until a type says otherwise."""
    value = read(f"a: {written}")["a"]

    assert written == value
    assert isinstance(value, Plain)


@pytest.mark.parametrize(("written", "value"), VALUES)
def test_canonical_scalars_are_values(written: str, value: object) -> None:
    """The YAML 1.2 core forms of booleans, null, integers and decimals are those values, exactly."""
    found = read(f"a: {written}")["a"]

    assert (type(value), value) == (type(found), found)


@pytest.mark.parametrize("written", ["'5'", '"true"', "'~'", "!!str 5", "! 5", "|-\n  5", ">-\n  5"])
def test_quotes_and_blocks_make_text(written: str) -> None:
    """Quoted, block and `!!str` scalars are text, and not Plain."""
    found = read(f"a: {written}")["a"]

    assert isinstance(found, str)
    assert not isinstance(found, Plain)


ENUM = Type("enum", ("NO", "on", "12:30", "0123", "true"))
TYPED: list[tuple[str, Type, Any]] = [
    ("NO", ENUM, "NO"),
    ("on", ENUM, "on"),
    ("12:30", ENUM, "12:30"),
    ("0123", ENUM, "0123"),
    ("true", ENUM, None),
    ("'true'", ENUM, "true"),
    ("NO", Type("string"), "NO"),
    ("NO", Type("boolean"), None),
    ("true", Type("boolean"), True),
    ("'true'", Type("boolean"), None),
    ("0123", Type("integer"), 123),
    ("1e3", Type("integer"), 1000),
    ("5.0", Type("integer"), 5),
    ("5.5", Type("integer"), None),
    ("'5'", Type("integer"), None),
    ("'1e3'", Type("integer"), None),
    ("12:30", Type("integer"), None),
    ("1e3", Type("string"), "1e3"),
    ("5", Type("string"), None),
    ("'5'", Type("string"), "5"),
    ("2026-01-01", Type("string"), "2026-01-01"),
    ("1.5e2", Type("number"), Decimal(150)),
    (".nan", Type("number"), None),
    (".inf", Type("number"), None),
    ("1e400", Type("number"), None),
    ("9" * 5000, Type("integer"), None),
    ("48500 JPY", Type("money"), "48500 JPY"),
    ("'48500 JPY'", Type("money"), "48500 JPY"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "kind", "value"), TYPED)
def test_the_declared_type_decides(written: str, kind: Type, value: object) -> None:
    """A scalar is what its declared type makes of it, or refused (None here); quotes always mean text."""
    raw = read(f"a: {written}")["a"]
    try:
        found = parse_value(raw, kind)
    except NotAValue:
        found = None

    assert value == (str(found) if kind.kind == "money" else found)
    assert isinstance(value, bool) is isinstance(found, bool)


def places(node: Node) -> Any:
    """The places of a tree as (line, column), names included."""
    here = (node.place.line, node.place.column)
    match node:
        case Scalar():
            return here
        case Sequence(items):
            return [here, *map(places, items)]
        case Mapping(entries, keys):
            return {name: ((keys[name].line, keys[name].column), places(child)) for name, child in entries.items()}


def test_everything_has_its_place() -> None:
    """Names, values and items know their line and column, counted in characters from 1."""
    text = "# note\nα: {β: [1, two]}\n'c':\n  - >-\n    folded\n  - &x {d: 😀, e: f}\n  - *x\n"

    assert places(read_yaml(text, "f.yaml")) == {
        "α": ((2, 1), {"β": ((2, 5), [(2, 8), (2, 9), (2, 12)])}),
        "c": ((3, 1), [(4, 3), (4, 5), {"d": ((6, 9), (6, 12)), "e": ((6, 15), (6, 18))}, {"d": ((6, 9), (6, 12)), "e": ((6, 15), (6, 18))}]),
    }  # fmt: skip


REFUSED = [
    ("a name twice", "a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
    ("a name twice, once in quotes", 'a: 1\n"a": 3\n', "duplicate-key", 2, 1),
    ("a name twice, deep down", "a:\n  - {b: 1, b: 2}\n", "duplicate-key", 2, 12),
    ("a null name twice", "~: 1\n~: 2\n", "duplicate-key", 2, 1),
    ("a mapping as a name", "{a: 1}: 2\n", "not-a-name", 1, 1),
    ("a list as a name", "? [a]\n: 2\n", "not-a-name", 1, 3),
    ("a merge key", "a: {<<: {b: 1}}\n", "not-a-name", 1, 5),
    ("an alias to nothing", "a: *b\n", "not-yaml", 1, 4),
    ("an alias to itself", "a: &a [1, *a]\n", "alias-bomb", 1, 11),
    ("an alias to what holds it", "a: &a {b: {c: *a}}\n", "alias-bomb", 1, 15),
    ("a Python tag", "a: !!python/object/apply:os.system [ls]\n", "yaml-tag", 1, 4),
    ("a tag for an integer", "a: !!int 5\n", "yaml-tag", 1, 4),
    ("a tag of somebody's own", "a: !mine 5\n", "yaml-tag", 1, 4),
    ("a tag on a mapping", "a: !!set {b, c}\n", "yaml-tag", 1, 4),
    ("two documents", "a: 1\n---\nb: 2\n", "several-documents", 2, 1),
    ("too deep", "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "too-deep", 1, MAX_DEPTH + 2),
    ("very deep", "[" * 100_000, "too-deep", 1, MAX_DEPTH + 2),
    ("very deep in blocks", "".join("  " * depth + "a:\n" for depth in range(100)), "too-deep", MAX_DEPTH + 1, 2 * MAX_DEPTH + 1),
    ("a tab as indentation", "a:\n\tb: 1\n", "not-yaml", 2, 1),
    ("a control character", "a: 1\nb: x\x07y\n", "not-yaml", 2, 5),
    ("a null character", "a: \x00", "not-yaml", 1, 4),
    ("a form feed", "a: x\x0c\n", "not-yaml", 1, 5),
    ("a delete character", "a: x\x7f\n", "not-yaml", 1, 5),
    ("half a surrogate pair", "a: \ud800\n", "not-yaml", 1, 4),
    ("half a surrogate pair, escaped", 'a: "\\ud800"\n', "not-yaml", 1, 7),
    ("a bracket left open", "a: [1, 2\n", "not-yaml", 2, 1),
    ("a quote left open", 'a: "x\n', "not-yaml", 2, 1),
    ("a colon in plain text", "a: b: c\n", "not-yaml", 1, 5),
    ("braces in a flow mapping", "a: {text: Costs {a.b}}\n", "not-yaml", 1, 17),
    ("an at sign", "a: @b\n", "not-yaml", 1, 4),
    ("no YAML version", "%YAML 9.9\n---\na: 1\n", "not-yaml", 1, 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "line", "column"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED]
)
def test_what_cannot_be_read_is_a_finding_at_its_place(text: str, code: str, line: int, column: int) -> None:
    """Text that cannot be read, or would lose something, gives one finding with line, column and help."""
    finding = failing(text)

    assert (code, line, column) == (finding.code, finding.place.line, finding.place.column)
    assert finding.help


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    """A text of a few hundred characters that would expand to ten billion values is refused at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    assert failing("\n".join(lines)).code == "alias-bomb"


def test_a_few_aliases_are_read() -> None:
    """Anchors and aliases within reason are YAML like any other; the last anchor of a name counts."""
    assert read("a: &x [1, 2]\nb: *x\nc: &x 5\nd: *x\n") == {"a": [1, 2], "b": [1, 2], "c": 5, "d": 5}


def pack(folder: Path, **files: bytes) -> list[tuple[str, str]]:
    """The codes and file names of what is found in a folder with these files (`__` is a dot)."""
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return [(finding.code, Path(finding.place.file).name) for finding in load_pack(folder).findings]


SOUND = b"policy: {name: p}\n"
FILES = [
    ("a sound file", {"a__yaml": SOUND}, []),
    ("no file", {}, ["empty-pack"]),
    ("only a readme", {"README__md": b"# Rules"}, ["empty-pack"]),
    ("an empty file", {"a__yaml": b""}, ["empty-file"]),
    ("white space", {"a__yaml": b" \n\n"}, ["empty-file"]),
    ("a comment", {"a__yaml": b"# later\n"}, ["empty-file"]),
    ("null", {"a__yaml": b"~"}, ["empty-file"]),
    ("a document start", {"a__yaml": b"---\n"}, ["empty-file"]),
    ("a list", {"a__yaml": b"- a\n"}, ["wrong-shape"]),
    ("a word", {"a__yaml": b"rules\n"}, ["wrong-shape"]),
    ("a byte order mark", {"a__yaml": b"\xef\xbb\xbf" + SOUND}, []),
    ("Windows line ends", {"a__yaml": SOUND.replace(b"\n", b"\r\n")}, []),
    ("UTF-16", {"a__yaml": SOUND.decode().encode("utf-16")}, ["not-utf8"]),
    ("Latin-1", {"a__yaml": "policy: {name: p, title: Größe}".encode("latin-1")}, ["not-utf8"]),
    ("an overlong encoding", {"a__yaml": b"policy: {title: \xc0\xaf}"}, ["not-utf8"]),
    ("half a surrogate pair", {"a__yaml": b"policy: {title: \xed\xa0\x80}"}, ["not-utf8"]),
    ("one byte too large", {"a__yaml": b"#" * (MAX_BYTES + 1)}, ["too-large"]),
    ("as large as may be", {"a__yaml": SOUND + b"#" * (MAX_BYTES - len(SOUND))}, []),
    ("YML", {"a__yml": SOUND}, ["yml-extension"]),
    ("capital letters", {"a__YAML": SOUND}, []),
    ("JSON", {"a__yaml": SOUND, "b__json": b"{}"}, ["wrong-extension"]),
    ("a copy", {"a__yaml": SOUND, "b__yaml~": SOUND}, ["wrong-extension"]),
    ("no extension", {"a__yaml": SOUND, "rules": SOUND}, ["wrong-extension"]),
    ("a hidden file", {"a__yaml": SOUND, "__hidden": b"\xff"}, []),
    ("notes beside it", {"a__yaml": SOUND, "notes__md": b"\xff"}, []),
    ("several broken files", {"a__yaml": b"a: [", "b__yaml": b"\xff", "c__yaml": b"a: 1\na: 2"}, ["not-yaml", "not-utf8", "duplicate-key"]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "codes"), [each[1:] for each in FILES], ids=[each[0] for each in FILES])
def test_files_that_are_no_rules_are_findings(tmp_path: Path, files: dict[str, bytes], codes: list[str]) -> None:
    """Each file of a pack is read, or a finding says why not; hidden files and notes are nobody's business."""
    assert codes == [code for code, _ in pack(tmp_path, **files)]


def test_a_bad_byte_has_its_place(tmp_path: Path) -> None:
    """The finding of a file that is not UTF-8 names the byte, and its line and column in characters."""
    (tmp_path / "a.yaml").write_bytes("policy: {name: p}\n# größer \xff".encode().replace(b"\xc3\xbf", b"\xff"))
    (finding,) = load_pack(tmp_path).findings

    assert (2, 10) == (finding.place.line, finding.place.column)
    assert "0xff" in finding.message


def test_folders_are_read_to_the_bottom_in_order(tmp_path: Path) -> None:
    """Files are read in the order of their paths, in folders within folders, too; hidden folders are not."""
    for name in ("b/c/x.yaml", "b/a.yaml", "a.yaml", "z.yaml", ".git/x.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(SOUND)
    found = [Path(document.file).relative_to(tmp_path).as_posix() for document in load_pack(tmp_path).documents]

    assert ["a.yaml", "z.yaml", "b/a.yaml", "b/c/x.yaml"] == found


def test_one_file_can_be_a_pack(tmp_path: Path) -> None:
    """A pack of one file can be named by that file."""
    (tmp_path / "a.yaml").write_bytes(SOUND)

    assert [] == load_pack(tmp_path / "a.yaml").findings


def test_a_folder_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    """Rules that do not exist are told as such, not as an empty pack."""
    (finding,) = read_packs([tmp_path / "nowhere"]).findings

    assert ("unreadable", "no such folder") == (finding.code, finding.message)


def test_links_in_a_circle_are_findings(tmp_path: Path) -> None:
    """A link to itself, to nowhere, or to a folder above is told; none of them is followed for ever."""
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    (tmp_path / "up").symlink_to(tmp_path, target_is_directory=True)

    assert [("unreadable", name) for name in ("gone.yaml", "loop.yaml", "up")] == sorted(pack(tmp_path, a__yaml=SOUND))


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    """A link to a file of rules is as good as the file."""
    (tmp_path / ".data").write_bytes(SOUND)
    (tmp_path / "a.yaml").symlink_to(".data")

    assert [] == pack(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_a_finding_and_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO named like a file of rules is told, and nobody waits for its writer."""
    os.mkfifo(tmp_path / "b.yaml")

    assert [("unreadable", "b.yaml")] == pack(tmp_path, a__yaml=SOUND)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_a_finding(tmp_path: Path) -> None:
    """A file or folder that may not be read is told, with its name."""
    (tmp_path / "b.yaml").write_bytes(SOUND)
    (tmp_path / "b.yaml").chmod(0)
    (tmp_path / "c").mkdir(mode=0)
    try:
        assert [("unreadable", "b.yaml"), ("unreadable", "c")] == sorted(pack(tmp_path, a__yaml=SOUND))
    finally:
        (tmp_path / "c").chmod(0o700)


def test_a_snippet_comes_from_the_file_itself(tmp_path: Path) -> None:
    """The text of every file that could be decoded is kept for snippets, broken files included."""
    (tmp_path / "a.yaml").write_bytes(b"a: [\n")

    assert {str(tmp_path / "a.yaml"): "a: [\n"} == load_pack(tmp_path).texts


@pytest.mark.parametrize("folder", [Path("rules"), Path("no such folder")])
@pytest.mark.parametrize("switch", [gc.enable, gc.disable])
def test_garbage_is_collected_as_before(folder: Path, switch: Callable[[], None]) -> None:
    """Reading goes on without the collector, and leaves it as it was."""
    before = gc.isenabled()
    try:
        switch()
        wanted = gc.isenabled()
        read_packs([folder])
        assert wanted == gc.isenabled()
    finally:
        (gc.enable if before else gc.disable)()
