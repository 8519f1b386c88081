"""The shape of packs, by JSON Schema: the one door of jsonschema.

A file that does not fit the schema gives findings with the place of each misfit, and the sections'
entries (a rule, a fact, …) that hold one are named, so that later checks can leave them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.finding import Finding, Place, did_you_mean, one_of, short
from engine.fits import Checks, checks, is_unique
from engine.nodes import Document, Mapping, Node, Scalar, Sequence, plain
from engine.schema import schema

if TYPE_CHECKING:
    from jsonschema import ValidationError

_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


def misfits(document: Document) -> Iterator[tuple[tuple[str | int, ...], Finding]]:
    """Each misfit of a file with the path of the entry it spoils: (section,) or (section, name or index)."""
    data = plain(document.root)
    for error in () if _checks()["#"](data) else _validator().iter_errors(data):
        path = tuple(error.absolute_path)
        if _is_about_name(error):
            path += (error.instance,)
        strange = next((n for n, part in enumerate(path) if part in _STRANGE and _is_in_condition(path[:n])), None)
        findings = _findings(error, document.root) if strange is None else _strange(path[: strange + 1], document.root)
        for finding in findings:
            yield path[:2], finding


_STRANGE = {"and": "all", "or": "any", "not": "none"}


def _strange(path: tuple[str | int, ...], root: Node) -> Iterator[Finding]:
    """A combinator of another language, where a fact should stand."""
    place, name = _key_place(_at(root, path[:-1]), path[-1]), str(path[-1])
    help_ = f"write `{_STRANGE[name]}`, with a list of conditions"
    yield Finding(place, "unknown-operator", f"unknown operator `{name}`", help_)


@cache
def _checks() -> Checks:
    return checks(schema("pack"))


@cache
def _validator() -> Any:
    # Most packs fit; those that do not pay for jsonschema.
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415

    def reference(validator: Any, named: str, instance: object, schema: Any) -> Iterator[ValidationError]:
        # Only what does not fit is worth a close look, since that is slow.
        if not _checks()[named](instance):
            yield from Draft202012Validator.VALIDATORS["$ref"](validator, named, instance, schema)

    extend: Any = validators.extend
    return extend(Draft202012Validator, {"uniqueItems": _unique, "$ref": reference})(schema("pack"))


def _unique(_validator: Any, wanted: bool, instance: object, _schema: Any) -> Iterator[ValidationError]:
    from jsonschema import ValidationError  # noqa: PLC0415

    if wanted and isinstance(instance, list) and not is_unique(instance):
        yield ValidationError("names something twice")


def _findings(error: Any, root: Node) -> Iterator[Finding]:
    path = tuple(error.absolute_path)
    node = _at(root, path)
    place = _place(root, path)
    match error.validator:
        case "additionalProperties":
            yield from _unknown_keys(error, node)
        case "required" | "oneOf":
            yield from _missing_keys(error, place)
        case "type" if error.instance is None and _is_in_condition(path):
            yield Finding(place, "empty-condition", f"{_named(path)} has no value", _EMPTY_HELP)
        case "minProperties" | "minItems" if not error.instance and _is_in_condition(path):
            yield Finding(place, "empty-condition", f"{_named(path)} holds nothing", _EMPTY_HELP)
        case "pattern" if _is_about_name(error) or error.validator_value in _NAMES_OF:
            place = _key_place(node, error.instance) if _is_about_name(error) else place
            what = _NAMES_OF.get(error.validator_value, "a name")
            yield Finding(place, "bad-name", f"`{short(error.instance)}` cannot be {what}", _NAME_HELP)
        case _:
            yield Finding(place, "wrong-shape", *_misfit(error, path))


def _missing_keys(error: Any, place: Place) -> Iterator[Finding]:
    if error.validator == "required" and not _is_text_in_braces(error):
        for name in error.validator_value:
            if name not in error.instance:
                yield Finding(place, "missing-key", f"`{name}` is missing", f"add `{name}:`")
    elif error.validator == "oneOf" and isinstance(error.instance, dict):
        # Of the schema only cases have a choice: `given`, or a whole `request`.
        if "given" in error.instance:
            yield Finding(place, "wrong-shape", "a case has both `given` and a whole `request`", "keep one of them")
        else:
            yield Finding(place, "missing-key", "`given` is missing", "add `given:`, or a whole `request:`")


def _is_about_name(error: Any) -> bool:
    """Whether it is a name in a mapping that does not fit, and not what stands under it."""
    return tuple(error.absolute_schema_path)[-2:-1] == ("propertyNames",)


_EMPTY_HELP = "write what it must be, or take the line out; a rule without `when` always applies"
_NAME_HELP = "use letters, digits, `_` and `-`; facts are `namespace.name`"


def _is_text_in_braces(error: Any) -> bool:
    """Whether it is about a mapping such as `{a.b}`: text that begins with a placeholder, without quotes."""
    instance, known = error.instance, error.schema.get("properties", {})
    return "text" in known and len(instance) == 1 and not set(instance) & set(known) and None in instance.values()


def _named(path: tuple[str | int, ...]) -> str:
    """What a value is called: the name it stands under, or its number in the list of that name."""
    name = next((f"`{part}`" for part in reversed(path) if isinstance(part, str)), "the file")
    return f"entry {int(path[-1]) + 1} of {name}" if path and isinstance(path[-1], int) else name


def _misfit(error: Any, path: tuple[str | int, ...]) -> tuple[str, str]:
    """Message and help for a value that has the wrong form."""
    name = _named(path)
    match error.validator:
        case "type":
            kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
            return f"{name} must be {_either(kinds)}", _type_help(error.instance, kinds)
        case "enum":
            words = [str(word) for word in error.validator_value]
            return f"{name} cannot be `{short(error.instance)}`", did_you_mean(
                str(error.instance), words, f"it is one of {one_of(words)}"
            )
        case "pattern" if error.schema.get("x-help"):
            return f"{name} cannot be `{short(error.instance)}`", str(error.schema["x-help"])
        case "pattern" if not error.instance.strip():
            return f"{name} is empty", "write a text"
        case "minimum":
            return f"{name} is less than {error.validator_value}", f"write {error.validator_value} or more"
        case "pattern":
            return f"{name} cannot be `{short(error.instance)}`", _PATTERN_HELP.get(str(error.validator_value), "")
        case "minItems" | "minProperties":
            return f"{name} holds too little", f"it needs at least {error.validator_value}"
        case "maxItems":
            return f"{name} holds too much", f"it takes at most {error.validator_value}"
        case "uniqueItems":
            return f"{name} names something twice", "keep each once"
        case _:
            return f"{name} does not fit: {error.message[:120]}", "`changegate schema pack` prints what does"


def _either(kinds: list[str]) -> str:
    names = [_NAMES[kind] for kind in kinds]
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _type_help(instance: object, kinds: list[str]) -> str:
    match instance:
        case None:
            return "write a value, or take the line out"
        case dict() if "string" in kinds:
            return _BRACES_HELP
        case list() if "string" in kinds:
            return "write a single value here"
        case bool() | int() | Decimal() if kinds == ["string"]:
            return "put quotes around it"
        case _ if "array" in kinds:
            return _TYPE_HELP["array"]
    return _TYPE_HELP.get(kinds[0], "write it in full, or take the line out")


_BRACES_HELP = 'put quotes around text with braces: `"{a.b} …"`'
_TYPE_HELP = {
    "object": "write `name: value`, each in a line of its own below it",
    "array": "write a list: `[a, b]`, or lines that begin with `- `",
    "string": "write a text, or take the line out",
    "boolean": "write `true` or `false`, without quotes",
    "integer": "write a whole number, without quotes",
}
_NAMES_OF = {r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$": "an id", r"^[A-Za-z_][A-Za-z0-9_-]*$": "a name"}
_PATTERN_HELP = {
    r"^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$": "write a language code, such as `en` or `pt-BR`",
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
            if _is_text_in_braces(error):
                help_ = _BRACES_HELP
            elif code == "unknown-operator" and name in ("amount", "currency"):
                help_ = "write money as text, such as `499.99 EUR`"
            else:
                help_ = did_you_mean(name, known, f"known here: {one_of(known, 20)}")
            yield Finding(_key_place(node, name), code, f"unknown {what} `{short(name)}`", help_)


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
