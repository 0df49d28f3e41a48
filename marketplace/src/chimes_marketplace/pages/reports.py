"""The validation report of a submission: public once it is listed; before that, for its member or at the stage URL."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, PathParameter

from chimes_marketplace.accounts.policy import can, require
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.lanes.documents import read_log, read_verdict
from chimes_marketplace.pages.findings import group, printable
from chimes_marketplace.pages.responses import show
from chimes_marketplace.pages.runs import DOCUMENTS, make_run_view
from chimes_marketplace.submissions.states import MARKETPLACE, get_by_secret
from chimes_marketplace.validation.reports import SubmissionReport, read_submission
from chimes_marketplace.web.access import submission_object
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.state import Marketplace

__all__ = ["show_document", "show_report", "show_stage_document", "show_stage_report"]

Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1)]
DECIDED = ("listed", "rejected")
TYPES = {".json": "application/json", ".toml": "text/plain", ".txt": "text/plain"}


@get("/reports/{id:int}/", sync_to_thread=True, operation_id="ShowReport", media_type="text/html")
def show_report(request: Request[Any, Any, Any], market: NamedDependency[Marketplace], id: Number) -> Response[str]:
    """The report of a submission. If it is not listed, a token of its member is needed."""
    with market.database.reading() as session:
        report, full = _admitted(request, session, id)
    return _page(request, market, report, full=full, place=f"reports/{id}/")


@get("/stage/{secret:str}/report", sync_to_thread=True, operation_id="ShowStageReport", media_type="text/html")
def show_stage_report(
    request: Request[Any, Any, Any], market: NamedDependency[Marketplace], secret: FromPath[str]
) -> Response[str]:
    """The same, at the stage URL."""
    with market.database.reading() as session:
        report = _staged(session, secret)
    return _page(request, market, report, full=True, place=f"stage/{quote(secret)}/report/")


@get("/reports/{id:int}/runs/{run:int}/{document:str}", sync_to_thread=True, operation_id="ShowDocument")
def show_document(
    request: Request[Any, Any, Any],
    market: NamedDependency[Marketplace],
    id: Number,
    run: Number,
    document: FromPath[str],
) -> Response[bytes]:
    """A document of a run: verdict.json, run.json, pylock.toml, log.txt, rules.toml, nonce.txt."""
    with market.database.reading() as session:
        report, _ = _admitted(request, session, id)
    return _document(market, report, run, document)


@get("/stage/{secret:str}/report/runs/{run:int}/{document:str}", sync_to_thread=True, operation_id="ShowStageDocument")
def show_stage_document(
    market: NamedDependency[Marketplace], secret: FromPath[str], run: Number, document: FromPath[str]
) -> Response[bytes]:
    """The same, at the stage URL."""
    with market.database.reading() as session:
        report = _staged(session, secret)
    return _document(market, report, run, document)


def _admitted(request: Request[Any, Any, Any], session: Session, id: int) -> tuple[SubmissionReport, bool]:
    """The report, and whether the principal may see all of it. Raises MarketplaceError as the policy says."""
    principal = authenticate_request(request, session)
    report = read_submission(session, id=id)
    require(principal, "view", submission_object(report))
    return report, can(principal, "view_unlisted", submission_object(report))


def _staged(session: Session, secret: str) -> SubmissionReport:
    return read_submission(session, id=get_by_secret(session, secret=secret).id or 0)


def _page(
    request: Request[Any, Any, Any], market: Marketplace, report: SubmissionReport, *, full: bool, place: str
) -> Response[str]:
    files = {file.id: file for file in report.files}
    runs = [
        make_run_view(run, files.get(run.file_id), read_verdict(market.blobs, run), read_log(market.blobs, run))
        for run in report.runs
    ]
    findings = group(report.findings)
    values = {
        "report": report,
        "findings": findings,
        "errors": sum(each.severity == "error" for each in findings),
        "runs": runs,
        "full": full,
        "place": place,
        "decided": report.submission.state in DECIDED,
        "reason": printable(report.submission.reason),
        "marketplace": MARKETPLACE,
    }
    return show(request, market, "reports/report.html", values, private=full or not report.is_public)


def _document(market: Marketplace, report: SubmissionReport, run: int, document: str) -> Response[bytes]:
    found = next((each for each in report.runs if each.id == run), None)
    data: bytes | None = None
    if found is not None and document == "nonce.txt" and report.submission.state in DECIDED:
        data = (report.submission.nonce or "").encode()
    elif found is not None and document in DOCUMENTS and (digest := getattr(found, DOCUMENTS[document])):
        data = market.blobs.read(digest)
    if data is None:
        raise MarketplaceError(
            "not-found", f"run {run} has no {document[:40]!r}", fix="see the list of documents in the report"
        )
    headers = {"cache-control": "private, no-store", "content-security-policy": "default-src 'none'; sandbox"}
    return Response(data, headers=headers, media_type=TYPES[document[document.rindex(".") :]])
