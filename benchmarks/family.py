"""The family of policies that the benchmark measures: one generator, any number of rules, one fixed seed.

A family of n rules repeats four shapes for region after region, and only constants differ: what grows
with n is the number of regions, as in a policy that is kept by country. `rules()` gives the rules as plain
data, from which each contestant writes its own form; `text()` is our form. `requests(count)` is the fixed
stream. Smaller families are the beginning of larger ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias

SEED = 20261122
AS_OF = "2026-11-22"
METHODS = ("alipay", "bank_account", "credit_card", "invoice", "prepaid_product_key")
ROLES = ("admin", "user")
PURCHASE, CHANGE = "purchase", "change_payment_method"
ACTIONS = (PURCHASE, CHANGE)

METHOD, REGION, COST = "action.payment_method", "subscription.region", "subscription.cost"
LICENSES, ROLE, ACTION = "subscription.licenses", "subject.role", "action.name"

Operator: TypeAlias = Literal["is", "in", "at_most", "more_than"]
Value: TypeAlias = str | int | float | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a rule: a fact, an operator, a constant (of `in`, several)."""

    path: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class FamilyRule:
    """A rule as plain data: it applies to the actions where all tests hold; the most selective test comes first."""

    id: str
    effect: Literal["allow", "deny"]
    actions: tuple[str, ...]
    tests: tuple[Comparison, ...]
    text: str

    @property
    def conditions(self) -> tuple[Comparison, ...]:
        """The tests with the action among them, for languages that know no actions; not where it is any action."""
        first, *others = self.tests
        action = [Comparison(ACTION, "is", name) for name in self.actions] if len(self.actions) == 1 else []
        return (first, *action, *others)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request of the stream, AuthZEN-shaped, and whether it gives every fact that the rules read."""

    data: dict[str, Any]
    complete: bool


@dataclass(frozen=True, slots=True)
class Region:
    """What differs between regions."""

    code: str
    minimum: float
    limit: int
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The policy of so many rules."""

    size: int
    seed: int = SEED

    def rules(self) -> Iterator[FamilyRule]:
        """Its rules, region by region; the last region may have fewer than the four shapes."""
        for index, region in enumerate(self.regions()):
            yield from _rules(region)[: self.size - 4 * index]

    def regions(self) -> Iterator[Region]:
        """The regions that have rules."""
        random = Random(self.seed)
        for index in range(-(-self.size // 4)):
            minimum = round(random.uniform(50, 5000), 2)
            methods = tuple(sorted(random.sample(METHODS, random.randint(3, 5))))
            yield Region(f"R{index:05}", minimum, random.randint(5, 300), methods)

    def other_regions(self) -> list[str]:
        """Regions that the policy knows and has no rule for: one for each ten that have, and at least two."""
        return [f"X{index:05}" for index in range(max(2, self.size // 40))]

    def text(self) -> str:
        """The pack, in our language."""
        codes = [region.code for region in self.regions()] + self.other_regions()
        rows = "".join(f"      {code}: {{name: Region {code}}}\n" for code in codes)
        return _HEAD + rows + "rules:\n" + "".join(map(_yaml, self.rules()))

    def write(self, folder: Path) -> Path:
        """The folder, now holding the pack."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "policy.yaml").write_text(self.text(), encoding="utf-8")
        return folder

    def requests(self, count: int) -> list[Sent]:
        """The first requests of the stream; the same ones every time."""
        random = Random(self.seed + 1)
        regions, others = list(self.regions()), self.other_regions()
        return [_request(random, regions, others, number) for number in range(count)]


def _rules(region: Region) -> list[FamilyRule]:
    """The four shapes, for one region."""
    here = Comparison(REGION, "is", region.code)
    name = region.code.lower()
    return [
        FamilyRule(
            f"no-bank-account-in-{name}", "deny", ACTIONS, (here, Comparison(METHOD, "is", "bank_account")),
            "Payment by bank account is not available in {subscription.region}.",
        ),
        FamilyRule(
            f"invoice-minimum-in-{name}", "deny", ACTIONS,
            (here, Comparison(METHOD, "is", "invoice"), Comparison(COST, "at_most", region.minimum)),
            f"An invoice in {region.code} needs a cost above {region.minimum}; this one costs {{subscription.cost}}.",
        ),
        FamilyRule(
            f"license-limit-in-{name}", "deny", (PURCHASE,), (here, Comparison(LICENSES, "more_than", region.limit)),
            f"At most {region.limit} licenses are sold online in {region.code}; call support.",
        ),
        FamilyRule(
            f"methods-in-{name}", "allow", ACTIONS,
            (here, Comparison(METHOD, "in", region.methods), Comparison(ROLE, "is", "admin")),
            "{subscription.region} takes {action.payment_method}.",
        ),
    ]  # fmt: skip


def _yaml(rule: FamilyRule) -> str:
    when = "".join(f"      {test.path}: {_condition(test)}\n" for test in rule.tests)
    actions = ", ".join(rule.actions)
    return f'  - id: {rule.id}\n    actions: [{actions}]\n    when:\n{when}    {rule.effect}: "{rule.text}"\n'


def _condition(test: Comparison) -> str:
    if isinstance(test.value, tuple):
        return f"[{', '.join(test.value)}]"
    return str(test.value) if test.operator == "is" else f"{{{test.operator}: {test.value}}}"


def _request(random: Random, regions: list[Region], others: list[str], number: int) -> Sent:
    """One request: boundary values are common, a few lack a fact or come from a region without rules."""
    region = random.choice(regions)
    facts: dict[str, Any] = {
        METHOD: random.choice(METHODS),
        REGION: random.choice(others) if random.random() < 0.04 else region.code,
        COST: random.choice((region.minimum, round(region.minimum * random.uniform(0.3, 3), 2))),
        LICENSES: random.choice((region.limit, random.randint(1, 2 * region.limit))),
        ROLE: random.choice(("admin",) * 6 + ("user",)),
    }
    if random.random() < 0.06:
        del facts[random.choice((METHOD, COST, LICENSES))]
    if random.random() < 0.1:
        del facts[ROLE]
    return Sent(_authzen(random.choice(ACTIONS), facts, number), len(facts) == 5)


def _authzen(action: str, facts: dict[str, Any], number: int) -> dict[str, Any]:
    """The facts as an AuthZEN request."""
    subject, properties, resource = (
        {name: facts[path] for path, name in names.items() if path in facts} for names in _PROPERTIES
    )
    return {
        "subject": {"type": "user", "id": f"user-{number % 997}", "properties": subject},
        "action": {"name": action, "properties": properties},
        "resource": {"type": "subscription", "id": f"sub-{number}", "properties": resource},
    }


# Names are the same text each time, not text that is only equal: as a caller's literals are, and as fast readers of
# JSON have them.
_PROPERTIES = (
    {ROLE: "role"},
    {METHOD: "payment_method"},
    {REGION: "region", COST: "cost", LICENSES: "licenses"},
)
_HEAD = """\
policy: {name: family, title: Regional payment rules}
actions:
  purchase:
    title: Buy a subscription
    resource: subscription
    properties: &method
      payment_method:
        type: enum
        values: [alipay, bank_account, credit_card, invoice, prepaid_product_key]
        choice: true
        description: The method wanted.
  change_payment_method:
    title: Change the payment method
    resource: subscription
    properties: *method
facts:
  subscription.region: {type: key, of: regions, description: Where the subscription is used.}
  subscription.cost: {type: number, description: What one billing period costs.}
  subscription.licenses: {type: integer, description: How many licenses it has.}
  subject.role: {type: enum, values: [admin, user], default: admin, description: The role of who asks.}
tables:
  regions:
    columns: {name: {type: string}}
    rows:
"""
