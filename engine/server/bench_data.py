"""What the workbench's page is given: the actions that may be asked for, and examples to begin with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice, zip_longest
from typing import Any

from engine.cases import readings_of, request_of
from engine.model import Case, Pack
from engine.request import InvalidRequest
from engine.texts import language_name
from engine.values import MAX_DIGITS, plain_value

MAX_EXAMPLES = 40


def bench_data(pack: Pack, cases: Sequence[Case], language: str, words: Mapping[str, str]) -> dict[str, Any]:
    """The data of the page in a language, as JSON data; `words` are those of the page.

    The examples are cases, as requests: of each action first those with different outcomes.
    """
    examples = islice(_examples(pack, cases), MAX_EXAMPLES)
    return {
        "language": language,
        "languages": {each: language_name(each) for each in pack.languages},
        "actions": [
            {"name": action.name, "title": action.title, "resource": action.resource}
            for action in pack.actions.values()
        ],
        "examples": list(examples),
        "route": pack.route.path if pack.route else None,
        "words": dict(words),
    }


def as_json(value: object) -> Any:
    """What JSON has for an exact number; it has nothing but text for anything else that is no JSON data already."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= MAX_DIGITS:
        return plain_value(value)
    return str(value)


def _examples(pack: Pack, cases: Iterable[Case]) -> Iterator[dict[str, Any]]:
    """Cases as requests, of each action in turn."""
    by_action: dict[str, list[tuple[Case, Any]]] = {action: [] for action in pack.actions}
    for case in cases:
        request = posed(case)
        action = request and request["action"].get("name")
        if isinstance(action, str) and action in by_action:
            by_action[action].append((case, request))
    for turn in zip_longest(*map(_by_outcome, by_action.values())):
        yield from ({"case": case.name, "request": request} for case, request in filter(None, turn))


def _by_outcome(cases: Sequence[tuple[Case, Any]]) -> Iterator[tuple[Case, Any]]:
    """The cases, the first with each outcome before all others."""
    first: dict[str, int] = {}
    for number, (case, _) in enumerate(cases):
        first.setdefault(str(case.expect.get("outcome")), number)
    numbers = dict.fromkeys(chain(first.values(), range(len(cases))))
    return (cases[number] for number in numbers)


def posed(case: Case) -> Any:
    """The request of a case, as JSON data; None where it is none, or chooses readings, which no request can."""
    try:
        request = request_of(case)
    except InvalidRequest:
        return None
    is_one = isinstance(request.get("action"), dict) and not readings_of(case)
    return json.loads(json.dumps(request, default=as_json)) if is_one else None
