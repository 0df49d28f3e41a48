"""The entries of an index page: one for each file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from packaging.version import Version

from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.catalog.releases import list_releases
from chimes_marketplace.catalog.tables import File, Project
from chimes_marketplace.database import Session

__all__ = ["Entry", "list_entries", "list_staged_entries", "versions_of"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file as installers see it. ``moment``: when it was listed; on a stage, when it was uploaded."""

    filename: str
    version: str
    sha256: str
    size_bytes: int
    requires_python: str | None
    metadata_sha256: str | None
    moment: datetime


def list_entries(session: Session, *, project: Project) -> list[Entry]:
    """The listed files of a project, oldest version first."""
    assert project.id is not None
    return _entries(session, project, list_files(session, project_id=project.id, listed=True))


def list_staged_entries(session: Session, *, project: Project, submission_id: int) -> list[Entry]:
    """The files of a submission, and the listed files of its project with other names."""
    assert project.id is not None
    staged = list_files(session, submission_id=submission_id)
    names = {file.filename for file in staged}
    listed = list_files(session, project_id=project.id, listed=True)
    return _entries(session, project, [*staged, *(file for file in listed if file.filename not in names)])


def versions_of(entries: Iterable[Entry]) -> list[str]:
    """The versions of these files, oldest first."""
    return sorted({entry.version for entry in entries}, key=Version)


def _entries(session: Session, project: Project, files: Iterable[File]) -> list[Entry]:
    assert project.id is not None
    versions = {release.id: release.version for release in list_releases(session, project_id=project.id)}
    entries = [
        Entry(
            filename=file.filename,
            version=versions[file.release_id],
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            requires_python=file.requires_python,
            metadata_sha256=file.metadata_sha256,
            moment=file.listed_at or file.uploaded_at,
        )
        for file in files
    ]
    return sorted(entries, key=lambda entry: (Version(entry.version), entry.filename))
