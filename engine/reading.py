"""Reading requests in a lane: where each declared fact stands in them, and its value as `engine.situation` reads it.

A value that cannot be read raises NotAValue, a request of an unusual form LongWay; either way the request
is decided the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

from engine.condition import Fact
from engine.model import Action, FactDeclaration, Pack
from engine.situation import DATE, has_bare_number, read_value
from engine.values import Value

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

    def read(raw: object) -> Value:
        if raw.__class__ is not str:
            if isinstance(fact.currency, Fact) and has_bare_number(raw):
                raise LongWay
            return read_value(raw, fact, currency)
        value = remembered.get(raw)  # type: ignore[call-overload]
        if value is None:
            value = read_value(raw, fact, currency)
            if len(remembered) < MAX_REMEMBERED:
                remembered[raw] = value  # type: ignore[index]
        return value  # type: ignore[no-any-return]

    return read


def unread(sent: Mapping[Any, Any], read: Collection[str], others: Mapping[str, Callable[[object], Value]]) -> bool:
    """Checks the values of facts that were sent and that no rule reads; whether any is not declared at all."""
    strange = False
    for name, raw in sent.items():
        if name.__class__ is not str:
            raise LongWay
        if raw is not None and name not in read:
            if name in others:
                others[name](raw)
            else:
                strange = True
    return strange


def texts(section: Mapping[Any, Any]) -> None:
    """Steps aside unless all names are texts."""
    if not all(name.__class__ is str for name in section):
        raise LongWay


def kept(request: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a request, so that nobody can change what a decision was about."""
    return {name: _kept(section) for name, section in request.items()}


def _kept(value: Any) -> Any:
    if value.__class__ is dict:
        return {name: _kept(each) for name, each in value.items()}
    return value if value.__class__ in _UNCHANGING else deepcopy(value)


_UNCHANGING = frozenset({str, int, float, bool, Decimal, type(None)})


DATE_NAME = DATE.partition(".")[2]
