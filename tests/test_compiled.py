"""The compiled engine: what it makes of rules, and that nothing out of the ordinary gets it off the track.

That it decides as the reference does is the law of agreement (`test_agreement.py`); here are the ways in
which generated code, tables and memories could go wrong although the answers look right.
"""

from __future__ import annotations

import datetime
import io
import json
import keyword
import re
import tokenize
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from random import Random
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from strategies import AS_OF, STACKS, Written, checked, difference, draw_request, packs_and_requests, vocabulary

from engine import Decision, InvalidRequest, open_policy
from engine import assemble as assemble_module
from engine import counter as counter_module
from engine import lane as lane_module
from engine import telling as telling_module
from engine.assemble import make_program
from engine.cases import request_of
from engine.compiled import Compiled
from engine.condition import ALWAYS, All, Compare
from engine.emit import compiled as compiled_source
from engine.gate import Gate
from engine.model import Action, Effect, FactDeclaration, Pack, Rule
from engine.request import read_request
from engine.texts import Speaker
from engine.values import DATE, STRING, Type

DAY = datetime.date.fromisoformat(AS_OF)
SHIPPED = open_policy(STACKS["rules"], as_of=AS_OF)


@settings(max_examples=40, report_multiple_bugs=False)
@given(packs_and_requests())
def test_buckets_change_nothing(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """Where rules are found by a value that they need, and not looked at otherwise, the answers are the same."""
    pack, requests = drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assemble_module, "MIN_SWITCHED", 1)
        gate = Gate(checked(pack.files).pack, DAY)
        for request in requests:
            note(f"--- {request!r}")
            assert difference(gate, request) is None


@settings(max_examples=25)
@given(packs_and_requests(8))
def test_forgetting_changes_nothing(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """Memories are bounded, and what was forgotten is found again."""
    pack, requests = drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counter_module, "MAX_REMEMBERED", 1)
        patch.setattr(telling_module, "MAX_REMEMBERED", 1)
        gate = Gate(checked(pack.files).pack, DAY)
        for request in (*requests, *requests):
            assert difference(gate, request) is None


def test_answers_from_memory_are_the_answers() -> None:
    """A stream that comes twice gets the same answers twice, and those of the reference."""
    gate, random = open_policy(STACKS["rules"], as_of=AS_OF), Random(11)
    requests = [draw_request(random, vocabulary(gate)) for _ in range(150)]

    for _ in range(2):
        for request in requests:
            expected = gate.decide(request, engine="reference").to_dict()
            assert json.loads(gate.decide(request).to_json()) == json.loads(json.dumps(expected))


# What every pack has without saying so.
IMPLICIT = {
    path: FactDeclaration(path, kind, implicit=True)
    for path, kind in (("subject.id", STRING), ("subject.type", STRING), ("thing.id", STRING), ("context.date", DATE))
}
CODE = '"); print(__import__("os").environ); ("'
NAMES = (
    CODE,
    "x\n import os\n",
    "f0",
    "p",
    "request",
    "lambda: 0",
    "class",
    "%s",
    "\\",
    '"""',
    "é",
    "\x00",
    "#",
    r"\u0000x\u0000",
    r'"\u0003"',
)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_literals_never_become_code(name: str) -> None:
    """Whatever ids, paths, values, tables and texts are called, generated code holds none of it."""
    path = f"thing.{name}"
    text = Type("enum", (name, "other"))
    rules = [
        Rule(name, (name,), Compare(path, "is", (name,), text), Effect("deny", f"No {{{path}}}: {name}")),
        Rule(f"{name}2", (name,), Compare(f"{path}3", "starts_with", (name,), STRING), Effect("allow", name)),
        Rule("z", (name,), All((Compare(path, "is_not", (name,), text), Compare(f"{path}3", "is", (name,), STRING))),
             Effect("oblige", name, deadline=name)),
    ]  # fmt: skip
    facts = {
        path: FactDeclaration(path, text),
        f"{path}3": FactDeclaration(f"{path}3", STRING),
        **IMPLICIT,
    }
    pack = Pack(name, actions={name: Action(name, name, "thing")}, facts=facts, rules={rule.id: rule for rule in rules})
    gate = Gate(pack, DAY)

    for value in (name, "other", None):
        properties = {name: value, f"{name}3": f"{name}!", CODE: 1}
        request = {"action": {"name": name}, "resource": {"type": "thing", "id": name, "properties": properties}}
        decision = gate.decide(request)
        assert decision.to_json() == json.dumps(decision.to_dict(), ensure_ascii=False)
        assert gate.decide(request).to_dict() == gate.decide(request, engine="reference").to_dict()
        assert gate.decide(request, "full").to_dict() == gate.decide(request, "full", engine="reference").to_dict()


# Words of generated code: its own, Python's, and the parts of a request.
WORD = re.compile(r"[a-zA-Z]{1,2}[0-9]*")
OWN = {
    "request", "day", "left", "right", "ask", "float", "round", "texts", "unread", "late", "bad", "get", "known", "tell", "clash", "Decision", "bisect", "currency",
    "amount", "days", "len", "operate", "reckon", "weigh", "isascii", "__class__", "int", "str", "dict",
    "NOT_ASKED", "EMPTY", "RESOURCE", "LongWay", "Invalid",
}  # fmt: skip
PARTS = {'"subject"', '"properties"', '"resource"', '"type"', '"context"', "''"}


@pytest.mark.parametrize("stack", STACKS)
def test_generated_code_holds_numbered_names_and_operators_only(stack: str) -> None:
    """No name and no text of a pack is in the code that is made of it."""
    gate = open_policy(STACKS[stack], as_of=AS_OF)
    for rules in gate.today().actions.values():
        program = make_program(rules, gate.pack, DAY)
        sources = {formula.source for formula in program.worked_out.values()}
        sources |= {atom.formula.source for shape in program.shapes for atom in shape.atoms}
        sources.add("\n".join(lane_module._LaneWriter(gate.pack, Compiled(program)).source()))
        for source in sources:
            assert not [token for token in tokens(source) if not harmless(token)]


def tokens(source: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


def harmless(token: tokenize.TokenInfo) -> bool:
    match token.type:
        case tokenize.NAME:
            return keyword.iskeyword(token.string) or token.string in OWN or bool(WORD.fullmatch(token.string))
        case tokenize.STRING:
            return token.string in PARTS
        case tokenize.NUMBER:
            return token.string == "1e11" or len(token.string) <= 3
        case _:
            return True


def regional(count: int) -> Pack:
    """Rules that differ in their constants alone, for so many regions."""
    regions = tuple(f"R{number}" for number in range(count))
    region, number = Type("enum", regions), Type("number")
    facts = {
        "thing.region": FactDeclaration("thing.region", region),
        "thing.cost": FactDeclaration("thing.cost", number),
        **IMPLICIT,
    }
    rules = {}
    for place, name in enumerate(regions):
        here = Compare("thing.region", "is", (name,), region)
        cheap = Compare("thing.cost", "at_most", (Decimal(place) + Decimal("0.5"),), number)
        over = All((Compare("thing.cost", "more_than", (Decimal(place + 9),), number),
                    Compare("thing.cost", "is_not", (Decimal(7),), number)))  # fmt: skip
        rules[f"a{name}"] = Rule(f"a{name}", ("do",), All((here, cheap)), Effect("deny", f"Too cheap for {name}."))
        rules[f"b{name}"] = Rule(f"b{name}", ("do",), All((here, over)), Effect("allow", "Fine."))
    return Pack("regional", actions={"do": Action("do", "Do", "thing")}, facts=facts, rules=rules)


def test_rules_of_one_shape_share_one_code() -> None:
    """A thousand regional variants are one function and a thousand rows of constants."""
    gate = Gate(regional(500), DAY)
    code = gate._compiled("do", DAY)

    assert code.program.switch == "thing.region"
    assert len(code.program.buckets) == 500
    buckets = [code.buckets[region] for region in code.program.buckets]
    assert len({id(function) for function, *_ in buckets}) == 1
    # A number that all regions name may lie below, between or above what differs.
    assert len({id(tables) for _, tables, *_ in buckets}) <= 5


@pytest.mark.parametrize("region", ["R0", "R17", "R499", "R500", None])
@pytest.mark.parametrize("cost", [0.5, 17.5, 17.4999, 17.50001, 25.9, 26, 7, 508, 1e12, "17.5", None, True])
def test_a_bucket_decides_as_all_rules_do(region: str | None, cost: object) -> None:
    """What is not looked at would not have applied; without a region no rule is ruled out."""
    gate = REGIONAL
    request = {"action": {"name": "do"}, "resource": {"properties": {"region": region, "cost": cost}}}

    assert gate.decide(request).to_dict() == gate.decide(request, engine="reference").to_dict()
    assert gate.decide(request, "full").to_dict() == gate.decide(request, "full", engine="reference").to_dict()


REGIONAL = Gate(regional(500), DAY)


@given(
    st.floats(allow_nan=True)
    | st.floats(-100, 100).map(lambda number: round(number, 4))
    | st.decimals()
    | st.integers()
)
def test_a_float_is_the_number_it_is_written_as(number: float | Decimal) -> None:
    """Numbers that a lane takes as they are compare as those that are read in full."""
    request = {"action": {"name": "do"}, "resource": {"properties": {"region": "R17", "cost": number}}}

    assert REGIONAL.decide(request).to_dict() == REGIONAL.decide(request, engine="reference").to_dict()


def test_one_program_serves_from_one_change_to_the_next() -> None:
    """Days on which nothing changes share what was compiled, and a change makes it anew."""
    first, other = datetime.date(2026, 5, 1), datetime.date(2026, 5, 2)
    pack = replace(regional(3), rules={})
    dated = Rule("dated", ("do",), ALWAYS, Effect("allow", "Yes."), start=other)
    gate = Gate(replace(pack, rules={"dated": dated}), first)
    programs = [
        gate._compiled("do", day) for day in (first, datetime.date(2020, 1, 1), other, datetime.date(2030, 1, 1))
    ]

    assert [program is programs[0] for program in programs] == [True, True, False, False]
    assert programs[2] is programs[3]
    assert [gate.decide(asked).outcome for asked in (dated_request(first), dated_request(other))] == ["deny", "allow"]


def dated_request(day: datetime.date) -> dict[str, Any]:
    return {"action": {"name": "do"}, "context": {"date": str(day)}}


class Asked(dict[str, Any]):
    """A dict of another class."""


CASE = request_of(next(case for case in SHIPPED.pack.cases if len(case.given or ()) > 6))
BASE = json.loads(json.dumps(CASE, default=str))
ACTION = BASE["action"]["name"]
ODD: dict[str, Any] = {
    "a mapping that is no dict": MappingProxyType(BASE),
    "a dict of another class": Asked(BASE),
    "sections of another class": {name: Asked(section) for name, section in BASE.items()},
    "sections that are null": {**BASE, "context": None, "subject": None},
    "no sections": {"action": {"name": ACTION}},
    "properties that are null": {**BASE, "resource": {"type": "subscription", "properties": None}},
    "properties that are a list": {**BASE, "resource": {"type": "subscription", "properties": []}},
    "a subject that is text": {**BASE, "subject": "alice"},
    "a name that is no text": {**BASE, "subject": {1: 2}},
    "a name that is no text beside others": {**BASE, "subject": {"type": "user", 5: 6}},
    "a property whose name is no text": {**BASE, "resource": {"properties": {1: 2}}},
    "another resource": {**BASE, "resource": {"type": "invoice"}},
    "a resource type that is no text": {**BASE, "resource": {"type": 5}},
    "a resource without type": {**BASE, "resource": {"id": "x"}},
    "no action": {"subject": {}},
    "an action that is no object": {"action": "purchase"},
    "an action without name": {"action": {}},
    "an action whose name is a list": {"action": {"name": []}},
    "an unknown action": {"action": {"name": "fly"}},
    "an action with more members": {**BASE, "action": {**BASE["action"], "id": "x"}},
    "an entity with more members": {**BASE, "subject": {"type": "user", "id": "x", "name": "Alice"}},
    "a fact beside the sections": {**BASE, "operated_by_21vianet": True},
    "a fact by its path": {**BASE, "subscription.cost": "5 EUR"},
    "a strange fact": {**BASE, "context": {"weather": "fine"}},
    "a strange fact that is a list": {**BASE, "context": {"weather": [1, {}]}},
    "an id among the properties": {**BASE, "subject": {"properties": {"id": "x"}}},
    "a value that is null": {**BASE, "context": {"channel": None}},
    "a value that is a list": {**BASE, "context": {"channel": ["self_service"]}},
    "a route that is none": {**BASE, "context": {"channel": "portal"}},
    "a date that is none": {**BASE, "context": {"date": "tomorrow"}},
    "a date that is a list": {**BASE, "context": {"date": []}},
    "a date that is null": {**BASE, "context": {"date": None}},
    "a date that is a date": {**BASE, "context": {"date": DAY}},
    "a date far away": {**BASE, "context": {"date": "9999-12-31"}},
    "a subject that is half a surrogate pair": {**BASE, "subject": {"id": "\ud800"}},
    "a subject in Greek": {**BASE, "subject": {"id": "Αλίκη"}},
    "not a request": [],
    "nothing": None,
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("detail", [None, "full"])
def test_odd_requests_are_answered_alike(name: str, detail: Any) -> None:
    """What a lane is not made for is decided, or refused, as by the definition."""
    assert answer("compiled", ODD[name], detail) == answer("reference", ODD[name], detail)


@pytest.mark.parametrize("path", ["subject.id", "subject.type", "subscription.id"])
def test_an_id_that_the_policy_seals_is_ignored_with_a_warning(path: str) -> None:
    """Sealed is sealed, also beside properties."""
    facts = SHIPPED.pack.facts
    sealed = replace(facts.get(path) or FactDeclaration(path, STRING, implicit=True), sealed=True)
    gate = Gate(replace(SHIPPED.pack, facts={**facts, path: sealed}), datetime.date(2026, 11, 22))
    request = {**BASE, "subject": {"type": "user", "id": "x"}, "resource": {**BASE["resource"], "id": "s"}}
    decisions = [gate.decide(request, engine=engine).to_dict() for engine in ("compiled", "reference", "rete")]

    assert decisions[0]["warnings"]
    assert decisions[0] == decisions[1] == decisions[2]


def answer(engine: Any, request: Any, detail: Any) -> Any:
    try:
        return SHIPPED.decide(request, detail, engine=engine).to_dict()
    except InvalidRequest as error:
        return str(error)


@pytest.mark.parametrize(
    "cost", [499.99, 500, 0, -1, 10**15, 0.00001, Decimal("499.990"), "500", "499.99 EUR", {"amount": 5}]
)
@pytest.mark.parametrize("location", ["SE", "US", "JP", "ZZ", None])
def test_bare_money_takes_its_currency_from_another_fact(cost: object, location: str | None) -> None:
    """A number without currency is in that of the region, and nothing without one."""
    properties = {"service_location": location, "cost": cost}
    request = {
        "action": {"name": "purchase", "properties": {"payment_method": "invoice"}},
        "resource": {"type": "subscription", "properties": properties},
        "context": {"invoice_minimum": 600},
    }
    decision = SHIPPED.decide(request)

    assert decision.to_dict() == SHIPPED.decide(request, engine="reference").to_dict()
    assert decision.to_json() == json.dumps(decision.to_dict(), ensure_ascii=False)


def test_a_decision_does_not_change_with_its_request() -> None:
    """Texts are told when they are read, about what was asked."""
    properties = {"service_location": "JP", "cost": {"amount": "5", "currency": "JPY"}, "frequency": [1]}
    request = {
        "action": {"name": "purchase", "properties": {"payment_method": "invoice"}},
        "resource": {"type": "subscription", "properties": properties},
    }
    expected = SHIPPED.decide(deepcopy(request), engine="reference").to_dict()
    decision = SHIPPED.decide(request)
    properties["cost"]["amount"] = "999999"  # type: ignore[index]
    properties["service_location"] = "SE"
    request["action"]["properties"].clear()  # type: ignore[attr-defined]

    assert expected == decision.to_dict()


def test_texts_are_told_when_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller who asks for the outcome and the rules does not pay for words."""
    gate = open_policy(STACKS["rules"], as_of=AS_OF)
    monkeypatch.setattr(Speaker, "text", lambda *_: pytest.fail("a text was told"))
    decisions = [gate.decide(request_of(case)) for case in gate.pack.cases[:200]]
    monkeypatch.undo()

    assert all(decision.outcome and decision.cause and decision.rules is not None for decision in decisions)
    assert any(decision.reasons for decision in decisions)


def test_decisions_that_say_the_same_are_equal() -> None:
    """Who decided, and whether it was told yet, makes no difference."""
    one, other = SHIPPED.decide(BASE), SHIPPED.decide(BASE, engine="reference")

    assert one == other
    assert hash(one) == hash(other)
    assert one != SHIPPED.decide(BASE, "full")
    assert repr(one) == repr(other)
    assert isinstance(one, Decision)


def test_a_checked_request_is_matched_as_the_reference_does() -> None:
    """Matching alone, again and again, gives what deciding is based on."""
    for case in SHIPPED.pack.cases[::7]:
        request = request_of(case)
        asked = read_request(request, SHIPPED.pack)
        ready = SHIPPED.checked(request)
        if asked.action is None:
            assert ready is None
            continue
        assert ready is not None
        judged = SHIPPED.judged(request)
        assert judged is not None
        applies = judged[1].applies
        assert ready.match() is ready.match()
        assert ready.match().certain == {rule for rule, holds in applies.items() if holds}
        assert ready.match().possible == {rule for rule, holds in applies.items() if holds is not False}


def test_threads_may_ask_at_once() -> None:
    """What threads compile and remember side by side is what one would."""
    gate = open_policy(STACKS["rules"], as_of=AS_OF)
    requests = [request_of(case) for case in gate.pack.cases[:120]]
    expected = [gate.decide(request, engine="reference").to_dict() for request in requests]
    fresh = Gate(gate.pack, DAY)
    with ThreadPoolExecutor(8) as pool:
        rounds = list(pool.map(lambda _: [fresh.decide(request).to_dict() for request in requests], range(8)))

    assert all(answers == expected for answers in rounds)


def test_code_is_compiled_once_for_a_source() -> None:
    """The same source is the same function."""
    source = "def f(f0, k):\n return f0 == k[0]\n"

    assert compiled_source(source) is compiled_source(source)
