"""What is said around the texts of the rules, in each language: headlines, titles and a few words (`phrases.json`).

Texts of rules belong to packs (`translations/`); what belongs to no pack stands there, and nothing else does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

BASE = "en"


def phrases(language: str) -> Mapping[str, str]:
    """The phrases of a language such as `sv` or `sv-FI`, by name; the English ones where there are none."""
    known = catalog()
    return known.get(language.split("-", maxsplit=1)[0].lower(), known[BASE])


@cache
def catalog() -> Mapping[str, Mapping[str, str]]:
    """All phrases, by language and name."""
    text = Path(__file__).with_name("phrases.json").read_text(encoding="utf-8")
    catalog: Mapping[str, Mapping[str, str]] = json.loads(text)
    return catalog
