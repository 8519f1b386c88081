"""What the workbench works out: answers with all their reasons and a form, and what edits of the rules would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.cases import Result
from engine.decide import Detail
from engine.decision import Decision
from engine.explain import explain
from engine.finding import Finding
from engine.gate import Gate
from engine.model import Case
from engine.policy import EngineFailure
from engine.prose import Prose
from engine.prose_spoken import Spoken
from engine.request import InvalidRequest
from engine.server.bench_copies import KEPT, Copies, Copy, Tried, edited, try_cases
from engine.server.bench_data import posed
from engine.server.bench_fields import fields
from engine.server.entities import WrongEntities
from engine.server.live import Live, bound_to
from engine.server.problems import Problem, bad, busy

# More findings than these nobody reads at once.
MAX_FINDINGS = 1000


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: a request, or None; the language of the answer, or None for the policy's own; edited texts by name.

    Without detail an answer leaves out alternatives and assumptions, and comes the sooner.
    """

    request: Mapping[str, Any] | None
    locale: str | None
    edits: Mapping[str, str]
    detail: Detail = "full"


class Workshop:
    """Answers of the workbench as JSON data. Making a copy of the rules takes a while, and is for one thread at a time."""

    def __init__(self) -> None:
        self._copies = Copies()
        self._bound = lru_cache(maxsize=KEPT)(_bound)
        self._prose = lru_cache(maxsize=4 * KEPT)(_prose)

    def edited(self, live: Live, edits: Mapping[str, str]) -> Live:
        """The policy with the edits, as it would be live; raises Problem 400, or 409 where it could not be."""
        copy = self._copy(live, edits)
        if copy.checked.errors:
            first = copy.checked.errors[0]
            raise Problem(409, f"the edited rules have errors, the first at {first.place}: {first.message}")
        try:
            return self._bound(copy, live)
        except WrongEntities as wrong:
            raise Problem(409, f"the entities do not go with the edited rules: {wrong}") from None

    def answer(
        self, live: Live, request: Mapping[str, Any], locale: str | None, detail: Detail = "full"
    ) -> dict[str, Any]:
        """The decision on a request, its explanation and the form's fields; raises Problem 400 or 503."""
        language = live.language(locale) if locale else live.own_language
        gate = live.gate(_subject_type(request))
        prose = self._prose(gate, language)
        try:
            decision = gate.decide(request, detail, language)
            return {
                "decision": decision.to_dict(),
                "explained": _explained(gate, request, decision, prose),
                "fields": [field.to_dict() for field in fields(gate, request, decision, prose)],
            }
        except InvalidRequest as wrong:
            raise bad(str(wrong)) from None
        except EngineFailure as failed:
            raise busy(str(failed)) from None

    def tried(self, live: Live, trial: Trial) -> dict[str, Any]:
        """What is wrong with the edited rules; without errors their cases, and the answer to the request, too.

        Raises Problem 400 where the edits are none. What is wrong with the request is told beside the rest.
        """
        copy = self._copy(live, trial.edits)
        found: dict[str, Any] = {
            "findings": _findings(copy.checked.findings), "errors": len(copy.checked.errors),
            "cases": None, "answer": None, "problem": None, "version": None,
        }  # fmt: skip
        if copy.checked.errors:
            return found
        cases = _cases(list(try_cases(copy, self._copy(live, {}))))
        found.update(cases=cases, version=copy.gates[-1].version)
        try:
            now = self.edited(live, trial.edits)
            found["version"] = now.version
            if trial.request is not None:
                found["answer"] = self.answer(now, trial.request, trial.locale)
        except Problem as problem:
            found["problem"] = problem.detail
        return found

    def _copy(self, live: Live, edits: Mapping[str, str]) -> Copy:
        return self._copies.open(edited(live.files, edits), live.gate(None).as_of)


def _bound(copy: Copy, live: Live) -> Live:
    return bound_to(copy.gates[-1], live.entities, copy.files)


def _prose(gate: Gate, language: str) -> Prose:
    return Prose(gate.pack, language)


def _subject_type(request: Mapping[str, Any]) -> str | None:
    subject = request.get("subject")
    kind = subject.get("type") if isinstance(subject, Mapping) else None
    return kind if isinstance(kind, str) else None


def _explained(gate: Gate, request: Mapping[str, Any], decision: Decision, prose: Prose) -> list[dict[str, Any]]:
    judged = gate.judged(request, decision.answered_for)
    return [each.to_dict() for each in explain(*judged, saying=Spoken(prose))] if judged else []


def _findings(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """The findings in reading order; of too many the errors first."""
    if len(findings) > MAX_FINDINGS:
        errors_first = sorted(findings, key=lambda each: each.severity != "error")
        findings = tuple(sorted(errors_first[:MAX_FINDINGS]))
    return [finding.to_dict() for finding in findings]


def _cases(tried: list[Tried]) -> dict[str, Any]:
    changed = ((each.after.case, _short(each.before), _short(each.after)) for each in tried)
    return {
        "run": len(tried),
        "failed": [_failed(each.after) for each in tried if not each.after.passed],
        "changed": [
            {**_posed(case), "before": before, "after": after} for case, before, after in changed if before != after
        ],
    }


def _failed(result: Result) -> dict[str, Any]:
    mismatches = [{"part": each.part, "expected": each.expected, "actual": each.actual} for each in result.mismatches]
    return {**_posed(result.case), "mismatches": mismatches}


def _posed(case: Case) -> dict[str, Any]:
    """The name of a case, and its request, which the page can ask again; None where no request can put it."""
    return {"case": case.name, "request": posed(case)}


def _short(result: Result) -> dict[str, Any] | None:
    """An answer in short; None to what is no request."""
    decision = result.decision
    if decision is None:
        return None
    duties = [duty.rule for duty in decision.obligations]
    return {"outcome": decision.outcome, "cause": decision.cause, "rules": list(decision.rules), "duties": duties}
