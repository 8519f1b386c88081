"""The semantics of DESIGN section 5, clause by clause, and the sentences of section 4 that decide.

Each file in `semantics/` holds a small pack, or several stacked ones, and a table of what follows. A
duty or advice that is uncertain is written with a question mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from strategies import AS_OF, STACKS, Drawing, Written, packs_and_requests, sent, vocabulary

from engine import open_policy
from engine.author import Checked, check
from engine.cases import request_of
from engine.gate import ENGINES, Gate
from engine.load import Loaded, read_yaml
from engine.model import FactDeclaration, Pack
from engine.nodes import Document, plain
from engine.nodes import Mapping as MappingNode
from engine.request import from_paths, read_request, with_paths
from engine.situation import in_force
from engine.values import parse_date

FOLDER = Path(__file__).parent / "semantics"
FILES = sorted(FOLDER.glob("*.yaml"))


@cache
def table(file: Path) -> Any:
    return plain(read_yaml(file.read_text(encoding="utf-8"), file.name))


def layer(number: int, text: str) -> Loaded:
    root = read_yaml(text, f"{number}.yaml")
    assert isinstance(root, MappingNode)
    return Loaded([Document(f"{number}.yaml", text, root)])


@cache
def stacked(file: Path) -> Checked:
    checked = check([layer(number, text) for number, text in enumerate(table(file)["packs"])])
    assert not checked.errors
    return checked


DECISIONS = [
    pytest.param(file, row, id=f"{file.stem}: {row['says']}") for file in FILES for row in table(file)["decisions"]
]


def marked(duties: list[dict[str, Any]]) -> list[str]:
    return [duty["rule"] + ("" if duty["certain"] else "?") for duty in duties]


def named(assumption: Mapping[str, Any]) -> Any:
    return assumption.get("reading") or assumption.get("value") or assumption.get("fact")


def parts(decision: dict[str, Any]) -> dict[str, Any]:
    """A decision in the words of the tables."""
    reasons, duties, alternatives = decision["reasons"], decision["obligations"], decision["alternatives"]
    return decision | {
        "result": f"{decision['outcome']} {decision['cause']}",
        "rules": [reason["rule"] for reason in reasons],
        "texts": [reason["text"] for reason in reasons],
        "curable": [reason["rule"] for reason in reasons if reason["curable"]],
        "obligations": marked(duties),
        "deadlines": [duty["deadline"] for duty in duties],
        "due": [duty["due"] for duty in duties],
        "advice": marked(decision["advice"]),
        "procedure": [guide["rule"] for guide in decision["procedure"]],
        "invalid": [each["fact"] for each in decision["invalid"]],
        "problems": [each["problem"] for each in decision["invalid"]],
        "alternatives": [each["change"] for each in alternatives],
        "alternative_routes": [each["route"] for each in alternatives],
        "count": len(alternatives),
        "assumptions": [named(each) for each in decision["assumptions"]],
        "assumptions_whole": decision["assumptions"],
        "as_of": decision["policy"]["as_of"],
        "policy": decision["policy"]["name"],
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("file", "row"), DECISIONS)
def test_what_follows(file: Path, row: dict[str, Any], engine: Any) -> None:
    """Each request of a table gets the decision beside it, by every engine."""
    gate = Gate(stacked(file).pack, parse_date(row.get("as_of", "2026-11-22")))
    request = row["request"] if "request" in row else from_paths(row["given"])

    found = parts(gate.decide(request, "full", row.get("locale", "en"), engine).to_dict())
    assert row["expect"] == {part: found[part] for part in row["expect"]}


@pytest.mark.parametrize("file", [file for file in FILES if "notes" in table(file)], ids=lambda file: file.stem)
def test_what_a_later_pack_changes_is_noted(file: Path) -> None:
    """`validate` lists every override."""
    notes = [finding.message for finding in stacked(file).findings if finding.code == "override"]

    assert table(file)["notes"] == sorted(notes)


@pytest.mark.parametrize(("file", "row"), DECISIONS)
def test_detail_only_adds(file: Path, row: dict[str, Any]) -> None:
    """What was not asked for is null; all the rest is the same."""
    gate = Gate(stacked(file).pack, parse_date(row.get("as_of", "2026-11-22")))
    request = row["request"] if "request" in row else from_paths(row["given"])
    nothing = {"alternatives": None, "assumptions": None, "unknown": None}

    assert gate.decide(request, "full").to_dict() | nothing == gate.decide(request).to_dict()


@pytest.mark.parametrize(("file", "row"), DECISIONS)
def test_alternatives_hold_when_they_are_asked_for(file: Path, row: dict[str, Any]) -> None:
    """Each alternative, sent as a request, is allowed, by the route that was told."""
    if "given" not in row:
        return
    gate = Gate(stacked(file).pack, parse_date(row.get("as_of", "2026-11-22")))

    for alternative in gate.decide(from_paths(row["given"]), "full").to_dict()["alternatives"]:
        decision = gate.decide(from_paths(row["given"] | alternative["change"]))
        assert (decision.outcome, decision.route) == (alternative["outcome"], alternative["route"])


def same_answer(pack: Pack, request: dict[str, Any]) -> Any:
    """Outcome, reasons and duties: what an assumption has to change."""
    decision = Gate(pack, parse_date("2026-11-22")).decide(request)
    duties = [(duty.rule, duty.certain, duty.deadline) for duty in decision.obligations]
    return decision.outcome, [reason.rule for reason in decision.reasons], duties


def without_cell(pack: Pack, cell: tuple[str, str, str]) -> Pack:
    table, key, column = cell
    row = {name: spans for name, spans in pack.tables[table].rows[key].items() if name != column}
    rows = {**pack.tables[table].rows, key: row}
    return replace(pack, tables={**pack.tables, table: replace(pack.tables[table], rows=rows)})


def rebuilt(pack: Pack, as_of: Any) -> Iterator[tuple[str, Pack]]:
    """The pack with each reading, unconfirmed value and default changed alone, as an author would."""
    for reading in pack.readings.values():
        for option in reading.options:
            changed = replace(reading, chosen=option)
            yield reading.id, replace(pack, readings={**pack.readings, reading.id: changed})
    for table in pack.tables.values():
        for key, row in table.rows.items():
            for column, spans in row.items():
                if any(span.basis == "unconfirmed" and in_force(span, as_of) for span in spans):
                    yield f"{table.name}.{key}.{column}", without_cell(pack, (table.name, key, column))
    for fact in pack.facts.values():
        if fact.default:
            changed_fact: FactDeclaration = replace(fact, default=())
            yield fact.path, replace(pack, facts={**pack.facts, fact.path: changed_fact})


@settings(max_examples=40)
@given(packs_and_requests())
def test_assumptions_are_exact(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """What is listed are the changes of the pack, one at a time, that change the answer: all of them, and no other."""
    pack, requests = drawn
    for request in requests:
        decision = pack.gate.decide(request, "full")
        before = same_answer(pack.gate.pack, request)
        changes = rebuilt(pack.gate.pack, decision.as_of)
        telling = {name for name, changed in changes if same_answer(changed, request) != before}

        assert telling == {named(each) for each in decision.assumptions or ()}


@settings(max_examples=40)
@given(packs_and_requests())
def test_the_route_is_found_as_the_letter_says(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """Without a route: the first that allows, else the first least final; and the way out once all is cured."""
    pack, requests = drawn
    lasting = {name: rule for name, rule in pack.gate.pack.rules.items() if rule.effect.remedy is None}
    cured = Gate(replace(pack.gate.pack, rules=lasting), pack.gate.as_of)
    for request in requests:
        decision = pack.gate.decide(request)
        if decision.answered_for is None:
            continue
        routes = pack.gate.pack.facts["context.route"].type.values
        if request.get("context", {}).get("route") is None:
            each = [pack.gate.decide(routed(request, route)) for route in routes]
            best = min(range(len(routes)), key=lambda place: finality(each[place]))
            assert routes[best] == decision.answered_for
            assert {**each[best].to_dict(), "route": None} == {**decision.to_dict(), "route": None}
        allowing = [route for route in routes if cured.decide(routed(request, route)).decision]
        assert decision.route == (decision.answered_for if decision.decision else next(iter(allowing), None))


def routed(request: dict[str, Any], route: str) -> dict[str, Any]:
    return {**request, "context": {**(request.get("context") or {}), "route": route}}


def finality(decision: Any) -> int:
    if decision.decision or decision.outcome == "indeterminate":
        return 0 if decision.decision else 1
    return 2 if decision.reasons and all(reason.curable for reason in decision.reasons) else 3


@settings(max_examples=40)
@given(packs_and_requests())
def test_alternatives_are_allowed_least_and_in_order(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """Sent as requests they are allowed, none contains another, and none is longer than needed."""
    pack, requests = drawn
    for request in requests:
        changes = [each.change for each in pack.gate.decide(request, "full").alternatives or ()]

        assert len(changes) <= 5
        assert [len(change) for change in changes] == sorted(len(change) for change in changes)
        assert not [1 for one in changes for other in changes if one is not other and one.items() <= other.items()]
        for change in changes:
            assert pack.gate.decide(with_paths(request, change)).decision


@settings(max_examples=40)
@given(packs_and_requests())
def test_null_is_absent(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """A request with every absent fact sent as null gets the same decision."""
    pack, requests = drawn
    gate = pack.gate
    for request in requests:
        action = gate.pack.actions[request["action"]["name"]]
        sent = read_request(request, gate.pack).given
        nulls = {
            path: None
            for path in gate.pack.facts
            if path not in sent and "." in path and (not path.startswith("action.") or path in action.properties)
        }

        assert gate.decide(request, "full") == gate.decide(with_paths(request, nulls), "full")


def test_knowing_more_does_not_turn_a_definite_answer() -> None:
    """A yes or no stays as it is when a fact becomes known that was merely absent.

    Not so a fact that was known all the same (by default, worked out or looked up), nor the route, which is
    searched for without it, nor an action property, which was not asked for.
    """
    gate = open_policy(STACKS["rules"], as_of=AS_OF)
    words = vocabulary(gate)
    tried = 0
    for number, case in enumerate(gate.pack.cases):
        request = request_of(case)
        decision = gate.decide(request, "full")
        if decision.outcome == "indeterminate" or decision.invalid:
            continue
        draw = Drawing(Random(number))
        absent = [path for path in decision.unknown or () if _merely_absent(gate.pack, path)]
        for path in draw.some(absent, 4, 0):
            value = sent(draw, words.facts[path], words, 0)
            more = gate.decide(with_paths(deepcopy(request), {path: value}))
            tried += 1
            assert more.invalid or (case.name, path, decision.outcome) == (case.name, path, more.outcome)
    assert tried > 500


def _merely_absent(pack: Pack, path: str) -> bool:
    fact = pack.facts[path]
    if fact.default or fact.derived is not None or fact.lookup or fact.route:
        return False
    return not path.startswith(("action.", "context.date", "reading."))
