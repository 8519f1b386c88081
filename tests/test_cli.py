"""The command line: exit codes, golden outputs, streams."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from cli import main
from engine.policy import ActionRules, Matches
from engine.schema import SCHEMAS, schema
from engine.situation import Situation

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
SMALL = ["--rules", "tests/packs/small"]
ALLOWED = [
    "action=change_plan",
    "action.plan=plus",
    "account.country=LV",
    "account.balance=99.99 EUR",
    "account.seats=3",
    "account.ends=2026-12-01",
]
ASK = [part for setting in [*ALLOWED, "context.date=2026-11-22"] for part in ("--set", setting)]


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_COLOR", "1")


def run(*args: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, list(args), input=stdin)


GOLDENS = [
    ("check-allow", ["check", *SMALL, *ASK], 0),
    ("check-allow-json", ["check", *SMALL, *ASK, "--format", "json"], 0),
    ("check-deny", ["check", *SMALL, *ASK, "--set", "subject.role=guest", "--set", "account.balance=100 EUR"], 1),
    ("check-deferred", ["check", *SMALL, *ASK, "--set", "account.seats=10", "--set", "context.channel=web"], 3),
    ("check-missing", ["check", *SMALL, "--set", "action=change_plan", "--set", "context.date=2026-11-22"], 3),
    ("check-invalid-json", ["check", *SMALL, *ASK, "--set", 'account.seats="3"', "--set", "account.seets=3", "--format", "json"], 3),
    ("check-greek", ["check", *SMALL, *ASK, "--locale", "el-GR", "--set", "account.balance=1234.5 EUR"], 1),
    ("explain-deny", ["explain", *SMALL, *ASK, "--set", "account.seats=11", "--set", "context.channel=web", "--all"], 1),
    ("explain-json", ["explain", *SMALL, *ASK, "--format", "json"], 0),
    ("validate-broken", ["validate", "--rules", "tests/packs/broken"], 1),
    ("validate-broken-json", ["validate", "--rules", "tests/packs/broken", "--format", "json"], 1),
    ("validate-small", ["validate", *SMALL], 0),
    ("test-small", ["test", *SMALL], 0),
    ("test-small-json", ["test", *SMALL, "--format", "json"], 0),
    ("facts", ["facts", *SMALL], 0),
    ("facts-json", ["facts", "change_plan", *SMALL, "--all", "--format", "json"], 0),
    ("sources-list", ["sources", "list", *SMALL], 0),
    ("sources-list-json", ["sources", *SMALL, "list", "--format", "json"], 0),
    ("sources-list-markdown", [*SMALL, "sources", "list", "--format", "markdown"], 0),
    ("test-small-junit", ["test", *SMALL, "--format", "junit"], 0),
    ("help", ["--help"], 0),
    ("help-check", ["check", "--help"], 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "code"), GOLDENS, ids=[name for name, _, _ in GOLDENS])
def test_output_is_as_it_was_read_and_found_good(name: str, args: list[str], code: int, rewrite_golden: bool) -> None:
    """What a command prints changes only when somebody means it to (`pytest --rewrite-golden`)."""
    result = run(*args)
    text = re.sub(r"sha256:[0-9a-f]+", "sha256:…", result.output)
    golden = GOLDEN / f"{name}.txt"
    if rewrite_golden:
        golden.write_text(text, encoding="utf-8")

    assert (code, golden.read_text(encoding="utf-8")) == (result.exit_code, text)


USAGE = [
    (["check", *SMALL, "--set", "no-equals-sign"], "is no setting"),
    (["check", *SMALL, "no-such-file.json"], "cannot be read"),
    (["check", *SMALL, "tests"], "is a folder"),
    (["check", *SMALL, *ASK, "--as-of", "2026-W47-7"], "YYYY-MM-DD"),
    (["check", *SMALL, *ASK, "--locale", "fr"], "it has en, el"),
    (["check", *SMALL, *ASK, "--engine", "magic"], "'magic' is not one of"),
    (["check", "--rules", "tests/packs/broken", *ASK], "the rules have errors"),
    (["check", "--rules", "no/such/folder", *ASK], "no such folder"),
    (["check", *SMALL, "--set", "subject.role=guest"], "`action.name` is missing"),
    (["check", *SMALL, "--set", "action=change_plan", "--set", "a.x=1", "--set", "b.x=2"], "do not go together"),
    (["facts", "no_such_action", *SMALL], "unknown action"),
    (["nonsense"], "No such command"),
]


@pytest.mark.parametrize(("args", "message"), USAGE)
def test_bad_usage_exits_with_2_and_says_what_is_wrong(args: list[str], message: str) -> None:
    """Exit code 2 is for bad usage, a bad request and bad rules."""
    result = run(*args)

    assert 2 == result.exit_code
    assert message in result.output


def test_rules_may_stand_before_and_after_the_command() -> None:
    """`--rules` may be repeated anywhere; later packs lie upon earlier ones."""
    result = run("--rules", "rules", "validate", "--rules", "examples/operator", "--format", "json")

    assert 0 == result.exit_code
    assert any(finding["code"] == "override" for finding in json.loads(result.output))


def test_a_request_may_come_from_standard_input_and_be_changed_by_settings() -> None:
    """`-` reads JSON or YAML; `--set` replaces single facts in it."""
    request = {
        "action": {"name": "change_plan", "properties": {"plan": "plus"}},
        "resource": {"properties": {"seats": 3}},
    }
    result = run(
        "check",
        "-",
        *SMALL,
        *ASK,
        "--set",
        "account.seats=11",
        "--set",
        "context.channel=phone",
        stdin=json.dumps(request),
    )
    as_yaml = run("check", "-", *SMALL, stdin="action: {name: change_plan}\ncontext: {date: 2026-11-22}\n")

    assert (0, 3) == (result.exit_code, as_yaml.exit_code)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas(name: str) -> None:
    """`schema` prints valid JSON Schema 2020-12, one or all."""
    Draft202012Validator.check_schema(json.loads(run("schema", name).output))

    assert set(SCHEMAS) == set(json.loads(run("schema").output))


@pytest.mark.parametrize("file", sorted((ROOT / "examples" / "requests").glob("*.json")), ids=lambda path: path.stem)
def test_shipped_requests_and_their_decisions_fit_the_schemas(file: Path) -> None:
    """The contract is what the schemas say, and shipped requests keep it."""
    result = run("check", str(file), "--format", "json")

    assert [] == list(Draft202012Validator(schema("request")).iter_errors(json.loads(file.read_text(encoding="utf-8"))))
    assert [] == list(Draft202012Validator(schema("decision")).iter_errors(json.loads(result.output)))


def test_engines_that_disagree_are_reported_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 4 comes with both answers, and no yes."""
    from engine import gate

    honest = gate.backend
    liar = lambda rules, _: Matches(frozenset(), frozenset())  # noqa: E731
    monkeypatch.setattr(gate, "backend", lambda name: liar if name == "rete" else honest(name))
    text, data = run("check", *SMALL, *ASK), run("check", *SMALL, *ASK, "--format", "json")

    assert (4, 4) == (text.exit_code, data.exit_code)
    assert "act on neither answer" in text.output
    assert {"compiled", "rete"} == set(json.loads(data.output)["answers"])


def test_alternatives_get_a_second_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alternative that the second engine would not allow is a disagreement, too."""
    from engine import gate

    honest = gate.backend

    def liar(rules: ActionRules, situation: Situation) -> Matches:
        by_phone = situation.given.get("context.channel") == "phone"
        return Matches(frozenset(), frozenset()) if by_phone else honest("rete")(rules, situation)

    ask = ["check", *SMALL, *ASK, "--set", "account.seats=11", "--set", "context.channel=web"]
    assert "context.channel = phone" in run(*ask).output
    monkeypatch.setattr(gate, "backend", lambda name: liar if name == "rete" else honest(name))

    assert 4 == run(*ask).exit_code


def _line(seats: Any) -> str:
    resource = {"properties": {"seats": seats, "country": "LV", "balance": 1, "ends": "2026-12-01"}}
    request = {
        "action": {"name": "change_plan", "properties": {"plan": "plus"}},
        "resource": resource,
        "context": {"channel": "web"},
    }
    return json.dumps(request)


def test_batch_answers_every_line_in_its_place() -> None:
    """A bad line gives an error where its decision would stand; the lines around it are answered."""
    lines = [_line(3), "{", "", _line(11), "[1]", '{"action": {"name": NaN}}', _line(10)]
    result = run("batch", *SMALL, stdin="\n".join(lines))
    answers = [json.loads(line) for line in result.output.splitlines()]

    assert 0 == result.exit_code
    assert ["allow", 2, 3, "deny", 5, 6, "indeterminate"] == [
        answer.get("outcome") or answer["error"]["line"] for answer in answers
    ]
    assert all(answer["alternatives"] is None for answer in answers if "outcome" in answer)


def _start(*args: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "cli.py", *args], cwd=ROOT, stderr=subprocess.PIPE, **options)


def test_batch_ends_quietly_when_its_reader_goes_away(tmp_path: Path) -> None:
    """`changegate batch … | head -1` is no error."""
    many = tmp_path / "many.ndjson"
    many.write_text(f"{_line(3)}\n" * 3000, encoding="utf-8")
    with _start("batch", str(many), *SMALL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert "allow" == json.loads(first)["outcome"]
    assert (0, b"") == (process.returncode, errors)


def test_batch_stops_at_ctrl_c_without_a_traceback(tmp_path: Path) -> None:
    """An interrupt is answered with exit code 130 and one word."""
    out = tmp_path / "out.ndjson"
    with out.open("wb") as stream, _start("batch", "-", *SMALL, stdin=subprocess.PIPE, stdout=stream) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(f"{_line(3)}\n".encode() * 200)
        process.stdin.flush()
        deadline = time.monotonic() + 20
        while out.stat().st_size == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()

    assert 130 == process.returncode
    assert b"interrupted" in errors
    assert b"Traceback" not in errors


def test_the_shipped_policy_is_found_from_any_folder(tmp_path: Path) -> None:
    """Without a `rules` folder here, the policy that ships with ChangeGate decides."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cli", "check", "--set", "action=no_such_action"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert 1 == done.returncode
    assert "office365-billing" in done.stdout


def test_color_is_for_terminals_and_obeys_no_color() -> None:
    """Output that goes elsewhere has no escape codes."""
    assert "\x1b" not in run("check", *SMALL, *ASK).output


def test_a_service_without_its_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named in one line, with the command that brings it."""
    monkeypatch.setitem(sys.modules, "granian", None)
    for name in [name for name in sys.modules if name.startswith(("granian.", "engine.server.launch"))]:
        monkeypatch.delitem(sys.modules, name)

    done = CliRunner().invoke(main, ["serve"])

    assert (2, "changegate: the service needs `granian`: pip install 'changegate[server]'\n") == (
        done.exit_code, done.stderr,
    )  # fmt: skip
