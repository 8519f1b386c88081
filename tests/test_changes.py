"""Differences of packs: every part of one, told by name and by meaning; and the cases answered otherwise."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from strategies import AS_OF, STACKS, Written, checked, packs_and_requests
from test_determinism import CHANGED, PACK, pieces, put, shuffled, whole, with_change

from engine import open_policy
from engine.book.changes import KINDS, Change, changes, pack_changes
from engine.book.effects import Answer
from engine.condition import ALWAYS, All, Compare, Fact, Not
from engine.condition import Any as AnyOf
from engine.finding import Place
from engine.gate import Gate
from engine.model import (
    Action,
    Arithmetic,
    Case,
    Choice,
    Effect,
    FactDeclaration,
    Lookup,
    Pack,
    Reading,
    Rule,
    Source,
    Span,
    Statement,
    Table,
    Texts,
)
from engine.values import BOOLEAN, INTEGER, STRING, Type, parse_date

DAY = parse_date(AS_OF)


def pack_of(data: dict[str, Any]) -> Pack:
    result = checked({"pack.yaml": json.dumps(data)})
    assert not result.errors, result.errors
    return result.pack


def told(old: Pack, new: Pack) -> list[tuple[str, str, str, list[str]]]:
    """Each change with the names of its parts."""
    return [(each.kind, each.name, each.what, [part.part for part in each.parts]) for each in pack_changes(old, new)]


def drop(path: str) -> Callable[[dict[str, Any]], None]:
    """A change that takes away what stands at a path."""

    def change(data: Any) -> None:
        *names, last = path.split(" / ")
        for name in names:
            data = data[int(name)] if isinstance(data, list) else data[name]
        del data[int(last) if isinstance(data, list) else last]

    return change


def both(*several: Callable[[Any], None]) -> Callable[[Any], None]:
    """Changes one after the other."""

    def change(data: Any) -> None:
        for each in several:
            each(data)

    return change


BASE = deepcopy(PACK)
BASE["tables"]["lands"]["columns"]["rank"] = {"type": "integer"}
BASE["tables"]["lands"]["rows"]["DK"] = {"rank": 2}


def drop_rank(data: Any) -> None:
    del data["tables"]["lands"]["columns"]["rank"], data["tables"]["lands"]["rows"]["DK"]["rank"]


RULE = {
    "id": "late",
    "actions": ["stop"],
    "deny": {"text": "Late.", "remedy": "Go."},
    "cites": ["S2"],
    "from": "2027-01-01",
}
OTHER_TABLE = {"columns": {"size": {"type": "integer"}}, "rows": {"x": {"size": 1}}}
# A change of the pack, and what is told of it: kind, name, what, parts.
ONE_CHANGE: list[tuple[str, Callable[[Any], None], list[tuple[str, str, str, list[str]]]]] = [
    ("a text", put("rules / 0 / allow", "Go!"), [("rule", "go", "changed", ["text"])]),
    ("a remedy", put("rules / 1 / deny / remedy", "Wait."), [("rule", "no", "changed", ["remedy"])]),
    ("a remedy less", drop("rules / 1 / deny / remedy"), [("rule", "no", "changed", ["remedy"])]),
    ("an effect", put("rules / 1 / deny", "No: {car.cost}."), [("rule", "no", "changed", ["remedy"])]),
    ("another effect", lambda data: data["rules"][0].update(advise=data["rules"][0].pop("allow")), [("rule", "go", "changed", ["effect"])]),
    ("a constant", put("rules / 1 / when / any / 0 / car.rest", 4), [("rule", "no", "changed", ["condition"])]),
    ("a reference", put("rules / 1 / when / car.cost", {"more_than": "6 EUR"}), [("rule", "no", "changed", ["condition"])]),
    ("an exception", drop("rules / 1 / unless"), [("rule", "no", "changed", ["condition"])]),
    ("a route", put("rules / 2 / only_by / route", "web"), [("rule", "by", "changed", ["route"])]),
    ("a title", put("rules / 0 / title", "Gone"), [("rule", "go", "changed", ["title"])]),
    ("actions", put("rules / 0 / actions", ["stop"]), [("rule", "go", "changed", ["actions"])]),
    ("citations", put("rules / 0 / cites", ["S1"]), [("rule", "go", "changed", ["cites"])]),
    ("overrides", put("rules / 2 / overrides", ["no"]), [("rule", "by", "changed", ["overrides"])]),
    ("a first day", put("rules / 1 / from", "2026-01-02"), [("rule", "no", "changed", ["start"])]),
    ("a last day", put("rules / 1 / until", "2027-01-02"), [("rule", "no", "changed", ["end"])]),
    ("a deadline", put("rules / 3 / oblige / deadline", "later"), [("rule", "pay", "changed", ["deadline"])]),
    ("when it is due", put("rules / 3 / oblige / due", "after"), [("rule", "pay", "changed", ["due"])]),
    ("what it goes with", put("rules / 3 / oblige / with", ["deny"]), [("rule", "pay", "changed", ["accompanies"])]),
    ("the order of steps", put("rules / 4 / guide / steps", ["Two.", "One."]), [("rule", "how", "changed", ["steps"])]),
    ("a rule more", lambda data: data["rules"].append(RULE), [
        ("rule", "late", "added", ["actions", "condition", "effect", "text", "remedy", "cites", "start"]),
    ]),
    ("a rule less", drop("rules / 3"), [
        ("rule", "pay", "removed", ["actions", "condition", "effect", "text", "due", "deadline", "accompanies"]),
    ]),
    ("what a reading asks", put("readings / r / asks", "Why?"), [("reading", "r", "changed", ["asks"])]),
    ("an option's text", put("readings / r / options / a", "It."), [("reading", "r", "changed", ["options"])]),
    ("an option more", put("readings / r / options / c", "It."), [("reading", "r", "changed", ["options"])]),
    ("the chosen option", put("readings / r / chosen", "b"), [("reading", "r", "changed", ["chosen"])]),
    ("why it is chosen", put("readings / r / because", "Well."), [("reading", "r", "changed", ["because"])]),
    ("what it cites", put("readings / r / cites", ["S2"]), [("reading", "r", "changed", ["cites"])]),
    ("what it settles", put("readings / r / ambiguity", "A1"), [("reading", "r", "changed", ["ambiguity"])]),
    ("a reading more", put("readings / q", {"asks": "So?", "options": {"y": "Yes.", "n": "No."}, "chosen": "y"}), [
        ("reading", "q", "added", ["asks", "options", "chosen"]),
    ]),
    ("a table more", put("tables / sizes", OTHER_TABLE), [("table", "sizes", "added", ["columns", "rows"])]),
    ("a column more", put("tables / lands / columns / name", {"type": "string"}), [
        ("column", "lands.name", "added", ["type"]),
    ]),
    ("a column less", drop_rank, [("column", "lands.rank", "removed", ["type", "cells"])]),
    ("a column's type", put("tables / lands / columns / rank", {"type": "number"}), [("column", "lands.rank", "changed", ["type"])]),
    ("an empty row more", put("tables / lands / rows / FI", {}), [("row", "lands.FI", "added", [])]),
    ("a row more", put("tables / lands / rows / FI", {"max": "1 EUR"}), [("row", "lands.FI", "added", ["cells"])]),
    ("a row less", drop("tables / lands / rows / DK"), [("row", "lands.DK", "removed", ["cells"])]),
    ("a cell filled", put("tables / lands / rows / SE / max", "1 EUR"), [("cell", "lands.SE.max", "added", ["value"])]),
    ("a cell", put("tables / lands / rows / DK / rank", 3), [("cell", "lands.DK.rank", "changed", ["value"])]),
    ("a cell's basis", put("tables / lands / rows / DK / rank", {"value": 2, "basis": "confirmed"}), [("cell", "lands.DK.rank", "changed", ["basis"])]),
    ("a cell's citations", put("tables / lands / rows / DK / rank", {"value": 2, "cites": ["S1"]}), [("cell", "lands.DK.rank", "changed", ["cites"])]),
    ("a cell's day", put("tables / lands / rows / DK / rank", {"value": 2, "from": "2020-01-01"}), [("cell", "lands.DK.rank", "changed", ["start"])]),
    ("a cell of two spans filled", put("tables / lands / rows / SE / max", [{"value": "1 EUR", "until": "2026-01-01"}, {"value": "2 EUR", "from": "2026-01-02"}]), [
        ("cell", "lands.SE.max", "added", ["spans"]),
    ]),
    ("a cell unset", drop("tables / lands / rows / NO / max"), [("cell", "lands.NO.max", "removed", ["spans"])]),
    ("a span", put("tables / lands / rows / NO / max / 1 / value", "7 EUR"), [("cell", "lands.NO.max", "changed", ["spans"])]),
    ("a span less", drop("tables / lands / rows / NO / max / 0"), [("cell", "lands.NO.max", "changed", ["spans"])]),
    ("a fact's type", put("facts / car.size / values", ["s", "m", "l"]), [("fact", "car.size", "changed", ["type"])]),
    ("a default", put("facts / car.new / default", False), [("fact", "car.new", "changed", ["default"])]),
    ("a derived fact", put("facts / car.rest / derived / difference", ["car.taken", "car.seats"]), [
        ("fact", "car.rest", "changed", ["derived"]),
    ]),
    ("a currency", put("facts / car.cost / currency", "USD"), [("fact", "car.cost", "changed", ["currency"])]),
    ("a bound", put("facts / car.seats / minimum", 0), [("fact", "car.seats", "changed", ["minimum"])]),
    ("a description", put("facts / car.cost / description", "All."), [("fact", "car.cost", "changed", ["description"])]),
    ("who may change it", put("facts / car.cost / changeable_by", "admin"), [("fact", "car.cost", "changed", ["changeable_by"])]),
    ("a sealed fact", put("facts / car.max / sealed", True), [("fact", "car.max", "changed", ["sealed"])]),
    ("a choice less", put("facts / car.size / choice", False), [("fact", "car.size", "changed", ["choice"])]),
    ("a fact more", put("facts / car.wet", {"type": "boolean"}), [("fact", "car.wet", "added", ["type"])]),
    ("a declaration more", put("facts / subject.id", {"type": "string"}), [("fact", "subject.id", "added", ["type"])]),
    ("an action's title", put("actions / go / title", "Gone"), [("action", "go", "changed", ["title"])]),
    ("a property more", put("actions / go / properties / slow", {"type": "boolean"}), [
        ("fact", "action.slow", "added", ["type"]), ("action", "go", "changed", ["properties"]),
    ]),
    ("an optional property", put("actions / go / properties / fast / optional", True), [("action", "go", "changed", ["optional"])]),
    ("a property chosen", put("actions / go / properties / fast / choice", True), [("action", "go", "changed", ["choices"])]),
    ("an action more", put("actions / rest", {"title": "Rest", "resource": "bed"}), [
        ("action", "rest", "added", ["title", "resource"]),
    ]),
    ("a source's title", put("sources / doc / title", "It"), [("source", "doc", "changed", ["title"])]),
    ("a source more", put("sources / new", {"title": "New", "statements": {"N1": {"says": "Yes."}}}), [
        ("source", "new", "added", ["title"]), ("statement", "N1", "added", ["says", "source"]),
    ]),
    ("what a statement says", put("sources / doc / statements / S1 / says", "No."), [("statement", "S1", "changed", ["says"])]),
    ("where it stands", put("sources / doc / statements / S1 / lines", [3]), [("statement", "S1", "changed", ["lines"])]),
    ("its kind", put("sources / doc / statements / S1 / kind", "deny"), [("statement", "S1", "changed", ["kind"])]),
    ("its fingerprint", put("sources / doc / statements / S1 / fingerprint", "sha256:" + "0" * 64), [
        ("statement", "S1", "changed", ["fingerprint"]),
    ]),
    ("why it is not encoded", put("sources / doc / statements / S2 / not_encoded", "So."), [("statement", "S2", "changed", ["not_encoded"])]),
    ("a translation", put("translations / pl / go", "Idź."), [("translation", "pl go", "changed", ["text"])]),
    ("a translation more", put("translations / pl / by", "Dzwoń."), [("translation", "pl by", "added", ["text"])]),
    ("a translation less", drop("translations / pl / how"), [("translation", "pl how", "removed", ["steps"])]),
    ("the policy's title", put("policy / title", "It"), [("policy", "p", "changed", ["title"])]),
    ("its name", put("policy / name", "q"), [("policy", "q", "changed", ["name"])]),
    ("its languages", put("policy / languages", ["en", "pl", "sv"]), [("policy", "p", "changed", ["languages"])]),
    ("its own language", put("policy / languages", ["pl"]), [("policy", "p", "changed", ["language", "languages"])]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [row[1:] for row in ONE_CHANGE], ids=[row[0] for row in ONE_CHANGE])
def test_one_change(change: Callable[[Any], None], expected: list[tuple[str, str, str, list[str]]]) -> None:
    """What an author changes is told once, where it is, and nothing else is."""
    data = deepcopy(BASE)
    change(data)

    assert expected == told(pack_of(BASE), pack_of(data))


@pytest.mark.parametrize("change", [row[1] for row in ONE_CHANGE], ids=[row[0] for row in ONE_CHANGE])
def test_back_again(change: Callable[[Any], None]) -> None:
    """Taken back, a change is told the other way round."""
    data = deepcopy(BASE)
    change(data)
    there = list(pack_changes(pack_of(BASE), pack_of(data)))
    back = list(pack_changes(pack_of(data), pack_of(BASE)))
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}

    assert [opposite[each.what] for each in there] == [each.what for each in back]
    assert [[(part.part, part.after, part.before) for part in each.parts] for each in there] == [
        [(part.part, part.before, part.after) for part in each.parts] for each in back
    ]


def test_every_kind_is_told() -> None:
    """The table above leaves no kind out, and names no other."""
    assert set(KINDS) == {kind for _, _, expected in ONE_CHANGE for kind, *_ in expected}


def test_parts_are_the_model_s_objects() -> None:
    """As it was and as it is, ready to be said in words."""
    old = pack_of(BASE)
    new = replace(old, rules={**old.rules, "go": replace(old.rules["go"], condition=CONDITION)})
    (change,) = pack_changes(old, new)

    assert (ALWAYS, CONDITION) == (change.parts[0].before, change.parts[0].after)


CONDITION = Compare("car.new", "is", (True,), BOOLEAN)


@pytest.mark.parametrize("name", CHANGED)
def test_what_changes_the_version_is_told(name: str) -> None:
    """No two policies that decide otherwise, or with other texts, seem to be one."""
    assert told(pack_of(PACK), pack_of(with_change(CHANGED[name])))


SAME: list[tuple[str, Callable[[Any], None]]] = [
    ("nothing", put("policy / name", "p")),
    ("the order of terms", put("rules / 1 / when / any", [{"action.fast": False}, {"car.all": 4}, {"car.rest": 3}])),
    ("the order of constants", put("rules / 3 / when / car.land / in", ["SE", "NO"])),
    ("the order of what is added", put("facts / car.all / derived / sum", ["car.taken", "car.seats"])),
    ("the order of overrides", put("rules / 2 / overrides", ["go", "no"])),
    ("the order of actions", put("rules / 0 / actions", ["stop", "go"])),
    ("the order of spans", lambda data: data["tables"]["lands"]["rows"]["NO"]["max"].reverse()),
    ("how a number is written", put("rules / 1 / when / any / 0 / car.rest", 3.0)),
    ("cases", put("cases", [])),
]


@pytest.mark.parametrize("change", [change for _, change in SAME], ids=[name for name, _ in SAME])
def test_what_says_the_same_is_no_change(change: Callable[[Any], None]) -> None:
    """Neither places nor an order that says nothing are told."""
    data = deepcopy(BASE)
    change(data)

    assert [] == told(pack_of(BASE), pack_of(data))


@settings(max_examples=25)
@given(packs_and_requests(count=1))
def test_packs_put_in_another_order_are_the_same(drawn: tuple[Written, list[Any]]) -> None:
    """Files, names and terms may be shuffled as one likes."""
    pack, _ = drawn
    random = Random(len(repr(pack.files)))
    other = checked(pieces(shuffled(whole(pack), random), random)).pack

    assert [] == told(pack.gate.pack, other)


@pytest.mark.parametrize("stack", STACKS)
def test_a_pack_is_no_other_than_itself(stack: str) -> None:
    """Read twice, a shipped pack has no changes, and its cases are answered alike."""
    once, again = (open_policy(STACKS[stack], as_of=AS_OF) for _ in range(2))
    found = changes(once, again)

    assert ((), ()) == (found.entries, found.cases)


@pytest.mark.parametrize("stack", STACKS)
def test_a_whole_pack_added_is_told_whole(stack: str) -> None:
    """Whatever a pack holds is an entry, beside nothing."""
    new = open_policy(STACKS[stack], as_of=AS_OF).pack
    entries = list(pack_changes(Pack(new.name, new.title, new.languages), new))
    names = {(each.kind, each.name) for each in entries}

    assert {"added"} == {each.what for each in entries}
    assert len(names) == len(entries)
    assert names == {
        *(("rule", name) for name in new.rules),
        *(("reading", name) for name in new.readings),
        *(("table", name) for name in new.tables),
        *(("fact", name) for name, fact in new.facts.items() if not fact.implicit),
        *(("action", name) for name in new.actions),
        *(("source", name) for name in new.sources),
        *(("statement", name) for name in new.statements),
        *(("translation", f"{locale} {rule}") for locale, texts in new.translations.items() for rule in texts),
    }


def test_entries_stand_in_order() -> None:
    """By kind, then by name: the same two packs are told alike every time."""
    new = open_policy(STACKS["rules"], as_of=AS_OF).pack
    entries = list(pack_changes(Pack("nothing"), new))
    order = [(KINDS.index(each.kind), each.name) for each in entries]

    assert sorted(order) == order


def test_names_that_run_into_each_other_are_kept_apart() -> None:
    """A dot in the key of a row does not make its cell another row's."""
    spans = (Span(1),)
    columns = {"b": INTEGER, "a.b": INTEGER}
    rows = {"JP.a": {"b": spans}, "JP": {"a.b": spans}}
    old = Pack("p", tables={"t": Table("t", columns, {"JP.a": {}, "JP": {}})})
    found = told(old, Pack("p", tables={"t": Table("t", columns, rows)}))

    assert [("cell", "t.JP.a.b", "added", ["value"])] * 2 == found


# One of each kind of record, with every field filled.
EFFECT = Effect("oblige", "Do.", "Cure.", "web", "after", "soon", ("One.",), frozenset({"deny"}))
RECORDS: dict[str, Any] = {
    "rules": Rule("x", ("go",), CONDITION, EFFECT, "Title", ("S1",), ("y",), DAY, DAY),
    "facts": FactDeclaration(
        "x", Type("enum", ("a",)), "About.", choice=True, route=True, sealed=True, default=(Choice(ALWAYS, True),),
        derived=Arithmetic("sum", (Fact("y"), 1)), lookup=Lookup("t", "c", "y"), currency="EUR", minimum=Decimal(1),
        changeable_by="asker", cites=("S1",),
    ),
    "actions": Action("x", "Title", "thing", ("action.y",), frozenset({"action.y"}), frozenset({"action.y"})),
    "readings": Reading("x", "Which?", {"a": "This."}, "a", "So.", ("S1",), "A1"),
    "statements": Statement("x", "So.", "deny", "doc", (1, 2), "sha256:0", "Why.", "there"),
    "sources": Source("x", "Title", "el", "file.txt"),
}  # fmt: skip
TEXTS = Texts("Text.", "Title", "Cure.", "soon", ("One.", "Two."))
SPAN = Span("value", DAY, DAY, "confirmed", ("S1",))


def another(value: Any) -> Any:
    """Another value in the place of one; of another type where that is easiest, since nothing reads it."""
    match value:
        case bool():
            return not value
        case str():
            return f"{value}!"
        case tuple():
            return (*value, "more")
        case frozenset():
            return value | {"more"}
        case dict():
            return {**value, "more": "More."}
        case Type():
            return STRING
        case _:
            return Not(ALWAYS)


def compared(record: Any) -> list[str]:
    return [field.name for field in fields(record) if field.compare]


FIELDS = [(section, name) for section, record in RECORDS.items() for name in compared(record) if name != "effect"]


@pytest.mark.parametrize(("section", "name"), FIELDS)
def test_every_field_of_every_record_is_compared(section: str, name: str) -> None:
    """A field that is added to the model is told of too."""
    record = RECORDS[section]
    changed = replace(record, **{name: another(getattr(record, name))})
    found = told_of(section, record, changed)

    assert [(section.removesuffix("s"), "x", "changed", [name])] == found or name == "implicit"
    assert found


@pytest.mark.parametrize("name", compared(EFFECT))
def test_every_field_of_an_effect_is_compared(name: str) -> None:
    """They stand beside the rule's own, under names that this has not."""
    rule = RECORDS["rules"]
    changed = replace(rule, effect=replace(EFFECT, **{name: another(getattr(EFFECT, name))}))
    part = "effect" if name == "kind" else name

    assert [("rule", "x", "changed", [part])] == told_of("rules", rule, changed)
    assert part == "effect" or part not in compared(rule)


@pytest.mark.parametrize("name", compared(SPAN))
def test_every_field_of_a_span_is_compared(name: str) -> None:
    """A cell of one span is told by that span's fields."""
    changed = replace(SPAN, **{name: another(getattr(SPAN, name))})
    old, new = (Pack("p", tables={"t": Table("t", {"c": STRING}, {"r": {"c": (span,)}})}) for span in (SPAN, changed))

    assert [("cell", "t.r.c", "changed", [name])] == told(old, new)


@pytest.mark.parametrize("name", compared(TEXTS))
def test_every_field_of_a_translation_is_compared(name: str) -> None:
    """In every language by itself."""
    changed = replace(TEXTS, **{name: another(getattr(TEXTS, name))})
    old, new = (Pack("p", translations={"pl": {"x": texts}, "el": {"x": TEXTS}}) for texts in (TEXTS, changed))

    assert [("translation", "pl x", "changed", [name])] == told(old, new)


PACK_FIELDS: dict[str, Any] = {
    **{section: {"x": record} for section, record in RECORDS.items()},
    "name": "q",
    "title": "Title",
    "languages": ("pl",),
    "tables": {"x": Table("x", {"c": STRING}, {})},
    "translations": {"pl": {"x": TEXTS}},
}


@pytest.mark.parametrize("name", [field.name for field in fields(Pack) if field.name != "cases"])
def test_every_field_of_a_pack_is_compared(name: str) -> None:
    """All that a pack holds but its cases, which are asked instead."""
    pack = Pack("p")

    assert told(pack, replace(pack, **{name: PACK_FIELDS[name]}))


@pytest.mark.parametrize("name", ["columns", "rows"])
def test_every_field_of_a_table_is_compared(name: str) -> None:
    """Its name is what it is found by."""
    old = Table("t", {"c": STRING}, {"r": {}})
    more: Any = {name: {**getattr(old, name), "more": STRING if name == "columns" else {}}}
    changed = replace(old, **more)

    assert {"name", "columns", "rows"} == set(compared(old))
    assert [(name.removesuffix("s"), "t.more", "added", ["type"] if name == "columns" else [])] == told(
        Pack("p", tables={"t": old}), Pack("p", tables={"t": changed})
    )


def told_of(section: str, before: Any, after: Any) -> list[tuple[str, str, str, list[str]]]:
    sections: list[Any] = [{section: {"x": record}} for record in (before, after)]
    return told(*(Pack("p", **each) for each in sections))


MANY = Compare("x", "in", (1, 2), INTEGER)
# Two conditions, and whether they say the same.
CONDITIONS: list[tuple[Any, Any, bool]] = [
    (CONDITION, replace(CONDITION, place=Place("elsewhere")), True),
    (All((CONDITION, MANY)), All((MANY, CONDITION)), True),
    (All((CONDITION, MANY)), AnyOf((CONDITION, MANY)), False),
    (All((CONDITION,)), CONDITION, False),
    (Not(CONDITION), CONDITION, False),
    (MANY, Compare("x", "in", (2, 1), INTEGER), True),
    (Compare("x", "between", (1, 2), INTEGER), Compare("x", "between", (2, 1), INTEGER), False),
    (CONDITION, Compare("car.new", "is", (1,), BOOLEAN), False),
    (Compare("x", "is", ("a",), Type("key", ("a",), table="t")), Compare("x", "is", ("a",), Type("key", ("a", "b"), table="t")), True),
    (Compare("x", "is", ("y",), STRING), Compare("x", "is", (Fact("y"),), STRING), False),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "same"), CONDITIONS)
def test_conditions_are_compared_by_meaning(before: Any, after: Any, same: bool) -> None:
    """Where they stand, and in which order, is not what they say; a row more in a table changes no rule."""
    rule = RECORDS["rules"]
    found = told_of("rules", replace(rule, condition=before), replace(rule, condition=after))

    assert same is not bool(found)


def test_ten_thousand_rules_and_rows_are_compared() -> None:
    """Each with its own namesake only."""
    kind = Type("key", tuple(map(str, range(10_000))), table="t")
    rule = RECORDS["rules"]
    rules = {str(n): replace(rule, id=str(n), condition=Compare("k", "is", (str(n),), kind)) for n in range(10_000)}
    rows: Any = {str(n): {"c": (Span(n),)} for n in range(10_000)}
    old = Pack("p", rules=rules, tables={"t": Table("t", {"c": INTEGER}, rows)})
    less, changed = {**rules}, {**rows, "17": {"c": (Span(-1),)}}
    del less["9"]
    new = Pack("p", rules=less, tables={"t": Table("t", {"c": INTEGER}, changed)})

    assert [("rule", "9", "removed"), ("cell", "t.17.c", "changed")] == [each[:3] for each in told(old, new)]


CAR = {"action": "go", "action.far": False, "action.fast": True, "car.cost": "9 EUR", "car.land": "NO", "car.size": "s",
       "car.seats": 4, "car.taken": 1, "context.by": "web"}  # fmt: skip
ALLOWED = Answer("allow", "permitted", ("go",), ("pay",))
DENIED = Answer("deny", "forbidden", ("no",), ("pay",))
NOTHING = Answer("deny", "not_permitted", (), ())
NO_DENIAL = both(drop("rules / 2 / overrides"), drop("rules / 1"))
# A change; facts of a case beside those above; the answers before and after, none where they do not differ.
ASKED: list[tuple[str, Callable[[Any], None], dict[str, Any], list[Answer]]] = [
    ("no change", put("policy / title", "It"), {}, []),
    ("a text changes no answer", put("rules / 1 / deny / text", "It."), {}, []),
    ("a rule less", NO_DENIAL, {}, [DENIED, ALLOWED]),
    ("a cell", put("tables / lands / rows / NO / max", "99 EUR"), {}, [DENIED, ALLOWED]),
    ("a duty less", drop("rules / 3"), {}, [DENIED, replace(DENIED, duties=())]),
    ("on the day of the new policy", put("rules / 1 / from", "2026-11-22"), {}, []),
    ("on another day", put("rules / 1 / from", "2026-11-23"), {}, [DENIED, ALLOWED]),
    ("on a day of its own", put("rules / 1 / from", "2026-11-23"), {"context.date": "2026-11-23"}, []),
    ("an action that was not there", put("actions / rest", {"title": "Rest", "resource": "car"}), {"action": "rest"}, []),
    ("an action that is allowed now", both(put("actions / rest", {"title": "Rest", "resource": "car"}), put("rules / 0 / actions", ["go", "rest"])), {"action": "rest"}, [NOTHING, replace(ALLOWED, duties=())]),
    ("a fact that was not there", both(put("facts / car.wet", {"type": "boolean"}), put("rules / 1 / when", {"car.wet": True})), {"car.wet": False}, [DENIED, ALLOWED]),
    ("another reading", put("readings / r / chosen", "b"), {}, [DENIED, ALLOWED]),
    ("the case's own reading", put("readings / r / chosen", "b"), {"reading.r": "a"}, []),
    ("the case's own reading counts", NO_DENIAL, {"reading.r": "a"}, [DENIED, ALLOWED]),
    ("an option that was not there", both(put("readings / r / options / c", "It."), NO_DENIAL), {"reading.r": "c"}, []),
    ("a case that is no request", NO_DENIAL, {"other.fact": 1, "another.fact": 2}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "facts", "expected"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED]
)  # fmt: skip
def test_cases_are_put_to_both(change: Callable[[Any], None], facts: dict[str, Any], expected: list[Answer]) -> None:
    """Those of the new pack whose answer differs are told with both answers, on the new policy's day."""
    data = deepcopy(PACK)
    change(data)
    case = Case("it", {**CAR, **facts}, None, {})
    old = Gate(pack_of(PACK), datetime.date(2025, 1, 1))
    new = Gate(replace(pack_of(data), cases=(case,)), DAY)

    found = changes(old, new).cases
    assert expected == [answer for each in found for answer in (each.before, each.after)]
    assert {"it"} >= {each.case for each in found}


def test_the_operator_s_pack_is_told_beside_the_shipped_one() -> None:
    """What an operator adds to the shipped policy: a name, a reading, minima, a rule for another."""
    base, stacked = (open_policy(STACKS[stack], as_of=AS_OF) for stack in ("rules", "operator"))
    found = changes(base, stacked)
    told_kinds = {(each.kind, each.what) for each in found.entries}

    assert {("rule", "added"), ("rule", "removed"), ("reading", "changed"), ("cell", "added")} <= told_kinds
    assert found.cases
    assert all(each.before != each.after for each in found.cases)


def test_a_change_is_data() -> None:
    """Equal where it says the same, and kept as it is."""
    old, new = pack_of(PACK), pack_of(with_change(CHANGED["a text"]))

    assert list(pack_changes(old, new)) == list(pack_changes(old, new))
    assert isinstance(next(pack_changes(old, new)), Change)
