"""A live policy: one version with its entities, which a request sees from beginning to end.

Nothing in it changes; a newer one takes its place as a whole.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from engine import Decision, Gate
from engine.files import PackFiles
from engine.gate import open_files
from engine.model import Pack
from engine.request import InvalidRequest
from engine.server.binding import Bound, bind
from engine.server.entities import Entities
from engine.server.settings import Level

LOG = logging.getLogger("changegate")


class Live:
    """A policy that answers requests, for each type of subject with the entities of that type.

    `files` are what it was made of.
    """

    def __init__(self, gates: Mapping[str | None, Gate], entities: Entities, files: Sequence[PackFiles]) -> None:
        self.files = tuple(files)
        self._gates = gates
        self._any = gates[None]
        self.pack: Pack = self._any.pack
        self.version = self._any.version
        self.entities = entities
        self.ids = {kind: tuple(rows) for kind, rows in entities.kinds.items()}
        # The language that the policy itself is written in.
        self.own_language = self._any.language(None) or self.pack.languages[0]
        self.language = lru_cache(maxsize=256)(self._language)

    def gate(self, subject_type: str | None) -> Gate:
        """The policy for subjects of a type: the same one for all types of which no entities are known."""
        return self._gates.get(subject_type) or self._any

    def decide(self, request: Mapping[str, Any], level: Level, language: str) -> Decision:
        """The decision on a request that AuthZEN admits, so far explained as the level asks.

        Raises InvalidRequest, EngineFailure.
        """
        gate = self._gates.get(request["subject"]["type"]) or self._any
        return gate.decide(request, "full" if level == "full" else None, language)

    def decider(self, level: Level, language: str) -> Callable[[Mapping[str, Any]], Decision]:
        """`decide` for the requests of a batch; it raises the same."""
        if level != "full" and len(self._gates) == 1:
            return self._any.decider(language)
        return lambda request: self.decide(request, level, language)

    def second(self, request: Mapping[str, Any], language: str) -> dict[str, Any]:
        """What the second engine decides, as the contract has it; raises as `decide` does."""
        gate = self._gates.get(request["subject"]["type"]) or self._any
        return gate.decide(request, locale=language, engine="rete").to_dict()

    def knows(self, entity: Mapping[str, Any]) -> bool:
        """Whether there is such an entity, as far as the sources of entities can tell."""
        rows = self.entities.kinds.get(entity["type"])
        return rows is None or entity["id"] in rows

    def warm(self) -> None:
        """Have the code of every action ready before the first request comes."""
        for gate in self._gates.values():
            for action in self.pack.actions:
                with suppress(InvalidRequest):
                    gate.decide({"action": {"name": action}}).to_json()

    def _language(self, accepted: str) -> str:
        """The policy's language that a client likes best, by its Accept-Language (RFC 9110, section 12.5.4)."""
        found = (self._any.language(tag) for tag in _liked(accepted) if tag != "*")
        return next(filter(None, found), None) or self.own_language


def go_live(packs: Sequence[PackFiles], entities: Entities, as_of: datetime.date | None) -> Live:
    """The live policy in these files; raises InvalidRules, WrongEntities."""
    gate = open_files(packs, as_of, cache=True)
    if not entities.kinds:
        return Live({None: gate}, entities, packs)
    bound = bind(gate.pack, entities, gate.version)
    for warning in bound.warnings:
        LOG.warning("%s", warning)
    for kind, names in bound.unused.items():
        LOG.info("no fact of the policy is told by these properties of the type `%s`: %s", kind, ", ".join(names))
    return _live(bound, as_of, packs)


def bound_to(gate: Gate, entities: Entities, files: Sequence[PackFiles]) -> Live:
    """An open policy with entities, as if it were live, and nothing said of it in the log; raises WrongEntities."""
    if not entities.kinds:
        return Live({None: gate}, entities, files)
    return _live(bind(gate.pack, entities, gate.version), gate.as_of, files)


def _live(bound: Bound, as_of: datetime.date | None, files: Sequence[PackFiles]) -> Live:
    gates = {kind: Gate(pack, as_of, version=bound.version) for kind, pack in bound.packs.items()}
    return Live(gates, bound.entities, files)


def _liked(accepted: str) -> Iterator[str]:
    """The language tags of an Accept-Language, the best liked first."""
    rated: list[tuple[float, str]] = []
    for part in accepted.split(","):
        tag, _, parameter = part.partition(";")
        with suppress(ValueError):
            weight = float(parameter.strip().removeprefix("q=") or 1)
            rated.append((-weight, tag.strip()))
    return (tag for weight, tag in sorted(rated, key=lambda each: each[0]) if weight < 0 and tag)
