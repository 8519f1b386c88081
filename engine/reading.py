"""Reading requests in a lane: where each declared fact stands in them, and its value as `engine.situation` reads it.

A request of an unusual form raises LongWay, and is decided the long way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from engine.condition import Fact
from engine.model import Action, FactDeclaration, Pack
from engine.situation import Invalid, has_bare_number, read_value
from engine.values import MAX_DIGITS, NotAValue, Value

# How many texts a fact remembers the values of.
MAX_REMEMBERED = 4096
# Where a fact stands: in the properties of subject, action or resource, in the context, or beside properties.
SUBJECT, ACTION, RESOURCE, CONTEXT = range(4)
BESIDE = {SUBJECT: ("type", "id"), ACTION: ("name",), RESOURCE: ("id",), CONTEXT: ()}


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
        yield path, section, name


def reader(fact: FactDeclaration) -> Callable[..., Any]:
    """How the fact's value is read, given what was sent and the currency of bare numbers, if a fact tells it.

    What cannot be read gives an Invalid. Texts that were read before are remembered.
    """
    currency = fact.currency if isinstance(fact.currency, str) else None
    remembered: dict[str, Value | Invalid] = {}

    def read(raw: Any, unit: Any = None) -> Any:
        value: Value | Invalid | None = remembered.get(raw) if raw.__class__ is str else None
        if value is not None:
            return value
        if isinstance(fact.currency, Fact) and has_bare_number(raw) and unit.__class__ is not str:
            raise LongWay
        try:
            value = read_value(raw, fact, currency or unit)
        except NotAValue as error:
            value = Invalid(fact.path, raw, str(error))
        if raw.__class__ is str and len(remembered) < MAX_REMEMBERED:
            remembered[raw] = value
        return value

    return read


def checker(fact: FactDeclaration) -> Callable[[Any], Any]:
    """How a value is checked that nobody reads: what most values look like is told at once."""
    read = reader(fact)
    least, most = bounds(fact)
    values = frozenset(fact.type.values)

    def whole(raw: Any) -> Any:
        return raw if raw.__class__ is int and least <= raw <= most else read(raw)

    def text(raw: Any) -> Any:
        return raw if raw.__class__ is str and raw.isascii() else read(raw)

    def one_of(raw: Any) -> Any:
        return raw if raw.__class__ is str and raw in values else read(raw)

    kinds = {"integer": whole, "number": whole, "string": text, "enum": one_of, "key": one_of}
    return kinds.get(fact.type.kind, read)


def bounds(fact: FactDeclaration) -> tuple[int, int]:
    """The least and the largest whole number that a fact admits."""
    most = 10**MAX_DIGITS - 1
    return -most if fact.minimum is None else math.ceil(fact.minimum), most


def unread(
    sent: Mapping[Any, Any], read: Collection[str], others: Mapping[str, Callable[[Any], Any]], strange: bool, bad: Any
) -> tuple[bool, Any]:
    """Checks the values of facts that were sent and that no rule reads.

    Gives whether any is not declared at all, and the invalid ones, added to what was found before.
    """
    for name, raw in sent.items():
        if name in read or raw is None:
            continue
        check = others.get(name)
        if check is not None:
            value = check(raw)
            if value.__class__ is Invalid:
                bad = (bad, value)
        elif name.__class__ is str:
            strange = True
        else:
            raise LongWay
    return strange, bad


def texts(section: Mapping[Any, Any]) -> None:
    """Steps aside unless all names are texts."""
    if not all(name.__class__ is str for name in section):
        raise LongWay
