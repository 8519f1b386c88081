"""The author's side: folders of YAML in, a pack and every finding out."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.check import check_completeness, check_logic
from engine.compose import compose
from engine.declare import declare
from engine.files import PackFiles, read_files
from engine.finding import Finding, in_reading_order
from engine.load import Loaded, load_files
from engine.model import Pack
from engine.stack import HEARSAY, stack_up


@dataclass(frozen=True, slots=True)
class Checked:
    """The outcome of reading packs: the pack, sound where no finding is an error, and all findings in reading order.

    `texts` are the files' texts by name, for snippets.
    """

    pack: Pack
    findings: tuple[Finding, ...]
    texts: Mapping[str, str]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a policy from opening."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


def read_packs(folders: Iterable[str | Path]) -> Checked:
    """The packs in the folders, stacked in the order given, with everything that is wrong with them."""
    return check_files(map(read_files, folders))


def check_files(packs: Iterable[PackFiles]) -> Checked:
    """Packs whose files have been read, stacked in the order given, with everything that is wrong with them."""
    with uncollected():
        return check([load_files(pack) for pack in packs])


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for garbage in cycles: where much is read it takes longer than reading, and finds nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def check(layers: Sequence[Loaded]) -> Checked:
    """Loaded packs, stacked and checked."""
    stack = stack_up([layer.documents for layer in layers], any(layer.partial for layer in layers))
    declared = declare(stack)
    pack = compose(stack, declared)
    findings = [finding for layer in layers for finding in layer.findings] + stack.findings
    findings.extend(check_logic(pack))
    if stack.partial:
        # What cannot be read may declare every name that seems to be unknown.
        findings = [finding for finding in findings if finding.code not in HEARSAY]
    if any(finding.severity == "error" for finding in findings):
        # A fact that is declared wrongly only seems to be undeclared.
        findings = [finding for finding in findings if finding.code != "stray-fact"]
    else:
        # With a rule broken, what it reads and cites would only seem to be unread and uncited.
        findings.extend(check_completeness(pack))
    texts = {file: text for layer in layers for file, text in layer.texts.items()}
    return Checked(pack, in_reading_order(findings), texts)
