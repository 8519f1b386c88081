"""datalogic-py (JSONLogic, Rust): all rules in one compiled expression, evaluated in a session.

Each rule is `{"and": [its comparisons…, its id]}`, which gives the id or false, and `filter` keeps the ids:
of the forms tried (`merge` of `if`, `cat`, a list of truths, `evaluate_many`) the fastest at most sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Loaded
from benchmarks.contestants.wording import FIELDS, flat, read_json, write_json
from benchmarks.family import Comparison, Family

OPERATORS = {"is": "===", "in": "in", "at_most": "<=", "more_than": ">"}


def write(family: Family, folder: Path) -> None:
    rules = [{"and": [*map(_logic, rule.conditions), rule.id]} for rule in family.rules()]
    effects = {rule.id: rule.effect for rule in family.rules()}
    write_json(folder, {"logic": {"filter": [rules, {"var": ""}]}, "effects": effects})


def load(folder: Path) -> Loaded:
    engine: Any = import_module("datalogic_py").Engine()
    data = read_json(folder)
    effects: dict[str, str] = data["effects"]
    policy = engine.compile(data["logic"])
    evaluate = engine.session().evaluate

    def decide(request: Mapping[str, Any]) -> tuple[str, list[str]]:
        rules = evaluate(policy, flat(request))
        denied = [rule for rule in rules if effects[rule] == "deny"]
        return ("deny", denied) if denied else ("allow" if rules else "deny", rules)

    return Loaded(decide)


def _logic(test: Comparison) -> dict[str, Any]:
    return {OPERATORS[test.operator]: [{"var": FIELDS[test.path]}, test.value]}
