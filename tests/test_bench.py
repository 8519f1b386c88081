"""The workbench over HTTP: the book, the bench, and the rules with edits that nobody has written down."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from conformance import EXAMPLES, ROOT, Client, check_problem, serving

from cli import main
from engine import Gate, open_policy
from engine.author import check_files
from engine.cases import Result, request_of, run_case, run_cases
from engine.files import PackFile, PackFiles, read_files
from engine.model import Case
from engine.prose import Prose
from engine.server import bench
from engine.server.app import create
from engine.server.bench_copies import Copies, edited, try_cases
from engine.server.bench_data import MAX_EXAMPLES, bench_data
from engine.server.bench_fields import MAX_VALUES, fields
from engine.server.guard import SECURITY
from engine.server.launch import NotServed, check_address
from engine.server.live import Live
from engine.server.settings import Settings, is_loopback

RULES = ROOT / "rules"
TODO = EXAMPLES / "todo"
CANCELLATION = str(RULES / "cancellation.yaml")
LOCAL = "localhost:8080"
PAGE = "<!doctype html><title>A page</title>"
HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\u0000\u2028 {subject.id} `${x}`"


@dataclass
class Shelf:
    """Stands for what makes books, and counts them."""

    made: list[Live] = field(default_factory=list)
    languages: tuple[str, ...] = ("en", "el", "sv")
    first: str = "en"

    def open(self, live: Live) -> Shelf:
        self.made.append(live)
        time.sleep(0.05)
        return self

    def page(self, path: str) -> bytes | None:
        known = {
            "index.html": PAGE,
            "sv/index.html": PAGE,
            "assets/book.css": "p {}",
            "assets/book.js": "void 0;",
            "assets/mark.svg": "<svg/>",
            "assets/other": "",
        }
        return known[path].encode() if path in known else None


class Bench:
    """A client on this machine, as a browser there would ask."""

    def __init__(self, client: Client, shelf: Shelf) -> None:
        self._client = client
        self.shelf = shelf

    def ask(self, method: str, path: str, host: str = LOCAL, **parts: Any) -> Any:
        headers = {"Host": host, **parts.pop("headers", {})}
        return self._client.request(method, path, headers=headers, **parts)

    def get(self, path: str, **parts: Any) -> Any:
        return self.ask("GET", path, **parts)

    def post(self, path: str, body: Any, **parts: Any) -> Any:
        return self.ask("POST", path, json=body, **parts)

    def decide(self, request: Any, **more: Any) -> Any:
        answer = self.post("/bench/decide", {"request": request, **more})
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def trial(self, **body: Any) -> Any:
        answer = self.post("/bench/try", body)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def texts(self) -> dict[str, str]:
        return {file["name"]: file["text"] for file in self.get("/bench/rules").json()["files"]}


def settings(*folders: str | Path, **more: Any) -> Settings:
    return Settings(rules=tuple(map(str, folders)), workbench=True, watch=0.0, **more)


def benches(*folders: str | Path, **more: Any) -> Iterator[Bench]:
    shelf = Shelf()
    with serving(settings(*folders, **more), book_of=shelf.open) as client:
        yield Bench(client, shelf)


@pytest.fixture(scope="module")
def shipped() -> Iterator[Bench]:
    yield from benches(RULES)


@pytest.fixture(scope="module")
def todo() -> Iterator[Bench]:
    yield from benches(TODO)


@pytest.fixture(scope="module")
def stacked() -> Iterator[Bench]:
    yield from benches(RULES, EXAMPLES / "operator")


@pytest.fixture(scope="module")
def certified() -> Iterator[Bench]:
    yield from benches(EXAMPLES / "certification", entities=(str(EXAMPLES / "entities" / "certification.yaml"),))


def a_todo(**more: Any) -> dict[str, Any]:
    return {"action": {"name": "delete_todo"}, "subject": {"type": "user", "id": "ann", **more}}


def of(found: Sequence[Mapping[str, Any]], path: str) -> Any:
    """The field of a fact."""
    return next(each for each in found if each["path"] == path)


# --- the book ---

PAGES = [
    ("/book/", "text/html; charset=utf-8", PAGE),
    ("/book/index.html", "text/html; charset=utf-8", PAGE),
    ("/book/sv/index.html", "text/html; charset=utf-8", PAGE),
    ("/book/assets/book.css", "text/css; charset=utf-8", "p {}"),
    ("/book/assets/book.js", "text/javascript; charset=utf-8", "void 0;"),
    ("/book/assets/mark.svg", "image/svg+xml", "<svg/>"),
    ("/book/assets/other", "application/octet-stream", ""),
]


@pytest.mark.parametrize(("path", "media", "text"), PAGES, ids=[page[0] for page in PAGES])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_pages_come_with_their_media_type_and_one_policy(
    todo: Bench, method: str, path: str, media: str, text: str
) -> None:
    """What a page may load is said once: of two policies both would hold."""
    answer = todo.ask(method, path)

    assert (200, media) == (answer.status_code, answer.headers["content-type"])
    assert [bench.POLICY] == answer.headers.get_list("content-security-policy")
    assert ["no-store"] == answer.headers.get_list("cache-control")
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert ("" if method == "HEAD" else text) == answer.text
    assert str(len(text)) == answer.headers["content-length"]


def test_the_policy_of_pages_lets_nothing_from_elsewhere_in() -> None:
    """Nothing is loaded, sent or framed but from and to the service itself, and nothing inline runs."""
    parts = dict(part.split(" ", 1) for part in bench.POLICY.split("; "))

    assert {"'none'"} == {parts[name] for name in ("default-src", "base-uri", "form-action", "frame-ancestors")}
    assert {"'self'"} == {parts[name] for name in ("script-src", "style-src", "connect-src")}
    assert "unsafe" not in bench.POLICY


STRANGE = [
    "/book/nothing.html",
    "/book/../rules/cancellation.yaml",
    "/book/%2e%2e/cli.py",
    "/book/sv",
    "/book//",
    "/books",
]


@pytest.mark.parametrize("path", STRANGE)
def test_a_page_that_is_not_there_is_a_problem(todo: Bench, path: str) -> None:
    """Who asks for another page is told so; paths are names of pages, never of files."""
    answer = todo.get(path)

    assert 404 == answer.status_code
    check_problem(answer)
    assert answer.headers.get_list("content-security-policy") == [dict(SECURITY)[b"content-security-policy"].decode()]


LIKED = [
    ("", "en"), ("sv", "sv"), ("el-GR,el;q=0.9,en;q=0.8", "el"), ("pl", "en"), ("ja", "en"), ("*", "en"),
    ("<script>", "en"),
]  # fmt: skip


@pytest.mark.parametrize(("liked", "language"), LIKED)
@pytest.mark.parametrize("path", ["/", "/book"])
def test_the_front_leads_to_the_workbench(shipped: Bench, path: str, liked: str, language: str) -> None:
    """Who comes without a page gets the bench, in the language that the browser likes best and the book is in."""
    answer = shipped.get(path, headers={"Accept-Language": liked})

    assert (307, f"/book/{language}/bench.html") == (answer.status_code, answer.headers["location"])
    assert "Accept-Language" == answer.headers["vary"]


def test_a_book_is_made_once_for_a_policy() -> None:
    """It is made when somebody first wants it, and again only for another policy."""
    for client in benches(TODO):
        assert [] == client.shelf.made
        for path in ("/book/index.html", "/book/sv/index.html", "/book/nothing"):
            client.get(path)
        assert 1 == len(client.shelf.made)

        assert 200 == client.post("/admin/reload", {}).status_code
        client.get("/book/index.html")
        assert 2 == len({id(live) for live in client.shelf.made})


def test_the_page_of_the_bench_is_in_the_book() -> None:
    """The service makes the real book, with the data of the page in it as data."""
    with serving(settings(TODO)) as client:
        answer = client.get("/book/en/bench.html", headers={"Host": LOCAL})
        missing = client.get("/book/en/changes.html", headers={"Host": LOCAL})

    assert (200, 404) == (answer.status_code, missing.status_code)
    found = re.search(r'<script type="application/json" id="bench-data">(.*?)</script>', answer.text, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert list(open_policy(TODO).pack.actions) == [each["name"] for each in data["actions"]]
    assert {"permitted", "bench.title"} <= set(data["words"])


# --- who may see it ---

ADDRESSES = [
    ("GET", "/"),
    ("GET", "/book"),
    ("GET", "/book/index.html"),
    ("GET", "/bench/rules"),
    ("POST", "/bench/decide"),
    ("POST", "/bench/try"),
]
HERE = ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:80", "127.8.9.10:1", "[::1]", "[::1]:8080"]
ELSEWHERE = [
    "", "example.com", "localhost.example.com", "localhost@example.com", "example.com:8080", "10.0.0.1", "0.0.0.0",
    "[::]", "[::1", "::1", "localhost:", "localhost:1:2", "localhost:x", "127.0.0.1.example.com", "[localhost",
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_this_machine_is_called_by_its_own_names(todo: Bench, method: str, path: str) -> None:
    """A page of a stranger that gives this machine another name (DNS rebinding) reads nothing and tries nothing."""
    body = {"json": {"request": a_todo()}} if method == "POST" else {}

    assert {200, 307} >= {todo.ask(method, path, host, **body).status_code for host in HERE}
    for host in ELSEWHERE:
        answer = todo.ask(method, path, host, **body)
        assert 421 == answer.status_code, host
        check_problem(answer)


def test_the_interface_for_programs_answers_under_any_name(todo: Bench) -> None:
    """The check is the workbench's own: programs may call the service what they like."""
    assert 200 == todo.get("/readyz", host="pdp.example.com").status_code


@pytest.mark.parametrize(("method", "path"), [each for each in ADDRESSES if each[1] != "/book"])
def test_without_the_option_there_is_no_workbench(method: str, path: str) -> None:
    """The service for programs has no such addresses."""
    with serving(replace(settings(TODO), workbench=False)) as client:
        assert 404 == client.request(method, path, headers={"Host": LOCAL}).status_code


def test_anywhere_is_anywhere() -> None:
    """Who says so has the workbench under any name."""
    with serving(replace(settings(TODO), workbench=False, workbench_anywhere=True), book_of=Shelf().open) as client:
        answers = [
            client.request("GET", path, headers={"Host": "rules.example.com"}) for path in ("/", "/book/index.html")
        ]

    assert [307, 200] == [answer.status_code for answer in answers]


REFUSED = [
    ({"host": "0.0.0.0", "insecure_behind_proxy": True}, "--workbench-anywhere"),
    ({"host": "::", "insecure_behind_proxy": True}, "--workbench-anywhere"),
    ({"host": "rules.example.com", "insecure_behind_proxy": True}, "--workbench-anywhere"),
    ({"keys": "keys.txt"}, "--keys"),
    ({"keys": "keys.txt", "workbench": False, "workbench_anywhere": True}, "--keys"),
    ({"host": "0.0.0.0", "workbench": False, "workbench_anywhere": True}, "--tls-certificate"),
]


@pytest.mark.parametrize(("more", "says"), REFUSED)
def test_where_the_workbench_may_not_be_it_is_refused(more: Any, says: str) -> None:
    """One line says what would make it possible, before anything listens."""
    with pytest.raises(NotServed, match=says) as refused:
        check_address(replace(settings(TODO), **more))

    assert "\n" not in str(refused.value)


TOLD = [
    (["--workbench", "--host", "0.0.0.0", "--insecure-behind-proxy"], "--workbench-anywhere"),
    (["--workbench", "--keys", "keys.txt"], "--keys"),
    (["--workbench-anywhere", "--host", "0.0.0.0"], "--insecure-behind-proxy"),
]


@pytest.mark.parametrize(("options", "says"), TOLD)
def test_the_command_line_says_so_in_one_line(options: list[str], says: str) -> None:
    """It ends with 2, as all bad usage does."""
    done = CliRunner().invoke(main, ["serve", "--rules", str(TODO), *options])

    assert 2 == done.exit_code
    assert ["changegate: "] == [line[:12] for line in done.output.splitlines()]
    assert says in done.output


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants the workbench without what makes its pages is told what to install."""
    monkeypatch.delitem(sys.modules, "engine.server.bench_book", raising=False)
    for name in [name for name in sys.modules if name.startswith("engine.book.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)

    with pytest.raises(ValueError, match=r"the workbench needs `jinja2`: pip install 'changegate\[book\]'"):
        create(settings(TODO))


ADMITTED: list[dict[str, Any]] = [
    {},
    {"host": "localhost"},
    {"host": "::1"},
    {"host": "0.0.0.0", "insecure_behind_proxy": True, "workbench_anywhere": True},
]


@pytest.mark.parametrize("more", ADMITTED)
def test_where_the_workbench_may_be_it_is_admitted(more: dict[str, Any]) -> None:
    """On this machine nothing more needs to be said."""
    check_address(replace(settings(TODO), **more))


def test_loopback_is_this_machine_alone() -> None:
    """Names that only look like it are others."""
    assert all(map(is_loopback, ["localhost", "Localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"]))
    assert not any(map(is_loopback, ["", "localhost.", "0.0.0.0", "::", "10.1.1.1", "127.0.0.1.nip.io", "2130706433"]))


def test_another_site_cannot_send_what_is_tried(todo: Bench) -> None:
    """What a form or a simple script of another site can send is no JSON by its media type, and is refused."""
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        headers = {"Content-Type": media} if media else {}
        answer = todo.ask("POST", "/bench/try", content=b"{}", headers=headers)
        assert 400 == answer.status_code
    assert "access-control-allow-origin" not in todo.get("/bench/rules", headers={"Origin": "http://x.example"}).headers


# --- deciding ---


def test_a_decision_is_the_one_that_the_policy_makes(shipped: Bench) -> None:
    """The bench decides as every front end does, in full detail and in the language asked for."""
    request = json.loads((EXAMPLES / "requests" / "bank-account-in-japan.json").read_text(encoding="utf-8"))
    gate = open_policy(RULES)

    for locale in ("en", "el", "sv-FI"):
        assert gate.decide(request, "full", locale).to_dict() == shipped.decide(request, locale=locale)["decision"]
    assert gate.decide(request, "full").to_dict() == shipped.decide(request)["decision"]


def test_a_verdict_can_be_had_before_the_rest(shipped: Bench) -> None:
    """Without detail the answer is the same, but for what takes longer to find."""
    asked = {"request": {"action": {"name": "change_payment_method"}}}
    whole, brief = (shipped.post("/bench/decide", {**asked, **more}).json() for more in ({}, {"detail": None}))

    for part in ("alternatives", "assumptions", "unknown"):
        assert whole["decision"].pop(part) is not None
        assert brief["decision"].pop(part) is None
    assert whole == brief
    assert 400 == shipped.post("/bench/decide", {**asked, "detail": "none"}).status_code


def test_every_rule_of_the_action_is_explained(shipped: Bench) -> None:
    """Whether it applies or not."""
    gate = open_policy(RULES)
    explained = shipped.decide({"action": {"name": "purchase"}})["explained"]

    assert [rule.id for rule in gate.today().actions["purchase"].rules] == [each["rule"] for each in explained]
    assert all(each["condition"] for each in explained)


RANKS = {"missing": 0, "given": 1, "invalid": 1, "asked": 2, "further": 3}


def test_every_case_has_fields_for_what_it_lacks_and_what_it_gives() -> None:
    """Whatever is missing, given or invalid is a field, and says so; nothing is a field twice."""
    gate = open_policy(RULES)
    prose = Prose(gate.pack, "en")
    for request in _requests(gate):
        decision = gate.decide(request, "full")
        found = fields(gate, request, decision, prose)
        paths = [each.path for each in found]
        states = {each.path: each.state for each in found}

        assert len(set(paths)) == len(paths)
        assert {each.fact for each in decision.invalid} <= {
            path for path, state in states.items() if state == "invalid"
        }
        assert all(states[path] in ("missing", "invalid") for path in decision.missing)
        ranks = [RANKS[each.state] for each in found if not each.path.startswith("action.")]
        assert sorted(ranks) == ranks


def _requests(gate: Gate) -> Iterator[Any]:
    return (request_of(case) for case in gate.pack.cases[::7])


DOORS = """\
policy: {name: doors, title: Doors, languages: [en]}
actions:
  open:
    title: Open a door
    resource: door
    properties:
      second: {type: enum, values: [a, b], choice: true, optional: true, description: Second.}
      first: {type: boolean, description: First.}
facts:
  door.height: {type: integer, minimum: 3, description: In centimeters.}
  door.price: {type: money, description: What it costs.}
  door.fee: {type: money, currency: EUR, description: What opening costs.}
  door.keys: {type: list, of: enum, values: [red, blue], description: The keys that fit.}
  door.kind: {type: key, of: kinds, default: oak, description: What it is made of.}
  door.weight: {type: integer, lookup: kinds.weight, by: door.kind, description: In kilograms.}
  door.tall: {type: boolean, derived: {when: {door.height: {more_than: 200}}}, description: Whether it is tall.}
  door.alarm: {type: boolean, sealed: true, derived: {when: {door.tall: true}}, description: Whether it rings.}
  context.way: {type: enum, values: [hand, foot], choice: true, description: By what.}
tables:
  kinds:
    columns: {weight: {type: integer}}
    rows: {oak: {weight: 90}, tin: {weight: 5}}
rules:
  - id: may-open
    actions: [open]
    when:
      door.tall: false
      door.alarm: false
      door.price: {less_than: 10 EUR}
      door.fee: {less_than: 10 EUR}
      door.keys: {has: red}
      door.weight: {less_than: 100}
      context.way: hand
    unless: {action.first: true, action.second: a}
    allow: Come in.
"""


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("doors")
    (folder / "doors.yaml").write_text(DOORS, encoding="utf-8")
    yield from benches(folder)


ORDERS = [
    (
        "while something is missing",
        {"height": "tall", "price": 5.5, "keys": ["red"]},
        ["action.second asked", "action.first asked", "context.way missing", "door.fee missing", "door.height invalid",
         "door.keys given", "door.price invalid", "context.date further", "door.kind further", "door.weight further"],
    ),
    (
        "once it is settled",
        {"height": 300},
        ["action.second asked", "action.first asked", "door.height given", "context.way asked", "context.date further",
         "door.fee further", "door.keys further", "door.kind further", "door.price further", "door.weight further"],
    ),
    (
        "with what is worked out given",
        {"tall": True, "alarm": False},
        ["action.second asked", "action.first asked", "door.alarm given", "door.tall given", "context.way asked",
         "context.date further", "door.fee further", "door.height further", "door.keys further", "door.kind further",
         "door.price further", "door.weight further"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "order"), [each[1:] for each in ORDERS], ids=[each[0] for each in ORDERS])
def test_fields_say_what_may_be_told_and_in_what_order(doors: Bench, given: Any, order: list[str]) -> None:
    """Properties as declared, what is missing, what is given, what may be chosen, and the rest; nothing worked out."""
    found = doors.decide({"action": {"name": "open"}, "resource": {"properties": given}})["fields"]

    assert order == [f"{each['path']} {each['state']}" for each in found]


def test_fields_say_how_a_fact_is_told(doors: Bench) -> None:
    """Type, values, bounds, currency, and what counts where nothing is told, are all there for a form."""
    found = doors.decide({"action": {"name": "open"}, "door.height": 5})["fields"]

    height, price, keys = (of(found, f"door.{name}") for name in ("height", "price", "keys"))
    assert ("integer", 3, None, False, None) == tuple(
        height[name] for name in ("type", "minimum", "values", "many", "default")
    )
    assert ("In centimeters.", "given", 5, None) == tuple(
        height[name] for name in ("description", "state", "value", "problem")
    )
    assert ("money", True, "missing") == (price["type"], price["currency"], price["state"])
    assert ("money", False) == (of(found, "door.fee")["type"], of(found, "door.fee")["currency"])
    assert ("enum", True, ["red", "blue"]) == (keys["type"], keys["many"], [each["value"] for each in keys["values"]])
    assert [True, False] == [each["value"] for each in of(found, "action.first")["values"]]
    assert [True, False] == [of(found, f"action.{name}")["optional"] for name in ("second", "first")]
    assert ["oak", "tin"] == [each["value"] for each in of(found, "door.kind")["values"]]
    assert all(of(found, f"door.{name}")["default"] for name in ("kind", "weight"))
    assert all(each["label"] for each in found)


def test_fields_say_why_a_value_cannot_be_used(doors: Bench) -> None:
    """In the words of the decision, with the value as it was sent."""
    values = {"height": 2, "price": "5 euro", "keys": ["green"], "fee": 1.25}
    answer = doors.decide({"action": {"name": "open"}, "resource": {"properties": values}})
    problems = {each["fact"]: each["problem"] for each in answer["decision"]["invalid"]}

    assert {"door.height", "door.price", "door.keys"} == set(problems)
    assert problems == {each["path"]: each["problem"] for each in answer["fields"] if each["problem"]}
    assert values == {name: of(answer["fields"], f"door.{name}")["value"] for name in values}


def test_fields_of_tables_of_any_size_stay_small(tmp_path: Path) -> None:
    """Where nobody could pick a row from a list, there is none."""
    rows = {f"k{number}": {"weight": number} for number in range(MAX_VALUES + 1)}
    data = yaml.safe_load(DOORS.replace("default: oak", "default: k1"))
    data["tables"]["kinds"]["rows"] = rows
    (tmp_path / "doors.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    for client in benches(tmp_path):
        answer = client.decide({"action": {"name": "open"}})

        assert of(answer["fields"], "door.kind")["values"] is None
        assert len(json.dumps(answer)) < 50_000


def test_the_unknown_action_has_an_answer_and_no_fields(todo: Bench) -> None:
    """It is denied, with a warning, and nothing is to be told of it."""
    answer = todo.decide({"action": {"name": "delete_tod"}})

    assert ("deny", "not_permitted") == (answer["decision"]["outcome"], answer["decision"]["cause"])
    assert "`delete_todo`" in answer["decision"]["warnings"][0]
    assert ([], []) == (answer["explained"], answer["fields"])


BAD = [
    ({}, "`request`"),
    ({"request": None}, "`request`"),
    ({"request": []}, "`request`"),
    ({"request": {}}, "`action.name`"),
    ({"request": {"action": []}}, "`action`"),
    ({"request": {"action": {"name": 1}}}, "`action.name`"),
    ({"request": {"action": {"name": "read_todo"}, "subject": "ann"}}, "`subject`"),
    ({"request": {"action": {"name": "read_todo"}}, "locale": 1}, "`locale`"),
    ({"request": {"action": {"name": "read_todo"}}, "locale": "x" * 101}, "`locale`"),
    ({"request": {"action": {"name": "read_todo"}}, "edits": []}, "`edits`"),
    ({"request": {"action": {"name": "read_todo"}}, "edits": {"a.yaml": None}}, "`edits`"),
]


@pytest.mark.parametrize(("body", "names"), BAD)
def test_what_is_no_trial_is_a_bad_request(todo: Bench, body: Any, names: str) -> None:
    """It is said which member is wrong."""
    answer = todo.post("/bench/decide", body)

    assert 400 == answer.status_code
    check_problem(answer)
    assert names in answer.json()["detail"]


def test_entities_are_known_at_the_bench(certified: Bench) -> None:
    """Who asks is looked up as the service does it, in the edited copy, too."""
    request = {
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"},
    }
    name = str(EXAMPLES / "certification" / "records.yaml")
    edits = {name: certified.texts()[name] + "\n# a comment\n"}
    program = certified.post("/access/v1/evaluation", request).json()["decision"]

    for more in ({}, {"edits": edits}):
        assert program is certified.decide(request, **more)["decision"]["decision"] is True
    assert not certified.decide({**request, "subject": {"type": "user", "id": "nobody"}})["decision"]["decision"]
    assert not certified.decide({**request, "subject": {"type": ["user"], "id": "alice"}})["decision"]["decision"]


def test_entities_that_the_edited_rules_cannot_have_are_a_conflict(tmp_path: Path) -> None:
    """The cases run all the same: they know nothing of entities."""
    rules, entities = tmp_path / "doors.yaml", tmp_path / "entities" / "doors.yaml"
    entities.parent.mkdir()
    rules.write_text(DOORS, encoding="utf-8")
    entities.write_text("door: {d1: {keys: [blue]}}", encoding="utf-8")
    body = {
        "request": {"action": {"name": "open"}},
        "edits": {str(rules): DOORS.replace("[red, blue]", "[red, green]")},
    }
    for client in benches(rules, entities=(str(entities),)):
        found, refused = client.trial(**body), client.post("/bench/decide", body)

        assert (0, None) == (found["errors"], found["answer"])
        assert "`door` `d1`" in found["problem"]
        assert {"run": 0, "failed": [], "changed": []} == found["cases"]
        assert 409 == refused.status_code
        check_problem(refused)


# --- rules and edits ---


def test_the_rules_are_those_that_are_live(stacked: Bench) -> None:
    """Every file of every pack, by the name that findings have, with its text as it is."""
    expected = {
        str(path): path.read_text(encoding="utf-8")
        for folder in (RULES, EXAMPLES / "operator")
        for path in folder.rglob("*.yaml")
    }

    assert expected == stacked.texts()
    assert open_policy([RULES, EXAMPLES / "operator"]).version == stacked.get("/bench/rules").json()["version"]


def test_rules_on_disk_that_are_not_live_are_not_shown(tmp_path: Path) -> None:
    """While a change is not served, the bench shows and tries what is."""
    file = tmp_path / "doors.yaml"
    file.write_text(DOORS, encoding="utf-8")
    for client in benches(tmp_path):
        file.write_text("rules: [", encoding="utf-8")
        assert 409 == client.post("/admin/reload", {}).status_code

        assert {str(file): DOORS} == client.texts()
        assert 0 == client.trial(edits={})["errors"]


def test_without_edits_nothing_changes(shipped: Bench) -> None:
    """The copy is the policy; all its cases hold."""
    found = shipped.trial(edits={})
    gate = open_policy(RULES)

    assert {"run": len(gate.pack.cases), "failed": [], "changed": []} == found["cases"]
    assert (0, gate.version, None, None) == tuple(found[name] for name in ("errors", "version", "answer", "problem"))
    assert found == shipped.trial(edits={CANCELLATION: shipped.texts()[CANCELLATION]})


def test_an_edit_shows_what_it_would_change(shipped: Bench) -> None:
    """The cases that fail, those that are answered otherwise, and the answer to the request, all without a file."""
    request = {"action": {"name": "cancel_subscription"}, "context": {"channel": "self_service"}}
    assert "deny" != shipped.decide(request)["decision"]["outcome"]
    text = shipped.texts()[CANCELLATION]
    edits = {
        CANCELLATION: text
        + "\n  - {id: not-today, title: Not today, actions: [cancel_subscription], deny: Not today., cites: [S42]}\n"
    }
    found = shipped.trial(edits=edits, request=request, locale="en")

    assert (0, "deny") == (found["errors"], found["answer"]["decision"]["outcome"])
    assert (
        found["version"]
        == found["answer"]["decision"]["policy"]["version"]
        != shipped.get("/bench/rules").json()["version"]
    )
    assert all("not-today" in each["after"]["rules"] for each in found["cases"]["changed"])
    assert len(found["cases"]["changed"]) > 50
    assert {"outcome", "cause", "rules", "duties"} == set(found["cases"]["changed"][0]["before"])
    assert {each["case"] for each in found["cases"]["failed"]} <= {each["case"] for each in found["cases"]["changed"]}
    assert found["answer"] == shipped.decide(request, edits=edits, locale="en")
    assert "deny" != shipped.decide(request)["decision"]["outcome"]


BROKEN = [
    ("no YAML", "rules: [", "not-yaml"),
    ("no mapping", "- a", "wrong-shape"),
    ("an alias bomb", "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"{c}: &{c} [{', '.join([f'*{p}'] * 10)}]\n" for p, c in zip("abcdefg", "bcdefgh", strict=True)), "alias-bomb"),
    ("deep nesting", "a: " + "[" * 5000, "too-deep"),
    ("a tag", "a: !!python/object/apply:os.system [id]", "yaml-tag"),
    ("several documents", "--- {}\n--- {}", "several-documents"),
    ("a control character", "a: \u0007", "not-yaml"),
    ("markup", f"rules: [{{id: {HOSTILE[:30]!r}}}]", "bad-name"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), [each[1:] for each in BROKEN], ids=[each[0] for each in BROKEN])
def test_errors_are_found_as_one_types(todo: Bench, text: str, code: str) -> None:
    """Whatever is typed comes back as findings with their places, and nothing is decided with it."""
    name = str(TODO / "todo.yaml")
    found = todo.trial(edits={name: text}, request=a_todo())
    refused = todo.post("/bench/decide", {"request": a_todo(), "edits": {name: text}})

    assert code in {each["code"] for each in found["findings"] if each["file"] == name}
    assert found["errors"] > 0
    assert (None, None, None) == tuple(found[part] for part in ("cases", "answer", "version"))
    assert 409 == refused.status_code
    check_problem(refused)


def test_findings_are_those_of_validation(shipped: Bench) -> None:
    """The same findings, from edited files as from files on disk."""
    text = shipped.texts()[CANCELLATION].replace("subscription.licenses_assigned", "subscription.licences_assigned")
    packs = edited([read_files(RULES)], {CANCELLATION: text})
    found = shipped.trial(edits={CANCELLATION: text})

    assert [each.to_dict() for each in check_files(packs).findings] == found["findings"]
    assert found["errors"] == sum(each["severity"] == "error" for each in found["findings"]) > 0


def test_too_many_findings_are_cut_the_errors_first(todo: Bench) -> None:
    """The count of the errors is right all the same."""
    rules = "".join(f"  - {{id: r{number}, actions: [nothing], allow: Yes.}}\n" for number in range(1500))
    found = todo.trial(edits={str(TODO / "more.yaml"): f"rules:\n{rules}"})

    assert (1000, 1500) == (len(found["findings"]), found["errors"])


NAMES = [
    "more.yaml", "/etc/passwd", "../todo/more.yaml", "{todo}", "{todo}/", "{todo}/more.yml", "{todo}/more.txt",
    "{todo}/more", "{todo}/.more.yaml", "{todo}/.git/more.yaml", "{todo}/../more.yaml", "{todo}//more.yaml",
    "{todo}/./more.yaml", "{todo}/a\nb.yaml", "{todo}/a\u0000.yaml", "{todo}/a\u202e.yaml", "", ".yaml", "{todo}x/more.yaml",
    "{todo}/" + "x" * 300 + ".yaml",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_that_no_file_of_the_rules_can_have_are_refused(todo: Bench, name: str) -> None:
    """A new file is one that the pack would read from its folder, by its name alone."""
    for path in ("/bench/try", "/bench/decide"):
        answer = todo.post(path, {"request": a_todo(), "edits": {name.replace("{todo}", str(TODO)): "{}"}})
        assert 400 == answer.status_code
        check_problem(answer)


def test_a_new_file_is_part_of_its_pack(stacked: Bench) -> None:
    """It belongs to the pack in whose folder it would lie."""
    folders = (RULES, EXAMPLES / "operator")
    packs = [read_files(folder) for folder in folders]
    names = [str(folder / "new" / "more.yaml") for folder in folders]

    for number, name in enumerate(names):
        found = edited(packs, {name: "{}"})
        assert [name in {file.name for file in pack.files} for pack in found] == [each == number for each in range(2)]
    rule = "rules: [{id: new, title: New, actions: [purchase], deny: No., cites: [S5]}]"
    assert len(stacked.trial(edits={names[1]: rule})["cases"]["changed"]) > 5


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the rules, not the cache of opened policies, not the folder that the service runs in."""
    folder, cache, here = tmp_path / "rules", tmp_path / "cache", tmp_path / "here"
    for each in (folder, cache, here):
        each.mkdir()
    (folder / "doors.yaml").write_text(DOORS, encoding="utf-8")
    monkeypatch.setenv("CHANGEGATE_CACHE", str(cache))
    monkeypatch.chdir(here)
    request = {"action": {"name": "open"}}
    for client in benches(folder):
        client.decide(request)
        before = _contents(tmp_path)
        assert before
        name = str(folder / "doors.yaml")
        for number in range(4):
            edits = {name: DOORS.replace("Come in.", f"Come in, {number}."), str(folder / "new.yaml"): f"# {number}"}
            client.trial(edits=edits, request=request)
            client.decide(request, edits=edits)
        client.trial(edits={name: "rules: ["})
        assert before == _contents(tmp_path)


def _contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_hostile_texts_are_data(todo: Bench) -> None:
    """Rules and requests may hold anything; it comes back as JSON that means it, and as nothing else."""
    name = str(TODO / "todo.yaml")
    data = yaml.safe_load(todo.texts()[name])
    text = HOSTILE.replace("\u0000", "").replace("`${x}`", "")
    data["rules"][0]["allow"] = text
    data["rules"][0]["title"] = text
    data["facts"]["todo.completed"]["description"] = text
    request = {
        "action": {"name": "read_todo", "properties": {HOSTILE: HOSTILE}},
        "subject": {"type": HOSTILE, "id": HOSTILE, "properties": {"roles": ["viewer", HOSTILE], "__proto__": HOSTILE}},
        "resource": {"type": "todo", "properties": {"completed": HOSTILE, "owner": HOSTILE}},
        "context": {"date": HOSTILE},
    }
    answer = todo.post("/bench/try", {"edits": {name: yaml.safe_dump(data, allow_unicode=True)}, "request": request})

    assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
    assert "nosniff" == answer.headers["x-content-type-options"]
    found = answer.json()
    assert 0 == found["errors"], found["findings"]
    assert HOSTILE == of(found["answer"]["fields"], "todo.completed")["value"]
    assert HOSTILE == of(found["answer"]["fields"], "context.date")["value"]


def test_a_wrong_request_does_not_hide_what_edits_change(todo: Bench) -> None:
    """The cases are told; what is wrong with the request stands beside them."""
    found = todo.trial(edits={}, request={"action": {}})

    assert (None, 0) == (found["answer"], found["errors"])
    assert "action.name" in found["problem"]
    assert found["cases"]["run"] > 0


def test_who_comes_to_a_busy_bench_is_told_so() -> None:
    """So many tries may wait, and one runs."""
    turns = bench._Turns(2)
    release = threading.Event()

    async def crowd() -> list[Any]:
        tasks = [asyncio.create_task(turns.take(lambda: release.wait(5))) for _ in range(3)]
        await asyncio.sleep(0.05)
        release.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(crowd())

    assert [True, True] == [first, second]
    assert 503 == third.status


# --- copies ---

LAYERS = [(TODO,), (EXAMPLES / "certification",), (RULES, EXAMPLES / "operator")]


@pytest.mark.parametrize("folders", LAYERS, ids=lambda folders: folders[-1].name)
def test_cases_are_run_as_the_command_line_runs_them(folders: tuple[Path, ...]) -> None:
    """The same cases pass, and the same fail, whichever way they are decided."""
    gates = [open_policy(folders[: count + 1]) for count in range(len(folders))]
    copies = Copies()
    files = tuple(map(read_files, folders))
    expected = run_cases(gates).results
    copy = copies.open(files, None)
    wrong = edited(files, {str(folders[-1] / "wrong.yaml"): _wrong(gates[-1])})

    assert [_told(result) for result in expected] == [_told(result) for result in copy.results]
    assert {"pass"} == {"pass" if result.passed else "fail" for result in copy.results}
    tried = list(try_cases(copies.open(wrong, None), copy))
    assert ["wrong outcome", "wrong detail"] == [each.after.case.name for each in tried[-2:]]
    assert [1, 1] == [len(each.after.mismatches) for each in tried[-2:]]


def _wrong(gate: Gate) -> str:
    """Two cases that do not hold; the second is wrong in what full detail alone tells."""
    action = next(iter(gate.pack.actions))
    outcome = gate.decide({"action": {"name": action}}).outcome
    other = "allow" if outcome == "deny" else "deny"
    cases = [
        {"case": "wrong outcome", "given": {"action": action}, "expect": {"outcome": other}},
        {"case": "wrong detail", "given": {"action": action}, "expect": {"outcome": outcome, "unknown": []}},
    ]
    return yaml.safe_dump({"cases": cases})


def _told(result: Result) -> tuple[Any, ...]:
    decision = result.decision
    return result.case.name, result.mismatches, decision is not None and (decision.outcome, decision.rules)


EDITS = [
    ("a comment", "cancellation.yaml", "rules:", "# a comment\nrules:"),
    ("a rule", "cancellation.yaml", "less_than: 25", "less_than: 24"),
    ("a default", "vocabulary.yaml", "default: admin", "default: user"),
    ("a reading", "readings.yaml", "chosen: undecided", "chosen: online"),
    ("a value of a table", "regions.yaml", "currency: JPY", "currency: USD"),
    ("a case", "cases/cancellation.yaml", "outcome: allow", "outcome: deny"),
    ("what a case gives", "cases/cancellation.yaml", "action: cancel_subscription", "action: purchase"),
]


@pytest.mark.parametrize(("file", "old", "new"), [each[1:] for each in EDITS], ids=[each[0] for each in EDITS])
def test_cases_that_are_not_decided_again_are_answered_alike(file: str, old: str, new: str) -> None:
    """What an edit cannot have changed is taken over: the outcome is that of deciding everything again."""
    files = (read_files(RULES),)
    name = str(RULES / file)
    text = (RULES / file).read_text(encoding="utf-8")
    assert old in text
    packs = edited(files, {name: text.replace(old, new, 1)})
    copies = Copies()
    copy, base = copies.open(packs, None), copies.open(files, None)
    if copy.checked.errors:
        pytest.fail(str(copy.checked.errors[0]))

    tried = list(try_cases(copy, base))
    anew = Copies().open(packs, None)
    assert list(map(_told, anew.results)) == [_told(each.after) for each in tried]
    assert [_told(base.run(case))[2] for case in anew.gates[-1].pack.cases] == [_told(each.before)[2] for each in tried]


def test_a_case_of_a_new_reading_has_no_answer_before(todo: Bench) -> None:
    """What chooses a reading that is not live could not be asked there."""
    data = {
        "sources": {"s": {"title": "S", "language": "en", "statements": {"S1": {"says": "So.", "not_encoded": "No."}}}},
        "readings": {
            "r": {"asks": "A?", "options": {"a": "A.", "b": "B."}, "chosen": "a", "because": "A.", "cites": ["S1"]}
        },
        "rules": [{"id": "new", "actions": ["read_todo"], "when": {"reading.r": "b"}, "deny": "No."}],
        "cases": [{"case": "new", "given": {"action": "read_todo", "reading.r": "b"}, "expect": {"outcome": "deny"}}],
    }
    found = todo.trial(edits={str(TODO / "new.yaml"): yaml.safe_dump(data)})

    assert 0 == found["errors"], found["findings"]
    assert [] == found["cases"]["failed"]
    assert [("new", None, "deny")] == [
        (each["case"], each["before"], each["after"]["outcome"]) for each in found["cases"]["changed"]
    ]


def test_few_cases_are_decided_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit of a rule leaves the cases of other actions alone."""
    files = (read_files(RULES),)
    text = (RULES / "cancellation.yaml").read_text(encoding="utf-8")
    copies = Copies()
    base = copies.open(files, None)
    assert base.results
    copy = copies.open(edited(files, {CANCELLATION: text.replace("less_than: 25", "less_than: 24")}), None)
    asked: Counter[str] = Counter()

    def count(case: Case, gate: Gate, detail: Any = "full") -> Result:
        result = run_case(case, gate, detail)
        asked[str((case.given or {}).get("action"))] += 1
        return result

    monkeypatch.setattr("engine.server.bench_copies.run_case", count)
    assert any(each.after is not each.before for each in try_cases(copy, base))

    assert {"cancel_subscription"} == set(asked)


@pytest.mark.parametrize("folders", LAYERS, ids=lambda folders: folders[-1].name)
def test_copies_are_checked_as_files_are(folders: tuple[Path, ...]) -> None:
    """Files that are not read again give the same pack and the same findings."""
    files = tuple(map(read_files, folders))
    copies = Copies()
    for packs in (files, edited(files, {str(folders[-1] / "more.yaml"): "rules: 5"}), files):
        expected, found = check_files(packs), copies.open(packs, None).checked
        assert expected == found


def test_a_folder_without_files_is_still_found_empty() -> None:
    """What is wrong with a pack as a whole is said once, and only where it is so."""
    empty = PackFiles("nothing", (), ())
    blank = PackFiles("blank", (PackFile("blank/a.yaml", b""),), ())

    for packs in ((empty,), (blank,)):
        assert check_files(packs) == Copies().open(packs, None).checked


def test_the_last_copies_are_kept() -> None:
    """The same edits again cost nothing."""
    files = (read_files(TODO),)
    copies = Copies()
    packs = edited(files, {str(TODO / "more.yaml"): "# nothing"})

    assert copies.open(packs, None) is copies.open(edited(files, {str(TODO / "more.yaml"): "# nothing"}), None)


# --- the data of the page ---


@pytest.mark.parametrize("folder", [RULES, TODO, EXAMPLES / "certification"], ids=lambda folder: folder.name)
def test_the_page_has_every_action_and_examples_of_each(folder: Path) -> None:
    """Examples are requests that can be put; each action has one for each outcome, as far as there is room."""
    gate = open_policy(folder)
    data = bench_data(gate.pack, gate.pack.cases, "en", {"bench.try": "Try"})
    examples = data["examples"]
    outcomes = Counter((each["request"]["action"]["name"], gate.decide(each["request"]).outcome) for each in examples)
    wanted = {(case.given["action"], case.expect["outcome"]) for case in gate.pack.cases if case.given}

    assert [(action.name, action.title, action.resource) for action in gate.pack.actions.values()] == [
        (each["name"], each["title"], each["resource"]) for each in data["actions"]
    ]
    assert len(examples) <= MAX_EXAMPLES
    assert {action for action, _ in outcomes} == {action for action, _ in wanted}
    assert len(wanted) > MAX_EXAMPLES or wanted <= set(outcomes)
    assert ("en", {"bench.try": "Try"}) == (data["language"], data["words"])
    assert list(gate.pack.languages) == list(data["languages"])


def test_cases_that_choose_readings_are_no_examples() -> None:
    """A request cannot choose them."""
    given = {"action": "read_todo", "reading.x": "y"}
    gate = open_policy(TODO)
    cases = [Case("a", given, None, {"outcome": "allow"}), Case("b", None, {"no": "request"}, {"outcome": "allow"})]

    assert [] == bench_data(gate.pack, cases, "en", {})["examples"]


def test_examples_are_plain_data() -> None:
    """Exact numbers of cases are numbers of JSON."""
    given = {"action": "read_todo", "todo.cost": Decimal("1.50"), "todo.size": 10**30}
    data = bench_data(open_policy(TODO).pack, [Case("a", given, None, {"outcome": "allow"})], "en", {})

    assert {"cost": 1.5, "size": 10**30} == json.loads(json.dumps(data))["examples"][0]["request"]["resource"][
        "properties"
    ]
