"""The legacy upload API: one POST with one file, as twine and uv send it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from chimes.evidence.finding import Finding
from litestar import Request, Response, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from pydantic import BaseModel, ConfigDict

from chimes_marketplace.accounts.policy import TokenUser, require_user
from chimes_marketplace.accounts.tokens import check_active
from chimes_marketplace.catalog.names import normalised
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.index.upload_reader import UploadReader, boundary_of
from chimes_marketplace.storage.blobstore import IncomingBlob
from chimes_marketplace.submissions.form import RETIRED, UploadForm, check_action, check_release, read_form
from chimes_marketplace.submissions.gate import Examination, examine
from chimes_marketplace.submissions.intake import (
    Receipt,
    ReceivedFile,
    accept,
    check_uploader,
    may_use_reserved_name,
    screen,
)
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.web.urls import Links

__all__ = ["upload"]

AnyRequest = Request[Any, Any, Any]
RESERVE_BYTES = 64 << 20
"""The free space that must remain on the disk, mainly for the database."""
FRAME_BYTES = 16 << 20
"""The largest size of a form without its file."""
DRAIN_BYTES, DRAIN_S = 64 << 20, 10.0
"""How much of a refused upload is still read: some clients read the response only after they have sent everything."""


class UploadAnswer(BaseModel):
    """The response to an upload: the address of the file, and its warnings."""

    model_config = ConfigDict(frozen=True)

    submission: int
    state: str
    project: str
    version: str
    filename: str
    sha256: str
    report_url: str
    stage_url: str
    findings: tuple[Finding, ...]


@post("/legacy", status_code=200, request_max_body_size=None, tags=["index"])
async def upload(request: AnyRequest, market: NamedDependency[Marketplace]) -> Response[Any]:
    """Add a wheel or an sdist to its release's open submission (multipart/form-data, as twine and uv send it)."""
    if not request.scope["raw_path"].partition(b"?")[0].endswith(b"/"):
        return Redirect(f"{Links.of(request, market).base}/legacy/{_query(request)}", status_code=308)
    body = request.stream()
    try:
        answer = await _receive(request, market, body)
    except Exception:
        await _drain(body)
        raise
    return Response(answer.model_dump_json().encode(), media_type="application/json")


async def _receive(request: AnyRequest, market: Marketplace, body: AsyncIterator[bytes]) -> UploadAnswer:
    user = await sync_to_thread(_authenticate, request, market)
    actions = request.query_params.getall(":action", [])
    if any(action in RETIRED for action in actions):
        check_action(actions)
    boundary = boundary_of(request.headers.get("content-type", ""))
    _check_room(market, request.headers.get("content-length", ""))
    incoming = await sync_to_thread(market.blobs.receive)
    arriving = partial(_arriving, market, user)
    reader = UploadReader(incoming, limit_bytes=market.settings.upload_bytes, arriving=arriving)
    try:
        await reader.read(boundary, _connected(body, market.settings.silence_s))
        check_action([*actions, *reader.fields.get(":action", ())])
        form = read_form(reader.fields, reader.filename)
        reader.check_digests(form)
        return await sync_to_thread(_take, request, market, user, form, incoming)
    finally:
        await sync_to_thread(reader.close)
        await sync_to_thread(incoming.discard)


def _authenticate(request: AnyRequest, market: Marketplace) -> TokenUser:
    with market.database.reading() as session:
        return require_user(authenticate_request(request, session), "upload")


def _check_room(market: Marketplace, announced: str) -> None:
    size = int(announced) if announced.isascii() and announced.isdigit() else 0
    limit = market.settings.upload_bytes
    if size > limit + FRAME_BYTES:
        message = f"the body has {size} bytes, more than the largest accepted file, {limit} bytes"
        raise MarketplaceError("file-too-large", message, fix="publish weights and data separately from the code")
    free = market.blobs.free_bytes()
    if free < size + RESERVE_BYTES:
        message = f"the disk of the marketplace has only {free} bytes left"
        raise MarketplaceError("disk-full", message, fix="try again later; the operator must make room")


def _take(
    request: AnyRequest, market: Marketplace, user: TokenUser, form: UploadForm, incoming: IncomingBlob
) -> UploadAnswer:
    incoming.finish()
    with market.database.reading() as session:
        may_reserve = may_use_reserved_name(session, user=user, name=form.project)
    rules = market.settings.chosen_rules.files
    examination = examine(incoming.path, form, rules=rules, may_use_reserved_name=may_reserve)
    received = ReceivedFile(form=form, sha256=incoming.sha256, size_bytes=incoming.size_bytes, examination=examination)
    with market.database.reading() as session:
        existing = screen(session, user=user, received=received)
        if existing is not None:
            return _answer(Links.of(request, market), existing)
    return _accept(request, market, user, _kept(market, incoming, form, examination))


def _kept(market: Marketplace, incoming: IncomingBlob, form: UploadForm, examination: Examination) -> ReceivedFile:
    metadata = None if examination.metadata is None else market.blobs.put(examination.metadata)
    sha256 = market.blobs.keep(incoming)
    size = incoming.size_bytes
    return ReceivedFile(form=form, sha256=sha256, size_bytes=size, examination=examination, metadata_sha256=metadata)


def _accept(request: AnyRequest, market: Marketplace, user: TokenUser, received: ReceivedFile) -> UploadAnswer:
    with market.database.writing() as session:
        # The token may have been revoked while the file was received.
        check_active(session, id=user.token_id)
        receipt = accept(session, user=user, received=received)
        answer = _answer(Links.of(request, market), receipt)
    if receipt.is_new:
        market.wake()
    return answer


def _arriving(market: Marketplace, user: TokenUser, name: str, version: str) -> AbstractContextManager[object]:
    """Keep the submission of the release open during the upload, if the user may upload to it."""
    try:
        check_release(name, version)
        with market.database.reading() as session:
            check_uploader(session, user=user, name=name)
    except MarketplaceError:
        # Reported when the form is complete: an earlier fault of the form takes precedence.
        return contextlib.nullcontext()
    return market.arrivals.arriving(normalised(name), version)


async def _connected(body: AsyncIterator[bytes], silence_s: float) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(silence_s):
                chunk = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            message = f"no data arrived for {silence_s:g} s, and the file is incomplete"
            raise MarketplaceError("too-slow", message, fix="upload again; nothing was stored") from error
        except HTTPException as error:
            message = "the client disconnected before the file was complete"
            raise MarketplaceError("bad-form", message, fix="upload again; nothing was stored") from error
        yield chunk


async def _drain(body: AsyncIterator[bytes]) -> None:
    left = DRAIN_BYTES
    with contextlib.suppress(HTTPException, TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            async for chunk in body:
                left -= len(chunk)
                if left < 0:
                    return


def _answer(links: Links, receipt: Receipt) -> UploadAnswer:
    return UploadAnswer(
        submission=receipt.submission.id or 0,
        state=receipt.submission.state,
        project=receipt.project.name,
        version=receipt.release.version,
        filename=receipt.file.filename,
        sha256=receipt.file.sha256,
        report_url=links.report(receipt.submission),
        stage_url=links.stage(receipt.submission),
        findings=tuple(each for each in receipt.file.findings if each.severity != "info"),
    )


def _query(request: AnyRequest) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"?{query}" if query else ""
