"""Reading requests in a lane: where each declared fact stands in them, and its value as `engine.situation` reads it.

A value that cannot be read raises NotAValue, a request of an unusual form LongWay; either way the request
is decided the long way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from engine.condition import Fact
from engine.model import Action, FactDeclaration, Pack
from engine.situation import has_bare_number, read_value
from engine.values import MAX_DIGITS, Value

# How many texts a fact remembers the values of.
MAX_REMEMBERED = 4096
# Where a fact stands: in the properties of subject, action or resource, in the context, or beside properties.
SUBJECT, ACTION, RESOURCE, CONTEXT = range(4)
BESIDE = {SUBJECT: ("type", "id"), ACTION: ("name",), RESOURCE: ("type", "id"), CONTEXT: ()}


class LongWay(Exception):
    """The request is out of the ordinary; nothing is concluded from that."""


def places(pack: Pack, action: Action) -> Iterator[tuple[str, int, str]]:
    """Path, section and name of every declared fact that a request for the action may send."""
    sections = {"subject": SUBJECT, "action": ACTION, action.resource: RESOURCE, "context": CONTEXT}
    for path, fact in pack.facts.items():
        namespace, _, name = path.partition(".")
        section = sections.get(namespace) if name else None
        if section is None or fact.sealed or (section == ACTION and path not in action.properties):
            continue
        if path != f"{action.resource}.type":  # that is the resource's type, and no fact
            yield path, section, name


def reader(fact: FactDeclaration) -> Callable[[object], Value]:
    """How the fact's value is read; texts that were read before are remembered."""
    currency = fact.currency if isinstance(fact.currency, str) else None
    remembered: dict[str, Value] = {}

    def read(raw: Any) -> Value:
        if raw.__class__ is not str:
            if isinstance(fact.currency, Fact) and has_bare_number(raw):
                raise LongWay
            return read_value(raw, fact, currency)
        value = remembered.get(raw)
        if value is None:
            value = read_value(raw, fact, currency)
            if len(remembered) < MAX_REMEMBERED:
                remembered[raw] = value
        return value

    return read


def checker(fact: FactDeclaration) -> Callable[[object], object]:
    """How a value is checked that nobody reads: what most values look like is told at once."""
    read = reader(fact)
    least, most = bounds(fact)
    values = frozenset(fact.type.values)

    def whole(raw: Any) -> object:
        return raw if raw.__class__ is int and least <= raw <= most else read(raw)

    def text(raw: Any) -> object:
        return raw if raw.__class__ is str and raw.isascii() else read(raw)

    def one_of(raw: Any) -> object:
        return raw if raw in values else read(raw)

    kinds: dict[str, Callable[[Any], object]] = {
        "integer": whole, "number": whole, "string": text, "enum": one_of, "key": one_of,
    }  # fmt: skip
    return kinds.get(fact.type.kind, read)


def bounds(fact: FactDeclaration) -> tuple[int, int]:
    """The least and the largest whole number that a fact admits."""
    most = 10**MAX_DIGITS - 1
    return -most if fact.minimum is None else math.ceil(fact.minimum), most


def unread(sent: Mapping[Any, Any], read: Collection[str], others: Mapping[str, Callable[[object], object]]) -> bool:
    """Checks the values of facts that were sent and that no rule reads; whether any is not declared at all."""
    strange = False
    for name, raw in sent.items():
        if name in read or raw is None:
            continue
        check = others.get(name)
        if check is not None:
            check(raw)
        elif name.__class__ is str:
            strange = True
        else:
            raise LongWay
    return strange


def texts(section: Mapping[Any, Any]) -> None:
    """Steps aside unless all names are texts."""
    if not all(name.__class__ is str for name in section):
        raise LongWay
