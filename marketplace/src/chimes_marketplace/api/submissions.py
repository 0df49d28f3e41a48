"""Submissions as JSON, and the actions of their member: close, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from chimes.evidence.finding import Finding
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter

from chimes_marketplace.accounts.policy import can, require, require_user
from chimes_marketplace.api.releases import file_answer
from chimes_marketplace.api.schemas import READING, WRITING, Answer, FileAnswer
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions import states
from chimes_marketplace.submissions.tables import Step
from chimes_marketplace.validation.reports import SubmissionReport, read_submission
from chimes_marketplace.web.access import submission_object
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.web.urls import Links

__all__ = ["cancel_submission", "close_submission", "retry_submission", "show_submission"]

Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="the submission's number")]


class RunAnswer(Answer):
    """One execution of the checks. ``state``: waiting, admitted, done. ``seconds``: its duration, once it has ended."""

    id: int
    file: str | None
    state: str
    outcome: str | None
    seconds: float | None


class StepAnswer(Answer):
    """One change of state. ``actor``: null if it was a user and the caller may not see all of the submission."""

    state: str
    at: datetime
    actor: str | None
    note: str | None


class SubmissionAnswer(Answer):
    """A submission. ``position``: its place in the queue for a lane, from 1."""

    id: int
    project: str
    version: str
    state: str
    reason: str | None
    attempt: int
    findings: tuple[Finding, ...]
    files: list[FileAnswer]
    runs: list[RunAnswer]
    steps: list[StepAnswer]
    report_url: str
    stage_url: str | None
    position: int | None


@get("/submissions/{id:int}", sync_to_thread=True, operation_id="ShowSubmission", responses=READING)
def show_submission(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], id: Number
) -> SubmissionAnswer:
    """One submission: its state, findings, runs and timeline."""
    with market.database.reading() as session:
        principal = authenticate_request(request, session)
        report = read_submission(session, id=id)
        require(principal, "view", submission_object(report))
        full = can(principal, "view_unlisted", submission_object(report))
        own = can(principal, "view_stage_address", submission_object(report))
        return _answer(report, Links.of(request, market), full=full, own=own)


@post("/submissions/{id:int}/close", sync_to_thread=True, status_code=200, responses=WRITING)
def close_submission(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], id: Number
) -> SubmissionAnswer:
    """Close the submission: the upload ends and the validation begins."""
    return _change(request, market, id, states.close)


@post("/submissions/{id:int}/cancel", sync_to_thread=True, status_code=200, responses=WRITING)
def cancel_submission(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], id: Number
) -> SubmissionAnswer:
    """Cancel the submission; its files can be uploaded again."""
    return _change(request, market, id, states.cancel)


@post("/submissions/{id:int}/retry", sync_to_thread=True, status_code=200, responses=WRITING)
def retry_submission(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], id: Number
) -> SubmissionAnswer:
    """Validate a submission again after it was cancelled or ended with an infrastructure error."""
    return _change(request, market, id, states.retry)


def _change(
    request: Request[Any, Any, Any], market: Marketplace, id: int, change: Callable[..., object]
) -> SubmissionAnswer:
    with market.database.writing() as session:
        user = require_user(authenticate_request(request, session), "change")
        require(user, "change", submission_object(read_submission(session, id=id)))
        change(session, id=id, actor=user.user)
        session.flush()
        answer = _answer(read_submission(session, id=id), Links.of(request, market), full=True, own=True)
    market.wake()
    return answer


def _answer(report: SubmissionReport, links: Links, *, full: bool, own: bool) -> SubmissionAnswer:
    submission = report.submission
    names = {file.id: file.filename for file in report.files}
    return SubmissionAnswer(
        id=submission.id or 0,
        project=report.project.name,
        version=report.release.version,
        state=submission.state,
        reason=submission.reason,
        attempt=submission.attempt,
        findings=report.findings,
        files=[file_answer(file, submission, links, own=own) for file in report.files],
        runs=[_run(run, names.get(run.file_id)) for run in report.runs],
        steps=[_step(step, full) for step in report.steps],
        report_url=links.report(submission),
        stage_url=links.stage(submission) if own else None,
        position=report.position,
    )


def _run(run: Run, file: str | None) -> RunAnswer:
    seconds = None
    if run.started_at is not None and run.ended_at is not None:
        seconds = round((run.ended_at - run.started_at).total_seconds(), 3)
    return RunAnswer(id=run.id or 0, file=file, state=run.state, outcome=run.outcome, seconds=seconds)


def _step(step: Step, full: bool) -> StepAnswer:
    actor = step.actor if full or step.actor == states.MARKETPLACE else None
    return StepAnswer(state=step.state, at=step.at, actor=actor, note=step.note)
