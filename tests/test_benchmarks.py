"""The benchmark measures what it says: a valid family, an oracle that is right, contestants that are checked."""

from __future__ import annotations

import copy
import json
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cell, everyday, oracle, report, shipped
from benchmarks.contestants import BY_KEY, CONTESTANTS, PEERS, Loaded
from benchmarks.environment import CONTESTANTS as WANTED
from benchmarks.family import AS_OF, Family
from benchmarks.plot import spread
from benchmarks.targets import Target, ratio_to_peers
from engine import open_policy, read_packs

OURS = [contestant.key for contestant in CONTESTANTS if contestant.ours]
PLACES = (
    ("resource", "region"),
    ("resource", "cost"),
    ("resource", "licenses"),
    ("action", "payment_method"),
    ("subject", "role"),
)


def lacking(request: dict[str, Any], *places: tuple[str, str]) -> dict[str, Any]:
    less = copy.deepcopy(request)
    for section, name in places:
        less[section]["properties"].pop(name, None)
    return less


@pytest.mark.parametrize("size", [1, 12, 15, 100])
def test_a_family_is_valid_and_has_as_many_rules_as_asked_for(size: int, tmp_path: Path) -> None:
    """Nothing is wrong with the packs that are measured."""
    checked = read_packs([Family(size).write(tmp_path)])

    assert not checked.errors
    assert size < 4 or not checked.findings  # fewer rules leave facts unread
    assert sorted(rule.id for rule in Family(size).rules()) == sorted(checked.pack.rules)
    assert size == len(checked.pack.rules)


def test_a_small_family_is_the_beginning_of_a_large_one() -> None:
    """What grows is the number of regions, nothing else."""
    assert list(Family(12).rules()) == list(islice(Family(1000).rules(), 12))


def test_the_stream_is_fixed_and_mostly_complete() -> None:
    """Every contestant at every time is asked the same."""
    sent = Family(100).requests(500)

    assert sent == Family(100).requests(500)
    assert 350 < sum(each.complete for each in sent) < 500
    assert len({json.dumps(each.data) for each in sent}) == 500


@pytest.mark.parametrize("size", [1, 2, 3, 12, 100])
def test_the_oracle_says_what_the_reference_says(size: int, tmp_path: Path) -> None:
    """The yardstick has the right answers, whatever is missing; null is missing too."""
    policy = open_policy(Family(size).write(tmp_path), AS_OF, engine="reference")
    decide = oracle.load(Family(size))
    requests = [sent.data for sent in Family(size).requests(200)]
    requests += [lacking(request, place) for request in requests[:20] for place in PLACES]
    requests += [lacking(request, one, other) for request in requests[:8] for one in PLACES for other in PLACES]
    nothing = copy.deepcopy(requests[0])
    nothing["action"]["properties"]["payment_method"] = nothing["subject"]["properties"]["role"] = None
    unknown = {**requests[0], "action": {"name": "cancel", "properties": {}}}

    for request in [*requests, nothing, unknown]:
        decision = policy.decide(request)
        expected = (decision.outcome, decision.cause, tuple(reason.rule for reason in decision.reasons))
        assert (expected, request) == (decide(request), request)


@pytest.mark.parametrize("key", OURS)
@pytest.mark.parametrize("size", [12, 100])
def test_our_contestants_agree_with_the_oracle(key: str, size: int, tmp_path: Path) -> None:
    """Each engine of ours gives the oracle's outcomes, causes and reasons."""
    BY_KEY[key].write(Family(size), tmp_path)
    loaded = BY_KEY[key].load(tmp_path)
    requests = [sent.data for sent in Family(size).requests(100)]

    assert cell.disagreement(loaded, list(map(loaded.prepare, requests)), oracle.load(Family(size)), requests) is None


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.key)
def test_every_peer_is_given_every_rule(peer: Any, tmp_path: Path) -> None:
    """Whatever the language, each rule stands in it by its id, and without the engine being there."""
    peer.write(Family(100), tmp_path)
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(tmp_path.iterdir()))

    assert [] == [rule.id for rule in Family(100).rules() if rule.id not in text]


def test_a_contestant_that_is_wrong_is_not_timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One that says yes to all is found out at the first request that is denied."""
    monkeypatch.setattr(type(BY_KEY["zen"]), "load", lambda *_: Loaded(lambda _: ("allow", [])))

    found = cell.run(BY_KEY["zen"], Family(12), tmp_path, seconds=0.1)

    assert "disagrees" == found["status"]
    assert "rate" not in found


def test_a_contestant_that_cannot_load_says_why(tmp_path: Path) -> None:
    """What an engine raises is its result."""
    found = cell.run(BY_KEY["reference"], Family(12), tmp_path / "nothing", seconds=0.1)

    assert "cannot load" == found["status"]
    assert "InvalidRules" in found["reason"]


def test_a_cell_has_every_figure(tmp_path: Path) -> None:
    """The oracle, measured as a contestant, is about as fast as itself."""
    BY_KEY["oracle"].write(Family(12), tmp_path)
    found = cell.run(BY_KEY["oracle"], Family(12), tmp_path, seconds=0.1)

    assert "ok" == found["status"]
    assert {"load_s", "memory_mb", "memory_after_mb", "rate", "ratio", "ratio_complete", "p50_us", "p99_us"} < set(
        found
    )
    assert 0.2 < found["ratio"] < 5


def test_the_environment_holds_every_peer() -> None:
    """What is measured is installed, and no registry is named."""
    lines = [line for line in WANTED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]

    assert {*(peer.package for peer in PEERS), "matplotlib"} == {line.split(">=")[0] for line in lines}
    assert not [line for line in lines if "://" in line]


def test_the_stream_for_the_shipped_policy_does_not_repeat() -> None:
    """A fixed stream, every line another, most of them well-formed."""
    gate = open_policy(everyday.RULES, AS_OF, engine="reference")
    requests = list(islice(shipped.requests(gate), 300))

    assert requests == list(islice(shipped.requests(gate), 300))
    assert 300 == len({json.dumps(request) for request in requests})
    outcomes = [gate.decide(request).outcome for request in requests[:100]]
    assert {"allow", "deny", "indeterminate"} == set(outcomes)


def test_a_wrong_line_of_batch_is_found(tmp_path: Path) -> None:
    """Answers in the wrong order are not taken for right ones."""
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    shipped.write_stream(everyday.RULES, asked, 20)
    gate = open_policy(everyday.RULES, AS_OF, engine="reference")
    answers = [json.dumps(gate.decide(json.loads(line)).to_dict()) for line in asked.read_text("utf-8").splitlines()]

    answered.write_text("\n".join(answers) + "\n", encoding="utf-8")
    assert shipped.wrong_line(everyday.RULES, asked, answered, 20) is None
    answered.write_text("\n".join(reversed(answers)) + "\n", encoding="utf-8")
    assert "instead of" in str(shipped.wrong_line(everyday.RULES, asked, answered, 20))


CELLS = [
    {
        "contestant": key, "size": size, "status": "ok", "load_s": 0.5, "memory_mb": 10.0, "memory_after_mb": 11.0,
        "rate": rate, "p50_us": 1.0, "p99_us": 2.0, "ratio": rate / 1e6, "ratio_complete": rate / 1e6, "requests": 4000,
    }
    for key, size, rate in (("compiled", 12, 4e5), ("zen", 12, 1e5), ("clips", 12, 5e4), ("compiled", 10000, 3e5))
]  # fmt: skip
FOUND = [Target("decide", 2.5, 1.5, "x"), Target("load", None, 8, "s", at_most=True, note="not measured")]


def test_the_fastest_peer_is_the_measure() -> None:
    """The best of the field counts, not the one that looks best beside us."""
    assert (4.0, "zen-engine") == ratio_to_peers(CELLS, "compiled", 12)
    assert (None, "not measured") == ratio_to_peers(CELLS, "compiled", 10000)


def test_writing_the_readme_twice_changes_nothing() -> None:
    """Only what stands between the markers is the benchmark's, and it is replaced, not added to."""
    text = "before\n<!-- benchmark -->\nold\n<!-- /benchmark -->\nafter\n"
    block = report.block(CELLS, FOUND, "Measured somewhere.")

    once = report.with_block(text, block)
    assert once == report.with_block(once, block)
    assert once.startswith("before\n") and once.endswith("after\n") and "old" not in once  # noqa: PT018
    assert "| **ChangeGate** " in once


def test_a_readme_without_markers_is_left_alone() -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="benchmark"):
        report.with_block("no markers", "block")


def test_a_target_not_measured_is_not_met() -> None:
    """Silence is no success."""
    lines = report.checklist(FOUND).splitlines()

    assert "| yes " in lines[2]
    assert "| **no** " in lines[3]


def test_labels_of_the_plot_do_not_touch() -> None:
    """Names are moved as little as it takes."""
    placed = spread([5.0, 4.95, 4.9, 2.0], 0.2)

    assert all(above - below >= 0.2 - 1e-9 for above, below in pairwise(placed))
    assert 2.0 == placed[-1]
