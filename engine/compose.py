"""Rules, translations and cases of a stack, and with them the whole pack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from engine.condition import READING, Compare, Fact, leaves
from engine.declared import Declared, check_cites, span_of_days
from engine.expect import known_rules, out_of_reach, read_cases
from engine.express import Scope, guarded
from engine.finding import Place, did_you_mean, one_of
from engine.model import EFFECTS, Action, Effect, Pack, Rule, Texts
from engine.nodes import Mapping as MappingNode
from engine.nodes import Node, Scalar, Sequence, word, words
from engine.stack import Entry, Stack
from engine.texts import placeholders

_ALLOW = frozenset({"allow"})


def compose(stack: Stack, declared: Declared) -> Pack:
    """The pack that a stack makes, with a finding in the stack for everything that does not fit."""
    rules = {}
    for entry in stack.rules.values():
        rule = _rule(entry, declared)
        if rule is not None:
            rules[rule.id] = rule
        else:
            stack.broken.add(("rules", entry.name))
    name, title, languages = _policy(stack)
    pack = Pack(
        name, title, languages, declared.actions, declared.scope.facts, declared.tables, declared.readings,
        declared.sources, declared.statements, rules,
    )  # fmt: skip
    _check_overrides(stack, pack)
    translations = _translations(stack, pack)
    return replace(pack, translations=translations, cases=tuple(read_cases(stack, pack)))


def _policy(stack: Stack) -> tuple[str, str, tuple[str, ...]]:
    name, title = "policy", ""
    languages: tuple[str, ...] = ("en",)
    for index, entry in enumerate(stack.policy):
        before = stack.policy[index - 1]
        if index and entry.layer == before.layer:
            stack.report(
                entry.place, "duplicate-id", f"`policy` is here twice; first in {before.place}", "name the policy once"
            )
            continue
        if index:
            stack.report(
                entry.place,
                "override",
                f"names the policy `{word(entry.node, 'name')}`; it was named in {before.place}",
            )
        name = word(entry.node, "name", name)
        title = word(entry.node, "title", title)
        languages = words(entry.node.entries.get("languages")) or languages
    return name, title, languages


def _rule(entry: Entry, declared: Declared) -> Rule | None:
    node, scope = entry.node, declared.scope
    actions = tuple(name for name in _known_actions(node, declared))
    before = len(scope.findings)
    condition = guarded(node, scope)
    effect = _effect(entry, declared)
    start, end = span_of_days(node, scope)
    cites = check_cites(node, declared)
    if effect is None:
        return None
    rule = Rule(
        entry.name,
        actions,
        condition,
        effect,
        word(node, "title"),
        cites,
        words(node.entries.get("overrides")),
        start,
        end,
        entry.place,
    )
    if len(scope.findings) == before:
        _check_reach(rule, [declared.actions[name] for name in actions], declared)
    _check_placeholders(rule, node, declared)
    return rule


def _known_actions(node: MappingNode, declared: Declared) -> Iterator[str]:
    names = node.entries.get("actions")
    for item in names.items if isinstance(names, Sequence) else ():
        name = item.text if isinstance(item, Scalar) else ""
        if name in declared.actions:
            yield name
        elif name not in declared.scope.broken:
            declared.scope.report(
                item.place,
                "unknown-action",
                f"unknown action `{name}`",
                did_you_mean(name, declared.actions, "declare it under `actions`"),
            )


def _effect(entry: Entry, declared: Declared) -> Effect | None:
    kinds = [name for name in entry.node.entries if name in EFFECTS]
    if len(kinds) != 1:
        message = f"the rule `{entry.name}` has {f'{len(kinds)} effects' if kinds else 'no effect'}"
        declared.scope.report(
            entry.node.keys[kinds[1]] if kinds else entry.place,
            "effect-count",
            message,
            f"give exactly one of {one_of(EFFECTS)}",
        )
        return None
    kind, node = kinds[0], entry.node.entries[kinds[0]]
    if isinstance(node, Scalar):
        return Effect("guide", steps=(node.text,)) if kind == "guide" else Effect(kind, node.text)
    assert isinstance(node, MappingNode)
    due = word(node, "due")
    return Effect(
        kind, word(node, "text"), word(node, "remedy") or None, _route(node, declared) if kind == "only_by" else None,
        due if due in ("before", "after") else None,  # type: ignore[arg-type]
        _deadline(node, declared.scope), words(node.entries.get("steps")), frozenset(words(node.entries.get("with"))) or _ALLOW,
    )  # fmt: skip


def _route(node: MappingNode, declared: Declared) -> str | Fact | None:
    scope, given = declared.scope, node.entries["route"]
    route = next((fact for fact in scope.facts.values() if fact.route), None)
    text = word(node, "route")
    if route is None:
        scope.report(
            given.place, "bad-route", "`only_by` needs a route, and no fact is one", "mark an enum fact `route: true`"
        )
    elif text.startswith("$"):
        kind = scope.type_of(text[1:], given.place)
        if kind and (kind.kind != "enum" or not set(kind.values) <= set(route.type.values)):
            scope.report(
                given.place,
                "wrong-type",
                f"`{text[1:]}` is no route",
                f"name an enum whose values are among {one_of(route.type.values)}",
            )
        return Fact(text[1:])
    elif text not in route.type.values:
        scope.report(
            given.place,
            "unknown-value",
            f"`{text}` is not a value of `{route.path}`",
            did_you_mean(text, route.type.values, f"it is one of {one_of(route.type.values)}"),
        )
    return text


def _deadline(node: MappingNode, scope: Scope) -> str | Fact | None:
    given = node.entries.get("deadline")
    if not isinstance(given, Scalar):
        return None
    if not given.text.startswith("$"):
        return given.text
    if given.text.startswith("$$"):
        return given.text[1:]
    kind = scope.type_of(given.text[1:], given.place)
    if kind and kind.kind != "date":
        scope.report(
            given.place, "wrong-type", f"the deadline `{given.text[1:]}` is {kind}", "name a date fact, or write a text"
        )
    return Fact(given.text[1:])


def _check_reach(rule: Rule, actions: list[Action], declared: Declared) -> None:
    reported: set[str] = set()
    for path, place in _read_places(rule):
        problem = out_of_reach(path, actions) if path not in declared.scope.broken else None
        if problem and path not in reported:
            reported.add(path)
            declared.scope.report(
                place,
                "out-of-reach",
                f"`{path}` is not known here: {problem}",
                "name only actions that have it, or split the rule",
            )


def _read_places(rule: Rule) -> Iterator[tuple[str, Place]]:
    """Every fact that the rule reads itself, with the place to point at."""
    for leaf in leaves(rule.condition):
        for path in leaf.facts() if isinstance(leaf, Compare) else (leaf.path,):
            yield path, leaf.place or rule.place
    for operand in (rule.effect.route, rule.effect.deadline):
        if isinstance(operand, Fact):
            yield operand.path, rule.place


def _check_placeholders(rule: Rule, node: MappingNode, declared: Declared) -> None:
    actions = [declared.actions[name] for name in rule.actions]
    effect = node.entries[rule.effect.kind]
    for text in _texts_of(effect):
        _check_text(text, actions, declared.scope)


def _texts_of(node: Node) -> Iterator[Scalar]:
    """The texts of an effect (or of its translation) that may hold placeholders."""
    match node:
        case Scalar():
            yield node
        case Sequence(items):
            yield from (item for item in items if isinstance(item, Scalar))
        case MappingNode(entries):
            for name in ("text", "remedy", "deadline", "steps", "title"):
                if name in entries:
                    yield from _texts_of(entries[name])


def _check_text(node: Scalar, actions: list[Action], scope: Scope) -> None:
    text = node.text
    if text.count("{") != len(list(placeholders(text))) or text.count("}") != text.count("{"):
        scope.report(
            node.place,
            "unusable-placeholder",
            "a brace stands alone",
            "a placeholder is a fact in braces: `{subscription.cost}`",
        )
        return
    for path in placeholders(text):
        if path.startswith(READING):
            scope.report(
                node.place,
                "unusable-placeholder",
                f"`{{{path}}}` is a reading, not a fact",
                "write what it means in words",
            )
        elif path not in scope.facts:
            if path not in scope.broken:
                scope.report(
                    node.place,
                    "unknown-placeholder",
                    f"unknown fact `{path}` in a text",
                    did_you_mean(path, scope.facts, "a placeholder is a declared fact in braces"),
                )
        elif problem := out_of_reach(path, actions):
            scope.report(
                node.place,
                "unusable-placeholder",
                f"`{{{path}}}` is not known here: {problem}",
                "name only facts of all of the rule's actions",
            )


def _check_overrides(stack: Stack, pack: Pack) -> None:
    known = known_rules(stack)
    for entry in stack.rules.values():
        node = entry.node.entries.get("overrides")
        for item in node.items if isinstance(node, Sequence) else ():
            name = item.text if isinstance(item, Scalar) else ""
            if name == entry.name:
                stack.report(item.place, "override-self", f"`{name}` overrides itself", "name another rule")
            elif name in stack.rules and stack.rules[name].layer < entry.layer:
                message = f"`{entry.name}` overrides `{name}` of {stack.rules[name].place}"
                stack.report(item.place, "override", message)
            elif name not in known:
                stack.report(
                    item.place,
                    "unknown-rule",
                    f"overrides the unknown rule `{name}`",
                    did_you_mean(name, pack.rules, "check the id"),
                )


def _translations(stack: Stack, pack: Pack) -> dict[str, dict[str, Texts]]:
    found: dict[str, dict[str, Texts]] = {}
    known = known_rules(stack)
    scope = Scope(dict(pack.facts), pack.readings, frozenset(name for _, name in stack.broken), stack.findings)
    for locale, rule, node, place in stack.texts:
        if locale not in pack.languages:
            stack.report(
                place,
                "unknown-language",
                f"the policy does not name the language `{locale}`",
                f"it names {one_of(pack.languages)}",
            )
        if rule not in known:
            stack.report(
                place,
                "unknown-rule",
                f"translates the unknown rule `{rule}`",
                did_you_mean(rule, pack.rules, "check the id"),
            )
        elif rule in found.setdefault(locale, {}):
            stack.report(place, "duplicate-id", f"`{rule}` is translated twice into `{locale}`", "keep one")
        elif rule in pack.rules:
            found[locale][rule] = _rule_texts(node, place, stack)
            for text in _texts_of(node):
                _check_text(text, [pack.actions[name] for name in pack.rules[rule].actions], scope)
    return found


_TRANSLATED = ("text", "title", "remedy", "deadline", "steps")


def _rule_texts(node: Node, place: Place, stack: Stack) -> Texts:
    match node:
        case Scalar(value) if value is not None:
            return Texts(text=node.text, steps=(node.text,), place=place)
        case Sequence():
            return Texts(steps=words(node), place=place)
        case MappingNode(entries, keys):
            for name, child in entries.items():
                wanted, form = (Sequence, "a list") if name == "steps" else (Scalar, "text")
                if not isinstance(child, wanted) and name in _TRANSLATED:
                    stack.report(keys[name], "wrong-shape", f"`{name}` must be {form}", f"write {form}")
                if name not in _TRANSLATED:
                    stack.report(
                        keys[name],
                        "unknown-key",
                        f"unknown key `{name}` in a translation",
                        did_you_mean(name, _TRANSLATED, f"known here: {one_of(_TRANSLATED)}"),
                    )
            return Texts(
                word(node, "text") or None, word(node, "title") or None, word(node, "remedy") or None,
                word(node, "deadline") or None, words(entries.get("steps")) or None, place,
            )  # fmt: skip
        case _:
            stack.report(place, "wrong-shape", "a translation is empty", "write the text")
            return Texts(place=place)
