"""Second opinions, and where two answers differ, for the report that says so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.decision import Decision
from engine.request import with_paths


def second_opinion(
    decide: Callable[[Mapping[str, Any]], Decision], request: Mapping[str, Any], first: Decision
) -> dict[str, Any]:
    """What another engine says of a request that was decided in full, in the form of `Decision.to_dict`.

    It decides the request, and every alternative that the first answer names; it does not look for others, nor for
    what the answer rests on, since that would take it a hundred times as long.
    """
    answer = decide(request).to_dict()
    alternatives = []
    for alternative in first.alternatives or ():
        changed = decide(with_paths(request, alternative.change))
        alternatives.append({"change": alternative.change, "outcome": changed.outcome, "route": changed.route})
    said = first.to_dict()
    return {**answer, "alternatives": alternatives, "assumptions": said["assumptions"], "unknown": said["unknown"]}


def differences(answers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One line for each part of the decisions on which the engines differ."""
    (first, one), (second, other) = answers.items()
    for part in one:
        if one[part] != other[part]:
            yield f"{part}: {first} says {_show(one[part])}, {second} says {_show(other[part])}"


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
