"""What changed between two packs: part by part, by name and by meaning; and the cases that are answered otherwise.

Everything that a pack holds is compared field by field, as the model declares it, so that a field that is added to
the model is compared too. Places never count, nor does an order that says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import lru_cache
from typing import Any as Anything
from typing import Literal, TypeAlias

from engine.book.effects import Answer, CaseChange, answer_of, pose
from engine.cases import readings_of, request_of
from engine.condition import All, Any, Compare
from engine.gate import Gate
from engine.model import Arithmetic, Case, Effect, FactDeclaration, Pack, Span, Table, Texts
from engine.request import InvalidRequest
from engine.texts import base_language
from engine.values import Type

# In this order changes are told. A table, row or column that is not in both packs is told as a whole.
KINDS = (
    "policy", "rule", "reading", "table", "column", "row", "cell", "fact", "action", "source", "statement",
    "translation",
)  # fmt: skip
_NAMED = {
    "rules": "rule", "readings": "reading", "facts": "fact", "actions": "action", "sources": "source",
    "statements": "statement",
}  # fmt: skip
_UNORDERED = frozenset({"actions", "overrides", "properties", "languages"})
_UNORDERED_OPERATORS = frozenset({"in", "not_in", "has_any", "has_all"})
_UNORDERED_ARITHMETIC = frozenset({"sum", "product"})
_Parts: TypeAlias = Mapping[str, Anything]
_Key: TypeAlias = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PartChange:
    """A part of something (`condition`, `text`, `cites`, `value`, …) as it was and as it is; None is not there.

    Parts are named like the model's fields; those of a rule's effect stand beside the rule's own, and its kind is
    the part `effect`.
    """

    part: str
    before: Anything
    after: Anything


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was added, removed or changed: one of KINDS, its name, and its parts in the model's order.

    What was added or removed has every part that says something.
    """

    kind: str
    name: str
    what: Literal["added", "removed", "changed"]
    parts: tuple[PartChange, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences of two packs, by kind and name, and the new pack's cases whose answers differ, in its order."""

    entries: tuple[Change, ...]
    cases: tuple[CaseChange, ...]


def changes(old: Gate, new: Gate) -> Changes:
    """What the new policy's pack changes in the old one's.

    The cases of the new pack are put to both policies on the day of the new one. A case that chooses readings counts
    where both packs have these.
    """
    return Changes(tuple(pack_changes(old.pack, new.pack)), tuple(_case_changes(old, new)))


def pack_changes(old: Pack, new: Pack) -> Iterator[Change]:
    """The differences of two packs, by kind and name."""
    before, after = _everything(old, new), _everything(new, old)
    for key in sorted({*before, *after}, key=lambda key: (KINDS.index(key[0]), _name(*key), key)):
        change = _change(key[0], _name(*key), before.get(key), after.get(key))
        if change is not None:
            yield change


def _name(kind: str, names: tuple[str, ...]) -> str:
    """What something is called: a cell `regions.JP.invoice_minimum`, a translation `el rule-id`."""
    return (" " if kind == "translation" else ".").join(names)


def _everything(pack: Pack, other: Pack) -> dict[_Key, Anything]:
    """What a pack holds, by kind and name, as finely as the other pack's tables go."""
    found: dict[_Key, Anything] = {("policy", ()): _policy(pack)}
    for section, kind in _NAMED.items():
        found.update(((kind, (name,)), each) for name, each in getattr(pack, section).items() if not _is_implied(each))
    for locale, texts in pack.translations.items():
        found.update((("translation", (locale, rule)), each) for rule, each in texts.items())
    for name, table in pack.tables.items():
        found.update(_in_table(table, other.tables.get(name)))
    return found


def _policy(pack: Pack) -> _Parts:
    """What the policy says of itself; of the languages' order only the first may matter."""
    return {"name": pack.name, "title": pack.title, "language": base_language(pack), "languages": pack.languages}


def _is_implied(thing: Anything) -> bool:
    """Whether it is a fact that nobody declared: it comes and goes with an action, which is told."""
    return bool(getattr(thing, "implicit", False))


def _in_table(table: Table, other: Table | None) -> Iterator[tuple[_Key, Anything]]:
    """A table that the other pack has too, in its columns, rows and cells; else the table."""
    if other is None:
        yield ("table", (table.name,)), table
        return
    for column, kind in table.columns.items():
        cells = {key: row[column] for key, row in table.rows.items() if column in row}
        whole = {"cells": cells} if cells and column not in other.columns else {}
        yield ("column", (table.name, column)), {"type": kind, **whole}
    for key, row in table.rows.items():
        yield ("row", (table.name, key)), {"cells": row} if row and key not in other.rows else {}
        for column in row if key in other.rows else ():
            if column in other.columns:
                yield ("cell", (table.name, key, column)), row[column]


def _change(kind: str, name: str, before: Anything, after: Anything) -> Change | None:
    """How something differs; None if it does not."""
    if before is after:
        return None
    if kind == "cell":
        # Nearly all cells are as they were, and there may be very many.
        if before == after:
            return None
        before, after = _spans(before, after)
    if before is not None and after is not None:
        parts = tuple(_different(_parts(before), _parts(after)))
        return Change(kind, name or _parts(after)["name"], "changed", parts) if parts else None
    was, now = _telling(before, name), _telling(after, name)
    parts = tuple(PartChange(part, was.get(part), now.get(part)) for part in (was or now))
    return Change(kind, name, "added" if before is None else "removed", parts)


def _spans(before: tuple[Span, ...] | None, after: tuple[Span, ...] | None) -> tuple[Anything, Anything]:
    """A cell as it was and is: its one span each, or all of them where there are several."""
    if all(len(spans) == 1 for spans in (before, after) if spans is not None):
        return before and before[0], after and after[0]
    return before and {"spans": before}, after and {"spans": after}


def _different(before: _Parts, after: _Parts) -> Iterator[PartChange]:
    for part in dict.fromkeys((*before, *after)):
        was, now = before.get(part), after.get(part)
        if was is not now and _meaning_of(part, was) != _meaning_of(part, now):
            yield PartChange(part, was, now)


def _parts(thing: Anything) -> _Parts:
    """The parts of something by name: what counts of a record, and of a rule's effect in the place of that."""
    if isinstance(thing, Mapping):
        return thing
    found: dict[str, Anything] = {}
    for field in _compared(thing.__class__):
        part = getattr(thing, field.name)
        if isinstance(part, Effect):
            found.update({"effect" if name == "kind" else name: each for name, each in _parts(part).items()})
        elif not _is_said_elsewhere(thing, field.name):
            found[field.name] = part
    return found


def _is_said_elsewhere(thing: Anything, part: str) -> bool:
    """Whether a part is said by another: of a property that it is a choice, by its actions; of a lone text, by that."""
    if isinstance(thing, FactDeclaration):
        return part == "choice" and thing.path.startswith("action.")
    return isinstance(thing, Texts) and part == "steps" and thing.steps == (thing.text,)


def _telling(thing: Anything, name: str) -> _Parts:
    """The parts that say something: not those left to their default, nor the name."""
    if thing is None or isinstance(thing, Mapping):
        return thing or {}
    silent = {**_defaults(Effect), **_defaults(thing.__class__), **dict.fromkeys(("id", "name", "path"), name)}
    return {part: value for part, value in _parts(thing).items() if part not in silent or value != silent[part]}


@lru_cache(maxsize=64)
def _compared(kind: Anything) -> tuple[Field[Anything], ...]:
    """The fields of a kind of record that count."""
    return tuple(field for field in fields(kind) if field.compare)


@lru_cache(maxsize=64)
def _defaults(kind: Anything) -> dict[str, Anything]:
    """The defaults of the fields that have one, by name."""
    return {field.name: field.default for field in _compared(kind) if field.default is not MISSING}


def _meaning_of(part: str, value: Anything) -> Hashable:
    return _bag(value) if part in _UNORDERED and value is not None else _meaning(value)


def _meaning(value: Anything) -> Hashable:
    """What a value says, such that two that say the same are equal, wherever and in whatever order they stand.

    The type in a comparison is that of a fact or a reading, which is compared itself.
    """
    match value:
        case bool():
            return bool, value
        case Type(kind="key"):
            # Which rows there are, the table says.
            return Type, value.table
        case All(terms) | Any(terms):
            return type(value), _bag(terms)
        case Compare(path, operator, right):
            operands = _bag(right) if operator in _UNORDERED_OPERATORS else _meaning(right)
            return Compare, path, operator, operands
        case Arithmetic(operation, operands) if operation in _UNORDERED_ARITHMETIC:
            return Arithmetic, operation, _bag(operands)
        case (Span(), *_):
            return _bag(value)
        case tuple():
            return tuple(map(_meaning, value))
        case Mapping():
            return frozenset((name, _meaning(each)) for name, each in value.items())
        case _ if is_dataclass(value):
            kind: Anything = value.__class__
            return kind, *(_meaning(getattr(value, field.name)) for field in _compared(kind))
        case _:
            named: Hashable = value
            return named


def _bag(values: Iterable[Anything]) -> Hashable:
    """The meanings of values whose order says nothing."""
    return frozenset(Counter(map(_meaning, values)).items())


def _case_changes(old: Gate, new: Gate) -> Iterator[CaseChange]:
    day = new.today().as_of
    earlier = old if old.as_of == day else Gate(old.pack, day, old.engine, old.version)
    for case in new.pack.cases:
        if _is_readable(case, old.pack) and _is_readable(case, new.pack):
            before, after = _ask(earlier, case), _ask(new, case)
            if before is not None and after is not None and before != after:
                yield CaseChange(case.name, before, after)


def _is_readable(case: Case, pack: Pack) -> bool:
    """Whether the pack has the readings, with the options, that the case chooses."""
    chosen = readings_of(case).items()
    return all(name in pack.readings and option in pack.readings[name].options for name, option in chosen)


def _ask(gate: Gate, case: Case) -> Answer | None:
    """The policy's answer to a case; None if its request is none."""
    if readings_of(case):
        posed = pose(gate, case)
        if posed is not None:
            return posed.answer()
    try:
        return answer_of(gate.decide(request_of(case)), gate.pack)
    except InvalidRequest:
        return None
