"""The contestants of the benchmark, each in a module of its own.

A module has two functions: `write(family, folder)` puts the family's rules into the folder, in the form
that the engine's own users write; `load(folder)` reads that form and gives what decides. Only `load`
imports the engine, and only it is timed and weighed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.family import Family

Answer: TypeAlias = tuple[str, str | None, tuple[str, ...]]


def _as_it_is(request: Mapping[str, Any]) -> Any:
    return request


def _answer(verdict: tuple[str, Any]) -> Answer:
    return verdict[0], None, tuple(sorted(verdict[1]))


@dataclass(frozen=True, slots=True)
class Loaded:
    """What decides: only `decide` is timed.

    It takes a request as `prepare` leaves it (nearly always untouched: converting is part of deciding).
    `read` makes of its answer: outcome, cause (None if the engine has no causes), ids of the reasons in order.
    """

    decide: Callable[[Any], Any]
    read: Callable[[Any], Answer] = _answer
    prepare: Callable[[Mapping[str, Any]], Any] = _as_it_is


@dataclass(frozen=True, slots=True)
class Contestant:
    """An engine, in one way to use it; `key` names it on the command line.

    One that is not `three_valued` is asked only what gives every fact. `loader` is its function in the module.
    """

    key: str
    name: str
    module: str
    package: str
    three_valued: bool = False
    loader: str = "load"

    @property
    def ours(self) -> bool:
        """Whether this is ChangeGate."""
        return self.package == "changegate"

    def write(self, family: Family, folder: Path) -> None:
        """Put the family's rules into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._module().write(family, folder)

    def load(self, folder: Path) -> Loaded:
        """What decides by the rules in the folder."""
        load: Callable[[Path], Loaded] = getattr(self._module(), self.loader)
        return load(folder)

    def version(self) -> str | None:
        """The version installed, None if there is none."""
        try:
            return metadata.version(self.package) if self.package else None
        except metadata.PackageNotFoundError:
            return None

    def _module(self) -> Any:
        return import_module(f"benchmarks.contestants.{self.module}")


def _ours(key: str, name: str, loader: str) -> Contestant:
    return Contestant(key, name, "changegate", "changegate", three_valued=True, loader=loader)


ORACLE = Contestant("oracle", "hand-written Python", "by_hand", "", three_valued=True)
MATCH = _ours("match", "ChangeGate, bare match", "load_match")
COMPILED = _ours("compiled", "ChangeGate", "load_compiled")
PEERS = (
    Contestant("zen", "zen-engine", "zen", "zen-engine"),
    Contestant("clips", "clipspy", "clips", "clipspy"),
    Contestant("datalogic", "datalogic-py", "datalogic", "datalogic-py"),
    Contestant("cel", "CEL", "cel", "common-expression-language"),
    Contestant("cedar", "cedarpy", "cedar", "cedarpy"),
    Contestant("rego", "regopy", "rego", "regopy"),
    Contestant("business", "business-rules", "business", "business-rules"),
    Contestant("rule-engine", "rule-engine", "expressions", "rule-engine"),
)
CONTESTANTS = (
    ORACLE,
    MATCH,
    COMPILED,
    _ours("rete", "ChangeGate, Rete", "load_rete"),
    _ours("reference", "ChangeGate, reference", "load_reference"),
    *PEERS,
)
BY_KEY: Mapping[str, Contestant] = {contestant.key: contestant for contestant in CONTESTANTS}
