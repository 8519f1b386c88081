"""The hand-written oracle: the family's policy as a programmer would write it who knows nothing but it.

It is the yardstick of the benchmark, so it is as fast as plain Python gets: one dictionary look-up by
region, then a few ifs, and every answer made beforehand. It takes the same AuthZEN-shaped request as every
contestant and gives what our semantics say, facts that are missing included. What it need not do, and does
not: find out whether a value has the right type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Any, TypeAlias

from benchmarks.family import CHANGE, PURCHASE, Family, FamilyRule

Answer: TypeAlias = tuple[str, str, tuple[str, ...]]

NOT_PERMITTED: Answer = ("deny", "not_permitted", ())
NO_METHOD = "\0"
ADMIN = frozenset({"admin", None})
INVOICE = frozenset({"invoice", None})


@dataclass(slots=True)
class Row:
    """The rules of a region: the constants, then the answers for what can apply together, then the ids."""

    blocked: str
    minimum: float
    limit: float
    methods: frozenset[str]
    bank: Answer
    bank_and_licenses: Answer
    invoice: Answer
    invoice_and_licenses: Answer
    licenses: Answer
    allowed: Answer
    bank_id: str
    invoice_id: str
    licenses_id: str
    allowed_id: str


def load(family: Family) -> Callable[[Mapping[str, Any]], Answer]:
    """The function that decides requests for the family: outcome, cause, ids of the reasons in order."""
    rules = groupby(family.rules(), key=lambda rule: str(rule.tests[0].value))
    rows = {region: _row(list(of_region)) for region, of_region in rules}
    rows |= dict.fromkeys(family.other_regions(), _row([]))

    def decide(request: Mapping[str, Any]) -> Answer:
        action = request["action"]
        sent = request["resource"]["properties"]
        purchase = action["name"] == PURCHASE
        if not purchase and action["name"] != CHANGE:
            return NOT_PERMITTED
        try:
            row = rows[sent["region"]]
            method = action["properties"]["payment_method"]
            too_many = purchase and sent["licenses"] > row.limit
            if method == row.blocked:
                return row.bank_and_licenses if too_many else row.bank
            if method == "invoice" and sent["cost"] <= row.minimum:
                return row.invoice_and_licenses if too_many else row.invoice
            if too_many:
                return row.licenses
            if method in row.methods and request["subject"]["properties"].get("role") in ADMIN:
                return row.allowed
        except (KeyError, TypeError):
            return undecided(request, rows)
        return undecided(request, rows) if method is None else NOT_PERMITTED

    return decide


def undecided(request: Mapping[str, Any], rows: Mapping[str, Row]) -> Answer:
    """The answer where a fact is missing: each rule applies, does not, or may. Without a region any region's may."""
    region = request["resource"]["properties"].get("region")
    if region is not None:
        return _combine(*_sort(rows[region], request))
    denies: list[str] = []
    allows: list[str] = []
    for row in rows.values():
        denied, may_deny, allowed, may_allow = _sort(row, request)
        denies += denied + may_deny
        allows += allowed + may_allow
    return _combine([], denies, [], allows)


def _sort(row: Row, request: Mapping[str, Any]) -> tuple[list[str], list[str], list[str], list[str]]:
    """A region's rules that deny, that may, that allow, that may."""
    sent = request["resource"]["properties"]
    method = request["action"]["properties"].get("payment_method")
    cost, licenses = sent.get("cost"), sent.get("licenses")
    denies: list[str] = []
    open_: list[str] = []
    if row.blocked == method:
        denies.append(row.bank_id)
    elif method is None and row.bank_id:
        open_.append(row.bank_id)
    if row.invoice_id and method in INVOICE and (cost is None or cost <= row.minimum):
        (open_ if method is None or cost is None else denies).append(row.invoice_id)
    if row.licenses_id and request["action"]["name"] == PURCHASE and (licenses is None or licenses > row.limit):
        (open_ if licenses is None else denies).append(row.licenses_id)
    if not row.allowed_id or request["subject"]["properties"].get("role") not in ADMIN:
        return denies, open_, [], []
    if method is None:
        return denies, open_, [], [row.allowed_id]
    return denies, open_, [row.allowed_id] if method in row.methods else [], []


def _combine(denies: list[str], may_deny: list[str], allows: list[str], may_allow: list[str]) -> Answer:
    if denies:
        return "deny", "forbidden", tuple(sorted(denies))
    if may_deny or (may_allow and not allows):
        return "indeterminate", "missing_facts", tuple(sorted(may_deny + may_allow))
    return ("allow", "permitted", tuple(sorted(allows))) if allows else NOT_PERMITTED


def _row(rules: list[FamilyRule]) -> Row:
    """The constants of a region's rules and every answer they can give; of a rule that is not there, ones that never fit."""
    values: list[Any] = [rule.tests[-1].value for rule in rules[:3]]
    blocked, minimum, limit = values + [NO_METHOD, -inf, inf][len(values) :]
    methods = rules[3].tests[1].value if len(rules) == 4 else ()
    assert isinstance(methods, tuple)
    bank, invoice, licenses, allowed = [rule.id for rule in rules] + [""] * (4 - len(rules))

    def deny(*ids: str) -> Answer:
        return "deny", "forbidden", tuple(sorted(ids))

    return Row(
        blocked, minimum, limit, frozenset(methods),
        deny(bank), deny(bank, licenses), deny(invoice), deny(invoice, licenses), deny(licenses),
        ("allow", "permitted", (allowed,)), bank, invoice, licenses, allowed,
    )  # fmt: skip
