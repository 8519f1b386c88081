"""The contract read back: `decision_from` is the inverse of `to_dict`, and what is no decision is none."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from strategies import AS_OF, STACKS, Written, packs_and_requests

from engine import Decision, Gate, InvalidRequest, open_policy
from engine.cases import readings_of, request_of
from engine.contract import OUTCOMES, decision_from
from engine.decide import Detail
from engine.decision import CAUSES
from engine.schema import schema
from engine.strict_json import parse_json


@cache
def opened(stack: str) -> Gate:
    return open_policy(STACKS[stack], as_of=AS_OF)


def differences(decision: Decision) -> list[str]:
    """What is not the same once the decision has been written and read; once with floats, once with Decimals."""
    text = decision.to_json()
    plain, exact = decision_from(json.loads(text)), decision_from(parse_json(text))
    same = {
        "data": decision.to_dict() == plain.to_dict(),
        "data from Decimals": decision.to_dict() == exact.to_dict(),
        "text": text == plain.to_json() == exact.to_json(),
        "equality": decision == plain and hash(decision) == hash(plain),
        "parts": decision.parts == plain.parts,
        "rules": decision.rules == plain.rules,
        "truth": bool(decision) is bool(plain),
    }
    return [name for name, holds in same.items() if not holds]


@pytest.mark.parametrize("detail", [None, "full"])
@pytest.mark.parametrize("stack", STACKS)
def test_every_case_is_read_back(stack: str, detail: Detail) -> None:
    """Whatever a shipped policy decides is the same decision after it has been sent."""
    wrong = {}
    for case in (each for each in opened(stack).pack.cases if each.layer == len(STACKS[stack]) - 1):
        gate = opened(stack).choosing(readings_of(case))
        wrong[case.name] = differences(gate.decide(request_of(case), detail=detail))

    assert wrong
    assert not {name: found for name, found in wrong.items() if found}


@settings(max_examples=settings.default.max_examples // 4 if settings.default else 25)
@given(packs_and_requests())
def test_random_decisions_are_read_back(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """Odd texts, values that cannot be used, and every cause come through."""
    pack, requests = drawn
    for request in requests:
        for detail in (None, "full"):
            try:
                decision = pack.gate.decide(request, detail)
            except InvalidRequest:
                continue
            assert not differences(decision)


ODD: list[tuple[str, Any]] = [
    ("a fraction", 2.5),
    ("a whole float", 1.0),
    ("a tenth", 0.1),
    ("a long number", 10**30),
    ("lists and objects", [{"a": [1.5, None, True, "x"]}, []]),
    ("nothing", None),
    ("half of a pair", "\ud800"),
]


@pytest.mark.parametrize("value", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_values_that_cannot_be_used_are_read_back(value: Any) -> None:
    """What was wrong with a request is told as it was sent."""
    request = {"action": {"name": "purchase"}, "resource": {"properties": {"licenses": value, "cloud": [value]}}}
    decision = opened("rules").decide(request)

    assert decision.invalid
    assert not differences(decision)


def whole() -> dict[str, Any]:
    """A decision with something in every part."""
    return {
        "decision": False, "outcome": "deny", "cause": "forbidden", "route": None, "answered_for": "web",
        "reasons": [{"rule": "a", "effect": "deny", "text": "No.", "cites": ["S1"], "curable": True, "remedy": "Ask."}],
        "obligations": [{"rule": "b", "text": "Pay.", "cites": [], "due": "before", "deadline": None, "certain": False}],
        "advice": [{"rule": "c", "text": "Wait.", "cites": [], "certain": True}],
        "procedure": [{"rule": "d", "steps": ["One.", "Two."], "cites": []}],
        "missing": ["x.y"], "unknown": ["x.z"],
        "invalid": [{"fact": "x.a", "value": [1, {"b": 2.5}], "problem": "is a list, not text"}],
        "warnings": ["odd"],
        "alternatives": [{"change": {"x.c": True}, "outcome": "allow", "route": "desk"}],
        "assumptions": [
            {"reading": "r", "chosen": "one", "cites": ["S2"]},
            {"value": "t.r.c", "basis": "unconfirmed", "cites": []},
            {"fact": "x.d", "default": ["a"], "cites": []},
        ],
        "policy": {"name": "p", "version": "sha256:" + "0" * 64, "as_of": AS_OF},
    }  # fmt: skip


VALIDATOR = Draft202012Validator(schema("decision"))


def test_a_decision_with_something_in_every_part() -> None:
    """It has the shape that is tried below, and is read."""
    VALIDATOR.validate(whole())

    assert whole() == decision_from(whole()).to_dict()
    assert all(part not in ([], None) for name, part in whole().items() if name not in ("route", "decision"))


def test_unknown_names_are_passed_over() -> None:
    """A service that is newer than its client may say more (AuthZEN: receivers ignore what they do not know)."""
    data = whole()
    for each in (data, data["policy"], data["reasons"][0], data["assumptions"][0], data["alternatives"][0]):
        each["later"] = 1

    assert whole() == decision_from(data).to_dict()


def test_every_cause_has_its_outcome() -> None:
    """No cause is left out."""
    assert set(CAUSES) == set(OUTCOMES)


def holders(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member of every object that the contract describes."""
    found = []
    if isinstance(data, dict) and path[-1:] != ("change",):
        for name, item in data.items():
            found += [(*path, name), *holders(item, (*path, name))]
    elif isinstance(data, list):
        for number, item in enumerate(data):
            found += holders(item, (*path, number))
    return [each for each in found if "value" not in each[:-1]]


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


@pytest.mark.parametrize("path", holders(whole()), ids=lambda path: ".".join(map(str, path)))
def test_every_member_must_be_there(path: tuple[Any, ...]) -> None:
    """What a decision does not say is not guessed."""
    data = whole()
    del at(data, path[:-1])[path[-1]]

    with pytest.raises(ValueError, match="no decision: "):
        decision_from(data)


SPOILED: list[Any] = [None, True, 5, 2.5, "x", "", [], {}, [5], ["x"], [[]], {"x": 5}, [{}], [None], "2026-13-01"]


@pytest.mark.parametrize("path", holders(whole()), ids=lambda path: ".".join(map(str, path)))
def test_every_member_has_its_type(path: tuple[Any, ...]) -> None:
    """What the schema of decisions refuses is refused, apart from a version, a number and a sum of things."""
    for spoiled in SPOILED:
        data = copy.deepcopy(whole())
        at(data, path[:-1])[path[-1]] = spoiled
        fits = VALIDATOR.is_valid(data)
        try:
            decision_from(data)
        except ValueError:
            read = False
        else:
            read = True
        assert fits or not read or path[-1] in ("version", "change"), spoiled
        if fits and path[-1] not in ("decision", "outcome", "cause", "as_of"):
            assert read, spoiled


DISAGREE: list[dict[str, Any]] = [
    {"decision": True},
    {"outcome": "allow"},
    {"outcome": "indeterminate"},
    {"decision": True, "outcome": "allow"},
    {"cause": "permitted"},
    {"cause": "missing_facts"},
    {"decision": True, "cause": "permitted"},
    {"decision": False, "outcome": "allow", "cause": "permitted"},
    {"decision": 0},
    {"decision": "false"},
    {"decision": None},
    {"decision": 1, "outcome": "allow", "cause": "permitted"},
    {"outcome": "permit", "cause": "permitted", "decision": True},
    {"cause": "because"},
    {"cause": ["forbidden"]},
]


@pytest.mark.parametrize("members", DISAGREE, ids=str)
def test_a_decision_agrees_with_itself(members: dict[str, Any]) -> None:
    """What says yes in one place and no in another says nothing."""
    with pytest.raises(ValueError, match="no decision: "):
        decision_from({**whole(), **members})


NO_DATA: list[Any] = [None, 5, "deny", [], [whole()], {}, {"decision": True}, {"decision": False, "context": whole()}]


@pytest.mark.parametrize("data", NO_DATA, ids=lambda data: str(data)[:30])
def test_what_is_no_decision(data: Any) -> None:
    """Other data is refused."""
    with pytest.raises(ValueError, match="no decision: "):
        decision_from(data)


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("1e999"), object(), {1: 2}, (1, 2), b"x", deep()],
    ids=["nan", "infinity", "Decimal nan", "a huge Decimal", "an object", "odd names", "a tuple", "bytes", "deep"],
)  # fmt: skip
def test_values_that_are_no_json(value: Any) -> None:
    """A decision can always be written again."""
    data = whole()
    data["invalid"][0]["value"] = value

    with pytest.raises(ValueError, match="no decision: "):
        decision_from(data)
