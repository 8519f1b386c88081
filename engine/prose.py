"""Conditions, and how facts come about, as prose made from themselves, in the languages of `prose.json`.

Two different conditions never give the same text: what could be misread stands in quotes, or is told by its path
(tests/prose_reader.py reads every condition back).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engine.condition import READING, All, Any, Compare, Condition, Fact, Not, Operand, Presence
from engine.model import Arithmetic, Choice, FactDeclaration, Lookup, Pack
from engine.prose_names import SEPARATORS, Names, separator
from engine.prose_pieces import Block, Piece, Pieces, Said, Sentence, fill, joined, plain, put, text_of, word
from engine.prose_words import Template, group_of, parse
from engine.values import BOOLEAN, STRING, Type

__all__ = ["Block", "Piece", "Prose", "Said", "Sentence", "plain"]
_TRUTHS = {("is", True): "true", ("is", False): "false", ("is_not", True): "not_true", ("is_not", False): "not_false"}


class Prose:
    """Says the conditions, facts and values of a pack in a language such as `sv`; in English where it has no words."""

    def __init__(self, pack: Pack, language: str) -> None:
        self.language = language
        self._names = Names(pack, language)
        self._grammar = self._names.grammar

    def fact(self, path: str) -> str:
        """What a fact or reading is called; no two of a pack alike."""
        return self._names.label(path)

    def value(self, path: str, value: object) -> str:
        """The text of a value of the fact at the path, or of raw data that stands for one."""
        kind = self._names.type_of(path) or STRING
        return self._names.value(self._names.read(path, value), kind, _group(path, kind))

    def say(self, condition: Condition) -> Said:
        """The condition as a sentence, or as a head with what is below it."""
        match condition:
            case Compare() | Presence():
                return Sentence(self._test(condition))
            case All(terms):
                return self._combined("all", terms) if terms else Sentence(self._head("always"))
            case Any(terms):
                return self._combined("any", terms) if terms else Sentence(self._head("never"))
            case Not(Any((term,))):
                return self._negated("none", "none_one", term)
            case Not(Any(terms)) if terms:
                return Block(self._head("none"), tuple(map(self.say, terms)))
            case Not(term):
                return self._negated("not", "not", term)

    def define(self, fact: FactDeclaration) -> Said | None:
        """How a fact that a request may leave out comes about; None where the pack does not say."""
        ways = [*self._derived(fact), *self._looked_up(fact), *self._default(fact)]
        if len(ways) > 1:
            return Block(word(self._grammar["define"]["first"]), tuple(ways))
        return ways[0] if ways else None

    # Conditions.

    def _combined(self, name: Literal["all", "any"], terms: tuple[Condition, ...]) -> Said:
        match terms:
            case (Compare() | Presence() as left, Compare() | Presence() as right):
                sides = (self._test(left), self._test(right))
                if self._is_joinable(*sides):
                    return Sentence(fill(self._template("sentences", name), dict(zip("01", sides, strict=True))))
        return Block(self._head(name), tuple(map(self.say, terms)))

    def _is_joinable(self, left: Pieces, right: Pieces) -> bool:
        """Whether a conjunction can join the two: nothing before it reaches beyond it, and it stands nowhere else."""
        reaches = text_of(left).startswith(self._grammar.openings) or any(map(_has_comma, left))
        return not reaches and not any(
            joiner in text_of(side) for joiner in self._grammar.joiners for side in (left, right)
        )

    def _negated(self, sentence: str, head: str, term: Condition) -> Said:
        if isinstance(term, Compare | Presence):
            return Sentence(fill(self._template("sentences", sentence), {"0": self._stated(term) or self._test(term)}))
        return Block(self._head(head), (self.say(term),))

    def _head(self, name: str) -> Pieces:
        return word(self._grammar["heads"][name])

    def _template(self, section: str, name: str) -> Template:
        return parse(self._grammar[section][name])

    def _test(self, test: Compare | Presence) -> Pieces:
        return self._described(test) or self._compared(test)

    def _described(self, test: Compare | Presence) -> Pieces:
        """The test of a boolean whose description says what it is; nothing for other tests."""
        name = _truth(test)
        description = self._names.description(test.path) if name else None
        if description is None:
            return ()
        if name == "true" and self._names.is_sentence(description):
            name = "bare"
        return fill(self._template("whether", name), {"d": (Piece("fact", description, test.path),)})

    def _stated(self, test: Compare | Presence) -> Pieces:
        """Only the description, where the test says that it is true: what is negated need not be called true first."""
        description = self._names.description(test.path) if _truth(test) == "true" else None
        return (Piece("fact", description, test.path),) if description else ()

    def _compared(self, test: Compare | Presence) -> Pieces:
        kind = test.type if isinstance(test, Compare) else self._names.type_of(test.path) or STRING
        group = _group(test.path, kind)
        plural = group in ("number", "list") and self._grammar.is_plural(self.fact(test.path))
        template = self._grammar.test(group, _name(test), plural=plural)
        right = test.right if isinstance(test, Compare) else ()
        operands = [self._operand(each, test.path, kind) for each in right]
        slots = {str(place): operand for place, operand in enumerate(operands)}
        return fill(template, {**slots, "f": self._fact(test.path), "list": self._list(operands)})

    def _fact(self, path: str) -> Pieces:
        label = self._names.label(path)
        reading = path.startswith(READING)
        named = Piece("reading", label, path.removeprefix(READING)) if reading else Piece("fact", label, path)
        return (*word(self._names.article(path)), named)

    def _operand(self, operand: Operand, path: str, kind: Type) -> Pieces:
        if isinstance(operand, Fact):
            return self._fact(operand.path)
        return (Piece("value", self._names.value(operand, kind.item or kind, _group(path, kind)), path),)

    def _list(self, operands: list[Pieces]) -> Pieces:
        return joined(operands, separator(list(map(text_of, operands)))) or word(self._grammar["empty"])

    # How facts come about.

    def _derived(self, fact: FactDeclaration) -> Iterator[Said]:
        match fact.derived:
            case None:
                return
            case Arithmetic() as arithmetic:
                yield Sentence(self.reckoned(fact.path, arithmetic))
            case tuple() as choices:
                yield self._choices(fact, choices)
            case condition:
                yield self._when("means", self.say(condition), self.state(fact.path, BOOLEAN, True))

    def _looked_up(self, fact: FactDeclaration) -> Iterator[Said]:
        match fact.lookup:
            case Lookup(table, column, key):
                names = {"table": _spelled(table), "column": _spelled(column), "key": self._fact(key)}
                yield Sentence(fill(self._plural("lookup", fact.path), {**names, "f": self._fact(fact.path)}))

    def _default(self, fact: FactDeclaration) -> Iterator[Said]:
        if fact.default:
            yield put(self._template("define", "default"), "0", self._choices(fact, fact.default))

    def _choices(self, fact: FactDeclaration, choices: tuple[Choice, ...]) -> Said:
        said = tuple(self._choice(fact, choice, first=not place) for place, choice in enumerate(choices))
        return said[0] if len(said) == 1 else Block(word(self._grammar["define"]["first"]), said)

    def _choice(self, fact: FactDeclaration, choice: Choice, *, first: bool) -> Said:
        state = self.state(fact.path, fact.type, choice.value)
        if choice.condition != All(()):
            return self._when("when", self.say(choice.condition), state)
        return Sentence(state if first else fill(self._template("define", "otherwise"), {"0": state}))

    def _when(self, name: str, condition: Said, state: Pieces) -> Said:
        """That the fact has the state when the condition holds."""
        alone, after = f"{name}:sentence", self._subordinate(condition)
        if after is None and isinstance(condition, Sentence) and alone in self._grammar["define"]:
            name = alone
        return put(self._template("define", name), "1", after or condition, {"0": state})

    def _subordinate(self, said: Said) -> Said | None:
        """What is said as it stands after `when`, in a language that then orders its first words differently."""
        (first, *rest) = said.pieces if isinstance(said, Sentence) else said.head
        ordered = self._grammar.subordinate(first.text)
        if ordered is None:
            return None
        pieces = (*word(ordered), *rest)
        return Sentence(pieces) if isinstance(said, Sentence) else Block(pieces, said.items)

    def beginning(self, name: Literal["means", "when"], path: str, value: Operand) -> str:
        """What stands before the condition under which the fact has the value."""
        kind = self._names.type_of(path) or STRING
        begun = fill(self._template("define", name), {"0": self.state(path, kind, value), "1": ()})
        return f"{text_of(begun).rstrip(' :')}:"

    def state(self, path: str, kind: Type, value: Operand) -> Pieces:
        """That the fact has the value."""
        return self._test(Compare(path, "is", (value,), kind))

    def reckoned(self, path: str, arithmetic: Arithmetic) -> Pieces:
        """How the fact is worked out from others."""
        kind = self._names.type_of(path) or STRING
        operands = [self._term(each, path, kind) for each in arithmetic.operands]
        way = self._grammar["define"][arithmetic.operation]
        slots = {str(place): operand for place, operand in enumerate(operands)}
        result = fill(parse(way), slots) if "{" in way else joined(operands, way)
        return fill(self._plural("reckoned", path), {"f": self._fact(path), "0": result})

    def _term(self, operand: Operand, path: str, kind: Type) -> Pieces:
        if isinstance(operand, Fact):
            return self._fact(operand.path)
        return (Piece("value", self._names.value(operand, kind, _group(path, kind)), path),)

    def _plural(self, name: str, path: str) -> Template:
        return parse(self._grammar["define"][name], plural=self._grammar.is_plural(self.fact(path)))


def _group(path: str, kind: Type) -> str:
    return "reading" if path.startswith(READING) else group_of(kind)


def _truth(test: Compare | Presence) -> str:
    """What a test says of a boolean fact, as a key of `whether`; nothing where it is no such test."""
    match test:
        case Presence(_, known):
            return "known" if known else "unknown"
        case Compare(_, operator, (bool() as value,)):
            return _TRUTHS.get((operator, value), "")
        case _:
            return ""


def _name(test: Compare | Presence) -> str:
    """The test as a key of a group of tests; a fact on the right, if not in a list, may be said in a way of its own."""
    match test:
        case Presence(_, known):
            return "known" if known else "unknown"
        case Compare(_, operator, (Fact(),)) | Compare(_, "between" as operator, (Fact(), _) | (_, Fact())):
            return f"{operator}:fact"
        case _:
            return test.operator


def _has_comma(piece: Piece) -> bool:
    """Whether the piece is, or stands between, several things that a comma divides."""
    return piece.text in SEPARATORS or (piece.kind != "text" and "," in piece.text)


def _spelled(name: str) -> Pieces:
    return word(name.replace("_", " "))
