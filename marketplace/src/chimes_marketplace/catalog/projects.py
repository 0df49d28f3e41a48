"""Projects of the catalogue: names and the members that own them."""

from __future__ import annotations

from sqlmodel import Session, col, select

from chimes_marketplace.catalog.names import lookalike, normalised
from chimes_marketplace.catalog.tables import File, Project, Release
from chimes_marketplace.errors import MarketplaceError

__all__ = ["add_project", "find_lookalikes", "find_project", "get_project", "is_listed", "list_all", "list_listed"]


def find_project(session: Session, *, name: str) -> Project | None:
    """The project of that name, in any spelling."""
    return session.exec(select(Project).where(Project.name == normalised(name))).first()


def get_project(session: Session, *, name: str) -> Project:
    """The project of that name, in any spelling. Raises MarketplaceError ``not-found``."""
    project = find_project(session, name=name)
    if project is None:
        raise MarketplaceError("not-found", f"there is no project {name!r}", fix="check the spelling of the name")
    return project


def add_project(session: Session, *, name: str, member_id: int) -> Project:
    """Add a project of that member, displayed as ``name``. It is in the session and has its id."""
    key = normalised(name)
    project = Project(name=key, display_name=name, lookalike=lookalike(key), member_id=member_id)
    session.add(project)
    session.flush()
    return project


def find_lookalikes(session: Session, *, name: str, member_id: int) -> list[Project]:
    """Projects of other members whose names a person confuses with ``name``, sorted by name."""
    key = normalised(name)
    query = select(Project).where(
        Project.lookalike == lookalike(key), Project.name != key, Project.member_id != member_id
    )
    return list(session.exec(query.order_by(col(Project.name))))


def is_listed(session: Session, *, project_id: int) -> bool:
    """Whether any file of the project is listed."""
    query = (
        select(File.id)
        .join(Release, col(File.release_id) == col(Release.id))
        .where(Release.project_id == project_id, col(File.listed_at).is_not(None))
    )
    return session.exec(query.limit(1)).first() is not None


def list_all(session: Session) -> list[Project]:
    """All projects, by name."""
    return list(session.exec(select(Project).order_by(col(Project.name))))


def list_listed(session: Session) -> list[Project]:
    """The projects that have a listed file, by name."""
    listed = (
        select(Release.project_id)
        .join(File, col(File.release_id) == col(Release.id))
        .where(col(File.listed_at).is_not(None))
    )
    query = select(Project).where(col(Project.id).in_(listed))
    return list(session.exec(query.order_by(col(Project.name))))
