"""The public catalogue: each project that has a listed file, with its newest listed version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from packaging.version import Version
from sqlmodel import Session, col, func, select

from chimes_marketplace.accounts.tables import Member
from chimes_marketplace.catalog.tables import File, Project, Release

__all__ = ["CatalogItem", "list_catalog", "search"]


@dataclass(frozen=True, kw_only=True)
class CatalogItem:
    """A project of the catalogue. ``release``: its newest listed one; final versions come before pre-releases."""

    project: Project
    member: Member
    release: Release
    versions: tuple[str, ...]
    """All listed versions, newest first."""
    listed_at: datetime
    """When the first file of ``release`` was listed."""

    @property
    def summary(self) -> str:
        """One line from its metadata, empty if it is absent."""
        return str(self.release.about.get("summary") or "")


def list_catalog(session: Session) -> list[CatalogItem]:
    """All projects that have a listed file, sorted by name."""
    moment = func.min(File.listed_at)
    query = (
        select(Project, Member, Release, moment)
        .join(Member, col(Project.member_id) == col(Member.id))
        .join(Release, col(Release.project_id) == col(Project.id))
        .join(File, col(File.release_id) == col(Release.id))
        .where(col(File.listed_at).is_not(None))
        .group_by(col(Project.id), col(Member.id), col(Release.id))
        .order_by(col(Project.name))
    )
    projects: dict[str, list[tuple[Project, Member, Release, datetime]]] = {}
    for project, member, release, at in session.exec(query):
        assert at is not None
        projects.setdefault(project.name, []).append((project, member, release, at))
    return [_item(rows) for rows in projects.values()]


def search(items: Sequence[CatalogItem], words: str) -> list[CatalogItem]:
    """The items that contain every word in name, summary, keywords, member, kinds or components."""
    wanted = words.casefold().split()
    return [item for item in items if all(word in _text(item) for word in wanted)]


def _item(rows: list[tuple[Project, Member, Release, datetime]]) -> CatalogItem:
    versions = sorted((Version(release.version) for _, _, release, _ in rows), reverse=True)
    newest = str(next((version for version in versions if not version.is_prerelease), versions[0]))
    project, member, release, listed_at = next(row for row in rows if row[2].version == newest)
    return CatalogItem(
        project=project,
        member=member,
        release=release,
        versions=tuple(map(str, versions)),
        listed_at=listed_at,
    )


def _text(item: CatalogItem) -> str:
    about = item.release.about
    parts = [item.project.name, item.project.display_name, item.member.name, item.member.slug, item.summary]
    parts += [str(word) for word in about.get("keywords") or []]
    parts += [f"{component.kind} {component.name}" for component in item.release.components]
    return " ".join(parts).casefold()
