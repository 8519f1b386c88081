"""The compiled backend: an action's rules as generated Python over tables; the default.

`engine.program` makes the tables and `engine.blocks` the code; here they are brought together and asked.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from engine import reference
from engine.blocks import Masked, Runnable, constants, runnable
from engine.emit import NOT_ASKED
from engine.kleene import Known, NotAsked
from engine.model import Pack
from engine.policy import ActionRules, Matches
from engine.program import Block, Program, make_program
from engine.situation import Situation
from engine.tally import bits


Bucket: TypeAlias = tuple[Callable[..., Masked], tuple[Any, ...], tuple[Any, ...], int, Block]


class Compiled:
    """A program with its code, which is made when it is first needed."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._shapes: dict[tuple[int, bool], Runnable] = {}

    def code(self, block: Block) -> Runnable:
        """The code of a block's shape; that of all buckets takes the same facts."""
        kind = (block.shape, block is not self.program.general)
        found = self._shapes.get(kind)
        if found is None:
            shape, paths = self.program.shapes[block.shape], self.program.in_buckets if kind[1] else ()
            found = self._shapes[kind] = runnable(shape, self.program.optional, paths)
        return found

    @cached_property
    def buckets(self) -> dict[Any, Bucket]:
        """The buckets by the value that leads to each: code, tables, constants, layout, and the block itself."""
        found = {}
        for value, block in self.program.buckets.items():
            code = self.code(block)
            found[value] = (code.function, code.tables, constants(block), block.layout, block)
        return found

    def run(self, block: Block, values: Mapping[str, Any]) -> Masked:
        """The masks of a block, given the facts' values by path (None is unknown, NOT_ASKED not asked for)."""
        code = self.code(block)
        return code.function(*[values[path] for path in code.paths], code.tables, constants(block))

    def applying(self, values: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
        """The rules that possibly apply by their own conditions, and whether they certainly do; some twice."""
        yield from self._applying(self.program.general, values)
        if self.program.switch is None:
            return
        value = values[self.program.switch]
        if value is None:  # no bucket is ruled out, and nothing that needs its value is certain
            for bucket in self.program.buckets.values():
                yield from ((rule, False) for rule, _ in self._applying(bucket, values))
        elif value in self.program.buckets:
            yield from self._applying(self.program.buckets[value], values)

    def _applying(self, block: Block, values: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
        possible, unknown = self.run(block, values)
        for bit in bits(possible):
            rule = block.rules[bit]
            if rule is not None:
                yield rule, not unknown >> bit & 1


def match(rules: ActionRules, situation: Situation) -> Matches:
    """Which rules certainly and possibly apply.

    What another choice of readings would change is left to the reference: a program has them folded in.
    """
    if situation.readings:
        return reference.match(rules, situation)
    prepared = _prepare(rules, situation.pack, situation.date)
    found = [each for each in prepared.compiled.applying(_Values(situation)) if each[0] in prepared.rules]
    certain = {rule for rule, surely in found if surely}
    possible = {rule for rule, _ in found}
    for rule in prepared.overridden:
        overriders = rules.overriders[rule]
        if not possible.isdisjoint(overriders):
            certain.discard(rule)
        if not certain.isdisjoint(overriders):
            possible.discard(rule)
    return Matches(frozenset(certain), frozenset(possible))


def compiled(rules: ActionRules, pack: Pack, day: datetime.date) -> Compiled:
    """The code of rules that are in force on a day, made once."""
    return _prepare(rules, pack, day).compiled


class _Values(dict[str, Any]):
    """The values of facts as programs read them, each asked of the situation when it is needed."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def __missing__(self, path: str) -> Any:
        match self._situation.state(path):
            case Known(value):
                found: Any = value
            case NotAsked():
                found = NOT_ASKED
            case _:
                found = None
        self[path] = found
        return found


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What it takes to match the rules: their code, their ids, and those that others override, overriders first."""

    pack: Pack
    compiled: Compiled
    rules: frozenset[str]
    overridden: tuple[str, ...]


_prepared: WeakKeyDictionary[ActionRules, _Prepared] = WeakKeyDictionary()
_preparing = threading.Lock()


def _prepare(rules: ActionRules, pack: Pack, day: datetime.date | None) -> _Prepared:
    """What was prepared for these rules; it goes when the rules go."""
    with _preparing:
        prepared = _prepared.get(rules)
        if prepared is None or prepared.pack is not pack:
            code = Compiled(make_program(rules, pack, day))
            prepared = _prepared[rules] = _prepare_with(code, rules, pack)
            if rules.without_remedies is not None:
                _prepared[rules.without_remedies] = _prepare_with(code, rules.without_remedies, pack)
        return prepared


def _prepare_with(compiled: Compiled, rules: ActionRules, pack: Pack) -> _Prepared:
    order = TopologicalSorter(rules.overriders).static_order()
    overridden = tuple(rule for rule in order if rules.overriders.get(rule))
    return _Prepared(pack, compiled, frozenset(rule.id for rule in rules.rules), overridden)
