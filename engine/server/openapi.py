"""The OpenAPI 3.1 document of the service: schemas/service.json, and what depends on settings and policy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from importlib import metadata
from pathlib import Path
from string import Template
from typing import Any, TypeAlias

from engine.schema import schema
from engine.server.authzen import SEMANTICS
from engine.server.guard import MAX_ID, SECURITY
from engine.server.problems import MEDIA_TYPE, Problem
from engine.server.settings import LEVELS, Settings
from engine.strict_json import MAX_DEPTH

Json: TypeAlias = dict[str, Any]

# The problems that every operation may answer with; the guard comes before all of them.
_ANYWHERE = ("BadRequest", "MethodNotAllowed", "Late", "TooLarge", "Failed", "Unavailable")
_FOR_KEYS = ("Unauthorized", "Forbidden")
_HEADERS = {
    "X-Request-ID": "RequestId",
    "ChangeGate-Policy-Version": "PolicyVersion",
    "Server-Timing": "ServerTiming",
    **{name.decode().title(): name.decode().title() for name, _ in SECURITY},
}


def document(settings: Settings, languages: Sequence[str]) -> Json:
    """The document of a service with these settings, whose policy speaks these languages, as JSON data.

    Keys are in it only if the service asks for them.
    """
    data: Json = json.loads(_text().safe_substitute(_numbers(settings), languages=", ".join(languages)))
    data["info"]["version"] = _version()
    data["servers"] = [{"url": settings.url}]
    parts = data["components"]
    statuses = {name: str(each.pop("x-status")) for name, each in parts["responses"].items()}
    _fill_schemas(parts["schemas"], settings)
    _fill_headers(parts, settings, languages)
    for name, response in parts["responses"].items():
        _fill_problem(response, int(statuses[name]))
    if settings.keys:
        parts["securitySchemes"] = {"key": _KEY}
    for operation in _operations(data):
        _complete(operation, statuses, asks_for_keys=bool(settings.keys))
    return data


_KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key that the service knows. What it opens depends on its scopes: decide, search, admin.",
}


@cache
def _text() -> Template:
    """The part that is the same for all services; `$name` in it is a number of the settings."""
    return Template((Path(__file__).parent.parent / "schemas" / "service.json").read_text(encoding="utf-8"))


def _numbers(settings: Settings) -> dict[str, int]:
    bounds = {name: getattr(settings, name) for name in ("max_body", "max_batch", "max_page")}
    return {**bounds, "max_depth": MAX_DEPTH}


def _version() -> str:
    try:
        return metadata.version("changegate")
    except metadata.PackageNotFoundError:  # `python cli.py` in a checkout
        return "unknown"


def _fill_schemas(schemas: Json, settings: Settings) -> None:
    decision = deepcopy(schema("decision"))
    told = {name: each for name, each in decision["properties"].items() if name != "decision"}
    schemas["Outcome"], schemas["Cause"] = told["outcome"], told["cause"]
    schemas["Explanation"] = {
        "description": decision["description"],
        "type": "object",
        "required": list(told),
        "properties": told,
        "additionalProperties": False,
    }
    schemas["Options"]["properties"]["evaluations_semantic"]["enum"] = [*SEMANTICS, None]
    schemas["PageResponse"]["properties"]["count"]["maximum"] = settings.max_page
    for name in ("Batch", "BatchWithErrors"):
        schemas[name]["properties"]["evaluations"]["maxItems"] = settings.max_batch


def _fill_headers(parts: Json, settings: Settings, languages: Sequence[str]) -> None:
    parts["parameters"]["RequestId"]["schema"]["maxLength"] = MAX_ID
    parts["parameters"]["Detail"]["schema"].update(enum=list(LEVELS), default=settings.detail)
    parts["headers"]["ContentLanguage"]["schema"]["enum"] = list(languages)
    for name, value in SECURITY:
        parts["headers"][name.decode().title()] = {
            "description": "The same on every answer.",
            "required": True,
            "schema": {"const": value.decode()},
        }


def _fill_problem(response: Json, status: int) -> None:
    example = json.loads(Problem(status, response.pop("x-detail")).body())
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    response["content"] = {MEDIA_TYPE: content}
    _add_headers(response)


def _add_headers(response: Json) -> None:
    """The headers that every answer has."""
    common = {name: {"$ref": f"#/components/headers/{each}"} for name, each in _HEADERS.items()}
    response["headers"] = {**common, **response.get("headers", {})}


def _operations(data: Json) -> Iterator[Json]:
    for path in data["paths"].values():
        yield from path.values()


def _complete(operation: Json, statuses: dict[str, str], *, asks_for_keys: bool) -> None:
    """Put into an operation what it has in common with others."""
    scope = operation.pop("x-scope", None)
    problems = [*_ANYWHERE, *operation.pop("x-problems", [])]
    if scope and asks_for_keys:
        problems += _FOR_KEYS
        operation["security"] = [{"key": [scope]}]
        described = f"{operation.get('description', '')}\n\nNeeds a key with the scope `{scope}`."
        operation["description"] = described.strip()
    operation["parameters"] = [{"$ref": "#/components/parameters/RequestId"}, *operation.get("parameters", [])]
    for response in operation["responses"].values():
        _add_headers(response)
    for status, name in sorted((statuses[name], name) for name in problems):
        operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
