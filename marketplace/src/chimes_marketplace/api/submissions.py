"""Submissions as JSON, and what their member may do with them: close, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter

from chimes_marketplace.accounts.tokens import Caller
from chimes_marketplace.api.releases import file_answer
from chimes_marketplace.api.schemas import READING, WRITING, Answer, FileAnswer, FindingAnswer
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions import states
from chimes_marketplace.submissions.tables import Step
from chimes_marketplace.validation.reports import SubmissionReport, read_submission
from chimes_marketplace.web.authentication import check_owner, get_caller
from chimes_marketplace.web.readers import is_insider, owns, refuse
from chimes_marketplace.web.state import Market
from chimes_marketplace.web.urls import Links

__all__ = ["cancel_submission", "close_submission", "retry_submission", "show_submission"]

Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="the submission's number")]


class RunAnswer(Answer):
    """One execution of the checks. ``state``: waiting, admitted, done; ``seconds`` once it has ended."""

    id: int
    file: str | None
    state: str
    outcome: str | None
    seconds: float | None


class StepAnswer(Answer):
    """One change of state. ``actor`` is null for strangers where it was a person."""

    state: str
    at: datetime
    actor: str | None
    note: str | None


class SubmissionAnswer(Answer):
    """A submission. ``position`` is its place among those that wait for a lane, from 1."""

    id: int
    project: str
    version: str
    state: str
    reason: str | None
    attempt: int
    findings: list[FindingAnswer]
    files: list[FileAnswer]
    runs: list[RunAnswer]
    steps: list[StepAnswer]
    report_url: str
    stage_url: str | None
    position: int | None


@get("/submissions/{id:int}", sync_to_thread=True, operation_id="ShowSubmission", responses=READING)
def show_submission(request: Request[Any, Any, Any], market: NamedDependency[Market], id: Number) -> SubmissionAnswer:
    """One submission, from its upload to its verdict."""
    with market.database.reading() as session:
        report = read_submission(session, id=id)
        full = is_insider(request, session, report.project)
        if not (full or report.is_public):
            refuse(request, session, report.project)
        own = owns(request, session, report.project)
        return _answer(report, Links.of(request, market), full=full, own=own)


@post("/submissions/{id:int}/close", sync_to_thread=True, status_code=200, responses=WRITING)
def close_submission(request: Request[Any, Any, Any], market: NamedDependency[Market], id: Number) -> SubmissionAnswer:
    """End the upload: the validation begins."""
    return _change(request, market, id, states.close)


@post("/submissions/{id:int}/cancel", sync_to_thread=True, status_code=200, responses=WRITING)
def cancel_submission(request: Request[Any, Any, Any], market: NamedDependency[Market], id: Number) -> SubmissionAnswer:
    """Give it up; its files may then be uploaded anew under their names."""
    return _change(request, market, id, states.cancel)


@post("/submissions/{id:int}/retry", sync_to_thread=True, status_code=200, responses=WRITING)
def retry_submission(request: Request[Any, Any, Any], market: NamedDependency[Market], id: Number) -> SubmissionAnswer:
    """Validate again what was cancelled, or ended by a fault that is not the plugin's."""
    return _change(request, market, id, states.retry)


def _change(
    request: Request[Any, Any, Any], market: Market, id: int, change: Callable[..., object]
) -> SubmissionAnswer:
    with market.database.writing() as session:
        caller: Caller = get_caller(request, session)
        project = read_submission(session, id=id).project
        check_owner(caller, member_id=project.member_id, project=project.name)
        change(session, id=id, actor=caller.user)
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
        findings=[FindingAnswer.of(finding) for finding in report.findings],
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
