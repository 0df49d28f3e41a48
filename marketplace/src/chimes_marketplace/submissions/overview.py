"""Submissions as an operator lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from chimes_marketplace.catalog.tables import Project, Release
from chimes_marketplace.submissions.tables import Submission

__all__ = ["SubmissionLine", "list_lines"]


@dataclass(frozen=True)
class SubmissionLine:
    """One submission. ``reason``: why it was rejected, held, cancelled or ended infra."""

    id: int
    project: str
    version: str
    state: str
    opened_at: datetime
    reason: str | None


def list_lines(session: Session, *, state: str | None = None) -> list[SubmissionLine]:
    """The submissions in that state or all, newest first."""
    query = (
        select(Submission, Release, Project)
        .join(Release, col(Submission.release_id) == col(Release.id))
        .join(Project, col(Release.project_id) == col(Project.id))
        .order_by(col(Submission.id).desc())
    )
    if state is not None:
        query = query.where(Submission.state == state)
    return [
        SubmissionLine(each.id or 0, project.name, release.version, each.state, each.opened_at, each.reason)
        for each, release, project in session.exec(query)
    ]
