"""Searches: who may, on what, and what (AuthZEN section 8), answered by deciding every candidate.

Subjects and resources come from the entities, in the order of their ids. Actions are those of the policy, with
the choices that would be allowed: a choice fact is what the asker picks.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.model import Action
from engine.server.live import Live


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible result, its place among all of them, and the request by which it is decided."""

    place: str
    entity: Mapping[str, Any]
    request: Mapping[str, Any]


class Candidates:
    """The candidates of a search of a kind (subject, resource or action) after a place; `""` is before the first."""

    def __init__(self, live: Live, kind: str, request: Mapping[str, Any], after: str) -> None:
        self._live = live
        self._kind = kind
        self._request = request
        self._after = after
        self._allowed: list[frozenset[tuple[str, Any]]] = []

    def __iter__(self) -> Iterator[Candidate]:
        given = {"subject", "resource"} - {self._kind}
        if all(self._live.knows(self._request[name]) for name in given):
            yield from self._actions() if self._kind == "action" else self._entities()

    def accept(self, candidate: Candidate) -> bool:
        """Note that a candidate is allowed; whether it is a result: the same with more choices is none."""
        if self._kind == "action":
            chosen = frozenset((candidate.entity.get("properties") or {}).items())
            if any(smaller <= chosen for smaller in self._allowed):
                return False
            self._allowed.append(chosen)
        return candidate.place > self._after

    def _entities(self) -> Iterator[Candidate]:
        asked = self._request[self._kind]
        ids = self._live.ids.get(asked["type"], ())
        for name in ids[bisect_right(ids, self._after[1:]) if self._after else 0 :]:
            request = {**self._request, self._kind: {**asked, "id": name}}
            yield Candidate(f".{name}", {"type": asked["type"], "id": name}, request)

    def _actions(self) -> Iterator[Candidate]:
        kind = self._request["resource"]["type"]
        first = self._after.partition("\0")[0]
        for name, action in sorted(self._live.pack.actions.items()):
            if name >= first and action.resource in (None, kind):
                self._allowed = []
                yield from self._choices(name, action)

    def _choices(self, name: str, action: Action) -> Iterator[Candidate]:
        """The action as it is, then with one choice, with two, and so on; what goes beyond an allowed one is left out."""
        for number, chosen in enumerate(self._combinations(action)):
            if not any(smaller <= set(chosen.items()) for smaller in self._allowed):
                entity = {"name": name, **({"properties": chosen} if chosen else {})}
                yield Candidate(f"{name}\0{number:09}", entity, {**self._request, "action": entity})

    def _combinations(self, action: Action) -> Iterator[dict[str, Any]]:
        options = {path: values for path in action.properties if (values := self._values(path))}
        for size in range(len(options) + 1):
            for paths in itertools.combinations(options, size):
                names = [path.partition(".")[2] for path in paths]
                for values in itertools.product(*(options[path] for path in paths)):
                    yield dict(zip(names, values, strict=True))

    def _values(self, path: str) -> tuple[Any, ...]:
        """What the asker may choose for a property; nothing where that is no choice, or open."""
        fact = self._live.pack.facts[path]
        if not fact.choice:
            return ()
        return (True, False) if fact.type.kind == "boolean" else fact.type.values
