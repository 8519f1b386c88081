"""Findings: what is wrong with the rules, told to their author.

A finding is a record. Its message follows the house style: lower case, no full stop, what the author
typed in backticks; what to do about it stands apart, in `help`.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file of a pack; line and column count characters from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of finding: its severity and what it means, in one line."""

    severity: Severity
    meaning: str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong with the rules: where, which kind (a key of CODES), what, and what to do."""

    place: Place
    code: str
    message: str
    help: str = ""

    @property
    def severity(self) -> Severity:
        """Errors stop a policy from opening; warnings and notes do not."""
        return CODES[self.code].severity

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON data."""
        return {
            "code": self.code, "severity": self.severity, "message": self.message, "help": self.help,
            "file": self.place.file, "line": self.place.line, "column": self.place.column,
        }  # fmt: skip


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings without repeats, sorted by place."""
    return tuple(sorted(set(findings)))


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Help that names the nearest known words, or `otherwise` where none is near."""
    near = _near(word, tuple(sorted(known)))
    return f"did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else otherwise


# While a file cannot be read, many rules lack the same few names, and each search takes a while.
@lru_cache(maxsize=256)
def _near(word: str, names: tuple[str, ...]) -> list[str]:
    near = difflib.get_close_matches(word[:100], names, n=2, cutoff=0.6)
    return near or [name for name in names if len(word) > 2 and word in name][:2]


def one_of(words: Iterable[str], limit: int = 12) -> str:
    """The words in backticks, for help lines; long lists are cut."""
    listed = [f"`{word}`" for word in words]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def short(value: object, limit: int = 60) -> str:
    """What the author wrote, cut where it is long."""
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def show(finding: Finding, sources: Mapping[str, str]) -> str:
    """The finding as text for a terminal: place, message, the source line with a caret, help."""
    head = f"{finding.place}: {finding.severity}: {finding.message} [{finding.code}]"
    parts = [head, *_snippet(finding.place, sources)]
    if finding.help:
        parts.append(f"  help: {finding.help}")
    return printable("\n".join(parts))


def printable(text: str) -> str:
    """The text with control characters, other than line breaks, shown escaped."""
    return "".join(c if c == "\n" else escape(c) for c in text)


def escape(character: str) -> str:
    """The character itself, or its escape where it would steer a terminal or hide text."""
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
        return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"
    return character


def _snippet(place: Place, sources: Mapping[str, str]) -> list[str]:
    lines = _lines(sources.get(place.file, ""))
    start = max(0, place.column - 80)
    line = lines[place.line - 1][start : start + 160].replace("\t", " ") if place.line <= len(lines) else ""
    caret = " " * (place.column - 1 - start) + "^"
    return [f"  | {line}", f"  | {caret}"] if line.strip() else []


@lru_cache(maxsize=16)
def _lines(text: str) -> list[str]:
    return text.splitlines()


CODES: dict[str, Code] = {
    "unreadable": Code("error", "a folder or file that cannot be read"),
    "empty-pack": Code("error", "a pack without a YAML file"),
    "empty-file": Code("warning", "a file that holds nothing"),
    "wrong-extension": Code("error", "a file in a pack that is not read, because its extension is not `.yaml`"),
    "yml-extension": Code("warning", "a file named `.yml`; it is read, but packs use `.yaml`"),
    "not-utf8": Code("error", "a file that is not UTF-8"),
    "too-large": Code("error", "a file that is too large"),
    "too-deep": Code("error", "values, conditions, facts or overrides that lie too deep within each other"),
    "alias-bomb": Code("error", "aliases that expand without measure, or into themselves"),
    "not-yaml": Code("error", "text that is not YAML"),
    "yaml-tag": Code("error", "a YAML tag"),
    "several-documents": Code("error", "more than one YAML document in a file"),
    "duplicate-key": Code("error", "a name twice in one mapping"),
    "not-a-name": Code("error", "a list or mapping where a name belongs, often braces without quotes"),
    "unknown-section": Code("error", "a top-level section that does not exist"),
    "unknown-key": Code("error", "a key that does not exist here"),
    "unknown-operator": Code("error", "an operator that does not exist"),
    "missing-key": Code("error", "a key that must be there"),
    "wrong-shape": Code("error", "a value of the wrong form"),
    "bad-name": Code("error", "a name that cannot be used"),
    "empty-condition": Code("error", "a condition that holds nothing"),
    "effect-count": Code("error", "a rule without an effect, or with several"),
    "duplicate-id": Code("error", "two things of one name"),
    "unknown-fact": Code("error", "a fact that nobody declared"),
    "unknown-action": Code("error", "an action that nobody declared"),
    "unknown-table": Code("error", "a table that nobody declared"),
    "unknown-column": Code("error", "a column that its table does not have"),
    "unknown-reading": Code("error", "a reading that nobody declared"),
    "unknown-option": Code("error", "an option that its reading does not have"),
    "unknown-statement": Code("error", "a statement that no source has"),
    "unknown-rule": Code("error", "a rule id that no rule has"),
    "unknown-language": Code("warning", "a translation into a language that the policy does not name"),
    "unknown-placeholder": Code("error", "a placeholder that is no fact"),
    "unusable-placeholder": Code("error", "a placeholder that the rule's actions do not have, or a brace alone"),
    "no-sources": Code("warning", "citations in a pack without sources"),
    "wrong-type": Code("error", "a value, fact or operand of the wrong type"),
    "wrong-operator": Code("error", "an operator that the fact's type does not admit"),
    "unknown-value": Code("error", "a value outside an enum, a table's rows, or the routes"),
    "money-and-number": Code("error", "money compared with a plain number other than 0"),
    "conflicting-type": Code("error", "one fact declared with two types"),
    "bad-route": Code("error", "a route fact that cannot be one, a second one, or none for `only_by`"),
    "out-of-reach": Code("error", "a fact that one of the rule's actions does not have"),
    "known-not-allowed": Code("error", "`known` where it could change a definite outcome"),
    "contradiction": Code("error", "a condition that can never hold"),
    "override-self": Code("error", "a rule that overrides itself"),
    "override-cycle": Code("error", "rules that override each other in a circle"),
    "derived-cycle": Code("error", "facts worked out from each other in a circle"),
    "from-after-until": Code("error", "a time that ends before it begins"),
    "cell-overlap": Code("error", "a cell with two values on one day"),
    "cell-gap": Code("warning", "days between its spans on which a cell has no value"),
    "missing-translation": Code("warning", "a text without translation into a language that the policy names"),
    "uneven-translation": Code("warning", "a translation with other facts, or another number of steps, than its rule"),
    "uncited-statement": Code("warning", "a statement neither cited nor marked `not_encoded`"),
    "cited-not-encoded": Code("warning", "a statement that is cited and marked `not_encoded`"),
    "stray-fact": Code("warning", "a case that gives a fact which nobody declared, or which its action does not have"),
    "no-case": Code("warning", "a rule without a case in which it decides"),
    "no-near-miss": Code("warning", "a rule without a near miss: one fact changed, and it does not apply"),
    "no-allow": Code("warning", "an action that no rule ever allows"),
    "unread-fact": Code("warning", "a fact that no rule reads"),
    "unread-reading": Code("warning", "a reading that no rule asks"),
    "unset-cell": Code("note", "table cells without a value"),
    "override": Code("note", "what a later pack changes in an earlier one"),
}
