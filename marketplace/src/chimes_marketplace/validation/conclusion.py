"""From the end of a job, and from what it left, to the outcome of its run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chimes.kinds.backend import JobState, JobStatus
from chimes.text import escape

from chimes_marketplace.lanes.runfolder import Left
from chimes_marketplace.validation.runs import Task
from chimes_marketplace.validation.verdict import Assessment, Expected, assess, list_findings

__all__ = ["conclude", "control_reason", "make_record", "parse"]

CLEAN, FOUND = 0, 1
"""How ``chimes check`` ends where it could judge."""


def conclude(status: JobStatus, left: Left, expected: Expected, stderr: bytes, run_s: float) -> Assessment:
    """Clean or findings only where job, exit status and verdict document agree; else infra, and why."""
    if status.state == JobState.TIMED_OUT:
        return _infra(f"the run did not end within {run_s:.0f} s")
    if status.exit_code not in (CLEAN, FOUND):
        return _infra(_reason(status, stderr))
    assessment = assess(parse(left.verdict), expected)
    if assessment.outcome == "infra" or (status.exit_code == CLEAN) == (assessment.outcome == "clean"):
        return assessment
    return _infra("the run ended otherwise than its verdict document says")


def parse(document: bytes | None) -> dict[str, Any] | None:
    """A document that is a JSON object; None for anything else."""
    try:
        value = None if document is None else json.loads(document)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def make_record(task: Task, status: JobStatus, left: Left) -> bytes:
    """The run record: what the run itself wrote, with the lane, the attempt, and ``seconds`` (queued, run)."""
    record: dict[str, Any] = {"format": "chimes.run/1", **(parse(left.record) or {})}
    started, ended = status.started_at, status.ended_at
    queued = None if started is None else max(0.0, (started - task.created_at).total_seconds())
    ran = None if started is None or ended is None else (ended - started).total_seconds()
    return json.dumps(
        {
            **record,
            "lane": task.lane,
            "attempt": task.attempt,
            "nodes": list(status.nodes),
            "started_at": None if started is None else started.isoformat(),
            "ended_at": None if ended is None else ended.isoformat(),
            "seconds": {"queued": queued, "run": ran},
        }
    ).encode("utf-8")


def control_reason(assessment: Assessment, verdict: Mapping[str, Any] | None) -> str:
    """What a control run that was not clean stumbled over."""
    if assessment.reason is not None or verdict is None:
        return assessment.reason or "it left no verdict document"
    worst = min(list_findings(verdict), key=lambda each: each["severity"])
    return f"the strict reference plugin has the finding {worst['code']}, {worst['message']}"


def _reason(status: JobStatus, stderr: bytes) -> str:
    said = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    refused = [line.removeprefix("chimes: ") for line in said if line.startswith("chimes: ")]
    if refused:
        return escape(refused[-1], limit=500)
    how = f"ended {status.state}" if status.exit_code is None else f"ended with {status.exit_code}"
    return escape(f"the job {how}" + (f": {said[-1]}" if said else ""), limit=500)


def _infra(reason: str) -> Assessment:
    return Assessment(outcome="infra", reason=reason)
