"""The quick check of packs and jsonschema are of one opinion, so the quick one never hides a finding."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator, ValidationError, validators
from strategies import ROOT, draw_pack, randoms

import engine.shape
from engine.fits import checks
from engine.load import load_pack, read_yaml
from engine.nodes import Document, Mapping, plain
from engine.schema import schema
from engine.shape import misfits
from engine.values import Plain


def unique(_validator: Any, wanted: bool, items: Any, _schema: Any) -> Iterator[ValidationError]:
    if wanted and isinstance(items, list) and any(repr(item) in map(repr, items[:n]) for n, item in enumerate(items)):
        yield ValidationError("a repeat")


SLOW = validators.extend(Draft202012Validator, {"uniqueItems": unique})(schema("pack"))  # type: ignore[no-untyped-call]
QUICK = checks(schema("pack"))["#"]
FOLDERS = [ROOT / "rules", *(ROOT / "examples").iterdir(), *(ROOT / "tests" / "bad").iterdir()]
DOCUMENTS = {document.file: document for folder in FOLDERS for document in load_pack(folder).documents}
# What may stand in the place of something else.
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 5, Decimal("0.5"), Decimal(-2), "", " ", "x", "a.b", "a b", "$a", "sha256:x", "2026-01-01",
    Plain("NO"), Plain("12:30"), [], {}, ["x", "x"], ["x", Plain("x")], [[]], [{}], {"value": 1}, [{"value": 1}], [1, Decimal("1.0")],
    {"when": {}}, {"a": None}, {"is": 1}, {"in": "x"}, {"in": "$x"}, {"between": [1]}, {"amount": 1, "currency": "EUR"},
    {"text": "x"}, {"type": "list", "of": {"type": "enum"}}, {"type": "string"}, {"text": "x", "remedy": ""}, {"known": 1},
)  # fmt: skip


def data_of(document: Document) -> dict[str, Any]:
    data: dict[str, Any] = plain(document.root)
    return data


def cut(data: dict[str, Any], random: Random) -> dict[str, Any]:
    """The document with two entries at most in each section."""
    some: dict[str, Any] = {}
    for section, entries in data.items():
        few = random.sample(list(entries), min(2, len(entries))) if isinstance(entries, dict | list) else entries
        some[section] = {name: entries[name] for name in few} if isinstance(entries, dict) else few
    return copy.deepcopy(some)


def parts(data: Any) -> Iterator[tuple[Any, Any]]:
    """Each value in the data, as what holds it and its name or number there."""
    for name, value in [*(data.items() if isinstance(data, dict) else enumerate(data))]:
        yield data, name
        if isinstance(value, dict | list):
            yield from parts(value)


def change(data: dict[str, Any], random: Random) -> None:
    """Put something strange into the data, take something out, or let something stand elsewhere."""
    holder, name = random.choice([*parts(data)] or [(data, "rules")])
    match random.randrange(5):
        case 0:
            holder.pop(name, None) if isinstance(holder, dict) else holder.pop(name)
        case 1:
            holder[name] = copy.deepcopy(random.choice([*STRANGE, *(some[other] for some, other in parts(data))]))
        case 2 if isinstance(holder, dict):
            holder[random.choice(["x", "a b", "", "all", "value", "is", "given", "of"])] = holder.pop(name, None)
        case 3 if isinstance(holder, list):
            holder.append(copy.deepcopy(random.choice([holder[name], *STRANGE])))
        case _:
            holder[name] = copy.deepcopy(random.choice(STRANGE))


def mutant(random: Random) -> dict[str, Any]:
    data = cut(data_of(random.choice(list(DOCUMENTS.values()))), random)
    for _ in range(random.randint(1, 3)):
        change(data, random)
    return data


@pytest.mark.parametrize("file", DOCUMENTS)
def test_both_are_of_one_opinion_on_every_pack_here(file: str) -> None:
    """What is shipped, and the broken packs."""
    data = data_of(DOCUMENTS[file])

    assert SLOW.is_valid(data) == QUICK(data)


@given(randoms)
def test_both_are_of_one_opinion_on_random_packs(random: Random) -> None:
    """Packs of every type, operator and effect."""
    for file, text in draw_pack(random).files.items():
        data = plain(read_yaml(text, file))

        assert SLOW.is_valid(data)
        assert QUICK(data)


@given(randoms)
def test_both_are_of_one_opinion_on_what_is_broken_at_random(random: Random) -> None:
    """A change anywhere in a valid document is seen by both or by none."""
    for _ in range(20):
        data = mutant(random)

        assert SLOW.is_valid(data) == QUICK(data)


@given(randoms)
def test_the_findings_are_those_of_jsonschema_alone(random: Random) -> None:
    """Where only what does not fit is looked at closely, the same is found, in the same order."""
    text = json.dumps(mutant(random), default=float)
    root = read_yaml(text, "a.yaml")
    assert isinstance(root, Mapping)
    document = Document("a.yaml", text, root)
    found = [*misfits(document)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.shape, "_checks", lambda: defaultdict(lambda: lambda _: False))
        assert [*misfits(document)] == found


@pytest.mark.parametrize(
    "unknown",
    [
        {"patternProperties": {}},
        {"not": {}},
        {"enum": [1]},
        {"if": {}, "then": {"const": 1}},
        {"items": {"format": ""}},
    ],
)
def test_a_schema_that_says_more_is_refused(unknown: dict[str, Any]) -> None:
    """A keyword that is not known here is never passed over."""
    with pytest.raises(ValueError, match="not known here"):
        checks({"$defs": {"each": unknown}})


def test_a_pack_that_fits_does_not_pay_for_jsonschema() -> None:
    """It takes longer to load than most packs to read."""
    code = "import sys, engine; engine.read_packs(['rules']); print('jsonschema' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "False"
