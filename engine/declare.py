"""Declarations: actions, facts, tables, readings and sources of a stack, typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.bounds import check_cells, check_default, declared_minimum
from engine.condition import READING, Fact
from engine.declared import BROKEN_SOURCE, Declared, check_cites
from engine.derive import derivation
from engine.express import Scope, choices
from engine.finding import Place, did_you_mean, one_of
from engine.model import Action, FactDeclaration, Lookup, Reading, Source, Statement
from engine.nodes import Mapping as MappingNode
from engine.nodes import Scalar, flag, mappings, plain, word, words
from engine.stack import Entry, Stack
from engine.tables import declare_tables, declared_type
from engine.values import DATE, STRING, TEXT_KINDS, is_currency

RESERVED = frozenset({"subject", "action", "resource", "context", "reading"})
_RESERVED_PATHS = {"action.name": "the action's own name"}


def declare(stack: Stack) -> Declared:
    """Everything declared, in an order in which names are known before they are used."""
    broken = frozenset(name if section != "readings" else f"reading {name}" for section, name in stack.broken)
    if any(section == "sources" for section, _ in stack.broken):
        broken |= {BROKEN_SOURCE}
    declared = Declared(Scope(broken=broken, findings=stack.findings))
    _sources(stack, declared)
    _readings(stack, declared)
    declare_tables(stack, declared)
    properties = _actions(stack, declared)
    _facts(stack, declared, properties)
    _implicit(declared)
    _definitions(stack, declared, properties)
    return declared


def _sources(stack: Stack, declared: Declared) -> None:
    for name, entry in stack.named["sources"].items():
        declared.sources[name] = Source(
            name,
            word(entry.node, "title"),
            word(entry.node, "language", "en"),
            word(entry.node, "file") or None,
            entry.place,
        )
        statements = entry.node.entries.get("statements")
        for statement, node, place in mappings(statements):
            _statement(statement, node, place, name, declared)


def _statement(name: str, node: MappingNode, place: Place, source: str, declared: Declared) -> None:
    if name in declared.statements:
        first = declared.statements[name].place
        declared.scope.report(
            place,
            "duplicate-id",
            f"the statement `{name}` is here twice; first in {first}",
            "give each statement its own id",
        )
        return
    lines = node.entries.get("lines")
    numbers = tuple(int(text) for text in words(lines))
    declared.statements[name] = Statement(
        name, word(node, "says"), word(node, "kind"), source, numbers,
        word(node, "fingerprint") or None, word(node, "not_encoded") or None, word(node, "place") or None, place,
    )  # fmt: skip


def _readings(stack: Stack, declared: Declared) -> None:
    for name, entry in stack.named["readings"].items():
        node = entry.node
        lacking = [part for part in ("asks", "options", "chosen") if part not in node.entries]
        options = node.entries.get("options")
        if lacking or not isinstance(options, MappingNode):
            declared.scope.report(
                entry.place, "missing-key", f"the reading `{name}` has no `{lacking[0]}`", f"add `{lacking[0]}:`"
            )
            declared.scope.broken |= {f"reading {name}"}
            continue
        texts = {option: child.text for option, child in options.entries.items() if isinstance(child, Scalar)}
        choice = stack.chosen.get(name, entry)
        _check_chosen(choice.node, texts, declared.scope)
        because = word(choice.node, "because") or word(node, "because")
        declared.readings[name] = Reading(
            name, word(node, "asks"), texts, word(choice.node, "chosen") if "chosen" in choice.node.entries else word(node, "chosen"),
            because, check_cites(node, declared), word(node, "ambiguity") or None, entry.place,
        )  # fmt: skip
    declared.scope.readings = declared.readings


def _check_chosen(node: MappingNode, options: Mapping[str, str], scope: Scope) -> None:
    chosen = node.entries.get("chosen")
    if isinstance(chosen, Scalar) and chosen.text not in options:
        scope.report(
            chosen.place,
            "unknown-option",
            f"`{chosen.text}` is no option of this reading",
            did_you_mean(chosen.text, options, f"it is one of {one_of(options)}"),
        )


def _actions(stack: Stack, declared: Declared) -> dict[str, list[tuple[str, Entry]]]:
    """Declares the actions; returns the declarations of each property, by path, with their action."""
    found: dict[str, list[tuple[str, Entry]]] = {}
    for name, entry in stack.named["actions"].items():
        node = entry.node.entries.get("properties")
        properties: dict[str, MappingNode] = {}
        for prop, child, place in mappings(node):
            path = f"action.{prop}"
            properties[path] = child
            found.setdefault(path, []).append((name, Entry(path, child, place, entry.layer)))
        resource = word(entry.node, "resource") or None
        if resource in RESERVED - {"resource"}:
            declared.scope.report(
                entry.place,
                "bad-name",
                f"a resource cannot be of type `{resource}`",
                f"{one_of(sorted(RESERVED))} have a meaning of their own",
            )
        declared.actions[name] = Action(
            name, word(entry.node, "title", name), resource, tuple(properties),
            frozenset(path for path, child in properties.items() if flag(child, "optional")),
            frozenset(path for path, child in properties.items() if flag(child, "choice")), entry.place,
        )  # fmt: skip
    return found


def _facts(stack: Stack, declared: Declared, properties: Mapping[str, list[tuple[str, Entry]]]) -> None:
    """Declares the types of all facts, so that definitions may name them in any order."""
    scope = declared.scope
    for path, declarations in properties.items():
        for _, entry in declarations:
            _declare(path, entry, stack, declared)
            _check_alike(path, declarations[0][1], entry, scope)
    for path, entry in stack.named["facts"].items():
        namespace, _, name = path.partition(".")
        if namespace == "action" and name:
            scope.report(
                entry.place,
                "bad-name",
                f"`{path}` is a property of an action",
                "declare it under that action's `properties`",
            )
            scope.broken |= {path}
        elif not name and "derived" not in entry.node.entries and "lookup" not in entry.node.entries:
            scope.report(
                entry.place,
                "bad-name",
                f"`{path}` is in no part of a request",
                "name it `subject.…`, `context.…` or `<resource type>.…`, or derive it",
            )
            scope.broken |= {path}
        elif (
            name
            and namespace not in ("subject", "context")
            and namespace not in {action.resource for action in declared.actions.values()}
        ):
            types = sorted({action.resource for action in declared.actions.values() if action.resource} - RESERVED)
            if not any(section == "actions" for section, _ in stack.broken):
                scope.report(
                    entry.place,
                    "bad-name",
                    f"no action has a resource of type `{namespace}`",
                    did_you_mean(
                        namespace, ("subject", "context", *types), f"known are {one_of(('subject', 'context', *types))}"
                    ),
                )
            scope.broken |= {path}
        else:
            _declare(path, entry, stack, declared)


def _check_alike(path: str, first: Entry, entry: Entry, scope: Scope) -> None:
    """A property of several actions is one fact: it comes about in one way, too."""
    for name in ("default", "derived", "lookup", "by", "currency", "minimum", "sealed", "route"):
        nodes = [each.node.entries.get(name) for each in (first, entry)]
        if len({repr(node and plain(node)) for node in nodes}) > 1:
            scope.report(
                entry.place,
                "conflicting-type",
                f"`{path}` has another `{name}` here than in {first.place}",
                "declare it alike in every action, or give it another name",
            )


def _declare(path: str, entry: Entry, stack: Stack, declared: Declared) -> None:
    scope = declared.scope
    if path in _RESERVED_PATHS:
        scope.report(entry.place, "bad-name", f"`{path}` is {_RESERVED_PATHS[path]}", "take another name")
        return
    kind = declared_type(entry.node, f"`{path}`", entry.place, stack, scope)
    if kind is None:
        scope.broken |= {path}
        return
    known = scope.facts.get(path)
    if known is not None:
        if known.type != kind:
            scope.report(
                entry.place,
                "conflicting-type",
                f"`{path}` is {kind} here, and {known.type} in {known.place}",
                "a fact has one type in a pack",
            )
        return
    node = entry.node
    scope.facts[path] = FactDeclaration(
        path, kind, word(node, "description"), choice=flag(node, "choice"), route=flag(node, "route"), sealed=flag(node, "sealed"),
        minimum=declared_minimum(node, kind, scope), changeable_by=word(node, "changeable_by") or None, cites=check_cites(node, declared), place=entry.place,
    )  # fmt: skip


def _implicit(declared: Declared) -> None:
    """Adds the facts that are always there, and checks those that the pack declares itself."""
    facts, scope = declared.scope.facts, declared.scope
    resources = {action.resource for action in declared.actions.values() if action.resource}
    always = {
        "subject.id": STRING,
        "subject.type": STRING,
        "context.date": DATE,
        **{f"{resource}.id": STRING for resource in resources},
    }
    for path, kind in always.items():
        known = facts.setdefault(path, FactDeclaration(path, kind, implicit=True))
        if known.type.kind != kind.kind and not (kind == STRING and known.type.kind in TEXT_KINDS):
            scope.report(known.place, "conflicting-type", f"`{path}` is always {kind}", f"declare it `type: {kind}`")


def _definitions(stack: Stack, declared: Declared, properties: Mapping[str, list[tuple[str, Entry]]]) -> None:
    """Adds defaults, derivations, look-ups and currencies to the declared facts."""
    entries: Iterable[Entry] = [
        *(one for many in properties.values() for _, one in many),
        *stack.named["facts"].values(),
    ]
    for entry in entries:
        fact = declared.scope.facts.get(entry.name)
        if fact is not None:
            declared.scope.facts[entry.name] = _define(fact, entry, declared)
    routes = [fact for fact in declared.scope.facts.values() if fact.route]
    for fact in routes:
        if fact.type.kind != "enum" or fact.derived is not None or fact.lookup or fact.default:
            declared.scope.report(
                fact.place,
                "bad-route",
                f"`{fact.path}` cannot be the route",
                "the route is a plain enum that the asker gives",
            )
    for fact in routes[1:]:
        declared.scope.report(
            fact.place,
            "bad-route",
            f"`{fact.path}` is a second route; the first is `{routes[0].path}`",
            "mark one fact `route: true`",
        )


def _define(fact: FactDeclaration, entry: Entry, declared: Declared) -> FactDeclaration:
    scope, node = declared.scope, entry.node
    given = [name for name in ("default", "derived", "lookup") if name in node.entries]
    if len(given) > 1:
        scope.report(
            node.keys[given[1]],
            "wrong-shape",
            f"`{fact.path}` has both `{given[0]}` and `{given[1]}`",
            "keep one of them",
        )
        return fact
    changes: dict[str, object] = {"currency": _currency(fact, node, scope)}
    if "default" in node.entries:
        changes["default"] = choices(node.entries["default"], fact.type, f"`{fact.path}`", scope)
        check_default(fact, node.entries["default"], scope)
    if "derived" in node.entries:
        changes["derived"] = derivation(node.entries["derived"], fact, scope)
    if "lookup" in node.entries:
        changes["lookup"] = lookup = _lookup(fact, node, declared)
        if lookup is not None:
            check_cells(fact, lookup, declared.tables[lookup.table], scope)
    elif "by" in node.entries:
        scope.report(node.keys["by"], "wrong-shape", "`by` goes with `lookup`", "add `lookup: table.column`")
    return replace(fact, **changes)  # type: ignore[arg-type]


def _currency(fact: FactDeclaration, node: MappingNode, scope: Scope) -> str | Fact | None:
    given = node.entries.get("currency")
    if not isinstance(given, Scalar):
        return fact.currency
    if fact.type.kind != "money" and not (fact.type.item and fact.type.item.kind == "money"):
        scope.report(node.keys["currency"], "wrong-type", f"`{fact.path}` is no money", "`currency` is for money")
    elif given.text.startswith("$"):
        kind = scope.type_of(given.text[1:], given.place)
        if kind and kind.kind in TEXT_KINDS:
            return Fact(given.text[1:])
        if kind:
            scope.report(
                given.place,
                "wrong-type",
                f"`{given.text[1:]}` is {kind}, not a currency code",
                "name a fact that is text",
            )
    elif is_currency(given.text):
        return given.text
    else:
        scope.report(
            given.place,
            "wrong-type",
            f"`{given.text}` is no currency code",
            "write three capital letters, such as `EUR`, or `$fact`",
        )
    return None


def _lookup(fact: FactDeclaration, node: MappingNode, declared: Declared) -> Lookup | None:
    scope, place = declared.scope, node.entries["lookup"].place
    name, _, column = word(node, "lookup").partition(".")
    table = declared.tables.get(name)
    if table is None:
        if name not in scope.broken:
            scope.report(
                place,
                "unknown-table",
                f"unknown table `{name}`",
                did_you_mean(name, declared.tables, "declare it under `tables`"),
            )
        return None
    if column not in table.columns:
        if f"{name}.{column}" not in scope.broken:
            scope.report(
                place,
                "unknown-column",
                f"unknown column `{column}` of the table `{name}`",
                did_you_mean(column, table.columns, f"it has {one_of(table.columns)}"),
            )
        return None
    if table.columns[column] != fact.type and not (
        fact.type.kind == "number" and table.columns[column].kind == "integer"
    ):
        scope.report(
            place,
            "wrong-type",
            f"`{fact.path}` is {fact.type}, and the column is {table.columns[column]}",
            "declare the two alike",
        )
        return None
    by = node.entries.get("by")
    if not isinstance(by, Scalar):
        scope.report(place, "missing-key", f"`{fact.path}` has no `by`", "name the key fact: `by: …`")
        return None
    path = by.text.removeprefix("$")
    kind = scope.type_of(path, by.place) if not path.startswith(READING) else None
    if kind and kind != STRING and kind.table != name:
        scope.report(
            by.place,
            "wrong-type",
            f"`{path}` is {kind}, not a key of `{name}`",
            f"name a fact of type key, `of: {name}`",
        )
        return None
    return Lookup(name, column, path) if kind else None
