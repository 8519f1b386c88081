"""Random packs, written in the language itself, and random requests for them.

A pack is drawn as data and written out as YAML or JSON, so that loading, checking and resolving are
exercised too. It is valid by construction, except that a random condition may contradict itself:
what does is taken out again. Everything is drawn from one `random.Random`, so that a seed (see
`benchmarks/agreement.py`) or Hypothesis, which then shrinks it, decides it all.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import yaml
from hypothesis import strategies as st

from engine.author import Checked, check, read_packs
from engine.condition import READING, SEVERAL, Compare, Fact, leaves, operators_for
from engine.decision import Decision
from engine.express import comparable
from engine.gate import ENGINES, Gate, backend
from engine.load import Loaded, read_yaml
from engine.model import Arithmetic
from engine.nodes import Document
from engine.nodes import Mapping as MappingNode
from engine.policy import ActionRules, Matches
from engine.request import from_paths, read_request
from engine.situation import Situation
from engine.values import BOOLEAN, DATE, INTEGER, MONEY, NUMBER, STRING, Money, Type, Value

AS_OF = "2026-11-22"
ROOT = Path(__file__).parent.parent
# Every pack that is shipped, as the stack that it is used in.
STACKS: dict[str, tuple[Path, ...]] = {"rules": (ROOT / "rules",)} | {
    folder.name: (ROOT / "rules", folder) if folder.name == "operator" else (folder,)
    for folder in sorted((ROOT / "examples").iterdir())
    if any(folder.glob("*.yaml")) and folder.name != "entities"
}
Data: TypeAlias = dict[str, Any]

DAYS = ("2026-11-22", "2026-11-21", "2026-11-23", "2024-02-29", "0001-01-02", "9999-12-30", "2026-12-31")
CURRENCIES = ("EUR", "USD", "JPY")
TEXTS = ("alice", "", "a", "ab", "bob", "NO", "12:30", "$a", "B", "Ä", "\ufffd", "😀", "EUR", "JP", "low", "{a.b}")
INTEGERS = (0, 1, 2, 24, 25, 26, -3, 999999999999999, -999999999999999)
NUMBERS = (*INTEGERS, 0.1, 0.2, 0.3, 2.5, -0.5, 0.0001, 99999999999.9999)
VALUES = (("low", "middle", "high"), ("red", "NO", "$5"), ("self", "agent", "court"), ("high", "low"), ("alice",))
ROUTES = ("self", "agent", "court")
ROWS = ("JP", "NO", "CN", "25")
SCALARS = ("boolean", "integer", "number", "money", "date", "string", "enum")
LANGUAGES = ("en", "pl")
NOT_VALUES: tuple[Any, ...] = (
    True, "5", 7, 0.00001, 1e16, [], {}, ["x", 1], "2026-W47-7", "2026-02-30", "nonsense", "\ud800", float("nan"),
    float("inf"), Decimal("1E+400"), 10**40, {"amount": True, "currency": "EUR"}, {"amount": 1}, "1.00001 EUR",
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A fact as it was drawn. What is `tainted` reads `known`, so no rule that decides may read it."""

    path: str
    type: Type
    tainted: bool = False


@dataclass(frozen=True)
class Written:
    """A random pack as its author wrote it: texts by file name."""

    files: Mapping[str, str]

    @cached_property
    def gate(self) -> Gate:
        """The policy, opened."""
        return Gate(checked(self.files).pack, datetime.date.fromisoformat(AS_OF))


def checked(files: Mapping[str, str]) -> Checked:
    """The texts, read and checked as one pack."""
    documents = []
    for name, text in files.items():
        root = read_yaml(text, name)
        assert isinstance(root, MappingNode)
        documents.append(Document(name, text, root))
    return check([Loaded(documents, dict(files))])


def read_from_disk(files: Mapping[str, str]) -> Checked:
    """The texts, written to a folder and read from there."""
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        return read_packs([folder])


class Drawing:
    """Draws the parts of a pack, each from what was drawn before, so that nothing goes in circles."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.facts: dict[str, Drawn] = {}
        self.readings: dict[str, tuple[str, ...]] = {}
        # The rules, by number, that make outcomes or override such.
        self.deciding: set[int] = set()

    def chance(self, probability: float) -> bool:
        """True with the probability given (and False in the least example)."""
        return self.random.random() >= 1 - probability

    def some(self, values: Iterable[Any], most: int, least: int = 1) -> list[Any]:
        """A few different ones of the values."""
        values = list(values)
        return self.random.sample(values, min(len(values), self.random.randint(least, most)))

    def type(self, kinds: Sequence[str] = (*SCALARS, "key", "list")) -> Type:
        match kind := self.random.choice(kinds):
            case "enum":
                return Type("enum", self.random.choice(VALUES), ordered=self.chance(0.5))
            case "key":
                return Type("key", ROWS, table="regions")
            case "list":
                return Type("list", item=self.type((*SCALARS, "key")))
            case _:
                return Type(kind)

    def value(self, kind: Type) -> Any:
        """A value of the type, as YAML or JSON data."""
        match kind.kind:
            case "boolean":
                return self.chance(0.5)
            case "integer":
                return self.random.choice(INTEGERS)
            case "number":
                return self.random.choice(NUMBERS)
            case "money":
                amount, currency = self.random.choice(NUMBERS), self.random.choice(CURRENCIES)
                written = f"{Decimal(repr(amount)):f}"
                return self.random.choice([f"{written} {currency}", {"amount": amount, "currency": currency}])
            case "date":
                return self.random.choice(DAYS)
            case "string":
                return self.random.choice(TEXTS)
            case "list":
                assert kind.item is not None
                return [self.value(kind.item) for _ in range(self.random.randint(0, 3))]
            case _:
                return self.random.choice(kind.values)

    def literal(self, kind: Type, *, zero: bool = False) -> Any:
        """A value as a right-hand side: a dollar sign is doubled, and zero needs no currency."""
        if zero and kind.kind == "money" and self.chance(0.2):
            return 0
        value = self.value(kind)
        return f"${value}" if isinstance(value, str) and value.startswith("$") else value

    def operand(self, path: str, kind: Type, operator: str, usable: Sequence[Drawn], chance: float = 0.25) -> Any:
        others = [one for one in usable if one.path != path and comparable(kind, one.type, operator)]
        if others and self.chance(chance):
            return f"${self.random.choice(others).path}"
        return self.literal(kind, zero=True)

    def right(self, path: str, kind: Type, operator: str, usable: Sequence[Drawn]) -> Any:
        item = kind.item or kind
        if operator == "between":
            low, high = self.operand(path, item, operator, usable), self.operand(path, item, operator, usable)
            return [low, high]
        if operator not in SEVERAL:
            return self.operand(path, item, operator, usable)
        lists = [
            one for one in usable if one.type.item and one.path != path and comparable(item, one.type.item, operator)
        ]
        if lists and self.chance(0.3):
            return f"${self.random.choice(lists).path}"
        return [self.operand(path, item, operator, usable, 0.15) for _ in range(self.random.randint(1, 3))]

    def comparison(self, fact: Drawn, usable: Sequence[Drawn], *, presence: bool) -> Any:
        if presence and self.chance(0.3):
            return {"known": self.chance(0.5)}
        operators = operators_for(fact.type)
        if "is" in operators and self.chance(0.3):
            operand = self.operand(fact.path, fact.type, "is", usable)
            return {"is": operand} if isinstance(operand, dict) else operand
        if "in" in operators and self.chance(0.1):
            return [self.operand(fact.path, fact.type, "in", usable, 0.1) for _ in range(self.random.randint(1, 3))]
        chosen = self.some(operators, 2 if self.chance(0.2) else 1)
        return {operator: self.right(fact.path, fact.type, operator, usable) for operator in chosen}

    def condition(self, usable: Sequence[Drawn], *, presence: bool = False, depth: int = 2) -> Data:
        """A mapping of comparisons and combinators about some of the usable facts."""
        found: Data = {}
        for fact in self.some(usable, self.random.choice((1, 1, 2, 3))):
            found[fact.path] = self.comparison(fact, usable, presence=presence)
        if self.readings and self.chance(0.1):
            reading = self.random.choice(list(self.readings))
            found[f"reading.{reading}"] = self.random.choice(self.readings[reading])
        for name in ("all", "any", "none"):
            if depth and self.chance(0.15):
                terms = [
                    self.condition(usable, presence=presence, depth=depth - 1) for _ in range(self.random.randint(1, 3))
                ]
                found[name] = terms
        return found

    def guarded(self, usable: Sequence[Drawn], *, presence: bool = False, always: float = 0.1) -> Data:
        """`when` and `unless`, or neither."""
        found = {} if self.chance(always) else {"when": self.condition(usable, presence=presence)}
        if self.chance(0.2):
            found["unless"] = self.condition(usable, presence=presence, depth=1)
        return found

    def choices(self, kind: Type, usable: Sequence[Drawn], *, presence: bool = False) -> list[Data]:
        found = [
            {**self.guarded(usable, presence=presence), "value": self.chosen(kind, usable)}
            for _ in range(self.random.randint(1, 3))
        ]
        return [*found, {"value": self.chosen(kind, usable)}] if self.chance(0.5) else found

    def chosen(self, kind: Type, usable: Sequence[Drawn]) -> Any:
        same = [one for one in usable if one.type == kind and kind.kind != "list"]
        if same and self.chance(0.3):
            return f"${self.random.choice(same).path}"
        return self.literal(kind)

    def arithmetic(self, usable: Sequence[Drawn]) -> tuple[Type, Data] | None:
        """A small calculation and the type of its result."""
        paths = {kind: [one.path for one in usable if one.type.kind == kind] for kind in (*SCALARS, "list")}
        numbers = paths["integer"] + paths["number"]
        found: list[tuple[Type, Data]] = []
        if paths["list"]:
            found.append((INTEGER, {"count": self.random.choice(paths["list"])}))
        if len(paths["date"]) > 1:
            found.append((INTEGER, {"days_between": self.some(paths["date"], 2, 2)}))
        if len(paths["integer"]) > 1:
            found.append((INTEGER, {"difference": self.some(paths["integer"], 2, 2)}))
        if len(numbers) > 1:
            found.append((NUMBER, {self.random.choice(["sum", "product"]): [*self.some(numbers, 3, 2), 2]}))
        if len(paths["money"]) > 1:
            found.append((MONEY, {self.random.choice(["sum", "difference"]): self.some(paths["money"], 2, 2)}))
        if paths["money"] and numbers:
            found.append((MONEY, {"product": [self.random.choice(paths["money"]), self.random.choice(numbers)]}))
        return self.random.choice(found) if found else None

    def add(self, path: str, kind: Type, *, tainted: bool = False) -> Drawn:
        self.facts[path] = drawn = Drawn(path, kind, tainted)
        return drawn


def written_type(kind: Type) -> Data:
    """The declaration of a type."""
    match kind.kind:
        case "enum":
            return {"type": "enum", "values": list(kind.values), **({"ordered": True} if kind.ordered else {})}
        case "key":
            return {"type": "key", "of": "regions"}
        case "list":
            assert kind.item is not None
            return {"type": "list", "of": written_type(kind.item)}
        case _:
            return {"type": kind.kind}


def tables(draw: Drawing) -> tuple[Data, dict[str, Type]]:
    """A table of regions, and the types of its columns."""
    columns = {"parent": Type("key", ROWS, table="regions"), "currency": STRING, "minimum": MONEY}
    columns |= {f"c{number}": draw.type() for number in range(draw.random.randint(0, 3))}
    rows: Data = {}
    for key in ROWS:
        cells: Data = {"currency": draw.random.choice((*CURRENCIES, "no currency"))} if draw.chance(0.8) else {}
        for column, kind in columns.items():
            if column != "currency" and draw.chance(0.75):
                cells[column] = cell(draw, kind)
        rows[key] = cells
    return {"regions": {"columns": {name: written_type(kind) for name, kind in columns.items()}, "rows": rows}}, columns


def cell(draw: Drawing, kind: Type) -> Any:
    """A cell: plain, with a basis, dated, or unset."""
    basis = draw.random.choice(["stated", "confirmed", "unconfirmed", "unconfirmed", "operator"])
    match draw.random.choice(["plain", "rich", "dated", "dated", "unset"]):
        case "plain":
            return draw.value(kind)
        case "rich":
            return {"value": draw.value(kind), "basis": basis}
        case "dated":
            spans: list[Data] = [{"until": "2026-11-21", "value": draw.value(kind), "basis": basis}]
            if draw.chance(0.7):
                spans.append({"from": "2026-11-22", "value": draw.value(kind)})
            if draw.chance(0.3):
                spans[-1]["until"] = spans[-1].get("until", "2026-12-31")
            return spans
        case _:
            return None


def facts(draw: Drawing, columns: Mapping[str, Type], actions: Mapping[str, Data]) -> Data:
    """The declarations of facts: plain ones, then those worked out from what is there."""
    found: Data = {}
    draw.add("context.date", DATE)
    draw.add("subject.id", STRING)
    draw.add("thing.id", STRING)
    for action in actions.values():
        for name in sorted(action["properties"]):
            draw.add(f"action.{name}", _type_of(action["properties"][name]))
    if draw.chance(0.7):
        found["context.route"] = {**written_type(_ROUTE), "choice": True, "route": True}
        draw.add("context.route", _ROUTE)
    found["thing.region"] = written_type(Type("key", ROWS, table="regions"))
    draw.add("thing.region", Type("key", ROWS, table="regions"))
    for number in range(draw.random.randint(3, 10)):
        path = f"{draw.random.choice(('thing', 'thing', 'subject', 'context'))}.f{number}"
        found[path] = plain_fact(draw, path)
    for number in range(draw.random.randint(0, 6)):
        path = draw.random.choice((f"thing.w{number}", f"w{number}", f"context.w{number}"))
        made = worked_out(draw, columns)
        if made is not None:
            kind, declaration, tainted = made
            found[path] = declaration if not draw.chance(0.15) else {**declaration, "sealed": True}
            draw.add(path, kind, tainted=tainted)
    return found


_ROUTE = Type("enum", ROUTES)


def _type_of(declaration: Data) -> Type:
    if declaration["type"] == "list":
        return Type("list", item=_type_of(declaration["of"]))
    if declaration["type"] == "enum":
        return Type("enum", tuple(declaration["values"]), declaration.get("ordered", False))
    return Type("key", ROWS, table="regions") if declaration["type"] == "key" else Type(declaration["type"])


def plain_fact(draw: Drawing, path: str) -> Data:
    """A fact that the request gives, perhaps with a default, a currency, or as a choice."""
    before = list(draw.facts.values())
    kind = draw.type()
    found = written_type(kind)
    usable = [one for one in before if not one.tainted]
    if kind.kind == "money" or (kind.item and kind.item.kind == "money"):
        texts = [
            one.path for one in usable if one.type.kind in ("string", "enum") and not one.path.startswith("action.")
        ]
        if draw.chance(0.6):
            found["currency"] = f"${draw.random.choice(texts)}" if texts and draw.chance(0.6) else "EUR"
    if kind.kind in ("enum", "boolean") and draw.chance(0.4):
        found["choice"] = True
    if draw.chance(0.25):
        found["default"] = draw.literal(kind) if draw.chance(0.5) else draw.choices(kind, usable)
    elif draw.chance(0.3):
        found |= minimum(draw, kind)
    draw.add(path, kind)
    return found


def minimum(draw: Drawing, kind: Type) -> Data:
    """A lower bound, if the type can have one."""
    match kind.kind:
        case "integer" | "number":
            return {"minimum": draw.random.choice((0, 1, 25, -3, 0.5))}
        case "money":
            return {"minimum": 0}
        case _:
            return {}


def worked_out(draw: Drawing, columns: Mapping[str, Type]) -> tuple[Type, Data, bool] | None:
    """A derived or looked-up fact: its type, its declaration, and whether it may be read by `known` only."""
    presence = draw.chance(0.15)
    usable = [one for one in draw.facts.values() if presence or not one.tainted]
    match draw.random.choice(["condition", "lookup", "arithmetic", "choices"]):
        case "condition":
            return BOOLEAN, {"type": "boolean", "derived": draw.guarded(usable, presence=presence, always=0)}, presence
        case "choices":
            kind = draw.type()
            choices = draw.choices(kind, usable, presence=presence)
            return kind, {**written_type(kind), "derived": choices}, presence
        case "lookup":
            keys = [one.path for one in usable if one.type.kind == "key"]
            column = draw.random.choice(list(columns))
            declaration = {"lookup": f"regions.{column}", "by": draw.random.choice(keys)}
            return columns[column], {**written_type(columns[column]), **declaration}, presence
        case _:
            made = draw.arithmetic(usable)
            if made is None:
                return None
            bound = minimum(draw, made[0]) if draw.chance(0.3) else {}
            return made[0], {**written_type(made[0]), **bound, "derived": made[1]}, presence


def actions(draw: Drawing) -> Data:
    """Two actions on one type of resource, that may share properties."""
    pool = {f"p{number}": draw.type() for number in range(draw.random.randint(1, 4))}
    found: Data = {}
    for name in ("change", "inspect"):
        properties: Data = {}
        for prop, kind in pool.items():
            if draw.chance(0.7):
                properties[prop] = written_type(kind)
                if draw.chance(0.5):
                    properties[prop]["optional"] = True
                if kind.kind in ("enum", "boolean") and draw.chance(0.5):
                    properties[prop]["choice"] = True
        found[name] = {"resource": "thing", "properties": properties}
    return found


def rule(draw: Drawing, number: int, acts: Mapping[str, Data]) -> Data:
    """A rule with one effect; it overrides only rules before it."""
    chosen = draw.some(acts, 2, draw.random.choice((1, 2, 2)))
    reach = [one for one in draw.facts.values() if _reachable(one.path, chosen, acts)]
    routes = [one for one in reach if one.type == _ROUTE and not one.tainted and one.path != "context.route"]
    kinds = ["deny", "allow", "allow", "allow", "defer", "deny", "oblige", "advise", "guide"]
    kind = draw.random.choice(["only_by", *kinds] if "context.route" in draw.facts else kinds)
    overridden = draw.some(range(number), 2) if number and draw.chance(0.35) else []
    decides = kind not in ("oblige", "advise", "guide") or not draw.deciding.isdisjoint(overridden)
    if decides:
        draw.deciding.add(number)
    usable = [one for one in reach if not (decides and one.tainted)]
    found = {
        "id": f"r{number}",
        "actions": chosen,
        **draw.guarded(usable, presence=not decides, always=0.3 if kind == "allow" else 0.05),
    }
    found[kind] = effect(draw, kind, reach, routes, usable)
    if overridden:
        found["overrides"] = [f"r{other}" for other in overridden]
    if draw.chance(0.15):
        found["from"] = draw.random.choice(["2026-11-22", "2026-11-23", "2024-02-29"])
    if draw.chance(0.15):
        found["until"] = draw.random.choice(["2026-11-22", "2026-12-31"] if "from" not in found else ["9999-12-30"])
    if draw.chance(0.5):
        found["cites"] = draw.some(("S1", "S2"), 2)
    return found


def _reachable(path: str, chosen: Sequence[str], acts: Mapping[str, Data]) -> bool:
    namespace, _, name = path.partition(".")
    return namespace != "action" or all(name in acts[action]["properties"] for action in chosen)


def effect(draw: Drawing, kind: str, reach: Sequence[Drawn], routes: Sequence[Drawn], usable: Sequence[Drawn]) -> Any:
    """What a rule says, with placeholders; a deadline is one of the `usable` facts."""
    named = " ".join(f"{{{one.path}}}" for one in draw.some(reach, 2, 0))
    text = f"About {named}." if named else "Plainly."
    found: Data = {"text": text}
    match kind:
        case "deny" if draw.chance(0.4):
            found["remedy"] = f"Mend it: {text}"
        case "only_by":
            literal = draw.random.choice(ROUTES)
            found["route"] = f"${draw.random.choice(routes).path}" if routes and draw.chance(0.5) else literal
        case "oblige":
            days = [one.path for one in usable if one.type.kind == "date"]
            found["due"] = draw.random.choice(["before", "after"])
            found["deadline"] = f"${draw.random.choice(days)}" if days and draw.chance(0.6) else "soon"
        case "guide":
            found = {"steps": [text, "Done."]}
    if kind in ("oblige", "advise", "guide") and draw.chance(0.5):
        found["with"] = draw.some(("allow", "deny", "indeterminate"), 3)
    return found["text"] if set(found) == {"text"} and draw.chance(0.5) else found


def draw_pack(random: Random) -> Written:
    """A random pack that has no errors."""
    draw = Drawing(random)
    draw.readings = {f"q{number}": ("yes", "no", "undecided") for number in range(random.randint(0, 2))}
    regions, columns = tables(draw)
    acts = actions(draw)
    data: Data = {"policy": {"name": "random", "languages": list(LANGUAGES)}, "actions": acts}
    data["facts"] = facts(draw, columns, acts)
    data["tables"] = regions
    if draw.readings:
        data["readings"] = {
            name: {"asks": "Which?", "options": dict.fromkeys(options, "So."), "chosen": random.choice(options)}
            for name, options in draw.readings.items()
        }
    data["sources"] = {
        "article": {"title": "An article", "statements": {name: {"says": "So."} for name in ("S1", "S2")}}
    }
    data["rules"] = [rule(draw, number, acts) for number in range(random.randint(3, 10))]
    if draw.chance(0.2):
        data["translations"] = {"pl": {one["id"]: "Po polsku." for one in data["rules"] if draw.chance(0.5)}}
    files = sound(draw, data)
    return Written(files)


_ABOUT = re.compile(r"condition of `([^`]+)` can never hold")


def sound(draw: Drawing, data: Data) -> dict[str, str]:
    """The pack written out, without the rules and definitions that contradict themselves."""
    files = write(draw, data)
    while errors := checked(files).errors:
        assert {error.code for error in errors} == {"contradiction"}, (errors, files)
        names = {found[1] for error in errors if (found := _ABOUT.search(error.message))}
        data["rules"] = [one for one in data["rules"] if one["id"] not in names]
        for one in data["rules"]:
            one["overrides"] = [other for other in one.get("overrides", ()) if other not in names] or None
            if one["overrides"] is None:
                del one["overrides"]
        for rules in data.get("translations", {}).values():
            for name in names & set(rules):
                del rules[name]
        for path in names & set(data["facts"]):
            data["facts"][path] = without_definition(path, data["facts"][path])
        files = write(draw, data)
    return files


def without_definition(path: str, declaration: Data) -> Data:
    """The fact as one that the request gives, or (outside every part of a request) as a constant."""
    plain = {name: part for name, part in declaration.items() if name not in ("default", "derived", "sealed")}
    if "." in path:
        return plain
    if plain["type"] == "boolean":
        return {**plain, "derived": {"when": {"subject.id": "alice"}}}
    return {**plain, "derived": [{"when": {"subject.id": "alice"}, "value": _least(plain)}]}


def _least(declaration: Data) -> Any:
    match declaration["type"]:
        case "enum":
            return _escaped(declaration["values"][0])
        case "key":
            return ROWS[0]
        case kind:
            return {"integer": 0, "number": 0, "money": "0 EUR", "date": DAYS[0], "string": "a", "list": []}[kind]


def _escaped(text: str) -> str:
    return f"${text}" if text.startswith("$") else text


def write(draw: Drawing, data: Data) -> dict[str, str]:
    """The data as the texts of one file or several, in YAML or JSON."""
    parts: list[Data] = [data]
    if draw.chance(0.5):
        rules = data["rules"]
        parts = [
            {name: part for name, part in data.items() if name not in ("rules", "facts")},
            {"facts": data["facts"]},
        ]
        parts += [{"rules": rules[: len(rules) // 2]}, {"rules": rules[len(rules) // 2 :]}]
    return {f"{number}.yaml": as_text(part, yaml_=draw.chance(0.3)) for number, part in enumerate(parts)}


def as_text(data: Data, *, yaml_: bool) -> str:
    """The data as YAML in blocks, or as JSON, which is YAML too."""
    if yaml_:
        return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100))
    return json.dumps(data, ensure_ascii=False, indent=1)


def draw_request(random: Random, words: Vocabulary) -> Data:
    """A random request: facts given and absent, null, wrong, of several currencies, undeclared.

    Where the policy has cases, it is often one of them with a few facts changed.
    """
    draw = Drawing(random)
    if words.cases and draw.chance(0.7):
        return changed_case(draw, words)
    action = random.choice(sorted(words.actions))
    flat: Data = {"action": action}
    generous = random.choice((0.95, 0.8, 0.5, 1.0))
    spoiled = random.choice((0.0, 0.0, 0.0, 0.0, 0.06))
    for path, kind in words.facts.items():
        namespace, _, name = path.rpartition(".")
        if namespace == "action" and name not in words.actions[action] and not draw.chance(0.02):
            continue
        if draw.chance(0.06 if path in words.worked_out else 0.3 if path == "context.date" else generous):
            flat[path] = sent(draw, kind, words, spoiled)
    if draw.chance(0.05):
        flat["context.strange"] = 1
    top = {path: flat.pop(path) for path in [path for path in flat if "." not in path and path != "action"]}
    return {**from_paths(flat), **top}


def changed_case(draw: Drawing, words: Vocabulary) -> Data:
    """The request of a case, with some facts changed, added or left out."""
    case = draw.random.choice(words.cases)
    flat = {path: value for path, value in case.items() if not path.startswith(READING)}
    for path in draw.some([path for path in words.facts if path in flat or draw.chance(0.1)], 4, 0):
        if draw.chance(0.3):
            flat.pop(path, None)
        else:
            flat[path] = sent(draw, words.facts[path], words, 0.03)
    return from_paths(flat)


def sent(draw: Drawing, kind: Type, words: Vocabulary, spoiled: float) -> Any:
    """A value of the type in one of the forms in which it may be sent, or (seldom) none of it."""
    if draw.chance(spoiled):
        return draw.random.choice(NOT_VALUES)
    if draw.chance(0.02):
        return None
    if kind.kind in words.telling and draw.chance(0.5):
        return draw.random.choice(words.telling[kind.kind])
    value = draw.value(kind)
    if kind.kind == "money" and draw.chance(0.15):
        return draw.random.choice(NUMBERS)
    if kind.kind in ("integer", "number") and draw.chance(0.3):
        return draw.random.choice([Decimal(repr(value)), float(value)])
    return value


def requests_for(pack: Written, random: Random) -> Iterator[Data]:
    """An endless stream of random requests for a pack."""
    words = vocabulary(pack.gate)
    while True:
        yield draw_request(random, words)


@dataclass(frozen=True)
class Vocabulary:
    """What requests are drawn from: types by path, properties by action, and telling values by kind of type."""

    facts: Mapping[str, Type]
    actions: Mapping[str, Sequence[str]]
    worked_out: frozenset[str]
    telling: Mapping[str, Sequence[Any]]
    cases: Sequence[Mapping[str, Any]] = ()


def vocabulary(gate: Gate) -> Vocabulary:
    """The vocabulary of a policy, with its own constants and what is just beside them."""
    names = {
        action.name: tuple(path.removeprefix("action.") for path in action.properties)
        for action in gate.pack.actions.values()
    }
    worked_out = {path for path, fact in gate.pack.facts.items() if fact.derived is not None or fact.lookup}
    telling: dict[str, list[Any]] = {}
    for value in constants(gate):
        for kind, near in beside(value):
            telling.setdefault(kind, []).append(near)
    facts = {path: fact.type for path, fact in gate.pack.facts.items()}
    cases = [case.given for case in gate.pack.cases if case.given is not None]
    return Vocabulary(facts, names, frozenset(worked_out), telling, cases)


def constants(gate: Gate) -> Iterator[Value]:
    """Every constant in the conditions of rules and facts, and in the cells of tables."""
    conditions = [rule.condition for rule in gate.pack.rules.values()]
    for fact in gate.pack.facts.values():
        choices = (*fact.default, *(fact.derived if isinstance(fact.derived, tuple) else ()))
        conditions += [choice.condition for choice in choices]
        if fact.derived is not None and not isinstance(fact.derived, tuple | Arithmetic):
            conditions.append(fact.derived)
    for condition in conditions:
        for leaf in leaves(condition):
            if isinstance(leaf, Compare):
                yield from (operand for operand in leaf.right if not isinstance(operand, Fact))
    for table in gate.pack.tables.values():
        yield from (span.value for row in table.rows.values() for cell in row.values() for span in cell)


def beside(value: Value) -> Iterator[tuple[str, Any]]:
    """The value and its neighbors, with the kind of type they are of, as JSON data."""
    match value:
        case bool():
            return
        case int() | Decimal():
            for near in (-1, 0, 1):
                yield "number", float(value) + near
                yield "integer", int(value) + near
        case Money(amount, currency):
            for cents in ("-0.01", "0", "0.01"):
                yield "money", f"{amount + Decimal(cents):f} {currency}"
        case datetime.date():
            for days in (-1, 0, 1):
                yield "date", str(value + datetime.timedelta(days))
        case str():
            yield "string", value


def difference(gate: Gate, request: Data) -> str | None:
    """Where the engines do not agree on a request: in matches, on any route, or in the decision, short or full."""
    asked = read_request(request, gate.pack)
    if asked.action is not None:
        policy = gate.policy_for(asked)
        rules = policy.actions[asked.action.name]
        situation = Situation(gate.pack, asked.action, asked.given, policy.as_of)
        for given in routed(rules):
            matches = {engine: told(backend(engine)(rules, situation.but(given=given))) for engine in ENGINES}
            if len(set(matches.values())) > 1:
                return f"matches with {given}: {matches}"
    for detail in (None, "full"):
        decisions = {engine: shown(gate.decide(request, detail, engine=engine)) for engine in ENGINES}
        if len(set(decisions.values())) > 1:
            return f"decisions, detail {detail}: {decisions}"
    return None


def shown(decision: Decision) -> str:
    """A decision as JSON text, with the rules that it has at hand, and in full; the text it gives itself first."""
    return f"{decision.to_json()} {decision.rules} {json.dumps(decision.to_dict(), ensure_ascii=False)}"


def routed(rules: ActionRules) -> list[Data]:
    """The request as it is, and with each route."""
    route = rules.route
    return [{}, *({route.path: value} for value in route.type.values)] if route else [{}]


def told(matches: Matches) -> str:
    """Matches in words that do not depend on the order of sets."""
    return f"certain {sorted(matches.certain)}, possible {sorted(matches.possible)}"


randoms = st.randoms(use_true_random=False, note_method_calls=False)


@st.composite
def packs_and_requests(draw: st.DrawFn, count: int = 4) -> tuple[Written, list[Data]]:
    """A random pack with some random requests for it."""
    random = draw(randoms)
    pack = draw_pack(random)
    requests = requests_for(pack, random)
    return pack, [next(requests) for _ in range(count)]
