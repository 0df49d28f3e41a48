"""Releases: the versions of a project."""

from __future__ import annotations

from typing import Any

from packaging.version import InvalidVersion, Version
from sqlmodel import Session, col, select

from chimes_marketplace.catalog.tables import File, Project, Release

__all__ = ["add_release", "find_release", "get_project_of", "has_listed", "list_releases"]


def find_release(session: Session, *, project_id: int, version: str) -> Release | None:
    """That version of the project, in any spelling (``1.0`` is ``v1.0.0``); None for an invalid version."""
    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    query = select(Release.id, Release.version).where(Release.project_id == project_id)
    same = [id for id, text in session.exec(query) if Version(text) == wanted]
    return session.get(Release, same[0]) if same else None


def add_release(session: Session, *, project_id: int, version: str, type: str, about: dict[str, Any]) -> Release:
    """Add a version of the project, normalised by PEP 440. It is in the session and has its id."""
    release = Release(project_id=project_id, version=str(Version(version)), type=type, about=about)
    session.add(release)
    session.flush()
    return release


def list_releases(session: Session, *, project_id: int) -> list[Release]:
    """All versions of the project, listed or not, newest version first."""
    found = session.exec(select(Release).where(Release.project_id == project_id))
    return sorted(found, key=lambda release: Version(release.version), reverse=True)


def has_listed(session: Session, *, release_id: int) -> bool:
    """Whether any file of the release is listed."""
    query = select(File.id).where(File.release_id == release_id, col(File.listed_at).is_not(None))
    return session.exec(query.limit(1)).first() is not None


def get_project_of(session: Session, *, release_id: int) -> Project:
    """The project of an existing release."""
    return session.get_one(Project, session.get_one(Release, release_id).project_id)
