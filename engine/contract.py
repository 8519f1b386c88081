"""Decisions from their contract (DESIGN section 6): what `Decision.to_dict` gives is read back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar, get_type_hints

from engine.decide import Told
from engine.decision import (
    CAUSES,
    Advice,
    Alternative,
    Cause,
    Decision,
    InvalidFact,
    Obligation,
    Parts,
    Procedure,
    Reason,
    Verdict,
)
from engine.model import VERDICTS, Outcome
from engine.values import NotAValue, parse_date

Read: TypeAlias = Callable[[Any, str], Any]
Record = TypeVar("Record")
# What an outcome comes of.
OUTCOMES: Mapping[Cause, Outcome] = {
    "permitted": "allow",
    "forbidden": "deny",
    "not_permitted": "deny",
    "missing_facts": "indeterminate",
    "invalid_facts": "indeterminate",
    "deferred": "indeterminate",
}


def decision_from(data: Mapping[str, Any]) -> Decision:
    """The decision that the JSON data of the contract tells.

    Every member must be there, of its type, and decision, outcome and cause must agree; names that the contract does
    not have are passed over, as AuthZEN asks of receivers. Numbers may be Decimals. Raises ValueError where the data
    is no decision.
    """
    try:
        verdict = _verdict(_object(data, "a decision"))
        return Decision(verdict, Told(_parts(data)))
    except RecursionError:
        raise ValueError("no decision: its values are nested too deep") from None


def _verdict(data: Mapping[str, Any]) -> Verdict:
    cause = _one_of(*CAUSES)(_member(data, "cause", ""), "cause")
    outcome = _text(_member(data, "outcome", ""), "outcome")
    decision = _flag(_member(data, "decision", ""), "decision")
    if outcome != OUTCOMES[cause] or decision is not (outcome == "allow"):
        raise ValueError("no decision: `decision`, `outcome` and `cause` do not agree")
    route, answered_for = (_or_null(_text)(_member(data, name, ""), name) for name in ("route", "answered_for"))
    rules = tuple(reason.rule for reason in _records(Reason, data, "reasons"))
    return Verdict(OUTCOMES[cause], cause, route, answered_for, rules)


def _parts(data: Mapping[str, Any]) -> Parts:
    policy = _object(_member(data, "policy", ""), "policy")
    return Parts(
        policy=_text(_member(policy, "name", "policy."), "policy.name"),
        version=_text(_member(policy, "version", "policy."), "policy.version"),
        as_of=_or_null(_day)(_member(policy, "as_of", "policy."), "policy.as_of"),
        reasons=_records(Reason, data, "reasons"),
        obligations=_records(Obligation, data, "obligations"),
        advice=_records(Advice, data, "advice"),
        procedure=_records(Procedure, data, "procedure"),
        missing=_texts(_member(data, "missing", ""), "missing"),
        unknown=_or_null(_texts)(_member(data, "unknown", ""), "unknown"),
        invalid=_records(InvalidFact, data, "invalid"),
        warnings=_texts(_member(data, "warnings", ""), "warnings"),
        alternatives=None if _member(data, "alternatives", "") is None else _records(Alternative, data, "alternatives"),
        assumptions=_or_null(_assumptions)(_member(data, "assumptions", ""), "assumptions"),
    )


def _records(cls: type[Record], data: Mapping[str, Any], name: str) -> tuple[Record, ...]:
    readers = _FIELDS[cls]
    return tuple(cls(**_fields(readers, item, place)) for item, place in _items(_member(data, name, ""), name))


def _fields(readers: Mapping[str, Read], item: Any, place: str) -> dict[str, Any]:
    """The members of an object, each read by its reader."""
    _object(item, place)
    return {name: read(_member(item, name, f"{place}."), f"{place}.{name}") for name, read in readers.items()}


def _assumptions(value: Any, place: str) -> tuple[dict[str, Any], ...]:
    return tuple(_assumption(_object(item, at), at) for item, at in _items(value, place))


def _assumption(item: Mapping[str, Any], place: str) -> dict[str, Any]:
    """A reading, an unconfirmed value or a default; its first member says which."""
    for readers in _ASSUMPTIONS:
        if next(iter(readers)) in item:
            return _fields(readers, item, place)
    raise ValueError(f"no decision: `{place}` is neither a reading nor a value nor a fact")


def _member(data: Mapping[str, Any], name: str, before: str) -> Any:
    if name not in data:
        raise ValueError(f"no decision: `{before}{name}` is missing")
    return data[name]


def _object(value: Any, place: str) -> Mapping[str, Any]:
    return _of(Mapping, "an object", value, place)  # type: ignore[no-any-return]


def _items(value: Any, place: str) -> Iterator[tuple[Any, str]]:
    for number, item in enumerate(_of(list, "a list", value, place)):
        yield item, f"{place}[{number}]"


def _text(value: Any, place: str) -> str:
    return _of(str, "text", value, place)  # type: ignore[no-any-return]


def _flag(value: Any, place: str) -> bool:
    return _of(bool, "true or false", value, place)  # type: ignore[no-any-return]


def _of(cls: type, what: str, value: Any, place: str) -> Any:
    if isinstance(value, cls):
        return value
    raise ValueError(f"no decision: `{place}` is not {what}")


def _texts(value: Any, place: str) -> tuple[str, ...]:
    return tuple(_text(item, at) for item, at in _items(value, place))


def _list(value: Any, place: str) -> list[str]:
    return list(_texts(value, place))


def _day(value: Any, place: str) -> date:
    try:
        return parse_date(_text(value, place))
    except NotAValue as error:
        raise ValueError(f"no decision: `{place}` {error}") from None


def _one_of(*words: Any) -> Read:
    def read(value: Any, place: str) -> Any:
        if value not in words:
            raise ValueError(f"no decision: `{place}` is not one of {', '.join(map(str, words))}")
        return value

    return read


def _or_null(read: Read) -> Read:
    return lambda value, place: None if value is None else read(value, place)


def _json(value: Any, place: str) -> Any:
    """Any JSON data; a Decimal becomes the float that the same text is."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal() if math.isfinite(number := float(value)):
            return number
        case list():
            return [_json(item, at) for item, at in _items(value, place)]
        case dict() if all(isinstance(name, str) for name in value):
            return {name: _json(item, f"{place}.{name}") for name, item in value.items()}
        case _:
            raise ValueError(f"no decision: `{place}` is not JSON data")


_READERS: Mapping[Any, Read] = {
    str: _text,
    bool: _flag,
    str | None: _or_null(_text),
    tuple[str, ...]: _texts,
    dict[str, Any]: lambda value, place: dict(_object(_json(value, place), place)),
    Any: _json,
}
# Of these the type says less than the contract.
_WORDS: Mapping[tuple[type, str], Read] = {
    (Reason, "effect"): _one_of(*VERDICTS),
    (Obligation, "due"): _one_of("before", "after", None),
    (Alternative, "outcome"): _one_of("allow"),
}
_ASSUMPTIONS: tuple[Mapping[str, Read], ...] = (
    {"reading": _text, "chosen": _text, "cites": _list},
    {"value": _text, "basis": _one_of("unconfirmed"), "cites": _list},
    {"fact": _text, "default": _json, "cites": _list},
)
# How each field of each record is read: by its type.
_FIELDS: Mapping[Any, Mapping[str, Read]] = {
    cls: {name: _WORDS.get((cls, name)) or _READERS[hint] for name, hint in get_type_hints(cls).items()}
    for cls in (Reason, Obligation, Advice, Procedure, InvalidFact, Alternative)
}
