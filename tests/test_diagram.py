"""Diagrams say truly how facts reach decisions, can be read, and hold nothing but what they should."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.random_policies import random_sample
from engine.book import render
from engine.book.diagram import action_diagram, rule_diagram
from engine.book.figure import Diagram, Names, Node
from engine.book.lettering import CUT, printed, rows, width
from engine.book.placing import rising
from engine.book.sizing import LABEL_SIZE, PAGE, SIZES
from engine.condition import READING, All, Compare
from engine.gate import open_policy
from engine.model import Action, Choice, Effect, FactDeclaration, Pack, Rule
from engine.policy import ActionRules
from engine.resolve import action_rules, closure, inputs, rule_reads
from engine.values import BOOLEAN

PACKS = ("rules", "examples/records", "examples/todo")
POLICIES = {folder: open_policy(folder, as_of="2026-11-22").today() for folder in PACKS}
ACTIONS = [(folder, action) for folder, policy in POLICIES.items() for action in policy.actions]
RULES = [(folder, rule) for folder, policy in POLICIES.items() for rule in sorted(policy.pack.rules)]
HOSTILE = "</title></text><script>alert(1)</script>\" onload='x' {{ 7 * 7 }} &amp; \u202e\x00" + "w" * 300
Href: TypeAlias = Callable[[str, str], str | None]
SVG = "{http://www.w3.org/2000/svg}"


def plain(kind: str, ref: str) -> str:
    """Names as they come."""
    return ref if kind != "count" else f"{ref} rules"


def of_action(folder: str, action: str) -> tuple[ActionRules, Pack, Diagram]:
    policy = POLICIES[folder]
    return policy.actions[action], policy.pack, action_diagram(policy.actions[action], policy.pack, plain)


def paths_of(node: Node) -> list[str]:
    """The facts and readings of a box, as paths."""
    prefix = {"fact": "", "reading": READING}
    return [prefix[line.kind] + line.ref for line in node.lines if line.kind in prefix]


def paths(diagram: Diagram) -> list[str]:
    return sorted(path for node in diagram.nodes for path in paths_of(node))


def reads(diagram: Diagram) -> set[tuple[str, str]]:
    """Every pair that the diagram joins: a path, and the path or end (an effect, a rule) that reads it."""
    nodes = {node.id: node for node in diagram.nodes}
    found = set()
    for edge in diagram.edges:
        if edge.kind == "reads":
            target = nodes[edge.target]
            ends = paths_of(target) or [target.lines[0].ref]
            found |= {(path, end) for path in paths_of(nodes[edge.source]) for end in ends}
    return found


def truly_read(pack: Pack, shown: list[str], rules: list[Rule], end: str) -> set[tuple[str, str]]:
    """The same, from the rules themselves; of ends only those of these rules."""
    below = {(path, fact) for fact in shown if fact in pack.facts for path in inputs(pack, pack.facts[fact])}
    own = {(path, end) for rule in rules for path in rule_reads(pack, rule)}
    return {(path, reader) for path, reader in below | own if path in shown}


def by_kind(kind: str, ref: str) -> str | None:
    """A link to anything."""
    return f"{kind}.html#{ref}"


def html(diagram: Diagram, names: Names = plain, href: Href = by_kind, title: str = "Title") -> str:
    template: Any = render._environment().get_template("diagram.html").module
    return str(template.diagram(diagram, names, href, title, "Description"))


def tree(text: str) -> ET.Element:
    """The element of the diagram; it is well-formed XML, too."""
    return ET.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))


@pytest.mark.parametrize(("folder", "action"), ACTIONS)
def test_each_fact_and_reading_of_an_action_appears_exactly_once(folder: str, action: str) -> None:
    """Nothing that the rules read is left out, and nothing is there twice."""
    rules, _, diagram = of_action(folder, action)
    assert sorted((*rules.reads, *(READING + each for each in rules.readings))) == paths(diagram)


@pytest.mark.parametrize(("folder", "action"), ACTIONS)
def test_edges_say_who_reads_what_and_nothing_else(folder: str, action: str) -> None:
    """A fact is joined with what is worked out from it, and with the effects whose rules name it themselves."""
    rules, pack, diagram = of_action(folder, action)
    shown = paths(diagram)
    kinds = {rule.effect.kind for rule in rules.rules}
    by_kind = {kind: [rule for rule in rules.rules if rule.effect.kind == kind] for kind in kinds}
    expected = {pair for kind, group in by_kind.items() for pair in truly_read(pack, shown, group, kind)}
    assert expected == reads(diagram)


@pytest.mark.parametrize(("folder", "action"), ACTIONS)
def test_what_reaches_an_effect_is_what_its_rules_read_in_the_end(folder: str, action: str) -> None:
    """Whoever follows the edges finds the closure of the rules, as the engine works it out."""
    rules, pack, diagram = of_action(folder, action)
    before: dict[str, set[str]] = {}
    for source, target in reads(diagram):
        before.setdefault(target, set()).add(source)
    for kind in {rule.effect.kind for rule in rules.rules}:
        found: set[str] = set()
        waiting = [kind]
        while waiting:
            new = before.get(waiting.pop(), set()) - found
            found |= new
            waiting.extend(new)
        read = (path for rule in rules.rules if rule.effect.kind == kind for path in rule_reads(pack, rule))
        assert closure(pack, read) & set(paths(diagram)) == found


@pytest.mark.parametrize(("folder", "action"), ACTIONS)
def test_an_edge_is_as_heavy_as_the_rules_that_need_it(folder: str, action: str) -> None:
    """To an effect: its rules that name one of the facts; to a fact: the rules that read it in the end."""
    rules, pack, diagram = of_action(folder, action)
    nodes = {node.id: node for node in diagram.nodes}
    for edge in diagram.edges:
        source, target = set(paths_of(nodes[edge.source])), nodes[edge.target]
        if target.kind == "effect":
            group = [rule for rule in rules.rules if rule.effect.kind == target.accent]
            weight = sum(bool(source & set(rule_reads(pack, rule))) for rule in group)
        else:
            wanted = set(paths_of(target))
            weight = sum(bool(wanted & closure(pack, rule_reads(pack, rule))) for rule in rules.rules)
        assert weight == edge.weight


@pytest.mark.parametrize(("folder", "action"), ACTIONS)
def test_each_group_of_rules_says_how_many_there_are_and_when_they_count(folder: str, action: str) -> None:
    """Denials before what is deferred before what is allowed; duties and advice have no turn."""
    rules, _, diagram = of_action(folder, action)
    effects = [node for node in diagram.nodes if node.kind == "effect"]
    counts = Counter(rule.effect.kind for rule in rules.rules)
    assert {kind: str(count) for kind, count in counts.items()} == {node.accent: node.lines[1].ref for node in effects}
    turns: dict[str, tuple[int, ...]] = {"deny": (1,), "only_by": (1, 3), "defer": (2,), "allow": (3,)}
    assert [turns.get(node.accent, ()) for node in effects] == [node.turns for node in effects]
    order = ["deny", "only_by", "defer", "allow", "oblige", "advise", "guide"]
    assert [kind for kind in order if kind in counts] == [node.accent for node in sorted(effects, key=lambda n: n.y)]


@pytest.mark.parametrize(("folder", "name"), RULES)
def test_a_rule_is_joined_with_what_it_reads_says_and_overrides(folder: str, name: str) -> None:
    """What it names itself leads to it; it leads to its effect; overriding goes from the stronger to the weaker."""
    pack = POLICIES[folder].pack
    rule = pack.rules[name]
    diagram = rule_diagram(rule, pack, plain)
    shown = sorted(closure(pack, rule_reads(pack, rule)))
    assert shown == paths(diagram)
    assert truly_read(pack, shown, [rule], name) == reads(diagram)
    refs = {node.id: [line.ref for line in node.lines] for node in diagram.nodes}
    others = {edge.kind: (refs[edge.source], refs[edge.target]) for edge in diagram.edges if edge.kind == "says"}
    assert {"says": ([name], [rule.effect.kind])} == others
    pairs = {(a, b) for e in diagram.edges if e.kind == "overrides" for a in refs[e.source] for b in refs[e.target]}
    stronger = {(each.id, name) for each in pack.rules.values() if name in each.overrides}
    assert stronger | {(name, other) for other in rule.overrides} == pairs


@given(st.integers(0, 10**9))
def test_edges_are_true_of_any_policy(seed: int) -> None:
    """Policies of every shape: each fact once, each edge true, no box over another, no curve through a box."""
    sample = random_sample(Random(seed), rules=12)
    diagram = action_diagram(sample.rules, sample.pack, plain)
    shown = paths(diagram)
    assert sorted((*sample.rules.reads, *(READING + each for each in sample.rules.readings))) == shown
    assert truly_read(sample.pack, shown, list(sample.rules.rules), "deny") == reads(diagram)
    assert_readable(diagram)


def assert_readable(diagram: Diagram) -> None:
    """Everything is within the picture, no box lies over another, no text leaves its box, no curve runs through one."""
    for node in diagram.nodes:
        assert node.x >= 0
        assert node.y >= 0
        assert node.x + node.width <= diagram.width
        assert node.y + node.height <= diagram.height
        assert_fits(node)
    for number, one in enumerate(diagram.nodes):
        for other in diagram.nodes[number + 1 :]:
            beside = one.x + one.width <= other.x or other.x + other.width <= one.x
            assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y
    for edge in diagram.edges:
        for x, y in points(edge.path):
            assert 0 <= x <= diagram.width
            assert not [node for node in diagram.nodes if inside(node, x, y)]


def assert_fits(node: Node) -> None:
    """The rows of a box end before its edge and before what stands beside them, and do not lie over each other."""
    last = node.y
    for line in node.lines:
        for number, row in enumerate(line.rows):
            beside = [x for _, x in line.marks] if number == 0 else []
            right = min([node.x + node.width, *beside])
            assert row.x + width(row.text, SIZES.get(line.kind, LABEL_SIZE)) <= right
            assert last < row.y - 12
            last = row.y
    assert last + 4 <= node.y + node.height


def inside(node: Node, x: float, y: float) -> bool:
    return node.x + 1 < x < node.x + node.width - 1 and node.y < y < node.y + node.height


def points(path: str) -> list[tuple[float, float]]:
    """Points along a curve, without its arrow."""
    x = y = 0.0
    found = []
    for command, numbers in re.findall(r"([MCHV])([-\d ]+)", path):
        values = [float(number) for number in re.findall(r"-?\d+", numbers)]
        if command == "M":
            x, y = values
        elif command == "H":
            found += [(x + (values[0] - x) * step / 9, y) for step in range(10)]
            x = values[0]
        elif command == "V":
            y = values[0]
        else:
            found += [bezier((x, y), values, step / 19) for step in range(20)]
            x, y = values[4:]
        found.append((x, y))
    return found


def bezier(start: tuple[float, float], values: list[float], t: float) -> tuple[float, float]:
    four = [start, *zip(values[::2], values[1::2], strict=True)]
    parts = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(part * point[axis] for part, point in zip(parts, four, strict=True)) for axis in (0, 1))
    return x, y


@pytest.mark.parametrize("folder", PACKS)
def test_every_diagram_of_a_pack_can_be_read(folder: str) -> None:
    """Those of all actions and all rules, and they fit on a page of the book."""
    policy = POLICIES[folder]
    diagrams = [action_diagram(rules, policy.pack, plain) for rules in policy.actions.values()]
    diagrams += [rule_diagram(rule, policy.pack, plain) for rule in policy.pack.rules.values()]
    for diagram in diagrams:
        assert_readable(diagram)
        assert diagram.width <= PAGE


def test_facts_stand_across_from_what_reads_them() -> None:
    """What only an allow reads stands below what only a deny reads, whatever they are called."""
    pack = small_pack({"a.first": "allow", "a.middle": "defer", "a.last": "deny"})
    diagram = action_diagram(pack_rules(pack), pack, plain)
    order = [node.lines[0].ref for node in sorted(diagram.nodes, key=lambda node: node.y) if node.kind == "fact"]
    assert ["a.last", "a.middle", "a.first"] == order


def test_facts_that_nothing_tells_apart_share_a_box() -> None:
    """Two facts with the same readers are one box with two lines; another namespace or reader is another box."""
    pack = small_pack({"a.one": "deny", "a.two": "deny", "b.one": "deny", "a.three": "allow"})
    diagram = action_diagram(pack_rules(pack), pack, plain)
    boxes = sorted(paths_of(node) for node in diagram.nodes if node.kind == "fact")
    assert [["a.one", "a.two"], ["a.three"], ["b.one"]] == boxes


def test_properties_of_other_actions_are_not_shown_but_what_they_rest_on_is() -> None:
    """A default of a property that this action does not have may read facts, and those may be worked out, too."""
    pack = small_pack({"a.result": "deny"})
    made = {
        "a.result": FactDeclaration("a.result", BOOLEAN, derived=yes("action.of_another")),
        "action.of_another": FactDeclaration("action.of_another", BOOLEAN, default=(Choice(yes("a.basis"), True),)),
        "a.basis": FactDeclaration("a.basis", BOOLEAN, derived=yes("a.given")),
        "a.given": FactDeclaration("a.given", BOOLEAN),
    }
    pack = replace(pack, facts=made)
    diagram = action_diagram(pack_rules(pack), pack, plain)
    assert ["a.basis", "a.given", "a.result"] == paths(diagram)
    assert {("a.given", "a.basis"), ("a.result", "deny")} == reads(diagram)


def yes(path: str) -> Compare:
    return Compare(path, "is", (True,), BOOLEAN)


def small_pack(facts: dict[str, str], *, rules: int = 1) -> Pack:
    """A pack of one action in which rules of one effect read each fact."""
    declared = {path: FactDeclaration(path, BOOLEAN) for path in facts}
    made = [
        Rule(f"{path}-{number}", ("act",), yes(path), Effect(kind, "."))
        for path, kind in facts.items()
        for number in range(rules)
    ]
    return Pack(
        "p", actions={"act": Action("act", "Act", None)}, facts=declared, rules={rule.id: rule for rule in made}
    )


def pack_rules(pack: Pack) -> ActionRules:
    return action_rules(pack, "act", [rule for _, rule in sorted(pack.rules.items())])


def test_hostile_names_stay_text() -> None:
    """Whatever names, titles and links are: no element, attribute or script comes of them, and all is escaped."""
    pack = small_pack({f"a.{HOSTILE}": "deny", "a.two": "allow"})
    for diagram in (
        action_diagram(pack_rules(pack), pack, lambda kind, ref: HOSTILE),
        rule_diagram(next(iter(pack.rules.values())), pack, lambda kind, ref: HOSTILE),
    ):
        shown = html(diagram, names=lambda kind, ref: HOSTILE, href=lambda kind, ref: HOSTILE, title=HOSTILE)
        # The name of the whole diagram and links come from the page, as they are.
        root = tree(shown.replace("\x00", ""))
        allowed = {"a", "circle", "desc", "div", "g", "path", "rect", "svg", "text", "title", "tspan", "use"}
        assert {each.tag.removeprefix(SVG) for each in root.iter()} <= allowed
        names = {name for each in root.iter() for name in each.attrib}
        assert not [name for name in names if name.startswith("on") or name in ("style", "src")]
        titles = [title.text for text in root.iter(f"{SVG}text") for title in text.findall(f"{SVG}title")]
        assert {printed(HOSTILE)} == set(titles)
        assert_readable(diagram)


def test_a_diagram_is_plain_to_who_cannot_see_it() -> None:
    """It has a name and a description, its scroller takes the focus and has a name, and links are real links."""
    _, _, diagram = of_action("rules", "cancel_subscription")
    root = tree(html(diagram, title="Cancel"))
    assert ("0", "region", "Cancel") == tuple(root.attrib[name] for name in ("tabindex", "role", "aria-label"))
    picture = next(root.iter(f"{SVG}svg"))
    named = {each.attrib["id"]: each.text for each in picture if "id" in each.attrib}
    assert ["Cancel", "Description"] == [named[name] for name in picture.attrib["aria-labelledby"].split()]
    links = [link.attrib["href"] for link in root.iter(f"{SVG}a")]
    assert sorted(links) == sorted(f"fact.html#{path}" for path in paths(diagram) if not path.startswith(READING)) + [
        f"reading.html#{path.removeprefix(READING)}" for path in paths(diagram) if path.startswith(READING)
    ]
    assert all(float(hit.attrib["height"]) >= 24 for hit in root.iter(f"{SVG}rect") if hit.attrib["class"] == "d-hit")


def test_without_links_there_are_none() -> None:
    """A label that leads nowhere is no link."""
    _, _, diagram = of_action("examples/todo", "update_todo")
    assert not list(tree(html(diagram, href=lambda kind, ref: None)).iter(f"{SVG}a"))


def test_what_stands_out_is_on_the_page_and_ids_are_unique() -> None:
    """All diagrams of a pack may stand on one page: no id twice, and no reference to what is not there."""
    policy = POLICIES["rules"]
    diagrams = [action_diagram(rules, policy.pack, plain) for rules in policy.actions.values()]
    diagrams += [rule_diagram(rule, policy.pack, plain) for rule in policy.pack.rules.values()]
    elements = [element for diagram in diagrams for element in tree(html(diagram)).iter()]
    ids = [element.attrib["id"] for element in elements if "id" in element.attrib]
    used = {element.attrib["href"][1:] for element in elements if element.tag == f"{SVG}use"}
    assert len(set(ids)) == len(ids)
    assert used <= set(ids)
    assert used


def test_a_box_shows_all_that_it_reaches() -> None:
    """Following the edges from a box gives the boxes whose edges stand out with it."""
    _, _, diagram = of_action("rules", "change_payment_method")
    after: dict[str, set[str]] = {}
    for edge in diagram.edges:
        after.setdefault(edge.source, set()).add(edge.target)
    for node in diagram.nodes:
        found, waiting = set(), [node.id]
        while waiting:
            each = waiting.pop()
            if each in after and each not in found:
                found.add(each)
                waiting.extend(after[each])
        assert found == set(node.lights)
        assert len(node.lights) == len(found)


SCRIPT = """
from engine.book.diagram import action_diagram, rule_diagram
from engine.gate import open_policy
policy = open_policy("examples/records", as_of="2026-11-22").today()
names = lambda kind, ref: ref
print([action_diagram(rules, policy.pack, names) for rules in policy.actions.values()])
print([rule_diagram(rule, policy.pack, names) for _, rule in sorted(policy.pack.rules.items())])
"""


def test_the_same_pack_gives_the_same_diagrams() -> None:
    """Whatever order Python's sets have in a process."""
    told = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parent.parent,
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert 1 == len(told)


def test_the_order_of_files_changes_nothing() -> None:
    """Facts and rules in another order give the same diagrams."""
    policy = POLICIES["rules"]
    pack = policy.pack
    turned = replace(
        pack,
        facts=dict(reversed(list(pack.facts.items()))),
        rules=dict(reversed(list(pack.rules.items()))),
        actions=pack.actions,
    )
    for rules in policy.actions.values():
        assert action_diagram(rules, pack, plain) == action_diagram(rules, turned, plain)


def test_a_thousand_rules_are_drawn_in_a_moment() -> None:
    """An action of a thousand rules and sixty facts, and a diagram for each rule, in a few seconds."""
    kinds = ("deny", "only_by", "defer", "allow", "oblige", "advise", "guide")
    facts = {f"{name}.fact_{number}": kinds[number % 7] for name in ("action", "a", "b") for number in range(20)}
    pack = small_pack(facts, rules=17)
    both = All(tuple(yes(path) for path in list(facts)[:9]))
    pack = replace(pack, rules={name: replace(rule, condition=both) for name, rule in pack.rules.items()})
    start = time.perf_counter()
    action_diagram(pack_rules(pack), pack, plain)
    for rule in pack.rules.values():
        rule_diagram(rule, pack, plain)
    assert len(pack.rules) > 1000
    assert time.perf_counter() - start < 10


@given(st.lists(st.floats(-1000, 1000)))
def test_rising_numbers_are_the_nearest_ones(wishes: list[float]) -> None:
    """They rise, keep the sum, and what rises already stays."""
    found = rising(wishes)
    assert found == sorted(found)
    assert sum(found) == pytest.approx(sum(wishes), abs=1e-6)
    assert sorted(wishes) == rising(sorted(wishes))


@given(st.text(), st.integers(30, 300), st.integers(1, 4))
def test_rows_fit_and_say_the_whole_label_or_show_that_they_do_not(text: str, room: int, most: int) -> None:
    """Each row fits, there are not too many, and nothing but white space is lost unless the last row says so."""
    found = rows(text, room, LABEL_SIZE, most)
    assert 1 <= len(found) <= most
    assert all(width(row, LABEL_SIZE) <= room for row in found)
    whole = printed(text).replace(" ", "")
    told = "".join(found).replace(" ", "")
    if told != whole:
        assert found[-1].endswith(CUT)
        assert whole.startswith("".join("".join(found)[: -len(CUT)].split()))


def test_long_ids_break_after_a_hyphen() -> None:
    """An id in two rows can still be read."""
    assert ("portal-during-a-", "switch") == rows("portal-during-a-switch", 120, LABEL_SIZE, 2)
