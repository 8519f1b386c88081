"""Entities: what is known of subjects and resources, read from files and from SQL tables.

A source is named `[TYPE=]SOURCE`; `TYPE=` says the type of entities that do not say it themselves. What a source
holds is taken as it stands: what values mean is for the types of a pack to say (`engine/server/binding.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from engine.author import uncollected
from engine.finding import did_you_mean, one_of
from engine.server.entity import Entity, Reading, WrongEntities
from engine.server.entity_files import read_json, read_lines, read_yaml_file
from engine.server.entity_tables import read_csv, read_parquet, read_sql

__all__ = ["Entities", "WrongEntities", "files_of", "read_entities"]

Reader: TypeAlias = Callable[[str, str | None], Reading]
_READERS: Mapping[str, Reader] = {
    ".yaml": read_yaml_file, ".yml": read_yaml_file, ".json": read_json, ".ndjson": read_lines, ".jsonl": read_lines,
    ".csv": read_csv, ".parquet": read_parquet,
}  # fmt: skip
# A type in a name has no sign that begins a path or an address, so that `./a=b.csv` is a file.
_TYPED = re.compile(r"([^=/\\:.#?]+)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Entities:
    """What is known of entities: `kinds[type][id]` are the properties of one, as JSON-like data.

    Types and ids are in code point order; a property without a value is not there.
    """

    kinds: Mapping[str, Mapping[str, Mapping[str, Any]]]


def read_entities(sources: Sequence[str]) -> Entities:
    """The entities of all sources, each named `[TYPE=]SOURCE`; without sources there are none.

    A source is a file (`.yaml`, `.yml`, `.json`, `.ndjson`, `.jsonl`, `.csv`, `.parquet`) or a table of a database
    (`SQLALCHEMY-URL#table`). Raises WrongEntities.
    """
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for source in sources:
        kind, where = _parts(source)
        if "://" in where:
            _gather(read_sql(where, kind), kind, found, f"the table `{where.rpartition('#')[2]}`")
        else:
            _gather(_reader(where)(where, kind), kind, found, where)
    return Entities({kind: dict(sorted(found[kind].items())) for kind in sorted(found)})


def files_of(sources: Sequence[str]) -> tuple[str, ...]:
    """The files among the sources, so that these can be watched; databases are not among them."""
    places = (_parts(source)[1] for source in sources)
    return tuple(dict.fromkeys(where for where in places if "://" not in where))


def _parts(source: str) -> tuple[str | None, str]:
    """The type that a source's name says, if it does, and the source itself."""
    typed = _TYPED.fullmatch(source)
    return (typed[1], typed[2]) if typed else (None, source)


def _reader(file: str) -> Reader:
    """What reads a file of this name."""
    suffix = Path(file).suffix.lower()
    if suffix not in _READERS:
        help_ = did_you_mean(suffix, _READERS, f"entities are in files that end with {one_of(_READERS)}")
        raise WrongEntities(f"{file}: nothing reads a file that ends with `{suffix}`; {help_}")
    if not Path(file).is_file():
        raise WrongEntities(f"{file}: no such file; name a file, or a table of a database as `URL#table`")
    return _READERS[suffix]


def _gather(entities: Reading, kind: str | None, found: dict[str, dict[str, Mapping[str, Any]]], source: str) -> None:
    """Put checked entities beside those that were found before."""
    is_empty = True
    with closing(entities), uncollected():
        for entity in entities:
            is_empty = False
            type_, id_ = _named(entity, kind)
            known = found.setdefault(type_, {})
            if id_ in known:
                raise WrongEntities(
                    f"{entity.place}: `{type_}` `{id_}` is known already, from here or elsewhere; keep one"
                )
            known[id_] = _properties(entity, type_, id_)
    if is_empty:
        raise WrongEntities(f"{source}: no entity is in it; fill it, or do not name it as a source")


def _named(entity: Entity, kind: str | None) -> tuple[str, str]:
    """Type and id of an entity, checked."""
    place, type_ = entity.place, kind if entity.type is None else entity.type
    if type_ is None:
        raise WrongEntities(f"{place}: the entity has no type; give it a `type`, or name the source as `TYPE=SOURCE`")
    if kind is not None and type_ != kind:
        raise WrongEntities(f"{place}: the entity is of type `{type_}`, and its source is named `{kind}=…`; mend one")
    for name, value in (("type", type_), ("id", entity.id)):
        if value is None or value == "":
            raise WrongEntities(f"{place}: the entity has no {name}; give it one")
        if not isinstance(value, str):
            raise WrongEntities(f"{place}: the {name} `{value}` is no text; put it into quotes")
    return str(type_), str(entity.id)


def _properties(entity: Entity, type_: str, id_: str) -> Mapping[str, Any]:
    """The properties of an entity, without those that are null."""
    given = entity.properties
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise WrongEntities(f"{entity.place}: the properties of `{type_}` `{id_}` are no object; give them names")
    if None in given.values():
        return {name: value for name, value in given.items() if value is not None}
    return given
