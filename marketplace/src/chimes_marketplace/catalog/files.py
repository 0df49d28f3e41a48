"""Files of the catalogue: finding them and making them public."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from chimes_marketplace.catalog.components import LEVELS, ListedComponent
from chimes_marketplace.catalog.tables import File, Release

__all__ = ["list_files", "list_named", "publish_files"]


def list_files(
    session: Session,
    *,
    release_id: int | None = None,
    submission_id: int | None = None,
    project_id: int | None = None,
    listed: bool | None = None,
) -> list[File]:
    """The files of a release, of a submission, of a project, or all, sorted by name. ``listed`` None: listed or not."""
    query = select(File)
    if release_id is not None:
        query = query.where(File.release_id == release_id)
    if submission_id is not None:
        query = query.where(File.submission_id == submission_id)
    if project_id is not None:
        releases = select(Release.id).where(Release.project_id == project_id)
        query = query.where(col(File.release_id).in_(releases))
    if listed is not None:
        moment = col(File.listed_at)
        query = query.where(moment.is_not(None) if listed else moment.is_(None))
    return list(session.exec(query.order_by(col(File.filename), col(File.id))))


def list_named(session: Session, *, filename: str, sha256: str) -> list[File]:
    """The files of that name with these bytes, oldest first: several submissions may contain the same file."""
    query = select(File).where(File.filename == filename, File.sha256 == sha256)
    return list(session.exec(query.order_by(col(File.id))))


def publish_files(
    session: Session, *, submission_id: int, at: datetime, components: Sequence[ListedComponent], level: str
) -> None:
    """Make all files of a submission public at once.

    ``components`` are added to those of the release; a new result replaces an older one of the same component. The
    level of the release is the lowest level of its listed submissions. The release takes its metadata from the files
    that are listed first. A file that is already listed keeps its ``listed_at``. Raises IntegrityError if another file
    with the same name is listed.
    """
    files = list_files(session, submission_id=submission_id)
    new = {file.release_id for file in files if not list_files(session, release_id=file.release_id, listed=True)}
    for file in files:
        file.listed_at = file.listed_at or at
        session.add(file)
    for release_id in {file.release_id for file in files}:
        release = session.get_one(Release, release_id)
        if release_id in new:
            _describe(release, [file for file in files if file.release_id == release_id])
        release.components = _joined(release.components, components)
        release.level = next(each for each in LEVELS if each in (release.level or level, level))
        session.add(release)
    session.flush()


def _describe(release: Release, files: Sequence[File]) -> None:
    # An sdist may not state its type and its requirements; a wheel states both.
    file = next((file for file in files if file.form == "wheel"), files[0])
    release.about = file.about or release.about
    release.type = file.type or release.type


def _joined(old: Sequence[ListedComponent], new: Sequence[ListedComponent]) -> tuple[ListedComponent, ...]:
    joined = {(each.kind, each.name): each for each in (*old, *new)}
    return tuple(joined[key] for key in sorted(joined))
