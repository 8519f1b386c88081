"""A policy from the cache is the policy, or it is read anew: whatever has happened to the file, the rules or the folder."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from strategies import AS_OF, STACKS

from cli import main
from engine import InvalidRules, author, cache, gate, open_policy
from engine.author import Checked
from engine.cases import readings_of, request_of
from engine.codec import encode
from engine.files import PackFiles, read_files
from engine.gate import Gate

ROOT = Path(__file__).parent.parent
ACTIONS = ("change_payment_method", "cancel_subscription", "add_payment_method")
ASK = {
    "action": {"name": "change_plan", "properties": {"plan": "plus"}},
    "resource": {"properties": {"country": "LV", "balance": 120, "seats": 11, "ends": "2026-12-01"}},
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack that a test may change."""
    return Path(shutil.copytree(ROOT / "tests" / "packs" / "small", tmp_path / "pack"))


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "kept"
    monkeypatch.setenv("CHANGEGATE_CACHE", str(folder))
    # The engine may be at work upon while its tests run.
    monkeypatch.setattr(cache, "_LOADED", 2.0**40)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _one_engine() -> Iterator[None]:
    """What other tests found out about the engine is forgotten, before and after."""
    cache._engine.cache_clear()
    yield
    cache._engine.cache_clear()


class Readings:
    """Counts how often packs are read and checked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._honest = author.check_files
        monkeypatch.setattr(author, "check_files", self._check)

    def _check(self, packs: Iterable[PackFiles]) -> Checked:
        self.count += 1
        return self._honest(packs)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    return Readings(monkeypatch)


def answer(*folders: Path, cache: bool = True) -> dict[str, Any]:
    return open_policy(folders, AS_OF, cache=cache).decide(ASK, detail="full").to_dict()


def file_of(folder: Path) -> Path:
    """The one policy that a cache holds."""
    (file,) = folder.iterdir()
    return file


def test_a_pack_is_read_once(pack: Path, readings: Readings) -> None:
    """The second process takes the policy, its version and everything else from the cache."""
    first, second = open_policy(pack, cache=True), open_policy(pack, cache=True)

    assert 1 == readings.count
    assert first.version == second.version == open_policy(pack).version
    assert first.pack == second.pack


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Gate, Gate]]:
    """Each shipped stack, as it is read and as it comes from the cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHANGEGATE_CACHE", str(tmp_path_factory.mktemp("twins")))
        patch.setattr(cache, "_LOADED", 2.0**40)
        for stack in STACKS.values():
            open_policy(stack, AS_OF, cache=True)
        patch.setattr(author, "check_files", None)
        kept = {name: open_policy(stack, AS_OF, cache=True) for name, stack in STACKS.items()}
    return {name: (open_policy(stack, AS_OF), kept[name]) for name, stack in STACKS.items()}


@pytest.mark.parametrize("stack", STACKS)
def test_decisions_are_the_same_with_and_without(stack: str, twins: dict[str, tuple[Gate, Gate]]) -> None:
    """In full, byte for byte, in every engine, for the cases of a few actions."""
    read, kept = twins[stack]
    cases = [
        case
        for case in read.pack.cases
        if stack != "rules" or request_of(case).get("action", {}).get("name") in ACTIONS
    ]

    assert cases
    for case in cases[:: 1 + len(cases) // 15]:
        for engine in gate.ENGINES:
            told = [
                json.dumps(each.choosing(readings_of(case)).decide(request_of(case), "full", "el", engine).to_dict())
                for each in (read, kept)
            ]
            assert told[0] == told[1]


def test_commands_print_the_same_with_and_without(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check`, `explain`, `batch` and `facts` do not show where the policy comes from."""
    ask = json.dumps(ASK)
    commands = [
        ["check", "-", "--rules", str(pack), "--as-of", AS_OF], ["explain", "-", "--all", "--rules", str(pack), "--as-of", AS_OF],
        ["batch", "--rules", str(pack), "--as-of", AS_OF, "--detail", "full"], ["facts", "--rules", str(pack), "--format", "json"],
    ]  # fmt: skip
    told = [[CliRunner().invoke(main, command, input=ask).output for command in commands] for _ in range(2)]
    monkeypatch.setenv("CHANGEGATE_CACHE", "off")
    without = [CliRunner().invoke(main, command, input=ask).output for command in commands]

    assert without == told[0] == told[1]


def test_what_is_wrong_with_the_rules_is_never_kept_from_their_author(pack: Path) -> None:
    """`validate` reads the rules themselves, so a warning is there however often they were used."""
    before = CliRunner().invoke(main, ["validate", "--rules", str(pack)])
    answer(pack)

    assert "warning" in before.output
    assert before.output == CliRunner().invoke(main, ["validate", "--rules", str(pack)]).output


def flip(place: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing left": lambda _: b"",
    "zeros": lambda data: bytes(len(data)),
    "something else": lambda _: b"{}",
    "the head alone": lambda data: data[: len(cache.MAGIC) + 64],
    "half of it": lambda data: data[: len(data) // 2],
    "the last byte missing": lambda data: data[:-1],
    "a byte too many": lambda data: data + b" ",
    "twice": lambda data: data * 2,
    "text for text": lambda data: data.replace(b"balance", b"BALANCE"),
    "another effect": lambda data: data.replace(b'"deny"', b'"allow"'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_made_anew(
    damage: Callable[[bytes], bytes], pack: Path, kept: Path, readings: Readings
) -> None:
    """The decision is that of the rules, and the file is whole again."""
    expected = answer(pack)
    good = file_of(kept).read_bytes()
    bad = damage(good)
    file_of(kept).write_bytes(bad)

    assert bad != good
    assert expected == answer(pack)
    assert 2 == readings.count
    assert good == file_of(kept).read_bytes()


def test_no_byte_of_a_file_can_change(pack: Path, kept: Path) -> None:
    """Wherever a bit is turned, the file is not used: in all of the head, and all over the rest."""
    open_policy(pack, cache=True)
    where = cache.slot([read_files(pack)])
    assert where is not None
    good = file_of(kept).read_bytes()
    head = len(cache.MAGIC) + 80
    for place in (*range(head), *range(head, len(good), len(good) // 300)):
        where.path.write_bytes(flip(place)(good))
        assert cache.load(where) is None, place
    where.path.write_bytes(good)
    assert cache.load(where) is not None


@pytest.mark.parametrize(
    "sections", [{}, {"pack": b"[]"}, {"pack": b"\xff", "version": b"1"}, {"version": encode("sha256:1")}]
)
def test_a_whole_file_that_holds_no_policy_is_made_anew(
    sections: dict[str, bytes], pack: Path, readings: Readings
) -> None:
    """So is one that another program has written."""
    expected = answer(pack, cache=False)
    where = cache.slot([read_files(pack)])
    assert where is not None
    cache.store(where, sections)

    assert [expected, expected] == [answer(pack), answer(pack)]
    assert 2 == readings.count


def rewrite(pack: Path, old: str, new: str) -> None:
    text = (pack / "rules.yaml").read_text(encoding="utf-8")
    assert old in text
    (pack / "rules.yaml").write_text(text.replace(old, new), encoding="utf-8")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a rule": lambda pack: rewrite(pack, "more_than: 10}", "more_than: 11}"),
    "a text": lambda pack: rewrite(pack, "call us", "ring us"),
    "a cell": lambda pack: rewrite(pack, "100 EUR", "200 EUR"),
    "a comment": lambda pack: rewrite(pack, "# A small pack", "# a small pack"),
    "a translation": lambda pack: (pack / "translations" / "el.yaml").unlink(),
    "a file more": lambda pack: (pack / "more.yaml").write_text("rules: [{id: no, actions: [change_plan], deny: No.}]"),
    "a file more, below": lambda pack: (pack / "cases" / "more.yaml").write_text("cases: []"),
    "an empty file more": lambda pack: (pack / "more.yml").write_text(""),
    "a file renamed": lambda pack: (pack / "rules.yaml").rename(pack / "other.yaml"),
    "a folder renamed": lambda pack: (pack / "cases").rename(pack / "other"),
    "a byte order mark": lambda pack: (pack / "rules.yaml").write_bytes(b"\xef\xbb\xbf" + (pack / "rules.yaml").read_bytes()),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_rules_are_read_anew(
    change: Callable[[Path], object], pack: Path, kept: Path, readings: Readings
) -> None:
    """Whatever was changed in the pack, the answer is the new one; of one pack one file is kept."""
    open_policy(pack, cache=True)
    change(pack)

    assert answer(pack, cache=False) == answer(pack) == answer(pack)
    assert 3 == readings.count
    assert file_of(kept)


def test_the_time_of_a_file_says_nothing(pack: Path, readings: Readings) -> None:
    """Rules changed within a tick of the clock count; rules only touched do not."""
    before = answer(pack)
    found = (pack / "rules.yaml").stat()
    rewrite(pack, "100 EUR", "300 EUR")
    os.utime(pack / "rules.yaml", ns=(found.st_atime_ns, found.st_mtime_ns))

    assert before["reasons"] != answer(pack)["reasons"]
    (pack / "rules.yaml").touch()
    answer(pack)
    assert 2 == readings.count


ERRORS: dict[str, Callable[[Path], object]] = {
    "a rule that is wrong": lambda pack: rewrite(pack, "more_than: 10}", "more_then: 10}"),
    "a file that is not read": lambda pack: (pack / "rules.txt").write_text("rules"),
    "no rules": shutil.rmtree,
    "a link to a folder": lambda pack: (pack / "link").symlink_to(pack / "cases"),
    "a link to nothing": lambda pack: (pack / "link.yaml").symlink_to("nowhere"),
}


@pytest.mark.parametrize("change", ERRORS.values(), ids=ERRORS)
def test_rules_with_errors_are_neither_kept_nor_hidden(
    change: Callable[[Path], object], pack: Path, kept: Path
) -> None:
    """What was sound once is no answer for what is wrong now."""
    open_policy(pack, cache=True)
    good = file_of(kept).read_bytes()
    change(pack)
    for _ in range(2):
        with pytest.raises(InvalidRules):
            open_policy(pack, cache=True)

    assert good == file_of(kept).read_bytes()


def test_a_stack_is_more_than_its_packs(pack: Path, tmp_path: Path, kept: Path, readings: Readings) -> None:
    """One file for each list of folders, and the order of the folders counts."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.yaml").write_text("rules: [{id: no, actions: [change_plan], deny: No.}]")
    stacks = [(pack,), (pack, other), (pack, tmp_path / "other" / "a.yaml")]
    first = [answer(*stack) for stack in stacks]

    assert first == [answer(*stack) for stack in stacks] == [answer(*stack, cache=False) for stack in stacks]
    assert 3 == len(list(kept.iterdir()))
    assert 6 == readings.count
    answer(other, pack)
    assert 4 == len(list(kept.iterdir()))


def test_names_are_those_that_were_given(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown of a file is its name as this caller gave it, so another name is another policy."""
    monkeypatch.chdir(pack.parent)
    places = [
        open_policy(name, cache=True).pack.rules["how"].place.file
        for name in ("pack", pack, "./pack/rules.yaml", "pack")
    ]

    assert ["pack/rules.yaml", f"{pack}/rules.yaml", "pack/rules.yaml", "pack/rules.yaml"] == places


def test_another_engine_reads_the_rules_itself(pack: Path, readings: Readings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither another version of the engine nor another Python believes what this one has kept."""
    answer(pack)
    for changed in ("version", None):
        cache._engine.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(cache, "FORMAT", 0) if changed is None else patch.setattr(sys, changed, "4.0")
            answer(pack)
    cache._engine.cache_clear()
    assert 3 == readings.count


@pytest.fixture
def own_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An engine of the test's own, which it may change."""
    own = Path(shutil.copytree(ROOT / "engine", tmp_path / "engine"))
    monkeypatch.setattr(cache, "__file__", str(own / "cache.py"))
    yield own
    cache._engine.cache_clear()


def identity() -> bytes | None:
    cache._engine.cache_clear()
    return cache._engine()


def test_every_file_of_the_engine_counts(own_engine: Path) -> None:
    """One byte in one module or schema makes another engine."""
    seen = [identity()]
    for change in ("model.py", "phrases.json", "schemas/pack.json", "new.py"):
        with (own_engine / change).open("a") as file:
            file.write(" ")
        seen.append(identity())
    shutil.rmtree(own_engine)

    assert len(seen) == len(set(seen))
    assert identity() is None


def test_an_engine_replaced_under_a_running_process_keeps_nothing(
    own_engine: Path, pack: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the old engine found out is not kept for the new one."""
    expected = answer(pack, cache=False)
    os.utime(own_engine / "model.py", (2000, 2000))
    monkeypatch.setattr(cache, "_LOADED", max(path.stat().st_mtime for path in own_engine.glob("*.py")) - 1)
    cache._engine.cache_clear()

    assert expected == answer(pack)
    assert not kept.exists()


def test_files_are_the_user_s_own(pack: Path, kept: Path) -> None:
    """Nobody else can read what is kept, let alone write it."""
    open_policy(pack, cache=True)

    assert 0o700 == stat.S_IMODE(kept.stat().st_mode)
    assert 0o600 == stat.S_IMODE(file_of(kept).stat().st_mode)


def planted(file: Path) -> None:
    """A link to the file stands where the file should be."""
    file.rename(file.parent.parent / "elsewhere")
    file.symlink_to(file.parent.parent / "elsewhere")


def piped(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


INTRUSIONS: dict[str, Callable[[Path], object]] = {
    "a file that its group can write": lambda file: file.chmod(0o660),
    "a file that all can write": lambda file: file.chmod(0o602),
    "a file that nobody can read": lambda file: file.chmod(0o020),
    "a link to a file": planted,
    "a pipe": piped,
    "a folder that its group can write": lambda file: file.parent.chmod(0o770),
    "a folder that all can write": lambda file: file.parent.chmod(0o1777),
}


@pytest.mark.parametrize("intrude", INTRUSIONS.values(), ids=INTRUSIONS)
def test_what_others_could_have_written_is_not_used(
    intrude: Callable[[Path], object], pack: Path, kept: Path, readings: Readings
) -> None:
    """The answer is right, and nothing hangs or fails."""
    expected = answer(pack)
    intrude(file_of(kept))

    assert expected == answer(pack)
    assert 2 == readings.count


def test_what_belongs_to_another_user_is_not_used(
    pack: Path, kept: Path, readings: Readings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is anything written into their folder."""
    expected = answer(pack)
    good = file_of(kept).read_bytes()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)

    assert expected == answer(pack)
    assert 2 == readings.count
    assert good == file_of(kept).read_bytes()


def in_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "cache"


def as_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("")
    return tmp_path / "file"


def closed(tmp_path: Path) -> Path:
    (tmp_path / "closed").mkdir(mode=0o500)
    return tmp_path / "closed"


@pytest.mark.parametrize(
    "where",
    [
        in_a_file,
        as_a_file,
        closed,
        lambda _: Path("/dev/full"),
        lambda _: Path("/proc/nowhere"),
        lambda path: path / ("x" * 300),
    ],
)
def test_a_folder_that_cannot_be_written_is_no_error(
    where: Callable[[Path], Path], pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cache everything is as with it, only slower."""
    monkeypatch.setenv("CHANGEGATE_CACHE", str(where(tmp_path)))

    assert answer(pack, cache=False) == answer(pack) == answer(pack)


def test_a_disk_that_is_full_leaves_nothing_behind(pack: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be finished is taken away."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)

    assert answer(pack, cache=False) == answer(pack)
    assert [] == list(kept.iterdir())


@pytest.mark.parametrize(
    ("environment", "where"),
    [
        ({"CHANGEGATE_CACHE": "off"}, None),
        ({"CHANGEGATE_CACHE": "here"}, "here"),
        ({"CHANGEGATE_CACHE": "", "XDG_CACHE_HOME": "{tmp}/xdg", "HOME": "{tmp}/home"}, "{tmp}/xdg/changegate"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "{tmp}/home"}, "{tmp}/home/.cache/changegate"),
        ({"HOME": "{tmp}/home"}, "{tmp}/home/.cache/changegate"),
    ],
)
def test_where_policies_are_kept(
    environment: dict[str, str], where: str | None, pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CHANGEGATE_CACHE`, else the place that the system has for such things."""
    monkeypatch.chdir(tmp_path)
    for name in ("CHANGEGATE_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    open_policy(pack, cache=True)
    before = (
        {"pack"}
        if where is None
        else {
            "pack",
            Path(where.format(tmp=tmp_path)).relative_to(tmp_path).parts[0] if where.startswith("{") else where,
        }
    )

    assert before == {path.name for path in tmp_path.iterdir()}
    assert where is None or 1 == len(list(Path(where.format(tmp=tmp_path)).iterdir()))


def test_a_user_without_a_home_has_no_cache(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is no error either."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("CHANGEGATE_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)

    assert answer(pack, cache=False) == answer(pack)


def _open_often(pack: str, kept: str) -> list[str]:
    os.environ["CHANGEGATE_CACHE"] = kept
    found = []
    for turn in range(12):
        if turn % 3 == 0:
            shutil.rmtree(kept, ignore_errors=True)
        found.append(json.dumps(answer(Path(pack))))
    return found


def test_several_processes_may_write_at_once(pack: Path, kept: Path) -> None:
    """Each gets the right answer, whoever was last."""
    expected = json.dumps(answer(pack, cache=False))
    with get_context("spawn").Pool(3) as pool:
        found = pool.starmap(_open_often, [(str(pack), str(kept))] * 3)

    assert {expected} == {each for some in found for each in some}
    assert [] == [path for path in kept.iterdir() if path.suffix != cache.SUFFIX]


def test_sections_may_be_added(pack: Path, readings: Readings) -> None:
    """What is worked out later is kept beside the policy, as long as it is this policy."""
    answer(pack)
    where = cache.slot([read_files(pack)])
    assert where is not None
    cache.add(where, {"one": b"1\n", "two": b""})
    cache.add(where, {"one": b"\x00\xff", "three": b"3" * 100_000})
    stored = cache.load(where)
    assert stored is not None

    assert ["pack", "version"] == list(stored)[:2]
    assert ["one", "two", "three"] == list(stored)[-3:]
    assert [b"\x00\xff", b"", b"3" * 100_000] == [bytes(stored[name]) for name in ("one", "two", "three")]
    answer(pack)
    assert 1 == readings.count
    rewrite(pack, "call us", "ring us")
    cache.add(cache.slot([read_files(pack)]) or where, {"four": b"4"})
    assert list(stored) == list(cache.load(where) or ())


def test_old_files_do_not_pile_up(pack: Path, kept: Path) -> None:
    """The policies used least lately make room, and so does what a process that was killed has left."""
    for number in range(cache.MOST + 3):
        cache.store(cache.Slot(kept / f"{number:032}{cache.SUFFIX}", b""), {})
        os.utime(kept / f"{number:032}{cache.SUFFIX}", (number, number))
    for name, day in (("old", 0), ("new", 2**33)):
        (kept / f"{name}{cache.UNFINISHED}").write_text("")
        os.utime(kept / f"{name}{cache.UNFINISHED}", (day, day))
    (kept / "notes.txt").write_text("not ours")
    expected = answer(pack)
    names = {path.name for path in kept.iterdir()}

    assert expected == answer(pack)
    assert cache.MOST == len([name for name in names if name.endswith(cache.SUFFIX)])
    assert f"{0:032}{cache.SUFFIX}" not in names
    assert {"notes.txt", f"new{cache.UNFINISHED}"} == {name for name in names if not name.endswith(cache.SUFFIX)}


def _loaded(*args: str) -> Iterator[str]:
    """The modules that a process of the command line has loaded at its end."""
    code = "import sys, cli\ntry:\n    cli.run()\nfinally:\n    print('loaded', *sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in (0, 1, 3), done.stderr
    return iter(done.stderr.rpartition("loaded ")[2].split())


def test_a_check_from_the_cache_loads_only_what_it_needs() -> None:
    """Neither YAML nor schemas nor languages, and of the engine no author's and no reviewer's side."""
    request = str(min((ROOT / "examples" / "requests").glob("*.json")))
    list(_loaded("check", "--engine", "compiled", request))
    modules = set(_loaded("check", "--engine", "compiled", request))

    assert not modules & {
        "yaml",
        "jsonschema",
        "babel",
        "durable",
        "durable.engine",
        "importlib.metadata",
        "logging",
        "xml",
    }
    assert not modules & {
        f"engine.{name}"
        for name in ("author", "load", "shape", "check", "cases", "report", "junit", "sarif", "verify", "rete")
    }
