"""Prose: every condition in words, in five languages, so that no two conditions give the same words."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any as Anything

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prose_reader import Reader
from strategies import STACKS, draw_pack, randoms

from engine.author import read_packs
from engine.cases import readings_of, request_of
from engine.condition import READING, SEVERAL, All, Any, Compare, Condition, Fact, Not, Presence, operators_for
from engine.explain import AS_WRITTEN, Saying, Step, explain
from engine.gate import Gate
from engine.kleene import Known, NotAsked, Unknown, truth
from engine.model import Arithmetic, Choice, FactDeclaration, Lookup, Pack, Reading, Span, Table
from engine.prose import Block, Prose, Sentence, plain
from engine.prose_spoken import Spoken
from engine.prose_words import catalog
from engine.request import InvalidRequest, read_request
from engine.situation import Situation
from engine.values import BOOLEAN, DATE, INTEGER, MONEY, NUMBER, STRING, Money, Type

LANGUAGES = ("en", "el", "pl", "sv", "lv")


@cache
def gate_of(stack: str) -> Gate:
    return Gate(read_packs(STACKS[stack]).pack, datetime.date(2026, 11, 22))


def conditions_of(pack: Pack) -> Iterator[Condition]:
    """Every condition that stands in the pack."""
    for rule in pack.rules.values():
        yield rule.condition
    for fact in pack.facts.values():
        for choice in (*fact.default, *(fact.derived if isinstance(fact.derived, tuple) else ())):
            yield choice.condition
        if fact.derived is not None and not isinstance(fact.derived, tuple | Arithmetic):
            yield fact.derived


def reads_back(reader: Reader, condition: Condition) -> bool:
    return reader.read(plain(reader.prose.say(condition))) == condition


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stack", STACKS)
def test_every_shipped_condition_reads_back(stack: str, language: str) -> None:
    """What is said of a condition is said of no other."""
    pack = gate_of(stack).pack
    reader = Reader(pack, language)

    assert [condition for condition in conditions_of(pack) if not reads_back(reader, condition)] == []


@settings(max_examples=40, deadline=None)
@given(randoms, st.sampled_from(LANGUAGES))
def test_conditions_of_random_packs_read_back(random: Random, language: str) -> None:
    """Also where nobody wrote them with prose in mind."""
    pack = draw_pack(random).gate.pack
    reader = Reader(pack, language)

    assert [condition for condition in conditions_of(pack) if not reads_back(reader, condition)] == []


# Words that templates are made of, in each language, and what else could lead a reader astray.
TEMPLATES = {
    language: sorted({word for tests in words["tests"].values() for text in tests.values() for word in text.split()})
    for language, words in catalog().items()
}
TRICKY = (
    "the", "not", "and", "oraz", "yes", "ja", "5", "25", "x", "y", "z", "date", "it", "det", "requested", "reading", "interpretācija",
    "“x”", "`x`", "a; b", "a, b", "a\nb", "\u202e", "\\", "”", "of", "known", "(JP)", "a.", "b-c",
)  # fmt: skip


CONSTANTS: Mapping[str, tuple[Anything, ...]] = {
    "boolean": (True, False),
    "integer": (0, 5, -3, 1234567, 999999999999999),
    "number": (Decimal(0), Decimal("0.5"), Decimal("-1234.5"), Decimal("99999999999.9999")),
    "money": (0, Money(Decimal(0), "EUR"), Money(Decimal("1234.5"), "USD"), Money(Decimal("-0.0001"), "XQZ"), Money(Decimal(5), "JPY")),
    "date": (datetime.date(2026, 5, 5), datetime.date(1, 1, 2), datetime.date(9999, 12, 31)),
    "string": ("", "a", "a, b", "“a”", "a\nb", "\\u0041", "\\", "and the x is “y”", "«»", "„", "`"),
}  # fmt: skip


class Tricky:
    """Draws packs and conditions whose names, values and descriptions are made to be misread."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.language = random.choice(LANGUAGES)
        self.pool = [*random.choices(TRICKY, k=5), *random.choices(TEMPLATES[self.language], k=3), "x", "y"]
        self.said = [" ".join(self.words(5)) for _ in range(2)]
        self.pack = self.draw()
        # Now with names and descriptions that are what is said of other facts, or parts of it.
        prose = Prose(self.pack, self.language)
        self.said = [plain(prose.say(self.condition(1))).partition("\n")[0] for _ in range(12)]
        self.pack = self.draw(self.pack)

    def draw(self, before: Pack | None = None) -> Pack:
        """A pack; its facts are mostly those of the pack before."""
        paths = [
            f"{self.random.choice(('context', 'context', 'action', 'subject', 'the'))}.{self.name()}" for _ in range(8)
        ]
        paths = [*paths, *(self.name() for _ in range(5))]
        old = [path for path in before.facts if self.random.random() < 0.8] if before else []
        rows = {self.name(): {"name": (Span(self.part()),)} for _ in range(6)}
        self.keys = tuple(rows)
        facts = {path: FactDeclaration(path, kind := self.type(), self.description(kind)) for path in (*old, *paths)}
        readings = {self.name(): Reading("", "", {self.name(): "" for _ in range(3)}, "") for _ in range(2)}
        return Pack("tricky", facts=facts, tables={"rows": Table("rows", {"name": STRING}, rows)}, readings=readings)

    def name(self) -> str:
        return self.random.choice("___- ").join(self.words(3) if self.random.random() < 0.7 else self.part().split(" "))

    def words(self, most: int) -> list[str]:
        return self.random.choices(self.pool, k=self.random.randint(1, most))

    def part(self) -> str:
        """What is said of something, or a few words of it."""
        said = self.random.choice(self.said)
        words = said.split(" ")
        start = self.random.randrange(len(words))
        return (
            " ".join(words[start : self.random.randint(start + 1, len(words))]) if self.random.random() < 0.5 else said
        )

    def description(self, kind: Type) -> str:
        return f"Whether {self.random.choice((self.part(), ' '.join(self.words(4))))}." if kind == BOOLEAN else ""

    def type(self) -> Type:
        kinds = (BOOLEAN, BOOLEAN, INTEGER, NUMBER, MONEY, DATE, STRING)
        match self.random.randrange(4):
            case 0:
                return Type(
                    "list", item=self.random.choice((*kinds, self.enum(), Type("key", self.keys, table="rows")))
                )
            case 1:
                return self.random.choice((self.enum(), Type("key", self.keys, table="rows")))
            case _:
                return self.random.choice(kinds)

    def enum(self) -> Type:
        values = tuple(dict.fromkeys(self.name() for _ in range(4)))
        return Type("enum", values, ordered=self.random.random() < 0.5)

    def constant(self, kind: Type) -> Anything:
        return self.random.choice(kind.values or CONSTANTS[kind.kind])

    def operand(self, kind: Type) -> Anything:
        return Fact(self.random.choice(list(self.pack.facts))) if self.random.random() < 0.2 else self.constant(kind)

    def test(self) -> Compare | Presence:
        if self.random.random() < 0.1:
            reading = self.random.choice(list(self.pack.readings))
            kind = Type("enum", tuple(self.pack.readings[reading].options))
            return Compare(READING + reading, self.random.choice(("is", "is_not")), (self.constant(kind),), kind)
        path = self.random.choice(list(self.pack.facts))
        if self.random.random() < 0.15:
            return Presence(path, self.random.random() < 0.5)
        kind = self.pack.facts[path].type
        operator = self.random.choice(operators_for(kind))
        count = 2 if operator == "between" else self.random.randint(0, 3) if operator in SEVERAL else 1
        return Compare(path, operator, tuple(self.operand(kind.item or kind) for _ in range(count)), kind)

    def condition(self, depth: int = 3) -> Condition:
        choice = self.random.randrange(7) if depth else 0
        terms = tuple(self.condition(depth - 1) for _ in range(self.random.randint(0, 3))) if choice > 2 else ()
        match choice:
            case 0 | 1 | 2:
                return self.test()
            case 3 | 4:
                return All(terms)
            case 5:
                return Any(terms)
            case _:
                return Not(Any(terms) if self.random.random() < 0.5 else self.condition(depth - 1))


@settings(max_examples=150, deadline=None)
@given(randoms)
def test_what_is_made_to_be_misread_is_not(random: Random) -> None:
    """Names, values and descriptions may be anything: each condition still has words of its own."""
    tricky = Tricky(random)
    conditions = [tricky.condition() for _ in range(4)]

    for language in LANGUAGES:
        reader = Reader(tricky.pack, language)
        assert [each for each in conditions if not reads_back(reader, each)] == []


def pack_of(*facts: FactDeclaration, **parts: Anything) -> Pack:
    return Pack("small", facts={fact.path: fact for fact in facts}, **parts)


def boolean(path: str, description: str = "") -> FactDeclaration:
    return FactDeclaration(path, BOOLEAN, description)


LEVELS = Type(
    "enum", ("a", "b_through_c", "a_through_b", "c", "x", "known", "not_a", "one_of_a", "the_x", "b"), ordered=True
)
KEYS = Type("key", ("JP", "AB", "KR", "no_name", "B", "C"), table="rows")
NAMES = {"JP": "Japan", "AB": "the x (JP)", "KR": "Korea, South", "B": "not A", "C": "known, and the x is a"}
ROWS = Table("rows", {"name": STRING}, {key: {"name": (Span(name),)} for key, name in NAMES.items()} | {"no_name": {}})
ALIKE = pack_of(
    FactDeclaration("context.x", LEVELS),
    FactDeclaration("context.a", LEVELS),
    FactDeclaration("context.c", LEVELS),
    FactDeclaration("context.b_through_the_c", LEVELS),
    FactDeclaration("context.a_through_the_b", LEVELS),
    FactDeclaration("context.place", KEYS),
    FactDeclaration("context.places", Type("list", item=KEYS)),
    boolean("context.d1", "Whether the x is known."),
    boolean("context.d2", "Whether the x is known, and the a is known."),
    boolean("context.d3", "Whether it is true that so."),
    boolean("context.d4", "Whether so."),
    boolean("context.d5", "Whether never."),
    boolean("context.d6", "Whether one\nthing."),
    boolean("context.d7", "Whether “so”."),
    boolean("context.d8", "Whether `so`:"),
    tables={"rows": ROWS},
)


def level(path: str, operator: str, *right: Anything) -> Compare:
    return Compare(path, operator, tuple(Fact(each[1:]) if each.startswith("$") else each for each in right), LEVELS)


def so(path: str) -> Compare:
    return Compare(path, "is", (True,), BOOLEAN)


NEAR = [
    [Presence("context.x", True), so("context.d1"), level("context.x", "is", "known"), Compare("context.place", "is", ("C",), KEYS)],
    [All((Presence("context.x", True), Presence("context.a", True))), so("context.d2"), All((so("context.d1"), Presence("context.a", True)))],
    [level("context.x", "is_not", "a"), level("context.x", "is", "not_a"), Not(level("context.x", "is", "a"))],
    [level("context.x", "in", "a"), level("context.x", "is", "one_of_a"), level("context.x", "is", "a")],
    [level("context.a", "in", "the_x"), level("context.a", "in", "$context.x"), level("context.a", "in", "x")],
    [level("context.x", "between", "a", "b_through_c"), level("context.x", "between", "a_through_b", "c")],
    [
        level("context.x", "between", "$context.a", "$context.b_through_the_c"),
        level("context.x", "between", "$context.a_through_the_b", "$context.c"),
    ],
    [so("context.d3"), so("context.d4"), Not(Compare("context.d4", "is", (False,), BOOLEAN))],
    [so("context.d5"), Any(()), Not(All(())), Not(Any(()))],
    [so("context.d6"), so("context.d7"), so("context.d4"), so("context.d8")],
    [Compare("context.places", "has_any", keys, Type("list", item=KEYS)) for keys in (("KR",), ("KR", "JP"), ("AB", "JP"), ("AB",), ("no_name", "B"))],
    [All((so("context.d4"),)), Any((so("context.d4"),)), Not(Any((so("context.d4"),))), Not(so("context.d4")), so("context.d4")],
    [All((Any((so("context.d4"),)),)), Any((All((so("context.d4"),)),)), Not(Any((All(()),))), Not(Any((Any(()),)))],
]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("conditions", NEAR)
def test_what_is_nearly_alike_is_told_apart(conditions: list[Condition], language: str) -> None:
    """No text of one is a text of another."""
    reader = Reader(ALIKE, language)

    assert [each for each in conditions if not reads_back(reader, each)] == []
    assert len({plain(reader.prose.say(each)) for each in conditions}) == len(conditions)


def test_the_name_of_a_row_is_no_sentence() -> None:
    """A name that would read like the end of another sentence is left out."""
    tables = {
        name: Table(name, {"name": STRING}, {"K": {"name": (Span(text),)}})
        for name, text in (("places", "fallet: x är Y"), ("others", "Y"))
    }
    place, other = Type("key", ("K",), table="places"), Type("key", ("K",), table="others")
    pack = pack_of(FactDeclaration("context.detta", place), FactDeclaration("context.x", other), tables=tables)
    prose = Prose(pack, "sv")

    assert plain(prose.say(Compare("context.detta", "is_not", ("K",), place))) == "detta är inte K"
    assert plain(prose.say(Not(Compare("context.x", "is", ("K",), other)))) == "detta är inte fallet: x är Y (K)"


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_read_back_decides_like_the_rule(stack: str) -> None:
    """On every case of the pack, the words of each rule are as true as its condition."""
    gate = gate_of(stack)
    readers = [Reader(gate.pack, language) for language in LANGUAGES]
    read = {
        rule.id: [reader.read(plain(reader.prose.say(rule.condition))) for reader in readers]
        for rule in gate.pack.rules.values()
    }
    compared = 0
    for situation in situations(gate):
        for rule in gate.pack.rules.values():
            compared += 1
            truths = {truth(condition, situation.state) for condition in (rule.condition, *read[rule.id])}
            assert len(truths) == 1, rule.id
    assert compared >= len(gate.pack.cases)


def situations(gate: Gate) -> Iterator[Situation]:
    """The situation of every case that asks for an action of the policy."""
    for case in gate.pack.cases:
        try:
            asked = read_request(request_of(case), gate.pack)
        except InvalidRequest:
            continue
        if asked.action is not None:
            policy = gate.choosing(readings_of(case)).policy_for(asked)
            yield Situation(policy.pack, asked.action, asked.given, policy.as_of)


# What a reviewer reads.


SENTENCES = {
    "no-bank-account-in-japan": {
        "en": "the requested payment method is bank account, and the subscription service location is Japan (JP)",
        "el": "το requested payment method είναι bank account, και το subscription service location είναι Japan (JP)",
        "pl": "requested payment method to bank account oraz subscription service location to Japan (JP)",
        "sv": "requested payment method är bank account, och subscription service location är Japan (JP)",
        "lv": "requested payment method ir bank account, un subscription service location ir Japan (JP)",
    },
    "same-frequency": {
        "en": "the requested frequency is the same as the subscription payment frequency",
        "el": "το requested frequency είναι ίδιο με το subscription payment frequency",
        "pl": "requested frequency to to samo co subscription payment frequency",
        "sv": "requested frequency är samma som subscription payment frequency",
        "lv": "requested frequency ir tas pats, kas subscription payment frequency",
    },
    "no-cards-at-21vianet": {
        "en": "21Vianet operates the service",
        "el": "αληθεύει ότι «21Vianet operates the service»",
        "pl": "prawdą jest, że „21Vianet operates the service”",
        "sv": "det är sant att ”21Vianet operates the service”",
        "lv": "tiesa, ka „21Vianet operates the service”",
    },
    "large-purchases-by-invoice": {
        "en": "all of these hold:\n"
        "- the subscription service location is one of Germany (DE), France (FR), Greece (GR)\n"
        "- the requested payment method is credit card\n"
        "- the subscription cost is at least €10,000.00",
        "pl": "wszystkie poniższe warunki są spełnione:\n"
        "- subscription service location jest jedną z wartości: Germany (DE), France (FR), Greece (GR)\n"
        "- requested payment method to credit card\n"
        "- subscription cost wynosi co najmniej 10\xa0000,00\xa0€",
    },
    "keep-the-card-current": {"en": "always", "el": "πάντα", "pl": "zawsze", "sv": "alltid", "lv": "vienmēr"},
    "pay-now": {
        "en": "all of these hold:\n"
        "- the subscription payment method is credit card\n"
        "- a payment by card was declined\n"
        "- none of these holds:\n"
        "  - the requested means is one of wire, cheque\n"
        "  - the requested instrument is one of new credit card, new bank account",
    },
}


@pytest.mark.parametrize(
    ("rule", "language"), [(rule, language) for rule, texts in SENTENCES.items() for language in texts]
)
def test_a_shipped_rule_says(rule: str, language: str) -> None:
    """Sentences as a person reads them."""
    pack = gate_of("operator").pack

    assert plain(Prose(pack, language).say(pack.rules[rule].condition)) == SENTENCES[rule][language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str) -> None:
    """Nothing is said in half a language."""
    words = catalog()
    for section in ("sentences", "heads", "states", "define", "whether"):
        assert set(words["en"][section]) - {"bare"} <= set(words[language][section])
    for group, tests in words["en"]["tests"].items():
        assert set(tests) <= set(words[language]["tests"][group]) | set(words[language]["tests"]["text"])


LABELS = {
    "action.payment_method": "requested payment method",
    "context.date": "date",
    "subject.id": "subject id",
    "thing.ownerID": "thing ownerID",
    "thing.work-mail": "thing work-mail",
    "thing.größe": "thing größe",
    "operated_by_us": "operated by us",
    "context.cost": "context.cost",  # there is another cost
    "cost": "cost",
    "is": "`is`",
    "context.sent_through_us": "context.sent_through_us",
    "context.cost_is": "context.cost_is",
    "thing._x": "thing._x",
    "thing.a b": "`thing.a b`",
    "thing.a\nb": "`thing.a\\u000ab`",
    "requested_date": "requested date",
    "action.day": "action.day",  # so is the fact below called
    "requested_day": "requested_day",
    "reading.exactly-25": "reading exactly-25",
}


def test_labels_are_the_words_of_a_path_where_these_are_clear() -> None:
    """What could be taken for another name, or for its end, is told by its path."""
    facts = [boolean(path) for path in LABELS if not path.startswith(READING)]
    pack = pack_of(*facts, readings={"exactly-25": Reading("exactly-25", "", {"yes": ""}, "yes")})
    prose = Prose(pack, "en")

    assert {path: prose.fact(path) for path in LABELS} == LABELS
    assert Prose(pack, "sv").fact("reading.exactly-25") == "tolkningen exactly-25"
    assert prose.fact("not.declared") == "not.declared"


def test_fact_names_are_in_the_language_of_the_pack() -> None:
    """`requested`, too; what is said of them is in the reader's language."""
    pack = pack_of(FactDeclaration("action.belopp", INTEGER), languages=("sv",))

    assert plain(Prose(pack, "pl").say(Compare("action.belopp", "is", (5,), INTEGER))) == "begärd belopp wynosi 5"


def test_a_language_without_words_is_said_in_english() -> None:
    """A pack may have languages that the engine has no words for."""
    assert plain(Prose(ALIKE, "fi").say(so("context.d4"))) == "so"
    assert plain(Prose(ALIKE, "sv-FI").say(All(()))) == "alltid"


DESCRIPTIONS = {
    "Whether it rains.": "it rains",
    "Whether it rains; snow is rain, too.": "it rains",
    "Whether it rains. Snow is rain.": "it rains",
    "Whether or not it rains.": "it rains",
    "Whether that it rains is known.": "it is true that “that it rains is known”",
    "Whether it rains, and where.": "it is true that “it rains, and where”",
    "Whether “it” rains.": "it is true that “\\“it\\” rains”",
    "Whether it\nrains.": "it is true that “it\\u000arains”",
    "If it rains.": "the f is yes",
    "Whether ": "the f is yes",
}


@pytest.mark.parametrize("description", DESCRIPTIONS)
def test_a_boolean_says_what_its_description_says(description: str) -> None:
    """`Whether …` tells what is so; what could be misread stands in quotes."""
    prose = Prose(pack_of(boolean("context.f", description)), "en")

    assert plain(prose.say(so("context.f"))) == DESCRIPTIONS[description]


DENIALS: tuple[tuple[str, tuple[bool, ...]], ...] = (("is_not", (True,)), ("is", (False,)))
NEGATIONS = {
    "en": ["it is not so that so", "this does not hold: so", "it is not true that so", "it is false that so"],
    "el": ["δεν ισχύει ότι «so»", "δεν ισχύει το εξής: «so»", "δεν αληθεύει ότι «so»", "είναι ψευδές ότι «so»"],
    "pl": [
        "nie jest tak, że „so”",
        "nie jest spełniony następujący warunek: „so”",
        "nie jest prawdą, że „so”",
        "fałszem jest, że „so”",
    ],
    "sv": [
        "detta är inte fallet: ”so”",
        "detta gäller inte: ”so”",
        "det är inte sant att ”so”",
        "det är falskt att ”so”",
    ],
    "lv": ["nav tā, ka „so”", "šis nosacījums neizpildās: „so”", "nav tiesa, ka „so”", "aplami, ka „so”"],
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_negated_description_is_said_without_more_words(language: str) -> None:
    """It is not called true before it is denied; the four ways to deny it have different words, for they differ."""
    is_so = so("context.d4")
    denied: list[Condition] = [
        Not(is_so),
        Not(Any((is_so,))),
        *(Compare("context.d4", *test, BOOLEAN) for test in DENIALS),
    ]
    prose = Prose(ALIKE, language)

    assert [plain(prose.say(each)) for each in denied] == NEGATIONS[language]


RANGES = {
    ("sv", True): "due infaller från och med begun till och med date",
    ("sv", False): "due infaller från och med den 5 maj 2026 till och med den 6 maj 2026",
    ("el", True): "το due είναι από το begun έως και το date",
    ("el", False): "το due είναι από τις 5 Μαΐου 2026 έως και τις 6 Μαΐου 2026",
}


@pytest.mark.parametrize(("language", "facts"), RANGES)
def test_the_ends_of_a_range_have_articles_unless_they_are_facts(language: str, facts: bool) -> None:
    """Only a day has the article of a day."""
    days = (Fact("context.begun"), Fact("context.date")), (datetime.date(2026, 5, 5), datetime.date(2026, 5, 6))
    pack = pack_of(*(FactDeclaration(f"context.{name}", DATE) for name in ("due", "begun", "date")))
    said = Prose(pack, language).say(Compare("context.due", "between", days[not facts], DATE))

    assert plain(said) == RANGES[language, facts]


ORDERED: list[tuple[Condition, str]] = [
    (Not(so("context.d4")), "f har värdet ja precis när detta inte är fallet: ”so”"),
    (Not(Any((so("context.d4"),))), "f har värdet ja precis när detta inte gäller: ”so”"),
    (Not(All(())), "f har värdet ja precis när detta inte är fallet:\n- alltid"),
    (Not(Any((All(()),))), "f har värdet ja precis när detta inte gäller:\n- alltid"),
    (Not(Any((All(()), All(())))), "f har värdet ja precis när inget av detta gäller:\n- alltid\n- alltid"),
    (so("context.d4"), "f har värdet ja precis när detta gäller: det är sant att ”so”"),
]


@pytest.mark.parametrize(("condition", "text"), ORDERED)
def test_swedish_words_come_in_the_order_of_a_subordinate_clause_after_when(condition: Condition, text: str) -> None:
    """What is denied is denied before the verb there."""
    fact = FactDeclaration("context.f", BOOLEAN, derived=condition)
    said = Prose(pack_of(fact, boolean("context.d4", "Whether so.")), "sv").define(fact)

    assert said is not None
    assert plain(said) == text


def test_two_facts_with_one_description_go_by_their_names() -> None:
    """A sentence that says two things says neither."""
    prose = Prose(pack_of(boolean("context.f", "Whether so."), boolean("context.g", "Whether so.")), "en")

    assert plain(prose.say(so("context.f"))) == "the f is yes"


def test_the_pieces_of_a_sentence_name_what_they_are_of() -> None:
    """A page can link facts, readings and values."""
    pack = gate_of("rules").pack
    said = Prose(pack, "en").say(pack.rules["security-code-is-not-needed"].condition)

    assert isinstance(said, Sentence)
    assert [(piece.kind, piece.text, piece.ref) for piece in said.pieces if piece.kind != "text"] == [
        ("fact", "requested field", "action.field"),
        ("value", "cvv", "action.field"),
        ("reading", "reading security-code", "security-code"),
        ("value", "not needed", "reading.security-code"),
    ]


VALUES: list[tuple[FactDeclaration, Anything, str, str]] = [
    (FactDeclaration("a.n", INTEGER), 12345, "12,345", "12\xa0345"),
    (FactDeclaration("a.n", NUMBER), 0.5, "0.5", "0,5"),
    (FactDeclaration("a.m", MONEY), "1234.5 EUR", "€1,234.50", "1\xa0234,50\xa0€"),
    (FactDeclaration("a.m", MONEY, currency="EUR"), 5, "€5.00", "5,00\xa0€"),
    (FactDeclaration("a.m", MONEY), 0, "0", "0"),
    (FactDeclaration("a.d", DATE), "2026-05-05", "May 5, 2026", "5 maja 2026"),
    (FactDeclaration("a.s", STRING), "a\t“b”", "“a\\u0009\\“b\\””", "„a\\u0009“b\\””"),
    (boolean("a.b"), True, "yes", "tak"),
    (FactDeclaration("a.e", LEVELS), "the_x", "the x", "the x"),
    (FactDeclaration("a.l", Type("list", item=STRING)), ["b", "a"], "“a”, “b”", "„a”, „b”"),
    (FactDeclaration("a.l", Type("list", item=STRING)), [], "an empty list", "pusta lista"),
    (FactDeclaration("a.k", KEYS), "JP", "Japan (JP)", "Japan (JP)"),
    (FactDeclaration("a.k", KEYS), "no_name", "no name", "no name"),
    (FactDeclaration("a.n", INTEGER), "nonsense", "“nonsense”", "„nonsense”"),
    (FactDeclaration("a.n", INTEGER), None, "“None”", "„None”"),
]


@pytest.mark.parametrize(("fact", "value", "english", "polish"), VALUES)
def test_values_take_the_form_of_the_language(
    fact: FactDeclaration, value: Anything, english: str, polish: str
) -> None:
    """In full; what is no value of the fact stands in quotes."""
    pack = pack_of(fact, tables={"rows": ROWS})

    assert (Prose(pack, "en").value(fact.path, value), Prose(pack, "pl").value(fact.path, value)) == (english, polish)


DEFINITIONS = {
    "operated_by_21vianet": "21Vianet operates the service exactly when the subscription cloud is 21vianet",
    "subscription.cloud": (
        "by default: the subscription cloud is worldwide when the subscription service location is not China (CN)"
    ),
    "subscription.state": "by default: the subscription state is active",
    "context.currency": (
        "the currency is looked up in the table regions: the column currency, in the row for the subscription service location"
    ),
    "subscription.days_since_cancellation": (
        "the subscription days since cancellation are worked out as the number of days"
        " from the subscription cancelled on to the date"
    ),
    "leaves_prepaid_time": (
        "a prepaid subscription is left before its time is over exactly when"
        " the subscription is prepaid, and it is false that the prepaid time is over"
    ),
    "subscription.cost": None,
}


@pytest.mark.parametrize("path", DEFINITIONS)
def test_how_a_fact_comes_about(path: str) -> None:
    """By its condition, a default, a table or a calculation; what only requests tell has no definition."""
    pack = gate_of("rules").pack
    said = Prose(pack, "en").define(pack.facts[path])

    assert (said and plain(said)) == DEFINITIONS[path]


def test_several_values_are_told_in_order() -> None:
    """The first that applies counts, and what else there is comes last."""
    choices = (
        Choice(Presence("context.f", True), 5),
        Choice(All((so("context.f"), so("context.f"), so("context.f"))), Fact("context.n")),
        Choice(All(()), 7),
    )
    fact = FactDeclaration("context.n", INTEGER, default=choices, lookup=Lookup("rows", "name", "context.k"))
    said = Prose(pack_of(fact, boolean("context.f"), FactDeclaration("context.k", KEYS)), "en").define(fact)

    assert isinstance(said, Block)
    assert plain(said) == (
        "the first of these that applies:\n"
        "- the n is looked up in the table rows: the column name, in the row for the k\n"
        "- by default: the first of these that applies:\n"
        "  - the n is 5 when the f is known\n"
        "  - the n is the same as the n when all of these hold:\n"
        "    - the f is yes\n    - the f is yes\n    - the f is yes\n"
        "  - otherwise: the n is 7"
    )


# Explanations.


RECORD: dict[str, Anything] = {
    "action": {"name": "destroy_record"},
    "subject": {"type": "user", "id": "frida"},
    "resource": {"type": "record", "id": "1", "properties": {"department": "finance", "closed_on": "2020-01-31"}},
    "context": {"date": "2026-11-22"},
}


def explained(rule: str, saying: Saying, request: Mapping[str, Anything] = RECORD, stack: str = "records") -> list[str]:
    judged = gate_of(stack).judged(request)
    assert judged is not None
    (found,) = (each for each in explain(*judged, saying) if each.rule.id == rule)
    return [line for step in found.steps for line in lines(step)]


def lines(step: Step) -> Iterator[str]:
    yield f"{step.says} | {', '.join(f'{path}: {value}' for path, value in step.values.items())}"
    for below in step.below:
        yield from lines(below)


EXPLANATIONS = {
    "en": [
        "all of these hold: | ",
        "the record officer is the same as the subject id | record.officer: “frida” (looked up), subject.id: “frida”",
        (
            "the record days since closing are more than the record days to keep"
            " | record.days_since_closing: 2,487 (worked out), record.days_to_keep: 3,650 (looked up)"
        ),
        (
            "the record days since closing are worked out as the number of days from the record closed on to the date"
            " | record.closed_on: January 31, 2020, context.date: November 22, 2026"
        ),
    ],
    "sv": [
        "allt detta gäller: | ",
        "record officer är samma som subject id | record.officer: ”frida” (ur tabellen), subject.id: ”frida”",
        (
            "record days since closing är mer än record days to keep"
            " | record.days_since_closing: 2\xa0487 (uträknat), record.days_to_keep: 3\xa0650 (ur tabellen)"
        ),
        (
            "record days since closing räknas ut som antalet dagar från record closed on till date"
            " | record.closed_on: 31 januari 2020, context.date: 22 november 2026"
        ),
    ],
}


@pytest.mark.parametrize("language", EXPLANATIONS)
def test_an_explanation_is_told_in_prose(language: str) -> None:
    """The same tree, with its values, in a person's words."""
    saying = Spoken(Prose(gate_of("records").pack, language))

    assert explained("the-officer-destroys", saying) == EXPLANATIONS[language]


def test_explanations_are_told_as_written_unless_asked_otherwise() -> None:
    """Paths, operators and right-hand sides."""
    assert explained("the-officer-destroys", AS_WRITTEN)[1] == (
        "record.officer is $subject.id | record.officer: frida (lookup), subject.id: frida"
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stack", STACKS)
def test_the_heads_of_explanations_are_those_of_prose(stack: str, language: str) -> None:
    """Where a condition is a block, its explanation begins with the same words."""
    prose = Prose(gate_of(stack).pack, language)
    spoken = Spoken(prose)
    for condition in conditions_of(gate_of(stack).pack):
        said = prose.say(condition)
        if isinstance(said, Block):
            assert not isinstance(condition, Compare | Presence)
            assert spoken.head(condition) == "".join(piece.text for piece in said.head)


TREE: list[tuple[All | Any | Not, str]] = [
    (All(()), "always"),
    (Any(()), "never"),
    (Not(so("context.d4")), "it is not so that:"),
    (Not(Any((so("context.d4"),))), "this does not hold:"),
    (Not(Any(())), "it is not so that:"),
]


@pytest.mark.parametrize(("condition", "head"), TREE)
def test_a_combinator_is_told_by_its_head(condition: All | Any | Not, head: str) -> None:
    """Also where it has no terms, or one."""
    assert Spoken(Prose(ALIKE, "en")).head(condition) == head


def test_states_are_told_in_words() -> None:
    """What is not known, not asked for or invalid is told as such."""
    spoken = Spoken(Prose(ALIKE, "sv"))

    assert spoken.state("context.x", Unknown(missing=frozenset({"context.x"}))) == "okänt"
    assert spoken.state("context.x", Unknown(invalid=frozenset({"context.x"}))) == "ogiltigt"
    assert spoken.state("context.x", NotAsked()) == "begärs inte"
    assert spoken.state("context.place", Known("JP", "default")) == "Japan (JP) (som standard)"


def test_what_a_derived_fact_means_is_told_before_its_condition() -> None:
    """By its description, or by its name and value."""
    pack = gate_of("rules").pack
    spoken = Spoken(Prose(pack, "pl"))

    assert spoken.means("canceled") == "prawdą jest, że „the subscription is canceled” dokładnie wtedy, gdy:"
    assert spoken.when(pack.facts["subscription.cloud"], "worldwide") == "subscription cloud to worldwide, gdy:"
