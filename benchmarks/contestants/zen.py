"""zen-engine (GoRules, Rust): one decision table, a row a rule, hit policy *collect*.

The documented fast way: the table goes to the engine through a static loader, which compiles and indexes
it once; `create_decision`, the way of the quick start, is ten times slower and more.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Loaded
from benchmarks.contestants.wording import FIELDS, flat, read_json, write_json
from benchmarks.family import ACTION, COST, LICENSES, METHOD, REGION, ROLE, Comparison, Family, FamilyRule

COLUMNS = (REGION, ACTION, METHOD, COST, LICENSES, ROLE)
OUTPUTS = ("effect", "rule")


def write(family: Family, folder: Path) -> None:
    table = {
        "hitPolicy": "collect",
        "inputs": [{"id": name, "name": name, "field": name} for name in map(FIELDS.__getitem__, COLUMNS)],
        "outputs": [{"id": name, "name": name, "field": name} for name in OUTPUTS],
        "rules": [_row(rule) for rule in family.rules()],
    }
    kinds = {"in": "inputNode", "rules": "decisionTableNode", "out": "outputNode"}
    nodes = [{"id": id_, "name": id_, "type": kind, "position": {"x": 0, "y": 0}} for id_, kind in kinds.items()]
    nodes[1]["content"] = table
    edges = [
        {"id": f"{source}-{target}", "sourceId": source, "targetId": target, "type": "edge"}
        for source, target in (("in", "rules"), ("rules", "out"))
    ]
    write_json(folder, {"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges})


def load(folder: Path) -> Loaded:
    engine: Any = import_module("zen").ZenEngine(
        {"loader": {"type": "static", "content": {"policy": read_json(folder)}}}
    )

    def decide(request: Mapping[str, Any]) -> tuple[str, list[str]]:
        rows = engine.evaluate("policy", flat(request))["result"]
        denied = [row["rule"] for row in rows if row["effect"] == "deny"]
        return ("deny", denied) if denied else ("allow" if rows else "deny", [row["rule"] for row in rows])

    return Loaded(decide)


def _row(rule: FamilyRule) -> dict[str, str]:
    cells = {FIELDS[path]: "" for path in COLUMNS}
    cells |= {FIELDS[test.path]: _cell(test) for test in rule.conditions}
    return {"_id": rule.id, **cells, "effect": f'"{rule.effect}"', "rule": f'"{rule.id}"'}


def _cell(test: Comparison) -> str:
    match test.operator:
        case "at_most":
            return f"<= {test.value}"
        case "more_than":
            return f"> {test.value}"
        case _:
            values = test.value if isinstance(test.value, tuple) else (test.value,)
            return ", ".join(f'"{value}"' for value in values)
