"""Binding: a pack with entities as rows of its tables, so that every engine looks them up as it looks up anything.

The entities of a type are a table of that name. A fact that is neither derived nor looked up already is looked up
there: `subject.x` by `subject.id` in the table of the subject's type, `record.x` by `record.id`. What a fact is, the
request says first (unless the fact is sealed), then the entity, then the fact's default: so no default hides what is
known of an entity, and it still counts where nothing is known.

Types share ids, so `subject.id` never finds what is known of an entity of another type than the subject's. That is
why each type of subject has a pack of its own, in which nothing but look-ups differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from engine.author import uncollected
from engine.model import FactDeclaration, Lookup, Pack, Table
from engine.resolve import closure
from engine.server.entities import Entities
from engine.server.entity_columns import Filled, Served, fill
from engine.values import STRING, Type
from engine.version import version_of

SUBJECT_ID = "subject.id"
# The table in which nothing is found; no pack can have one of that name.
NOTHING = ""


@dataclass(frozen=True)
class Bound:
    """A pack with entities bound to it.

    `version` is that of the policy with everything that is bound. `unused` names, by type, the properties that no
    fact and no column of the pack reads. `warnings` are for the operator. `packs` are the packs by type of subject,
    None for all other types.
    """

    version: str
    entities: Entities
    unused: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...]
    packs: Mapping[str | None, Pack]

    def pack(self, subject_type: str | None) -> Pack:
        """The pack that decides requests of a type of subject: the same one for all types that need no difference."""
        return self.packs.get(subject_type) or self.packs[None]


def bind(pack: Pack, entities: Entities, version: str | None = None) -> Bound:
    """The pack with these entities; `version` is that of the pack, if it is known.

    Raises WrongEntities for a value that its column or fact cannot have.
    """
    version = version or version_of(pack)
    if not entities.kinds:
        return Bound(version, entities, {}, (), {None: pack})
    keyed = _with_keys(pack, entities)
    with uncollected():
        filled = {kind: fill(keyed, kind, rows, _served(keyed, kind)) for kind, rows in entities.kinds.items()}
    tables = {**keyed.tables, **{kind: each.table for kind, each in filled.items()}, NOTHING: Table(NOTHING, {}, {})}
    bound = replace(keyed, tables=tables, facts={**keyed.facts, **dict(_of_resources(keyed, filled))})
    unused = {kind: each.unused for kind, each in filled.items() if each.unused}
    warnings = tuple(said for each in filled.values() for said in each.clashing.values())
    return Bound(_version(version, filled), entities, unused, warnings, _packs(bound, filled))


class Ids(tuple[str, ...]):  # noqa: SLOT001  # it remembers its members
    """Ids in order, of which there may be many: whether one is among them is told at once."""

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._known


def _with_keys(pack: Pack, entities: Entities) -> Pack:
    """The pack in which keys of a table may name its entities, too, and ids are facts."""
    keys = {
        kind: Ids(sorted({*rows, *(pack.tables[kind].rows if kind in pack.tables else ())}))
        for kind, rows in entities.kinds.items()
    }

    def known(kind: Type) -> Type:
        if kind.item is not None:
            return replace(kind, item=known(kind.item))
        return replace(kind, values=keys[kind.table]) if kind.table in keys else kind

    ids = {path: FactDeclaration(path, STRING, implicit=True) for path in _ids(pack)}
    facts = {path: replace(fact, type=known(fact.type)) for path, fact in {**ids, **pack.facts}.items()}
    tables = {
        name: replace(table, columns={column: known(kind) for column, kind in table.columns.items()})
        for name, table in pack.tables.items()
    }
    return replace(pack, facts=facts, tables=tables)


def _ids(pack: Pack) -> list[str]:
    return [SUBJECT_ID, *(f"{resource}.id" for resource in sorted(_resources(pack)))]


def _resources(pack: Pack) -> set[str]:
    return {action.resource for action in pack.actions.values() if action.resource}


def _served(pack: Pack, kind: str) -> list[Served]:
    """The facts that entities of a type may tell: of the resource, then of the subject.

    Values must be right for facts of the resource. Whether the entities are subjects, too, cannot always be told:
    records have a `status` of their own. Then a value that a fact of the subject cannot have is no value of it.
    """
    resource = kind in _resources(pack)
    looked_up = any(
        fact.lookup and (fact.lookup.table, fact.lookup.key) == (kind, SUBJECT_ID) for fact in pack.facts.values()
    )
    are_subjects = looked_up or not (resource or kind in pack.tables)
    # What tells an id cannot be looked up by it.
    apart = {*closure(pack, _ids(pack)), "subject.type"}
    plain = [
        fact
        for path, fact in pack.facts.items()
        if path not in apart and fact.derived is None and fact.lookup is None and not fact.route
    ]
    own = [Served(fact, strictly=True) for fact in plain if resource and fact.path.startswith(f"{kind}.")]
    return own + [Served(fact, are_subjects) for fact in plain if fact.path.startswith("subject.")]


def _of_resources(pack: Pack, filled: Mapping[str, Filled]) -> Iterator[tuple[str, FactDeclaration]]:
    """The facts of resources that entities tell, looked up."""
    for kind, each in filled.items():
        for path, column in each.columns.items():
            if path.startswith(f"{kind}."):
                yield path, replace(pack.facts[path], lookup=Lookup(kind, column, f"{kind}.id"))


def _packs(pack: Pack, filled: Mapping[str, Filled]) -> dict[str | None, Pack]:
    """The packs by type of subject, where it makes a difference."""
    others = dict(_of_subjects(pack, filled, None))
    packs: dict[str | None, Pack] = {None: replace(pack, facts={**pack.facts, **others})}
    for kind in filled:
        own = dict(_of_subjects(pack, filled, kind))
        if own != others:
            packs[kind] = replace(pack, facts={**pack.facts, **own})
    return packs


def _of_subjects(pack: Pack, filled: Mapping[str, Filled], kind: str | None) -> Iterator[tuple[str, FactDeclaration]]:
    """The facts that are looked up otherwise than in the pack, for subjects of a type."""
    for path, fact in pack.facts.items():
        lookup = fact.lookup
        if lookup and lookup.key == SUBJECT_ID and lookup.table in filled and lookup.table != kind:
            yield path, replace(fact, lookup=replace(lookup, table=NOTHING))
    own = filled.get(kind or NOTHING)
    if own and kind:
        for path, column in own.columns.items():
            if path.startswith("subject."):
                # Where something is known that cannot be read, a default would hide that.
                default = () if path in own.clashing else pack.facts[path].default
                yield path, replace(pack.facts[path], lookup=Lookup(kind, column, SUBJECT_ID), default=default)


def _version(version: str, filled: Mapping[str, Filled]) -> str:
    """The version of the pack and of what the entities say."""
    digest = hashlib.sha256(version.encode())
    for kind in sorted(filled):
        each = filled[kind]
        digest.update(hashlib.sha256(kind.encode()).digest() + each.digest)
        digest.update(repr(sorted(each.clashing)).encode())
    return f"sha256:{digest.hexdigest()}"
