"""The spare: the policy that was served last, kept so that a worker which replaces a dead one can serve it, too.

While the rules are wrong the workers go on with the policy before. One that starts then has never seen it, and finds it
here, in the service's own folder.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from pathlib import Path

from engine.files import PackFiles
from engine.server.entities import Entities


class Spare:
    """Keeps what a policy is made of in a folder that nobody else may write; without a folder nothing is kept."""

    def __init__(self, folder: str | None) -> None:
        self._file = Path(folder) / "policy" if folder else None

    def keep(self, packs: Sequence[PackFiles], entities: Entities) -> None:
        """Put it in the place of what was kept before; it is never seen half written."""
        if self._file is not None:
            unfinished = self._file.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(pickle.dumps((tuple(packs), entities)))
            unfinished.replace(self._file)

    def take(self) -> tuple[tuple[PackFiles, ...], Entities] | None:
        """What was kept; None if nothing was."""
        if self._file is None or not self._file.is_file():
            return None
        packs, entities = pickle.loads(self._file.read_bytes())  # noqa: S301  # this service wrote it, where only it may
        return packs, entities
