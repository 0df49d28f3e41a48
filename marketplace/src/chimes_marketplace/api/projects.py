"""Projects as JSON: the list, and a single project."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from chimes_marketplace.accounts.policy import can, require
from chimes_marketplace.api.schemas import READING, Answer
from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.catalog.listing import CatalogItem, list_catalog, search
from chimes_marketplace.catalog.releases import list_releases
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.validation.reports import ReleaseReport, read_release
from chimes_marketplace.web.access import get_named, project_object
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.web.urls import Links

__all__ = ["list_projects", "show_project"]


class ProjectRow(Answer):
    """A project with a listed release, described by the newest one."""

    name: str
    member: str
    version: str
    type: str
    level: str | None
    summary: str
    components: tuple[ListedComponent, ...]
    listed_at: datetime
    url: str


class ProjectsAnswer(Answer):
    """The projects with a listed release, sorted by name."""

    projects: list[ProjectRow]


class ReleaseRow(Answer):
    """A release of a project."""

    version: str
    state: str
    type: str
    level: str | None
    components: tuple[ListedComponent, ...]
    url: str


class ProjectAnswer(Answer):
    """A project with the releases that the caller may see, newest version first."""

    name: str
    display_name: str
    member: str
    member_name: str
    summary: str
    releases: list[ReleaseRow]
    url: str


@get("/projects", sync_to_thread=True, operation_id="ListProjects", responses=READING)
def list_projects(
    request: Request[Any, Any, Any],
    market: NamedDependency[Marketplace],
    q: Annotated[str, QueryParameter(description="words in name, summary, member or components", max_length=200)] = "",
) -> ProjectsAnswer:
    """The projects with a listed release: all, or those that match ``q``."""
    with market.database.reading() as session:
        items = search(list_catalog(session), q)
    links = Links.of(request, market)
    return ProjectsAnswer(projects=[_row(item, links) for item in items])


@get("/projects/{name:str}", sync_to_thread=True, operation_id="ShowProject", responses=READING)
def show_project(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], name: FromPath[str]
) -> ProjectAnswer:
    """One project, with the releases that the caller may see."""
    with market.database.reading() as session:
        principal = authenticate_request(request, session)
        project = get_named(session, name)
        full = can(principal, "view_unlisted", project_object(project))
        assert project.id is not None
        releases = list_releases(session, project_id=project.id)
        found = [read_release(session, project=project, release=release, full=full) for release in releases]
        reports = [report for report in found if report is not None]
        require(principal, "view", project_object(project, is_listed=bool(reports)))
        if not reports:
            raise MarketplaceError("not-found", f"{project.name} has no release", fix="upload a file of it")
        links = Links.of(request, market)
        return ProjectAnswer(
            name=project.name,
            display_name=project.display_name,
            member=reports[0].member.slug,
            member_name=reports[0].member.name,
            summary=str(reports[0].release.about.get("summary") or ""),
            releases=[_release(report, links) for report in reports],
            url=links.project(project.name),
        )


def _row(item: CatalogItem, links: Links) -> ProjectRow:
    return ProjectRow(
        name=item.project.name,
        member=item.member.slug,
        version=item.release.version,
        type=item.release.type,
        level=item.release.level,
        summary=item.summary,
        components=item.release.components,
        listed_at=item.listed_at,
        url=links.project(item.project.name),
    )


def _release(report: ReleaseReport, links: Links) -> ReleaseRow:
    release = report.release
    return ReleaseRow(
        version=release.version,
        state=report.state,
        type=release.type,
        level=release.level,
        components=release.components,
        url=links.release(report.project.name, release.version),
    )
