"""What the service is asked in `service.py load`, and whether it answers as the library does.

The requests are the shipped ones: those of `examples/requests`, and those of the cases of the rules, completed
with what AuthZEN requires. Their order is fixed, and mixed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx

from benchmarks.family import AS_OF, SEED
from benchmarks.service_processes import ROOT
from engine import Decision, Gate, open_policy
from engine.cases import readings_of, request_of
from engine.request import InvalidRequest

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
EXAMPLES = ROOT / "examples" / "requests"
BATCH = 100
CODES = ("outcome", "route", "answered_for", "missing")
Data = Mapping[str, Any]


class Questions:
    """Requests for the policy in a folder, one by one and in batches, and the library's decisions on them."""

    def __init__(self, rules: Path) -> None:
        self._gate = open_policy(rules, AS_OF)
        self.requests = list(_requests(self._gate))
        Random(SEED).shuffle(self.requests)

    @property
    def singles(self) -> list[str]:
        """The bodies of single evaluations."""
        return list(map(json.dumps, self.requests))

    @property
    def batches(self) -> list[str]:
        """The bodies of batches, all of the same length, in which each item is complete."""
        whole = range(0, len(self.requests) - BATCH + 1, BATCH)
        return [json.dumps({"evaluations": self.requests[start : start + BATCH]}) for start in whole]

    @property
    def bodies(self) -> dict[str, list[str]]:
        """The bodies for each address; hello gets those of single evaluations."""
        return {"/": self.singles, EVALUATION: self.singles, EVALUATIONS: self.batches}

    def answers(self, level: str) -> list[Data]:
        """What the service must answer to each request, by the library."""
        return [_told(self._gate.decide(request), level) for request in self.requests]


def wrong_answer(url: str, questions: Questions, levels: Sequence[str]) -> str | None:
    """The first answer of a service that is not the library's, alone or in a batch; None if all are."""
    with httpx.Client(base_url=url, timeout=30) as client:
        for level in levels:
            wanted = questions.answers(level)
            for found in (_alone(client, questions, level), _together(client, questions, level)):
                for request, right, answer in zip(questions.requests, wanted, found, strict=False):
                    if right != answer:
                        return f"{answer} instead of {right} for {request}"
    return None


def _alone(client: httpx.Client, questions: Questions, level: str) -> Iterator[Data]:
    for body in questions.singles:
        yield _post(client, EVALUATION, body, level)


def _together(client: httpx.Client, questions: Questions, level: str) -> Iterator[Data]:
    for body in questions.batches:
        yield from _post(client, EVALUATIONS, body, level)["evaluations"]


def _post(client: httpx.Client, path: str, body: str, level: str) -> Any:
    headers = {"Content-Type": "application/json", "ChangeGate-Detail": level}
    response = client.post(path, content=body, headers=headers)
    response.raise_for_status()
    return response.json()


def _told(decision: Decision, level: str) -> Data:
    """The decision as the service tells it, with as much as the level asks for."""
    told = json.loads(json.dumps(decision.to_dict()))
    if level == "none":
        return {"decision": told["decision"]}
    if level == "codes":
        codes = {"reason": told["cause"], "rules": list(decision.rules), **{name: told[name] for name in CODES}}
        return {"decision": told["decision"], "context": codes}
    return {"decision": told.pop("decision"), "context": told}


def _requests(gate: Gate) -> Iterator[dict[str, Any]]:
    for file in sorted(EXAMPLES.glob("*.json")):
        yield json.loads(file.read_text(encoding="utf-8"))
    for case in gate.pack.cases:
        if not readings_of(case):
            yield from _completed(case, gate)


def _completed(case: Any, gate: Gate) -> Iterator[dict[str, Any]]:
    """The request of a case as AuthZEN admits it, if it is one that can be."""
    try:
        request = json.loads(json.dumps(request_of(case), default=_plain))
    except InvalidRequest:
        return
    action = gate.pack.actions.get(request.get("action", {}).get("name"))
    if action is not None:
        kind = action.resource or "resource"
        subject = {"type": "user", "id": "alice", **(request.get("subject") or {})}
        yield {**request, "subject": subject, "resource": {"type": kind, "id": "1", **(request.get("resource") or {})}}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)
