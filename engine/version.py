"""The version of a policy: a hash of everything that can change a decision or its texts, and of nothing else."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any as Anything

from engine.condition import All, Any, Compare
from engine.model import Action, Arithmetic, FactDeclaration, Pack, Reading, Rule, Span
from engine.texts import base_language
from engine.values import Money, Type, plain_number

# Words for people that no decision shows.
_UNSEEN = frozenset({"title", "description", "asks", "because", "changeable_by", "ambiguity", "implicit"})


def version_of(pack: Pack) -> str:
    """`sha256:…` of the pack's content: not of comments, order, cases, sources or the date."""
    content = {
        "name": pack.name,
        "languages": sorted(pack.languages),
        "own language": base_language(pack),
        "actions": pack.actions,
        "facts": pack.facts,
        "tables": pack.tables,
        "readings": pack.readings,
        "rules": pack.rules,
        "translations": pack.translations,
    }
    text = json.dumps(_canonical(content), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _canonical(value: Anything) -> Anything:
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return {"number": plain_number(value)}
        case datetime.date():
            return {"date": value.isoformat()}
        case Money():
            return {"money": str(value)}
        case Type() if value.kind == "key":
            return {"key": value.table}
        case frozenset() | (Span(), *_):
            return {"set": _sorted(map(_canonical, value))}
        case Mapping():
            return {str(key): _canonical(item) for key, item in value.items()}
        case tuple() | list():
            return [_canonical(item) for item in value]
        case _:
            return _record(value)


def _sorted(canonical: Iterable[Anything]) -> list[Anything]:
    return sorted(canonical, key=lambda item: json.dumps(item, sort_keys=True))


def _record(value: Anything) -> Anything:
    fields = [field for field in dataclasses.fields(value) if field.compare and field.name not in _UNSEEN]
    record = {field.name: _canonical(getattr(value, field.name)) for field in fields}
    for name in _unordered(value):
        record[name] = _sorted(record[name])
    if isinstance(value, FactDeclaration) and value.path.startswith("action."):
        del record["choice"]  # each action says so itself
    return {**record, "#": type(value).__name__}


def _unordered(value: Anything) -> tuple[str, ...]:
    """The fields of a record whose order says nothing."""
    match value:
        case All() | Any():
            return ("terms",)
        case Compare(operator="in" | "not_in" | "has_any" | "has_all"):
            return ("right",)
        case Arithmetic(operation="sum" | "product"):
            return ("operands",)
        case Action():
            return ("properties",)
        case Reading():
            return ("options",)
        case Rule():
            return ("actions", "overrides")
        case _:
            return ()
