"""The version of a policy: a hash of everything that can change a decision or its texts, and of nothing else."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any as Anything

from engine.condition import All, Any
from engine.model import Pack
from engine.values import Money, Type, plain_number

# Words for people that no decision shows.
_UNSEEN = frozenset({"title", "description", "asks", "because", "changeable_by", "ambiguity"})


def version_of(pack: Pack) -> str:
    """`sha256:…` of the pack's content: not of comments, order, cases, sources or the date."""
    content = {
        "name": pack.name,
        "languages": sorted(pack.languages),
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
        case All(terms) | Any(terms):
            return {type(value).__name__: _sorted(terms)}
        case frozenset():
            return {"set": _sorted(value)}
        case Mapping():
            return {str(key): _canonical(item) for key, item in value.items()}
        case tuple() | list():
            return [_canonical(item) for item in value]
        case _:
            return _record(value)


def _sorted(values: Anything) -> list[Anything]:
    return sorted((_canonical(value) for value in values), key=lambda item: json.dumps(item, sort_keys=True))


def _record(value: Anything) -> Anything:
    fields = [field for field in dataclasses.fields(value) if field.compare and field.name not in _UNSEEN]
    record = {field.name: _canonical(getattr(value, field.name)) for field in fields}
    record["#"] = type(value).__name__
    if "options" in record:
        record["options"] = sorted(record["options"])
    for unordered in ("actions", "overrides", "properties"):
        if isinstance(record.get(unordered), list):
            record[unordered] = sorted(record[unordered])
    return record
