"""How facts reach decisions, as diagrams: who reads what of an action's rules, or of one rule.

Facts that a request gives are on the left, what is worked out and the readings in the middle, rules on the
right. Here is what a diagram tells; `drawing` decides where it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.book.drawing import draw
from engine.book.figure import EFFECT, GIVEN, RULES, WORKED, Diagram, Entry, Link, Names, Shape, Sketch
from engine.book.links import slug
from engine.condition import READING
from engine.model import Pack, Rule
from engine.policy import ActionRules
from engine.resolve import closure, inputs, rule_reads

# In which order effects stand: as outcomes are made, then what goes with them.
VERDICTS = ("deny", "only_by", "defer", "allow")
DUTIES = ("oblige", "advise", "guide")
# At which turns an effect counts: `only_by` is a denial on other routes, and allows on its own.
TURNS: Mapping[str, tuple[int, ...]] = {"deny": (1,), "only_by": (1, 3), "defer": (2,), "allow": (3,)}
# What each fact is worked out from, and which rules read each fact, by who reads it for them.
Sources = Mapping[str, tuple[str, ...]]
Readers = dict[str, dict[str, set[str]]]


def action_diagram(rules: ActionRules, pack: Pack, names: Names) -> Diagram:
    """How facts reach the rules of an action, which are grouped by effect.

    `names` gives the words for a kind and a name: `fact` (a path), `reading` (an id), `effect`, `count` (how many
    rules, as digits), `namespace` (`action`, `subject`, …), `column` (`given`, `worked`, `rules`), `section`
    (`worked`, `readings`, `outcome`, `duties`) and `mark` (`default`, `lookup`, `turns`).
    """
    sources = _sources(pack, (*rules.reads, *(READING + reading for reading in rules.readings)))
    readers = _readers(pack, rules.rules, sources, lambda rule: _end(rule.effect.kind))
    sketch = _sketch(pack, sources, readers, pack.actions[rules.action].resource)
    counts = Counter(rule.effect.kind for rule in rules.rules)
    ends = [_effects(kind, counts[kind]) for kind in (*VERDICTS, *DUTIES) if counts[kind]]
    return draw(f"action-{slug(rules.action)}", replace(sketch, shapes=(*sketch.shapes, *ends)), names)


def rule_diagram(rule: Rule, pack: Pack, names: Names) -> Diagram:
    """How facts reach a rule, what it says, which rules override it and which it overrides.

    Beside what `action_diagram` asks for, `names` gives the words for `rule` (an id), the column `effect` and the
    sections `overridden_by`, `rule` and `overrides`.
    """
    sources = _sources(pack, closure(pack, rule_reads(pack, rule)))
    readers = _readers(pack, (rule,), sources, lambda _: _RULE)
    sketch = _sketch(pack, sources, readers, None)
    ends, links = _about(rule, pack)
    whole = Sketch((*sketch.shapes, *ends), (*sketch.links, *links))
    return draw(f"rule-{slug(rule.id)}", whole, names)


_RULE = "the rule"


def _end(kind: str) -> str:
    """The name of the shape of an effect, which is no path."""
    return f"effect {kind}"


def _effects(kind: str, count: int) -> Shape:
    group = ("section", "outcome" if kind in VERDICTS else "duties")
    entries = (Entry("effect", kind), Entry("count", str(count)))
    return Shape(_end(kind), "effect", RULES, group, entries, accent=kind, turns=TURNS.get(kind, ()))


def _about(rule: Rule, pack: Pack) -> tuple[list[Shape], list[Link]]:
    """The rule itself, the rules it overrides and is overridden by, and its effect."""
    over = sorted(other.id for other in pack.rules.values() if rule.id in other.overrides)
    under = sorted(other for other in rule.overrides if other in pack.rules)
    own, kind = (Entry("rule", rule.id),), rule.effect.kind
    group = ("section", "rule") if over or under else None
    ends, links = [Shape(_RULE, "rule", RULES, group, own, accent=kind)], [Link(_RULE, _end(kind), 1, "says")]
    if over:
        ends.insert(0, _others("overridden_by", over))
        links.append(Link("overridden_by", _RULE, len(over), "overrides"))
    if under:
        ends.append(_others("overrides", under))
        links.append(Link(_RULE, "overrides", len(under), "overrides"))
    ends.append(Shape(_end(kind), "effect", EFFECT, None, (Entry("effect", kind),), accent=kind))
    return ends, links


def _others(section: str, rules: list[str]) -> Shape:
    return Shape(section, "rule", RULES, ("section", section), tuple(Entry("rule", rule) for rule in rules))


def _sources(pack: Pack, paths: Iterable[str]) -> Sources:
    """What each of the facts and readings is worked out from, of these; all sorted by path."""
    kept = set(paths)
    return {path: tuple(sorted(kept.intersection(_inputs(pack, path)))) for path in sorted(kept)}


def _inputs(pack: Pack, path: str) -> Iterator[str]:
    return inputs(pack, pack.facts[path]) if path in pack.facts else iter(())


def _readers(pack: Pack, rules: Sequence[Rule], sources: Sources, end: Callable[[Rule], str]) -> Readers:
    """Who reads each path itself: a fact worked out from it, or an end; and the ids of the rules it does so for."""
    found: Readers = {path: {} for path in sources}
    # What is not shown (a property of other actions) may be worked out from what is.
    everything = closure(pack, (path for rule in rules for path in rule_reads(pack, rule)))
    below = {path: tuple(_inputs(pack, path)) for path in everything}
    for rule in rules:
        own = set(rule_reads(pack, rule))
        for path in own & sources.keys():
            found[path].setdefault(end(rule), set()).add(rule.id)
        for reader in _through(own, below) & sources.keys():
            for path in sources[reader]:
                found[path].setdefault(reader, set()).add(rule.id)
    return found


def _through(own: Iterable[str], below: Sources) -> set[str]:
    """The paths, and all that they are worked out from."""
    seen: set[str] = set()
    waiting = list(own)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(below[path])
    return seen


def _sketch(pack: Pack, sources: Sources, readers: Readers, resource: str | None) -> Sketch:
    """Facts and readings as shapes, and the links from them; those that nothing tells apart share a shape."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for path, below in sources.items():
        alike.setdefault((_home(path, pack), frozenset(readers[path]), below), []).append(path)
    shape_of = {path: paths[0] for paths in alike.values() for path in paths}
    shapes = [_facts(paths, pack) for paths in alike.values()]
    rules: dict[tuple[str, str], set[str]] = {}
    for path in sources:
        for reader, ids in readers[path].items():
            rules.setdefault((shape_of[path], shape_of.get(reader, reader)), set()).update(ids)
    links = [Link(source, target, len(ids)) for (source, target), ids in sorted(rules.items())]
    return Sketch(tuple(sorted(shapes, key=lambda shape: _rank(shape, resource))), tuple(links))


def _facts(paths: list[str], pack: Pack) -> Shape:
    column, group = _home(paths[0], pack)
    kind = "reading" if group[1] == "readings" else "fact"
    entries = [
        Entry(kind, path.removeprefix(READING) if kind == "reading" else path, _marks(path, pack)) for path in paths
    ]
    return Shape(paths[0], kind, column, group, tuple(entries))


def _marks(path: str, pack: Pack) -> tuple[str, ...]:
    fact = pack.facts.get(path)
    marks = {"default": fact is not None and bool(fact.default), "lookup": fact is not None and fact.lookup is not None}
    return tuple(mark for mark, holds in marks.items() if holds)


def _home(path: str, pack: Pack) -> tuple[int, tuple[str, str]]:
    """The column and the group in which a fact or reading stands."""
    if path.startswith(READING):
        return WORKED, ("section", "readings")
    fact = pack.facts.get(path)
    if fact is not None and (fact.derived is not None or fact.lookup is not None):
        return WORKED, ("section", "worked")
    return GIVEN, ("namespace", path.rpartition(".")[0])


def _rank(shape: Shape, resource: str | None) -> tuple[int, int, str, str]:
    """Where a shape stands before those that read it are known: what is asked for, of what, by whom, in what context."""
    assert shape.group is not None
    name = shape.group[1]
    order = ("action", resource, None, "subject", "context", "worked", "readings")
    return shape.column, order.index(name) if name in order else 2, name, shape.id
