"""Turns the project or submission that a route names into the object that the policy expects."""

from __future__ import annotations

import re

from chimes.text import quote

from chimes_marketplace.accounts.policy import ProjectObject, SubmissionObject
from chimes_marketplace.catalog.projects import get_project
from chimes_marketplace.catalog.tables import Project
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.validation.reports import SubmissionReport

__all__ = ["get_named", "project_object", "submission_object"]

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,198}[A-Za-z0-9])?")


def get_named(session: Session, name: str) -> Project:
    """The project of that name, in any spelling. Raises MarketplaceError ``not-found``, also for an invalid name."""
    if NAME.fullmatch(name) is None:
        raise MarketplaceError("not-found", f"there is no project {quote(name)}", fix="check the spelling of the name")
    return get_project(session, name=name)


def project_object(project: Project, *, is_listed: bool = False) -> ProjectObject:
    """The project as the policy's object. ``is_listed``: the requested part of it is listed."""
    return ProjectObject(name=project.name, member_id=project.member_id, is_listed=is_listed)


def submission_object(report: SubmissionReport) -> SubmissionObject:
    """The submission as the policy's object."""
    return SubmissionObject(project=project_object(report.project), is_listed=report.is_public)
