"""The AuthZEN interop scenarios: the to-do list, whose answers must match exactly, and the search demo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from conformance import EXAMPLES, INTEROP, Client, ask, names, pages, service, table

from cli import main

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
TODO, DEMO = table("todo"), table("search_demo")
USERS = TODO["users"]
ACTIONS = ("view", "edit", "delete")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service(*INTEROP, entities="interop") as client:
        yield client


@pytest.mark.parametrize("command", [["validate", "--strict"], ["test"]], ids=" ".join)
@pytest.mark.parametrize("pack", INTEROP)
def test_the_packs_are_sound_without_entities(pack: str, command: list[str]) -> None:
    """Nothing is wrong with the packs, and their cases pass with what they give themselves."""
    result = CliRunner().invoke(main, ["--rules", str(EXAMPLES / pack), *command])

    assert result.exit_code == 0, result.output


# --- the to-do list ---


def subject(user: str) -> dict[str, Any]:
    return {"type": "user", "id": USERS[user]["id"]}


def entry_of(owner: str) -> dict[str, Any]:
    """An entry of somebody, as the application sends it; nothing else is known of entries."""
    number = list(USERS).index(owner) + 2
    identifier = f"7240d0db-8ff0-41ec-98b2-34a096273b9{number}"
    return {"type": "todo", "id": identifier, "properties": {"ownerID": USERS[owner]["email"]}}


def questions(user: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What each user asks, in the order of the table: a sentence, the action and the resource."""
    other = TODO["somebody_else"][user]
    the_list = {"type": "todo", "id": "todo-1"}
    return [
        ("sees Beth", "can_read_user", {"type": "user", "id": USERS["beth"]["email"]}),
        ("is seen", "can_read_user", {"type": "user", "id": USERS[user]["email"]}),
        ("sees the list", "can_read_todos", the_list),
        ("adds an entry", "can_create_todo", the_list),
        (f"changes {other}'s entry", "can_update_todo", entry_of(other)),
        ("changes an own entry", "can_update_todo", entry_of(user)),
        (f"deletes {other}'s entry", "can_delete_todo", entry_of(other)),
        ("deletes an own entry", "can_delete_todo", entry_of(user)),
    ]


QUESTIONS = [
    pytest.param(user, action, resource, decision, id=f"{user} {sentence}: {decision}")
    for user, decisions in TODO["decisions"].items()
    for (sentence, action, resource), decision in zip(questions(user), decisions, strict=True)
]


@pytest.mark.parametrize(("user", "action", "resource", "decision"), QUESTIONS)
def test_todo_evaluation(client: Client, user: str, action: str, resource: dict[str, Any], decision: bool) -> None:
    """A user is known by an opaque id; the service knows the roles and the address behind it."""
    request = {"subject": subject(user), "action": {"name": action}, "resource": resource, "context": {}}

    assert {"decision": decision} == ask(client, EVALUATION, request).json()


@pytest.mark.parametrize("batch", TODO["batches"], ids=lambda batch: batch["user"])
@pytest.mark.parametrize("top", [{}, {"resource": {}, "context": {}}], ids=["bare", "with empty defaults"])
def test_todo_batch(client: Client, batch: dict[str, Any], top: dict[str, Any]) -> None:
    """The answer is the decisions and nothing else, whether the unused defaults are empty or left out."""
    items = [{"resource": entry_of(owner)} for owner in batch["owners"]]
    request = {"subject": subject(batch["user"]), "action": {"name": "can_update_todo"}, **top, "evaluations": items}

    answer = ask(client, EVALUATIONS, request)

    assert {"evaluations": [{"decision": decision} for decision in batch["decisions"]]} == answer.json()


def test_nobody_else_is_on_the_list(client: Client) -> None:
    """A user whom the service does not know may not even look."""
    request = {
        "subject": {"type": "user", "id": "rick@the-citadel.com"},
        "action": {"name": "can_read_todos"},
        "resource": {"type": "todo", "id": "todo-1"},
    }

    assert {"decision": False} == ask(client, EVALUATION, request).json()


# --- the search demo ---


def found(client: Client, kind: str, **entities: Any) -> list[str]:
    """The names of what a search finds; all of it, once each."""
    answer = ask(client, f"/access/v1/search/{kind}", entities).json()
    assert list(answer) == ["results"]
    assert len(names(answer)) == len(set(names(answer)))
    return sorted(names(answer))


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("record", DEMO["records"])
def test_subject_search(client: Client, record: str, action: str) -> None:
    """Exactly those users are found who may do it."""
    users = found(
        client,
        "subject",
        subject={"type": "user"},
        action={"name": action},
        resource={"type": "record", "id": record},
    )

    assert sorted(DEMO["records"][record][action]) == users


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("user", DEMO["users"])
def test_resource_search(client: Client, user: str, action: str) -> None:
    """Exactly those records are found with which the user may do it."""
    records = found(
        client,
        "resource",
        subject={"type": "user", "id": user},
        action={"name": action},
        resource={"type": "record"},
    )

    assert [record for record, allowed in DEMO["records"].items() if user in allowed[action]] == records


@pytest.mark.parametrize("record", DEMO["records"])
@pytest.mark.parametrize("user", DEMO["users"])
def test_action_search(client: Client, user: str, record: str) -> None:
    """Exactly those actions are found that the user may do with the record."""
    actions = found(
        client,
        "action",
        subject={"type": "user", "id": user},
        resource={"type": "record", "id": record},
    )

    assert sorted(action for action in ACTIONS if user in DEMO["records"][record][action]) == actions


def test_resource_search_in_pages_of_two(client: Client) -> None:
    """Following the tokens, Alice finds every record, two at a time."""
    request = {
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "view"},
        "resource": {"type": "record"},
        "page": {"limit": 2},
    }
    records = list(DEMO["records"])

    assert [records[n : n + 2] for n in range(0, 20, 2)] == pages(client, "/access/v1/search/resource", request)


@pytest.mark.parametrize("unknown", [{"id": "999"}, {"id": "100"}])
@pytest.mark.parametrize("action", [*ACTIONS, "launch"])
def test_a_record_that_is_not_there_is_nobody_s(client: Client, action: str, unknown: dict[str, str]) -> None:
    """Records and actions outside the demo's data give a valid empty answer."""
    resource = {"type": "record", **unknown}

    assert [] == found(client, "subject", subject={"type": "user"}, action={"name": action}, resource=resource)


@pytest.mark.parametrize("record", DEMO["records"])
def test_searches_say_what_evaluations_say(client: Client, record: str) -> None:
    """Of each record the batch of all users and actions permits exactly what the searches find."""
    questions = [(user, action) for user in DEMO["users"] for action in ACTIONS]
    items = [{"subject": {"type": "user", "id": user}, "action": {"name": action}} for user, action in questions]

    answer = ask(client, EVALUATIONS, {"resource": {"type": "record", "id": record}, "evaluations": items})

    expected = [{"decision": user in DEMO["records"][record][action]} for user, action in questions]
    assert {"evaluations": expected} == answer.json()
