"""Whatever is encoded comes back as it was, to the last type and place; and nothing else ever comes back."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import STACKS, draw_pack, randoms

from engine import codec, read_packs
from engine.codec import NotDecodable, NotEncodable, decode, encode, register
from engine.condition import All, Compare, Fact, Not, leaves
from engine.finding import Place
from engine.model import Pack, Rule
from engine.values import BOOLEAN, Money, Plain, Type
from engine.version import version_of


@cache
def pack_of(stack: str) -> Pack:
    return read_packs(STACKS[stack]).pack


def exactly(value: Any) -> Any:
    """A value with its exact types and its places, in a form that compares them all."""
    if is_dataclass(value):
        return type(value), [exactly(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, Mapping):
        return "mapping", [(exactly(key), exactly(item)) for key, item in value.items()]
    if isinstance(value, frozenset):
        return frozenset, sorted(map(repr, map(exactly, value)))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "list" if isinstance(value, list) else "sequence", [exactly(item) for item in value]
    return type(value), repr(value) if isinstance(value, Decimal | float) else value


@pytest.mark.parametrize("stack", STACKS)
def test_shipped_packs_come_back_as_they_were(stack: str) -> None:
    """Every field of every rule, case and cell survives, and so does the version."""
    pack = pack_of(stack)
    data = encode(pack)
    again = decode(data)

    assert exactly(pack) == exactly(again)
    assert pack == again
    assert version_of(pack) == version_of(again)
    assert data == encode(again)


@given(randoms)
def test_random_packs_come_back_as_they_were(random: Random) -> None:
    """So does whatever an author may write."""
    pack = draw_pack(random).gate.pack

    assert exactly(pack) == exactly(decode(encode(pack)))


VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, -(1 << 10_000), 10**5000,
    "", "5", '\x00\n"\\/\u2028😀', "\ud800", "a\udfff", Plain("NO"), Plain(""), Plain("\udc80"), "t", "Type", "__import__('os')",
    Decimal("1.0"), Decimal("1.00"), Decimal("-0"), Decimal("1E+400"), Decimal("0.0001"), Decimal("9" * 60),
    datetime.date.min, datetime.date(2024, 2, 29), datetime.date.max, Money(Decimal("4.50"), "EUR"),
    1.5, -0.0, 5.0, 1e308, 5e-324, float("-inf"), (), [], {}, frozenset(), ("t", ["l", ()], [[]]), ["t", "a"], ("Compare", "a"), {"t": ("d",)},
    frozenset({1, "1", Decimal("1.5"), ("a",), Plain("b")}), frozenset({frozenset({1}), frozenset()}),
    {"b": 1, "a": [2]}, {"\ud800": 1}, {Plain("NO"): 1}, {1: "a", -5: "b"}, {Decimal("2.50"): 1, True: 2, None: 3},
    {datetime.date(2026, 1, 1): {"deep": ({},)}, ("a", 1): None}, Fact("a.b"), Not(All(())), Type("list", item=Type("enum", ("a", Plain("a")))),
    Compare("a", "in", (True, 1, Decimal(1), "1", Plain("1")), BOOLEAN, Place("f\udc80.yaml", 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=map(str, range(len(VALUES))))
def test_odd_values_come_back_as_they_were(value: Any) -> None:
    """Exact types matter: `True` is not 1, `1.0` not `1.00`, what was unquoted stays so, text is never a tag."""
    assert exactly(value) == exactly(decode(encode(value)))


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(st.characters()),
    st.text(st.characters()).map(Plain),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False),
    st.dates(),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(SCALARS, inner),
        st.frozensets(SCALARS),
        st.builds(Not, inner),
    ),
)


@given(TREES)
def test_random_data_comes_back_as_it_was(value: Any) -> None:
    """Whatever is nested in whatever else."""
    assert exactly(value) == exactly(decode(encode(value)))


def test_equal_types_are_one_again() -> None:
    """Ten thousand comparisons share the types of a few facts, but never with one that only looks the same."""
    texts, plains = Type("enum", ("NO",)), Type("enum", (Plain("NO"),))
    types = [Compare("a", "is", (), each).type for each in (Type("enum", ("NO",)), texts, plains)]
    first, second, third = decode(encode(types))

    assert first is second
    assert exactly([texts, plains]) == exactly([second, third])


def test_sets_are_written_in_one_order() -> None:
    """The same pack gives the same bytes in every process."""
    words = [f"word {number}" for number in range(20)]

    assert encode(frozenset(words)) == encode(frozenset(reversed(words)))


def test_rules_are_made_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mapping knows its names, order and size before it makes a single rule, and makes each one once."""
    pack = pack_of("rules")
    again = decode(encode(pack))
    made: list[str] = []
    build = codec._BUILDERS["Rule"]
    monkeypatch.setitem(codec._BUILDERS, "Rule", lambda data, reader: made.append(data[1]) or build(data, reader))  # type: ignore[func-returns-value]
    name = list(pack.rules)[-1]

    assert list(pack.rules) == list(again.rules)
    assert (len(pack.rules), True, False) == (len(again.rules), name in again.rules, "other" in again.rules)
    assert again.rules.get("other") is None
    assert [] == made
    assert again.rules[name] is again.rules[name]
    assert [name] == made


def test_cases_read_like_a_tuple() -> None:
    """Places, slices and equality are those of the tuple that was encoded."""
    pack = pack_of("todo")
    again = decode(encode(pack)).cases

    assert (pack.cases[0], pack.cases[-1], pack.cases[1:3]) == (again[0], again[-1], again[1:3])
    assert pack.cases == again
    assert again == pack.cases
    assert again != pack.cases[1:]
    assert again != list(pack.cases)
    with pytest.raises(IndexError):
        again[len(pack.cases)]


def test_threads_get_the_same_rules() -> None:
    """Whoever comes first makes a rule, and all others get that one."""
    pack = decode(encode(pack_of("rules")))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: [id(rule) for rule in pack.rules.values()], range(8)))

    assert len(set(map(tuple, found))) == 1


@dataclass(frozen=True, slots=True)
class Masked:
    """What a caller of the codec may register."""

    masks: Mapping[Any, int]
    deep: Mapping[str, Mapping[str, Rule]]
    rows: tuple[int, ...] = ()


register(Masked, later={"deep": 2, "rows": 1})


def test_other_classes_may_be_registered() -> None:
    """Bit masks of any length, mappings by any key, and two levels of entries for later."""
    rules = dict(list(pack_of("rules").rules.items())[:3])
    program = Masked({"a": 1 << 3000, Decimal("1.5"): ~(1 << 200), None: 0}, {"x": rules, "y": {}}, (1, -(1 << 99)))
    again = decode(encode(program))

    assert program == again
    assert exactly(program) == exactly(again)
    with pytest.raises(ValueError, match="registered already"):
        register(Masked)


class Unknown:
    pass


@dataclass(frozen=True)
class Unregistered:
    a: int = 1


class Text(str):
    __slots__ = ()


def deep(levels: int) -> Any:
    value: Any = ()
    for _ in range(levels):
        value = (value,)
    return value


@pytest.mark.parametrize(
    "value",
    [Unknown(), Unregistered(), Unregistered, Text("a"), 1j, {1}, b"a", datetime.datetime(2026, 1, 1), (len,), {"a": {1: object()}}, deep(100_000)],  # noqa: DTZ001
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_nothing_else_is_encoded(value: Any) -> None:
    """A class that nobody registered is refused, not guessed at."""
    with pytest.raises(NotEncodable):
        encode(value)


def document(root: str, shared: str = "[]", later: str = "[]") -> bytes:
    return f"[{shared}, {later}, {root}]".encode()


MALFORMED = {
    "no JSON": b"{", "nothing": b"", "no document": b"{}", "too short": b"[[], []]", "too long": b"[[], [], 1, 1]", "not UTF-8": b'[[], [], "\xff"]',
    "a float": document("1.5"), "nan": document("NaN"), "a list of nothing": document("[]"),
    "an unknown class": document('["Path", "a"]'), "a module": document('["os.system", "true"]'), "an attribute": document('["__class__"]'),
    "no name": document("[[1], 2]"), "a name that is a number": document("[1]"), "an object as a name": document("[{}]"),
    "too few fields": document('["Fact"]'), "too many fields": document('["Fact", "a", "b"]'), "half a mapping": document('["d", 1]'),
    "a key that cannot be one": document('["d", ["l"], 1]'), "a member that cannot be one": document('["s", ["l"]]'),
    "no date": document('["y", "2026-02-30"]'), "a date that is a number": document('["y", 5]'), "no decimal": document('["n", "1,5"]'),
    "no float": document('["f", "1,5"]'), "a float that is one": document('["f", 1.5]'), "a decimal that is a number": document('["n", 5]'), "no integer": document('["i", "zz"]'), "no hexadecimal": document('["u", "zz"]'),
    "plain without text": document('["p"]'), "plain with a number": document('["p", 5]'), "plain with two": document('["p", "a", "b"]'),
    "an unknown reference": document('["=", 0]'), "a reference to what comes later": document("1", '[["Type", "list", ["t"], false, null, ["=", 1]]]'),
    "an odd reference": document('["=", "0"]'), "an unknown entry": document('["~", 0]'), "true for a place": document('["~", true]', later="[[null, []]]"),
    "more keys than entries": document('["~", 0]', later='[[["a", "b"], [1]]]'), "more entries than keys": document('["~", 0]', later='[[["a"], [1, 2]]]'),
    "a key for later that cannot be one": document('["~", 0]', later='[[[["l"]], [1]]]'), "deep": document("[" * 2000 + "]" * 2000),
    "deep lists": document('["l", ' * 900 + "1" + "]" * 900), "after the end": document("1") + b"1",
}  # fmt: skip


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_was_never_written_is_refused(data: bytes) -> None:
    """There is one exception for it, and no way from data to code."""
    with pytest.raises(NotDecodable):
        decode(data)


@pytest.mark.parametrize("entry", ["1.5", '["Path", "a"]', '["Fact"]', '["=", 5]', '["y", "x"]'])
def test_an_entry_that_was_never_written_is_refused_when_it_is_read(entry: str) -> None:
    """What is left for later is as strict as the rest."""
    mapping = decode(document('["~", 0]', later=f'[[["a", "b"], [{entry}, 5]]]'))

    assert mapping["b"] == 5
    with pytest.raises(NotDecodable):
        mapping["a"]


def everything(value: Any) -> Iterator[Any]:
    """Reads all there is, what was left for later too."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from everything(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from everything(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from everything(getattr(value, field.name))
    yield value


@given(st.data())
def test_damaged_data_gives_a_value_or_the_one_exception(data: st.DataObject) -> None:
    """No byte changed, lost or added makes anything else happen."""
    pack = pack_of("todo")
    good = encode(replace(pack, rules=dict(list(pack.rules.items())[:2]), cases=pack.cases[:2]))
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 3)))
    bad = (
        good[:start]
        + data.draw(st.sampled_from([b"", b"\x00", b"[", b"]", b",", b'"', b"1", b"null", b"0.5", b"{}", b"Z"]))
        + good[end:]
    )
    with suppress(NotDecodable):
        list(everything(decode(bad)))


def test_what_is_encoded_is_json() -> None:
    """Other tools may look into it."""
    shared, later, root = json.loads(encode(pack_of("todo")))

    assert "Pack" == root[0]
    assert {"Type"} == {record[0] for record in shared}
    assert all(len(keys or entries) == len(entries) for keys, entries in later)


def test_ten_thousand_rules_are_many_entries_and_one_type() -> None:
    """The parts that many rules share are said once."""
    pack = pack_of("rules")
    some = [rule for rule in pack.rules.values() if any(isinstance(leaf, Compare) for leaf in leaves(rule.condition))]
    rules = {f"r{number}": replace(some[number % len(some)], id=f"r{number}") for number in range(10_000)}
    again = decode(encode(replace(pack, rules=rules)))
    types = [
        leaf.type
        for rule in list(again.rules.values())[:1000]
        for leaf in leaves(rule.condition)
        if isinstance(leaf, Compare)
    ]

    assert 10_000 == len(again.rules)
    assert len({id(each) for each in types}) == len(set(types))
