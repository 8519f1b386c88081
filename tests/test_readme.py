"""The README says what is so: its commands run, its outputs are real, its tables are generated."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from engine.finding import CODES

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ (.*?)\n(.*?)```", TEXT, re.DOTALL)
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


def _rewritten() -> str:
    """The README with its generated parts made anew."""
    text = TEXT
    for command, output in CONSOLE:
        text = text.replace(f"$ {command}\n{output}```", f"$ {command}\n{_run(command)}```")
    return re.sub(
        r"(<!-- findings -->\n).*?(<!-- /findings -->)",
        lambda found: f"{found[1]}{_findings_table()}\n{found[2]}",
        text,
        flags=re.DOTALL,
    )


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


def test_the_table_of_findings_is_the_engine_s(rewrite_golden: bool) -> None:
    """Every code has one line, with its severity and meaning."""
    assert rewrite_golden or _findings_table() in TEXT


@pytest.mark.parametrize("code", PYTHON)
def test_python_examples_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The library is used as the README uses it."""
    exec(compile(code, str(README), "exec"), {})

    assert capsys.readouterr().out


def test_operators_effects_and_types_of_the_language_page_are_the_engine_s() -> None:
    """The page leaves nothing out."""
    from engine.condition import OPERATORS
    from engine.model import EFFECTS
    from engine.values import KINDS

    page = TEXT[TEXT.index("## The language on one page") : TEXT.index("### Add a rule")]
    assert not [word for word in (*OPERATORS, *EFFECTS, *KINDS) if f"`{word}`" not in page]


def test_every_command_is_in_the_table_of_exit_codes() -> None:
    """A command that has no line there has no documented exit code."""
    table = TEXT[TEXT.index("| command | exit codes |") : TEXT.index("## Two engines")]
    assert not [name for name in main.commands if f"`{name}`" not in table]


def test_ci_runs_the_readme_s_two_commands() -> None:
    """A newcomer's first two commands are the ones that CI runs."""
    assert 2 == len(re.findall(r"^python3 -m venv", TEXT, re.MULTILINE))
    assert "grep '^python3 -m venv' README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
