"""A situation: the state of every fact for one request, one day and one set of readings.

This is where a request's values are read by their declared types, and where defaults, derived facts and
look-ups are worked out (DESIGN sections 4 and 5). Backends ask it for states; they do not see requests.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any as Anything

from engine.condition import READING, Fact, Operand
from engine.kleene import Clash, Known, NotAsked, State, Unknown, open_comparisons, truth, why_unknown
from engine.model import Action, Arithmetic, Choice, FactDeclaration, Lookup, Pack, Span
from engine.values import (
    INTEGER,
    MONEY,
    Money,
    NotAValue,
    Type,
    Value,
    exact,
    is_below,
    is_number,
    parse_value,
    plain_number,
)

DATE = "context.date"
# Wide enough for a product of as many operands as the schema admits, so that nothing is ever rounded.
_WIDE = Context(prec=1000)


@dataclass(frozen=True, slots=True)
class Invalid:
    """A value in the request that its fact cannot have."""

    path: str
    value: object
    problem: str


class Situation:
    """The facts of one request for one action on one day.

    `given` maps paths of declared facts to raw values; null is absent. `date` is None where the
    request's own date is invalid. `readings` replaces chosen readings, `without` takes defaults away
    and `unset` takes cells (table, row, column) away, to see what rests on them.
    """

    def __init__(
        self,
        pack: Pack,
        action: Action,
        given: Mapping[str, object],
        date: datetime.date | None,
        *,
        readings: Mapping[str, str] | None = None,
        without: frozenset[str] = frozenset(),
        unset: frozenset[tuple[str, str, str]] = frozenset(),
    ) -> None:
        self.pack = pack
        self.action = action
        self.date = date
        self.given = {path: raw for path, raw in given.items() if raw is not None and not pack.facts[path].sealed}
        self._readings = readings or {}
        self._without = without
        self._unset = unset
        self._problems: dict[str, str] = {}
        self._states: dict[str, State] = {}

    def but(self, **changes: Anything) -> Situation:
        """The same situation with `given` values added or replaced, or with other readings, defaults or cells."""
        given = {**self.given, **changes.pop("given", {})}
        kept = {"readings": self._readings, "without": self._without, "unset": self._unset}
        return Situation(self.pack, self.action, given, self.date, **{**kept, **changes})

    def knowing(self, values: Mapping[str, Value]) -> Situation:
        """The same situation, in which these facts are known already, and not worked out again."""
        self._states.update((path, Known(value)) for path, value in values.items())
        return self

    @property
    def readings(self) -> Mapping[str, str]:
        """The readings that are chosen otherwise than in the pack."""
        return self._readings

    def state(self, path: str) -> State:
        """The state of the fact at `path` (or of the reading `reading.…`)."""
        known = self._states.get(path)
        if known is None:
            known = self._states[path] = self._find(path)
        return known

    def value(self, path: str) -> Value | None:
        """The value of the fact at `path`; None if it has none."""
        state = self.state(path)
        return state.value if isinstance(state, Known) else None

    def invalid(self) -> tuple[Invalid, ...]:
        """Every given value that its fact cannot have, by path."""
        for path in self.given:
            self.state(path)
        return tuple(Invalid(path, self.given[path], problem) for path, problem in sorted(self._problems.items()))

    def _find(self, path: str) -> State:
        if path.startswith(READING):
            reading = path.removeprefix(READING)
            return Known(self._readings.get(reading) or self.pack.readings[reading].chosen, "reading")
        fact = self.pack.facts[path]
        if path in self.given:
            return self._read(fact, self.given[path])
        if path == DATE:
            return Known(self.date, "date") if self.date else Unknown(invalid=frozenset({DATE}))
        if fact.derived is not None:
            return self._derive(fact)
        if fact.lookup is not None:
            state = self._look_up(fact.lookup, path)
            if isinstance(state, Known) or not fact.default:
                return state
        return self._default(fact)

    def _absent(self, path: str) -> State:
        return NotAsked() if self._not_asked(path) else Unknown(missing=frozenset({path}))

    def _not_asked(self, path: str) -> bool:
        """A property this action has as optional, or does not have at all (a shared derived fact may read it)."""
        return path in self.action.optional or (path.startswith("action.") and path not in self.action.properties)

    def _read(self, fact: FactDeclaration, raw: object) -> State:
        currency = fact.currency
        if isinstance(currency, Fact) and has_bare_number(raw):
            state = self.state(currency.path)
            if not isinstance(state, Known):
                return state if isinstance(state, Unknown) else Unknown(missing=frozenset({currency.path}))
            currency = str(state.value)
        try:
            return Known(read_value(raw, fact, currency if isinstance(currency, str) else None))
        except NotAValue as error:
            self._problems[fact.path] = str(error)
            return Unknown(invalid=frozenset({fact.path}))

    def _default(self, fact: FactDeclaration) -> State:
        if not fact.default or fact.path in self._without:
            return self._absent(fact.path)
        state = self._choose(fact.default, "default")
        match state:
            case None:
                return self._absent(fact.path)
            case Unknown():
                return Unknown(frozenset({fact.path}), state.invalid, state.clashes)
            case _:
                return state

    def _derive(self, fact: FactDeclaration) -> State:
        match fact.derived:
            case tuple():
                state = self._choose(fact.derived, "derived")
            case Arithmetic():
                state = self._calculate(fact, fact.derived)
            case None:
                state = None
            case condition:
                holds = truth(condition, self.state)
                state = self._open(condition) if holds is None else Known(holds, "derived")
        if state is None or state == Unknown():
            return Unknown(missing=frozenset({fact.path}))
        return state

    def _choose(self, choices: tuple[Choice, ...], via: str) -> State | None:
        """The value of the first choice that applies; None if none does.

        Where an earlier choice may apply, all that the possible ones need to know is what is unknown.
        """
        unknown: Unknown | None = None
        for choice in choices:
            holds = truth(choice.condition, self.state)
            if holds is False:
                continue
            state = self._operand(choice.value)
            if holds is None:
                unknown = (unknown or Unknown()) | self._open(choice.condition)
            elif unknown is None:
                return Known(state.value, via) if isinstance(state, Known) else _as_unknown(state, choice.value)
            if unknown is not None and not isinstance(state, Known):
                unknown |= _as_unknown(state, choice.value)
            if holds:
                break
        return unknown

    def _open(self, condition: Anything) -> Unknown:
        return why_unknown(open_comparisons(condition, self.state), self.state)

    def _operand(self, operand: Operand) -> State:
        return self.state(operand.path) if isinstance(operand, Fact) else Known(operand)

    def _look_up(self, lookup: Lookup, path: str) -> State:
        key = self.state(lookup.key)
        if not isinstance(key, Known):
            return _as_unknown(key, Fact(lookup.key))
        absent = Unknown(missing=frozenset({path}))
        cell = (lookup.table, str(key.value), lookup.column)
        spans = self.pack.tables[lookup.table].rows.get(cell[1], {}).get(lookup.column, ())
        if cell in self._unset or not spans:
            return absent
        if self.date is None and any(span.start or span.end for span in spans):
            return Unknown(invalid=frozenset({DATE}))
        span = next((span for span in spans if in_force(span, self.date)), None)
        return absent if span is None else Known(span.value, "lookup", span)

    def _calculate(self, fact: FactDeclaration, arithmetic: Arithmetic) -> State:
        states = [self._operand(operand) for operand in arithmetic.operands]
        values = [state.value for state in states if isinstance(state, Known)]
        if len(values) < len(states):
            reasons = Unknown()
            for state, operand in zip(states, arithmetic.operands, strict=True):
                reasons |= Unknown() if isinstance(state, Known) else _as_unknown(state, operand)
            return reasons
        currencies = _currencies(values)
        if len(currencies) > 1:
            problem = f"is in another currency than what it is reckoned with ({', '.join(sorted(currencies))})"
            facts = [operand.path for operand in arithmetic.operands if isinstance(operand, Fact)]
            return Unknown(clashes=frozenset(Clash(path, problem) for path in facts))
        try:
            return Known(_result(arithmetic.operation, values, fact.type, currencies), "derived")
        except NotAValue as error:
            return Unknown(clashes=frozenset({Clash(fact.path, f"the result {error}")}))


def reckon(operation: str, values: list[Anything], kind: Type) -> Value | None:
    """The result of arithmetic with known values; None where there is none: two currencies, or too large."""
    currencies = _currencies(values)
    try:
        return _result(operation, values, kind, currencies) if len(currencies) <= 1 else None
    except NotAValue:
        return None


def _currencies(values: list[Anything]) -> set[str]:
    return {value.currency for value in values if isinstance(value, Money)}


def in_force(span: Span, date: datetime.date | None) -> bool:
    """Whether the span holds on the day; a span without dates always does."""
    return (span.start is None or (date is not None and span.start <= date)) and (
        span.end is None or (date is not None and date <= span.end)
    )


def read_value(raw: object, fact: FactDeclaration, currency: str | None) -> Value:
    """The value that a request gives; raises NotAValue if the fact cannot have it."""
    value = parse_value(raw, fact.type, currency)
    if fact.minimum is not None and is_below(value, fact.minimum):
        raise NotAValue(f"is less than {plain_number(fact.minimum)}")
    return value


def _as_unknown(state: State, operand: Operand) -> Unknown:
    if isinstance(state, Unknown):
        return state
    return Unknown(missing=frozenset({operand.path})) if isinstance(operand, Fact) else Unknown()


def has_bare_number(raw: object) -> bool:
    """Whether money is sent without its currency: as a number, or a list that holds one."""
    return any(is_number(each) for each in (raw if isinstance(raw, list | tuple) else (raw,)))


def _result(operation: str, values: list[Anything], kind: Type, currencies: set[str]) -> Value:
    match operation:
        case "count":
            return len(values[0])
        case "days_between":
            return int((values[1] - values[0]).days)
        case _:
            number = exact(_FOLD[operation]([Decimal(_amount(value)) for value in values]))
            if currencies:
                return Money(number, *currencies)
            # Money without a currency is the plain 0 alone: every currency's zero.
            return int(number) if kind in (INTEGER, MONEY) else number


def _amount(value: Anything) -> Anything:
    return value.amount if isinstance(value, Money) else value


def _product(numbers: list[Decimal]) -> Decimal:
    result = Decimal(1)
    for number in numbers:
        result = _WIDE.multiply(result, number)
    return result


_FOLD: dict[str, Callable[[list[Decimal]], Decimal]] = {
    "sum": lambda numbers: sum(numbers, Decimal(0)),
    "difference": lambda numbers: numbers[0] - numbers[1],
    "product": _product,
}
