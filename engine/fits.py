"""Whether data fits a JSON Schema: only yes or no, which is quicker by far than to be told what does not fit.

A keyword is one small function that makes a check of data; a schema is all the checks of its keywords. Only
the keywords that the schema of packs uses are known here; a schema with any other is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from engine.values import Plain

Check: TypeAlias = Callable[[Any], bool]
Checks: TypeAlias = Mapping[str, Check]

# The types of data as `nodes.plain` makes it, by their names in a schema.
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str, Plain),
    "number": (int, Decimal),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


def checks(schema: Mapping[str, Any]) -> Checks:
    """The check of the schema, under `#`, and of each of its definitions, under its reference.

    They are exact for data as `nodes.plain` makes it. Raises ValueError for a keyword that is not known here.
    """
    found: dict[str, Check] = {}
    found["#"] = _check(schema, found)
    for name, part in schema.get("$defs", {}).items():
        found[f"#/$defs/{name}"] = _check(part, found)
    return found


def is_unique(items: list[Any]) -> bool:
    """Whether a list has no repeats, in a time that does not grow with its square."""
    return len(set(map(repr, items))) == len(items)


def _check(schema: Any, found: Checks) -> Check:
    if isinstance(schema, bool):
        return lambda _: schema
    makers = dict.fromkeys(_maker(name) for name in schema if name not in _SILENT and not name.startswith("x-"))
    tests = [make(schema, found) for make in makers]
    return tests[0] if len(tests) == 1 else _all(tests)


def _maker(keyword: str) -> Callable[[Any, Checks], Check]:
    if keyword not in _KEYWORDS:
        raise ValueError(f"the keyword `{keyword}` is not known here")
    return _KEYWORDS[keyword]


def _all(tests: list[Check]) -> Check:
    def fits(data: Any) -> bool:
        # It runs for every value of a pack: a loop takes half as long as `all`, and less of the stack.
        for test in tests:  # noqa: SIM110
            if not test(data):
                return False
        return True

    return fits


def _type(schema: Any, _: Checks) -> Check:
    names = schema["type"]
    types = frozenset(each for name in ([names] if isinstance(names, str) else names) for each in _TYPES[name])
    return lambda data: type(data) in types


def _enum(schema: Any, _: Checks) -> Check:
    values = schema["enum"]
    if not all(isinstance(value, str) for value in values):
        raise ValueError("an `enum` of other things than texts is not known here")
    return lambda data: isinstance(data, str) and data in values


def _pattern(schema: Any, _: Checks) -> Check:
    search = re.compile(schema["pattern"]).search
    return lambda data: not isinstance(data, str) or search(data) is not None


def _minimum(schema: Any, _: Checks) -> Check:
    least = schema["minimum"]
    return lambda data: type(data) not in _TYPES["number"] or data >= least


def _items(schema: Any, found: Checks) -> Check:
    test = _check(schema["items"], found)
    return lambda data: not isinstance(data, list) or all(map(test, data))


def _contains(schema: Any, found: Checks) -> Check:
    test = _check(schema["contains"], found)
    return lambda data: not isinstance(data, list) or any(map(test, data))


def _min_items(schema: Any, _: Checks) -> Check:
    least = schema["minItems"]
    return lambda data: not isinstance(data, list) or len(data) >= least


def _max_items(schema: Any, _: Checks) -> Check:
    most = schema["maxItems"]
    return lambda data: not isinstance(data, list) or len(data) <= most


def _unique_items(schema: Any, _: Checks) -> Check:
    wanted = schema["uniqueItems"]
    return lambda data: not (wanted and isinstance(data, list)) or is_unique(data)


def _properties(schema: Any, found: Checks) -> Check:
    """The check of both `properties` and `additionalProperties`."""
    known = {name: _check(part, found) for name, part in schema.get("properties", {}).items()}
    other = _check(schema.get("additionalProperties", True), found)

    def fits(data: Any) -> bool:
        if isinstance(data, dict):
            for name, value in data.items():
                if not known.get(name, other)(value):
                    return False
        return True

    return fits


def _property_names(schema: Any, found: Checks) -> Check:
    test = _check(schema["propertyNames"], found)
    return lambda data: not isinstance(data, dict) or all(map(test, data))


def _required(schema: Any, _: Checks) -> Check:
    names = frozenset(schema["required"])
    return lambda data: not isinstance(data, dict) or names <= data.keys()


def _min_properties(schema: Any, _: Checks) -> Check:
    least = schema["minProperties"]
    return lambda data: not isinstance(data, dict) or len(data) >= least


def _if(schema: Any, found: Checks) -> Check:
    test, fits, fits_else = (_check(schema.get(name, True), found) for name in ("if", "then", "else"))
    return lambda data: fits(data) if test(data) else fits_else(data)


def _one_of(schema: Any, found: Checks) -> Check:
    tests = [_check(part, found) for part in schema["oneOf"]]
    return lambda data: sum(test(data) for test in tests) == 1


def _ref(schema: Any, found: Checks) -> Check:
    reference = schema["$ref"]

    def fits(data: Any) -> bool:
        # What a definition refers to may be made later, or be itself.
        return found[reference](data)

    return fits


# What says nothing of its own; `then` and `else` belong to `if`.
_SILENT = frozenset({"$schema", "$defs", "title", "description", "then", "else"})
_KEYWORDS: dict[str, Callable[[Any, Checks], Check]] = {
    "$ref": _ref,
    "type": _type,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _minimum,
    "items": _items,
    "contains": _contains,
    "minItems": _min_items,
    "maxItems": _max_items,
    "uniqueItems": _unique_items,
    "properties": _properties,
    "additionalProperties": _properties,
    "propertyNames": _property_names,
    "required": _required,
    "minProperties": _min_properties,
    "if": _if,
    "oneOf": _one_of,
}
