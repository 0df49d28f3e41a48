"""The stage: an index at a secret URL, from which a submission can be installed before it is listed."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from chimes_marketplace.catalog.files import list_files, list_named
from chimes_marketplace.catalog.names import normalised
from chimes_marketplace.catalog.projects import list_listed
from chimes_marketplace.catalog.releases import get_project_of
from chimes_marketplace.catalog.tables import File, Project
from chimes_marketplace.database import Session
from chimes_marketplace.index.documents import project_html, project_json, root_html, root_json
from chimes_marketplace.index.entries import list_staged_entries
from chimes_marketplace.index.files import METADATA, absent, digest_of, send
from chimes_marketplace.index.representation import PRIVATE, represent
from chimes_marketplace.index.simple import canonical_address, listed_page
from chimes_marketplace.submissions.states import get_by_secret
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.web.state import Marketplace

__all__ = ["send_staged_file", "show_stage", "show_staged_project"]

AnyRequest = Request[Any, Any, Any]
UP = "../../"


@get("/stage/{secret:str}/simple", sync_to_thread=True, tags=["stage"])
def show_stage(request: AnyRequest, market: NamedDependency[Marketplace], secret: FromPath[str]) -> Response[Any]:
    """All listed projects and the project of the submission. The URL is the only credential."""
    with market.database.reading() as session:
        _, project = _staged(session, secret)
        names = sorted({project.name, *(each.name for each in list_listed(session))})
    moved = canonical_address(request, market, f"/stage/{secret}/simple/")
    if moved is not None:
        return moved
    return represent(request, json=lambda: root_json(names), html=lambda: root_html(names), cache=PRIVATE)


@get("/stage/{secret:str}/simple/{name:str}", sync_to_thread=True, tags=["stage"])
def show_staged_project(
    request: AnyRequest, market: NamedDependency[Marketplace], secret: FromPath[str], name: FromPath[str]
) -> Response[Any]:
    """The files of the submission and the listed files of its project. For another project: its listed files."""
    with market.database.reading() as session:
        submission, project = _staged(session, secret)
        if normalised(name) == project.name:
            assert submission.id is not None
            shown = project.name
            entries = list_staged_entries(session, project=project, submission_id=submission.id)
        else:
            shown, entries = listed_page(request, session, name)
    moved = canonical_address(request, market, f"/stage/{secret}/simple/{shown}/")
    if moved is not None:
        return moved
    return represent(
        request,
        json=lambda: project_json(shown, entries, up=UP),
        html=lambda: project_html(shown, entries, up=UP),
        cache=PRIVATE,
    )


@get("/stage/{secret:str}/files/{sha256:str}/{filename:str}", sync_to_thread=True, tags=["stage"])
def send_staged_file(
    request: AnyRequest,
    market: NamedDependency[Marketplace],
    secret: FromPath[str],
    sha256: FromPath[str],
    filename: FromPath[str],
) -> Response[Any]:
    """A file of the submission, or a listed one."""
    with market.database.reading() as session:
        submission, _ = _staged(session, secret)
        digest = digest_of(_find_file(session, submission, sha256, filename.removesuffix(METADATA)), filename)
    return send(request, market, digest, cache=PRIVATE)


def _staged(session: Session, secret: str) -> tuple[Submission, Project]:
    submission = get_by_secret(session, secret=secret)
    return submission, get_project_of(session, release_id=submission.release_id)


def _find_file(session: Session, submission: Submission, sha256: str, filename: str) -> File:
    own = list_files(session, submission_id=submission.id)
    listed = (file for file in list_named(session, filename=filename, sha256=sha256) if file.listed_at is not None)
    for file in (*own, *listed):
        if file.filename == filename and file.sha256 == sha256:
            return file
    raise absent(filename)
