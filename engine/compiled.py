"""The compiled backend: an action's rules as generated Python over tables; the default.

`engine.program` makes the tables and `engine.blocks` the code; here they are brought together and asked.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from graphlib import TopologicalSorter
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from engine import reference
from engine.assemble import make_program
from engine.blocks import Masked, Runnable, constants, runnable
from engine.emit import NOT_ASKED
from engine.kleene import Known, NotAsked
from engine.model import Pack
from engine.policy import ActionRules, Matches
from engine.program import Block, Program
from engine.situation import Situation
from engine.tally import bits

# How many combinations of masks are remembered with their matches.
MAX_REMEMBERED = 4096
Bucket: TypeAlias = tuple[Callable[..., Masked], tuple[Any, ...], tuple[Any, ...], int, Block]


class Compiled:
    """A program with its code, which is made when it is first needed."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.buckets = Buckets(self)
        self._shapes: dict[tuple[int, bool], Runnable] = {}

    def code(self, block: Block) -> Runnable:
        """The code of a block's shape; that of all buckets takes the same facts."""
        kind = (block.shape, block is not self.program.general)
        found = self._shapes.get(kind)
        if found is None:
            shape, paths = self.program.shapes[block.shape], self.program.in_buckets if kind[1] else ()
            found = self._shapes[kind] = runnable(shape, self.program.optional, paths)
        return found

    def arguments(self, block: Block, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """What the code of a block takes, given the facts' values by path (None is unknown)."""
        code = self.code(block)
        found = [(path, values[path]) for path in code.paths]
        sent = [float(each) if path in code.rough and isinstance(each, Decimal) else each for path, each in found]
        return (*sent, code.tables, constants(block))


class Buckets(dict[Any, Bucket]):
    """The buckets by the value that leads to each: code, tables, constants, layout, and the block itself."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    def __missing__(self, value: Any) -> Bucket:
        block = self._compiled.program.buckets[value]
        code = self._compiled.code(block)
        found = self[value] = (code.function, code.tables, constants(block), block.layout, block)
        return found


class Checked:
    """A request whose facts are read and checked, so that its rules can be matched, as often as wanted."""

    __slots__ = ("_answers", "_arguments", "_function")

    def __init__(self, prepared: Prepared, values: Mapping[str, Any]) -> None:
        code, general = prepared.compiled, prepared.compiled.program.general
        self._function = code.code(general).function
        self._arguments = code.arguments(general, values)
        self._answers = prepared.answers(None)

    def match(self) -> Matches:
        """Which rules certainly and possibly apply."""
        return self._answers[self._function(*self._arguments)]


class CheckedInBucket(Checked):
    """A checked request for which the rules of a bucket are looked at, too."""

    __slots__ = ("_bucket", "_bucket_arguments")

    def __init__(self, prepared: Prepared, values: Mapping[str, Any], bucket: Block) -> None:
        super().__init__(prepared, values)
        self._bucket = prepared.compiled.code(bucket).function
        self._bucket_arguments = prepared.compiled.arguments(bucket, values)
        self._answers = prepared.answers(bucket)

    def match(self) -> Matches:
        """Which rules certainly and possibly apply."""
        return self._answers[self._function(*self._arguments) + self._bucket(*self._bucket_arguments)]


class Answers(dict[tuple[int, ...], Matches]):
    """The matches for masks (of the general rules, then of a bucket), remembered."""

    def __init__(self, prepared: Prepared, blocks: tuple[Block, ...]) -> None:
        self._prepared = prepared
        self._blocks = blocks

    def __missing__(self, masks: tuple[int, ...]) -> Matches:
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        halves = zip(self._blocks, masks[::2], masks[1::2], strict=True)
        found = self[masks] = self._prepared.matches(each for half in halves for each in _applying(*half))
        return found


def _applying(block: Block, possible: int, unknown: int) -> Iterator[tuple[str, bool]]:
    """The rules of a block that possibly apply by their own conditions, and whether they certainly do."""
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
    return check(rules, situation).match()


def check(rules: ActionRules, situation: Situation) -> Checked | Undirected:
    """The situation, ready to be matched."""
    prepared, values = _prepare(rules, situation.pack, situation.date), _Values(situation)
    program = prepared.compiled.program
    if program.switch is None:
        return Checked(prepared, values)
    value = values[program.switch]
    if value is None:
        return Undirected(prepared, values)
    bucket = program.buckets.get(value)
    return Checked(prepared, values) if bucket is None else CheckedInBucket(prepared, values, bucket)


@dataclass(frozen=True, slots=True)
class Undirected:
    """A checked request of which nobody knows what bucket it leads to: none is ruled out."""

    prepared: Prepared
    values: Mapping[str, Any]

    def match(self) -> Matches:
        """Which rules certainly and possibly apply; of those in buckets none certainly."""
        program = self.prepared.compiled.program
        inside = (rule for block in program.buckets.values() for rule, _ in self._in(block))
        return self.prepared.matches([*self._in(program.general), *((rule, False) for rule in inside)])

    def _in(self, block: Block) -> Iterator[tuple[str, bool]]:
        code = self.prepared.compiled
        return _applying(block, *code.code(block).function(*code.arguments(block, self.values)))


def adopt(rules: ActionRules, pack: Pack, code: Callable[[], Compiled]) -> None:
    """Match these rules with code that was made elsewhere, unless there is some already."""
    with _preparing:
        known = _prepared.get(rules)
        if known is None or known.pack is not pack:
            _keep(rules, pack, code())


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


class Prepared:
    """What it takes to match the rules of an action."""

    def __init__(self, compiled: Compiled, rules: ActionRules, pack: Pack) -> None:
        self.pack = pack
        self.compiled = compiled
        self._rules = frozenset(rule.id for rule in rules.rules)
        order = TopologicalSorter(rules.overriders).static_order()
        self._overriders = [(rule, rules.overriders[rule]) for rule in order if rules.overriders.get(rule)]
        self._answers: dict[int | None, Answers] = {}

    def answers(self, bucket: Block | None) -> Answers:
        """The matches for the masks of the general rules, and of a bucket."""
        key = None if bucket is None else id(bucket)
        found = self._answers.get(key)
        if found is None:
            general = self.compiled.program.general
            found = self._answers[key] = Answers(self, (general,) if bucket is None else (general, bucket))
        return found

    def matches(self, applying: Iterable[tuple[str, bool]]) -> Matches:
        """What is left of the rules that possibly apply, some for certain, once overriders have spoken."""
        found = [each for each in applying if each[0] in self._rules]
        certain, possible = {rule for rule, surely in found if surely}, {rule for rule, _ in found}
        for rule, overriders in self._overriders:
            if not possible.isdisjoint(overriders):
                certain.discard(rule)
            if not certain.isdisjoint(overriders):
                possible.discard(rule)
        return Matches(frozenset(certain), frozenset(possible))


_prepared: WeakKeyDictionary[ActionRules, Prepared] = WeakKeyDictionary()
_preparing = threading.Lock()


def _prepare(rules: ActionRules, pack: Pack, day: datetime.date | None) -> Prepared:
    """What was prepared for these rules; it goes when the rules go."""
    with _preparing:
        known = _prepared.get(rules)
        if known is None or known.pack is not pack:
            known = _keep(rules, pack, Compiled(make_program(rules, pack, day)))
        return known


def _keep(rules: ActionRules, pack: Pack, code: Compiled) -> Prepared:
    if rules.without_remedies is not None:
        _prepared[rules.without_remedies] = Prepared(code, rules.without_remedies, pack)
    prepared = _prepared[rules] = Prepared(code, rules, pack)
    return prepared
