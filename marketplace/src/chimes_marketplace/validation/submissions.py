"""Decides and retries submissions: reads their files and runs, and changes their state in the database."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, false, select

from chimes_marketplace.catalog.components import LEVELS
from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.catalog.tables import File, Release
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.lanes.documents import read_verdict
from chimes_marketplace.lanes.runs import list_runs
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.storage.blobstore import BlobStore
from chimes_marketplace.submissions.states import MARKETPLACE, decide, lock_submission, retry
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.validation import decision
from chimes_marketplace.validation.decision import JudgedFile, LastRun

__all__ = ["RETRY_NOTE", "decide_one", "list_retryable", "retry_one"]

RETRY_NOTE = "retried automatically: the lane failed before this was run"


def decide_one(blobs: BlobStore, session: Session, id: int) -> None:
    """Decide a submission, unless it has been cancelled or decided. Raises MarketplaceError, OSError."""
    submission = lock_submission(session, id=id)
    if submission.state != "validating":
        return
    release = session.get_one(Release, submission.release_id)
    last = {run.file_id: run for run in list_runs(session, submission_id=id) if run.attempt == submission.attempt}
    files = list_files(session, submission_id=id)
    done = {file_id for file_id, run in last.items() if run.state == "done"}
    if not {file.id for file in files if file.form == "wheel"} <= done:
        # It was closed after this pass made the runs of others: the next pass makes its runs.
        return
    judged = [_judged(blobs, file, last.get(file.id)) for file in files]
    listed = list_files(session, release_id=release.id, listed=True)
    has_wheel = any(file.form == "wheel" for file in listed)
    level = next((each for each in LEVELS if has_wheel and each == release.level), None)
    found = decision.decide(judged, listed_level=level)
    decide(
        session,
        id=id,
        state=found.state,
        findings=found.findings,
        reason=found.reason,
        components=found.components,
        level=found.level,
    )


def list_retryable(session: Session, *, since: datetime, until: datetime) -> list[int]:
    """Submissions that ended infra in that time, have a run that never began, and were not retried automatically."""
    query = (
        select(Submission.id)
        .join(Run, (col(Run.submission_id) == col(Submission.id)) & (col(Run.attempt) == col(Submission.attempt)))
        .where(Submission.state == "infra", Run.outcome == "infra", col(Run.submitted_at).is_(None))
        .where(col(Submission.is_auto_retried) == false())
        .where(col(Submission.decided_at) > since, col(Submission.decided_at) <= until)
    )
    return sorted({id for id in session.exec(query) if id is not None})


def retry_one(session: Session, id: int) -> None:
    """Retry it, unless its files were uploaded again or it has already been retried."""
    submission = lock_submission(session, id=id)
    if submission.is_auto_retried:
        return
    try:
        retry(session, id=id, actor=MARKETPLACE, note=RETRY_NOTE)
    except MarketplaceError as error:
        if error.code != "conflict":
            raise
    else:
        submission.is_auto_retried = True
        session.add(submission)


def _judged(blobs: BlobStore, file: File, run: Run | None) -> JudgedFile:
    last_run = None
    if run is not None and run.outcome is not None:
        last_run = LastRun(outcome=run.outcome, reason=run.reason, verdict=read_verdict(blobs, run))
    return JudgedFile(filename=file.filename, form=file.form, findings=file.findings, last_run=last_run)
