"""The shipped policy in everyday use: a long stream through `changegate batch`, and one `changegate check`.

The stream is drawn from the pack's own cases with a fixed seed: every request has ids of its own, and its
dates, numbers, amounts and other values are varied, so that lines do not simply repeat.
"""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.family import AS_OF, SEED
from engine import Gate, open_policy
from engine.cases import request_of
from engine.model import FactDeclaration
from engine.request import InvalidRequest

PURCHASED_BY = "purchased_by"


def requests(gate: Gate, seed: int = SEED) -> Iterator[dict[str, Any]]:
    """Requests for the policy without end; the same ones every time."""
    random = Random(seed)
    cases = [request for case in gate.pack.cases if (request := _request(case)) is not None]
    number = 0
    while True:
        yield _varied(copy.deepcopy(random.choice(cases)), gate, random, number)
        number += 1


def write_stream(rules: Path, file: Path, lines: int) -> None:
    """Put so many requests into the file, one JSON object in a line."""
    stream = requests(open_policy(rules, AS_OF, engine="reference"))
    with file.open("w", encoding="utf-8") as out:
        for _ in range(lines):
            out.write(json.dumps(next(stream), ensure_ascii=False) + "\n")


def wrong_line(rules: Path, asked: Path, answered: Path, sample: int) -> str | None:
    """Of so many lines spread over the files, the first that the reference engine answers otherwise; None if none."""
    gate = open_policy(rules, AS_OF, engine="reference")
    with asked.open(encoding="utf-8") as asks, answered.open(encoding="utf-8") as answers:
        pairs = list(zip(asks, answers, strict=True))
    for number in sorted(Random(SEED).sample(range(len(pairs)), min(sample, len(pairs)))):
        line, answer = pairs[number]
        expected = json.loads(json.dumps(gate.decide(json.loads(line)).to_dict()))
        if json.loads(answer) != expected:
            return f"line {number + 1}: {answer.strip()} instead of {json.dumps(expected)} for {line.strip()}"
    return None


def _request(case: Any) -> dict[str, Any] | None:
    """The request of a case, None where it is none on purpose."""
    try:
        request = request_of(case)
    except InvalidRequest:
        return None
    fits = isinstance(request.get("action"), Mapping) and "name" in request["action"]
    return json.loads(json.dumps(request, default=_plain)) if fits else None  # as JSON would bring it


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


def _varied(request: dict[str, Any], gate: Gate, random: Random, number: int) -> dict[str, Any]:
    """The request with ids of its own and with some of its values changed; half of those without a date get one."""
    days = datetime.timedelta(days=random.randint(-200, 200))
    if random.random() < 0.5:
        request.setdefault("context", {}).setdefault("date", AS_OF)
    for namespace, facts in list(_places(request, gate)):
        for name in list(facts):
            declared = gate.pack.facts.get(f"{namespace}.{name}")
            if declared is not None:
                facts[name] = _changed(facts[name], declared, random, days)
    _identify(request, gate, number)
    return request


def _places(request: dict[str, Any], gate: Gate) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of the request that holds facts, with the namespace of their paths."""
    action = gate.pack.actions.get(request["action"]["name"])
    resource = (action.resource if action else None) or "resource"
    for section, namespace in (("subject", "subject"), ("action", "action"), ("resource", resource)):
        facts = (request.get(section) or {}).get("properties")
        if isinstance(facts, dict):
            yield namespace, facts
    if isinstance(request.get("context"), dict):
        yield "context", request["context"]


def _changed(value: Any, declared: FactDeclaration, random: Random, days: datetime.timedelta) -> Any:
    """Another value of the fact's type, or, more often than not where it is no number, the same."""
    kind = declared.type.kind
    if kind in ("enum", "key", "boolean"):
        if random.random() < 0.85:
            return value
        return random.random() < 0.5 if kind == "boolean" else random.choice(declared.type.values)
    if kind == "date":
        return _shifted(value, days)
    if isinstance(value, bool) or random.random() < 0.3:
        return value
    if isinstance(value, int):
        return max(0, value + random.randint(-5, 5))
    return _scaled(value, random.randint(50, 150))


def _shifted(value: Any, days: datetime.timedelta) -> Any:
    try:
        return (datetime.date.fromisoformat(str(value)) + days).isoformat()
    except ValueError:
        return value


def _scaled(value: Any, percent: int) -> Any:
    """A number, or the amount of text such as `499.99 EUR`, times so many hundredths; anything else as it is."""
    amount, _, currency = str(value).partition(" ")
    if isinstance(value, float):
        return round(value * percent / 100, 2)
    if not currency or not amount.replace(".", "", 1).isdigit():
        return value
    return f"{(Decimal(amount) * percent / 100).quantize(Decimal('0.01'))} {currency}"


def _identify(request: dict[str, Any], gate: Gate, number: int) -> None:
    """Gives the subject and the resource ids; who bought a subscription stays who asks, or somebody else."""
    action = gate.pack.actions.get(request["action"]["name"])
    subject, resource = request.setdefault("subject", {}), request.setdefault("resource", {})
    facts = resource.get("properties") or {}
    if PURCHASED_BY in facts and facts[PURCHASED_BY] == subject.get("id"):
        facts[PURCHASED_BY] = f"user-{number}"
    subject |= {"type": subject.get("type", "user"), "id": f"user-{number}"}
    kind = resource.get("type") or (action.resource if action else None) or "resource"
    resource |= {"type": kind, "id": f"resource-{number}"}
