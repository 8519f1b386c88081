"""Findings as SARIF: where files are, and what a run says of its rules. That it is SARIF is shown in test_check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from engine.finding import CODES, Finding, Place
from engine.sarif import sarif

ROOT = Path(__file__).parent.parent

# The file of a finding, and its URI for a command run in /home/ann.
URIS = [
    ("rules/regions.yaml", "rules/regions.yaml"),
    ("./rules/../regions.yaml", "regions.yaml"),
    ("/home/ann/rules/a.yaml", "rules/a.yaml"),
    ("/home/bob/a.yaml", "../bob/a.yaml"),
    ("my rules/50%.yaml", "my%20rules/50%25.yaml"),
    ("règles/a#b?.yaml", "r%C3%A8gles/a%23b%3F.yaml"),
    ("not-utf8-\udcff.yaml", "not-utf8-%FF.yaml"),
    ("c:a.yaml", "c%3Aa.yaml"),
]


@pytest.mark.parametrize(("file", "uri"), URIS)
def test_files_are_relative_references(file: str, uri: str) -> None:
    """A URI has forward slashes, escapes what is not its own, and begins where the command was run."""
    log = sarif([Finding(Place(file, 3, 7), "no-case", "m")], "1.0", Path("/home/ann"))

    place = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert {"artifactLocation": {"uri": uri}, "region": {"startLine": 3, "startColumn": 7}} == place


def test_a_finding_without_a_place_has_no_location() -> None:
    """An empty URI would point at the folder."""
    (result,) = sarif([Finding(Place(""), "no-case", "m", "h")], "1.0", Path())["runs"][0]["results"]

    assert "locations" not in result
    assert "m\nhelp: h" == result["message"]["text"]


def test_a_run_describes_the_codes_it_used_and_no_other() -> None:
    """Each code is listed once, by name; results point at it."""
    codes = ["unset-cell", "no-case", "unset-cell", "wrong-type"]
    (run,) = sarif([Finding(Place("a"), code, "m") for code in codes], "1.0", Path())["runs"]
    rules = run["tool"]["driver"]["rules"]

    assert ["no-case", "unset-cell", "wrong-type"] == [rule["id"] for rule in rules]
    assert [CODES[rule["id"]].severity for rule in rules] == [rule["defaultConfiguration"]["level"] for rule in rules]
    assert codes == [rules[result["ruleIndex"]]["id"] for result in run["results"]]


def test_columns_count_characters(tmp_path: Path) -> None:
    """A column is that of the text format, also behind characters that take two units of UTF-16, as the run says."""
    (tmp_path / "a.yaml").write_text('policy: {name: p, title: "😀😀", strange: 1}\n', encoding="utf-8")
    (run,) = json.loads(CliRunner().invoke(main, ["validate", "--rules", str(tmp_path), "--format", "sarif"]).stdout)[
        "runs"
    ]
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]

    assert ("unicodeCodePoints", 32) == (run["columnKind"], region["startColumn"])


STRICT = [("no-case", [], 0), ("no-case", ["--strict"], 1), ("unset-cell", ["--strict"], 0), ("wrong-type", [], 1)]


@pytest.mark.parametrize(("pack", "options", "code"), STRICT)
def test_strict_changes_the_exit_code_and_not_the_level(pack: str, options: list[str], code: int) -> None:
    """The level is the severity that the other formats show."""
    folder = str(ROOT / "tests" / "bad" / pack)
    result = CliRunner().invoke(main, ["validate", "--rules", folder, "--format", "sarif", *options])
    (found,) = json.loads(result.stdout)["runs"][0]["results"]

    assert (code, CODES[pack].severity) == (result.exit_code, found["level"])
