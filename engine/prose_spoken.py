"""Explanations in prose: how `engine.explain` tells a condition in a person's language."""

from __future__ import annotations

from engine.condition import All, Any, Compare, Not, Operand, Presence
from engine.kleene import Known, NotAsked, State
from engine.model import Arithmetic, FactDeclaration
from engine.phrases import phrases
from engine.prose import Prose, plain
from engine.prose_pieces import text_of
from engine.prose_words import grammar


class Spoken:
    """Tells the nodes of explanations in the words of a language."""

    def __init__(self, prose: Prose) -> None:
        self._prose = prose
        self._grammar = grammar(prose.language)

    def test(self, condition: Compare | Presence) -> str:
        """A single test, as a sentence."""
        return plain(self._prose.say(condition))

    def head(self, condition: All | Any | Not) -> str:
        """What the terms stand below: `all of these hold:` and the like."""
        match condition:
            case All(terms):
                return self._head("all" if terms else "always")
            case Any(terms):
                return self._head("any" if terms else "never")
            case Not(Any(terms)) if terms:
                return self._head("none" if len(terms) > 1 else "none_one")
            case Not():
                return self._head("not")

    def _head(self, name: str) -> str:
        return str(self._grammar["heads"][name])

    def means(self, path: str) -> str:
        """What a derived fact says when its condition holds."""
        return self._prose.beginning("means", path, True)

    def when(self, fact: FactDeclaration, value: Operand) -> str:
        """That the fact has the value."""
        return self._prose.beginning("when", fact.path, value)

    def reckoned(self, path: str, arithmetic: Arithmetic) -> str:
        """How the fact is worked out, as a sentence."""
        return text_of(self._prose.reckoned(path, arithmetic))

    def state(self, path: str, state: State) -> str:
        """The value with where it comes from, or what is known of it."""
        match state:
            case Known(value, via):
                shown = self._prose.value(path, value)
                return shown if via == "request" else f"{shown} ({self._grammar['states'][via]})"
            case NotAsked():
                return str(self._grammar["states"]["not_asked"])
            case _ if state.invalid or state.clashes:
                return str(self._grammar["states"]["invalid"])
            case _:
                return phrases(self._prose.language)["not_known"]
