"""Decisions are deterministic, and the version of a policy says exactly what it is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from strategies import (
    AS_OF,
    STACKS,
    Written,
    as_text,
    checked,
    draw_request,
    packs_and_requests,
    vocabulary,
)

from engine import open_policy
from engine.cases import request_of
from engine.gate import Engine, Gate
from engine.values import parse_date

DAY = parse_date(AS_OF)
CONDITIONS = ("when", "unless")
LISTS = ("all", "any", "none", "in", "not_in", "has_any", "has_all", "sum", "product", "overrides", "actions", "with")


def sent(gate: Gate, requests: list[dict[str, Any]], engine: Engine = "reference") -> list[str]:
    """The decisions in full, byte for byte."""
    return [
        json.dumps(gate.decide(request, "full", engine=engine).to_dict(), ensure_ascii=True) for request in requests
    ]


def shuffled(data: Any, random: Random, name: str = "") -> Any:
    """The same pack: names of mappings, and lists whose order says nothing, in another order."""
    if isinstance(data, dict):
        items = [(key, shuffled(value, random, key)) for key, value in data.items()]
        if name != "options":
            random.shuffle(items)
        return dict(items)
    if isinstance(data, list):
        found = [shuffled(item, random) for item in data]
        if name in (*LISTS, "rules") or (
            name not in _ORDERED and all(isinstance(item, dict) and "from" in item for item in found)
        ):
            random.shuffle(found)
        return found
    return data


_ORDERED = ("values", "default", "derived", "languages", "between", "difference", "days_between", "steps", "cites")


def pieces(data: dict[str, Any], random: Random) -> dict[str, str]:
    """The pack split over files in any way, with names that sort in any order."""
    files: list[dict[str, Any]] = [{} for _ in range(random.randint(1, 4))]
    for section, content in data.items():
        if section in ("policy", "tables", "translations"):
            random.choice(files)[section] = content
        elif section == "rules":
            for rule in content:
                random.choice(files).setdefault("rules", []).append(rule)
        else:
            for name, entry in content.items():
                random.choice(files).setdefault(section, {})[name] = entry
    random.shuffle(files)
    return {f"{random.random()}.yaml": as_text(part, yaml_=random.random() < 0.3) for part in files if part}


def whole(pack: Written) -> dict[str, Any]:
    """The data of a written pack, its files put together."""
    found: dict[str, Any] = {}
    for text in pack.files.values():
        for section, content in _plain(text).items():
            if section == "rules":
                found.setdefault(section, []).extend(content)
            else:
                found[section] = content
    return found


class _Loader(yaml.SafeLoader):
    """YAML without its surprises: days and `NO` are text here too."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("int", "float", "null")]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
} | {letter: [("tag:yaml.org,2002:bool", re.compile("true|false"))] for letter in "tf"}


def _plain(text: str) -> Any:
    return yaml.load(text, _Loader)


@settings(max_examples=25)
@given(packs_and_requests(count=3))
def test_order_changes_nothing(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """Files, rules, names and the terms of combinators in another order are the same policy."""
    pack, requests = drawn
    random = Random(len(repr(pack.files)))
    other = checked(pieces(shuffled(whole(pack), random), random))

    assert not other.errors
    gate = Gate(other.pack, DAY)
    assert pack.gate.version == gate.version
    assert sent(pack.gate, requests) == sent(gate, requests)


@cache
def opened(stack: str) -> Gate:
    return open_policy(STACKS[stack], as_of=AS_OF)


@pytest.mark.parametrize("stack", STACKS)
def test_opening_twice_gives_one_policy(stack: str) -> None:
    """Version, decisions and texts are the same, time after time."""
    again = open_policy([str(folder) for folder in STACKS[stack]], as_of=AS_OF)
    requests = [request_of(case) for case in again.pack.cases][-40:]

    assert opened(stack).version == again.version
    assert sent(opened(stack), requests) == sent(again, requests)


PACK: dict[str, Any] = {
    "policy": {"name": "p", "title": "A policy", "languages": ["en", "pl"]},
    "actions": {
        "go": {
            "title": "Go", "resource": "car",
            "properties": {
                "far": {"type": "boolean", "optional": True, "choice": True, "description": "Far."},
                "fast": {"type": "boolean"},
            },
        },
        "stop": {"title": "Stop", "resource": "car"},
    },
    "facts": {
        "car.cost": {"type": "money", "currency": "EUR", "description": "The cost.", "changeable_by": "asker"},
        "car.size": {"type": "enum", "values": ["s", "m"], "ordered": True, "choice": True},
        "car.land": {"type": "key", "of": "lands"},
        "car.max": {"type": "money", "lookup": "lands.max", "by": "car.land"},
        "car.new": {"type": "boolean", "default": True, "cites": ["S1"]},
        "car.rest": {"type": "integer", "derived": {"difference": ["car.seats", "car.taken"]}},
        "car.seats": {"type": "integer"},
        "car.taken": {"type": "integer"},
        "car.all": {"type": "integer", "derived": {"sum": ["car.seats", "car.taken"]}},
        "context.by": {"type": "enum", "values": ["web", "phone"], "route": True, "choice": True},
    },
    "tables": {
        "lands": {
            "description": "Lands.",
            "columns": {"max": {"type": "money", "description": "The most."}},
            "rows": {
                "NO": {"max": [
                    {"until": "2025-12-31", "value": "5 EUR", "basis": "unconfirmed", "cites": ["S1"]},
                    {"from": "2026-01-01", "value": "6 EUR"},
                ]},
                "SE": {},
            },
        }
    },
    "readings": {
        "r": {"asks": "Which?", "options": {"a": "This.", "b": "That."}, "chosen": "a", "because": "So.", "cites": ["S1"]}
    },
    "sources": {"doc": {"title": "A document", "statements": {"S1": {"says": "So."}, "S2": {"says": "And so."}}}},
    "rules": [
        {"id": "go", "title": "Going", "actions": ["go", "stop"], "allow": "Go.", "cites": ["S1", "S2"]},
        {
            "id": "no", "actions": ["go"], "from": "2026-01-01",
            "when": {
                "car.cost": {"more_than": "$car.max"}, "reading.r": "a", "car.size": ["s", "m"], "car.new": True,
                "any": [{"car.rest": 3}, {"car.all": 4}, {"action.fast": False}],
            },
            "unless": {"action.far": True},
            "deny": {"text": "No: {car.cost}.", "remedy": "Pay less."},
        },
        {"id": "by", "actions": ["go"], "when": {"car.size": "m"}, "only_by": {"route": "phone", "text": "Call."},
         "overrides": ["no", "go"]},
        {"id": "pay", "actions": ["go"], "when": {"car.land": {"in": ["NO", "SE"]}},
         "oblige": {"text": "Pay.", "due": "before", "deadline": "soon", "with": ["allow", "deny"]}},
        {"id": "how", "actions": ["go"], "guide": {"steps": ["One.", "Two."]}},
    ],
    "translations": {"pl": {"go": "Jedź.", "how": ["Raz.", "Dwa."]}},
    "cases": [{"case": "it goes", "given": {"action": "stop"}, "expect": {"outcome": "allow"}}],
}  # fmt: skip


def version(data: dict[str, Any], before: str = "") -> str:
    result = checked({"pack.yaml": before + json.dumps(data, ensure_ascii=False)})
    assert not result.errors, result.errors
    return Gate(result.pack, DAY).version


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of what stands at a path, names and places parted by blanks."""

    def change(data: Any) -> None:
        *names, last = path.split(" / ")
        for name in names:
            data = data[int(name)] if isinstance(data, list) else data[name]
        data[int(last) if isinstance(data, list) else last] = value

    return change


CHANGED = {
    "a text": put("rules / 0 / allow", "Go!"),
    "a remedy": put("rules / 1 / deny / remedy", "Pay more."),
    "a constant": put("rules / 1 / when / any / 0 / car.rest", 4),
    "an operator": put("rules / 1 / when / car.cost", {"at_least": "$car.max"}),
    "a reference": put("rules / 1 / when / car.cost", {"more_than": "6 EUR"}),
    "an exception": put("rules / 1 / unless / action.far", False),
    "an effect": put("rules / 1 / deny", "No: {car.cost}."),
    "a route": put("rules / 2 / only_by / route", "web"),
    "the actions of a rule": put("rules / 0 / actions", ["stop"]),
    "an id": put("rules / 0 / id", "went"),
    "the day a rule begins": put("rules / 1 / from", "2026-01-02"),
    "the day a rule ends": put("rules / 1 / until", "2027-01-02"),
    "citations": put("rules / 0 / cites", ["S1"]),
    "a duty's deadline": put("rules / 3 / oblige / deadline", "later"),
    "when a duty is due": put("rules / 3 / oblige / due", "after"),
    "what a duty goes with": put("rules / 3 / oblige / with", ["allow"]),
    "a step": put("rules / 4 / guide / steps / 1", "Three."),
    "the order of steps": put("rules / 4 / guide / steps", ["Two.", "One."]),
    "an override less": put("rules / 2 / overrides", ["no"]),
    "the reading chosen": put("readings / r / chosen", "b"),
    "an option more": put("readings / r / options / c", "Another."),
    "a cell": put("tables / lands / rows / NO / max / 1 / value", "7 EUR"),
    "a cell's currency": put("tables / lands / rows / NO / max / 1 / value", "6 USD"),
    "a cell's basis": put("tables / lands / rows / NO / max / 0 / basis", "confirmed"),
    "a cell's day": put("tables / lands / rows / NO / max / 0 / from", "2020-01-01"),
    "a cell filled": put("tables / lands / rows / SE", {"max": "1 EUR"}),
    "a row more": put("tables / lands / rows / FI", {}),
    "a default": put("facts / car.new / default", False),
    "a currency": put("facts / car.cost / currency", "USD"),
    "a derived fact": put("facts / car.rest / derived / difference", ["car.taken", "car.seats"]),
    "the values of an enum": put("facts / car.size / values", ["s", "m", "l"]),
    "their order": put("facts / car.size / values", ["m", "s"]),
    "a choice less": put("facts / car.size / choice", False),
    "a fact sealed": put("facts / car.max / sealed", True),
    "a property not optional": put("actions / go / properties / far / optional", False),
    "a property more": put("actions / go / properties / slow", {"type": "boolean"}),
    "the type of resource": put("actions / stop / resource", None),
    "a translation": put("translations / pl / go", "Idź."),
    "a translated step": put("translations / pl / how", ["Raz.", "Trzy."]),
    "the languages": put("policy / languages", ["en", "pl", "sv"]),
    "the name": put("policy / name", "q"),
}
UNCHANGED = {
    "nothing": put("policy / name", "p"),
    "the policy's title": put("policy / title", "Another"),
    "an action's title": put("actions / go / title", "Going"),
    "a rule's title": put("rules / 0 / title", "Another"),
    "descriptions": put("facts / car.cost / description", "What it costs."),
    "a property's description": put("actions / go / properties / far / description", "Far away."),
    "a column's description": put("tables / lands / columns / max / description", "At most."),
    "a table's description": put("tables / lands / description", "All lands."),
    "who may change a fact": put("facts / car.cost / changeable_by", "admin"),
    "a case": put("cases / 0 / given", {"action": "go"}),
    "no case": put("cases", []),
    "what a reading asks": put("readings / r / asks", "Why?"),
    "why it was chosen": put("readings / r / because", "Because."),
    "the text of an option": put("readings / r / options / a", "This one."),
    "the title of a source": put("sources / doc / title", "Another"),
    "what a statement says": put("sources / doc / statements / S1 / says", "So it is."),
    "the order of terms": put("rules / 1 / when / any", [{"action.fast": False}, {"car.all": 4}, {"car.rest": 3}]),
    "the order of a list of constants": put("rules / 3 / when / car.land / in", ["SE", "NO"]),
    "the order of what is added": put("facts / car.all / derived / sum", ["car.taken", "car.seats"]),
    "the order of overrides": put("rules / 2 / overrides", ["go", "no"]),
    "the order of actions": put("rules / 0 / actions", ["stop", "go"]),
    "how a number is written": put("rules / 1 / when / any / 0 / car.rest", 3.0),
    "how money is written": put("tables / lands / rows / NO / max / 1 / value", {"amount": "6.00", "currency": "EUR"}),
    "a declaration of what is always there": put("facts / subject.id", {"type": "string", "description": "Who asks."}),
}  # fmt: skip


def with_change(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    data = deepcopy(PACK)
    change(data)
    if data["actions"]["stop"]["resource"] is None:
        del data["actions"]["stop"]["resource"]
    if data["rules"][0]["id"] == "went":
        data["rules"][2]["overrides"] = ["no", "went"]
        data["translations"]["pl"]["went"] = data["translations"]["pl"].pop("go")
    return data


@pytest.mark.parametrize("name", CHANGED)
def test_what_can_change_a_decision_or_its_texts_changes_the_version(name: str) -> None:
    """Two policies of one version decide alike."""
    assert version(PACK) != version(with_change(CHANGED[name]))


def test_every_change_gives_a_version_of_its_own() -> None:
    """No two of these policies are taken for one."""
    versions = [version(with_change(change)) for change in CHANGED.values()]

    assert len(CHANGED) == len(set(versions))


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_cannot_does_not(name: str) -> None:
    """Comments, order, cases, titles and sources are not what decides."""
    assert version(PACK) == version(with_change(UNCHANGED[name]))


def test_comments_and_blank_lines_do_not_change_the_version() -> None:
    """Nor does the form of the file."""
    assert version(PACK) == version(PACK, "# A comment.\n\n")
    assert version(PACK) == Gate(checked({"pack.yaml": as_text(PACK, yaml_=True)}).pack).version


def test_the_date_does_not_change_the_version() -> None:
    """A version names the policy of all days."""
    pack = checked({"pack.yaml": json.dumps(PACK)}).pack

    assert Gate(pack, DAY).version == Gate(pack, parse_date("2001-01-01")).version


def test_which_language_is_the_policy_s_own_changes_the_version() -> None:
    """Without English the first language is the policy's own, so there the order of languages counts."""
    polish = {**PACK, "policy": {"name": "p", "languages": ["pl", "sv"]}}
    swedish = {**PACK, "policy": {"name": "p", "languages": ["sv", "pl"]}}

    assert version(polish) != version(swedish)


def some_requests(stack: str, count: int = 40) -> list[dict[str, Any]]:
    random, words = Random(7), vocabulary(opened(stack))
    return [draw_request(random, words) for _ in range(count)]


@pytest.mark.parametrize("stack", STACKS)
def test_many_are_decided_as_one_by_one(stack: str) -> None:
    """`decide_many` equals `[decide(...)]`, in order, and takes no more requests than it gives decisions."""
    gate, requests = opened(stack), some_requests(stack)
    taken: list[int] = []

    def stream() -> Any:
        for place, request in enumerate(requests):
            taken.append(place)
            yield request

    decisions = gate.decide_many(stream(), detail="full")
    assert gate.decide(requests[0], "full") == next(decisions)
    assert taken == [0]
    assert [gate.decide(request, "full") for request in requests[1:]] == list(decisions)


@pytest.mark.parametrize("engine", ["reference", "rete"])
def test_four_threads_decide_as_one(engine: Engine) -> None:
    """Nothing in an open policy changes while it is asked."""
    requests = some_requests("rules", 12)
    alone = sent(opened("rules"), requests, engine)

    gate = open_policy(STACKS["rules"], as_of=AS_OF)
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda _: sent(gate, requests, engine), range(4)))
    assert [alone] * 4 == together


def test_a_request_is_left_as_it_was() -> None:
    """Deciding changes neither the request nor the next decision."""
    gate, requests = opened("rules"), some_requests("rules", 10)
    before = deepcopy(requests)
    first = sent(gate, requests)

    assert repr(before) == repr(requests)
    assert first == sent(gate, requests)
