"""business-rules (Python): its JSON rules, run in full for each request; actions collect the ids.

Membership is `any` of equalities. The variables are methods that read the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Loaded
from benchmarks.contestants.wording import FIELDS, flat, read_json, write_json
from benchmarks.family import COST, LICENSES, Comparison, Family

OPERATORS = {"is": "equal_to", "at_most": "less_than_or_equal_to", "more_than": "greater_than"}
NUMERIC = (COST, LICENSES)


def write(family: Family, folder: Path) -> None:
    write_json(
        folder,
        [
            {
                "conditions": {"all": [_condition(test) for test in rule.conditions]},
                "actions": [{"name": rule.effect, "params": {"rule": rule.id}}],
            }
            for rule in family.rules()
        ],
    )


def load(folder: Path) -> Loaded:
    variables, actions = _classes()
    run_all = import_module("business_rules").run_all
    rules = read_json(folder)

    def decide(request: Mapping[str, Any]) -> tuple[str, list[str]]:
        reasons = actions()
        run_all(rules, variables(flat(request)), reasons)
        return ("deny", reasons.denied) if reasons.denied else ("allow" if reasons.allowed else "deny", reasons.allowed)

    return Loaded(decide)


def _classes() -> tuple[Any, Any]:
    """The variables and the actions as the library wants them: classes with decorated methods."""
    vary, act = import_module("business_rules.variables"), import_module("business_rules.actions")
    text = import_module("business_rules.fields").FIELD_TEXT

    def keep(self: Any, facts: Mapping[str, Any]) -> None:
        self.facts = facts

    def nothing_yet(self: Any) -> None:
        self.denied, self.allowed = [], []

    def deny(self: Any, rule: str) -> None:
        self.denied.append(rule)

    def allow(self: Any, rule: str) -> None:
        self.allowed.append(rule)

    methods = {name: _variable(vary, path, name) for path, name in FIELDS.items()}
    effects = {each.__name__: act.rule_action(params={"rule": text})(each) for each in (deny, allow)}
    return (
        type("Variables", (vary.BaseVariables,), {"__init__": keep, **methods}),
        type("Actions", (act.BaseActions,), {"__init__": nothing_yet, **effects}),
    )


def _variable(vary: Any, path: str, name: str) -> Any:
    def value(self: Any) -> Any:
        return self.facts[name]

    value.__name__ = name
    decorate = vary.numeric_rule_variable if path in NUMERIC else vary.string_rule_variable
    return decorate()(value)


def _condition(test: Comparison) -> dict[str, Any]:
    name = FIELDS[test.path]
    if isinstance(test.value, tuple):
        return {"any": [{"name": name, "operator": "equal_to", "value": value} for value in test.value]}
    return {"name": name, "operator": OPERATORS[test.operator], "value": test.value}
