"""The rete backend: durable-rules as an independent second opinion on the same rules.

The one door to durable. Version 2.0.28 matches correctly within the fences set here; outside them it
forgets, hangs or takes the process down, and each fence says what was seen without it. What it decides
is planned in `engine.rete_plan`, the numbers it compares are worked out in `engine.rete_facts`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from typing import Literal as OneOf
from weakref import WeakKeyDictionary, finalize

from engine.lower import apply_overrides
from engine.model import Pack
from engine.policy import ActionRules, EngineFailure, Matches
from engine.rete_facts import Codes, Readings
from engine.rete_plan import Clause, Column, Literal, Plan, columns, make_plan
from engine.situation import Situation

# A message of 255 properties, some of them durable's own, is refused (error 302).
MAX_PROPERTIES: Final = 240
# More than 4,096 rules do not load (error 106).
MAX_RULES: Final = 2000
# Every rule takes some 30 kB once asked: how many a thread keeps loaded.
MAX_LOADED: Final = 4000
SID: Final = "s"
ID: Final = "f"
ZERO: Final = "p0"


class ReteError(EngineFailure):
    """The rete engine cannot answer; nothing may be concluded from that."""


def match(rules: ActionRules, situation: Situation) -> Matches:
    """Which rules certainly and possibly apply, as durable-rules finds. Raises ReteError if it cannot tell."""
    plan = _plan(rules, situation.pack)
    held: set[int] = set()
    readings = Readings(plan, situation, held)
    for clauses, networks in zip(plan.stages, _loaded.networks(plan), strict=True):
        found = [clause for network in networks for clause in network.ask(readings)]
        held.update(number for clause in found for number in clauses[clause])
    certain = {rule for rule, (certainly, _) in plan.rules.items() if certainly in held}
    possible = {rule for rule, (_, possibly) in plan.rules.items() if possibly in held}
    return apply_overrides(rules, certain, possible)


_plans: WeakKeyDictionary[ActionRules, tuple[Pack, Plan]] = WeakKeyDictionary()
_planning = threading.Lock()


def _plan(rules: ActionRules, pack: Pack) -> Plan:
    """The plan of these rules, made once; it goes when the rules go."""
    with _planning:
        planned = _plans.get(rules)
        if planned is None or planned[0] is not pack:
            planned = _plans[rules] = (pack, make_plan(rules, pack.facts))
        return planned[1]


class _Loaded(threading.local):
    """The networks of this thread: four threads that shared one lost half of their denials, silently."""

    def __init__(self) -> None:
        self._networks: WeakKeyDictionary[Plan, list[list[Network]]] = WeakKeyDictionary()

    def networks(self, plan: Plan) -> list[list[Network]]:
        """The networks of each stage of the plan, loaded; those that were not asked for longest make room."""
        networks = self._networks.pop(plan, None)
        if networks is None or any(network.broken for stage in networks for network in stage):
            networks = [[Network(part, Codes(plan.constants)) for part in _parts(stage)] for stage in plan.stages]
        self._networks[plan] = networks
        while self._size() > MAX_LOADED and len(self._networks) > 1:
            del self._networks[next(iter(self._networks.keys()))]
        return networks

    def _size(self) -> int:
        return sum(len(network) for stages in self._networks.values() for stage in stages for network in stage)


_loaded = _Loaded()


def _parts(clauses: Collection[Clause]) -> list[list[Clause]]:
    """The clauses in runs that one ruleset can hold."""
    parts: list[list[Clause]] = []
    seen: set[Column] = set()
    for clause in clauses:
        wanted = columns([clause])
        if not parts or len(parts[-1]) == MAX_RULES or len(seen | wanted) > MAX_PROPERTIES:
            parts.append([])
            seen = set()
        parts[-1].append(clause)
        seen |= wanted
    return parts


class Network:
    """Some clauses, loaded as a ruleset of durable's; for one thread."""

    def __init__(self, clauses: Sequence[Clause], codes: Codes) -> None:
        self._clauses = clauses
        self._fired: list[int] = []
        # Names are told apart by a hash of 32 bits alone; those from p0 to p99999 all differ.
        self._names = {column: f"p{place}" for place, column in enumerate(sorted(columns(clauses), key=repr), start=1)}
        self._ruleset = _durable().Ruleset("clauses", None, self._rules(codes))
        self._health = _Health()
        # Python's Ruleset never frees its own; each would keep megabytes.
        finalize(self, _free, self._ruleset, self._health).atexit = False

    def __len__(self) -> int:
        return len(self._clauses)

    @property
    def broken(self) -> bool:
        """Whether it failed to answer once, and may not be asked again."""
        return self._health.state == "broken"

    def ask(self, readings: Readings) -> list[Clause]:
        """The clauses that hold. Raises ReteError unless every one was certainly considered."""
        facts = {name: readings.column(column) for column, name in self._names.items()}
        self._fired.clear()
        self._health.state = "broken"  # until it has answered
        self._tell({"sid": SID, "id": ID, ZERO: 0, **facts})
        # An action that takes over ten seconds (a process put to sleep) ends the run without a word.
        if self._fired.count(len(self._clauses)) != 1 or self._fired[-1] != len(self._clauses):
            raise ReteError("durable-rules did not finish")
        self._health.state = "sound"
        return [self._clauses[place] for place in self._fired[:-1]]

    def _tell(self, message: dict[str, Any]) -> None:
        """Have the rules fire that the message matches, a fact: of two rules only one would take an event."""
        ends: list[tuple[BaseException | None, Any]] = []
        try:
            state = self._ruleset.assert_fact(message)
            self._ruleset.do_actions(state, lambda error, after: ends.append((error, after)))
            # Under one name for ever: after a thousand names there is a MemoryError.
            self._ruleset.retract_fact({"sid": SID, "id": ID})
        except Exception as error:
            raise ReteError(f"durable-rules failed: {error}") from error
        problem, after = ends[0] if ends else (None, None)
        if isinstance(problem, KeyboardInterrupt | SystemExit):
            raise problem
        # What an action raises is not raised here, but left in the state.
        if problem is not None or after is None or "exception" in after:
            raise ReteError(f"durable-rules failed: {problem or 'an action did not run to its end'}") from problem

    def _rules(self, codes: Codes) -> dict[str, Any]:
        rules = {
            f"r{place}": {
                "all": [{"m": {"$and": [*_branch(place, len(self._clauses)), *self._tests(clause, codes)]}}],
                "run": _action(place, self._fired),
            }
            for place, clause in enumerate(self._clauses)
        }
        # Always true: a fact that nothing matches raises, and leaks. It comes last, so that it tells the end.
        rules["end"] = {"pri": 1, "all": [{"m": {"$lt": {ZERO: 1}}}], "run": _action(len(self._clauses), self._fired)}
        return rules

    def _tests(self, clause: Clause, codes: Codes) -> list[dict[str, Any]]:
        tests = [{literal.operator: {self._names[literal.column]: self._right(literal, codes)}} for literal in clause]
        return sorted(tests, key=repr)

    def _right(self, literal: Literal, codes: Codes) -> Any:
        if isinstance(literal.right, Column):
            return {"$m": self._names[literal.right]}
        return codes.number(literal.column.quantity, literal.right)


def _branch(place: int, count: int) -> list[dict[str, Any]]:
    """Tests that always hold and put the rules on a tree of eight branches at each fork.

    durable keeps what is still to match on a stack of 64 (error 303), the siblings at one fork in 512
    slots, and its search hangs once they are full; of 256 rules on one node the last corrupts memory.
    """
    digits = max(1, len(f"{count - 1:o}"))
    return [{"$lt": {ZERO: (place >> 3 * digit) % 8 + 1}} for digit in reversed(range(digits))]


def _action(place: int, fired: list[int]) -> Callable[[Any], None]:
    def run(_context: Any) -> None:
        fired.append(place)

    return run


@dataclass(slots=True)
class _Health:
    """Whether a ruleset was not yet asked, has answered whatever it was asked, or once failed to."""

    state: OneOf["fresh", "sound", "broken"] = "fresh"


def _free(ruleset: Any, health: _Health) -> None:
    """Free what durable keeps; what may be half made is left alone, since freeing that crashes."""
    if health.state == "sound":
        ruleset.delete_state(SID)
    if health.state != "broken":
        _durable().durable_rules_engine.delete_ruleset(ruleset._handle)  # noqa: SLF001  # no public name for it


def _durable() -> Any:
    """The module of durable's rulesets, loaded when first needed."""
    try:
        from durable import engine  # noqa: PLC0415
    except ImportError as error:
        message = f"the rete engine needs durable-rules: pip install durable-rules ({error})"
        raise ReteError(message) from None
    return engine
