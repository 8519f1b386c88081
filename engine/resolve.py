"""From a pack to the policy of one day: rules in force, who overrides whom, and what is read."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import replace

from engine.condition import ALWAYS, READING, All, Compare, Condition, Fact, paths
from engine.model import Arithmetic, FactDeclaration, Pack, Rule, Span
from engine.policy import ActionRules, Policy
from engine.situation import DATE
from engine.values import DATE as DATE_TYPE


def resolve(pack: Pack, version: str, as_of: datetime.date | None) -> Policy:
    """The policy in force on the day; None (the request's date is invalid) leaves every dated rule unknown."""
    rules = [_undated(rule) if as_of is None else rule for rule in pack.rules.values() if _in_force(rule, as_of)]
    by_action: dict[str, list[Rule]] = {name: [] for name in pack.actions}
    for rule in sorted(rules, key=lambda rule: rule.id):
        for action in rule.actions:
            by_action[action].append(rule)
    return Policy(pack, version, as_of, {name: action_rules(pack, name, chosen) for name, chosen in by_action.items()})


def action_rules(pack: Pack, action: str, rules: Iterable[Rule]) -> ActionRules:
    """The given rules, sorted by id, as the rules of an action."""
    ordered = tuple(rules)
    present = {rule.id for rule in ordered}
    overriders: dict[str, list[str]] = {}
    for rule in ordered:
        for overridden in rule.overrides:
            if overridden in present:
                overriders.setdefault(overridden, []).append(rule.id)
    everything = closure(pack, (path for rule in ordered for path in rule_reads(pack, rule)))
    # What derived facts share may name properties that this action does not have: nobody can send those.
    reads = {path for path in everything if not path.startswith("action.") or path in pack.actions[action].properties}
    route = pack.route
    lasting = [rule for rule in ordered if rule.effect.remedy is None]
    return ActionRules(
        action,
        ordered,
        {rule: tuple(others) for rule, others in overriders.items()},
        tuple(sorted(path for path in reads if not path.startswith(READING))),
        tuple(sorted(path.removeprefix(READING) for path in reads if path.startswith(READING))),
        route if route and route.path in reads else None,
        action_rules(pack, action, lasting) if len(lasting) < len(ordered) else None,
    )


def change_dates(pack: Pack) -> tuple[datetime.date, ...]:
    """The days on which a rule or the value of a cell comes into force or has just gone out of it, sorted."""
    tables = (table for table in pack.tables.values() if len(table.undated) < len(table.columns))
    cells = (cell for table in tables for row in table.rows.values() for cell in row.values())
    dated: list[Rule | Span] = [*pack.rules.values(), *(span for cell in cells for span in cell)]
    starts = {each.start for each in dated if each.start}
    last = datetime.date.max
    ends = {each.end + datetime.timedelta(days=1) for each in dated if each.end and each.end < last}
    return tuple(sorted(starts | ends))


def rule_reads(pack: Pack, rule: Rule) -> Iterator[str]:
    """The paths that a rule reads itself: in its condition, and to know a deadline or the route of `only_by`."""
    yield from paths(rule.condition)
    if isinstance(rule.effect.deadline, Fact):
        yield rule.effect.deadline.path
    if rule.effect.kind == "only_by":
        if pack.route:
            yield pack.route.path
        if isinstance(rule.effect.route, Fact):
            yield rule.effect.route.path


def closure(pack: Pack, read: Iterable[str]) -> set[str]:
    """The paths, and every path read to know them (derived facts, defaults, look-ups, currencies)."""
    seen: set[str] = set()
    waiting = list(read)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            if path in pack.facts:
                waiting.extend(inputs(pack, pack.facts[path]))
    return seen


def inputs(pack: Pack, fact: FactDeclaration) -> Iterator[str]:
    """The paths that are read to know a fact which the request does not give (or gives as a bare number of money)."""
    if isinstance(fact.currency, Fact):
        yield fact.currency.path
    if fact.lookup:
        yield fact.lookup.key
        if fact.lookup.table in pack.tables and _is_dated(pack, fact.lookup.table, fact.lookup.column):
            yield DATE
    match fact.derived:
        case None | tuple():
            for choice in (*fact.default, *(fact.derived or ())):
                yield from paths(choice.condition)
                if isinstance(choice.value, Fact):
                    yield choice.value.path
        case Arithmetic(_, operands):
            yield from (operand.path for operand in operands if isinstance(operand, Fact))
        case condition:
            yield from paths(condition)


def _is_dated(pack: Pack, table: str, column: str) -> bool:
    if column in pack.tables[table].undated:
        return False
    rows = pack.tables[table].rows.values()
    return any(span.start or span.end for row in rows for span in row.get(column, ()))


def _in_force(rule: Rule, as_of: datetime.date | None) -> bool:
    if as_of is None:
        return True
    return (rule.start is None or rule.start <= as_of) and (rule.end is None or as_of <= rule.end)


def _undated(rule: Rule) -> Rule:
    """The rule with its dates as conditions on the date, which nobody knows."""
    bounds: list[Condition] = []
    if rule.start:
        bounds.append(Compare(DATE, "on_or_after", (rule.start,), DATE_TYPE))
    if rule.end:
        bounds.append(Compare(DATE, "on_or_before", (rule.end,), DATE_TYPE))
    if not bounds:
        return rule
    terms = (*bounds, rule.condition) if rule.condition != ALWAYS else tuple(bounds)
    return replace(rule, condition=All(terms), start=None, end=None)
