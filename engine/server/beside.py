"""What runs beside the answers of a worker: the watch over the rules and over the launcher, and the second engine."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from engine.server.journal import Journal
from engine.server.service import Service
from engine.server.settings import Settings
from engine.server.shadow import Shadow
from engine.server.telemetry import Telemetry

LOG = logging.getLogger("changegate")
# How many seconds pass between looks at the launcher, and at how much there is to do.
LOOK_EVERY = 1.0


class Beside:
    """Begins and ends with the application (a middleware of Falcon's, for its lifespan).

    `launcher` is the process that started this one, if it is to end with it.
    """

    def __init__(
        self,
        settings: Settings,
        service: Service,
        journal: Journal | None,
        shadow: Shadow | None,
        traces: Telemetry,
        launcher: int | None,
    ) -> None:
        # How many requests are being answered; the guard knows, once it is there.
        self.in_flight: Callable[[], int] = lambda: 0
        self._settings = settings
        self._service = service
        self._journal = journal
        self._shadow = shadow
        self._traces = traces
        self._launcher = launcher
        self._tasks: list[asyncio.Task[None]] = []

    async def process_startup(self, _scope: Any, _event: Any) -> None:
        """Begin."""
        live = self._service.life.live
        LOG.info("answering at %s with policy %s", self._settings.url, live.version)
        self._service.metrics.serving(live.version, time.time())
        if self._settings.watch > 0 or self._settings.shared is not None:
            self._begin(self._service.life.watch())
        self._begin(self._count())
        if self._launcher is not None:
            self._begin(_end_with(self._launcher))
        if self._shadow is not None:
            self._shadow.start()

    async def process_shutdown(self, _scope: Any, _event: Any) -> None:
        """End, with nothing left undone."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self._shadow is not None:
            await asyncio.to_thread(self._shadow.stop)
        if self._journal is not None:
            self._journal.close()
        await asyncio.to_thread(self._traces.shutdown)

    async def _count(self) -> None:
        """Say now and then how many requests are being answered: to do so for each would cost each of them."""
        while True:
            self._service.metrics.in_flight.set(self.in_flight())
            await asyncio.sleep(LOOK_EVERY)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))


async def _end_with(launcher: int) -> None:
    """End this process, as if it had been told to, once its launcher is gone: nobody would replace or stop it."""
    while os.getppid() == launcher:  # noqa: ASYNC110  # nothing tells when a process that is no child ends
        await asyncio.sleep(LOOK_EVERY)
    LOG.error("the process that started this worker is gone, so this one ends, too")
    os.kill(os.getpid(), signal.SIGTERM)
