"""The rete backend: durable-rules as an independent second opinion on the same rules.

The one door to durable. Version 2.0.28 matches correctly within the fences set here; outside them it
forgets, hangs or takes the process down, and each fence says what was seen without it. What it decides
is planned in `engine.rete_plan` and put into its words in `engine.rete_script`; the numbers it compares are
worked out in `engine.rete_facts`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from typing import Literal as OneOf
from weakref import WeakKeyDictionary, finalize

from engine.cache import Shelf
from engine.lower import apply_overrides
from engine.model import Pack
from engine.policy import ActionRules, EngineFailure, Matches
from engine.rete_facts import Readings
from engine.rete_plan import make_plan
from engine.rete_script import ZERO, Script, Sheet, make_script
from engine.situation import Situation

# Every rule takes some 30 kB once asked: how many a thread keeps loaded.
MAX_LOADED: Final = 4000
SID: Final = "s"
ID: Final = "f"


class ReteError(EngineFailure):
    """The rete engine cannot answer; nothing may be concluded from that."""


def match(rules: ActionRules, situation: Situation) -> Matches:
    """Which rules certainly and possibly apply, as durable-rules finds. Raises ReteError if it cannot tell."""
    script = _script(rules, situation.pack)
    held: set[int] = set()
    readings = Readings(script, situation, held)
    for networks in _loaded.networks(script):
        held.update([formula for network in networks for formula in network.ask(readings)])
    # The script may be that of more rules.
    formulas = {rule.id: script.rules[rule.id] for rule in rules.rules}
    certain = {rule for rule, (certainly, _) in formulas.items() if certainly in held}
    possible = {rule for rule, (_, possibly) in formulas.items() if possibly in held}
    return apply_overrides(rules, certain, possible)


def prepare(rules: ActionRules, pack: Pack, shelf: Shelf, name: str) -> None:
    """Have the script of these rules at hand: from the cache, or else in it from now on."""
    if rules not in _scripts:
        kept = shelf.get(name)
        if isinstance(kept, Script):
            with _writing:
                _scripts[rules] = (pack, kept)
        else:
            shelf.put(name, _script(rules, pack))


_scripts: WeakKeyDictionary[ActionRules, tuple[Pack, Script]] = WeakKeyDictionary()
_writing = threading.Lock()


def _script(rules: ActionRules, pack: Pack) -> Script:
    """The script of these rules, or of all of which these are what is left without remedies, made once."""
    with _writing:
        written = _scripts.get(rules)
        if written is None or written[0] is not pack:
            whole = next(
                (of for each, of in _scripts.items() if each.without_remedies is rules and of[0] is pack), None
            )
            written = _scripts[rules] = whole or (pack, make_script(make_plan(rules, pack.facts)))
        return written[1]


class _Loaded(threading.local):
    """The networks of this thread: four threads that shared one lost half of their denials, silently."""

    def __init__(self) -> None:
        self._networks: WeakKeyDictionary[Script, list[list[Network]]] = WeakKeyDictionary()

    def networks(self, script: Script) -> list[list[Network]]:
        """The networks of each stage of the script, loaded; those that were not asked for longest make room."""
        networks = self._networks.pop(script, None)
        if networks is None or any(network.broken for stage in networks for network in stage):
            networks = [[Network(sheet) for sheet in stage] for stage in script.stages]
        self._networks[script] = networks
        while self._size() > MAX_LOADED and len(self._networks) > 1:
            del self._networks[next(iter(self._networks.keys()))]
        return networks

    def _size(self) -> int:
        return sum(len(network) for stages in self._networks.values() for stage in stages for network in stage)


_loaded = _Loaded()


class Network:
    """A sheet, loaded as a ruleset of durable's; for one thread."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._names = {column: f"p{place}" for place, column in enumerate(sheet.columns, start=1)}
        self._fired: list[int] = []
        self._ruleset = _durable().Ruleset("clauses", None, self._rules())
        self._health = _Health()
        # Python's Ruleset never frees its own; each would keep megabytes.
        finalize(self, _free, self._ruleset, self._health).atexit = False

    def __len__(self) -> int:
        return len(self._sheet.formulas)

    @property
    def broken(self) -> bool:
        """Whether it failed to answer once, and may not be asked again."""
        return self._health.state == "broken"

    def ask(self, readings: Readings) -> list[int]:
        """The formulas that hold. Raises ReteError unless every rule was certainly considered."""
        facts = {name: readings.column(column) for column, name in self._names.items()}
        self._fired.clear()
        self._health.state = "broken"  # until it has answered
        self._tell({"sid": SID, "id": ID, ZERO: 0, **facts})
        # An action that takes over ten seconds (a process put to sleep) ends the run without a word.
        if self._fired.count(len(self)) != 1 or self._fired[-1] != len(self):
            raise ReteError("durable-rules did not finish")
        self._health.state = "sound"
        return [formula for place in self._fired[:-1] for formula in self._sheet.formulas[place]]

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

    def _rules(self) -> dict[str, Any]:
        """The rules of the sheet, and what each does: to say that it fired."""
        rules: dict[str, Any] = json.loads(self._sheet.definition)
        for place, rule in enumerate(rules.values()):
            rule["run"] = _action(place, self._fired)
        return rules


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
