"""Findings as SARIF 2.1.0, the form in which editors and code platforms take the findings of checkers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from engine.finding import CODES, Finding, Place, printable

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings: Iterable[Finding], version: str, base: Path) -> dict[str, Any]:
    """A SARIF log of one run that holds the findings, as JSON data.

    `version` is that of ChangeGate. Files are named relative to the folder `base`, which is where the
    command was run.
    """
    listed = list(findings)
    codes = sorted({finding.code for finding in listed})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "changegate", "version": version, "rules": [_rule(code) for code in codes]}
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding, codes.index(finding.code), base) for finding in listed],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    return {
        "id": code,
        "shortDescription": {"text": known.meaning},
        "defaultConfiguration": {"level": known.severity},
    }


def _result(finding: Finding, index: int, base: Path) -> dict[str, Any]:
    said = f"{finding.message}\nhelp: {finding.help}" if finding.help else finding.message
    result = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": printable(said)},
    }
    return {**result, "locations": [_location(finding.place, base)]} if finding.place.file else result


def _location(place: Place, base: Path) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(place.file, base)},
            "region": {"startLine": place.line, "startColumn": place.column},
        }
    }


def _uri(file: str, base: Path) -> str:
    """The file as a relative reference: from the base, with forward slashes, and bytes that are no URI's escaped."""
    path = os.path.relpath(file, base) if PurePath(file).is_absolute() else os.path.normpath(file)
    return quote(PurePath(path).as_posix(), errors="surrogateescape")
