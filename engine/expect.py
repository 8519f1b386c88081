"""Cases as authors write them; what a rule, or a case, may speak of."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from engine.condition import READING
from engine.finding import Place, did_you_mean, one_of
from engine.model import Action, Case, Pack
from engine.nodes import Mapping as MappingNode
from engine.nodes import Scalar, Sequence, plain, word
from engine.stack import Stack


def read_cases(stack: Stack, pack: Pack) -> Iterator[Case]:
    """The cases of a stack, with findings for names in them that nobody declared."""
    known = known_rules(stack)
    broken = {name for _, name in stack.broken}
    for entry in stack.cases:
        given, request, expect = (entry.node.entries.get(name) for name in ("given", "request", "expect"))
        if isinstance(given, MappingNode):
            _check_given(given, broken, pack, stack)
            _check_chosen_readings(given, pack, stack)
        if isinstance(expect, MappingNode):
            _check_expected(expect, known, pack, stack)
        yield Case(
            entry.name, plain(given) if given else None, plain(request) if request else None,
            plain(expect) if expect else {}, entry.layer, entry.place,
        )  # fmt: skip


def _check_given(given: MappingNode, broken: Collection[str], pack: Pack, stack: Stack) -> None:
    """A case may give any wrong value on purpose; a wrong name is a slip."""
    action = pack.actions.get(name := word(given, "action"))
    if action is not None:
        for path, place in given.keys.items():
            if path != "action" and not path.startswith(READING) and path not in broken:
                _check_given_fact(path, place, action, pack, stack)
    elif name not in broken:
        stack.report(
            given.entries["action"].place,
            "unknown-action",
            f"unknown action `{name}`",
            did_you_mean(name, pack.actions, _ON_PURPOSE),
        )


_ON_PURPOSE = "to test one on purpose, give a whole `request`"


def _check_given_fact(path: str, place: Place, action: Action, pack: Pack, stack: Stack) -> None:
    if path not in pack.facts:
        help_ = did_you_mean(path, pack.facts, _ON_PURPOSE)
        stack.report(place, "stray-fact", f"the case gives `{path}`, which nobody declared", help_)
    elif problem := out_of_reach(path, [action]):
        stack.report(place, "stray-fact", f"the case gives `{path}` in vain: {problem}", "take it out")


def _check_chosen_readings(given: MappingNode, pack: Pack, stack: Stack) -> None:
    for path, node in given.entries.items():
        if path.startswith(READING) and isinstance(node, Scalar):
            reading = pack.readings.get(path.removeprefix(READING))
            if reading is None:
                help_ = did_you_mean(path, (READING + name for name in pack.readings), "check the id")
                stack.report(given.keys[path], "unknown-reading", f"unknown reading `{path}`", help_)
            elif node.text not in reading.options:
                help_ = did_you_mean(node.text, reading.options, f"it is one of {one_of(reading.options)}")
                stack.report(node.place, "unknown-option", f"`{node.text}` is no option of `{path}`", help_)


def _check_expected(expect: MappingNode, known: Collection[str], pack: Pack, stack: Stack) -> None:
    for part in ("rules", "obligations", "advice", "procedure"):
        node = expect.entries.get(part)
        for item in node.items if isinstance(node, Sequence) else ():
            if isinstance(item, Scalar) and item.text not in known:
                stack.report(
                    item.place,
                    "unknown-rule",
                    f"expects the unknown rule `{item.text}`",
                    did_you_mean(item.text, pack.rules, "check the id"),
                )


def known_rules(stack: Stack) -> set[str]:
    """The ids of all rules: sound, broken and disabled."""
    return {*stack.rules, *(name for section, name in stack.broken if section in ("rules", "disabled"))}


def out_of_reach(path: str, actions: list[Action]) -> str | None:
    """Why a fact cannot be read by rules of these actions, or None."""
    namespace, _, name = path.partition(".")
    for action in actions:
        if namespace == "action" and path not in action.properties:
            return f"the action `{action.name}` has no property `{name}`"
        if name and namespace not in ("action", "subject", "context", "reading") and namespace != action.resource:
            return f"the action `{action.name}` is about a resource of type `{action.resource}`"
    return None
