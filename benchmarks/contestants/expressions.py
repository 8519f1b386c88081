"""rule-engine (Python): a `Rule` for each rule, in one context that resolves names as items."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Loaded
from benchmarks.contestants.wording import flat, infix, read_json, write_json
from benchmarks.family import Family


def write(family: Family, folder: Path) -> None:
    write_json(folder, [[rule.effect, rule.id, infix(rule, " and ")] for rule in family.rules()])


def load(folder: Path) -> Loaded:
    rule_engine: Any = import_module("rule_engine")
    context = rule_engine.Context(resolver=rule_engine.resolve_item)
    rules = [
        ((effect, id_), rule_engine.Rule(text, context=context).matches) for effect, id_, text in read_json(folder)
    ]

    def decide(request: Mapping[str, Any]) -> tuple[str, list[str]]:
        facts = flat(request)
        applies = [rule for rule, matches in rules if matches(facts)]
        denied = [id_ for effect, id_ in applies if effect == "deny"]
        return ("deny", denied) if denied else ("allow" if applies else "deny", [id_ for _, id_ in applies])

    return Loaded(decide)
