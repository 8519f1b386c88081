"""Deadlines for many tasks that nearly all meet them: cheaper than a timer for each."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

# How many seconds pass between looks at who is late.
LOOK_EVERY = 0.25


class Deadlines:
    """Ends what a task does within `with deadlines:` when that takes longer than so many seconds, by TimeoutError."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[Any] | None, float] = {}
        self._late: set[asyncio.Task[Any] | None] = set()
        self._is_looking = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._ends[asyncio.current_task(loop)] = loop.time() + self._seconds
        if not self._is_looking:
            self._is_looking = True
            loop.call_later(LOOK_EVERY, self._look, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = asyncio.current_task()
        del self._ends[task]
        if task is None or task not in self._late:
            return
        self._late.discard(task)
        if not task.uncancel() and kind is asyncio.CancelledError:
            raise TimeoutError

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, end in self._ends.items():
            if end < now and task is not None and task not in self._late:
                self._late.add(task)
                task.cancel()
        self._is_looking = bool(self._ends)
        if self._is_looking:
            loop.call_later(LOOK_EVERY, self._look, loop)
