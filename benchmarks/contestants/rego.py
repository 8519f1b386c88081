"""regopy (Rego by rego-cpp, C++): two partial sets, deny and allow, to which each rule contributes its id.

The module is built into a bundle with an entry point once; `query`, the way of the quick start, compiles
for every request and is ten times slower at 12 rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestants import Loaded
from benchmarks.contestants.wording import flat, infix
from benchmarks.family import Family

MODULE, ENTRY = "policy.rego", "policy/reasons"
HEAD = 'package policy\n\nimport rego.v1\n\nreasons := {"deny": deny, "allow": allow}\n\n'


def write(family: Family, folder: Path) -> None:
    rules = (
        f'{rule.effect} contains "{rule.id}" if {{ {infix(rule, "; ", prefix="input.")} }}\n' for rule in family.rules()
    )
    (folder / MODULE).write_text(HEAD + "".join(rules), encoding="utf-8")


def load(folder: Path) -> Loaded:
    regopy: Any = import_module("regopy")
    compiler = regopy.Interpreter()
    compiler.add_module("policy", (folder / MODULE).read_text(encoding="utf-8"))
    bundle = compiler.build(None, [ENTRY])
    if not bundle.ok():
        raise RuntimeError("the bundle cannot be built")
    interpreter = regopy.Interpreter()

    def decide(request: Mapping[str, Any]) -> tuple[str, list[str]]:
        interpreter.set_input(flat(request))
        reasons = interpreter.query_bundle_entrypoint(bundle, ENTRY)[0][0]
        if reasons["deny"]:
            return "deny", reasons["deny"]
        return "allow" if reasons["allow"] else "deny", reasons["allow"]

    return Loaded(decide)
