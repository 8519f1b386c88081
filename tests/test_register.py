"""The register of sources: from each statement to what came of it, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from strategies import AS_OF, checked

from cli import main
from engine.cases import run_cases
from engine.gate import Gate
from engine.register import register
from engine.report_sources import register_lines, register_markdown
from engine.values import parse_date

PACK = r"""
policy: {name: boats, title: Boats | and <b>oats</b>}
actions: {sail: {resource: boat}}
facts:
  boat.leaks: {type: boolean, cites: [B4]}
  boat.berth: {type: key, of: berths}
  boat.fee: {type: money, lookup: berths.fee, by: boat.berth}
  boat.wind: {type: integer}
tables:
  berths:
    columns: {fee: {type: money}}
    rows:
      A: {fee: [{until: 2020-12-31, value: 4 EUR, cites: [B5]}, {from: 2021-01-01, value: 5 EUR, cites: [B5, B6]}]}
readings:
  strong-wind:
    ambiguity: Q1
    asks: Is seven a strong wind?
    cites: [B3]
    options: {"yes": It is., "no": It is not.}
    chosen: "yes"
    because: Better safe.
sources:
  manual:
    title: The *manual*
    language: en
    file: manual.txt
    statements:
      B1: {says: Boats sail., kind: allow, lines: [3]}
      B2: {says: "No boat sails with a leak | or `two`.", kind: deny, lines: [5, 6, 9]}
      B3: {says: A strong wind needs a reef., kind: obligation}
      B4: {says: A leak lets water in., lines: [8]}
      B7: {says: Paint is blue., not_encoded: It is no rule.}
      B8: {says: Nobody cites this.}
  notice:
    title: A notice at the berth
    statements:
      B5: {says: A berth costs five., place: "at the gate, left"}
      B6: {says: Since 2021.}
rules:
  - {id: sail, actions: [sail], allow: Sail., cites: [B1]}
  - {id: leak, actions: [sail], when: {boat.leaks: true}, deny: It leaks., cites: [B2, B4]}
  - {id: reef, actions: [sail], when: {any: [{boat.wind: {more_than: 7}}, {boat.wind: 7, reading.strong-wind: "yes"}]}, oblige: Reef., cites: [B3]}
  - {id: pay, actions: [sail], when: {boat.fee: {more_than: 0}}, advise: Pay.}
cases:
  - {case: dry, given: {action: sail, boat.leaks: false, boat.wind: 3, boat.fee: 0 EUR}, expect: {outcome: allow}}
  - {case: wet, given: {action: sail, boat.leaks: true}, expect: {outcome: deny}}
  - {case: perhaps wet, given: {action: sail, boat.wind: 8}, expect: {outcome: indeterminate}}
  - {case: windy, given: {action: sail, boat.leaks: false, boat.wind: 7, boat.fee: 0 EUR}, expect: {outcome: allow}}
  - {case: not so windy, given: {action: sail, boat.leaks: false, boat.wind: 7, reading.strong-wind: "no"}, expect: {outcome: allow}}
  - {case: as chosen, given: {action: sail, boat.leaks: false, boat.wind: 7, reading.strong-wind: "yes"}, expect: {outcome: allow}}
  - {case: wrong, request: {action: sail}, expect: {outcome: deny}}
"""  # fmt: skip


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    found = checked({"boats.yaml": PACK})
    assert not found.errors, found.errors
    return register(found.pack, run_cases([Gate(found.pack, parse_date(AS_OF))]).results)


def statement(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for source in data["sources"] for each in source["statements"] if each["statement"] == name)


ALLOWED = ["dry", "windy", "not so windy", "as chosen"]
# A statement: where it stands, what cites it, by kind, and the cases that use it.
STATEMENTS: list[tuple[str, str | None, dict[str, list[str]], list[str]]] = [
    ("B1", "manual.txt:3", {"rules": ["sail"]}, ALLOWED),
    ("B2", "manual.txt:5,6,9", {"rules": ["leak"]}, ["wet", "perhaps wet"]),
    ("B3", None, {"rules": ["reef"], "readings": ["strong-wind"]}, ["windy", "as chosen"]),
    ("B4", "manual.txt:8", {"rules": ["leak"], "facts": ["boat.leaks"]}, ["wet", "perhaps wet"]),
    ("B5", "at the gate, left", {"cells": ["berths.A.fee"]}, []),
    ("B6", None, {"cells": ["berths.A.fee"]}, []),
    ("B7", None, {}, []),
    ("B8", None, {}, []),
]


@pytest.mark.parametrize(("name", "place", "citing", "cases"), STATEMENTS)
def test_a_statement_leads_to_what_cites_it_and_to_the_cases_that_use_it(
    data: dict[str, Any], name: str, place: str | None, citing: dict[str, list[str]], cases: list[str]
) -> None:
    """Rules, readings, facts and cells by name; cases in whose decision one of the rules has a part."""
    found = statement(data, name)

    assert (place, cases) == (found["place"], found["cases"])
    assert citing == {kind: found[kind] for kind in ("rules", "readings", "facts", "cells") if found[kind]}


def test_a_statement_that_is_not_encoded_says_why(data: dict[str, Any]) -> None:
    """The reason stands where rules would."""
    assert {"B7": "It is no rule."} == {
        name: found for name, *_ in STATEMENTS if (found := statement(data, name)["not_encoded"])
    }


def test_a_reading_says_what_it_settles_and_who_tries_it_otherwise(data: dict[str, Any]) -> None:
    """A case that gives the reading that is chosen anyway tries nothing."""
    (reading,) = data["readings"]

    assert ("Q1", "yes", ["B3"]) == (reading["ambiguity"], reading["chosen"], reading["cites"])
    assert {"yes": "It is.", "no": "It is not."} == reading["options"]
    assert [{"case": "not so windy", "option": "no"}] == reading["cases"]


def test_rules_that_cite_nothing_are_listed(data: dict[str, Any]) -> None:
    """They are where nobody can check what they rest on."""
    line = next(number for number, text in enumerate(PACK.splitlines(), 1) if "id: pay" in text)

    assert [{"rule": "pay", "file": "boats.yaml", "line": line}] == data["uncited_rules"]


def test_markdown_tables_are_well_formed(data: dict[str, Any]) -> None:
    """Every row of a table has the cells of its head, whatever authors write; nothing of theirs is markup."""
    text = "\n".join(register_markdown(data))
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]

    assert [7, 7, 9] == [len(re.findall(r"(?<!\\)\|", table[0])) for table in tables]
    for table in tables:
        assert 1 == len({len(re.findall(r"(?<!\\)\|", row)) for row in table})
        assert re.fullmatch(r"\|(---\|)+", table[1])
    assert r"# Sources of Boats \| and \<b\>oats\</b\>" in text
    assert r"No boat sails with a leak \| or \`two\`." in text
    assert r"## The \*manual\*" in text


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_the_table_fits_the_terminal(data: dict[str, Any], width: int) -> None:
    """Cells are wrapped; below a certain width nothing helps."""
    rows = [line for line in register_lines(data, width) if line.startswith("  ")]

    assert width >= max(len(row) for row in rows if "boats.yaml" not in row)


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["sources", "list", *args])


def test_packs_that_lack_sources_readings_or_rules_are_listed_too(tmp_path: Path) -> None:
    """A missing piece is an empty list, never an error."""
    (tmp_path / "a.yaml").write_text("policy: {name: bare}\n", encoding="utf-8")
    results = {form: run("--rules", str(tmp_path), "--format", form) for form in ("text", "json", "markdown")}

    assert [0, 0, 0] == [result.exit_code for result in results.values()]
    assert "0 statements: 0 cited, 0 not encoded, 0 neither\n" == results["text"].stdout
    assert "# Sources of bare\n" == results["markdown"].stdout
    assert [] == json.loads(results["json"].stdout)["sources"]


def test_a_stack_is_listed_whole(tmp_path: Path) -> None:
    """What a later pack adds has its sources, and cases of an earlier one are run without it."""
    base, later = tmp_path / "base", tmp_path / "later"
    for folder, text in ((base, PACK), (later, LATER)):
        folder.mkdir()
        (folder / "pack.yaml").write_text(text, encoding="utf-8")
    data = json.loads(run("--rules", str(base), "--rules", str(later), "--format", "json").stdout)

    assert ["manual", "notice", "bylaws"] == [source["source"] for source in data["sources"]]
    assert (ALLOWED, ["closed"]) == (statement(data, "B1")["cases"], statement(data, "L1")["cases"])


LATER = """
sources: {bylaws: {title: Bylaws, statements: {L1: {says: The harbor is closed.}}}}
rules: [{id: closed, actions: [sail], deny: Closed., cites: [L1]}]
cases: [{case: closed, given: {action: sail}, expect: {outcome: deny}}]
"""


def test_wrong_rules_are_exit_code_2() -> None:
    """As by every command that needs rules."""
    result = run("--rules", "tests/packs/broken")

    assert (2, True) == (result.exit_code, "the rules have errors" in result.output)
