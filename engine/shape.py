"""The shape of packs, by JSON Schema: the one door of jsonschema.

A file that does not fit the schema gives findings with the place of each misfit, and the sections'
entries (a rule, a fact, …) that hold one are named, so that later checks can leave them alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from engine.finding import Finding, Place, did_you_mean, one_of
from engine.nodes import Document, Mapping, Node, Scalar, Sequence, plain

EFFECT_NAMES = ("allow", "deny", "only_by", "defer", "oblige", "advise", "guide")
SCHEMAS = ("pack", "request", "decision")
_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


@cache
def schema(name: str) -> dict[str, Any]:
    """One of SCHEMAS, as JSON data (JSON Schema 2020-12)."""
    text = files("engine").joinpath("schemas").joinpath(f"{name}.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def misfits(document: Document) -> Iterator[tuple[tuple[str | int, ...], Finding]]:
    """Each misfit of a file with the path of the entry it spoils: (section,) or (section, name or index)."""
    for error in _validator().iter_errors(plain(document.root)):
        path = tuple(error.absolute_path)
        if _is_about_name(error):
            path += (error.instance,)
        for finding in _findings(error, document.root):
            yield path[:2], finding


@cache
def _validator() -> Any:
    return Draft202012Validator(schema("pack"))


def _findings(error: Any, root: Node) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    node = _at(root, path)
    place = _place(root, path)
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(error, node)
        case "required":
            wanted = [name for name in error.validator_value if name not in error.instance]
            yield Finding(place, "missing-key", f"`{wanted[0]}` is missing", f"add `{wanted[0]}:`")
        case "type" if error.instance is None and _is_in_condition(path):
            yield Finding(place, "empty-condition", f"`{path[-1]}` has no value", _EMPTY_HELP)
        case "minProperties" | "minItems" if _is_in_condition(path):
            yield Finding(place, "empty-condition", f"`{path[-1]}` holds nothing", _EMPTY_HELP)
        case "oneOf" if path[:1] == ("cases",):
            yield Finding(
                place, "wrong-shape", "a case has `given` or a whole `request`, and only one of them", "keep one"
            )
        case "pattern" if _is_about_name(error):
            yield Finding(
                _key_place(node, error.instance), "bad-name", f"`{error.instance}` cannot be a name", _NAME_HELP
            )
        case _:
            yield Finding(place, "wrong-shape", *_misfit(error, path))


def _is_about_name(error: Any) -> bool:
    """Whether it is a name in a mapping that does not fit, and not what stands under it."""
    return tuple(error.absolute_schema_path)[-2:-1] == ("propertyNames",)


_EMPTY_HELP = "write what it must be, or take the line out; a rule without `when` always applies"
_NAME_HELP = "use letters, digits, `_` and `-`; facts are `namespace.name`"


def _misfit(error: Any, path: tuple[str | int, ...]) -> tuple[str, str]:
    """Message and help for a value that has the wrong form."""
    name = next((f"`{part}`" for part in reversed(path) if isinstance(part, str)), "the file")
    match error.validator:
        case "type":
            kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            braces = isinstance(error.instance, dict) and "string" in kinds
            help_ = "put quotes around text that begins with a brace" if braces else ""
            if isinstance(error.instance, int | float | bool) and kinds == ["string"]:
                help_ = "put quotes around it"
            return f"{name} must be {' or '.join(_NAMES[kind] for kind in kinds)}", help_
        case "enum":
            words = [str(word) for word in error.validator_value]
            return f"{name} cannot be `{_short(error.instance)}`", did_you_mean(
                str(error.instance), words, f"it is one of {one_of(words)}"
            )
        case "pattern" if error.schema.get("x-help"):
            return f"{name} cannot be `{_short(error.instance)}`", str(error.schema["x-help"])
        case "pattern":
            return f"{name} cannot be `{_short(error.instance)}`", _PATTERN_HELP.get(str(error.validator_value), "")
        case "minItems" | "minProperties":
            return f"{name} holds too little", f"it needs at least {error.validator_value}"
        case "maxItems":
            return f"{name} holds too much", f"it takes at most {error.validator_value}"
        case "uniqueItems":
            return f"{name} names something twice", "keep each once"
        case _:
            return f"{name} does not fit: {error.message[:120]}", "`changegate schema pack` prints what does"


_PATTERN_HELP = {
    r"\S": "write a text",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "write a day as `YYYY-MM-DD`",
    r"^[^.]+\.[^.]+$": "write `table.column`",
    r"^sha256:[0-9a-f]{64}$": "write `sha256:` and 64 hexadecimal digits",
}


def _unknown_keys(error: Any, node: Node) -> Iterator[Finding]:
    known = list(error.schema["properties"])
    code = error.schema.get("x-unknown", "unknown-key")
    what = code.removeprefix("unknown-")
    for name in error.instance:
        if name not in known:
            yield Finding(
                _key_place(node, name),
                code,
                f"unknown {what} `{_short(name)}`",
                did_you_mean(name, known, f"known here: {one_of(known, 20)}"),
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _is_in_condition(path: Iterable[str | int]) -> bool:
    return any(part in ("when", "unless") for part in path)


def _at(node: Node, path: Iterable[str | int]) -> Node:
    for part in path:
        if isinstance(node, Mapping):
            node = node.entries[str(part)]
        elif isinstance(node, Sequence):
            node = node.items[int(part)]
    return node


def _place(root: Node, path: tuple[str | int, ...]) -> Place:
    """Where a value stands; for a mapping below a name, the name, which is where authors look."""
    node = _at(root, path)
    if path and isinstance(path[-1], str) and not isinstance(node, Scalar):
        return _key_place(_at(root, path[:-1]), path[-1])
    if isinstance(node, Scalar) and node.value is None and path and isinstance(path[-1], str):
        return _key_place(_at(root, path[:-1]), path[-1])
    return node.place


def _key_place(node: Node, name: object) -> Place:
    return node.keys.get(str(name), node.place) if isinstance(node, Mapping) else node.place
