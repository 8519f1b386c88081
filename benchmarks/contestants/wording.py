"""What the contestants' modules share: short names of facts, rules as infix text, rules as JSON files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.family import ACTION, COST, LICENSES, METHOD, REGION, ROLE, Comparison, FamilyRule

FIELDS = {
    ACTION: "action",
    COST: "cost",
    LICENSES: "licenses",
    METHOD: "payment_method",
    REGION: "region",
    ROLE: "role",
}
INFIX = {"is": "{} == {}", "in": "{} in {}", "at_most": "{} <= {}", "more_than": "{} > {}"}
RULES = "rules.json"


def flat(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request's facts by their short names; engines that look names up find them faster there."""
    return {
        "action": request["action"]["name"],
        **request["action"]["properties"],
        **request["resource"]["properties"],
        **request["subject"]["properties"],
    }


def infix(rule: FamilyRule, both: str, forms: Mapping[str, str] = INFIX, prefix: str = "") -> str:
    """The rule's condition as text: `region == "R1" and cost <= 5`, where `both` is the word for *and*."""
    return both.join(worded(test, forms, prefix) for test in rule.conditions)


def worded(test: Comparison, forms: Mapping[str, str] = INFIX, prefix: str = "") -> str:
    """One comparison as text; constants as JSON writes them."""
    return forms[test.operator].format(prefix + FIELDS[test.path], json.dumps(test.value))


def write_json(folder: Path, data: object) -> None:
    """Put the data into the folder's one JSON file."""
    (folder / RULES).write_text(json.dumps(data), encoding="utf-8")


def read_json(folder: Path) -> Any:
    """The data of the folder's one JSON file."""
    return json.loads((folder / RULES).read_bytes())
