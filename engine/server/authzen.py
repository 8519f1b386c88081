"""The AuthZEN Authorization API 1.0 as data: what a body must hold, and the requests that a batch stands for.

Nothing here decides, and nothing here speaks HTTP. Section numbers are those of the specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from types import NoneType
from typing import Any, Literal

from engine.server.problems import Problem, bad

Semantic = Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"]
SEMANTICS: tuple[Semantic, ...] = ("execute_all", "deny_on_first_deny", "permit_on_first_permit")
EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
SEARCHES = {each: f"/access/v1/search/{each}" for each in ("subject", "resource", "action")}
METADATA = "/.well-known/authzen-configuration"
_ENTITIES = (("subject", ("type", "id")), ("action", ("name",)), ("resource", ("type", "id")))
_MEMBERS = itemgetter("subject", "action", "resource")
# An object, or none.
_OBJECTS = (dict, NoneType)
_NO_FACTS = ("evaluations", "options", "page")


@dataclass(frozen=True, slots=True)
class Batch:
    """Several requests and how they are decided; in place of a request that is none stands what is wrong with it."""

    requests: tuple[Mapping[str, Any] | str, ...]
    semantic: Semantic


def evaluation(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request that the body of an evaluation is (section 6.1); raises Problem 400."""
    if not _is_complete(body):
        wrong = wrong_with(body)
        if wrong:
            raise bad(wrong)
    return body if body.keys().isdisjoint(_NO_FACTS) else _without(body)


def evaluations(body: Mapping[str, Any], most: int) -> Batch | None:
    """The batch that the body of evaluations is, of so many at most; None if it asks for one evaluation (section 7.1).

    Raises Problem 400 where the body as a whole is wrong, 413 where it holds too many.
    """
    items = body.get("evaluations")
    semantic = _semantic(body.get("options"))
    if items is None or items == []:
        return None
    if not isinstance(items, list):
        raise bad("`evaluations` must be an array")
    if len(items) > most:
        raise Problem(413, f"a batch holds at most {most} evaluations; send several")
    rest = {name: value for name, value in body.items() if name not in _NO_FACTS}
    return Batch(tuple(_item(item, rest) for item in items), semantic)


def searched(body: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The request that a search of a kind is about, its candidates still without id or name (section 8).

    Raises Problem 400.
    """
    wrong = _wrong_entities(body, kind)
    if wrong:
        raise bad(wrong)
    return _without(body)


def wrong_with(request: Mapping[str, Any]) -> str | None:
    """What keeps the data from being a request, with the place; None if nothing does."""
    return _wrong_entities(request, "")


def error(status: int, message: str) -> dict[str, Any]:
    """The answer to an item of a batch that cannot be decided: closed (section 7.2.1)."""
    return {"decision": False, "context": {"error": {"status": status, "message": message}}}


def metadata(url: str) -> dict[str, Any]:
    """The metadata of a service that clients call by this URL (section 9)."""
    searches = {f"search_{kind}_endpoint": url + path for kind, path in SEARCHES.items()}
    return {
        "policy_decision_point": url,
        "access_evaluation_endpoint": url + EVALUATION,
        "access_evaluations_endpoint": url + EVALUATIONS,
        **searches,
    }


def _is_complete(request: Mapping[str, Any]) -> bool:
    """Whether the request is as nearly all are, so that nothing more needs to be looked at."""
    try:
        subject, action, resource = _MEMBERS(request)
        return (
            subject["type"].__class__ is str
            and subject["id"].__class__ is str
            and action["name"].__class__ is str
            and action["name"] != ""
            and resource["type"].__class__ is str
            and resource["id"].__class__ is str
            and subject.get("properties").__class__ in _OBJECTS
            and action.get("properties").__class__ in _OBJECTS
            and resource.get("properties").__class__ in _OBJECTS
            and request.get("context").__class__ in _OBJECTS
        )
    except (KeyError, TypeError, AttributeError):
        return False


def _wrong_entities(request: Mapping[str, Any], sought: str) -> str | None:
    for name, members in _ENTITIES:
        wrong = _wrong_entity(request.get(name), name, members, sought == name)
        if wrong:
            return wrong
    context = request.get("context")
    return None if context is None or isinstance(context, dict) else "`context` must be an object"


def _wrong_entity(entity: Any, name: str, members: tuple[str, ...], is_sought: bool) -> str | None:
    if is_sought:
        if name == "action":
            return None
        members = members[:1]  # an id would be ignored
    if entity is None:
        return f"`{name}` is missing: an object with {' and '.join(f'`{member}`' for member in members)}"
    if not isinstance(entity, dict):
        return f"`{name}` must be an object"
    for member in members:
        value = entity.get(member)
        if not isinstance(value, str):
            return f"`{name}.{member}` {'is missing' if value is None else 'must be text'}"
        if not value and member == "name":
            return f"`{name}.{member}` is empty: name one of the policy's actions"
    properties = entity.get("properties")
    return None if properties is None or isinstance(properties, dict) else f"`{name}.properties` must be an object"


def _item(item: Any, defaults: Mapping[str, Any]) -> Mapping[str, Any] | str:
    """A whole object of the item replaces the default; nothing is merged into it (section 7.1.1). Null is absent."""
    if not isinstance(item, dict):
        return "an evaluation must be an object"
    request = {**defaults, **{name: each for name, each in item.items() if each is not None}} if defaults else item
    if _is_complete(request):
        return request
    return wrong_with(request) or request


def _semantic(options: Any) -> Semantic:
    if options is None:
        return "execute_all"
    if not isinstance(options, dict):
        raise bad("`options` must be an object")
    asked = options.get("evaluations_semantic")
    if asked is None:
        return "execute_all"
    for semantic in SEMANTICS:
        if semantic == asked:
            return semantic
    raise bad(f"`options.evaluations_semantic` must be one of {', '.join(SEMANTICS)}")


def _without(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in body.items() if name not in _NO_FACTS}
