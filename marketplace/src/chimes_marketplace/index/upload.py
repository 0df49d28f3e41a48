"""The legacy upload: one POST with one file, as twine and uv send it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from litestar import Request, Response, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from chimes_marketplace.accounts.tokens import Caller
from chimes_marketplace.catalog.names import normalised
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.index.receiving import Receiving, boundary_of
from chimes_marketplace.storage.blobstore import IncomingBlob
from chimes_marketplace.submissions.form import RETIRED, UploadForm, check_action, check_release, read_form
from chimes_marketplace.submissions.gate import Examined, examine
from chimes_marketplace.submissions.intake import Arrived, Receipt, accept, check_uploader, screen
from chimes_marketplace.web.authentication import find_caller
from chimes_marketplace.web.state import Market
from chimes_marketplace.web.urls import Links

__all__ = ["upload"]

Ask = Request[Any, Any, Any]
RESERVE_BYTES = 64 << 20
"""What must stay free on the disk, for the database above all."""
FRAME_BYTES = 16 << 20
"""More than the form around a file can be."""
DRAIN_BYTES, DRAIN_S = 64 << 20, 10.0
"""What is still read of a refused upload: a client that cannot send all of it may never look at the answer."""


@post("/legacy", status_code=200, request_max_body_size=None, tags=["index"])
async def upload(request: Ask, market: NamedDependency[Market]) -> Response[Any]:
    """Take a wheel or an sdist into its release's open submission (multipart/form-data, as twine and uv send it)."""
    if not request.scope["raw_path"].partition(b"?")[0].endswith(b"/"):
        return Redirect(f"{Links.of(request, market).base}/legacy/{_query(request)}", status_code=308)
    body = request.stream()
    try:
        answer = await _receive(request, market, body)
    except Exception:
        await _drain(body)
        raise
    return Response(answer, media_type="application/json")


async def _receive(request: Ask, market: Market, body: AsyncIterator[bytes]) -> dict[str, Any]:
    caller = await sync_to_thread(_authenticate, request, market)
    actions = request.query_params.getall(":action", [])
    if any(action in RETIRED for action in actions):
        check_action(actions)
    boundary = boundary_of(request.headers.get("content-type", ""))
    _check_room(market, request.headers.get("content-length", ""))
    incoming = await sync_to_thread(market.blobs.receive)
    arriving = partial(_arriving, market, caller)
    receiving = Receiving(incoming, limit_bytes=market.settings.upload_bytes, arriving=arriving)
    try:
        await receiving.read(boundary, _connected(body, market.settings.silence_s))
        check_action([*actions, *receiving.fields.get(":action", ())])
        form = read_form(receiving.fields, receiving.filename)
        receiving.check_digests(form)
        return await sync_to_thread(_take, request, market, caller, form, incoming)
    finally:
        await sync_to_thread(receiving.close)
        await sync_to_thread(incoming.discard)


def _authenticate(request: Ask, market: Market) -> Caller:
    with market.database.reading() as session:
        return _caller(request, session)


def _caller(request: Ask, session: Session) -> Caller:
    caller = find_caller(request, session)
    if caller is None:
        message = "the upload carries no token"
        raise MarketplaceError(
            "credentials-refused", message, fix="use the user name __token__ and a token as password"
        )
    return caller


def _check_room(market: Market, announced: str) -> None:
    size = int(announced) if announced.isascii() and announced.isdigit() else 0
    limit = market.settings.upload_bytes
    if size > limit + FRAME_BYTES:
        message = f"the body has {size} bytes, and the largest file that is taken {limit}"
        raise MarketplaceError("file-too-large", message, fix="ship weights and data apart from the code")
    free = market.blobs.free_bytes()
    if free < size + RESERVE_BYTES:
        message = f"the marketplace's disk has {free} bytes left"
        raise MarketplaceError("disk-full", message, fix="try again later; the operator must make room")


def _take(request: Ask, market: Market, caller: Caller, form: UploadForm, incoming: IncomingBlob) -> dict[str, Any]:
    incoming.finish()
    examined = examine(incoming.path, form, rules=market.settings.rules, is_admin=caller.is_admin)
    arrived = Arrived(form=form, sha256=incoming.sha256, size_bytes=incoming.size_bytes, examined=examined)
    with market.database.reading() as session:
        there = screen(session, caller=caller, arrived=arrived)
        if there is not None:
            return _answer(Links.of(request, market), there)
    return _accept(request, market, _kept(market, incoming, form, examined))


def _kept(market: Market, incoming: IncomingBlob, form: UploadForm, examined: Examined) -> Arrived:
    metadata = None if examined.metadata is None else market.blobs.put(examined.metadata)
    sha256 = market.blobs.keep(incoming)
    size = incoming.size_bytes
    return Arrived(form=form, sha256=sha256, size_bytes=size, examined=examined, metadata_sha256=metadata)


def _accept(request: Ask, market: Market, arrived: Arrived) -> dict[str, Any]:
    with market.database.writing() as session:
        # A token may have been revoked while the file came.
        receipt = accept(session, caller=_caller(request, session), arrived=arrived)
        answer = _answer(Links.of(request, market), receipt)
    if receipt.is_new:
        market.wake()
    return answer


def _arriving(market: Market, caller: Caller, name: str, version: str) -> AbstractContextManager[object]:
    """Who may upload to a release keeps its submission open meanwhile, and nobody else does."""
    try:
        check_release(name, version)
        with market.database.reading() as session:
            check_uploader(session, caller=caller, name=name)
    except MarketplaceError:
        # Said when the form is whole: it may have another fault that comes first.
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
            message = f"nothing came for {silence_s:g} s, and the file is not whole"
            raise MarketplaceError("too-slow", message, fix="upload again; nothing was kept") from error
        except HTTPException as error:
            message = "the client went away before the file was whole"
            raise MarketplaceError("bad-form", message, fix="upload again; nothing was kept") from error
        yield chunk


async def _drain(body: AsyncIterator[bytes]) -> None:
    left = DRAIN_BYTES
    with contextlib.suppress(HTTPException, TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            async for chunk in body:
                left -= len(chunk)
                if left < 0:
                    return


def _answer(links: Links, receipt: Receipt) -> dict[str, Any]:
    shown = [finding for finding in receipt.file.findings if finding["severity"] != "info"]
    return {
        "submission": receipt.submission.id,
        "state": receipt.submission.state,
        "project": receipt.project.name,
        "version": receipt.release.version,
        "filename": receipt.file.filename,
        "sha256": receipt.file.sha256,
        "report_url": links.report(receipt.submission),
        "stage_url": links.stage(receipt.submission),
        "findings": shown,
    }


def _query(request: Ask) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"?{query}" if query else ""
