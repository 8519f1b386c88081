"""Bad input of every kind gets a clear message and the documented exit code, and never a traceback."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli import main
from engine import Gate, read_packs
from engine.cases import coverage_findings
from engine.load import read_yaml
from engine.nodes import plain

ROOT = Path(__file__).parent.parent
TODO = str(ROOT / "examples" / "todo")
MIB = 1024 * 1024


def run(*args: str, stdin: bytes | None = None) -> Result:
    """Run the command line in this process; whatever it raises is a failed test."""
    result = CliRunner().invoke(main, list(args), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.output
    return result


def junk(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def request(**sections: Any) -> bytes:
    """A sound request with some sections replaced."""
    sound = {"action": {"name": "read_todo"}, "subject": {"id": "ann", "properties": {"roles": ["viewer"]}}}
    return json.dumps({**sound, **sections}).encode()


# --- requests that are none: exit code 2 ---

NO_REQUESTS: list[tuple[str, bytes, str]] = [
    *((f"binary junk {seed}", junk(seed, 10 ** (seed % 5)), ".json") for seed in range(10)),
    *((f"binary junk {seed} as YAML", junk(seed, 10 ** (seed % 5)), ".yaml") for seed in range(10, 15)),
    ("10 MB of junk", junk(1, 10 * MIB), ".json"),
    ("10 MB of a name", b'{"' + b"a" * 10 * MIB + b'": 1}', ".json"),
    ("10 MB of brackets", b"[" * 10 * MIB, ".json"),
    ("10 MB of nothing", b" " * 10 * MIB, ".json"),
    ("nothing", b"", ".json"),
    ("nothing, as YAML", b"", ".yaml"),
    ("white space", b" \n\t ", ".json"),
    ("a comment", b"# later\n", ".yaml"),
    ("null", b"null", ".json"),
    ("true", b"true", ".json"),
    ("a number", b"5", ".json"),
    ("a text", b'"check"', ".json"),
    ("a word, as YAML", b"check", ".yaml"),
    ("a list", b"[]", ".json"),
    ("a list of requests", b"[" + request() + b"]", ".json"),
    ("a list, as YAML", b"- action: {name: read_todo}\n", ".yaml"),
    ("two requests", request() + request(), ".json"),
    ("two requests in lines", request() + b"\n" + request(), ".json"),
    ("two requests in documents", b"action: {name: read_todo}\n---\naction: {name: read_todo}\n", ".yaml"),
    ("an empty object", b"{}", ".json"),
    ("no action", b'{"subject": {"id": "ann"}}', ".json"),
    ("an action that is a text", request(action="read_todo"), ".json"),
    ("an action that is a list", request(action=["read_todo"]), ".json"),
    ("an action that is a number", request(action=5), ".json"),
    ("an action without name", request(action={}), ".json"),
    ("an action named null", request(action={"name": None}), ".json"),
    ("an action named by nothing", request(action={"name": ""}), ".json"),
    ("an action named 5", request(action={"name": 5}), ".json"),
    ("an action named true", request(action={"name": True}), ".json"),
    ("an action named by a list", request(action={"name": ["read_todo"]}), ".json"),
    ("a name that YAML reads as a number", b"action: {name: 5}\n", ".yaml"),
    ("properties that are a list", request(action={"name": "read_todo", "properties": []}), ".json"),
    ("properties that are a text", request(subject={"properties": "admin"}), ".json"),
    ("properties that are a number", request(resource={"type": "todo", "properties": 5}), ".json"),
    ("a subject that is a text", request(subject="ann"), ".json"),
    ("a subject that is false", request(subject=False), ".json"),
    ("a resource that is a list", request(resource=[]), ".json"),
    ("a resource of type 5", request(resource={"type": 5}), ".json"),
    ("a resource of type {}", request(resource={"type": {}}), ".json"),
    ("a context that is a list", request(context=[1]), ".json"),
    ("a context that is a number", request(context=0.5), ".json"),
    ("NaN", b'{"action": {"name": "read_todo"}, "context": {"date": NaN}}', ".json"),
    ("Infinity", b'{"action": {"name": "read_todo"}, "context": {"date": Infinity}}', ".json"),
    ("-Infinity", b'{"action": {"name": "read_todo"}, "context": {"date": -Infinity}}', ".json"),
    ("a name twice", b'{"action": {"name": "read_todo"}, "action": {"name": "delete_todo"}}', ".json"),
    ("a name twice, deep down", b'{"action": {"name": "read_todo", "properties": {"a": 1, "a": 2}}}', ".json"),
    ("a name twice, as YAML", b"action: {name: read_todo}\naction: {name: delete_todo}\n", ".yaml"),
    ("half a surrogate pair", b'{"action": {"name": "\\ud800"}}', ".json"),
    ("half a surrogate pair in a name", b'{"action": {"name": "read_todo"}, "\\udfff": 1}', ".json"),
    ("bytes that are no UTF-8", b'{"action": {"name": "read_\xfftodo"}}', ".json"),
    ("UTF-16", request().decode().encode("utf-16"), ".json"),
    ("a null character", b'{"action": {"name": "read_todo\x00"}}', ".json"),
    ("an integer of 5,000 digits", b'{"action": {"name": "read_todo"}, "context": {"x": ' + b"9" * 5000 + b"}}", ".json"),
    ("deep lists", b'{"action": {"name": "read_todo"}, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", ".json"),
    ("deep objects", b'{"a":' * 5000 + b"1" + b"}" * 5000, ".json"),
    ("deep lists, as YAML", b"action: " + b"[" * 5000 + b"]" * 5000, ".yaml"),
    ("an object left open", request()[:-1], ".json"),
    ("a comma too many", request()[:-1] + b",}", ".json"),
    ("single quotes", b"{'action': {'name': 'read_todo'}}", ".json"),
    ("a comment in JSON", b'{"action": {"name": "read_todo"}} // please', ".json"),
    ("a Python tag", b"action: !!python/object/apply:os.system [ls]\n", ".yaml"),
    ("an alias to itself", b"action: &a {name: *a}\n", ".yaml"),
    ("an alias bomb", b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [" % (c + 1, c + 1) + b",".join([b"*%c" % c] * 10) + b"]\n" for c in range(97, 105)), ".yaml"),
    ("a tab as indentation", b"action:\n\tname: read_todo\n", ".yaml"),
    ("HTML", b"<!doctype html><title>502</title>", ".json"),
    ("XML", b'<?xml version="1.0"?><request/>', ".yaml"),
]  # fmt: skip


def test_the_corpora_are_large_enough() -> None:
    """There are at least sixty bad requests and sixty bad packs."""
    assert min(len(NO_REQUESTS), len(NO_PACKS)) >= 60


@pytest.mark.parametrize(("data", "suffix"), [each[1:] for each in NO_REQUESTS], ids=[each[0] for each in NO_REQUESTS])
def test_what_is_no_request_is_refused(tmp_path: Path, data: bytes, suffix: str) -> None:
    """What is no request gives one short message on standard error, and exit code 2; nothing is decided."""
    path = tmp_path / f"request{suffix}"
    path.write_bytes(data)
    result = run("check", "--rules", TODO, str(path))

    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith("changegate: ")
    assert result.stderr.endswith("\n")
    assert 1 == result.stderr.count("\n")
    assert 20 < len(result.stderr) < 300
    assert result.stderr[:-1].isprintable()


UNUSUAL: list[tuple[str, bytes, int, str]] = [
    ("an unknown action is denied", request(action={"name": "paint_todo"}), 1, "unknown action `paint_todo`"),
    ("an action named NO is an unknown one", b"action: {name: NO}\n", 1, "unknown action `NO`"),
    ("another type of resource is denied", request(resource={"type": "shed"}), 1, "not `shed`"),
    ("null is absent", request(resource=None, context=None, subject=None), 3, "Missing facts"),
    ("an unknown fact is ignored, with a warning", request(context={"wether": "fine"}), 0, "context.wether"),
    ("a stray section is ignored, with a warning", request(extra={"a": [1, 2]}), 0, "extra"),
    ("a byte order mark is no matter", b"\xef\xbb\xbf" + request(), 0, "ALLOW"),
    ("a text for a list is an invalid fact", request(subject={"properties": {"roles": "viewer"}}), 3, "Invalid facts"),
    ("a number for a list is an invalid fact", request(subject={"properties": {"roles": 5}}), 3, "Invalid facts"),
    ("a list in a list is an invalid fact", request(subject={"properties": {"roles": [["viewer"]]}}), 3, "Invalid facts"),
    ("an object for a list is an invalid fact", request(subject={"properties": {"roles": {"a": 1}}}), 3, "Invalid facts"),
    ("a value outside the enum is an invalid fact", request(subject={"properties": {"roles": ["owner"]}}), 3, "Invalid facts"),
    ("a huge number is an invalid fact", b'{"action": {"name": "read_todo"}, "subject": {"properties": {"roles": 1e999999999}}}', 3, "Invalid facts"),
    ("a date that nothing rests on may be invalid", request(context={"date": "2026-01-01T00:00:00Z"}), 0, "context.date"),
    ("a number is no date", request(context={"date": 20260101}), 0, "context.date"),
    ("control characters are shown escaped", request(action={"name": "a\x1b[31m\u202eb"}), 1, "\\u001b[31m\\u202e"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code", "said"), [each[1:] for each in UNUSUAL], ids=[each[0] for each in UNUSUAL])
def test_what_is_unusual_is_still_decided(tmp_path: Path, data: bytes, code: int, said: str) -> None:
    """A request with unknown or wrong-typed parts is a request: it is decided, and the answer says what was wrong."""
    path = tmp_path / "request"
    path.write_bytes(data)
    result = run("check", "--rules", TODO, str(path))

    assert code == result.exit_code
    assert said in result.stdout
    assert all(character == "\n" or character.isprintable() for character in result.stdout)


USAGE = [
    ("a file that is not there", ["check", "--rules", TODO, "nowhere.json"]),
    ("a folder", ["check", "--rules", TODO, TODO]),
    ("a folder to batch", ["batch", "--rules", TODO, TODO]),
    ("rules that are not there", ["check", "--rules", "nowhere", "--set", "action=read_todo"]),
    ("a setting without value", ["check", "--rules", TODO, "--set", "action"]),
    ("a setting without path", ["check", "--rules", TODO, "--set", "=read_todo"]),
    ("settings of two resources", ["check", "--rules", TODO, "--set", "action=read_todo", "--set", "todo.id=1", "--set", "shed.id=1"]),
    ("no such day", ["check", "--rules", TODO, "--as-of", "2026-02-30", "--set", "action=read_todo"]),
    ("no such language", ["check", "--rules", TODO, "--locale", "xx", "--set", "action=read_todo"]),
    ("no such engine", ["check", "--rules", TODO, "--engine", "magic", "--set", "action=read_todo"]),
    ("no such command", ["chekc"]),
    ("no such option", ["check", "--rulez", TODO]),
    ("a null character in a name", ["check", "--rules", TODO, "a\0b"]),
]  # fmt: skip


@pytest.mark.parametrize("args", [each[1] for each in USAGE], ids=[each[0] for each in USAGE])
def test_bad_usage_exits_with_2(args: list[str]) -> None:
    """Files that cannot be read, and options that make no sense, give a message and exit code 2."""
    result = run(*args)

    assert 2 == result.exit_code
    assert "" == result.stdout
    assert result.stderr.strip()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_read_like_a_file(tmp_path: Path) -> None:
    """A request may come through a FIFO, as process substitution gives it."""
    path = tmp_path / "request"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(request(),))
    writer.start()
    result = run("check", "--rules", TODO, str(path))
    writer.join()

    assert 0 == result.exit_code


def test_a_batch_answers_every_line_in_its_place() -> None:
    """A line that is no request gives an error in its place; the lines around it are decided all the same."""
    good = json.dumps(json.loads(request()))
    bad = [
        data.replace(b"\n", b" ") for _, data, suffix in NO_REQUESTS if suffix == ".json" and b"\n" not in data.strip()
    ]
    lines = [line for data in bad for line in (good.encode(), data)]
    result = run("batch", "--rules", TODO, stdin=b"\n".join([*lines, good.encode()]))
    answers = [json.loads(line) for line in result.stdout.splitlines()]

    assert (0, "") == (result.exit_code, result.stderr)
    assert len(lines) + 1 == len(answers)
    assert ["allow"] * (len(bad) + 1) == [answer["outcome"] for answer in answers[::2]]
    for number, answer in zip(range(2, len(lines) + 1, 2), answers[1::2], strict=True):
        assert ["error"] == list(answer)
        assert number == answer["error"]["line"]
        assert 10 < len(answer["error"]["message"]) < 300


def test_a_batch_line_may_not_be_endless() -> None:
    """A line of 10 MB gives one error, and the next line is read from its beginning."""
    result = run("batch", "--rules", TODO, stdin=b'{"a": "' + b"x" * 10 * MIB + b'"}\n' + request() + b"\n")
    first, second = map(json.loads, result.stdout.splitlines())

    assert "longer than" in first["error"]["message"]
    assert "allow" == second["outcome"]


# --- packs that are none: validate exits with 1, check with 2 ---

SOUND = (ROOT / "examples" / "todo" / "todo.yaml").read_bytes()


def changed(old: str, new: str) -> bytes:
    assert old.encode() in SOUND, old
    return SOUND.replace(old.encode(), new.encode())


VALUES = [
    "null",
    "5",
    "-1.5",
    "true",
    "text",
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "{a: null}",
    "'9' ",
    "&a [*a]",
    "!!set {a}",
    "\x07",
]
NO_PACKS: list[tuple[str, bytes]] = [
    *((f"binary junk {seed}", junk(seed, 10 ** (seed % 6))) for seed in range(12)),
    *((f"{place} is {value!r}", changed(old, f"{old.split(':')[0]}: {value}")) for place, old, values in [
        ("actions", "actions:", VALUES[1:6]),
        ("a rule", "rules:\n  - id: members-read", VALUES[:6]),
        ("a type", "type: boolean", VALUES),
        ("when", "when:\n        todo.owner: $subject.id", VALUES),
    ] for value in values),
    ("10 MB of junk", junk(7, 10 * MIB)),
    ("10 MB of a text", b"policy: {name: " + b"a b" * (3 * MIB) + b"}"),
    ("10 MB of rules", b"rules: [" + b"5," * (5 * MIB) + b"]"),
    ("10 MB of brackets", b"[" * 10 * MIB),
    ("17 MB", SOUND + b"#" * 17 * MIB),
    ("JSON that is no pack", b'{"action": {"name": "read_todo"}}'),
    ("a list", b"- rules\n"),
    ("a word", b"rules\n"),
    ("UTF-16", SOUND.decode().encode("utf-16")),
    ("two documents", SOUND + b"---\n" + SOUND),
    ("everything twice", SOUND + SOUND),
    ("cut in the middle of a flow mapping", SOUND[: SOUND.index(b"resource: todo")]),
    ("a huge integer", changed("default: false", "default: " + "9" * 5000)),
    ("an alias bomb", b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [" % (c + 1, c + 1) + b",".join([b"*%c" % c] * 10) + b"]\n" for c in range(97, 105))),
    ("a name of 100,000 letters", changed("todo.owner: $subject.id", "a" * 100_000 + ": 5")),
    ("a list of 20,000 numbers", changed("todo.owner: $subject.id", f"todo.owner: [{'5,' * 20_000}]")),
]  # fmt: skip


@pytest.mark.parametrize("data", [each[1] for each in NO_PACKS], ids=[each[0][:40] for each in NO_PACKS])
def test_what_is_no_pack_is_refused(tmp_path: Path, data: bytes) -> None:
    """Wrong rules give findings with their places: `validate` exits with 1, `check` with 2, and nothing is decided."""
    (tmp_path / "pack.yaml").write_bytes(data)
    validated = run("validate", "--rules", str(tmp_path), "--format", "json")
    checked = run("check", "--rules", str(tmp_path), "--set", "action=read_todo")
    findings = json.loads(validated.stdout)

    assert (1, 2) == (validated.exit_code, checked.exit_code)
    assert "" == checked.stdout
    assert "pack.yaml:" in checked.stderr
    assert findings
    for finding in findings[:100]:
        assert finding["message"]
        assert len(finding["message"]) < 500 or "aaaa" in finding["message"]


# --- the same through a process of its own ---

PROCESSES = [
    ("junk as a request", ["check", "--rules", TODO, "-"], junk(3, 5000), 2),
    ("deep nesting", ["check", "--rules", TODO], b"[" * 100_000, 2),
    ("a request that is allowed", ["check", "--rules", TODO], request(), 0),
    ("junk as a batch", ["batch", "--rules", TODO], junk(4, 5000), 0),
    ("junk as an option", ["check", "--rules", "\udcff\udcfe", "--set", "action=read_todo"], b"", 2),
    ("junk as a file name", ["check", "--rules", TODO, "\udcff"], b"", 2),
    ("junk as a setting", ["check", "--rules", TODO, "--set", "action=\udcff"], b"", 1),
    ("a pack of junk", ["validate", "--rules", "{junk}"], b"", 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "stdin", "code"), [each[1:] for each in PROCESSES], ids=[each[0] for each in PROCESSES]
)
def test_no_user_ever_sees_a_traceback(tmp_path: Path, args: list[str], stdin: bytes, code: int) -> None:
    """As a process of its own, too, the command line answers bad input with a message and an exit code."""
    (tmp_path / "junk\udcff.yaml").write_bytes(junk(5, 5000))
    args = [str(tmp_path) if arg == "{junk}" else arg for arg in args]
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *args], input=stdin, capture_output=True, timeout=60, check=False
    )

    assert code == done.returncode, done.stderr
    assert b"Traceback" not in done.stdout + done.stderr
    assert done.stdout + done.stderr


# --- random changes to sound packs ---

MUTATIONS = int(os.environ.get("CHANGEGATE_MUTATIONS", "150"))
PACKS = [ROOT / "rules", ROOT / "examples" / "todo", ROOT / "examples" / "records"]
PIECES = ["", "~", "5", "true", "[]", "{}", "{a: ~}", "[~]", "- ", ": ", "\t", "{", "}", "]", "'", '"', "$", "*a", "&a ", "!x ", "#", "\x00", "\ud800", "9" * 50]  # fmt: skip
STRANGE: list[Any] = [None, True, False, 0, -1, 1.5, "", "x", "$x", "$", "{", "{x}", [], {}, [None], [[]], {"a": None}, {"when": {}}, {"value": 1}, {"is": None}, 10**30, "context.date", "$context.date", "2026-02-30", {"any": []}, {"derived": {}}]  # fmt: skip


def scrambled_text(text: str, chance: random.Random) -> str:
    """The text with some lines lost, doubled or moved, and pieces put in."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                lines[at] = ""
            case 1:
                lines.insert(at, lines[other])
            case 2:
                lines[at] = lines[at][2:]
            case 3:
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                cut = chance.randint(0, len(lines[at]))
                lines[at] = lines[at][:cut] + chance.choice(PIECES) + lines[at][cut:]
    return "".join(lines)


def nodes(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, name or index) of the data."""
    for name in list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield data, name
        yield from nodes(data[name])


def scrambled_tree(data: Any, chance: random.Random) -> Any:
    """The data with some nodes lost, renamed, replaced, or exchanged for others."""
    data = copy.deepcopy(data)
    for _ in range(chance.choice([1, 1, 2, 5])):
        found = list(nodes(data))
        if not found:
            break
        (container, name), (other, place) = chance.choice(found), chance.choice(found)
        match chance.randrange(5):
            case 0:
                del container[name]
            case 1 if isinstance(container, dict):
                container[str(chance.choice(STRANGE))] = container.pop(name)
            case 2:
                container[name] = copy.deepcopy(other[place])
            case 3 if isinstance(container, list):
                container.append(copy.deepcopy(container[name]))
            case _:
                container[name] = copy.deepcopy(chance.choice(STRANGE))
    return data


@pytest.mark.parametrize("source", PACKS, ids=[path.name for path in PACKS])
def test_no_change_to_a_pack_breaks_the_checker(source: Path, tmp_path: Path) -> None:
    """Whatever is done to the files of a sound pack, reading it gives findings (or a sound pack), and raises nothing."""
    files = {path: path.read_text(encoding="utf-8") for path in sorted(source.rglob("*.yaml"))}
    trees = {path: plain(read_yaml(text, str(path))) for path, text in files.items()}
    for seed in range(MUTATIONS):
        chance = random.Random(f"{source.name} {seed}")
        path = chance.choice(sorted(files))
        if seed % 2:
            text = scrambled_text(files[path], chance)
        else:
            text = json.dumps(scrambled_tree(trees[path], chance), default=float, indent=1)
        # The shipped rules are long; most of their files are read by themselves.
        others = [other for other in files if other != path and (source != PACKS[0] or seed % 10 == 0)]
        folder = tmp_path / str(seed)
        for other in (*others, path):
            copied = folder / other.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes((text if other == path else files[other]).encode("utf-8", "surrogatepass"))
        checked = read_packs([folder])
        assert all(finding.message and finding.place.file for finding in checked.findings), seed
        if not checked.errors:
            list(coverage_findings(Gate(checked.pack)))
