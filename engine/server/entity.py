"""One entity as a source gives it, and what is said where a source cannot be used."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeAlias


class WrongEntities(ValueError):
    """An entity source cannot be used; its text says where, and what to do."""


class Entity(NamedTuple):
    """An entity and where it stands; not yet checked: type and id may be anything, or None where there is none."""

    place: str
    type: object
    id: object
    properties: object


# Entities as they are read, one after the other; to be closed, since files and connections are open meanwhile.
Reading: TypeAlias = Generator[Entity, None, None]
