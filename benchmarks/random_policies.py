"""Random policies and requests, built directly: every type, operator and way to be unknown.

All is drawn from one `random.Random`, so that a seed, or Hypothesis, decides everything.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any as Anything

from engine.condition import (
    ALWAYS,
    OPERATORS,
    SEVERAL,
    All,
    Any,
    Compare,
    Condition,
    Fact,
    Not,
    Operand,
    Presence,
    operators_for,
)
from engine.model import Action, Arithmetic, Choice, Effect, FactDeclaration, Lookup, Pack, Reading, Rule, Span, Table
from engine.policy import ActionRules
from engine.resolve import resolve
from engine.situation import Situation
from engine.values import BOOLEAN, DATE, INTEGER, MONEY, NUMBER, STRING, Money, NotAValue, Type, Value, parse_value

DAY = datetime.date(2026, 11, 22)
LEVEL = Type("enum", values=("low", "middle", "high"), ordered=True)
COLOR = Type("enum", values=("red", "a", "NO"))
REGION = Type("key", values=("JP", "NO", "CN"), table="regions")


def list_of(item: Type) -> Type:
    """The type of a list of these."""
    return Type("list", item=item)


TYPES: Mapping[str, Type] = {
    "thing.flag": BOOLEAN,
    "thing.count": INTEGER,
    "thing.limit": INTEGER,
    "thing.ratio": NUMBER,
    "thing.cost": MONEY,
    "thing.budget": MONEY,
    "thing.start": DATE,
    "thing.end": DATE,
    "thing.name": STRING,
    "thing.owner": STRING,
    "thing.level": LEVEL,
    "thing.floor": LEVEL,
    "thing.color": COLOR,
    "thing.region": REGION,
    "thing.tags": list_of(STRING),
    "thing.labels": list_of(STRING),
    "thing.colors": list_of(COLOR),
    "thing.fees": list_of(MONEY),
    "thing.credits": list_of(MONEY),
    "thing.sizes": list_of(NUMBER),
    "thing.days": list_of(DATE),
    "action.force": BOOLEAN,
    "action.licenses": INTEGER,
    "action.amount": MONEY,
    "action.mode": COLOR,
    "action.tags": list_of(STRING),
    "action.elsewhere": STRING,
    "context.date": DATE,
}
PROPERTIES = ("action.force", "action.licenses", "action.amount", "action.mode", "action.tags")
RAW: Mapping[str, Sequence[object]] = {
    "boolean": (True, False),
    "integer": (-1, 0, 1, 5, 6, 999999999999999, -999999999999999, 5.0),
    "number": (-1, 0, -0.0, 0.0001, 0.5, 5, 5.0001, "-0.5", 99999999999.9999, 999999999999999),
    "money": (
        "0 EUR",
        "5 EUR",
        "5.0001 EUR",
        "-1 EUR",
        "5 USD",
        "0 USD",
        "999999999999999 JPY",
        {"amount": "5", "currency": "EUR"},
    ),
    "date": ("2026-11-21", "2026-11-22", "2026-11-23", "0001-01-01", "9999-12-31"),
    "string": (
        "",
        "a",
        "ab",
        "b",
        "NO",
        "red",
        "\N{GREEK SMALL LETTER ALPHA}",
        "\N{GRINNING FACE}",
        "\uffff",
        '"}',
        "\x00",
    ),
    "enum": (),
    "key": (),
    "list": (),
}
INVALID: tuple[object, ...] = ("no such thing", 1e99, [], {"amount": 1}, [[]], "2026-02-30", 0.00001)


@dataclass(frozen=True)
class Sample:
    """A policy of one action, and what may be asked of it."""

    pack: Pack
    rules: ActionRules

    def situation(self, given: Mapping[str, object], date: datetime.date | None = DAY) -> Situation:
        """The situation of a request; a new one each time, since situations remember."""
        return Situation(self.pack, self.pack.actions["act"], given, date)


def random_sample(random: Random, *, rules: int = 6, depth: int = 3) -> Sample:
    """A policy with at most so many rules, whose conditions are nested at most so deep."""
    facts = {path: FactDeclaration(path, kind) for path, kind in TYPES.items()}
    facts["thing.level"] = FactDeclaration("thing.level", LEVEL, default=(Choice(ALWAYS, "low"),))
    facts |= {fact.path: fact for fact in _worked_out(random, depth)}
    action = Action("act", "Act", "thing", properties=PROPERTIES, optional=frozenset(PROPERTIES[1:]))
    span = Span(Money(Decimal(5), "EUR"), end=DAY)
    pack = Pack(
        "random",
        actions={"act": action},
        facts=facts,
        tables={"regions": Table("regions", {"minimum": MONEY}, {"JP": {"minimum": (span,)}, "NO": {}, "CN": {}})},
        readings={"exactly": Reading("exactly", "?", {"red": "", "a": ""}, random.choice(("red", "a")))},
        rules={rule.id: rule for rule in _rules(random, facts, random.randint(1, rules), depth)},
    )
    return Sample(pack, resolve(pack, "sha256:0", None if random.random() < 0.05 else DAY).actions["act"])


def random_request(random: Random) -> dict[str, object]:
    """What a request gives: of each fact a value, often none, sometimes one it cannot have."""
    absent, wrong = random.choice(((0.3, 0.02), (0.05, 0), (0.7, 0.1), (0, 0)))
    given: dict[str, object] = {}
    for path, kind in (
        *TYPES.items(),
        ("thing.known_well", BOOLEAN),
        ("thing.seal", BOOLEAN),
        ("thing.total", MONEY),
        ("thing.left", INTEGER),
    ):
        draw = random.random()
        if draw >= absent:
            given[path] = random.choice(INVALID) if draw < absent + wrong else random_raw(random, kind)
    return given


def random_raw(random: Random, kind: Type) -> object:
    """A value of the type as a request would send it."""
    if kind.item is not None:
        return [random_raw(random, kind.item) for _ in range(random.choice((0, 1, 1, 2, 3)))]
    return random.choice(kind.values or RAW[kind.kind])


def random_condition(random: Random, facts: Mapping[str, FactDeclaration], depth: int) -> Condition:
    """A condition of any shape over the facts."""
    draw = random.random()
    if depth == 0 or draw < 0.35:
        return (
            _comparison(random, facts) if draw < 0.95 else Presence(random.choice(sorted(facts)), random.random() < 0.5)
        )
    if draw < 0.5:
        return Not(random_condition(random, facts, depth - 1))
    terms = tuple(random_condition(random, facts, depth - 1) for _ in range(random.choice((0, 1, 2, 2, 3, 4))))
    return All(terms) if draw < 0.75 else Any(terms)


def _worked_out(random: Random, depth: int) -> Iterator[FactDeclaration]:
    """Facts that are derived or looked up; a definition may use the ones before it."""
    facts = {path: FactDeclaration(path, kind) for path, kind in TYPES.items()}
    for path, sealed in (("thing.known_well", False), ("thing.seal", True), ("thing.both", False)):
        fact = FactDeclaration(path, BOOLEAN, derived=random_condition(random, facts, depth), sealed=sealed)
        facts[path] = fact
        yield fact
    total = Arithmetic("sum", (Fact("thing.cost"), Fact("thing.budget")))
    yield FactDeclaration("thing.total", MONEY, derived=total)
    yield FactDeclaration(
        "thing.left", INTEGER, derived=Arithmetic("days_between", (Fact("context.date"), Fact("thing.end")))
    )
    choices = (Choice(_comparison(random, facts), "high"), Choice(_comparison(random, facts), Fact("thing.floor")))
    yield FactDeclaration("thing.grade", LEVEL, derived=choices)
    yield FactDeclaration("thing.minimum", MONEY, lookup=Lookup("regions", "minimum", "thing.region"))


def _rules(random: Random, facts: Mapping[str, FactDeclaration], count: int, depth: int) -> Iterator[Rule]:
    for place in range(count):
        condition = random_condition(random, facts, random.randint(0, depth))
        overrides = tuple(f"r{other}" for other in range(place) if random.random() < 0.25)
        end = random.choice((None, None, None, DAY))
        yield Rule(f"r{place}", ("act",), condition, Effect("deny", "No."), overrides=overrides, end=end)


def _comparison(random: Random, facts: Mapping[str, FactDeclaration]) -> Compare:
    if random.random() < 0.03:
        return Compare("reading.exactly", "is", (random.choice(("red", "a")),), STRING)
    path = random.choice(sorted(facts))
    kind = facts[path].type
    operator = random.choice(operators_for(kind))
    return Compare(path, operator, _right(random, facts, kind, operator), kind)


def _right(random: Random, facts: Mapping[str, FactDeclaration], kind: Type, operator: str) -> tuple[Operand, ...]:
    item = kind.item or kind
    lists = [path for path, fact in sorted(facts.items()) if fact.type.item == item]
    if operator in SEVERAL and operator != "between" and lists and random.random() < 0.25:
        return (Fact(random.choice(lists)),)
    if operator == "between":
        return (_operand(random, facts, item, operator), _operand(random, facts, item, operator))
    count = random.choice((0, 1, 2, 3, 6)) if operator in SEVERAL else 1
    return tuple(_operand(random, facts, item, operator) for _ in range(count))


def _operand(random: Random, facts: Mapping[str, FactDeclaration], kind: Type, operator: str) -> Operand:
    if random.random() < 0.3:
        fitting = [path for path, fact in sorted(facts.items()) if _fits(fact.type, kind, operator)]
        if fitting:
            return Fact(random.choice(fitting))
    if kind == MONEY and random.random() < 0.2:
        return 0
    return _value(random_raw(random, kind), kind)


def _fits(right: Type, left: Type, operator: str) -> bool:
    """Whether facts of the two types compare by the operator."""
    numbers, texts = {"integer", "number"}, {"string", "enum", "key"}
    if left.kind in texts and operator in ("is", "is_not", "in", "not_in", "has", "has_any", "has_all"):
        return right.kind in texts
    return right == left or (left.kind in numbers and right.kind in numbers)


def _value(raw: Anything, kind: Type) -> Value:
    try:
        return parse_value(raw, kind)
    except NotAValue:
        return parse_value(Decimal(raw), kind)  # a number sent as text


assert set(OPERATORS) >= {operator for kind in TYPES.values() for operator in operators_for(kind)}
