"""A decision for people, as plain text in their language: the answer, why, by whom, what to do, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from engine.decision import Decision, Reason
from engine.finding import printable
from engine.paint import COLORS, Paint, no_paint
from engine.phrases import BASE, phrases

Words: TypeAlias = Mapping[str, str]


def decision_lines(decision: Decision, paint: Paint = no_paint, language: str = BASE) -> Iterator[str]:
    """A decision, as one would read it aloud; `language` is that of the words around its texts."""
    words = phrases(language)
    yield f"{paint(decision.outcome.upper(), COLORS[decision.outcome])}: {words[decision.cause]}"
    yield from _reason_lines(decision, words)
    yield from _route_lines(decision, words)
    yield from _section(words["missing"], decision.missing)
    yield from _section(
        words["invalid"], (f"{each.fact} = {_short(each.value)}: {each.problem}" for each in decision.invalid)
    )
    yield from _section(words["to_do"], (_duty(each, words) for each in decision.obligations))
    yield from _section(words["good_to_know"], (_advice(each, words) for each in decision.advice))
    yield from _procedure_lines(decision, words)
    changes = decision.alternatives or ()
    yield from _section(words["alternatives"], (_alternative(each.change, each.route, words) for each in changes))
    yield from _section(words["rests_on"], (_assumption(each, words) for each in decision.assumptions or ()))
    yield from _section(words["warnings"], decision.warnings)
    policy = words["policy"].format(name=decision.policy, day=decision.as_of or words["unknown_day"])
    yield f"{policy}, {decision.version[:19]}"


def _reason_lines(decision: Decision, words: Words) -> Iterator[str]:
    for reason in decision.reasons:
        yield f"  - {_perhaps(decision, reason, words)}{printable(reason.text)}{_source(reason.rule, reason.cites)}"
        if reason.remedy:
            yield f"    {words['remedy']}: {printable(reason.remedy)}"


def _perhaps(decision: Decision, reason: Reason, words: Words) -> str:
    """Of an indeterminate answer only a deferral that settles it is certain; the other rules may yet not apply."""
    certain = decision.outcome != "indeterminate" or (decision.cause == "deferred" and reason.effect == "defer")
    return "" if certain else f"{words['perhaps']}: "


def _route_lines(decision: Decision, words: Words) -> Iterator[str]:
    if not decision.route and not decision.answered_for:
        return
    about = words["answered_for"].format(route=decision.answered_for)
    shown = "" if decision.route and decision.outcome == "allow" else f" ({about})"
    yield f"{words['route']}: {decision.route or words['no_route']}{shown}"


def _procedure_lines(decision: Decision, words: Words) -> Iterator[str]:
    for procedure in decision.procedure:
        yield f"{words['how']}{_source(procedure.rule, procedure.cites)}:"
        yield from (f"  {number}. {printable(step)}" for number, step in enumerate(procedure.steps, 1))


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = [f"  - {printable(item)}" for item in items]
    if lines:
        yield f"{title}:"
        yield from lines


def _source(rule: str, cites: tuple[str, ...]) -> str:
    return f" [{'; '.join([rule, *([', '.join(cites)] if cites else [])])}]"


def _duty(duty: Any, words: Words) -> str:
    when = ", ".join(part for part in (words[duty.due] if duty.due else None, duty.deadline) if part)
    return f"{duty.text}{f' ({when})' if when else ''}{_unsure(duty.certain, words)}{_source(duty.rule, duty.cites)}"


def _advice(advice: Any, words: Words) -> str:
    return f"{advice.text}{_unsure(advice.certain, words)}{_source(advice.rule, advice.cites)}"


def _unsure(certain: bool, words: Words) -> str:
    return "" if certain else f" ({words['uncertain']})"


def _alternative(change: Mapping[str, Any], route: str | None, words: Words) -> str:
    changed = ", ".join(f"{path} = {_short(value)}" for path, value in change.items())
    return f"{changed} ({words['route'].lower()} {route})" if route else changed


def _assumption(assumption: Mapping[str, Any], words: Words) -> str:
    cites = f" ({', '.join(assumption['cites'])})" if assumption["cites"] else ""
    if "reading" in assumption:
        return f"{words['reading']} {assumption['reading']} = {assumption['chosen']}{cites}"
    if "value" in assumption:
        return f"{words['value']} {assumption['value']}{cites}"
    return f"{words['default']} {assumption['fact']} = {_short(assumption['default'])}{cites}"


def _short(value: Any) -> str:
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
