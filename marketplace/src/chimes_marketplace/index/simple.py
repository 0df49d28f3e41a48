"""The simple index: the list of projects, and each project's files."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from chimes_marketplace.accounts.policy import require
from chimes_marketplace.catalog.names import normalised
from chimes_marketplace.catalog.projects import list_listed
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.index.documents import project_html, project_json, root_html, root_json
from chimes_marketplace.index.entries import Entry, list_entries
from chimes_marketplace.index.representation import REVALIDATE, represent
from chimes_marketplace.web.access import get_named, project_object
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.web.urls import Links

__all__ = ["canonical_address", "listed_page", "show_project", "show_project_to_uploader", "show_root"]

AnyRequest = Request[Any, Any, Any]
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@get("/simple", sync_to_thread=True, tags=["index"])
def show_root(request: AnyRequest, market: NamedDependency[Marketplace]) -> Response[Any]:
    """All projects that have a listed file (PEP 503, PEP 691)."""
    moved = canonical_address(request, market, "/simple/")
    if moved is not None:
        return moved
    with market.database.reading() as session:
        names = [project.name for project in list_listed(session)]
    return represent(request, json=lambda: root_json(names), html=lambda: root_html(names), cache=REVALIDATE)


@get("/simple/{name:str}", sync_to_thread=True, tags=["index"])
def show_project(request: AnyRequest, market: NamedDependency[Marketplace], name: FromPath[str]) -> Response[Any]:
    """The listed files of a project."""
    return _project_page(request, market, name, folder="/simple")


@get("/legacy/+simple/{name:str}", sync_to_thread=True, tags=["index"])
def show_project_to_uploader(
    request: AnyRequest, market: NamedDependency[Marketplace], name: FromPath[str]
) -> Response[Any]:
    """The same page, at the address that hatch requests before it uploads."""
    return _project_page(request, market, name, folder="/legacy/+simple")


def canonical_address(request: AnyRequest, market: Marketplace, path: str) -> Redirect | None:
    """A redirect to ``path``, with a slash at its end and the name normalised; None if the request has that path."""
    raw: bytes = request.scope["raw_path"]
    if raw.partition(b"?")[0].endswith(b"/") and request.scope["path"] == path.rstrip("/"):
        return None
    return Redirect(f"{Links.of(request, market).base}{quote(path)}", status_code=301)


def listed_page(request: AnyRequest, session: Session, name: str) -> tuple[str, list[Entry]]:
    """The name and the files of a project that has a listed file.

    Raises MarketplaceError ``not-found`` if the project does not exist. If it has no listed file, raises
    ``credentials-required`` or ``not-yours`` as the policy says; for its member ``not-found``, naming the stage.
    """
    project = get_named(session, name)
    entries = list_entries(session, project=project)
    if entries:
        return project.name, entries
    require(authenticate_request(request, session), "view", project_object(project))
    message = f"{project.name} has nothing listed yet"
    fix = "install from the stage URL in the response to the upload; chimes publish prints it"
    raise MarketplaceError("not-found", message, fix=fix)


def _project_page(request: AnyRequest, market: Marketplace, name: str, *, folder: str) -> Response[Any]:
    if NAME.fullmatch(name):
        moved = canonical_address(request, market, f"{folder}/{normalised(name)}/")
        if moved is not None:
            return moved
    with market.database.reading() as session:
        shown, entries = listed_page(request, session, name)
    up = "../" * (folder.count("/") + 1)
    return represent(
        request,
        json=lambda: project_json(shown, entries, up=up),
        html=lambda: project_html(shown, entries, up=up),
        cache=REVALIDATE,
    )
