"""The life of a policy in a service: it is opened, watched, and replaced between two requests.

A change is checked completely before it is served; while it is wrong, the old policy stays. What is checked is
what was read, so files that change meanwhile are seen the next time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from engine.files import PackFiles, read_files
from engine.gate import InvalidRules, day_of
from engine.server.entities import Entities, WrongEntities, files_of, read_entities
from engine.server.live import Live, go_live
from engine.server.settings import Settings
from engine.server.spare import Spare

LOG = logging.getLogger("changegate")
# How many seconds pass between looks where nothing but a call of another worker is looked for.
LOOK_EVERY = 1.0
Stamp: TypeAlias = tuple[str, int, int, int] | None


class Second:
    """The second engine with the policy as it is on file, for another process."""

    def __init__(self, live: Live) -> None:
        self.version = live.version
        self.decide = live.second


def second_opinion(settings: Settings) -> Second:
    """The second engine as a service with these settings would have it; raises as Life does."""
    return Second(go_live(_read(settings), read_entities(settings.entities), day_of(settings.as_of)))


class Life:
    """Holds the live policy of a service; `reloaded` hears whether a change could be served, and the version that is.

    Raises InvalidRules, WrongEntities or ValueError when the first policy cannot be served.
    """

    def __init__(self, settings: Settings, reloaded: Callable[[bool, str], None]) -> None:
        self._settings = settings
        self._reloaded = reloaded
        self._as_of = day_of(settings.as_of)
        self._lock = threading.Lock()
        self._spare = Spare(settings.shared)
        self._bell = Path(settings.shared) / "bell" if settings.shared else None
        self._called = _stamp(self._bell)
        self._files = files_of(settings.entities)
        # Before anything is read: what changes meanwhile is seen at the next look.
        self._packs, self._stamps = self._look()
        self.live, self.is_stale = self._begin()

    def _begin(self) -> tuple[Live, bool]:
        """The first policy, and whether it is the one that was served last, since what is there now cannot be."""
        try:
            self._entities = read_entities(self._settings.entities)
            return self._serve(self._packs, self._entities), False
        except (InvalidRules, WrongEntities) as error:
            spare = self._spare.take()
            if spare is None:
                raise
            LOG.error("what is there cannot be served, so what was served last is:\n%s", error)  # noqa: TRY400
            packs, self._entities = spare
            return self._serve(packs, self._entities), True

    async def watch(self) -> None:
        """Look for changes again and again, and serve what has changed, until cancelled."""
        seen: object = None
        while True:
            await asyncio.sleep(self._settings.watch or LOOK_EVERY)
            try:
                seen = await asyncio.to_thread(self._follow, seen)
            except Exception:  # whatever it is, the policy stays and is watched
                LOG.exception("the rules could not be looked at")

    def call(self) -> bool:
        """Read everything anew, here and in every other worker; False where what is there cannot be served."""
        if self._bell is not None:
            self._bell.write_text(str(time.time_ns()), encoding="ascii")
            self._called = _stamp(self._bell)
        return self.reload()

    def reload(self, *, entities_too: bool = True) -> bool:
        """Read everything anew and serve it; False, with the reason in the log, where that cannot be.

        Without `entities_too`, entities are read only if their files have changed, or could not be served before.
        """
        with self._lock:
            before = self._stamps
            self._packs, self._stamps = self._look()
            try:
                if entities_too or self.is_stale or self._stamps != before:
                    self._entities = read_entities(self._settings.entities)
                live = self._serve(self._packs, self._entities)
            except (InvalidRules, WrongEntities) as error:
                return self._keep(str(error))
            except Exception as error:
                LOG.exception("the policy could not be opened")
                return self._keep(repr(error))
            return self._swap(live)

    def _serve(self, packs: tuple[PackFiles, ...], entities: Entities) -> Live:
        live = go_live(packs, entities, self._as_of)
        live.warm()
        self._spare.keep(packs, entities)
        return live

    def _swap(self, live: Live) -> bool:
        LOG.info("serving policy %s", live.version)
        self.live, self.is_stale = live, False
        self._reloaded(True, live.version)
        return True

    def _keep(self, why: str) -> bool:
        LOG.error("the change is not served, the policy before it is (%s):\n%s", self.live.version, why)
        self.is_stale = True
        self._reloaded(False, self.live.version)
        return False

    def _follow(self, seen: object) -> object:
        """Serve a change that was there at the last look, too, or one that another worker calls for."""
        if self._called != (called := _stamp(self._bell)):
            self._called = called
            self.reload()
        if self._settings.watch <= 0:
            return None
        now = self._look()
        if now == seen and now != (self._packs, self._stamps):
            self.reload(entities_too=False)
        return now

    def _look(self) -> tuple[tuple[PackFiles, ...], tuple[Stamp, ...]]:
        """The rules as they are, and what tells that a file of entities has changed."""
        return _read(self._settings), tuple(map(_stamp, self._files))


def _read(settings: Settings) -> tuple[PackFiles, ...]:
    return tuple(read_files(folder) for folder in settings.rules)


def _stamp(file: str | Path | None) -> Stamp:
    if file is None:
        return None
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return str(file), found.st_ino, found.st_mtime_ns, found.st_size
