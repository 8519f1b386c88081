"""The law of agreement: on every pack and request, all engines give the same matches and the same decisions.

Any number of pairs is run by `benchmarks/agreement.py`; here are as many as a test may take.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, note, settings
from strategies import (
    AS_OF,
    STACKS,
    Vocabulary,
    Written,
    checked,
    difference,
    draw_pack,
    draw_request,
    packs_and_requests,
    read_from_disk,
    requests_for,
    vocabulary,
)

from engine import open_policy
from engine.cases import request_of
from engine.gate import Gate


@cache
def opened(stack: str) -> Gate:
    return open_policy(STACKS[stack], as_of=AS_OF)


@cache
def words(stack: str) -> Vocabulary:
    return vocabulary(opened(stack))


@settings(max_examples=settings.default.max_examples // 2 if settings.default else 50)
@given(packs_and_requests())
def test_engines_agree_on_random_packs_and_requests(drawn: tuple[Written, list[dict[str, Any]]]) -> None:
    """Whatever is written and whatever is asked, the second engine says what the reference says."""
    pack, requests = drawn
    for name, text in pack.files.items():
        note(f"--- {name}\n{text}")

    for request in requests:
        note(f"--- {request!r}")
        assert difference(pack.gate, request) is None


@pytest.mark.parametrize("stack", STACKS)
def test_engines_agree_on_every_case(stack: str) -> None:
    """What the authors thought of is decided alike."""
    gate = opened(stack)
    cases = [case for case in gate.pack.cases if case.layer == len(STACKS[stack]) - 1]
    assert cases

    assert not {case.name: found for case in cases if (found := difference(gate, request_of(case)))}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("seed", range(4))
def test_engines_agree_on_random_requests_for_shipped_packs(stack: str, seed: int) -> None:
    """Cases with facts changed, boundary values and wrong ones, in the words of the pack itself."""
    random = Random(seed)

    for _ in range(12):
        request = draw_request(random, words(stack))
        assert (difference(opened(stack), request), request) == (None, request)


def test_random_pairs_are_not_all_alike() -> None:
    """The law says something only because every cause, and every part of a decision, comes up."""
    decisions = []
    for seed in range(60):
        random = Random(seed)
        pack = draw_pack(random)
        requests = requests_for(pack, random)
        decisions += [pack.gate.decide(next(requests), "full").to_dict() for _ in range(5)]
    causes = [decision["cause"] for decision in decisions]

    assert dict.fromkeys(causes, True) == {cause: causes.count(cause) >= 5 for cause in CAUSES}
    assert not [part for part in PARTS if not any(decision[part] for decision in decisions)]


CAUSES = ("permitted", "forbidden", "not_permitted", "missing_facts", "invalid_facts", "deferred")
PARTS = (
    "route", "answered_for", "reasons", "obligations", "advice", "procedure", "missing", "unknown", "invalid",
    "warnings", "alternatives", "assumptions",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_a_pack_on_disk_is_the_pack_in_memory(seed: int) -> None:
    """Random packs are loaded from text without files, and that changes nothing."""
    files = draw_pack(Random(seed)).files

    assert read_from_disk(files).pack == checked(files).pack
