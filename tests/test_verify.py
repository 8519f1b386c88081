"""Whether texts still say what statements were taken from. Every text here is invented."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from strategies import checked

from cli import main
from engine.originals import MAX_QUOTES, fingerprint, original, quotes
from engine.seek import TooMuchWork, at_lines, elsewhere
from engine.verify import Verdict, Verified, verify

TEXT = """\
How to keep bees

A hive needs sun. It needs water; does it need wind? No!
Bees sleep: they do.Caption of a picture

1. Open the lid.
2. Look for the queen, "the big one." Then close it.

Żółć ěščřž Ωμέγα. Pčela medī.
"""


def sources(*statements: tuple[list[int], str | None], file: str | None = "bees.txt") -> dict[str, Any]:
    """A pack's sources: one document with statements of these lines and fingerprints."""
    listed = {
        f"S{number}": {"says": "So.", "lines": lines, **({"fingerprint": mark} if mark else {})}
        for number, (lines, mark) in enumerate(statements, 1)
    }
    return {"bees": {"title": "Bees", **({"file": file} if file else {}), "statements": listed}}


def verified(data: dict[str, Any], texts: dict[str, str]) -> tuple[Verified, ...]:
    pack = checked({"pack.yaml": json.dumps({"policy": {"name": "p"}, "sources": data})}).pack
    return verify(pack, {name: original(name, text) for name, text in texts.items()})


def verdict(lines: list[int], pieces: list[str], texts: dict[str, str] | str) -> Verdict:
    """What became of the one statement that the pieces make."""
    named = {"bees.txt": texts} if isinstance(texts, str) else texts
    return verified(sources((lines, fingerprint(pieces))), named)[0].verdicts[0]


# Lines of TEXT, and what of them a statement was taken from.
QUOTES: list[tuple[str, list[int], list[str]]] = [
    ("a whole line", [1], ["How to keep bees"]),
    ("the first sentence", [3], ["A hive needs sun."]),
    ("a sentence that ends in a semicolon", [3], ["It needs water;"]),
    ("a sentence that ends in a question mark", [3], ["does it need wind?"]),
    ("the last sentence", [3], ["No!"]),
    ("sentences that follow each other", [3], ["It needs water; does it need wind?"]),
    ("what a colon ends", [4], ["Bees sleep:"]),
    ("a sentence without a space behind it", [4], ["they do."]),
    ("what hangs on it", [4], ["Caption of a picture"]),
    ("an item with its number", [6], ["1. Open the lid."]),
    ("an item without", [6], ["Open the lid."]),
    ("a sentence that a quotation mark ends", [7], ['Look for the queen, "the big one."']),
    ("a sentence up to the quotation mark", [7], ['2. Look for the queen, "the big one.']),
    ("what follows it", [7], ["Then close it."]),
    ("two pieces of one line", [3], ["A hive needs sun.", "No!"]),
    ("two pieces that meet", [3], ["A hive needs sun.", "It needs water;"]),
    ("three pieces of one line", [3], ["A hive needs sun.", "does it need wind?", "No!"]),
    ("two whole lines", [1, 4], ["How to keep bees", "Bees sleep: they do.Caption of a picture"]),
    ("pieces of two lines", [3, 6], ["It needs water;", "Open the lid."]),
    ("several pieces of several lines", [3, 4, 7], ["A hive needs sun.", "No!", "they do.", "2.", "Then close it."]),
    ("lines in another order", [7, 3], ["Then close it.", "A hive needs sun."]),
    ("other scripts", [9], ["Żółć ěščřž Ωμέγα."]),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "pieces"), [row[1:] for row in QUOTES], ids=[row[0] for row in QUOTES])
def test_what_a_statement_was_taken_from_is_found(lines: list[int], pieces: list[str]) -> None:
    """Whatever stands between ends of sentences, on the lines named and in their order, is found there."""
    found = verdict(lines, pieces, TEXT)

    assert ("found", "bees.txt", tuple(lines)) == (
        found.state,
        found.hit and found.hit.file,
        found.hit and found.hit.lines,
    )
    assert found.hit
    assert pieces == [piece for _, piece in found.hit.pieces]


FORMS = [
    ("decomposed letters", lambda text: unicodedata.normalize("NFD", text)),
    ("more white space", lambda text: text.replace(" ", " \t\u00a0 ")),
    ("white space around lines", lambda text: text.replace("\n", "  \n  ")),
    ("line ends of another system", lambda text: text.replace("\n", "\r\n")),
    ("a byte order mark", lambda text: f"\ufeff{text}"),
    ("no line end at the end", lambda text: text.rstrip("\n")),
]


@pytest.mark.parametrize(("lines", "pieces"), [row[1:] for row in QUOTES], ids=[row[0] for row in QUOTES])
@pytest.mark.parametrize("form", [row[1] for row in FORMS], ids=[row[0] for row in FORMS])
def test_form_does_not_matter(tmp_path: Path, lines: list[int], pieces: list[str], form: Any) -> None:
    """The same text in another form of Unicode, with other white space or line ends, says the same."""
    (tmp_path / "bees.txt").write_bytes(form(TEXT).encode())
    data = command(tmp_path, sources((lines, fingerprint(pieces))))

    assert ["found"] == [each["state"] for each in data["sources"][0]["statements"]]


# A change of TEXT; the pieces and lines of a statement; its new lines.
MOVES: list[tuple[str, str, list[int], list[str], list[int]]] = [
    ("lines were put before it", f"New.\n\n{TEXT}", [3], ["A hive needs sun."], [5]),
    ("lines were taken away before it", TEXT.replace("How to keep bees\n", ""), [3], ["A hive needs sun."], [2]),
    ("all lines moved alike", f"New.\n\n{TEXT}", [3, 6], ["No!", "Open the lid."], [5, 8]),
    ("a long way", "New.\n" * 300 + TEXT, [1, 6], ["How to keep bees", "Open the lid."], [301, 306]),
    ("a line was put between", TEXT.replace("Bees sleep", "New.\nBees sleep"), [3, 6], ["No!", "Open the lid."], [3, 7]),
    ("lines were put between twice", TEXT.replace("Bees", "New.\nBees").replace("2.", "New.\n2."), [3, 6, 7], ["No!", "1. Open the lid.", "2."], [3, 7, 9]),
    ("its line became two", TEXT.replace("water; ", "water;\n"), [3], ["A hive needs sun.", "No!"], [3, 4]),
    ("its line became two paragraphs", TEXT.replace("water; ", "water;\n\n"), [3], ["A hive needs sun.", "No!"], [3, 5]),
    ("its lines became one", TEXT.replace("lid.\n", "lid. "), [6, 7], ["1. Open the lid.", "Then close it."], [6]),
    ("no line was named", TEXT, [], ["Then close it."], [7]),
    ("a wrong line was named", TEXT, [99], ["Then close it."], [7]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "lines", "pieces", "now"), [row[1:] for row in MOVES], ids=[row[0] for row in MOVES])
def test_what_moved_is_found_where_it_is(text: str, lines: list[int], pieces: list[str], now: list[int]) -> None:
    """A statement that stands elsewhere is not gone, and the lines are told."""
    found = verdict(lines, pieces, text)

    assert found.hit
    assert ("moved", tuple(now)) == (found.state, found.hit.lines)


def test_of_several_places_the_nearest_is_told() -> None:
    """A repeat far away is not where a statement went."""
    text = "Sun.\n\n\nNew.\nSun.\n\n\nSun.\n"

    assert [(5,), (1,), (8,)] == [hit.lines for line in (4, 2, 7) if (hit := verdict([line], ["Sun."], text).hit)]


def test_its_own_file_comes_before_another_one() -> None:
    """A statement that another file has too has not gone there, however near that would be."""
    own, other = "New.\n" * 9 + "Sun.\nRain.\n", "New.\nSun.\nRain.\n"
    texts = {"bees.txt": own, "ants.txt": other}

    assert [("bees.txt", (10,)), ("bees.txt", (10, 11))] == [
        (hit.file, hit.lines)
        for lines, pieces in (([2], ["Sun."]), ([2, 3], ["Sun.", "Rain."]))
        if (hit := verdict(lines, pieces, texts).hit)
    ]


# The lines of a longer statement, and where they are once many lines were put behind line 12.
TORN = [([5, 12, 25], (5, 12, 45)), ([5, 13, 25], (5, 33, 45)), ([14, 21, 39], (34, 41, 59))]


@pytest.mark.parametrize(("lines", "now"), TORN)
def test_lines_that_went_different_ways_are_found_by_what_stands_around_them(
    lines: list[int], now: tuple[int, ...]
) -> None:
    """Where statements of single lines went, the parts of a longer one are looked for first."""
    before = [f"Line {number} says {number * 7}. And more." for number in range(1, 41)]
    text = "\n".join([*before[:12], *["New."] * 20, *before[12:]])
    known = [([number], fingerprint([f"Line {number} says {number * 7}."])) for number in (1, 10, 20, 30)]
    pieces = [f"Line {number} says {number * 7}." for number in lines]
    found = verified(sources(*known, (lines, fingerprint(pieces))), {"bees.txt": text})[0].verdicts[-1]

    assert found.hit
    assert ("moved", now) == (found.state, found.hit.lines)


GONE: list[tuple[str, list[int], list[str]]] = [
    ("another letter", [3], ["A hive needs son."]),
    ("another sign at the end", [3], ["No."]),
    ("half a sentence", [3], ["A hive"]),
    ("pieces in another order", [3], ["No!", "A hive needs sun."]),
    ("a piece too many", [3, 6], ["No!", "Open the lid.", "Open the lid."]),
    ("two pieces as one", [3, 6], ["No! Open the lid."]),
]


@pytest.mark.parametrize(("lines", "pieces"), [row[1:] for row in GONE], ids=[row[0] for row in GONE])
def test_what_no_longer_stands_there_is_gone(lines: list[int], pieces: list[str]) -> None:
    """Whatever says it otherwise does not say it."""
    found = verdict(lines, pieces, TEXT)

    assert ("gone", None, True) == (found.state, found.hit, found.complete)


def test_a_search_that_is_too_long_says_so() -> None:
    """What is not tried is not known to be gone."""
    text = original("bees.txt", "\n".join("One. Two. Three. Four. Five." for _ in range(12)))
    lost = fingerprint(["lost"])

    with pytest.raises(TooMuchWork):
        at_lines(lost, range(1, 9), text, tries=1000)
    with pytest.raises(TooMuchWork):
        elsewhere(lost, range(1, 9), "bees.txt", {"bees.txt": text}, tries=1000)
    assert not verdict(
        list(range(1, 9)), ["lost"], "\n".join("One. Two. Three. Four. Five." for _ in range(12))
    ).complete


def test_a_line_of_very_many_sentences_is_bounded() -> None:
    """What is likely of it is tried, the rest is not, and that is told."""
    text = " ".join(f"Number {number}." for number in range(500))
    (line,) = original("bees.txt", text).lines

    assert MAX_QUOTES >= sum(map(len, quotes(line).of)) - 1
    assert quotes(line).cut
    assert "found" == verdict([1], ["Number 77. Number 78."], text).state
    assert ("gone", False) == ((found := verdict([1], ["lost"], text)).state, found.complete)


def test_a_line_of_very_long_sentences_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the letters that take room."""
    monkeypatch.setattr("engine.originals.MAX_LETTERS", 500)
    (line,) = original("bees.txt", " ".join(f"{letter * 60}." for letter in "abcdef")).lines

    assert quotes(line).cut
    assert 500 >= sum(len(piece) for (piece,) in quotes(line).of[1])


def test_another_file_may_have_it() -> None:
    """Statements whose file is not there are looked for in the others; then they have moved, not gone missing."""
    texts = {"wasps.txt": "Old.\nA hive needs sun."}

    assert "missing" == verdict([3], ["No!"], texts).state
    assert ("moved", "wasps.txt") == (
        (found := verdict([3], ["A hive needs sun."], texts)).state,
        found.hit and found.hit.file,
    )


def test_without_fingerprint_or_file_nothing_is_checked() -> None:
    """What cannot be checked is told apart from what was."""
    states = [
        verified(sources(([3], None)), {"bees.txt": TEXT})[0].verdicts[0].state,
        verified(sources(([3], fingerprint(["No!"])), file=None), {"bees.txt": TEXT})[0].verdicts[0].state,
    ]

    assert ["unchecked"] * 2 == states


# A text; the pieces of its one statement, on line 1; the lines that nobody speaks of.
UNCOVERED: list[tuple[str, str, list[str], tuple[int, ...]]] = [
    ("the lines without a statement", "Sun.\nRain.\n\nWind.", ["Sun."], (2, 4)),
    ("not those of blanks", "Sun.\n  \n\t\n", ["Sun."], ()),
    ("not a line with a part of a statement", "Sun. Rain.\nWind.", ["Sun."], (2,)),
    ("not a repeat", "Sun.\nRain.\nSun.", ["Sun."], (2,)),
    ("not a repeat within a line", "Sun.\nRain. Sun. Wind.", ["Sun."], ()),
    ("but a line with half a repeat", "The sun. Rain.\nThe sun and rain.", ["The sun."], (2,)),
    ("not a repeat of one piece of several", "Sun. Rain.\nRain.", ["Sun.", "Rain."], ()),
    ("but a repeat of a number", "1. Sun.\n1. Rain.", ["1.", "Sun."], (2,)),
    ("every line, where the statement is gone", "Sun.\nRain.", ["Snow."], (1, 2)),
]


@pytest.mark.parametrize(("text", "pieces", "lines"), [row[1:] for row in UNCOVERED], ids=[row[0] for row in UNCOVERED])
def test_uncovered_lines(text: str, pieces: list[str], lines: tuple[int, ...]) -> None:
    """A line is covered if a statement, or a repeat of a piece of one, stands on it."""
    assert lines == verified(sources(([1], fingerprint(pieces))), {"bees.txt": text})[0].uncovered


# --- any text: sentences of letters that may need composing, ended in any way ---

WORDS = st.text(st.sampled_from("abzĄążÅöēĻΑάϊΰω\u0301\u0308\u030a"), min_size=1, max_size=6).map(
    lambda word: f"w{word}"
)
SENTENCES = st.builds(
    lambda words, end: " ".join(words) + end,
    st.lists(WORDS, min_size=1, max_size=3),
    st.sampled_from([".", "!", "?", ";", "\u037e", ":", "…", '."', ".»", ".”)"]),
)
LINES = st.lists(SENTENCES, max_size=4)


@st.composite
def documents(draw: st.DrawFn) -> tuple[list[list[str]], list[int], list[str]]:
    """Lines of sentences, and from one line or several in order, each up to three pieces."""
    lines = draw(st.lists(LINES, min_size=1, max_size=8).filter(any))
    filled = [number for number, line in enumerate(lines, 1) if line]
    numbers = sorted(draw(st.sets(st.sampled_from(filled), min_size=1, max_size=3)))
    pieces = []
    for number in numbers:
        count = len(lines[number - 1])
        cuts = sorted(draw(st.sets(st.integers(0, count), min_size=2, max_size=min(4, count + 1))))
        spans = list(zip(cuts[::2], cuts[1::2], strict=False))
        pieces += [" ".join(lines[number - 1][start:end]) for start, end in spans]
    return lines, numbers, pieces


@given(documents(), st.sampled_from([" ", "  ", "\u00a0"]), st.sampled_from(["NFC", "NFD"]), st.data())
def test_pieces_of_any_text_are_found_until_a_letter_changes(
    document: tuple[list[list[str]], list[int], list[str]], gap: str, form: Any, data: st.DataObject
) -> None:
    """Whatever pieces a statement is made of, it is found; with one letter of them changed everywhere, it is gone."""
    lines, numbers, pieces = document
    text = unicodedata.normalize(form, "\n".join(gap.join(line) for line in lines))
    changed = data.draw(st.sampled_from(pieces))

    assert ("found", tuple(numbers)) == ((found := verdict(numbers, pieces, text)).state, found.hit and found.hit.lines)
    other = [f"x{piece[1:]}" if piece == changed else piece for piece in pieces]
    assert "gone" == verdict(numbers, other, text).state


# --- the command ---


def run(folder: Path, data: dict[str, Any], *options: str, texts: Path | None = None) -> Result:
    (folder / "pack").mkdir(exist_ok=True)
    pack = json.dumps({"policy": {"name": "p"}, "sources": data}, ensure_ascii=False)
    (folder / "pack" / "pack.yaml").write_text(pack, encoding="utf-8")
    return CliRunner().invoke(
        main, ["sources", "verify", str(texts or folder), "--rules", str(folder / "pack"), *options]
    )


def command(folder: Path, data: dict[str, Any]) -> Any:
    return json.loads(run(folder, data, "--format", "json").stdout)


STATEMENTS = sources(
    ([3], fingerprint(["A hive needs sun."])), ([5], fingerprint(["they do."])), ([3], fingerprint(["Rain."])),
    ([3, 6], fingerprint(["No!", "Rain."])), ([3], None),
)  # fmt: skip
REPORT = """\
bees (bees.txt): 1 found, 1 moved, 2 gone, 1 unchecked; lines without a statement: 4
  moved S2: line 5, now line 4 of bees.txt
  gone S3: line 3
  gone S4: lines 3, 6
  unchecked S5: no fingerprint, or no file
  no statement on lines 1, 6-7, 9
1 found, 1 moved, 2 gone, 1 unchecked; lines without a statement: 4
"""


def test_the_report_tells_each_problem_and_no_text(tmp_path: Path) -> None:
    """A line for each statement that is not where it was, numbers of lines, counts; nothing of the text itself."""
    (tmp_path / "bees.txt").write_text(TEXT, encoding="utf-8")
    text, data = run(tmp_path, STATEMENTS), run(tmp_path, STATEMENTS, "--format", "json")

    assert (1, 1, REPORT) == (text.exit_code, data.exit_code, text.stdout)
    assert not [word for word in ("hive", "sun", "they do") if word in text.stdout + data.stdout]
    (source,) = json.loads(data.stdout)["sources"]
    assert [1, 6, 7, 9] == source["uncovered"]
    assert {
        "statement": "S2", "state": "moved", "lines": [5], "at": {"file": "bees.txt", "lines": [4]}, "complete": True,
    } == source["statements"][1]  # fmt: skip
    assert {"found": 1, "moved": 1, "gone": 2, "missing": 0, "unchecked": 1, "uncovered": 4} == source["counts"]


SUN, SNOW = ([3], fingerprint(["A hive needs sun."])), ([3], fingerprint(["Snow."]))
CODES: list[tuple[str, dict[str, Any], bytes | None, int]] = [
    ("all is there", sources(SUN, ([3], None)), TEXT.encode(), 0),
    ("something moved", sources(([9], SUN[1])), TEXT.encode(), 0),
    ("no sources at all", {}, TEXT.encode(), 0),
    ("no file is named", sources(SUN, file=None), TEXT.encode(), 0),
    ("something is gone", sources(SUN, SNOW), TEXT.encode(), 1),
    ("the file is missing", sources(SUN), None, 1),
    ("the file is missing, though nothing in it is checked", sources(([3], None)), None, 1),
    ("the file is empty", sources(SUN), b"", 1),
    ("the file is not UTF-8", sources(SUN), b"A hive needs sun\xff.", 2),
    ("the file is of another encoding", sources(SUN), TEXT.encode("utf-16"), 2),
]


@pytest.mark.parametrize(("data", "text", "code"), [row[1:] for row in CODES], ids=[row[0] for row in CODES])
def test_exit_codes(tmp_path: Path, data: dict[str, Any], text: bytes | None, code: int) -> None:
    """0 where everything is somewhere, 1 where something is gone or missing, 2 where that cannot be told."""
    if text is not None:
        (tmp_path / "bees.txt").write_bytes(text)
    result = run(tmp_path, data)

    assert code == result.exit_code
    if code == 2:
        assert 1 == result.output.count("\n")
        assert "bees.txt` is not UTF-8" in result.output


@pytest.mark.parametrize("absolute", [True, False])
def test_only_files_of_the_folder_are_read(tmp_path: Path, absolute: bool) -> None:
    """A name that leads out of the folder names no file there."""
    (tmp_path / "bees.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "inner").mkdir()
    file = str(tmp_path / "bees.txt") if absolute else "../bees.txt"
    result = run(tmp_path, sources(SUN, file=file), texts=tmp_path / "inner")

    assert (1, True) == (result.exit_code, "no such file" in result.stdout)


def test_a_text_that_was_renamed_is_searched(tmp_path: Path) -> None:
    """Other files of the folder with the same extension are where a statement may have gone; the file is missing still."""
    (tmp_path / "bees-2.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "bees.jpg").write_bytes(b"\xff")
    (tmp_path / "broken.txt").write_bytes(b"\xff")
    result = run(tmp_path, sources(SUN))

    assert 1 == result.exit_code
    assert "moved S1: line 3, now line 3 of bees-2.txt" in result.stdout
    assert "no such file" in result.stdout


FOLDERS = [("nowhere", "is no folder"), ("bees.txt", "is no folder")]


@pytest.mark.parametrize(("name", "message"), FOLDERS)
def test_bad_usage_is_one_clear_line(tmp_path: Path, name: str, message: str) -> None:
    """A folder that is none is exit code 2."""
    (tmp_path / "bees.txt").write_text(TEXT, encoding="utf-8")
    result = run(tmp_path, sources(SUN), texts=tmp_path / name)

    assert (2, 1) == (result.exit_code, result.output.count("\n"))
    assert message in result.output


def test_a_folder_in_place_of_a_text_cannot_be_read(tmp_path: Path) -> None:
    """What is there, and is no text, is not missing."""
    (tmp_path / "bees.txt").mkdir()
    result = run(tmp_path, sources(SUN))

    assert (2, True) == (result.exit_code, "cannot be read" in result.output)


def test_wrong_rules_are_exit_code_2(tmp_path: Path) -> None:
    """The findings are told, as by every command that needs rules."""
    result = run(tmp_path, {"bees": {"statements": {}}})

    assert (2, True) == (result.exit_code, "the rules have errors" in result.output)
