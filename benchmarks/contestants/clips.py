"""clipspy (CLIPS, C, Rete): a `defrule` a rule over one template; the environment and its one fact are kept.

For each request the fact is modified, and the agenda names the rules that the network matched: no rule needs
to fire. Asserting and retracting a fact each time looks more natural, but clipspy 1.0.6 never releases a
fact, so that it holds more memory with every request and gets ever slower.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Loaded
from benchmarks.contestants.wording import FIELDS, read_json, write_json
from benchmarks.family import Comparison, Family, FamilyRule

PROGRAM = "policy.clp"


def write(family: Family, folder: Path) -> None:
    slots = " ".join(f"(slot {name})" for name in FIELDS.values())
    rules = [f"(defrule {rule.id} (request {_pattern(rule)}) =>)" for rule in family.rules()]
    (folder / PROGRAM).write_text("\n".join([f"(deftemplate request {slots})", *rules]) + "\n", encoding="utf-8")
    write_json(folder, {rule.id: rule.effect for rule in family.rules()})


def load(folder: Path) -> Loaded:
    clips: Any = import_module("clips")
    effects: dict[str, str] = read_json(folder)
    environment = clips.Environment()
    environment.load(str(folder / PROGRAM))
    symbol = clips.Symbol
    fact = environment.find_template("request").assert_fact()

    def decide(request: Mapping[str, Any]) -> tuple[str, list[str]]:
        sent = request["resource"]["properties"]
        fact.modify_slots(
            action=symbol(request["action"]["name"]),
            payment_method=symbol(request["action"]["properties"]["payment_method"]),
            role=symbol(request["subject"]["properties"]["role"]),
            region=symbol(sent["region"]),
            cost=sent["cost"],
            licenses=sent["licenses"],
        )
        rules = [activation.name for activation in environment.activations()]
        denied = [rule for rule in rules if effects[rule] == "deny"]
        return ("deny", denied) if denied else ("allow" if rules else "deny", rules)

    return Loaded(decide)


def _pattern(rule: FamilyRule) -> str:
    return " ".join(map(_slot, rule.conditions))


def _slot(test: Comparison) -> str:
    name = FIELDS[test.path]
    match test.operator:
        case "at_most":
            return f"({name} ?{name}&:(<= ?{name} {test.value}))"
        case "more_than":
            return f"({name} ?{name}&:(> ?{name} {test.value}))"
        case _:
            values = test.value if isinstance(test.value, tuple) else (test.value,)
            return f"({name} {'|'.join(map(str, values))})"
