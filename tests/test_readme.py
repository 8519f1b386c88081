"""The README says what is so: its commands run, its outputs are real, its tables are generated."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from conformance import serving

from cli import main
from engine import open_policy
from engine.finding import CODES
from engine.server.settings import Settings

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ (.*?)\n(.*?)```", TEXT, re.DOTALL)
HTTP = re.findall(r"```http\n(\w+) (\S+)\n(.*?)\n\n(\d+)\n(.*?)```", TEXT, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def _run(command: str) -> str:
    program, *args = shlex.split(command)
    assert program == "changegate"
    output = CliRunner().invoke(main, args, prog_name="changegate").output
    return re.sub(r"sha256:[0-9a-f]+", "sha256:…", output)


def _findings_table() -> str:
    order = ("error", "warning", "note")
    rows = [
        f"| `{code}` | {known.severity} | {known.meaning} |"
        for code, known in sorted(CODES.items(), key=lambda item: (order.index(item[1].severity), item[0]))
    ]
    return "\n".join(["| code | severity | meaning |", "|---|---|---|", *rows])


def _smallest_table() -> str:
    """The smallest requests of the shipped policy that get a definite answer."""
    document = yaml.safe_load((ROOT / "rules" / "cases" / "smallest.yaml").read_text(encoding="utf-8"))
    rows = []
    for case in document["cases"]:
        given = {path: json.dumps(value).strip('"') for path, value in case["given"].items() if path != "action"}
        facts = ", ".join(f"`{path}={value}`" for path, value in given.items())
        outcome, route = case["expect"]["outcome"], case["expect"].get("route")
        answer = f"{outcome}, by {route}" if route else outcome
        rows.append(f"| `{case['given']['action']}` | {case['case']} | {facts or 'nothing else'} | {answer} |")
    return "\n".join(["| action | question | facts | answer |", "|---|---|---|---|", *rows])


TABLES = {"findings": _findings_table, "smallest": _smallest_table}


def _rewritten() -> str:
    """The README with its generated parts made anew."""
    text = TEXT
    for command, output in CONSOLE:
        text = text.replace(f"$ {command}\n{output}```", f"$ {command}\n{_run(command)}```")
    for name, table in TABLES.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        text = f"{before}<!-- {name} -->\n{table()}\n<!-- /{name} -->{rest.split(f'<!-- /{name} -->')[1]}"
    return text


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(("command", "output"), CONSOLE, ids=[command[:60] for command, _ in CONSOLE])
def test_commands_print_what_the_readme_shows(command: str, output: str, rewrite_golden: bool) -> None:
    """Whoever types a command of the README sees what it shows (`pytest --rewrite-golden` writes it anew)."""
    if rewrite_golden:
        README.write_text(_rewritten(), encoding="utf-8")
        output = _run(command)

    assert _run(command) == output


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_made_from_what_they_show(name: str, rewrite_golden: bool) -> None:
    """A table of the README is the engine's, or the pack's."""
    assert rewrite_golden or f"<!-- {name} -->\n{TABLES[name]()}\n<!-- /{name} -->" in TEXT


@pytest.mark.parametrize(("method", "path", "request_", "status", "answer"), HTTP, ids=[path for _, path, *_ in HTTP])
def test_the_service_answers_what_the_readme_shows(
    method: str, path: str, request_: str, status: str, answer: str
) -> None:
    """Whoever sends what the README shows to a service for the shipped policy gets what it shows."""
    lines, _, body = f"\n{request_}".partition("\n\n")
    headers = dict(line.split(": ", 1) for line in lines.split("\n") if line)
    with serving(Settings(rules=(str(ROOT / "rules"),), watch=0)) as service:
        answered = service.request(method, path, content=body, headers={"Content-Type": "application/json", **headers})

    assert (int(status), json.loads(answer)) == (answered.status_code, answered.json())


@pytest.mark.parametrize("code", PYTHON)
def test_python_examples_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The library is used as the README uses it."""
    exec(compile(code, str(README), "exec"), {})

    assert capsys.readouterr().out


SHELL = re.findall(
    r"\bchangegate ([a-z].*?)(?= && |$)", "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)), re.MULTILINE
)


@pytest.mark.parametrize("command", SHELL)
def test_commands_that_are_not_run_here_could_be(command: str) -> None:
    """What the README tells to type has commands and options that there are."""
    name, *args = shlex.split(command)
    with click.Context(main) as parent:
        main.commands[name].make_context(name, args, parent=parent)


def test_pictures_are_there() -> None:
    """Each picture that the README shows lies where it says."""
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", TEXT)

    assert len(pictures) > 3
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_operators_effects_and_types_of_the_language_page_are_the_engine_s() -> None:
    """The page leaves nothing out."""
    from engine.condition import OPERATORS
    from engine.model import EFFECTS
    from engine.values import KINDS

    page = TEXT[TEXT.index("## The language on one page") : TEXT.index("### Add a rule")]
    assert not [word for word in (*OPERATORS, *EFFECTS, *KINDS) if f"`{word}`" not in page]


def test_every_command_is_in_the_table_of_exit_codes() -> None:
    """A command that has no line there has no documented exit code."""
    table = TEXT[TEXT.index("| command | exit codes |") : TEXT.index("## Three engines")]
    commands = {
        f"{name} {below}" if below else name
        for name, command in main.commands.items()
        for below in (command.commands if isinstance(command, click.Group) else [""])
    }
    assert not [name for name in commands if f"`{name}`" not in table]


def test_every_ambiguity_is_a_reading_or_told_why_not() -> None:
    """A reader who looks for an ambiguity of the articles finds it in a reading or in the README."""
    readings = open_policy(ROOT / "rules").pack.readings.values()
    told = TEXT[TEXT.index("| ambiguity | why") : TEXT.index("Two things to know")]
    settled = {reading.ambiguity for reading in readings} | set(re.findall(r"\bA\d+\b", told))

    assert {f"A{number}" for number in range(1, 34)} == settled


def test_ci_runs_the_readme_s_two_commands() -> None:
    """A newcomer's first two commands are the ones that CI runs."""
    assert 2 == len(re.findall(r"^python3 -m venv", TEXT, re.MULTILINE))
    assert "grep '^python3 -m venv' README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
