"""Tables of the submissions."""

from __future__ import annotations

from datetime import datetime

from chimes.evidence.finding import Finding
from sqlalchemy import Column, Index, false, text
from sqlmodel import Field, SQLModel

from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.database import Moment, Typed, now

__all__ = ["Arrival", "Step", "Submission"]


class Submission(SQLModel, table=True):
    """The files of one release that are judged together. A release has at most one that is staged.

    ``state``: staged, validating, listed, rejected, held, cancelled, infra. ``secret`` is part of the stage URL.
    ``nonce``: 64 random hex digits, made when it closes. ``findings``: those of uploads and runs.
    """

    __table_args__ = (
        Index(
            "submission_staged",
            "release_id",
            unique=True,
            sqlite_where=text("state = 'staged'"),
            postgresql_where=text("state = 'staged'"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    release_id: int = Field(foreign_key="release.id", index=True)
    user_id: int = Field(foreign_key="user.id")
    state: str = Field(default="staged", index=True)
    secret: str = Field(unique=True)
    nonce: str | None = None
    attempt: int = 1
    is_auto_retried: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    """Whether the marketplace has retried it automatically, which it does at most once."""
    reason: str | None = None
    """Why it was rejected, held, cancelled or ended infra, in one sentence; public once decided."""
    findings: tuple[Finding, ...] = Field(default=(), sa_column=Column(Typed(tuple[Finding, ...]), nullable=False))
    components: tuple[ListedComponent, ...] = Field(
        default=(), sa_column=Column(Typed(tuple[ListedComponent, ...]), nullable=False)
    )
    """The components that its runs found: the release is listed with them."""
    level: str | None = None
    opened_at: datetime = Field(default_factory=now, sa_type=Moment)
    touched_at: datetime = Field(default_factory=now, sa_type=Moment)
    """When its last file arrived."""
    closed_at: datetime | None = Field(default=None, sa_type=Moment)
    decided_at: datetime | None = Field(default=None, sa_type=Moment)


class Step(SQLModel, table=True):
    """One change of a submission's state. All steps together are its timeline."""

    id: int | None = Field(default=None, primary_key=True)
    submission_id: int = Field(foreign_key="submission.id", index=True)
    state: str
    at: datetime = Field(default_factory=now, sa_type=Moment)
    actor: str
    """A user's name, or ``marketplace``."""
    note: str | None = None


class Arrival(SQLModel, table=True):
    """An upload that is being received: until it ends, no submission of that release closes.

    The server that receives it extends ``expires_at`` while bytes arrive.
    """

    id: str = Field(primary_key=True)
    project: str = Field(index=True)
    """Normalised (PEP 503)."""
    version: str
    """Canonical (PEP 440)."""
    expires_at: datetime = Field(sa_type=Moment)
