"""Computes the outcome of a run from its documents. Pure; if anything is inconsistent, the outcome is infra."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from chimes.checks.catalogue import FILE_CHECKS
from chimes.conformance.catalogue import COMPONENT_CHECKS, ENTRY_CHECKS
from chimes.conformance.suites.libraries import LIBRARY_CHECKS
from chimes.conformance.suites.plugins import S21
from chimes.evidence.verdict import CheckResult, VerdictDocument
from chimes.kinds.backend import JobState, JobStatus
from chimes.text import escape

from chimes_marketplace.lanes.documents import parse_verdict
from chimes_marketplace.lanes.results import Assessment, Expected
from chimes_marketplace.lanes.runfolder import RunDocuments

__all__ = ["REQUIRED", "assess", "assess_run"]

CLEAN, FOUND = 0, 1
"""The exit statuses of ``chimes check`` that mean a verdict."""
FILE_CODES = frozenset(check.code for check in FILE_CHECKS)
REQUIRED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "plugin": FILE_CODES | {check.code for check in ENTRY_CHECKS} | {S21.code},
        "library": FILE_CODES | {check.code for check in LIBRARY_CHECKS} | {S21.code},
    }
)
"""For each type of distribution: the checks that must have been run on its file and its entry module."""
SEEDED = frozenset(check.code for check in COMPONENT_CHECKS if check.seeded)
"""Checks that may be ``not_run`` if a harness cannot seed its source."""
ANSWERED = ("pass", "warn", "fail", "not_applicable")


def assess_run(
    status: JobStatus, documents: RunDocuments, expected: Expected, stderr: bytes, run_s: float
) -> Assessment:
    """Clean or findings only if job, exit status and verdict document agree; else infra, with the reason."""
    if status.state == JobState.TIMED_OUT:
        return _infra(f"the run did not end within {run_s:.0f} s")
    if status.exit_code not in (CLEAN, FOUND):
        return _infra(_explain_exit(status, stderr))
    assessment = assess(documents.verdict, expected)
    if assessment.outcome == "infra" or (status.exit_code == CLEAN) == (assessment.outcome == "clean"):
        return assessment
    return _infra(f"the exit status {status.exit_code} contradicts the verdict document ({assessment.outcome})")


def assess(document: bytes | None, expected: Expected) -> Assessment:
    """The outcome that the verdict document states. A document that cannot be understood is infra, never clean."""
    if document is None:
        return _infra("the run left no verdict document")
    try:
        verdict = parse_verdict(document)
    except ValueError as error:
        return _infra(escape(f"the verdict document cannot be understood: {error}", limit=500))
    reason = _mismatch(verdict, expected)
    return _infra(reason) if reason else _judge(verdict, expected)


def _mismatch(verdict: VerdictDocument, expected: Expected) -> str | None:
    """How the document differs from the expected values; None if it does not."""
    wanted = {
        "file": expected.filename,
        "sha256": expected.sha256,
        "nonce_sha256": hashlib.sha256(bytes.fromhex(expected.nonce)).hexdigest(),
        "sandboxed": True,
    }
    wrong = [key for key, value in wanted.items() if getattr(verdict, key) != value]
    return f"the verdict document is not that of this run: its {wrong[0]} differs" if wrong else None


def _judge(verdict: VerdictDocument, expected: Expected) -> Assessment:
    # The finding of a check that itself failed is about Chimes, not about the plugin.
    judged = (result for result in verdict.results if result.verdict != "infra")
    errors = [finding for result in judged for finding in result.findings if finding.severity == "error"]
    if any(finding.rejects for finding in errors):
        return Assessment(outcome="findings", verdict=verdict)
    broken = next((result for result in verdict.results if _is_broken(result)), None)
    if broken is not None:
        return _infra(f"the check {broken.code} itself failed")
    if missing := _missing(verdict, expected.type):
        return _infra(f"the run is not complete: {missing}")
    return Assessment(outcome="findings" if errors else "clean", verdict=verdict)


def _is_broken(result: CheckResult) -> bool:
    # A check that failed for the plugin's fault has a finding that says so.
    has_error = any(finding.severity == "error" for finding in result.findings)
    return result.verdict == "infra" or (result.verdict == "fail" and not has_error)


def _missing(verdict: VerdictDocument, type: str) -> str | None:
    """The first check that should have been run and was not; None if the run is complete."""
    answered = {result.code for result in verdict.checks if result.verdict in ANSWERED}
    if absent := sorted(REQUIRED[type] - answered):
        return f"{absent[0]} was not run"
    if type == "plugin" and not verdict.components:
        return "no component was judged"
    for component in verdict.components:
        name = f"{component.kind} {component.name}"
        if not component.checks:
            return f"no check was run on {name}"
        for result in component.checks:
            if result.verdict not in ANSWERED and not (result.verdict == "not_run" and result.code in SEEDED):
                return f"{result.code} was not run on {name}"
    return None


def _explain_exit(status: JobStatus, stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    refused = [line.removeprefix("chimes: ") for line in lines if line.startswith("chimes: ")]
    if refused:
        return escape(refused[-1], limit=500)
    how = f"ended {status.state}" if status.exit_code is None else f"ended with {status.exit_code}"
    return escape(f"the job {how}" + (f": {lines[-1]}" if lines else ""), limit=500)


def _infra(reason: str) -> Assessment:
    return Assessment(outcome="infra", reason=reason)
