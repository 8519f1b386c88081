"""The process that has a second opinion: what runs in it, and how it is started, asked and ended.

It is a process of its own, since the second engine is C code that may crash or never come back. It ends with whoever
started it: at the end of the connection, and where it is stuck by an alarm.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Literal, Protocol, TypeAlias

# How many seconds it may take to make an opinion, to have one, and to end.
MAKING = 600.0
DECIDING = 60.0
ENDING = 2.0
# What is asked for: an opinion made anew, or its decision on a request with texts in the language of a locale.
Question: TypeAlias = tuple[Mapping[str, Any], str] | None
# A version, or a decision; or what went wrong.
Answer: TypeAlias = tuple[Literal["made", "failed"], str] | tuple[Literal["decided"], dict[str, Any]]


class SecondOpinion(Protocol):
    """Another engine with the same policy."""

    @property
    def version(self) -> str:
        """The version of its policy."""
        ...

    def decide(self, request: Mapping[str, Any], locale: str) -> dict[str, Any]:
        """The decision on a request, as `Decision.to_dict` has it, with texts in the language of the locale."""
        ...


class Ended(Exception):
    """The process has ended, or had to be ended; its text says how."""


class Process:
    """A running process with a second opinion; `make` makes that, and must be picklable."""

    def __init__(self, make: Callable[[], SecondOpinion]) -> None:
        context = get_context("spawn")
        self._connection, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, make), name="changegate-shadow", daemon=True)
        self._process.start()
        there.close()

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise Ended if it runs no more."""
        if not self._process.is_alive():
            raise Ended(self._how())

    def ask(self, question: Question) -> Answer:
        """Its answer; raises Ended if it cannot give one, and what pickling raises for data that cannot be sent."""
        limit = MAKING if question is None else DECIDING
        try:
            self._connection.send(question)
            if self._connection.poll(limit):
                answer: Answer = self._connection.recv()
                return answer
        except (OSError, EOFError):
            raise Ended(self._how()) from None
        self.kill()
        raise Ended(f"no answer within {limit:g} seconds")

    def kill(self) -> None:
        """End it at once; another thread that waits for its answer then gets Ended."""
        with suppress(ValueError):
            self._process.kill()

    def end(self) -> None:
        """End it, at once if need be, and clean up."""
        self._connection.close()
        self._process.join(ENDING)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()

    def _how(self) -> str:
        self._process.join(ENDING)
        code = self._process.exitcode
        name = signal.strsignal(-code) if code is not None and code < 0 else None
        return f"its process ended: {name or f'exit code {code}'}"


def _serve(connection: Connection[Answer, Question], make: Callable[[], SecondOpinion]) -> None:
    """Answer questions until nobody can ask any more; an opinion that cannot be made leaves the one before it."""
    # Who interrupts the service at a terminal interrupts this, too; the service says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    opinion: SecondOpinion | None = None
    with suppress(EOFError, OSError):
        while True:
            question = connection.recv()
            signal.alarm(int(ENDING + (MAKING if question is None else DECIDING)))
            try:
                if question is None:
                    opinion = make()
                    answer: Answer = ("made", opinion.version)
                elif opinion is None:
                    answer = ("failed", "there is no second opinion")
                else:
                    answer = ("decided", opinion.decide(*question))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is the asker who tells
                answer = ("failed", _in_short(error, question))
            signal.alarm(0)
            connection.send(answer)


def _in_short(error: Exception, question: Question) -> str:
    """What went wrong in a line; what was asked may be in an error's text, and stays here."""
    text = str(error).partition("\n")[0] if question is None else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
