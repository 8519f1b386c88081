"""Decision tables: every cell was decided, and what is told as one point is one to the rules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import AS_OF, ROOT, STACKS, checked, draw_pack, requests_for

from engine.book import trial
from engine.book.axes import Point
from engine.book.matrices import Matrix, matrices
from engine.book.trial import OPEN_CAUSES, Asking
from engine.cases import readings_of, request_of
from engine.decision import Decision
from engine.gate import Gate, open_policy
from engine.model import Case, FactDeclaration
from engine.request import InvalidRequest, from_paths, read_request
from engine.situation import DATE
from engine.values import Money, NotAValue, Value, exact, parse_date, plain_value

FERRY = """
policy: {name: ferry, title: A ferry}
actions:
  board:
    resource: cargo
    properties: {deck: {type: enum, values: [upper, lower, garage], choice: true}}
facts:
  cargo.port: {type: key, of: ports}
  cargo.weight: {type: integer, minimum: 0}
  cargo.length: {type: number}
  cargo.value: {type: money, minimum: 0}
  cargo.pallets: {type: integer}
  cargo.bales: {type: integer, minimum: 1.5}
  cargo.load: {type: integer, derived: {product: [cargo.pallets, 12]}}
  cargo.tonnage: {type: integer, derived: [{value: $cargo.weight}]}
  cargo.kind: {type: enum, values: [mail, food, fuel]}
  cargo.rank: {type: enum, values: [low, middle, high], ordered: true}
  cargo.marks: {type: list, of: {type: string}}
  cargo.sealed: {type: boolean, sealed: true, default: false}
  cargo.fee: {type: money, lookup: ports.fee, by: cargo.port}
  cargo.home: {type: key, of: ports}
  cargo.insured: {type: boolean, default: true}
  subject.rank: {type: enum, values: [low, middle, high], ordered: true}
  context.desk: {type: enum, values: [web, quay], choice: true, route: true}
tables:
  ports:
    columns: {fee: {type: money}, name: {type: string}}
    rows:
      A: {fee: 3 EUR, name: Aa}
      B: {fee: 9 EUR, name: Bb}
      C: {fee: 3 EUR, name: Cc}
      D: {fee: 9 EUR, name: Dd}
      E: {fee: 3 EUR, name: Ee}
      F: {name: Ff}
readings:
  heavy: {asks: How heavy is heavy?, options: {"ten": Ten., "more": More.}, chosen: "ten", because: So be it.}
rules:
  - {id: may, actions: [board], allow: Come on board.}
"""
LETTERS = {"allow": "A", "deny": "D", "indeterminate": "I"}


def ferry(rules: str, *cases: str) -> Gate:
    """The ferry with these rules, and with cases that give these facts."""
    listed = "".join(f"\n  - {rule}" for rule in rules.strip().splitlines())
    named = "".join(
        f"\n  - {{case: case {number}, given: {{action: board, {facts}}}, expect: {{outcome: allow}}}}"
        for number, facts in enumerate(cases)
    )
    done = checked({"ferry.yaml": f"{FERRY.rstrip()}{listed}\ncases:{named or ' []'}\n"})
    assert not done.errors, done.findings
    return Gate(done.pack, parse_date(AS_OF))


def drawn(gate: Gate, action: str = "board") -> dict[str, list[str]]:
    """The matrices in letters: `!` is settled, `?` is open."""
    found = matrices(gate, action, gate.pack.cases)
    return {f"{each.rows_of.path} x {each.columns_of.path}": list(_lines(each)) for each in found}


def _lines(matrix: Matrix) -> Iterator[str]:
    yield " ".join(map(shown, matrix.columns_of.points))
    for row in matrix.rows:
        cells = (LETTERS[cell.outcome] + "?" * (cell.cause in OPEN_CAUSES) + "!" * cell.settled for cell in row.cells)
        yield f"{' '.join(map(shown, row.points))} | {' '.join(cells)}"


def shown(point: Point) -> str:
    """The values of a point, as they are written; those of a range with two dots."""
    if point.low == point.high:
        return str(plain_value(point.sample))
    ends = ("" if end is None else str(end).replace(" ", "") for end in (point.low, point.high))
    return "..".join(ends)


TABLES: list[tuple[str, str, tuple[str, ...], dict[str, list[str]]]] = [
    (
        "a whole number has the threshold, and what is below and above, from its minimum on",
        """{id: r, actions: [board], when: {cargo.weight: {more_than: 10}, context.desk: web}, deny: At the quay.}
{id: s, actions: [board], when: {cargo.weight: 20, context.desk: web}, defer: Nobody knows.}""",
        (),
        {"cargo.weight x context.desk": ["web quay", "0..10 | A! A!", "11.. | D! A!"]},
    ),
    (
        "a threshold that changes the answer is a row of its own",
        """{id: r, actions: [board], when: {cargo.weight: {more_than: 10}, context.desk: web}, deny: At the quay.}
{id: s, actions: [board], when: {cargo.weight: 10, context.desk: web}, defer: Nobody knows.}""",
        (),
        {"cargo.weight x context.desk": ["web quay", "0..9 | A! A!", "10 | I! A!", "11.. | D! A!"]},
    ),
    (
        "other numbers have neighbors as fine as they are written, two decimals at least",
        "{id: r, actions: [board], when: {cargo.length: {between: [2.5, 4.125]}, action.deck: upper}, deny: Too long.}",
        (),
        {
            "cargo.length x action.deck": [
                "upper lower garage",
                "..2.499 | A! A! A!",
                "2.5..4.125 | D! A! A!",
                "4.126.. | A! A! A!",
            ]
        },
    ),
    (
        "no range lies below the minimum",
        """{id: s, actions: [board], when: {cargo.bales: {more_than: 0}, action.deck: lower}, deny: Too many.}
{id: t, actions: [board], when: {cargo.bales: {more_than: 3}, action.deck: garage}, deny: Too many.}""",
        (),
        {
            "cargo.bales x action.deck": ["upper lower garage", "2..3 | A! D! A!", "4.. | A! D! D!"],
        },
    ),
    (
        "no range begins or ends with a number too long to be sent",
        "{id: r, actions: [board], when: {cargo.pallets: {at_least: 999999999999999}, action.deck: upper}, deny: No.}",
        (),
        {
            "cargo.pallets x action.deck": [
                "upper lower garage",
                "..999999999999998 | A! A! A!",
                "999999999999999 | D! A! A!",
            ],
        },
    ),
    (
        "a number that is compared with its own copy is no axis",
        "{id: r, actions: [board], when: {cargo.tonnage: {more_than: $cargo.weight}, action.deck: upper}, deny: No.}",
        (),
        {},
    ),
    (
        "money is told by currency, and zero is there in each",
        """{id: r, actions: [board], when: {cargo.value: {more_than: 5 EUR}, action.deck: garage}, deny: Too dear.}
{id: s, actions: [board], when: {cargo.value: {more_than: 600 JPY}, action.deck: garage}, deny: Too dear.}
{id: t, actions: [board], when: {cargo.value: 0, action.deck: garage}, deny: Worthless.}""",
        (),
        {
            "cargo.value x action.deck": [
                "upper lower garage",
                "0 EUR | A! A! D!",
                "0.01EUR..5EUR | A! A! I?",
                "5.01EUR.. | A! A! D!",
                "0 JPY | A! A! D!",
                "0.01JPY..600JPY | A! A! I?",
                "600.01JPY.. | A! A! D!",
            ]
        },
    ),
    (
        "where there is but zero, the currency is that of the case",
        "{id: r, actions: [board], when: {cargo.value: {more_than: 0}, action.deck: garage}, deny: Too dear.}",
        ("action.deck: garage, cargo.value: 7 SEK",),
        {"cargo.value x action.deck": ["upper lower garage", "0 SEK | A! A! A!", "0.01SEK.. | A! A! D!"]},
    ),
    (
        "a number that another fact copies has the other's thresholds",
        "{id: r, actions: [board], when: {cargo.tonnage: {at_least: 7}, context.desk: web}, deny: At the quay.}",
        (),
        {"cargo.weight x context.desk": ["web quay", "0..6 | A! A!", "7.. | D! A!"]},
    ),
    (
        "a number that is reckoned with is no axis, for nobody knows its ranges",
        "{id: r, actions: [board], when: {cargo.load: {at_least: 7}, context.desk: web}, deny: At the quay.}",
        (),
        {},
    ),
    (
        "a number beside a fact of the case has that one's value as threshold",
        "{id: r, actions: [board], when: {cargo.value: {less_than: $cargo.fee}, context.desk: web}, deny: Too cheap.}",
        ("cargo.port: B",),
        {"cargo.value x context.desk": ["web quay", "0EUR..8.99EUR | D A!", "9EUR.. | A A!"]},
    ),
    (
        "keys whose rows are alike are one row, and the most come last",
        """{id: r, actions: [board], when: {cargo.fee: {less_than: 5 EUR}, action.deck: upper}, deny: Too cheap.}
{id: s, actions: [board], when: {cargo.port: D, action.deck: lower}, deny: Not there.}""",
        (),
        {
            "cargo.port x action.deck": [
                "upper lower garage",
                "B | A! A! A!",
                "D | A! D! A!",
                "F | I? A! A!",
                "A C E | D! A! A!",
            ]
        },
    ),
    (
        "a key beside another key is decided row by row",
        "{id: r, actions: [board], when: {cargo.port: {is_not: $cargo.home}}, deny: Not from here.}",
        (),
        {
            "cargo.port x cargo.home": [
                "A B C D E F",
                *(f"{port} | {' '.join('A!' if port == other else 'D!' for other in 'ABCDEF')}" for port in "ABCDEF"),
            ]
        },
    ),
    (
        "facts that are compared with each other are a table though nobody chooses them",
        "{id: r, actions: [board], when: {subject.rank: {less_than: $cargo.rank}}, deny: Not you.}",
        (),
        {
            "subject.rank x cargo.rank": [
                "low middle high",
                "low | A! D! D!",
                "middle | A! A! D!",
                "high | A! A! A!",
            ]
        },
    ),
    (
        "values of an enum that are alike are one row, at the place of the first",
        "{id: r, actions: [board], when: {cargo.kind: food, action.deck: [upper, garage]}, deny: It melts.}",
        (),
        {"cargo.kind x action.deck": ["upper lower garage", "mail fuel | A! A! A!", "food | D! A! D!"]},
    ),
    (
        "what one fact forbids alone is told beside a choice if there is nothing better",
        """{id: r, actions: [board], when: {cargo.kind: fuel}, deny: No fuel.}
{id: s, actions: [board], when: {action.deck: upper}, deny: It is full.}""",
        (),
        {"cargo.kind x action.deck": ["upper lower garage", "mail food | D! A! A!", "fuel | D! D! D!"]},
    ),
    (
        "an outcome that turns on one fact is no table",
        "{id: r, actions: [board], when: {cargo.kind: fuel}, deny: No fuel.}",
        (),
        {},
    ),
    (
        "lists, sealed facts and those that are looked up are no axes",
        """{id: r, actions: [board], when: {cargo.marks: {has: x}, action.deck: upper}, deny: No.}
{id: s, actions: [board], when: {cargo.sealed: true, action.deck: upper}, deny: No.}""",
        (),
        {},
    ),
    (
        "a case gives the facts without which everything stays open",
        "{id: r, actions: [board], when: {cargo.kind: fuel, action.deck: upper, cargo.insured: true, subject.id: eve}, deny: No.}",
        ("subject.id: eve",),
        {"cargo.kind x action.deck": ["upper lower garage", "mail food | A! A! A!", "fuel | D A! A!"]},
    ),
]


@pytest.mark.parametrize(("rules", "cases", "expected"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_tables(rules: str, cases: tuple[str, ...], expected: dict[str, list[str]]) -> None:
    """Small packs and the tables made of them."""
    assert expected == drawn(ferry(rules, *cases))


BOARDS = "{id: r, actions: [board], when: {cargo.kind: fuel, action.deck: upper, subject.id: eve}, deny: No.}"
NO_BASES = {
    "chooses a reading itself": "subject.id: eve, reading.heavy: more",
    "is about a day with other rules": "subject.id: eve, context.date: 2020-01-01",
    "asks for something that is not to be had": "subject.id: eve, subject.type: [1], context.date: never",
}


@pytest.mark.parametrize("facts", NO_BASES.values(), ids=NO_BASES)
def test_what_is_no_base(facts: str) -> None:
    """The facts of such a case are not those of a table."""
    late = f"{BOARDS}\n{{id: t, actions: [board], from: 2025-01-01, when: {{cargo.kind: food}}, deny: No food.}}"

    found = matrices(gate := ferry(late, facts), "board", gate.pack.cases)

    assert {each.base for each in found} <= {None}


def test_the_base_is_the_case_beside_which_most_is_told() -> None:
    """A case that settles all alike gives way to one that lets both facts have their say; what no rule reads is left out."""
    gate = ferry(BOARDS, "subject.id: bob", "subject.id: eve, cargo.weight: 4", "subject.id: eve")

    (matrix,) = matrices(gate, "board", gate.pack.cases)

    assert ("case 1", {"subject.id": "eve"}) == (matrix.base, matrix.given)


def test_a_table_without_a_case() -> None:
    """Where no case helps, nothing else is known."""
    gate = ferry("{id: r, actions: [board], when: {cargo.kind: fuel, action.deck: upper}, deny: No.}")

    (matrix,) = matrices(gate, "board", gate.pack.cases)

    assert (None, {}) == (matrix.base, matrix.given)


def test_settled_is_settled_by_every_route() -> None:
    """An outcome that another route would change is not settled, though it is the same for the route found."""
    gate = ferry("""{id: r, actions: [board], when: {context.desk: quay}, deny: Not here.}
{id: s, actions: [board], when: {cargo.kind: fuel, action.deck: upper}, deny: No.}""")

    assert {
        "cargo.kind x action.deck": ["upper lower garage", "mail food | A A A", "fuel | D! A A"],
    } == drawn(gate)


@cache
def shipped(stack: str) -> tuple[Gate, tuple[Matrix, ...]]:
    gate = open_policy(STACKS[stack], AS_OF)
    return gate, tuple(each for action in gate.pack.actions for each in matrices(gate, action, gate.pack.cases))


def sizes(matrix: Matrix) -> tuple[int, int]:
    return len(matrix.rows_of.points), len(matrix.columns_of.points)


@pytest.mark.parametrize("stack", STACKS)
def test_every_cell_is_the_decision_on_its_request(stack: str) -> None:
    """Whoever asks what a cell says, for any member of its row, gets what the cell says."""
    gate, found = shipped(stack)

    for matrix in found:
        check_cells(gate, matrix)


def check_cells(gate: Gate, matrix: Matrix, points: Any = lambda point: [point]) -> None:
    """Each cell is decided again, at all the points that a point of its row and of its column stands for."""
    for row in matrix.rows:
        for column, cell in zip(matrix.columns_of.points, row.cells, strict=True):
            for each in (each for point in row.points for each in points(point)):
                for other in points(column):
                    request = matrix.request(each, other)
                    told = gate.decide(request)
                    assert (cell.outcome, cell.cause, cell.route, cell.rules) == (
                        told.outcome, told.cause, told.route, told.rules,
                    ), request  # fmt: skip


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_settled_holds_whatever_else_is_known(stack: str) -> None:
    """The facts of no case of the action change a settled outcome, as long as defaults hold."""
    gate, found = shipped(stack)

    for matrix in found:
        requests = [request_of(case) for case in gate.pack.cases if not readings_of(case)]
        check_settled(gate, matrix, requests)


def check_settled(gate: Gate, matrix: Matrix, requests: Iterable[Mapping[str, Any]]) -> None:
    axes = (matrix.rows_of.path, matrix.columns_of.path)
    others = [facts for request in requests for facts in further(gate, matrix.action, request, axes)]
    for row in matrix.rows:
        for column, cell in zip(matrix.columns_of.points, row.cells, strict=True):
            for facts in others if cell.settled else ():
                two = dict(zip(axes, (row.points[0].sample, column.sample), strict=True))
                told = gate.decide(from_paths({"action": matrix.action, **facts, **two}))
                assert told.invalid or told.outcome == cell.outcome, (two, facts)


def further(gate: Gate, action: str, request: Mapping[str, Any], axes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """What a request about the action gives, without what has a value of its own anyway."""
    try:
        asked = read_request(request, gate.pack)
    except InvalidRequest:
        return
    if asked.action is not None and asked.action.name == action:
        optional = asked.action.optional
        yield {
            path: value
            for path, value in asked.given.items()
            if path not in (DATE, *axes, *optional) and not _comes_about(gate.pack.facts[path])
        }


def _comes_about(fact: FactDeclaration) -> bool:
    return bool(fact.default) or fact.derived is not None or fact.lookup is not None


@pytest.mark.parametrize("stack", STACKS)
def test_every_table_varies_along_both_facts(stack: str) -> None:
    """A table is shown only if no fact of the two could be left out, and it is not too large to be read."""
    for matrix in shipped(stack)[1]:
        rows = {row.cells for row in matrix.rows}
        columns = set(zip(*(row.cells for row in matrix.rows), strict=True))

        assert len(rows) > 1
        assert len(columns) > 1
        assert sizes(matrix)[1] <= trial.MAX_COLUMNS
        assert sum(len(row.points) for row in matrix.rows) == sizes(matrix)[0]


@settings(max_examples=60)
@given(st.randoms(use_true_random=False, note_method_calls=False))
def test_random_packs(random: Random) -> None:
    """Whatever the rules: cells are what is decided, anywhere in a range, and what is settled holds."""
    pack = draw_pack(random)
    requests = requests_for(pack, random)
    asked = [next(requests) for _ in range(12)]
    cases = [Case(f"case {number}", None, request, {}) for number, request in enumerate(asked)]
    for action in pack.gate.pack.actions:
        for matrix in matrices(pack.gate, action, cases):
            check_cells(pack.gate, matrix, within)
            check_settled(pack.gate, matrix, asked)


def within(point: Point) -> list[Point]:
    """The point, and others of its range: both ends, and one far from the sample."""
    far = _far(point.low, point.high)
    return [point, *(Point(plain_value(each), each, each) for each in (point.low, point.high, far) if each is not None)]


def _far(low: Value | None, high: Value | None) -> Value | None:
    """A number in the middle of a range, or well beyond its end."""
    numbers = [each.amount if isinstance(each, Money) else each for each in (low, high)]
    sizes = [Decimal(each) for each in numbers if isinstance(each, int | Decimal)]
    if not sizes or isinstance(low, bool) or low == high:
        return None
    if len(sizes) == 2:
        number = Decimal(int(sum(sizes) / 2))
        number = number if sizes[0] <= number <= sizes[1] else sizes[0]
    else:
        number = sizes[0] + (-7 if low is None else 7)
    try:
        exact(number)
    except NotAValue:
        return None
    end = high if low is None else low
    if isinstance(end, Money):
        return Money(number, end.currency)
    return int(number) if isinstance(end, int) else number


WANTED = {
    "the payment method wanted by region, at a purchase": ("purchase", "subscription.service_location", "action.payment_method"),
    "the payment method wanted by region": ("change_payment_method", "subscription.service_location", "action.payment_method"),
    "the payment method by the one wanted": ("change_payment_method", "subscription.payment_method", "action.payment_method"),
    "licenses by channel": ("cancel_subscription", "subscription.licenses_assigned", "context.channel"),
}  # fmt: skip


@pytest.mark.parametrize(("action", "rows", "columns"), WANTED.values(), ids=WANTED)
def test_the_shipped_policy_has_the_tables_that_one_looks_for(action: str, rows: str, columns: str) -> None:
    """General rules find what a reader of these articles would draw."""
    found = [(each.action, each.rows_of.path, each.columns_of.path) for each in shipped("rules")[1]]

    assert (action, rows, columns) in found


def test_licenses_by_channel() -> None:
    """The table of cancellations: 25 is a row of its own, and support cancels any number."""
    matrix = next(
        each
        for each in shipped("rules")[1]
        if (each.action, each.rows_of.path) == ("cancel_subscription", "subscription.licenses_assigned")
    )

    assert [
        "self_service support 21vianet_support",
        "0..24 | A A D",
        "25 | I A D",
        "26.. | D! A D",
    ] == list(_lines(matrix))


def test_regions_that_are_alike_are_one_row() -> None:
    """Nearly all of 151 regions go together, and come last."""
    matrix = next(
        each
        for each in shipped("rules")[1]
        if (each.action, each.rows_of.path) == ("purchase", "subscription.service_location")
        and each.columns_of.path == "action.payment_method"
    )

    assert len(matrix.rows) < 8
    assert len(matrix.rows[-1].points) > 100
    assert [point.sample for point in matrix.rows_of.points] == sorted(point.sample for point in matrix.rows_of.points)


@pytest.mark.parametrize("stack", STACKS)
def test_as_many_tables_as_can_be_read(stack: str) -> None:
    """An action has a handful of tables at most, and no two of the same facts."""
    found = shipped(stack)[1]

    for action in {each.action for each in found}:
        pairs = [frozenset((each.rows_of.path, each.columns_of.path)) for each in found if each.action == action]
        assert len(pairs) <= trial.MAX_MATRICES
        assert len(set(pairs)) == len(pairs)


def large(regions: int, rules: int) -> Gate:
    """A policy with many regions, many of which have a rule of their own."""
    rows = "".join(f"\n      R{number}: {{fee: {number % 7} EUR}}" for number in range(regions))
    denials = "".join(
        f"\n  - {{id: r{number}, actions: [go], when: {{thing.region: R{number}, action.way: {'car' if number % 2 else 'train'}}}, deny: No.}}"
        for number in range(rules)
    )
    done = checked(
        {
            "large.yaml": f"""
policy: {{name: large, title: Large}}
actions: {{go: {{resource: thing, properties: {{way: {{type: enum, values: [car, train, plane], choice: true}}}}}}}}
facts:
  thing.region: {{type: key, of: regions}}
  thing.fee: {{type: money, lookup: regions.fee, by: thing.region}}
tables:
  regions:
    columns: {{fee: {{type: money}}}}
    rows:{rows}
rules:
  - {{id: may, actions: [go], allow: Go.}}
  - {{id: dear, actions: [go], when: {{thing.fee: {{more_than: 5 EUR}}, action.way: plane}}, deny: Too dear.}}{denials}
"""
        }
    )
    assert not done.errors, done.findings
    return Gate(done.pack, parse_date(AS_OF))


@pytest.mark.parametrize(("regions", "rules", "rows"), [(900, 900, 900), (10_000, 3, 5), (3_000, 3_000, None)])
def test_a_large_table_costs_little(
    regions: int, rules: int, rows: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that say the same are decided once; where too many differ, there is no table of them."""
    asked = []
    ask = Asking.__call__

    def counting(self: Asking, *values: Any) -> Decision:
        asked.append(values)
        return ask(self, *values)

    monkeypatch.setattr(Asking, "__call__", counting)
    found = matrices(large(regions, rules), "go", ())

    assert len(asked) < 3 * trial.MAX_CELLS
    assert [regions] * (rows is not None) == [len(each.rows_of.points) for each in found]
    assert all(len(each.rows) <= (rows or 0) for each in found)


def test_another_process_makes_the_same_tables() -> None:
    """Neither the order of sets nor what was asked before shows."""
    code = (
        "from engine.gate import open_policy; from engine.book.matrices import matrices; "
        f"gate = open_policy({str(STACKS['records'][0])!r}, {AS_OF!r}); "
        "print([matrices(gate, action, gate.pack.cases) for action in gate.pack.actions])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True, cwd=ROOT,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip

    assert len(told) == 1
