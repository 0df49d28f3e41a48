"""Tables of the lanes."""

from __future__ import annotations

from datetime import datetime

from chimes.kinds.backend import JobHandle, JobSpec
from sqlalchemy import Column, Index, text
from sqlmodel import Field, SQLModel

from chimes_marketplace.database import Moment, Typed, now

__all__ = ["Run"]


class Run(SQLModel, table=True):
    """One execution of ``chimes check`` on a lane: of a file of a submission, or a control run (no file).

    ``state``: waiting, admitted, done. ``outcome`` of a run that is done: clean, findings, infra, cancelled. Its
    documents are stored as blobs under their digests. A lane has at most one control run that is not done.
    """

    __table_args__ = (
        Index(
            "run_open_control",
            "lane",
            unique=True,
            sqlite_where=text("submission_id IS NULL AND state != 'done'"),
            postgresql_where=text("submission_id IS NULL AND state != 'done'"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    submission_id: int | None = Field(default=None, foreign_key="submission.id", index=True)
    file_id: int | None = Field(default=None, foreign_key="file.id")
    lane: str
    attempt: int = 1
    state: str = Field(default="waiting", index=True)
    outcome: str | None = None
    reason: str | None = None
    """Why the outcome is infra, in one sentence."""
    spec: JobSpec | None = Field(default=None, sa_column=Column(Typed(JobSpec)))
    """Its job, once its folder is prepared. It is stored before the job is submitted."""
    handle: JobHandle | None = Field(default=None, sa_column=Column(Typed(JobHandle)))
    """The backend's handle of the job, once it is submitted."""
    owner: str | None = None
    """The worker that holds the lease, from the admission to the end."""
    lease: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """Increases each time that another worker takes the run: see ``chimes_marketplace.lanes.leases``."""
    lease_expires_at: datetime | None = Field(default=None, sa_type=Moment)
    verdict_sha256: str | None = None
    record_sha256: str | None = None
    lock_sha256: str | None = None
    log_sha256: str | None = None
    rules_sha256: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    admitted_at: datetime | None = Field(default=None, sa_type=Moment)
    submitted_at: datetime | None = Field(default=None, sa_type=Moment)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
