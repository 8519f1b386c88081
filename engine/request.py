"""Requests: from AuthZEN-shaped data, or from flat paths, to the facts that a policy declares (DESIGN section 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.finding import did_you_mean
from engine.model import Action, Pack
from engine.situation import DATE

_SECTIONS = ("subject", "action", "resource", "context")
_MAX_WARNINGS = 20


class InvalidRequest(ValueError):
    """What was sent is no request; its text says what to mend."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the policy understands it.

    `action` is None where the policy cannot decide at all: an unknown action, or one on another type
    of resource. `given` maps the paths of declared facts to raw values. `warnings` are for people.
    """

    action: Action | None
    given: Mapping[str, object]
    warnings: tuple[str, ...] = ()


def read_request(data: object, pack: Pack) -> Asked:
    """The facts of a request; raises InvalidRequest where the data is no request."""
    if not isinstance(data, Mapping):
        raise InvalidRequest("a request is an object with `action`, and `subject`, `resource` and `context` as needed")
    sections = {name: _object(data.get(name), name) for name in _SECTIONS}
    name = _text(sections["action"].get("name"), "action.name")
    if not name:
        raise InvalidRequest("`action.name` is missing: name one of the policy's actions")
    action = pack.actions.get(name)
    date = {DATE: sections["context"]["date"]} if "date" in sections["context"] else {}
    if action is None:
        near = did_you_mean(name, pack.actions) or "the policy knows nothing of it"
        return Asked(None, date, (f"unknown action `{_short(name)}`; {near}",))
    resource = _text(sections["resource"].get("type"), "resource.type")
    if resource is not None and action.resource is not None and resource != action.resource:
        return Asked(
            None, date, (f"`{name}` is about a resource of type `{action.resource}`, not `{_short(resource)}`",)
        )
    everything = _sent(data, sections, resource or action.resource or "resource")
    sent = {path: value for path, value in everything if value is not None}
    given = {path: value for path, value in sent.items() if _declared(path, action, pack)}
    return Asked(action, given, tuple(_warnings(sent, given, action, pack)))


def from_paths(given: Mapping[str, object]) -> dict[str, Any]:
    """The request, AuthZEN-shaped, that flat paths such as `subscription.cost` and `action` stand for.

    Raises InvalidRequest where they speak of two types of resource.
    """
    return with_paths({}, given)


def with_paths(data: object, given: Mapping[str, object]) -> dict[str, Any]:
    """A copy of a request with the values of flat paths put in; raises InvalidRequest."""
    if not isinstance(data, Mapping):
        raise InvalidRequest("a request is an object")
    request: dict[str, Any] = dict(data)
    for name in _SECTIONS:
        if name in request:
            request[name] = dict(_object(request[name], name))
    for path, value in given.items():
        _put(request, path, value)
    return request


def _put(request: dict[str, Any], path: str, value: object) -> None:
    namespace, _, name = path.partition(".")
    if path == "action":
        request.setdefault("action", {})["name"] = value
    elif not name:
        request[path] = value
    elif namespace == "context":
        request.setdefault("context", {})[name] = value
    elif namespace in ("subject", "action", "resource"):
        _put_in(request.setdefault(namespace, {}), _BESIDE[namespace], name, value)
    else:
        resource = request.setdefault("resource", {})
        if resource.setdefault("type", namespace) != namespace:
            raise InvalidRequest(f"`{path}` and a resource of type `{resource['type']}` do not go together")
        _put_in(resource, ("id",), name, value)


_BESIDE = {"subject": ("type", "id"), "action": ("name",), "resource": ("type", "id")}


def _put_in(entity: dict[str, Any], beside: tuple[str, ...], name: str, value: object) -> None:
    if name in beside:
        entity[name] = value
    else:
        entity["properties"] = {**_object(entity.get("properties"), "properties"), name: value}


def _sent(
    data: Mapping[Any, Any], sections: Mapping[str, Mapping[str, object]], resource: str
) -> Iterator[tuple[str, object]]:
    """Every fact that the request sends, declared or not, by path; null is none."""
    for section, namespace, beside in (
        ("subject", "subject", ("type", "id")),
        ("action", "action", ("name",)),
        ("resource", resource, ("id",)),
    ):
        entity = sections[section]
        for name, value in _object(entity.get("properties"), f"{section}.properties").items():
            # Who asks, and about what, is never taken from where anything may stand.
            yield f"{section}.properties.{name}" if name in beside else f"{namespace}.{name}", value
        if section != "action":
            yield from ((f"{namespace}.{name}", entity[name]) for name in beside if name in entity)
    yield from ((f"context.{name}", value) for name, value in sections["context"].items())
    yield from ((str(name), value) for name, value in data.items() if name not in _SECTIONS)


def _declared(path: str, action: Action, pack: Pack) -> bool:
    return path in pack.facts and (not path.startswith("action.") or path in action.properties)


def _warnings(sent: Mapping[str, object], given: Mapping[str, object], action: Action, pack: Pack) -> Iterator[str]:
    known = [path for path in pack.facts if _declared(path, action, pack)]
    strange = sorted(path for path in sent if path not in given)
    for path in strange[:_MAX_WARNINGS]:
        where = f"`{action.name}` has no property" if path in pack.facts else "unknown fact"
        names = known if "." in path else (*known, *_SECTIONS)
        yield f"{where} `{_short(path)}` (ignored); {did_you_mean(path, names, 'no declared name is near')}"
    if len(strange) > _MAX_WARNINGS:
        yield f"{len(strange) - _MAX_WARNINGS} more unknown facts (ignored)"
    for path in sorted(given):
        if pack.facts[path].sealed:
            yield f"`{path}` is sealed: the policy works it out itself (the value sent is ignored)"


def _object(value: object, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"`{name}` must be an object")
    if not all(isinstance(key, str) for key in value):
        raise InvalidRequest(f"the names in `{name}` must be text")
    return value


def _text(value: object, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"`{name}` must be text")
    return None if value is None else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"
