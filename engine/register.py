"""The register of a policy's sources: what each statement says, and what came of it.

For reviewers: from every statement to the rules, readings, facts and cells that cite it, and to the cases
in whose decisions those rules have a part; and back, to the rules that cite nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.cases import Result, readings_of
from engine.decision import Decision
from engine.model import Pack, Reading, Source, Statement


def register(pack: Pack, results: Sequence[Result]) -> dict[str, Any]:
    """The register as JSON data; `results` are those of the pack's cases."""
    cases = _cases_by_rule(results)
    citing = _citing(pack)
    return {
        "policy": pack.name,
        "title": pack.title,
        "sources": [_source(source, pack, citing, cases) for source in pack.sources.values()],
        "readings": [_reading(reading, results) for _, reading in sorted(pack.readings.items())],
        "uncited_rules": [
            {"rule": rule.id, "file": rule.place.file, "line": rule.place.line}
            for _, rule in sorted(pack.rules.items())
            if not rule.cites
        ],
    }


def _cases_by_rule(results: Sequence[Result]) -> dict[str, list[str]]:
    """For each rule, by id, the names of the cases whose decision it is part of."""
    found: dict[str, list[str]] = {}
    for result in results:
        # A decision is true only if it is an allow.
        for rule in () if result.decision is None else _rules_in(result.decision):
            found.setdefault(rule, []).append(result.case.name)
    return found


def _rules_in(decision: Decision) -> list[str]:
    parts: tuple[Any, ...] = (*decision.reasons, *decision.obligations, *decision.advice, *decision.procedure)
    return sorted({part.rule for part in parts})


def _citing(pack: Pack) -> dict[str, dict[str, list[str]]]:
    """What cites each statement, by its id: rules, readings, facts and cells, by name."""
    found: dict[str, dict[str, list[str]]] = {}
    for kind, name, cites in _citations(pack):
        for statement in cites:
            listed = found.setdefault(statement, {}).setdefault(kind, [])
            if name not in listed:
                listed.append(name)
    return found


def _citations(pack: Pack) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Everything that may cite, in order: its kind, its name, the statements."""
    yield from (("rules", rule.id, rule.cites) for _, rule in sorted(pack.rules.items()))
    yield from (("readings", reading.id, reading.cites) for _, reading in sorted(pack.readings.items()))
    yield from (("facts", fact.path, fact.cites) for _, fact in sorted(pack.facts.items()))
    for _, table in sorted(pack.tables.items()):
        for key, row in sorted(table.rows.items()):
            for column, spans in sorted(row.items()):
                yield from (("cells", f"{table.name}.{key}.{column}", span.cites) for span in spans)


def _source(
    source: Source, pack: Pack, citing: Mapping[str, Mapping[str, list[str]]], cases: Mapping[str, list[str]]
) -> dict[str, Any]:
    own = (statement for statement in pack.statements.values() if statement.source == source.id)
    return {
        "source": source.id,
        "title": source.title,
        "language": source.language,
        "file": source.file,
        "statements": [_statement(each, source, citing.get(each.id, {}), cases) for each in own],
    }


def _statement(
    statement: Statement, source: Source, citing: Mapping[str, list[str]], cases: Mapping[str, list[str]]
) -> dict[str, Any]:
    rules = citing.get("rules", [])
    return {
        "statement": statement.id,
        "says": statement.says,
        "kind": statement.kind or None,
        "place": _place(statement, source),
        "lines": list(statement.lines),
        "rules": rules,
        **{kind: citing.get(kind, []) for kind in ("readings", "facts", "cells")},
        "cases": list(dict.fromkeys(case for rule in rules for case in cases.get(rule, ()))),
        "not_encoded": statement.not_encoded,
    }


def _place(statement: Statement, source: Source) -> str | None:
    """Where the statement stands: the file with its lines, or what the pack says in words."""
    if not statement.lines:
        return statement.where
    return f"{source.file or source.id}:{','.join(map(str, statement.lines))}"


def _reading(reading: Reading, results: Sequence[Result]) -> dict[str, Any]:
    chosen = ((result.case.name, readings_of(result.case).get(reading.id)) for result in results)
    return {
        "reading": reading.id,
        "ambiguity": reading.ambiguity,
        "asks": reading.asks,
        "options": dict(reading.options),
        "chosen": reading.chosen,
        "because": reading.because or None,
        "cites": list(reading.cites),
        "cases": [{"case": name, "option": option} for name, option in chosen if option not in (None, reading.chosen)],
    }
