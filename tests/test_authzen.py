"""The OpenID conformance suite as tests of ours: every module of its plans for a decision point, on the scenario's fixture.

Where the suite and the certification scenario differ, the scenario is followed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from conformance import PLANS, Case, Client, ask, cases_of, params, service, table, try_case

from engine.server.settings import LEVELS


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service() as client:
        yield client


@pytest.mark.parametrize("case", params([case for plan in PLANS for case in cases_of(plan)]))
def test_case(client: Client, case: Case) -> None:
    """What the scenario, the suite or the specification expects is what is answered."""
    try_case(client, case)


@pytest.mark.parametrize("plan", PLANS)
def test_a_module_is_one_case(plan: str) -> None:
    """No module of a plan is there twice, and so none hides another."""
    modules = Counter(case.module for case in cases_of(plan) if case.module)

    assert [module for module, count in modules.items() if count > 1] == []


FIXTURE = [
    case for case in cases_of("evaluation") if "decision" in case.expect and not case.headers and case.times == 1
]


@pytest.mark.parametrize("case", params(FIXTURE))
def test_a_context_changes_no_decision_of_the_fixture(client: Client, case: Case) -> None:
    """The fixture's decisions hold whether a context is sent or not."""
    for context in ({}, None, {"time": "2026-01-01T00:00Z", "source": ["a", {"b": None}], "record": 5}):
        answer = ask(client, case.path, {**case.body, "context": context})

        assert {"decision": case.expect["decision"]} == answer.json()


@pytest.mark.parametrize("case", params(FIXTURE))
def test_a_batch_of_one_says_what_an_evaluation_says(client: Client, case: Case) -> None:
    """An evaluation is decided alike alone, as the only item, and from defaults."""
    path = table("evaluations")["path"]
    as_item = ask(client, path, {"evaluations": [case.body]}).json()
    from_defaults = ask(client, path, {**case.body, "evaluations": [{}]}).json()
    without_items = ask(client, path, case.body).json()

    assert {"evaluations": [{"decision": case.expect["decision"]}]} == as_item == from_defaults
    assert {"decision": case.expect["decision"]} == without_items


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("plan", PLANS)
def test_no_detail_is_volatile(client: Client, plan: str, level: str) -> None:
    """However much is told, the same request gets the same body, and the decisions stay what they are."""
    sound = table(plan)
    bare = ask(client, sound["path"], sound["sound"]).json()
    bodies = {ask(client, sound["path"], sound["sound"], ChangeGate_Detail=level).content for _ in range(3)}

    assert len(bodies) == 1
    assert bare == without_context(json.loads(bodies.pop()), expected=level != "none" and "search" not in plan)


def without_context(answer: dict[str, Any], *, expected: bool) -> dict[str, Any]:
    """The answer without the contexts of its decisions, which are objects, and there if they are expected."""
    for decision in answer.get("evaluations", [answer]):
        context = decision.pop("context", None)
        assert isinstance(context, dict) if expected else context is None
    return answer


@pytest.mark.parametrize("plan", ["subject_search", "resource_search"])
def test_what_a_search_finds_is_permitted(client: Client, plan: str) -> None:
    """Each result, asked for in an evaluation, is permitted."""
    kind, tried = plan.partition("_")[0], 0
    for case in cases_of(plan):
        found = ask(client, case.path, case.body).json()
        for result in found.get("results", []):
            request = {**case.body, kind: {**case.body[kind], "id": result["id"]}}
            tried += 1
            assert {"decision": True} == ask(client, table("evaluation")["path"], request).json()
    assert tried


def test_what_an_action_search_finds_is_permitted(client: Client) -> None:
    """Each action, with the choices that were found, is permitted."""
    tried = 0
    for case in cases_of("action_search"):
        found = ask(client, case.path, case.body).json()
        for action in found.get("results", []):
            tried += 1
            answer = ask(client, table("evaluation")["path"], {**case.body, "action": action})
            assert {"decision": True} == answer.json()
    assert tried
