"""Entities: what each kind of source holds, what is wrong with one, and what decisions make of it."""

from __future__ import annotations

import datetime
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import given, note, settings
from strategies import AS_OF, Drawing, checked, difference, draw_pack, draw_request, randoms, vocabulary

from engine import Decision, open_policy
from engine.gate import ENGINES, Gate
from engine.model import Pack
from engine.server.binding import Bound, bind
from engine.server.entities import Entities, WrongEntities, files_of, read_entities
from engine.values import Money, Plain
from engine.version import version_of

DAY = datetime.date(2026, 11, 22)
EXAMPLES = Path(__file__).parent.parent / "examples"

DESK = """
policy: {name: desk, title: An order desk, languages: [en]}
actions:
  approve: {title: Approve an order, resource: order}
  dismiss: {title: Dismiss a user, resource: user}
facts:
  subject.role: {type: enum, values: [clerk, manager], description: What the user is.}
  subject.limit: {type: money, currency: EUR, minimum: 0, description: Up to what the user approves.}
  subject.hired: {type: date, description: The first day of work.}
  subject.suspended: {type: boolean, default: false, description: Whether the user may do nothing now.}
  subject.level: {type: integer, sealed: true, description: How far the user has come.}
  subject.teams: {type: list, of: string, description: Where the user works.}
  order.total: {type: money, description: What is ordered for.}
  order.team: {type: string, description: Who orders.}
  order.on_hold: {type: boolean, default: false, description: Whether it has to wait.}
  user.role: {type: string, description: What the user to be dismissed is.}
rules:
  - id: managers-approve
    title: Managers approve
    actions: [approve]
    when: {subject.role: manager, order.total: {at_most: $subject.limit}, subject.teams: {has: $order.team}}
    allow: You may.
  - {id: suspended, title: Suspended, actions: [approve], when: {subject.suspended: true}, deny: You are suspended.}
  - {id: on-hold, title: On hold, actions: [approve], when: {order.on_hold: true}, deny: The order has to wait.}
  - {id: new-here, title: New here, actions: [approve], when: {subject.level: {less_than: 3}}, deny: You are new here.}
  - id: not-yet-hired
    title: Not yet hired
    actions: [approve]
    when: {subject.hired: {after: $context.date}}
    deny: You are not hired yet.
  - {id: managers-dismiss, title: Dismissing, actions: [dismiss], when: {subject.role: manager, user.role: clerk}, allow: You may.}
"""

MAX = {
    "role": "manager", "limit": {"amount": Decimal("499.99"), "currency": "EUR"}, "hired": "2020-02-29",
    "suspended": False, "level": 5, "teams": ["north", "NO"],
}  # fmt: skip
KINDS = {"order": {"7": {"total": "20 EUR", "on_hold": True}}, "user": {"NO": {}, "max": MAX}}


def pack_of(text: str) -> Pack:
    """The pack in a text, which has to be right."""
    found = checked({"pack.yaml": text})
    assert not found.errors
    return found.pack


def bound(kinds: Mapping[str, Any], text: str = DESK) -> Bound:
    return bind(pack_of(text), Entities(kinds))


def gate(found: Bound, subject: str | None = "user") -> Gate:
    return Gate(found.pack(subject), DAY, version=found.version)


def asked(
    action: str, what: str, who: str = "user max", sent: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """A request that names who asks and about what by type and id, and sends no more than told to, by section."""
    sent = sent or {}
    request: dict[str, Any] = {"action": {"name": action}, "context": sent.get("context", {})}
    for name, (kind, _, id_) in (("subject", who.partition(" ")), ("resource", what.partition(" "))):
        request[name] = {"type": kind, "id": id_, "properties": sent.get(name, {})}
    return request


def decided(found: Bound, request: dict[str, Any]) -> Decision:
    """The decision, which all engines agree on."""
    opened = gate(found, request["subject"]["type"])
    assert difference(opened, request) is None
    return opened.decide(request)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# Sources.

YAML_MAPPING = """
user:
  NO: {}
  max: {role: manager, limit: {amount: 499.99, currency: EUR}, hired: 2020-02-29, suspended: false, level: 5, teams: [north, NO], left: null}
order: {7: {total: 20 EUR, on_hold: true}}
"""
YAML_LIST = """
- {type: user, id: max, properties: {role: manager, limit: {amount: 499.99, currency: EUR}, hired: 2020-02-29, suspended: false, level: 5, teams: [north, NO]}}
- {type: user, id: NO}
- {type: order, id: "7", properties: {total: 20 EUR, on_hold: true}}
"""
JSON_LINES = [
    '{"type": "user", "id": "NO", "properties": null}',
    '{"type": "order", "id": "7", "properties": {"total": "20 EUR", "on_hold": true}}',
    '{"id": "max", "type": "user", "properties": {"role": "manager", "limit": {"amount": 499.99, "currency": "EUR"}, "hired": "2020-02-29", "suspended": false, "level": 5, "teams": ["north", "NO"], "left": null}}',
]
JSON_MAPPING = json.dumps(KINDS, default=float)
CSV = """type,id,user.role,limit.amount,limit.currency,subject.hired,suspended,level,teams,order__total,on_hold
user,max,manager,499.99,EUR,2020-02-29,false,5,"[""north"", ""NO""]",,
user,NO,,,,,,,,,
order,7,,,,,,,,20 EUR,true
"""
PARQUET = """
SELECT 'user' AS type, 'max' AS id, 'manager' AS "user.role", 499.99::DECIMAL(9, 2) AS "limit.amount",
  'EUR' AS "limit.currency", DATE '2020-02-29' AS hired, false AS suspended, 5 AS level, ['north', 'NO'] AS teams,
  NULL AS total, NULL AS on_hold
UNION ALL SELECT 'user', 'NO', NULL, NULL, 'EUR', NULL, NULL, NULL, NULL, '', NULL
UNION ALL SELECT 'order', '7', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '20 EUR', true
"""
USERS = """
CREATE TABLE users (id TEXT, role TEXT, "limit.amount" NUMERIC(9, 2), "limit.currency" TEXT, hired DATE, suspended BOOLEAN, level INTEGER, teams TEXT);
INSERT INTO users VALUES ('max', 'manager', 499.99, 'EUR', '2020-02-29', 0, 5, '["north", "NO"]');
INSERT INTO users (id) VALUES ('NO');
CREATE TABLE orders (id INTEGER, type TEXT, total TEXT, on_hold BOOLEAN);
INSERT INTO orders VALUES (7, 'order', '20 EUR', 1);
CREATE VIEW everybody AS SELECT * FROM users;
CREATE TABLE nobody (id TEXT);
"""


def parquet(file: str, query: str) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")


def database(file: str, script: str = USERS) -> None:
    connection = sqlite3.connect(file)
    connection.executescript(script)
    connection.close()


WRITTEN: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {
    "a YAML mapping": (lambda: Path("all.yaml").write_text(YAML_MAPPING), ("all.yaml",)),
    "a YAML list": (lambda: Path("all.yml").write_text(YAML_LIST), ("all.yml",)),
    "a JSON mapping": (lambda: Path("all.json").write_text(JSON_MAPPING), ("all.json",)),
    "a JSON list": (lambda: Path("all.json").write_text(f"[{', '.join(JSON_LINES)}]"), ("all.json",)),
    "lines": (lambda: Path("all.ndjson").write_text("\n\n".join(JSON_LINES)), ("all.ndjson",)),
    "lines with a mark": (lambda: Path("a.JSONL").write_text("\n".join(JSON_LINES), encoding="utf-8-sig"), ("a.JSONL",)),
    "Parquet": (lambda: parquet("all.parquet", PARQUET), ("all.parquet",)),
    "CSV": (lambda: Path("all.csv").write_text(CSV), ("all.csv",)),
    "tables": (lambda: database("all.db"), ("user=sqlite:///all.db#users", "sqlite:///all.db#orders")),
    "a view": (lambda: database("all.db"), ("user=sqlite:///all.db#everybody", "order=sqlite:///all.db#main.orders")),
    "two files": (
        lambda: [Path("a=b.ndjson").write_text(line) for line in JSON_LINES[1:2]]
        and Path("rest.jsonl").write_text(JSON_LINES[0] + "\n" + JSON_LINES[2]),
        ("order=a=b.ndjson", "user=rest.jsonl"),
    ),
}  # fmt: skip
# In CSV everything is text, and SQLite has no lists: only the types of a pack tell what such text is.
AS_TEXT = ("CSV", "tables", "a view")


@pytest.mark.parametrize("name", [name for name in WRITTEN if name not in AS_TEXT])
def test_sources_say_the_same(name: str) -> None:
    """The same entities are read from every format that has types; what is null is not there."""
    write, sources = WRITTEN[name]
    write()

    found = read_entities(sources)

    assert KINDS == found.kinds
    assert [*KINDS["user"]] == [*found.kinds["user"]]
    assert all(Path(file).is_file() for file in files_of(sources))
    assert len(sources) == len(files_of(sources))


@pytest.mark.parametrize("name", WRITTEN)
def test_sources_come_to_the_same(name: str) -> None:
    """Bound to a pack, whatever the source, the same entities give the same rows and the same version."""
    write, sources = WRITTEN[name]
    write()

    found = bind(pack_of(DESK), read_entities(sources))

    assert bound(KINDS).version == found.version
    for kind in KINDS:
        assert bound(KINDS).pack("user").tables[kind].rows == found.pack("user").tables[kind].rows


def test_values_stay_as_they_are() -> None:
    """Nothing is cast: text that may be a number is marked, decimals stay exact, days are text, times are whole."""
    query = """SELECT 1::BIGINT AS id, '0123' AS code, 1.10::DECIMAL(9, 2) AS price, 0.5::DOUBLE AS share, TIMESTAMP
      '2026-11-22 00:00:00' AS day, TIMESTAMP '2026-11-22 10:30:00' AS noon, [[1], [2]] AS nested, {'a': 1} AS object,
      'e0f5a1f4-2b5c-4b1e-8d0c-1d1f5a3b7c11'::UUID AS key, '' AS empty, 'NaN'::DOUBLE AS nan, ['', NULL] AS blanks"""
    parquet("all.parquet", query)

    properties = read_entities(["thing=all.parquet"]).kinds["thing"]["1"]

    assert {
        "code": "0123", "price": Decimal("1.10"), "share": 0.5, "day": "2026-11-22", "noon": "2026-11-22T10:30:00",
        "nested": [[1], [2]], "object": {"a": 1}, "key": "e0f5a1f4-2b5c-4b1e-8d0c-1d1f5a3b7c11", "blanks": ["", None],
    } == properties  # fmt: skip
    assert isinstance(properties["code"], Plain)
    assert str(properties["price"]) == "1.10"


def test_a_database_casts_nothing() -> None:
    """What SQLite keeps in a column is not bent to the column's type, and only 1 and 0 are truths there."""
    database(
        "odd.db",
        """CREATE TABLE t (id TEXT, price NUMERIC(9, 2), flag BOOLEAN, day DATE);
        INSERT INTO t VALUES ('a', 499.995, 'false', '2026-1-1'), ('b', 'dear', 2, NULL), ('c', 1, 1, 5);""",
    )

    rows = read_entities(["t=sqlite:///odd.db#t"]).kinds["t"]

    assert {"price": 499.995, "flag": "false", "day": "2026-1-1"} == rows["a"]
    assert {"price": "dear", "flag": 2} == rows["b"]
    assert rows["c"]["flag"] is True


def test_norway_stays_text() -> None:
    """YAML is read as packs are: what is no canonical number or truth stays text."""
    Path("a.yaml").write_text("user: {NO: {land: NO, on: off, code: 0123, at: 12:30}}")

    assert read_entities(["a.yaml"]).kinds == {
        "user": {"NO": {"land": "NO", "on": "off", "code": "0123", "at": "12:30"}}
    }


def test_no_sources_no_entities() -> None:
    """Without sources there is nothing, and the pack stays as it is, version and all."""
    pack = pack_of(DESK)

    found = bind(pack, read_entities([]))

    assert Entities({}) == read_entities([])
    assert found.pack("user") is found.pack(None) is pack
    assert version_of(pack) == found.version


def test_a_file_named_twice_is_watched_once() -> None:
    """The files to be watched are named once each, and databases are not among them."""
    Path("a.csv").write_text("id\n1\n")
    database("b.db")

    assert files_of(["a=a.csv", "b=a.csv", "c=sqlite:///b.db#users"]) == ("a.csv",)


WRONG_TEXTS: list[tuple[str, str, str, str]] = [
    # file, what is in it, the source if it is not the file, what is said
    ("a.txt", "x", "", "a.txt: nothing reads a file that ends with `.txt`; entities are in files that end with `.yaml`, `.yml`, `.json`, `.ndjson`, `.jsonl`, `.csv`, `.parquet`"),
    ("a.jsn", "x", "", "a.jsn: nothing reads a file that ends with `.jsn`; did you mean `.json` or `.jsonl`?"),
    ("a.csv", "x", "b.csv", "b.csv: no such file; name a file, or a table of a database as `URL#table`"),
    ("a.yaml", "", "", "a.yaml: no entity is in it; fill it, or do not name it as a source"),
    ("a.yaml", "user: {}", "", "a.yaml: no entity is in it; fill it, or do not name it as a source"),
    ("a.json", "[]", "", "a.json: no entity is in it; fill it, or do not name it as a source"),
    ("a.ndjson", "\n", "", "a.ndjson: no entity is in it; fill it, or do not name it as a source"),
    ("a.csv", "", "", "a.csv: no entity is in it; fill it, or do not name it as a source"),
    ("a.csv", "type,id\n", "", "a.csv: no entity is in it; fill it, or do not name it as a source"),
    ("a.yaml", "just text", "", "a.yaml:1: this is no list and no mapping; write a list of entities `{type, id, properties}`, or a mapping from types to ids to properties"),
    ("a.yaml", "user:\n  - max", "", "a.yaml:2: what stands under the type `user` is no mapping; write a list of entities `{type, id, properties}`, or a mapping from types to ids to properties"),
    ("a.yaml", "user:\n  max: {}\n  max: {}", "", "a.yaml:3:3: `max` is here twice; first in line 2; keep one of the two"),
    ("a.yaml", "user: {max: !!int 5}", "", "a.yaml:1:13: the tag `!!int` is not read; remove it; types are declared under `facts`"),
    ("a.yaml", "user:\n  max: manager", "", "a.yaml:2: the properties of `user` `max` are no object; give them names"),
    ("a.yaml", "- {type: user, id: 5}", "", "a.yaml:1: the id `5` is no text; put it into quotes"),
    ("a.yaml", "- {type: user, id: a}\n- {type: user}", "", "a.yaml:2: the entity has no id; give it one"),
    ("a.yaml", "\n- max", "", "a.yaml:2: an entity is an object with `type`, `id` and `properties`; write it so"),
    ("a.json", '"x"', "", "a.json: this is no list and no object; write a list of entities `{type, id, properties}`, or a mapping from types to ids to properties"),
    ("a.json", '{"user": []}', "", "a.json: what stands under the type `user` is no object; write a list of entities `{type, id, properties}`, or a mapping from types to ids to properties"),
    ("a.json", '{"user": {"max": [1]}}', "", "a.json, `user` `max`: the properties of `user` `max` are no object; give them names"),
    ("a.json", '[{"type": "u", "id": "1"}, {"type": "u", "id": ""}]', "", "a.json, entity 2: the entity has no id; give it one"),
    ("a.json", '[{"id": "1"}]', "", "a.json, entity 1: the entity has no type; give it a `type`, or name the source as `TYPE=SOURCE`"),
    ("a.json", '[{"type": 5, "id": "1"}]', "", "a.json, entity 1: the type `5` is no text; put it into quotes"),
    ("a.json", '{"user": {"max": {"level": NaN}}}', "", "a.json: `NaN` is not JSON; numbers are finite; mend the file"),
    ("a.json", '{"user": {"max": {}, "max": {}}}', "", 'a.json: the name "max" is here twice in one object; mend the file'),
    ("a.ndjson", '{"type": "u", "id": "1"}\n{"type": "u"', "", "a.ndjson:2: not JSON: expecting ',' delimiter (line 1, column 13); write one entity a line"),
    ("a.ndjson", '{"type": "user", "id": "1"}\n{"type": "user", "id": "1"}', "", "a.ndjson:2: `user` `1` is known already, from here or elsewhere; keep one"),
    ("a.ndjson", '{"type": "user", "id": "1", "role": "x"}', "", "a.ndjson:1: an entity has no `role`; what is known of the entity stands under `properties`"),
    ("a.ndjson", '{"type": "user", "id": "1", "property": {}}', "", "a.ndjson:1: an entity has no `property`; did you mean `properties`?"),
    ("a.ndjson", '{"type": "order", "id": "1"}', "user=a.ndjson", "a.ndjson:1: the entity is of type `order`, and its source is named `user=…`; mend one"),
    ("a.csv", "type,name\nuser,max\n", "", "a.csv: no column `id` among `type`, `name`; name one so"),
    ("a.csv", "type;id\nuser;max\n", "", "a.csv: no column `id` among `type;id`; name one so; commas stand between columns"),
    ("a.csv", "id\n1\n", "", "a.csv:2: the entity has no type; give it a `type`, or name the source as `TYPE=SOURCE`"),
    ("a.csv", "type,id\nuser,1\n\nuser,\n", "", "a.csv:4: the entity has no id; give it one"),
    ("a.csv", "id,role,role\n1,a,b\n", "user=a.csv", "a.csv: `role` is in two columns, role and role; keep one"),
    ("a.csv", "type,id,role,user.role\nuser,1,a,b\n", "", "a.csv: `role` is in two columns, role and user.role; keep one"),
    ("a.csv", "id,x,x.amount,x.currency\n1,1,1,EUR\n", "user=a.csv", "a.csv: `x` is in two columns, x and x.amount; keep one"),
    ("a.csv", "id,,b\n1,2,3\n", "user=a.csv", "a.csv: column 2 has no name; give it one"),
    ("a.csv", "id,role\n1,a,b\n", "user=a.csv", "a.csv:2: 3 cells, and the header has 2; commas within text need quotes"),
    ("a.csv", 'id,role\n1,"a\n', "user=a.csv", "a.csv:2: not CSV: unexpected end of data; mend the quotes"),
    ("a.csv", "id,x.amount,x.currency\n1,5,\n", "user=a.csv", "a.csv:2: the amount of `x` has no currency; fill that column, too"),
    ("a.parquet", "nonsense", "", "a.parquet: not to be read as Parquet: Invalid Input Error: File 'a.parquet' too small to be a Parquet file; write it anew"),
    ("a.db", "x", "sqlite:///a.db", "`sqlite://…` names no table; write `SQLALCHEMY-URL#table`"),
    ("a.db", "x", "sqlite:///a.db#", "`sqlite://…` names no table; write `SQLALCHEMY-URL#table`"),
    ("a.db", "nonsense" * 20, "sqlite:///a.db#t", "sqlite:///a.db#t: the table cannot be read: file is not a database; mend the address or the table"),
    ("a.db", "x", "sqlite:///b.db#t", "b.db: no such file; name the file of a database"),
    ("a.db", "x", "nosuch://me:secret@host/a#users", "the table `users`: its address is none of a database; write one that SQLAlchemy knows, such as `sqlite:///data.db#users`"),
    ("a.db", "x", "postgresql://me:secret@host:port/a#users", "the table `users`: its address is none of a database; write one that SQLAlchemy knows, such as `sqlite:///data.db#users`"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "source", "said"), WRONG_TEXTS)
def test_what_is_wrong_is_told(file: str, text: str, source: str, said: str) -> None:
    """A source that cannot be used says where, what is wrong and what to do; a password is not told."""
    Path(file).write_text(text)

    with pytest.raises(WrongEntities) as caught:
        read_entities([source or file])

    assert said == str(caught.value)
    assert not Path("b.db").exists()


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a.ndjson", b'{"id": "\xff"}'),
        ("a.csv", b"id,name\n1,\xff\n"),
        ("a.json", b'[{"id": "\xff"}]'),
        ("a.yaml", b"- {id: \xff}"),
    ],
)
def test_files_are_utf_8(file: str, data: bytes) -> None:
    """Bytes that are no text are refused."""
    Path(file).write_bytes(data)

    with pytest.raises(WrongEntities, match=r"UTF-8"):
        read_entities([f"user={file}"])


WRONG_TABLES = [
    ("user", "sqlite:///all.db#users_", "sqlite:///all.db#users_: no such table; did you mean `users`?"),
    ("user", "sqlite:///all.db#zzz", "sqlite:///all.db#zzz: no such table; known are `blobs`, `nobody`, `orders`, `truths`, `users`, `everybody`"),
    ("user", "sqlite:///all.db#nobody", "the table `nobody`: no entity is in it; fill it, or do not name it as a source"),
    ("user", "sqlite:///all.db#orders", "sqlite:///all.db#orders, row 1: the entity is of type `order`, and its source is named `user=…`; mend one"),
    ("", "sqlite:///all.db#users", "sqlite:///all.db#users, row 1: the entity has no type; give it a `type`, or name the source as `TYPE=SOURCE`"),
    ("user", "sqlite:///all.db#blobs", "sqlite:///all.db#blobs, row 2: the column `photo` holds a bytes; leave the column out, as a view can"),
    ("user", "sqlite:///all.db?timeout=5#truths", "sqlite:///all.db#truths, row 1: the id `0.5` is no text; put it into quotes"),
    ("user", "sqlite:///all.db?timeout=secret#users", "sqlite:///all.db#users: what stands behind `?` in the address is refused; mend it"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "source", "said"), WRONG_TABLES)
def test_what_is_wrong_with_a_table_is_told(kind: str, source: str, said: str) -> None:
    """A table that cannot be used says which row of it is wrong."""
    database("all.db", USERS + "CREATE TABLE blobs (id TEXT, photo BLOB); INSERT INTO blobs VALUES ('1', NULL), ('2', x'00');CREATE TABLE truths (id REAL); INSERT INTO truths VALUES (0.5);")  # fmt: skip

    with pytest.raises(WrongEntities) as caught:
        read_entities([f"{kind}={source}" if kind else source])

    assert said == str(caught.value)


@pytest.mark.parametrize(
    ("package", "source", "said"),
    [
        ("duckdb", "a.parquet", "a.parquet: DuckDB, which reads Parquet, is not there; install it: pip install 'changegate[entities]'"),
        ("sqlalchemy", "sqlite:///a.db#t", "the table `t`: SQLAlchemy, which reads it, is not there; install it: pip install 'changegate[entities]'"),
        ("psycopg2", "postgresql+psycopg2://me:secret@host/a?password=secret#users", "postgresql+psycopg2://me:***@host/a#users: the driver `psycopg2` is not there; install it with pip"),
    ],
)  # fmt: skip
def test_what_is_not_installed_is_told(package: str, source: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that a source needs is asked for by name, and nothing else needs it."""
    Path("a.parquet").write_text("x")
    Path("a.csv").write_text("id\n1\n")
    monkeypatch.setitem(sys.modules, package, None)

    assert read_entities(["user=a.csv"]).kinds == {"user": {"1": {}}}
    with pytest.raises(WrongEntities) as caught:
        read_entities([source])

    assert said == str(caught.value)


# Decisions.

ORDERS: dict[str, dict[str, Any]] = {
    "small": {"total": "400 EUR", "team": "north"},
    "large": {"total": "500 EUR", "team": "north"},
    "foreign": {"total": "400 SEK", "team": "north"},
    "held": {"total": "400 EUR", "team": "north", "on_hold": True},
    "bare": {},
}
PEOPLE = {
    "max": MAX,
    "eva": {**MAX, "level": 2},
    "kim": {**MAX, "suspended": True},
    "lee": {**MAX, "hired": "2026-12-01"},
    "bob": {**MAX, "role": "clerk"},
    "ina": {"role": "manager", "limit": 400, "teams": ["north"], "level": 3, "hired": "2020-01-01"},
    "new": {},
}
DECIDED: list[tuple[str, str, str, str, dict[str, Any]]] = [
    # what follows, by which rules, who asks, about what, and what the request sends
    ("allow", "managers-approve", "user max", "order small", {}),
    ("allow", "managers-approve", "user ina", "order small", {}),
    ("deny", "not_permitted", "user max", "order large", {}),
    ("deny", "on-hold", "user max", "order held", {}),
    ("deny", "new-here", "user eva", "order small", {}),
    ("deny", "suspended", "user kim", "order small", {}),
    ("deny", "not-yet-hired", "user lee", "order small", {}),
    ("allow", "managers-approve", "user lee", "order small", {"context": {"date": "2026-12-01"}}),
    ("deny", "not_permitted", "user bob", "order small", {}),
    ("indeterminate", "invalid_facts", "user max", "order foreign", {}),
    ("indeterminate", "missing_facts", "user max", "order bare", {}),
    ("indeterminate", "missing_facts", "user new", "order small", {}),
    ("indeterminate", "missing_facts", "user nobody", "order small", {}),
    # What the request sends wins, unless the fact is sealed.
    ("allow", "managers-approve", "user bob", "order small", {"subject": {"role": "manager"}}),
    ("deny", "not_permitted", "user max", "order small", {"subject": {"role": "clerk"}}),
    ("allow", "managers-approve", "user kim", "order small", {"subject": {"suspended": False}}),
    ("allow", "managers-approve", "user max", "order held", {"resource": {"on_hold": False}}),
    ("allow", "managers-approve", "user max", "order large", {"resource": {"total": "1 EUR"}}),
    ("allow", "managers-approve", "user max", "order bare", {"resource": {"total": "1 EUR", "team": "NO"}}),
    ("deny", "new-here", "user eva", "order small", {"subject": {"level": 9}}),
    ("allow", "managers-approve", "user max", "order small", {"subject": {"level": 1}}),
    ("indeterminate", "invalid_facts", "user max", "order small", {"subject": {"role": "boss"}}),
    ("allow", "managers-approve", "user max", "order small", {"subject": {"role": None}}),
    # A type of its own: nobody is `service max`.
    ("indeterminate", "missing_facts", "service max", "order small", {}),
    ("indeterminate", "missing_facts", "order max", "order small", {}),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "why", "subject", "resource", "sent"), DECIDED)
def test_decisions_with_entities(outcome: str, why: str, subject: str, resource: str, sent: dict[str, Any]) -> None:
    """A request names who and what; what is known of both decides, by all engines alike."""
    found = bound({"order": ORDERS, "user": PEOPLE})

    decision = decided(found, asked("approve", resource, subject, sent))

    assert (outcome, why) == (
        decision.outcome,
        ", ".join(decision.rules) if "-" in why or why == "suspended" else decision.cause,
    )


def test_what_is_missing_is_the_fact_where_the_entity_is_named() -> None:
    """Where nothing is known of an entity, the fact is asked for; without an id, the id is."""
    found = bound({"user": {"max": {"role": "manager"}, "new": {}}})
    request = asked("dismiss", "user bob", "user new", {"resource": {"role": "clerk"}})

    assert decided(found, request).to_dict()["missing"] == ["subject.role"]
    del request["subject"]["id"]
    assert decided(found, request).to_dict()["missing"] == ["subject.id"]


DEFAULTS = [
    # on_hold of the order, what is sent, the outcome, what it rests on
    ({"on_hold": True}, {}, "deny", []),
    ({"on_hold": False}, {}, "allow", []),
    ({}, {}, "allow", ["order.on_hold"]),
    (None, {"total": "1 EUR", "team": "NO"}, "allow", ["order.on_hold"]),
    ({"on_hold": True}, {"on_hold": False}, "allow", []),
]


@pytest.mark.parametrize(("known", "sent", "outcome", "rests_on"), DEFAULTS)
def test_defaults_stand_in_for_what_is_not_known(
    known: dict[str, Any] | None, sent: dict[str, Any], outcome: str, rests_on: list[str]
) -> None:
    """An entity's value comes before a default, which counts where there is none, and is told as an assumption only there."""
    orders = {"1": {**ORDERS["small"], **known}} if known is not None else {"2": {"on_hold": True}}
    found = bound({"order": orders, "user": {"max": {**MAX, "suspended": False}}})
    request = asked("approve", "order 1", sent={"resource": sent})

    assert outcome == decided(found, request).outcome
    for engine in ENGINES:
        assumptions = gate(found).decide(request, "full", engine=engine).to_dict()["assumptions"]
        assert rests_on == [each["fact"] for each in assumptions]


def test_resources_of_a_type_of_subjects() -> None:
    """Where users act on users, each is looked up by its own id, whatever the type of the subject."""
    found = bound({"user": {"max": {"role": "manager"}, "bob": {"role": "clerk"}}, "bot": {"bob": {"role": "manager"}}})

    assert decided(found, asked("dismiss", "user bob", "user max")).outcome == "allow"
    assert decided(found, asked("dismiss", "user max", "user bob")).outcome == "deny"
    assert decided(found, asked("dismiss", "user bob", "bot bob")).outcome == "allow"
    assert decided(found, asked("dismiss", "user bob", "robot bob")).outcome == "indeterminate"


STAFF = """
policy: {name: staff, title: Staff, languages: [en]}
actions:
  enter: {title: Enter a room, resource: room}
facts:
  subject.floor: {type: integer, lookup: staff.floor, by: subject.id, description: Up to where the badge opens.}
  subject.name: {type: string, lookup: names.name, by: subject.id, description: What they are called.}
  room.floor: {type: integer, description: Where the room is.}
  room.keeper: {type: key, of: staff, description: Who looks after it.}
  room.limit: {type: money, lookup: staff.limit, by: room.keeper, currency: SEK, minimum: 0, description: What the keeper may spend.}
  room.visitors: {type: list, of: staff, description: Who else may come in.}
tables:
  staff:
    columns: {floor: {type: integer}, limit: {type: money}, since: {type: date}}
    rows:
      old: {floor: [{until: 2025-12-31, value: 9}, {from: 2026-01-01, value: 1}], limit: 10 SEK}
      ann: {floor: 1, limit: 20 SEK}
  names:
    columns: {name: {type: string}}
    rows: {ann: {name: Ann}}
rules:
  - {id: enough, title: Enough, actions: [enter], when: {subject.floor: {at_least: $room.floor}, subject.name: Ann}, allow: Come in.}
  - {id: rich, title: Rich, actions: [enter], when: {room.limit: {more_than: 100 SEK}}, allow: Come in.}
  - {id: visit, title: Visit, actions: [enter], when: {room.visitors: {has: ann}}, allow: Come in.}
"""


def test_entities_are_rows_of_the_pack_s_own_table() -> None:
    """The columns of a table that a pack declares are the schema; its rows stay, and give way cell by cell."""
    found = bound({"staff": {"ann": {"floor": 7, "shoes": 40}, "new": {"since": "2026-02-01", "limit": 200}}}, STAFF)
    rows = found.pack("staff").tables["staff"].rows

    assert {"old", "ann", "new"} == set(rows)
    assert [9, 1] == [span.value for span in rows["old"]["floor"]]
    assert (7, "operator") == (rows["ann"]["floor"][0].value, rows["ann"]["floor"][0].basis)
    assert Money(Decimal(20), "SEK") == rows["ann"]["limit"][0].value
    assert {"since": datetime.date(2026, 2, 1), "limit": Money(Decimal(200), "SEK")} == {
        name: cell[0].value for name, cell in rows["new"].items()
    }
    assert {"staff": ("shoes",)} == found.unused


ENTERING = [
    ("allow", "staff ann", {"floor": 7}),
    ("deny", "staff ann", {"floor": 8}),
    ("indeterminate", "user ann", {"floor": 7}),  # names are not of a type, and the floor is of staff
    ("allow", "user bob", {"floor": 8, "keeper": "new"}),
    ("deny", "staff ann", {"floor": 8, "keeper": "old"}),
    ("allow", "staff old", {"floor": 8, "visitors": ["new", "ann"]}),
]


@pytest.mark.parametrize(("outcome", "subject", "room"), ENTERING)
def test_tables_of_the_pack_are_read_as_before(outcome: str, subject: str, room: dict[str, Any]) -> None:
    """Keys may name entities; by another fact than the subject's id any type is looked up; tables of no type stay."""
    found = bound({"staff": {"ann": {"floor": 7}, "new": {"limit": 200}}, "room": {"1": room}}, STAFF)
    if outcome == "indeterminate":
        assert decided(found, asked("enter", "room 1", subject)).to_dict()["missing"] == [
            "room.keeper", "room.visitors", "subject.floor",
        ]  # fmt: skip
    everything = {"floor": 99, "keeper": "old", "visitors": []} | room

    assert (outcome == "allow") == decided(found, asked("enter", "room 1", subject, {"resource": everything})).decision


def test_a_table_of_the_pack_may_have_no_rows_of_its_own() -> None:
    """A pack that looks entities up itself declares the table's columns, and may leave its rows to them."""
    facts = "subject.level: {type: integer, lookup: user.rank, by: subject.id, description: How far the user has come.}"
    sealed = "subject.level: {type: integer, sealed: true, description: How far the user has come.}"
    text = DESK.replace(sealed, facts) + "tables: {user: {columns: {rank: {type: integer}}}}"
    found = bound({"user": {"max": {**MAX, "rank": 2}}, "order": ORDERS}, text)

    assert decided(found, asked("approve", "order small")).rules == ("new-here",)
    assert decided(found, asked("approve", "order small", sent={"subject": {"level": 3}})).outcome == "allow"


def test_dated_cells_change_the_policy_of_the_day() -> None:
    """A pack's own dated rows keep their days beside entities that have none."""
    found = bound({"staff": {"new": {"floor": 7}}, "room": {"1": {"floor": 5, "keeper": "old", "visitors": []}}}, STAFF)
    early = asked("enter", "room 1", "staff old", {"context": {"date": "2025-12-31"}, "subject": {"name": "Ann"}})

    assert decided(found, early).outcome == "allow"
    assert decided(found, early | {"context": {"date": "2026-01-01"}}).outcome == "deny"


def test_an_unknown_key_is_invalid_without_a_guess() -> None:
    """A key is one of the rows or entities; among thousands of them none is suggested, and finding out is quick."""
    found = bound({"staff": {f"s-{number}": {} for number in range(20_000)}}, STAFF)
    opened = gate(found, "staff")
    request = asked("enter", "room 1", "staff s-5", {"resource": {"keeper": "s-x", "visitors": ["s-19999", "old"]}})

    started = time.perf_counter()
    invalid = opened.decide(request, engine="reference").to_dict()["invalid"]

    assert [{"fact": "room.keeper", "value": "s-x", "problem": "is not a row of `staff`"}] == invalid
    assert time.perf_counter() - started < 0.2


WRONG_VALUES: list[tuple[str, dict[str, Any], str]] = [
    (DESK, {"bot": {"max": {"role": "boss"}}}, "`bot` `max` has a `role` that does not fit the fact `subject.role` (enum), `boss`: it is not one of its values; mend the entity, or how the fact `subject.role` is declared"),
    (DESK, {"bot": {"max": {"role": "Manager"}}}, "`bot` `max` has a `role` that does not fit the fact `subject.role` (enum), `Manager`: it is not one of its values; did you mean `manager`?"),
    (DESK, {"order": {"1": {"total": 400}}}, "`order` `1` has a `total` that does not fit the fact `order.total` (money), `400`: it is a bare number; money needs a currency, such as `499.99 EUR`"),
    (DESK, {"bot": {"1": {"limit": "-1 EUR"}}}, "`bot` `1` has a `limit` that does not fit the fact `subject.limit` (money), `-1 EUR`: it is less than 0; mend the entity, or how the fact `subject.limit` is declared"),
    (DESK, {"bot": {"1": {"level": "5"}}}, "`bot` `1` has a `level` that does not fit the fact `subject.level` (integer), `5`: it is text, not a number; mend the entity, or how the fact `subject.level` is declared"),
    (DESK, {"bot": {"1": {"hired": "2026-02-30"}}}, "`bot` `1` has a `hired` that does not fit the fact `subject.hired` (date), `2026-02-30`: it is no date written `YYYY-MM-DD`; mend the entity, or how the fact `subject.hired` is declared"),
    (DESK, {"bot": {"1": {"suspended": 0}}}, "`bot` `1` has a `suspended` that does not fit the fact `subject.suspended` (boolean), `0`: it is a number, not true or false; mend the entity, or how the fact `subject.suspended` is declared"),
    (DESK, {"bot": {"1": {"teams": ["a", None]}}}, "`bot` `1` has a `teams` that does not fit the fact `subject.teams` (list of string), `['a', None]`: it is null, not text; mend the entity, or how the fact `subject.teams` is declared"),
    (DESK, {"bot": {"1": {"level": 1}, "2": {"level": True}}}, "`bot` `2` has a `level` that does not fit the fact `subject.level` (integer), `True`: it is true or false, not a number; mend the entity, or how the fact `subject.level` is declared"),
    (DESK, {"bot": {"1": {"level": Plain("5")}, "2": {"level": "5"}}}, "`bot` `2` has a `level` that does not fit the fact `subject.level` (integer), `5`: it is text, not a number; mend the entity, or how the fact `subject.level` is declared"),
    (STAFF, {"staff": {"1": {"floor": 1.5}}}, "`staff` `1` has a `floor` that does not fit the column `staff.floor` (integer), `1.5`: it is not a whole number; mend the entity, or how the column `staff.floor` is declared"),
    (STAFF, {"staff": {"1": {"limit": -1}}}, "`staff` `1` has a `limit` that does not fit the column `staff.limit` (money), `-1`: it is less than 0; mend the entity, or how the column `staff.limit` is declared"),
    (STAFF, {"room": {"1": {"keeper": "olt"}}}, "`room` `1` has a `keeper` that does not fit the fact `room.keeper` (key of `staff`), `olt`: it is not a row of `staff`; did you mean `old`?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kinds", "said"), WRONG_VALUES)
def test_values_that_do_not_fit_are_told(text: str, kinds: dict[str, Any], said: str) -> None:
    """A value that its fact or column cannot have names the entity, the property and the problem."""
    with pytest.raises(WrongEntities) as caught:
        bound(kinds, text)

    assert said == str(caught.value)


TEXTS = [
    # the property, what stands in the cell, the value that it comes to
    ("suspended", "true", True),
    ("suspended", "false", False),
    ("level", "5", 5),
    ("level", "1e1", 10),
    ("hired", "2020-02-29", datetime.date(2020, 2, 29)),
    ("limit", "499.99 EUR", Money(Decimal("499.99"), "EUR")),
    ("limit", "499.99", Money(Decimal("499.99"), "EUR")),
    ("teams", '["north", "true"]', frozenset({"north", "true"})),
    ("role", "clerk", "clerk"),
]


@pytest.mark.parametrize(("name", "text", "value"), TEXTS)
def test_text_in_tables_is_read_by_type(name: str, text: str, value: object) -> None:
    """Text of a table is what the type of its fact makes of it."""
    found = bound({"bot": {"1": {name: Plain(text)}}})

    assert value == found.pack("bot").tables["bot"].rows["1"][name][0].value


@pytest.mark.parametrize("text", ["True", "yes", "1", "FALSE", " true"])
def test_only_true_and_false_are_truths(text: str) -> None:
    """Other words for true are refused rather than guessed."""
    with pytest.raises(WrongEntities, match="not true or false"):
        bound({"bot": {"1": {"suspended": Plain(text)}}})


SHARING = """
policy: {name: sharing, title: Sharing, languages: [en]}
actions: {see: {title: See a page, resource: page}}
facts:
  subject.status: {type: enum, values: [active, locked], default: active, description: How the account is.}
  subject.size: {type: integer, description: How much the user may see.}
  page.size: {type: number, description: How long the page is.}
  subject.id: {type: string, derived: [{when: {subject.token: x}, value: ann}], description: Who asks.}
  subject.token: {type: string, description: What they ask with.}
rules:
  - {id: active, title: Active, actions: [see], when: {subject.status: active, page.size: {at_most: 5.5}}, allow: Look.}
  - {id: large, title: Large, actions: [see], when: {subject.size: {more_than: 5}}, advise: Look long.}
"""


def test_what_may_be_no_subject_stops_nothing() -> None:
    """Resources may have properties named like the subject's; as subjects they have no such value, and no default hides that."""
    pages = {"1": {"status": "draft", "size": 5.5}, "2": {"status": "active", "size": 1}, "3": {"size": 1}}
    found = bound({"page": pages, "user": {"ann": {"status": "locked", "size": 9, "token": "y"}}}, SHARING)

    assert decided(found, asked("see", "page 1", "user ann")).outcome == "deny"
    assert decided(found, asked("see", "page 1", "guest eve")).outcome == "allow"
    assert decided(found, asked("see", "page 1", "page 2")).outcome == "allow"
    for id_ in ("1", "3"):
        assert decided(found, asked("see", "page 1", f"page {id_}")).to_dict()["missing"] == ["subject.status"]
    # What tells an id is never looked up by it.
    assert {"user": ("token",)} == found.unused
    assert (
        "`page` `1` has a `status` that does not fit the fact `subject.status` (enum), `draft`: it is not one of its values; mend the entity, or how the fact `subject.status` is declared",
        "`page` `1` has a `size` that does not fit the fact `subject.size` (integer), `5.5`: it is not a whole number; mend the entity, or how the fact `subject.size` is declared",
    ) == found.warnings


def test_a_table_is_not_held_to_what_subjects_must_be() -> None:
    """What a fact of the subject asks for beyond its type counts for a pack's column only if its entities are subjects."""
    minimum = "subject.size: {type: integer, minimum: 5, "
    text = (
        SHARING.replace("subject.size: {type: integer, ", minimum)
        + "tables: {page: {columns: {size: {type: integer}}}}"
    )

    found = bound({"page": {"1": {"size": 1}, "2": {"size": 5}}}, text).pack("page").tables["page"].rows

    assert {"1": ["size"], "2": ["size", "subject.size"]} == {
        id_: sorted({*row} - {"page.size"}) for id_, row in found.items()
    }


def test_the_route_is_the_asker_s() -> None:
    """Who carries something out is asked for or looked for, and never taken from what is known of the subject."""
    route = "subject.channel: {type: enum, values: [web, desk], choice: true, route: true, description: Who does it.}"
    rule = "{id: desk, title: Desk, actions: [dismiss], when: {subject.channel: web}, deny: Come to the desk.}"
    text = DESK.replace("facts:\n", f"facts:\n  {route}\n") + f"  - {rule}\n"
    found = bound({"user": {"max": {**MAX, "channel": "web"}, "bob": {"role": "clerk"}}}, text)

    assert decided(found, asked("dismiss", "user bob")).to_dict()["answered_for"] == "desk"
    assert {"user": ("channel",)} == found.unused


def test_packs_are_the_same_object_where_nothing_differs() -> None:
    """A gate for each pack is enough: types of which no subject is known share one."""
    found = bound({"user": {"max": {"role": "manager"}}, "order": {"1": {"total": "1 EUR"}}})

    assert found.pack("user") is found.pack("user")
    assert found.pack("order") is found.pack("nobody") is found.pack(None)
    assert found.pack("user") is not found.pack(None)


CHANGES: list[tuple[bool, dict[str, Any]]] = [
    # whether the version stays, and the entities
    (True, {"user": {"NO": {"shoes": 40}, "max": {**MAX, "level": 5.0}}, "order": KINDS["order"]}),
    (True, {"order": KINDS["order"], "user": {"max": {**MAX, "limit": "499.99 EUR"}, "NO": {}}}),
    (False, {"order": KINDS["order"], "user": {"max": MAX}}),
    (False, {"order": KINDS["order"], "user": {"max": {**MAX, "level": 4}, "NO": {}}}),
    (False, {"order": KINDS["order"], "bot": KINDS["user"]}),
    (False, {"order": KINDS["user"], "user": KINDS["order"]}),
    (False, KINDS | {"guest": {"1": {}}}),
]


@pytest.mark.parametrize(("same", "kinds"), CHANGES)
def test_the_version_covers_what_is_bound(same: bool, kinds: dict[str, Any]) -> None:
    """Whatever can change a decision or a search changes the version, and nothing else does."""
    assert same == (bound(KINDS).version == bound(kinds).version)


def test_the_version_covers_the_pack() -> None:
    """With the same entities, another pack is another version; that of a pack may be told, if it is known."""
    other = DESK.replace("less_than: 3", "less_than: 4")

    assert bound(KINDS).version != bound(KINDS, other).version
    assert bound(KINDS).version == bind(pack_of(DESK), Entities(KINDS), version_of(pack_of(DESK))).version


def test_binding_changes_neither_pack_nor_entities() -> None:
    """What is bound is made anew."""
    pack, entities = pack_of(STAFF), Entities({"staff": {"ann": {"floor": 7}, "new": {}}})
    before, version = repr((pack, entities)), version_of(pack)

    bind(pack, entities)

    assert before == repr((pack, entities))
    assert version == version_of(pack)


@settings(max_examples=25, report_multiple_bugs=False)
@given(randoms)
def test_what_is_known_counts_as_what_is_sent(random: Random) -> None:
    """On random packs, all engines agree about what entities tell, and it decides as if the request had sent it."""
    written = draw_pack(random)
    draw, pack = Drawing(random), written.gate.pack
    kinds = {"user": _drawn(draw, pack, "subject"), "thing": _drawn(draw, pack, "thing")}
    found = bind(pack, Entities(kinds))
    words = vocabulary(written.gate)
    for name, text in written.files.items():
        note(f"--- {name}\n{text}")
    for _ in range(4):
        request = draw_request(random, words)
        whole = dict(request)
        for section, kind in (("subject", random.choice(("user", "user", "bot"))), ("resource", "thing")):
            entity = {**request.get(section, {}), "type": kind, "id": random.choice(("a", "b", "c"))}
            known = kinds.get(kind, {}).get(entity["id"], {})
            sent = {name: value for name, value in (entity.get("properties") or {}).items() if value is not None}
            request[section], whole[section] = entity, {**entity, "properties": {**known, **sent}}
        note(f"--- {kinds!r}\n{request!r}")
        opened = Gate(
            found.pack(request["subject"]["type"]), datetime.date.fromisoformat(AS_OF), version=written.gate.version
        )

        assert difference(opened, request) is None
        assert written.gate.decide(whole).to_dict() == opened.decide(request).to_dict()


def _drawn(draw: Drawing, pack: Pack, namespace: str) -> dict[str, dict[str, Any]]:
    """Entities with values for the facts of a namespace that a request may send."""
    rows: dict[str, dict[str, Any]] = {"a": {}, "b": {}}
    for path, fact in pack.facts.items():
        prefix, _, name = path.partition(".")
        plain = fact.lookup is None and fact.derived is None and not fact.implicit and fact.minimum is None
        if prefix == namespace and plain:
            for properties in rows.values():
                if draw.chance(0.7):
                    properties[name] = draw.value(fact.type)
    return rows


def test_many_entities_are_bound_quickly() -> None:
    """Twenty thousand users and orders take a moment, and a decision among them no longer than any."""
    people = {f"u{number}": {**MAX, "level": number} for number in range(20_000)}
    orders = {f"o{number}": {"total": f"{number % 900} EUR", "team": "NO"} for number in range(20_000)}
    pack = pack_of(DESK)

    started = time.perf_counter()
    found = bind(pack, Entities({"order": orders, "user": people}))
    bound_in = time.perf_counter() - started
    opened = gate(found)
    request = asked("approve", "order o100", "user u19999")
    assert opened.decide(request).outcome == "allow"
    started = time.perf_counter()
    for number in range(1000):
        opened.decide(asked("approve", f"order o{number}", f"user u{number}")).to_json()
    decided_in = time.perf_counter() - started

    assert bound_in < 10
    assert decided_in < 5


# The examples.

SHOWN: list[tuple[str, str, str, str, str, str]] = [
    # pack, who, what, on what, the outcome, why
    ("todo", "ann", "update_todo", "buy-milk", "allow", "editors-change-their-own"),
    ("todo", "ann", "update_todo", "call-the-plumber", "deny", "done-is-done"),
    ("todo", "ann", "update_todo", "plan-the-party", "deny", "hands-off"),
    ("todo", "ann", "update_todo", "found-on-the-floor", "indeterminate", "missing_facts"),
    ("todo", "bob", "delete_todo", "plan-the-party", "allow", "editors-change-their-own"),
    ("todo", "cleo", "read_todo", "plan-the-party", "allow", "members-read"),
    ("todo", "cleo", "create_todo", "something-new", "deny", "writers-only"),
    ("todo", "dora", "delete_todo", "buy-milk", "allow", "admins-delete"),
    ("todo", "emil", "read_todo", "buy-milk", "deny", "members-only"),
    ("todo", "somebody", "read_todo", "buy-milk", "indeterminate", "missing_facts"),
    ("records", "ann", "read_record", "handbook", "allow", "open-records, the-department-reads"),
    ("records", "rosa", "read_record", "handbook", "allow", "open-records"),
    ("records", "ann", "read_record", "merger", "allow", "owners-under-embargo, the-department-reads"),
    ("records", "paul", "read_record", "merger", "deny", "under-embargo"),
    ("records", "bob", "read_record", "salaries-2015", "deny", "clearance-too-low"),
    ("records", "frida", "destroy_record", "salaries-2015", "allow", "the-officer-destroys"),
    ("records", "frida", "destroy_record", "salaries-2016", "deny", "on-hold"),
    ("records", "rosa", "destroy_record", "laser", "indeterminate", "missing_facts"),
    ("records", "frida", "read_record", "lost", "indeterminate", "missing_facts"),
]


@pytest.mark.parametrize(("name", "who", "what", "which", "outcome", "why"), SHOWN)
def test_examples_decide_by_ids_alone(name: str, who: str, what: str, which: str, outcome: str, why: str) -> None:
    """The packs of the examples with their entities answer requests that name who, what, and on what."""
    source = EXAMPLES / "entities" / ("todo.ndjson" if name == "todo" else "records.yaml")
    found = bind(open_policy(EXAMPLES / name).pack, read_entities([str(source)]))

    decision = decided(found, asked(what, f"{name.removesuffix('s')} {which}", f"user {who}"))

    assert (outcome, why) == (
        decision.outcome,
        ", ".join(decision.rules) if outcome != "indeterminate" else decision.cause,
    )
    assert not found.unused
