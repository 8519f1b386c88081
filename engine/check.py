"""Checks of a whole pack: what no single entry can show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.condition import READING, Condition, Presence, leaves
from engine.depth import too_deep
from engine.finding import Finding, Place, one_of
from engine.model import VERDICTS, Arithmetic, FactDeclaration, Pack, Rule, Texts
from engine.resolve import closure, inputs, rule_reads
from engine.satisfy import contradicts_itself
from engine.texts import base_language, placeholders


def check_logic(pack: Pack) -> Iterator[Finding]:
    """What makes no sense in the pack as a whole."""
    yield from _cycles(pack)
    yield from too_deep(pack)
    yield from _contradictions(pack)
    yield from _misplaced_known(pack)


def check_completeness(pack: Pack) -> Iterator[Finding]:
    """What a sound pack still lacks; cases are looked at elsewhere, by deciding them."""
    yield from _untranslated(pack)
    yield from _uneven(pack)
    yield from _uncited(pack)
    yield from _never_allowed(pack)
    yield from _unread(pack)
    yield from _unset(pack)


def _cycles(pack: Pack) -> Iterator[Finding]:
    overrides = {
        rule.id: [other for other in rule.overrides if other in pack.rules and other != rule.id]
        for rule in pack.rules.values()
    }
    for ring in _rings(overrides):
        help_ = "an override must lead from the special to the general"
        yield Finding(pack.rules[ring[0]].place, "override-cycle", f"rules override each other: {_chain(ring)}", help_)
    reads = {path: [other for other in inputs(pack, fact) if other in pack.facts] for path, fact in pack.facts.items()}
    for ring in _rings(reads):
        help_ = "work one of them out from something else"
        yield Finding(
            pack.facts[ring[0]].place, "derived-cycle", f"facts are worked out from each other: {_chain(ring)}", help_
        )


def _chain(ring: list[str]) -> str:
    return " → ".join(f"`{name}`" for name in [*ring, ring[0]])


def _rings(edges: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """One ring for each place where following the edges comes back, each beginning with its least name."""
    done: set[str] = set()
    for start in sorted(edges):
        trail: list[str] = []
        waiting: list[Iterator[str]] = []
        if start not in done:
            trail, waiting = [start], [iter(sorted(edges[start]))]
        while waiting:
            other = next(waiting[-1], None)
            if other is None:
                waiting.pop()
                done.add(trail.pop())
            elif other in trail:
                ring = trail[trail.index(other) :]
                least = ring.index(min(ring))
                yield ring[least:] + ring[:least]
            elif other not in done:
                trail.append(other)
                waiting.append(iter(sorted(edges.get(other, ()))))


def _conditions(fact: FactDeclaration) -> Iterator[Condition]:
    yield from (choice.condition for choice in fact.default)
    match fact.derived:
        case None | Arithmetic():
            return
        case tuple() as choices:
            yield from (choice.condition for choice in choices)
        case condition:
            yield condition


def _contradictions(pack: Pack) -> Iterator[Finding]:
    help_ = "look for one fact asked to be two things, or for an empty range"
    for rule in pack.rules.values():
        if contradicts_itself(rule.condition):
            yield Finding(rule.place, "contradiction", f"the condition of `{rule.id}` can never hold", help_)
    for fact in pack.facts.values():
        if any(contradicts_itself(condition) for condition in _conditions(fact)):
            yield Finding(fact.place, "contradiction", f"a condition of `{fact.path}` can never hold", help_)


def _misplaced_known(pack: Pack) -> Iterator[Finding]:
    """`known` where outcomes are made, or in facts that are read there: more knowledge could change a definite answer."""
    read: dict[str, str] = {}
    for rule_id, where in sorted(_deciding(pack).items()):
        rule = pack.rules[rule_id]
        yield from _known_in(rule.condition, rule.place, where)
        # What is read already has been followed already.
        for path in closure(pack, (path for path in rule_reads(pack, rule) if path not in read)):
            read.setdefault(path, rule.id)
    for path, rule_id in sorted(read.items()):
        for condition in _conditions(pack.facts[path]) if path in pack.facts else ():
            yield from _known_in(condition, pack.facts[path].place, f"a fact that `{rule_id}` reads")


def _deciding(pack: Pack) -> dict[str, str]:
    """The rules that make outcomes, and those that override them, through others too; by id, in words."""
    found = {
        rule.id: f"a rule that says `{rule.effect.kind}`"
        for rule in pack.rules.values()
        if rule.effect.kind in VERDICTS
    }
    overriders: dict[str, list[str]] = {}
    for rule in pack.rules.values():
        for other in rule.overrides:
            overriders.setdefault(other, []).append(rule.id)
    waiting = list(found)
    while waiting:
        overridden = waiting.pop()
        for rule_id in overriders.get(overridden, ()):
            if rule_id not in found:
                found[rule_id] = f"a rule that overrides `{overridden}`"
                waiting.append(rule_id)
    return found


def _known_in(condition: Condition, place: Place, where: str) -> Iterator[Finding]:
    for leaf in leaves(condition):
        if isinstance(leaf, Presence):
            help_ = "compare the fact itself; what is unknown stays open by itself"
            yield Finding(leaf.place or place, "known-not-allowed", f"`known` may not stand in {where}", help_)


def _untranslated(pack: Pack) -> Iterator[Finding]:
    base = base_language(pack)
    for language in pack.languages:
        texts = pack.translations.get(language, {})
        for rule in pack.rules.values() if language != base else ():
            lacking = _lacking(rule, texts.get(rule.id))
            if lacking:
                message = f"the {one_of(lacking)} of `{rule.id}` is not translated into `{language}`"
                yield Finding(rule.place, "missing-translation", message, f"add it to `translations/{language}.yaml`")


def _lacking(rule: Rule, texts: Texts | None) -> list[str]:
    """The parts of a rule that people read and that have no translation."""
    return [part for part in _parts(rule) if not getattr(texts, part, None)]


def _parts(rule: Rule) -> dict[str, str | tuple[str, ...]]:
    """The parts of a rule that people read, by name."""
    parts = {"text": rule.effect.text, "remedy": rule.effect.remedy, "steps": rule.effect.steps}
    if isinstance(rule.effect.deadline, str):
        parts["deadline"] = rule.effect.deadline
    return {part: text for part, text in parts.items() if text}


def _uneven(pack: Pack) -> Iterator[Finding]:
    """Translations that leave out a fact or a step of what they translate, or add one."""
    for language, texts in pack.translations.items():
        for rule_id, translated in texts.items():
            for part, original in _parts(pack.rules[rule_id]).items():
                problem = _differs(original, getattr(translated, part))
                if problem:
                    message = f"the `{part}` of `{rule_id}` in `{language}` {problem}"
                    yield Finding(translated.place, "uneven-translation", message, "say what the rule says, in full")


def _differs(original: str | tuple[str, ...], translated: str | tuple[str, ...] | None) -> str | None:
    """What a translation has otherwise than the original, in words; None if nothing, or if there is none."""
    if not translated:
        return None
    if isinstance(original, tuple) and len(original) != len(translated):
        return f"has another number of steps ({len(translated)}) than the rule ({len(original)})"
    ours, theirs = (
        set(placeholders("\n".join([text] if isinstance(text, str) else text))) for text in (original, translated)
    )
    named = [f"leaves out {{{path}}}" for path in sorted(ours - theirs)]
    named += [f"adds {{{path}}}" for path in sorted(theirs - ours)]
    return " and ".join(named) or None


def _uncited(pack: Pack) -> Iterator[Finding]:
    cited = {statement for rule in pack.rules.values() for statement in rule.cites}
    cited |= {
        statement
        for table in pack.tables.values()
        for row in table.rows.values()
        for cell in row.values()
        for span in cell
        for statement in span.cites
    }
    cited |= {statement for fact in pack.facts.values() for statement in fact.cites}
    for statement in pack.statements.values():
        if statement.id not in cited and statement.not_encoded is None:
            help_ = "cite it in the rule that carries it, or mark it `not_encoded: <reason>`"
            yield Finding(statement.place, "uncited-statement", f"no rule cites the statement `{statement.id}`", help_)
        elif statement.id in cited and statement.not_encoded is not None:
            yield Finding(
                statement.place,
                "cited-not-encoded",
                f"`{statement.id}` is cited, and marked `not_encoded`",
                "take the mark away",
            )


def _never_allowed(pack: Pack) -> Iterator[Finding]:
    allowed = {
        action for rule in pack.rules.values() if rule.effect.kind in ("allow", "only_by") for action in rule.actions
    }
    for action in pack.actions.values():
        if action.name not in allowed:
            yield Finding(
                action.place,
                "no-allow",
                f"no rule ever allows `{action.name}`",
                "write the rule that does, or take the action out",
            )


def _unread(pack: Pack) -> Iterator[Finding]:
    read = closure(pack, (path for rule in pack.rules.values() for path in rule_reads(pack, rule)))
    read |= _mentioned(pack)
    for fact in pack.facts.values():
        if fact.path not in read and not fact.implicit:
            yield Finding(
                fact.place,
                "unread-fact",
                f"no rule reads `{fact.path}`",
                "take it out, or write the rule that it is for",
            )
    for reading in pack.readings.values():
        if READING + reading.id not in read:
            yield Finding(
                reading.place,
                "unread-reading",
                f"no rule asks the reading `{reading.id}`",
                "take it out, or write the rule that it is for",
            )


def _mentioned(pack: Pack) -> set[str]:
    """The facts that texts and deadlines name."""
    found: set[str] = set()
    for rule in pack.rules.values():
        effect = rule.effect
        for text in (
            effect.text,
            effect.remedy or "",
            *effect.steps,
            effect.deadline if isinstance(effect.deadline, str) else "",
        ):
            found.update(placeholders(text))
        if effect.deadline and not isinstance(effect.deadline, str):
            found.add(effect.deadline.path)
    return closure(pack, found)


def _unset(pack: Pack) -> Iterator[Finding]:
    for table in pack.tables.values():
        for column in table.columns:
            empty = [key for key, row in table.rows.items() if not row.get(column)]
            if empty:
                message = f"`{table.name}.{column}` is unset in {len(empty)} of {len(table.rows)} rows: {one_of(sorted(empty))}"
                yield Finding(
                    table.place,
                    "unset-cell",
                    message,
                    "an unset cell is unknown; a pack stacked on this one may fill it",
                )
