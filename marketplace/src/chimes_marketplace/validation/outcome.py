"""Applies decisions: gathers what is known of a submission whose runs are done, and moves it."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.catalog.tables import File, Release
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.submissions.states import MARKETPLACE, decide, get_submission, retry, steps
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.validation import decision
from chimes_marketplace.validation.decision import Judged, Ran
from chimes_marketplace.validation.documents import read_verdict
from chimes_marketplace.validation.runs import list_runs
from chimes_marketplace.validation.tables import Run
from chimes_marketplace.validation.verdict import Expected

__all__ = ["AGAIN", "decide_one", "list_unlucky", "try_again"]

AGAIN = "tried again: it was never run, for want of a sound lane"
"""The note of an attempt that nobody asked for; there is at most one of a submission."""


def decide_one(blobs: LocalBlobs, session: Session, id: int) -> None:
    """Decide a submission, unless somebody cancelled it meanwhile. Raises MarketplaceError, OSError."""
    submission = get_submission(session, id=id)
    if submission.state != "validating":
        return
    release = session.get_one(Release, submission.release_id)
    last = {run.file_id: run for run in list_runs(session, submission_id=id) if run.attempt == submission.attempt}
    files = list_files(session, submission_id=id)
    done = {file_id for file_id, run in last.items() if run.state == "done"}
    if not {file.id for file in files if file.form == "wheel"} <= done:
        # It was closed after this pass of the reconciler made the runs: the next one makes its own.
        return
    judged = [_judged(blobs, submission, release, file, last.get(file.id)) for file in files]
    listed = list_files(session, release_id=release.id, listed=True)
    has_wheel = any(file.form == "wheel" for file in listed)
    found = decision.decide(judged, listed_level=release.level if has_wheel else None)
    decide(
        session,
        id=id,
        state=found.state,
        findings=found.findings,
        reason=found.reason,
        components=found.components,
        level=found.level,
    )


def list_unlucky(session: Session, *, since: datetime, until: datetime) -> list[int]:
    """Submissions that ended infra in that time with a run that was never admitted, and were not tried again."""
    query = (
        select(Submission.id)
        .join(Run, (col(Run.submission_id) == col(Submission.id)) & (col(Run.attempt) == col(Submission.attempt)))
        .where(Submission.state == "infra", Run.outcome == "infra", col(Run.admitted_at).is_(None))
        .where(col(Submission.decided_at) > since, col(Submission.decided_at) <= until)
    )
    found = sorted({id for id in session.exec(query) if id is not None})
    return [id for id in found if all(step.note != AGAIN for step in steps(session, id=id))]


def try_again(session: Session, id: int) -> None:
    """One more attempt, unless its files were uploaded anew."""
    try:
        retry(session, id=id, actor=MARKETPLACE, note=AGAIN)
    except MarketplaceError as error:
        if error.code != "conflict":
            raise


def _judged(blobs: LocalBlobs, submission: Submission, release: Release, file: File, run: Run | None) -> Judged:
    type = file.type or release.type
    expected = Expected(filename=file.filename, sha256=file.sha256, nonce=submission.nonce or "", type=type)
    ran = None
    if run is not None and run.outcome is not None:
        ran = Ran(outcome=run.outcome, reason=run.reason, verdict=read_verdict(blobs, run))
    return Judged(expected=expected, form=file.form, findings=file.findings, ran=ran)
