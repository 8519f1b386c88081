"""CEL by common-expression-language (Rust): a compiled program a rule, all executed on one context.

cel-python, the other implementation, is written in Python and four hundred times slower at 12 rules.
One program that lists every rule's answer is no faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Loaded
from benchmarks.contestants.wording import flat, infix, read_json, write_json
from benchmarks.family import Family


def write(family: Family, folder: Path) -> None:
    write_json(folder, [[rule.effect, rule.id, infix(rule, " && ")] for rule in family.rules()])


def load(folder: Path) -> Loaded:
    cel: Any = import_module("cel")
    rules = [((effect, id_), cel.compile(expression).execute) for effect, id_, expression in read_json(folder)]

    def decide(request: Mapping[str, Any]) -> tuple[str, list[str]]:
        context = cel.Context(flat(request))
        applies = [rule for rule, execute in rules if execute(context)]
        denied = [id_ for effect, id_ in applies if effect == "deny"]
        return ("deny", denied) if denied else ("allow" if applies else "deny", [id_ for _, id_ in applies])

    return Loaded(decide)
