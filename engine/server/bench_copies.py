"""Copies of the rules with an author's edits: checked, opened and put to the cases, all of it in memory."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import PurePath

from engine.author import Checked, check, uncollected
from engine.cases import Result, needs_detail, readings_of, request_of, run_case
from engine.files import NotRead, PackFile, PackFiles, decode
from engine.finding import short
from engine.gate import Gate
from engine.load import Loaded, load_files
from engine.model import Case, Pack
from engine.server.problems import bad

# How many copies are kept, so that the same edits need not be read again.
KEPT = 4
MAX_NAME = 200


@dataclass(eq=False)
class Copy:
    """Rules as they are or as an author edits them, with everything that is wrong with them.

    `gates[n]` is the policy of the first n + 1 packs, the last one the whole; with errors there are none. A pack that
    is not sound without those above it is decided with them.
    """

    files: tuple[PackFiles, ...]
    checked: Checked
    gates: tuple[Gate, ...]
    _variants: dict[tuple[int, frozenset[tuple[str, str]]], Gate] = field(default_factory=dict)

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """All cases, run."""
        return tuple(map(self.run, self.gates[-1].pack.cases))

    def run(self, case: Case) -> Result:
        """A case, decided by the packs up to its own; in detail only if its expectations need that."""
        return run_case(case, self._gate(case), "full" if needs_detail(case) else None)

    def _gate(self, case: Case) -> Gate:
        """The policy that decides the case; where it chooses readings, the engine that needs no preparation."""
        gate, readings = self.gates[case.layer], frozenset(readings_of(case).items())
        if not readings:
            return gate
        if (case.layer, readings) not in self._variants:
            known = gate.pack.readings
            chosen = {reading: replace(known[reading], chosen=option) for reading, option in readings}
            pack = replace(gate.pack, readings={**known, **chosen})
            # What this policy's own version would be, nobody asks.
            self._variants[case.layer, readings] = Gate(pack, gate.as_of, "reference", gate.version)
        return self._variants[case.layer, readings]


class Copies:
    """Makes copies, and keeps the last few of them. Not for several threads at once."""

    def __init__(self) -> None:
        self._load = lru_cache(maxsize=1024)(_load)
        self._check = lru_cache(maxsize=2 * KEPT)(self._checked)
        self.open = lru_cache(maxsize=KEPT)(self._opened)

    def _opened(self, files: tuple[PackFiles, ...], as_of: datetime.date | None) -> Copy:
        """The packs in these files, one upon the other."""
        checked = self._check(files)
        if checked.errors:
            return Copy(files, checked, ())
        gates = [Gate(checked.pack, as_of)]
        for count in reversed(range(1, len(files))):
            below = self._check(files[:count])
            gates.insert(0, gates[0] if below.errors else Gate(below.pack, as_of, version=gates[0].version))
        return Copy(files, checked, tuple(gates))

    def _checked(self, files: tuple[PackFiles, ...]) -> Checked:
        """As `check_files`, but a file that has not changed is not read again."""
        with uncollected():
            return check([self._loaded(pack) for pack in files])

    def _loaded(self, pack: PackFiles) -> Loaded:
        if not pack.files:
            return load_files(pack)
        loaded = load_files(replace(pack, files=()))
        loaded.findings[:] = pack.findings  # it is not empty, as it seemed
        for file in pack.files:
            found = self._load(file)
            loaded.documents += found.documents
            loaded.texts |= found.texts
            loaded.findings += found.findings
            loaded.partial |= found.partial
        return loaded


def _load(file: PackFile) -> Loaded:
    return load_files(PackFiles(file.name, (file,), ()))


# --- edits ---


def texts(packs: Sequence[PackFiles]) -> dict[str, str]:
    """The texts of the files that can be read, by name."""
    found = {}
    for file in (file for pack in packs for file in pack.files):
        text = _text(file)
        if text is not None:
            found[file.name] = text
    return found


def edited(packs: Sequence[PackFiles], edits: Mapping[str, str]) -> tuple[PackFiles, ...]:
    """The packs with these texts in their files, by name, and with new files; raises Problem 400 for a name that none can have."""
    known = {file.name for pack in packs for file in pack.files}
    added: dict[int, list[PackFile]] = {}
    for name, text in edits.items():
        if name not in known:
            added.setdefault(_home(name, packs), []).append(PackFile(name, text.encode()))
    return tuple(
        replace(pack, files=(*(_edited(file, edits.get(file.name)) for file in pack.files), *added.get(number, ())))
        for number, pack in enumerate(packs)
    )


def _edited(file: PackFile, text: str | None) -> PackFile:
    return file if text is None or text == _text(file) else PackFile(file.name, text.encode())


def _text(file: PackFile) -> str | None:
    try:
        return decode(file.data, file.name) if isinstance(file.data, bytes) else None
    except NotRead:
        return None


def _home(name: str, packs: Sequence[PackFiles]) -> int:
    """The number of the pack that a new file of this name would belong to; raises Problem 400."""
    path = PurePath(name)
    homes = {number: len(pack.folder) for number, pack in enumerate(packs) if _could_hold(pack, path)}
    if str(path) != name or not name.isprintable() or len(name) > MAX_NAME or path.suffix != ".yaml" or not homes:
        example = PurePath(packs[-1].folder) / "more.yaml"
        raise bad(f"`{short(name)}` in `edits` can be no file of the rules; a new one is named such as `{example}`")
    return max(homes, key=lambda number: (homes[number], number))


def _could_hold(pack: PackFiles, path: PurePath) -> bool:
    """Whether a file of this name would be read as one of the pack, by the name alone."""
    folder = PurePath(pack.folder)
    is_file = any(PurePath(file.name) == folder for file in pack.files)
    if is_file or path == folder or not path.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


# --- cases ---


@dataclass(frozen=True, slots=True)
class Tried:
    """A case as it is answered by an edited copy, and by the rules as they are (`before`)."""

    after: Result
    before: Result


def try_cases(copy: Copy, base: Copy) -> Iterator[Tried]:
    """The cases of a copy, in order; those that its edits cannot have changed are not decided again."""
    untouched = {
        file.name
        for pack, before in zip(copy.files, base.files, strict=True)
        for file in {*pack.files} & {*before.files}
    }
    known = {(result.case.layer, result.case.place): result for result in base.results}
    is_alike = lru_cache(maxsize=None)(_Alike(copy, base))
    for case in copy.gates[-1].pack.cases:
        before = known.get((case.layer, case.place)) if case.place.file in untouched else None
        if before is None:
            yield Tried(copy.run(case), _before(case, base))
        elif before.decision is not None and is_alike(case.layer, str(request_of(case)["action"]["name"])):
            yield Tried(before, before)
        else:
            yield Tried(copy.run(case), before)


def _before(case: Case, base: Copy) -> Result:
    """A case that was not there; one that chooses a reading which was not there either could not be put."""
    could_be_put = readings_of(case).keys() <= base.gates[case.layer].pack.readings.keys()
    return base.run(case) if could_be_put else Result(case, None, ())


class _Alike:
    """Whether an action is decided alike by two copies, as far as that can be seen without deciding."""

    def __init__(self, one: Copy, other: Copy) -> None:
        self._gates = (one.gates, other.gates)
        self._share = lru_cache(maxsize=None)(self._have_the_same_facts)

    def __call__(self, layer: int, action: str) -> bool:
        one, other = (gates[layer].pack for gates in self._gates)
        return self._share(layer) and _of_action(one, action) == _of_action(other, action)

    def _have_the_same_facts(self, layer: int) -> bool:
        one, other = (gates[layer].pack for gates in self._gates)
        return one is other or (one.facts, one.tables, one.readings) == (other.facts, other.tables, other.readings)


def _of_action(pack: Pack, action: str) -> object:
    return pack.actions.get(action), {rule.id: rule for rule in pack.rules.values() if action in rule.actions}
