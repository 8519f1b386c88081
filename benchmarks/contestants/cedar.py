"""cedarpy (Cedar, Rust): a policy for each rule, forbid or permit, in a `PolicySet` that is parsed once.

All facts travel in the context, beside an empty, parsed set of entities: faster than sending the resource
and the principal as entities with each request. Amounts are hundredths in a `long`, which Cedar compares
faster than its decimals.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Loaded
from benchmarks.contestants.wording import INFIX, flat, worded
from benchmarks.family import COST, Comparison, Family, FamilyRule

POLICIES = "policies.cedar"
FORMS = {**INFIX, "in": "{1}.contains({0})"}
EFFECTS = {"deny": "forbid", "allow": "permit"}


def write(family: Family, folder: Path) -> None:
    (folder / POLICIES).write_text("\n".join(map(_policy, family.rules())), encoding="utf-8")


def load(folder: Path) -> Loaded:
    cedar: Any = import_module("cedarpy")
    policies = cedar.PolicySet.from_str((folder / POLICIES).read_text(encoding="utf-8"))
    entities = cedar.Entities.from_json_str("[]")

    def decide(request: Mapping[str, Any]) -> tuple[str, list[str]]:
        facts = flat(request)
        facts["cost"] = round(facts["cost"] * 100)
        question = {
            "principal": {"type": "User", "id": request["subject"]["id"]},
            "action": {"type": "Action", "id": facts.pop("action")},
            "resource": {"type": "Subscription", "id": request["resource"]["id"]},
            "context": json.dumps(facts),
        }
        result = cedar.is_authorized(question, policies, entities)
        reasons = list(result.diagnostics.id_annotations_by_reason.values())
        return "allow" if result.allowed else "deny", reasons

    return Loaded(decide)


def _policy(rule: FamilyRule) -> str:
    names = ", ".join(f'Action::"{action}"' for action in rule.actions)
    scope = f"principal, action in [{names}], resource"
    condition = " && ".join(worded(_in_hundredths(test), FORMS, "context.") for test in rule.tests)
    return f'@id("{rule.id}")\n{EFFECTS[rule.effect]}({scope}) when {{ {condition} }};\n'


def _in_hundredths(test: Comparison) -> Comparison:
    return replace(test, value=round(float(str(test.value)) * 100)) if test.path == COST else test
