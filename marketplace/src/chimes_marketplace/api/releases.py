"""A release as JSON: its state, submissions, components, files and findings."""

from __future__ import annotations

from typing import Any

from chimes.evidence.finding import Finding
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from chimes_marketplace.accounts.policy import Principal, can, require
from chimes_marketplace.api.schemas import READING, Answer, FileAnswer
from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.catalog.releases import find_release, list_releases
from chimes_marketplace.catalog.tables import File, Project, Release
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.validation.reports import ReleaseReport, read_release
from chimes_marketplace.web.access import get_named, project_object
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.web.urls import Links

__all__ = ["file_answer", "show_release"]

LONGEST_VERSION = 200


class SubmissionRow(Answer):
    """A submission of a release."""

    id: int
    state: str


class ReleaseAnswer(Answer):
    """A release. Without a token of its member, only the listed part."""

    project: str
    version: str
    state: str
    level: str | None
    type: str
    submissions: list[SubmissionRow]
    components: tuple[ListedComponent, ...]
    stage_url: str | None
    report_url: str
    files: list[FileAnswer]
    findings: tuple[Finding, ...]


@get(
    "/projects/{name:str}/releases/{version:str}",
    sync_to_thread=True,
    operation_id="ShowRelease",
    responses=READING,
)
def show_release(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], name: FromPath[str], version: FromPath[str]
) -> ReleaseAnswer:
    """One release: state, level, submissions, components, files, findings."""
    with market.database.reading() as session:
        principal = authenticate_request(request, session)
        project = get_named(session, name)
        report = _read(principal, session, project, version)
        own = can(principal, "view_stage_address", project_object(project))
        return _answer(report, Links.of(request, market), own)


def file_answer(file: File, submission: Submission, links: Links, *, own: bool) -> FileAnswer:
    """A file. ``own``: for its member, with the stage address until it is listed."""
    return FileAnswer(
        filename=file.filename,
        form=file.form,
        sha256=file.sha256,
        size=file.size_bytes,
        requires_python=file.requires_python,
        submission=file.submission_id,
        uploaded_at=file.uploaded_at,
        listed_at=file.listed_at,
        url=links.file(file, submission if own else None),
    )


def _read(principal: Principal, session: Session, project: Project, version: str) -> ReleaseReport:
    assert project.id is not None
    full = can(principal, "view_unlisted", project_object(project))
    release = find_release(session, project_id=project.id, version=version) if len(version) <= LONGEST_VERSION else None
    report = None if release is None else read_release(session, project=project, release=release, full=full)
    if report is not None:
        return report
    is_listed = release is None and _has_listed(session, project)
    require(principal, "view", project_object(project, is_listed=is_listed))
    message = f"{project.name} has no version {version[:LONGEST_VERSION]!r}"
    raise MarketplaceError("not-found", message, fix=f"see /api/v1/projects/{project.name} for its versions")


def _has_listed(session: Session, project: Project) -> bool:
    assert project.id is not None
    releases: list[Release] = list_releases(session, project_id=project.id)
    return any(read_release(session, project=project, release=each, full=False) for each in releases)


def _answer(report: ReleaseReport, links: Links, own: bool) -> ReleaseAnswer:
    release = report.release
    newest = report.submissions[0]
    submissions = {submission.id: submission for submission in report.submissions}
    return ReleaseAnswer(
        project=report.project.name,
        version=release.version,
        state=report.state,
        level=release.level,
        type=release.type,
        submissions=[SubmissionRow(id=each.id or 0, state=each.state) for each in report.submissions],
        components=release.components,
        stage_url=links.stage(newest) if own else None,
        report_url=links.report(newest),
        files=[file_answer(file, submissions[file.submission_id], links, own=own) for file in report.files],
        findings=report.findings,
    )
