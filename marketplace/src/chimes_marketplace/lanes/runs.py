"""Runs in the database: finds, adds and ends them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chimes.kinds.backend import JobHandle, JobSpec
from sqlmodel import Session, col, select

from chimes_marketplace.accounts.tables import User
from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.catalog.tables import File, Project, Release
from chimes_marketplace.lanes.results import Outcome
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions.tables import Submission

__all__ = [
    "AUTOMATIC",
    "Task",
    "end_run",
    "end_waiting",
    "find_position",
    "get_task",
    "list_runs",
    "list_tasks",
    "make_runs",
]

AUTOMATIC = 2
"""The most runs of a file in one attempt: the second one is automatic, if the first ended infra."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A run, with everything that is needed to carry it out. For a control run the fields of the file are empty.

    ``is_wanted``: its submission was not cancelled, and no other attempt of it has begun.
    """

    id: int
    attempt: int
    lane: str
    state: str
    spec: JobSpec | None
    handle: JobHandle | None
    owner: str | None
    lease: int
    lease_expires_at: datetime | None
    created_at: datetime
    admitted_at: datetime | None
    submission_id: int | None = None
    is_wanted: bool = True
    member_id: int = 0
    filename: str = ""
    sha256: str = ""
    nonce: str = ""
    project: str = ""
    type: str = "plugin"

    @property
    def is_control(self) -> bool:
        """Whether it is a control run: it tests the lane and belongs to no submission."""
        return self.submission_id is None

    @property
    def key(self) -> str:
        """The name of its job."""
        return f"{self.id}-{self.attempt}"


def list_runs(session: Session, *, submission_id: int) -> list[Run]:
    """The runs of all attempts of a submission, oldest first."""
    return list(session.exec(select(Run).where(Run.submission_id == submission_id).order_by(col(Run.id))))


def find_position(session: Session, *, submission_id: int) -> int | None:
    """The place of a submission's first waiting run in the queue, from 1; None if none of its runs waits."""
    query = select(Run).where(Run.state == "waiting", col(Run.submission_id).is_not(None)).order_by(col(Run.id))
    waiting = [run.submission_id for run in session.exec(query)]
    return waiting.index(submission_id) + 1 if submission_id in waiting else None


def list_tasks(session: Session, *, lane: str, state: str) -> list[Task]:
    """The runs of the lane in that state, oldest first."""
    query = select(Run).where(Run.lane == lane, Run.state == state).order_by(col(Run.id))
    return [_task(session, run) for run in session.exec(query)]


def get_task(session: Session, *, id: int) -> Task:
    """That run. The caller knows that it exists."""
    return _task(session, session.get_one(Run, id))


def make_runs(session: Session, *, submission: Submission, lane: str) -> None:
    """One waiting run for each wheel of a submission that has none in its current attempt."""
    assert submission.id is not None
    present = {run.file_id for run in _of_attempt(session, submission)}
    for file in list_files(session, submission_id=submission.id):
        if file.form == "wheel" and file.id not in present:
            session.add(Run(submission_id=submission.id, file_id=file.id, lane=lane, attempt=submission.attempt))
    session.flush()


def end_run(
    session: Session,
    run: Run,
    *,
    at: datetime,
    outcome: Outcome,
    reason: str | None = None,
    again: bool = False,
    unlimited: bool = False,
) -> None:
    """End a run that the caller has locked. With ``again``, a run that ended infra is repeated once.

    ``unlimited``: it is repeated regardless of earlier repetitions.
    """
    run.state, run.outcome, run.reason, run.ended_at = "done", outcome, reason, at
    run.owner = run.lease_expires_at = None
    session.add(run)
    if again and outcome == "infra" and run.submission_id is not None:
        _repeat(session, run, most=sys.maxsize if unlimited else AUTOMATIC)
    session.flush()


def end_waiting(session: Session, *, id: int, outcome: Outcome, at: datetime, reason: str | None = None) -> None:
    """End a run that no worker has begun; does nothing if it has been admitted."""
    run = session.exec(select(Run).where(Run.id == id).with_for_update()).one()
    if run.state == "waiting":
        end_run(session, run, at=at, outcome=outcome, reason=reason)


def _repeat(session: Session, run: Run, *, most: int) -> None:
    submission = session.get_one(Submission, run.submission_id, with_for_update=True)
    same = [each for each in _of_attempt(session, submission) if each.file_id == run.file_id]
    if submission.state == "validating" and submission.attempt == run.attempt and len(same) < most:
        session.add(Run(submission_id=submission.id, file_id=run.file_id, lane=run.lane, attempt=run.attempt))


def _of_attempt(session: Session, submission: Submission) -> list[Run]:
    query = select(Run).where(Run.submission_id == submission.id, Run.attempt == submission.attempt)
    return list(session.exec(query.order_by(col(Run.id))))


def _task(session: Session, run: Run) -> Task:
    assert run.id is not None
    about: dict[str, Any] = {
        "id": run.id,
        "attempt": run.attempt,
        "lane": run.lane,
        "state": run.state,
        "spec": run.spec,
        "handle": run.handle,
        "owner": run.owner,
        "lease": run.lease,
        "lease_expires_at": run.lease_expires_at,
        "created_at": run.created_at,
        "admitted_at": run.admitted_at,
    }
    if run.submission_id is None:
        return Task(**about)
    submission = session.get_one(Submission, run.submission_id)
    file = session.get_one(File, run.file_id)
    release = session.get_one(Release, file.release_id)
    return Task(
        **about,
        submission_id=submission.id,
        is_wanted=submission.state == "validating" and submission.attempt == run.attempt,
        member_id=session.get_one(User, submission.user_id).member_id,
        filename=file.filename,
        sha256=file.sha256,
        nonce=submission.nonce or "",
        project=session.get_one(Project, release.project_id).name,
        type=file.type or release.type,
    )
