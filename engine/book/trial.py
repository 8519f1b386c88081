"""Trying pairs of facts: along which two the outcome of an action varies, and beside which other facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

from engine.book.axes import Line
from engine.book.ground import Ground
from engine.cases import readings_of, request_of
from engine.decision import Cause, Decision
from engine.gate import Gate
from engine.model import Case, Outcome
from engine.request import InvalidRequest, from_paths, read_request

MAX_MATRICES = 6
MAX_CELLS = 3000
MAX_COLUMNS = 16
# How much is tried: cases that are looked at (with so many points of a fact), cases that become a base, facts,
# pairs of them, and rows of a pair.
MAX_CASES = 60
MAX_GLANCED = 12
MAX_BASES = 12
MAX_LINES = 40
MAX_PAIRS = 200
MAX_POINTS = 60
MAX_DECISIONS = 40_000
OPEN_CAUSES = frozenset({"missing_facts", "invalid_facts"})
_STRICTNESS = {"allow": 0, "indeterminate": 1, "deny": 2}

# What tables are chosen by: the outcome in a cell, the route of an allow if it is no axis, and whether it is open.
End: TypeAlias = tuple[Outcome, str | None, bool]


@dataclass(frozen=True, slots=True)
class Base:
    """A case (by name; None for none), and those of its facts that the action's rules read."""

    case: str | None
    given: Mapping[str, Any]

    def without(self, *paths: str) -> dict[str, Any]:
        """The facts but these."""
        return {path: value for path, value in self.given.items() if path not in paths}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two facts, one along the rows and one along the columns."""

    rows: Line
    columns: Line

    @property
    def paths(self) -> tuple[str, str]:
        """Their paths."""
        return self.rows.path, self.columns.path


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What a pair beside a base tells.

    `crossing`: the outcome is not just the stricter one of what each fact alone leads to. `rows` and `columns`
    are how many of them differ, apart from cells that stay open because facts are missing.
    """

    pair: Pair
    base: Base
    crossing: bool
    rows: int
    columns: int
    definite: float
    allows: int

    @property
    def variety(self) -> int:
        """How much there is to see, twice as much where both facts have a say."""
        return self.rows * self.columns * (1 + self.crossing)

    @property
    def is_telling(self) -> bool:
        """Whether it shows what neither fact shows alone."""
        return self.crossing and self.rows > 1 and self.columns > 1

    @property
    def worth(self) -> tuple[int, int, float, int]:
        """What makes a base better for a pair; where the same is said, the one with fewer facts."""
        return self.variety, self.allows, self.definite, -len(self.base.given)

    @property
    def score(self) -> float:
        """What makes a pair better than another one: what it tells for certain, and more so of choices and keys."""
        chosen = sum(line.kind in ("choice", "key") for line in (self.pair.rows, self.pair.columns))
        return self.variety * self.definite * (2 + chosen)


class Asking:
    """Decides a request again and again, with other values of a few facts.

    Raises InvalidRequest when it is made of facts of two resources.
    """

    def __init__(self, gate: Gate, action: str, given: Mapping[str, Any], paths: Sequence[str]) -> None:
        marks = [object() for _ in paths]
        self._request = from_paths({"action": action, **given, **dict(zip(paths, marks, strict=True))})
        self._holders = [next(_holders(self._request, mark)) for mark in marks]
        self._gate = gate
        self._decide = gate.decider()

    def __call__(self, *values: Any) -> Decision:
        """The decision with these values; only its outcome, cause, route and rules may be read of it."""
        return self._decide(self._with(values))

    def leaves_open(self, cause: Cause, *values: Any) -> bool:
        """Whether a glance at the rules shows that an outcome with this cause does not follow from these values.

        Where very many rules are possible, to say what keeps the outcome open takes a hundred times as long.
        """
        checked = self._gate.checked(self._with(values))
        if checked is None:
            return False
        matches, rules = checked.match(), self._gate.pack.rules
        if cause == "forbidden":
            return not any(rules[rule].effect.kind in ("deny", "only_by") for rule in matches.certain)
        return any(rules[rule].effect.kind == "deny" for rule in matches.possible - matches.certain)

    def _with(self, values: Sequence[Any]) -> dict[str, Any]:
        for (holder, name), value in zip(self._holders, values, strict=True):
            holder[name] = value
        return self._request


def _holders(data: dict[str, Any], value: object) -> Iterator[tuple[dict[str, Any], str]]:
    """Where in a request the value stands."""
    for name, each in data.items():
        if each is value:
            yield data, name
        elif isinstance(each, dict):
            yield from _holders(each, value)


def bases(gate: Gate, ground: Ground, cases: Iterable[Case]) -> tuple[Base, ...]:
    """What the other facts may be: those of the cases beside which single facts change most, and last nothing."""
    found: dict[str, Base] = {}
    for case in cases:
        base = _base(gate, ground, case)
        if base is not None:
            found.setdefault(repr(sorted(base.given.items(), key=lambda each: each[0])), base)
    rated = [(_richness(gate, ground, base), base) for base in _thinned(tuple(found.values()), MAX_CASES)]
    rated.sort(key=lambda each: -each[0])
    return (*(base for _, base in rated[:MAX_BASES]), Base(None, {}))


def _base(gate: Gate, ground: Ground, case: Case) -> Base | None:
    """The case as a base; None if it is about something else, or another day's policy."""
    if _action_of(case) != ground.action.name or readings_of(case):
        return None
    try:
        asked = read_request(request_of(case), gate.pack)
    except InvalidRequest:
        return None
    if asked.action is None or gate.policy_for(asked).actions[asked.action.name] is not ground.rules:
        return None
    return Base(case.name, {path: asked.given[path] for path in sorted(asked.given) if path in ground.rules.reads})


def _action_of(case: Case) -> object:
    """The name of the action that a case asks about, as it has it; reading the whole request takes longer."""
    if case.given is not None:
        return case.given.get("action")
    action = (case.request or {}).get("action")
    return action.get("name") if isinstance(action, Mapping) else None


def _richness(gate: Gate, ground: Ground, base: Base) -> int:
    """How many different answers there are when single facts of the base change."""
    total = 0
    for line in ground.lines(base.given)[:MAX_LINES]:
        with suppress(InvalidRequest):
            ask = Asking(gate, ground.action.name, base.without(line.path), [line.path])
            decisions = [ask(group[0].sample) for group in _thinned(line.groups, MAX_GLANCED)]
            total += len({(each.outcome, each.route) for each in decisions if each.cause not in OPEN_CAUSES})
    return total


def best(gate: Gate, ground: Ground, given: Sequence[Base]) -> list[Trial]:
    """The pairs of facts that tell most, each beside the base where it does; the most telling first.

    The best of a choice and a key, and of a threshold and the route, are among them wherever the outcome varies
    along both; of others only those that cross, with a choice or a key, or compared with each other.
    """
    ranked = sorted(_trials(gate, ground, given), key=lambda trial: -trial.score)
    firm = [
        next((trial for trial in ranked if _is(trial.pair, ground)), None)
        for _is in (_of_choice_and_key, _of_threshold_and_route)
    ]
    telling = [trial for trial in ranked if trial.is_telling and _is_related(trial.pair, ground)]
    chosen = list(dict.fromkeys((*filter(None, firm), *telling)))[:MAX_MATRICES] or ranked[:1]
    return sorted(chosen, key=lambda trial: -trial.score)


def _of_choice_and_key(pair: Pair, _ground: Ground) -> bool:
    return {pair.rows.kind, pair.columns.kind} == {"choice", "key"}


def _of_threshold_and_route(pair: Pair, ground: Ground) -> bool:
    return (
        "number" in (pair.rows.kind, pair.columns.kind) and ground.route is not None and ground.route.path in pair.paths
    )


def _is_related(pair: Pair, ground: Ground) -> bool:
    kinds = {pair.rows.kind, pair.columns.kind}
    return not kinds.isdisjoint(("choice", "key")) or ground.compares(*pair.paths)


def _trials(gate: Gate, ground: Ground, given: Sequence[Base]) -> Iterable[Trial]:
    """The pairs along both of which the outcome varies, each beside the base where it tells most."""
    found: dict[frozenset[str], Trial] = {}
    left = MAX_DECISIONS
    for base in given:
        for pair in _pairs(ground.lines(base.given)[:MAX_LINES]):
            key = frozenset(pair.paths)
            if base.case is None and key in found:
                continue
            left -= min(len(pair.rows.groups), MAX_POINTS) * pair.columns.size
            trial = _try(gate, ground, pair, base) if left >= 0 else None
            if trial is not None and (key not in found or trial.worth > found[key].worth):
                found[key] = trial
    return found.values()


def _pairs(lines: Sequence[Line]) -> Iterator[Pair]:
    found = 0
    for one, other in combinations(lines, 2):
        pair = _pair(*(_beside(*each) for each in ((one, other), (other, one))))
        if pair is not None and found < MAX_PAIRS:
            found += 1
            yield pair


def _beside(line: Line, other: Line) -> Line | None:
    """The line where the other's values change, too; None if its ranges are not known then."""
    if other.path not in line.depends:
        return line
    return None if line.kind == "number" or line.size > MAX_CELLS else line.apart()


def _pair(one: Line | None, other: Line | None) -> Pair | None:
    """Both, the one with few points along the columns, best a choice; None if they are too many."""
    if one is None or other is None:
        return None
    columns = min((one, other), key=lambda line: (line.size > MAX_COLUMNS, line.kind != "choice", line.size))
    rows = other if columns is one else one
    fits = columns.size <= MAX_COLUMNS and len(rows.groups) * columns.size <= MAX_CELLS
    return Pair(rows, columns) if fits and len(rows.groups) > 1 else None


def _try(gate: Gate, ground: Ground, pair: Pair, base: Base) -> Trial | None:
    """What the pair tells; None if the outcome does not vary along both facts."""
    try:
        ask = Asking(gate, ground.action.name, base.without(*pair.paths), pair.paths)
    except InvalidRequest:
        return None  # the two are facts of different resources
    columns = [group[0].sample for group in pair.columns.groups]
    rows = [group[0].sample for group in _thinned(pair.rows.groups, MAX_POINTS)]
    by_route = ground.route is not None and ground.route.path not in pair.paths
    grid = [[_end(ask(row, column), by_route) for column in columns] for row in rows]
    return _told(pair, base, grid, list(zip(*grid, strict=True)))


def _end(decision: Decision, by_route: bool) -> End:
    route = decision.route if by_route and decision.outcome == "allow" else None
    return decision.outcome, route, decision.cause in OPEN_CAUSES


def _told(pair: Pair, base: Base, rows: Sequence[Sequence[End]], columns: Sequence[Sequence[End]]) -> Trial | None:
    if not _varies(rows) or not _varies(columns):
        return None
    cells = [cell for row in rows for cell in row]
    definite = sum(not still_open for _, _, still_open in cells) / len(cells)
    allows = sum(outcome == "allow" for outcome, _, _ in cells)
    return Trial(pair, base, _crosses(rows, columns), _different(rows), _different(columns), definite, allows)


def _varies(lines: Sequence[Sequence[End]]) -> bool:
    """Whether not all lines have the same outcomes and routes."""
    return len({tuple(cell[:2] for cell in line) for line in lines}) > 1


def _different(lines: Iterable[Sequence[End]]) -> int:
    """How many lines differ in cells that are not open; those that are the same all along count as one."""
    distinct = list(dict.fromkeys(map(tuple, lines)))
    unlike = [line for line in distinct if len({cell for cell in line if not cell[2]}) > 1]
    found: list[Sequence[End]] = []
    for line in sorted(unlike, key=lambda line: sum(cell[2] for cell in line)):
        if all(any(a != b and not a[2] and not b[2] for a, b in zip(line, other, strict=True)) for other in found):
            found.append(line)
    return len(found) + (len(unlike) < len(distinct))


def _crosses(rows: Sequence[Sequence[End]], columns: Sequence[Sequence[End]]) -> bool:
    """Whether some cell is stricter than everything that its row and its column lead to anyway."""
    least_of_rows, least_of_columns = ([min(map(_strictness, line)) for line in lines] for lines in (rows, columns))
    return any(
        _strictness(cell) > max(least, other)
        for row, least in zip(rows, least_of_rows, strict=True)
        for cell, other in zip(row, least_of_columns, strict=True)
    )


def _strictness(cell: End) -> int:
    return _STRICTNESS[cell[0]]


def _thinned(items: Sequence[Any], most: int) -> Sequence[Any]:
    """At most so many of the items, spread evenly, the first among them."""
    return items if len(items) <= most else [items[index * len(items) // most] for index in range(most)]
