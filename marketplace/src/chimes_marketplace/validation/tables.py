"""Tables of the validation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel

from chimes_marketplace.database import Moment, now

__all__ = ["Run"]


class Run(SQLModel, table=True):
    """One execution of ``chimes check`` on a lane: of a file of a submission, or a control run (no file).

    ``state``: waiting, admitted, done. ``outcome`` of a done one: clean, findings, infra, cancelled. What it left
    is kept as blobs, named by their digests.
    """

    id: int | None = Field(default=None, primary_key=True)
    submission_id: int | None = Field(default=None, foreign_key="submission.id", index=True)
    file_id: int | None = Field(default=None, foreign_key="file.id")
    lane: str
    attempt: int = 1
    state: str = Field(default="waiting", index=True)
    outcome: str | None = None
    reason: str | None = None
    """Why the outcome is infra, in one sentence."""
    job: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    """From its admission on: ``spec``, the job, and once submitted ``handle``, by which the backend knows it."""
    verdict_sha256: str | None = None
    record_sha256: str | None = None
    lock_sha256: str | None = None
    log_sha256: str | None = None
    rules_sha256: str | None = None
    created_at: datetime = Field(default_factory=now, sa_type=Moment)
    admitted_at: datetime | None = Field(default=None, sa_type=Moment)
    started_at: datetime | None = Field(default=None, sa_type=Moment)
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
