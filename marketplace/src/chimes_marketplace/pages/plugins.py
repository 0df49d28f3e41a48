"""The list of plugins and libraries, and the page of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from chimes_marketplace.accounts.policy import can, require
from chimes_marketplace.catalog.install import Install, install_lines
from chimes_marketplace.catalog.listing import CatalogItem, list_catalog, search
from chimes_marketplace.catalog.releases import find_release, list_releases
from chimes_marketplace.catalog.tables import Project
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.pages.findings import printable
from chimes_marketplace.pages.readme import render_readme
from chimes_marketplace.pages.responses import show
from chimes_marketplace.validation.reports import ReleaseReport, read_release
from chimes_marketplace.web.access import get_named, project_object
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.web.urls import Links

__all__ = ["show_plugin", "show_plugins", "show_release_page"]

LONGEST_VERSION = 200
LINKS = 20
ADDRESSES = ("http://", "https://")
Search = Annotated[str, QueryParameter(max_length=200, description="words in name, summary, member or components")]


@get("/plugins/", sync_to_thread=True, operation_id="ShowPlugins", media_type="text/html")
def show_plugins(
    request: Request[Any, Any, Any],
    market: NamedDependency[Marketplace],
    q: Search = "",
    type: FromQuery[Literal["", "plugin", "library"]] = "",
    kind: FromQuery[Literal["", "model", "connector", "backend"]] = "",
) -> Response[str]:
    """The listed plugins and libraries: all, or those that match."""
    with market.database.reading() as session:
        items = list_catalog(session)
    found = [item for item in search(items, q) if _matches(item, type, kind)]
    values = {"items": found, "total": len(items), "q": q, "type": type, "kind": kind}
    return show(request, market, "plugins/list.html", values)


@get("/plugins/{name:str}/", sync_to_thread=True, operation_id="ShowPlugin", media_type="text/html")
def show_plugin(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], name: FromPath[str]
) -> Response[str]:
    """The newest version that the principal may see."""
    return _show(request, market, name, None)


@get("/plugins/{name:str}/{version:str}/", sync_to_thread=True, operation_id="ShowReleasePage", media_type="text/html")
def show_release_page(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], name: FromPath[str], version: FromPath[str]
) -> Response[str]:
    """One version."""
    return _show(request, market, name, version)


@dataclass(frozen=True, kw_only=True)
class ReleasePage:
    """The content of a release's page. ``catalogue``: the requirements of each listed project, by name."""

    report: ReleaseReport
    versions: tuple[tuple[str, str], ...]
    """Version and state of each release, newest first."""
    catalogue: dict[str, list[str]]
    private: bool


def _matches(item: CatalogItem, type: str, kind: str) -> bool:
    kinds = {component.kind for component in item.release.components}
    return type in ("", item.release.type) and (not kind or kind in kinds)


def _show(request: Request[Any, Any, Any], market: Marketplace, name: str, version: str | None) -> Response[str]:
    with market.database.reading() as session:
        principal = authenticate_request(request, session)
        project = get_named(session, name)
        full = can(principal, "view_unlisted", project_object(project))
        page = _read(session, project, version, full)
        require(principal, "view", project_object(project, is_listed=page is not None))
        if page is None:
            raise MarketplaceError("not-found", f"{project.name} has no release", fix="upload a file of it")
    about = page.report.release.about
    values = {
        "report": page.report,
        "versions": page.versions,
        "about": about,
        "install": _install(request, market, page),
        "readme": render_readme(about),
        "links": _links(about),
        "requirements": [printable(each) for each in about.get("requires_dist") or []],
        "licence": printable(about.get("license_expression") or about.get("license"), 100),
    }
    return show(request, market, "plugins/release.html", values, private=page.private)


def _read(session: Session, project: Project, version: str | None, full: bool) -> ReleasePage | None:
    """The page of the release; None if the principal may not see it. Raises ``not-found`` if it does not exist."""
    assert project.id is not None
    releases = list_releases(session, project_id=project.id)
    found = [read_release(session, project=project, release=each, full=full) for each in releases]
    reports = [report for report in found if report is not None]
    chosen = _newest(reports) if version is None else _of_version(session, reports, project, version)
    if chosen is None or not reports:
        return None
    catalogue = {item.project.name: _requirements(item.release.about) for item in list_catalog(session)}
    catalogue[project.name] = _requirements(chosen.release.about)
    return ReleasePage(
        report=chosen,
        versions=tuple((report.release.version, report.state) for report in reports),
        catalogue=catalogue,
        private=chosen.state != "listed" or full,
    )


def _newest(reports: list[ReleaseReport]) -> ReleaseReport | None:
    """The newest listed release; if none is listed, the newest."""
    listed = [report for report in reports if report.state == "listed"]
    return next(iter(listed or reports), None)


def _of_version(session: Session, reports: list[ReleaseReport], project: Project, version: str) -> ReleaseReport | None:
    assert project.id is not None
    release = find_release(session, project_id=project.id, version=version) if len(version) <= LONGEST_VERSION else None
    if release is None and reports:
        message = f"{project.name} has no version {version[:LONGEST_VERSION]!r}"
        raise MarketplaceError("not-found", message, fix="see the versions on the project's page")
    return next((report for report in reports if release is not None and report.release.id == release.id), None)


def _install(request: Request[Any, Any, Any], market: Marketplace, page: ReleasePage) -> Install:
    base = Links.of(request, market).base
    name, version = page.report.project.name, page.report.release.version
    return install_lines(f"{base}/simple/", name, version, page.catalogue)


def _requirements(about: dict[str, Any]) -> list[str]:
    return [str(each) for each in about.get("requires_dist") or []]


def _links(about: dict[str, Any]) -> list[tuple[str, str]]:
    """Labels and addresses of links; other schemes than ADDRESSES are left out."""
    named = about.get("project_urls")
    pairs = [("Home page", about.get("home_page")), *(named.items() if isinstance(named, dict) else ())]
    found = [(printable(label, 40), printable(address)) for label, address in pairs[:LINKS]]
    return [(label, address) for label, address in found if address.lower().startswith(ADDRESSES)]
