"""Masks: facts whose values are kept out of logs, named by path as in a policy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

MASKED: Final = "***"
EVERYTHING: Final = "*"
_PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.(\*|[A-Za-z_][A-Za-z0-9_-]*))?")
_SECTIONS: Final = frozenset({"subject", "action", "resource", "context"})
# `*` does not hide what kind of thing it is about (a mask that names it does), and looks into the properties.
_KEPT: Final = frozenset({"type", "name", "properties"})
_NONE: Final[frozenset[str]] = frozenset()


class Masks:
    """What is hidden of a request.

    `paths` are facts: `subject.id`, `subscription.cost`, `context.ip`, a name alone for a fact without a dot;
    `resource.x` is a fact of whatever type of resource, and `subject.*` all facts of the subject. Raises
    ValueError for what is no such path.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        names: dict[str, set[str]] = {}
        for path in paths:
            namespace, name = _parts(path)
            names.setdefault(namespace, set()).add(name)
        self._alone = frozenset(names.pop("", ()))
        self._names = {each: frozenset(found) for each, found in names.items()}
        self._any_type = any_type = self._names.get("resource", _NONE)
        self._typed = {each: any_type | found for each, found in self._names.items() if each not in _SECTIONS}
        # Where a resource does not say its type, it may be of any.
        self._untyped = any_type.union(*self._typed.values())

    def __bool__(self) -> bool:
        return bool(self._alone or self._names)

    def apply(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request with `***` for what is hidden, wherever it carries it; itself where nothing is to be hidden."""
        if not self:
            return request
        shown = dict(request)
        for name, value in request.items():
            if name not in _SECTIONS:
                if self._hides_flat(name):
                    shown[name] = MASKED
            elif value is not None:
                names = self._of_resource(value) if name == "resource" else self._names.get(name)
                if names:
                    shown[name] = _hide(value, names, entity=name != "context")
        return shown

    def _of_resource(self, resource: Any) -> frozenset[str]:
        kind = resource.get("type") if _is_object(resource) else None
        return self._typed.get(kind, self._any_type) if isinstance(kind, str) else self._untyped

    def _hides_flat(self, path: str) -> bool:
        """Whether a fact is hidden that stands beside the sections, under its own path."""
        namespace, dot, name = path.partition(".")
        if not dot:
            return path in self._alone
        of_resource = _NONE if namespace in _SECTIONS else self._any_type
        return _hides(self._names.get(namespace, _NONE) | of_resource, name)


def _parts(path: str) -> tuple[str, str]:
    """The namespace of a mask (empty for a name alone) and its name; raises ValueError."""
    if not _PATH.fullmatch(path):
        raise ValueError(f"the mask `{path}` is no path of a fact; write `subject.id`, or `subject.*` for all facts")
    namespace, dot, name = path.partition(".")
    if not dot and namespace in _SECTIONS:
        raise ValueError(f"the mask `{path}` is no path of a fact; write `{path}.*` for all facts of the {path}")
    return (namespace, name) if dot else ("", namespace)


def _hide(values: Any, names: frozenset[str], *, entity: bool) -> Any:
    """The values with those of these names hidden; an entity has them in `properties` or, wrongly or not, beside."""
    if not _is_object(values):
        return MASKED
    hidden: dict[str, Any] = {} if names.isdisjoint(values) else dict.fromkeys(names & values.keys(), MASKED)
    if EVERYTHING in names:
        hidden |= dict.fromkeys(values.keys() - _KEPT if entity else values, MASKED)
    if entity and "properties" not in hidden and values.get("properties") is not None:
        hidden["properties"] = _hide(values["properties"], names, entity=False)
    return {**values, **hidden} if hidden else values


def _is_object(value: Any) -> bool:
    # Nearly always it is a dict, and asking for that is a tenth of the cost.
    return value.__class__ is dict or isinstance(value, Mapping)


def _hides(names: frozenset[str], name: str) -> bool:
    return name in names or EVERYTHING in names
