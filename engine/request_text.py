"""Requests as text: JSON or YAML files, NDJSON lines, and `path=value` settings."""

from __future__ import annotations

from typing import Any

from engine.files import NotRead, decode
from engine.request import InvalidRequest
from engine.strict_json import NotJson, parse_json, parse_json_line

MAX_BYTES = 1024 * 1024


def parse_request(data: bytes, name: str) -> Any:
    """The data of a request file: YAML by its extension, JSON if it begins like it, else YAML; raises InvalidRequest."""
    if len(data) > MAX_BYTES:
        raise InvalidRequest(f"the request is larger than {MAX_BYTES // 1024} KiB")
    try:
        text = decode(data, name)
        if not text.strip():
            raise InvalidRequest("the request is empty")
        looks_like_json = text.lstrip()[:1] in ("{", "[")
        if name.endswith(".json") or (looks_like_json and not name.endswith((".yaml", ".yml"))):
            return parse_json(text)
        return _yaml(text, name)
    except NotRead as error:
        found = error.finding
        raise InvalidRequest(f"{found.message} (line {found.place.line}, column {found.place.column})") from None
    except NotJson as error:
        raise InvalidRequest(str(error)) from None


def _yaml(text: str, name: str) -> Any:
    # Most requests are JSON; those that are not pay for PyYAML.
    from engine.load import read_yaml  # noqa: PLC0415
    from engine.nodes import plain  # noqa: PLC0415

    return plain(read_yaml(text, name))


def parse_line(line: bytes) -> Any:
    """The data of one line of NDJSON; raises InvalidRequest."""
    if len(line) > MAX_BYTES:
        raise InvalidRequest(f"the line is longer than {MAX_BYTES // 1024} KiB")
    try:
        return parse_json_line(line)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"byte 0x{line[error.start]:02x} is not UTF-8 (column {error.start + 1})") from None
    except NotJson as error:
        raise InvalidRequest(str(error)) from None


def parse_setting(setting: str) -> tuple[str, Any]:
    """Path and value of `path=value`: JSON where the value parses as JSON, else text; raises InvalidRequest."""
    path, equals, value = setting.partition("=")
    if not equals or not path.strip():
        raise InvalidRequest(f"`{setting}` is no setting; write `path=value`, such as `subscription.cost=5 EUR`")
    try:
        return path.strip(), parse_json(value)
    except NotJson:
        return path.strip(), value
