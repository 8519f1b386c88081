"""The shadow: a share of decisions is made again by the second engine, in a process of its own.

The service is never held up by it, and never goes down with it. What differs is logged and counted; so is what could
not be compared.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, Literal, TypeAlias

from engine.decision import Decision
from engine.server.journal_lines import fingerprint
from engine.server.shadow_process import Ended, Process, SecondOpinion

__all__ = ["SecondOpinion", "Shadow"]

# How many decisions may wait to be compared; they hold their requests in memory.
MAX_WAITING = 256
# How long to wait before the process is started again: each time twice as long, until one stays well.
FIRST_PAUSE = 1.0
MAX_PAUSE = 60.0
# How old an opinion is when its process counts as well, and when one of another version is made anew unasked.
SETTLED = 60.0
# How often to look whether an idle process still lives.
LOOK_EVERY = 1.0
_DAY: Final = 24 * 60 * 60
# Parts that only `detail="full"` works out; the second engine is not asked to.
_LONG: Final = ("unknown", "alternatives", "assumptions")
_LOGGER = logging.getLogger("changegate.shadow")
Result: TypeAlias = Literal["agreed", "different", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class _Offer:
    version: str
    request: Mapping[str, Any]
    decision: Decision
    locale: str
    time: float


class Shadow:
    """Has a share (0 to 1) of decisions made again.

    `make` makes the second opinion; it is pickled and run in the other process. `notice` hears the result of each
    decision that was picked, from any thread: `agreed`, `different`, `skipped` (no room, no opinion, or one of
    another version) or `failed` (it could not be had; each breakdown of the process counts). `digest` names a request in the
    log; give that of the decision log, and its lines are found. Raises ValueError for a share that is none.
    """

    def __init__(
        self,
        share: float,
        make: Callable[[], SecondOpinion],
        notice: Callable[[str], None],
        digest: Callable[[Mapping[str, Any]], str] = fingerprint,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"the share of decisions to make again is {share}; it goes from 0 to 1")
        self._share = share
        self._make = make
        self._notice = notice
        self._digest = digest
        self._waiting: SimpleQueue[_Offer | None] = SimpleQueue()
        self._is_stale = self._is_over = False
        self._process: Process | None = None
        self._version: str | None = None
        self._made = 0.0
        self._thread = threading.Thread(target=self._run, name="changegate-shadow", daemon=True)

    def start(self) -> None:
        """Start the process, in the background; once only."""
        self._thread.start()

    def offer(self, version: str, request: Mapping[str, Any], decision: Decision, locale: str = "en") -> None:
        """Have a decision of this version of the policy made again, if it is picked; at once, and without fail.

        `locale` is that of the decision's texts. The request must stay as it is.
        """
        if random.random() >= self._share:  # noqa: S311  # a sample, no secret
            return
        if self._waiting.qsize() >= MAX_WAITING or self._is_over:
            self._notice("skipped")
        else:
            self._waiting.put(_Offer(version, request, decision, locale, time.time()))

    def reload(self) -> None:
        """Have the second opinion made anew, after the policy has changed; at once."""
        self._is_stale = True
        self._waiting.put(None)

    def stop(self) -> None:
        """End the process; what still waits is not compared. Takes a few seconds at most."""
        self._is_over = True
        self._waiting.put(None)
        for _ in range(20 if self._thread.ident else 0):
            self._thread.join(0.25)
            if not self._thread.is_alive():
                return
            if (process := self._process) is not None:
                process.kill()

    def _run(self) -> None:
        """Keep a process running, with growing pauses where it keeps breaking down."""
        pause = FIRST_PAUSE
        while not self._is_over:
            try:
                self._work()
            except Exception as error:  # noqa: BLE001  # whatever it is, the service goes on
                if self._is_over:
                    return
                pause = FIRST_PAUSE if self._is_settled else pause
                why = str(error) if isinstance(error, Ended) else type(error).__name__
                self._tell("failed", "the second engine broke down and starts again in %g s: %s", pause, why)
                self._rest(pause)
                pause = min(2 * pause, MAX_PAUSE)

    def _work(self) -> None:
        """Compare what is offered, until it is over; raises Ended."""
        self._process = process = Process(self._make)
        try:
            self._remake(process)
            while not self._is_over:
                try:
                    offer = self._waiting.get(timeout=LOOK_EVERY)
                except Empty:
                    process.check()
                    continue
                if offer is not None:
                    self._compare(offer, process)
                elif self._is_stale and not self._is_over:
                    self._remake(process)
        finally:
            self._process = None
            process.end()

    def _rest(self, seconds: float) -> None:
        """Wait; what is offered meanwhile is skipped."""
        end = time.monotonic() + seconds
        while not self._is_over and (left := end - time.monotonic()) > 0:
            try:
                if self._waiting.get(timeout=left) is not None:
                    self._notice("skipped")
            except Empty:
                return

    def _remake(self, process: Process) -> None:
        """Have the opinion made anew; raises Ended."""
        self._is_stale, self._version = False, None
        result, said = process.ask(None)
        if result != "made":
            raise Ended(f"it cannot have the policy: {said}")
        self._version, self._made = str(said), time.monotonic()
        _LOGGER.info("the second engine has policy %s", said)

    @property
    def _is_settled(self) -> bool:
        return self._version is not None and time.monotonic() - self._made > SETTLED

    def _compare(self, offer: _Offer, process: Process) -> None:
        """Have a decision made again, and say what came of it; raises Ended."""
        if offer.version != self._version and self._is_settled:
            # Files may change between two readings, and change back before the service has seen it.
            self._remake(process)
        if offer.version != self._version:
            self._notice("skipped")
            return
        _, answer = process.ask((offer.request, offer.locale))
        said = offer.decision.to_dict()
        if not isinstance(answer, dict):
            self._tell("failed", "the second engine cannot decide %s: %s", self._digest(offer.request), answer)
        elif not (parts := _differing(said, answer)):
            self._notice("agreed")
        elif "policy" in parts and _is_about_midnight(offer.time):
            self._notice("skipped")
        else:
            self._tell(
                "different",
                "the engines differ on %s, in %s: the first says %s, the second %s",
                self._digest(offer.request), ", ".join(parts), _in_short(said), _in_short(answer),
            )  # fmt: skip

    def _tell(self, result: Result, message: str, *values: object) -> None:
        _LOGGER.error(message, *values)
        self._notice(result)


def _differing(said: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
    """The parts on which two decisions differ, but for those that only the first one was asked for."""
    parts = [part for part in {**said, **answer} if part not in _LONG or answer.get(part) is not None]
    return [part for part in parts if part not in said or part not in answer or said[part] != answer[part]]


def _in_short(decision: Mapping[str, Any]) -> str:
    rules = [str(reason.get("rule")) for reason in decision.get("reasons") or ()]
    return f"{decision.get('outcome')} ({decision.get('cause')}; {', '.join(rules) or 'no rule'})"


def _is_about_midnight(offered: float) -> bool:
    """Whether a day (UTC) has begun since, or just before, so that `today` was not the same one for both."""
    return (offered - 60) // _DAY != time.time() // _DAY
