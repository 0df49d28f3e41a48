"""Runs one check: observes, judges, and turns a crash of the check itself into the verdict ``infra``.

Every check goes through here: of files, of plugins and their components, of libraries and of builds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from chimes.checks.check import Check
from chimes.evidence.finding import Finding
from chimes.evidence.record import CheckRecord, Facts
from chimes.evidence.verdict import Cause, CheckResult, Verdict
from chimes.text import escape

__all__ = ["Outcome", "join_outcomes", "judge_facts", "run_check", "skip_check"]

S = TypeVar("S")
LONGEST = 500
"""The most characters of a text in a finding."""
WORST_FIRST: tuple[Verdict, ...] = ("infra", "fail", "warn", "not_run", "pass", "not_applicable")


@dataclass(frozen=True)
class Outcome:
    """The result of one check, and the record of what it observed."""

    result: CheckResult
    record: CheckRecord


def run_check(check: Check[S], subject: S, *, where: str | None = None, inputs: Sequence[str] = ()) -> Outcome:
    """Run ``check`` on ``subject``. Never raises: a crash of the check is our fault, never a pass.

    ``where`` is put before the place of each finding. ``inputs`` may be a list that grows while the check observes.
    """
    return _run(check, lambda: check.observe(subject), where, inputs)


def judge_facts(check: Check[Any], facts: Facts) -> Outcome:
    """The outcome of ``check`` for facts that are known already."""
    return _run(check, lambda: facts)


def _run(
    check: Check[Any], observe: Callable[[], Facts], where: str | None = None, inputs: Sequence[str] = ()
) -> Outcome:
    started = time.monotonic()
    record = CheckRecord(code=check.code)
    cause: Cause | None = None
    try:
        facts = observe()
        record = CheckRecord(code=check.code, facts=facts)
        findings = tuple(_located(finding, where) for finding in check.judge(facts))
        verdict = _verdict(findings)
        if verdict != "pass" and (cause := check.cause(facts)) == "infra":
            verdict = "infra"
    except Exception as error:
        findings, verdict, cause = (_located(_crash(check, error), where),), "infra", "infra"
    said = tuple(finding.said for finding in findings if finding.said)
    return Outcome(
        CheckResult(code=check.code, verdict=verdict, cause=cause, findings=findings, inputs=tuple(inputs)),
        record.model_copy(update={"said": said, "seconds": round(time.monotonic() - started, 3)}),
    )


def skip_check(code: str, verdict: Verdict = "not_run") -> Outcome:
    """The outcome of a check that is not run."""
    return Outcome(CheckResult(code=code, verdict=verdict), CheckRecord(code=code))


def join_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    """Join the outcomes of one check in several cases: the worst verdict, all findings."""
    results = [outcome.result for outcome in outcomes]
    records = [outcome.record for outcome in outcomes]
    worst = min(results, key=lambda result: WORST_FIRST.index(result.verdict))
    return Outcome(
        worst.model_copy(
            update={
                "findings": tuple(finding for result in results for finding in result.findings),
                "inputs": tuple(digest for result in results for digest in result.inputs),
            }
        ),
        CheckRecord(
            code=worst.code,
            seconds=round(sum(record.seconds for record in records), 3),
            facts={"cases": [record.facts for record in records]},
            said=tuple(text for record in records for text in record.said),
        ),
    )


def _verdict(findings: Sequence[Finding]) -> Verdict:
    severities = {finding.severity for finding in findings}
    return "fail" if "error" in severities else "warn" if "warning" in severities else "pass"


def _located(finding: Finding, where: str | None) -> Finding:
    place = " ".join(part for part in (where, finding.where) if part)
    return finding.model_copy(
        update={"message": escape(finding.message, limit=LONGEST), "where": escape(place, limit=LONGEST) or None}
    )


def _crash(check: Check[S], error: Exception) -> Finding:
    finding = check.finding(
        f"the check {check.code} crashed with {type(error).__name__}",
        "report this to the authors of Chimes, with the file; the plugin is not at fault",
        said=f"{type(error).__name__}: {error}"[:LONGEST],
    )
    return finding.model_copy(update={"severity": "error"})
