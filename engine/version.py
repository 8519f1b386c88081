"""The version of a policy: a hash of everything that can change a decision or its texts, and of nothing else."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote
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
    return f"sha256:{hashlib.sha256(_canonical(content).encode()).hexdigest()}"


def _canonical(value: Anything) -> str:
    """The one JSON text that stands for a value: names in order, no white space."""
    match value:
        case str():
            return quote(value)
        case None | bool() | int():
            return json.dumps(value)
        case (Span(), *_) | frozenset():
            return _tagged("set", _listed(sorted(map(_canonical, value))))
        case tuple() | list():
            return _listed(map(_canonical, value))
        case Type():
            return _type(value)
        case Money():
            return _tagged("money", quote(str(value)))
        case Decimal():
            return _tagged("number", quote(plain_number(value)))
        case datetime.date():
            return _tagged("date", quote(value.isoformat()))
        case Mapping():
            return f"{{{','.join([f'{quote(name)}:{_canonical(value[name])}' for name in sorted(value)])}}}"
        case _:
            return _record(value)


def _tagged(tag: str, text: str) -> str:
    return f'{{"{tag}":{text}}}'


def _listed(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


@lru_cache(maxsize=1024)
def _type(kind: Type) -> str:
    return _tagged("key", _canonical(kind.table)) if kind.kind == "key" else _record(kind)


def _record(value: Anything) -> str:
    kind: Anything = type(value)
    unordered = _unordered(value)
    parts = [f'"#":"{kind.__name__}"']
    for name in _fields(kind):
        part = getattr(value, name)
        if name in unordered:
            parts.append(f'"{name}":{_listed(sorted(map(_canonical, part)))}')
        elif name != "choice" or not _is_property(value):
            parts.append(f'"{name}":{_canonical(part)}')
    return f"{{{','.join(parts)}}}"


@lru_cache(maxsize=64)
def _fields(kind: Anything) -> tuple[str, ...]:
    """What counts of a kind of record, in order."""
    counting = (field.name for field in dataclasses.fields(kind) if field.compare and field.name not in _UNSEEN)
    return tuple(sorted(counting))


def _is_property(value: Anything) -> bool:
    """Whether it is a property of actions: each action says itself whether that is a choice."""
    return isinstance(value, FactDeclaration) and value.path.startswith("action.")


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
