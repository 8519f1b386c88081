"""Entities in YAML, JSON and NDJSON: a list of AuthZEN entities, or a mapping from types to ids to properties."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.files import NotRead, decode
from engine.finding import did_you_mean
from engine.load import read_yaml
from engine.nodes import Mapping, Node, Scalar, Sequence, plain
from engine.server.entity import Entity, Reading, WrongEntities
from engine.strict_json import NotJson, parse_json, parse_json_line

_PARTS = ("type", "id", "properties")
_SHAPE = "write a list of entities `{type, id, properties}`, or a mapping from types to ids to properties"


def read_yaml_file(file: str, _kind: str | None) -> Reading:
    """The entities of a YAML file; raises WrongEntities."""
    try:
        root = read_yaml(decode(read_bytes(file), file), file)
    except NotRead as error:
        finding = error.finding
        raise WrongEntities(f"{finding.place}: {finding.message}; {finding.help or 'mend the file'}") from None
    match root:
        case Sequence(items):
            for item in items:
                yield _entity(_line(item), plain(item))
        case Mapping(entries):
            for kind, child in entries.items():
                yield from _of_kind(kind, child)
        case Scalar(None):
            return
        case _:
            raise WrongEntities(f"{_line(root)}: this is no list and no mapping; {_SHAPE}")


def read_json(file: str, _kind: str | None) -> Reading:
    """The entities of a JSON file; raises WrongEntities."""
    try:
        data = parse_json(decode(read_bytes(file), file))
    except (NotRead, NotJson) as error:
        raise WrongEntities(f"{file}: {error}; mend the file") from None
    if isinstance(data, list):
        for number, item in enumerate(data, start=1):
            yield _entity(f"{file}, entity {number}", item)
    elif isinstance(data, dict):
        for kind, some in data.items():
            if not isinstance(some, dict):
                raise WrongEntities(f"{file}: what stands under the type `{kind}` is no object; {_SHAPE}")
            yield from (Entity(f"{file}, `{kind}` `{id_}`", kind, id_, given) for id_, given in some.items())
    else:
        raise WrongEntities(f"{file}: this is no list and no object; {_SHAPE}")


def read_lines(file: str, _kind: str | None) -> Reading:
    """The entities of a file with one JSON object a line; raises WrongEntities."""
    with _opened(file) as stream:
        for number, line in enumerate(stream, start=1):
            if line.isspace():
                continue
            place = f"{file}:{number}"
            try:
                data = parse_json_line(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except NotJson as error:
                raise WrongEntities(f"{place}: {error}; write one entity a line") from None
            except UnicodeDecodeError:
                raise WrongEntities(f"{place}: the line is no UTF-8; save the file as UTF-8") from None
            yield _entity(place, data)


def read_bytes(file: str) -> bytes:
    """What is in a file; raises WrongEntities."""
    with _opened(file) as stream:
        return stream.read()


def _opened(file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise unreadable(file, error) from None


def unreadable(file: str, error: OSError) -> WrongEntities:
    """What is said of a file that cannot be read."""
    problem = (error.strerror or "error").lower()
    return WrongEntities(f"{file}: cannot be read: {problem}; check the path and its permissions")


def _of_kind(kind: str, child: Node) -> Iterator[Entity]:
    """The entities under the name of their type."""
    if not isinstance(child, Mapping):
        raise WrongEntities(f"{_line(child)}: what stands under the type `{kind}` is no mapping; {_SHAPE}")
    for id_, node in child.entries.items():
        place = child.keys[id_]
        yield Entity(f"{place.file}:{place.line}", kind, id_, plain(node))


def _entity(place: str, data: object) -> Entity:
    """The entity of an AuthZEN object."""
    if not isinstance(data, dict):
        raise WrongEntities(f"{place}: an entity is an object with `type`, `id` and `properties`; write it so")
    for name in data:
        if name not in _PARTS:
            help_ = did_you_mean(name, _PARTS, "what is known of the entity stands under `properties`")
            raise WrongEntities(f"{place}: an entity has no `{name}`; {help_}")
    return Entity(place, *(data.get(name) for name in _PARTS))


def _line(node: Node) -> str:
    return f"{node.place.file}:{node.place.line}"
