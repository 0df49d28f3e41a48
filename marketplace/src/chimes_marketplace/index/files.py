"""Downloads of files, whole or in parts; access depends on project and file name, never on the digest."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from chimes_marketplace.accounts.policy import require
from chimes_marketplace.catalog.files import list_named
from chimes_marketplace.catalog.releases import get_project_of
from chimes_marketplace.catalog.tables import File
from chimes_marketplace.database import Session
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.index.ranges import parse_range
from chimes_marketplace.index.representation import PRIVATE, is_known
from chimes_marketplace.storage.blobstore import DIGEST
from chimes_marketplace.web.access import project_object
from chimes_marketplace.web.authentication import authenticate_request
from chimes_marketplace.web.errors import error_response
from chimes_marketplace.web.state import Marketplace

__all__ = ["IMMUTABLE", "METADATA", "absent", "digest_of", "send", "send_file"]

AnyRequest = Request[Any, Any, Any]
IMMUTABLE = "public, max-age=31536000, immutable"
METADATA = ".metadata"


@get("/files/{sha256:str}/{filename:str}", sync_to_thread=True, tags=["index"])
def send_file(
    request: AnyRequest, market: NamedDependency[Marketplace], sha256: FromPath[str], filename: FromPath[str]
) -> Response[Any]:
    """A listed file without a token, others for their member; with the suffix ``.metadata``: a wheel's METADATA."""
    with market.database.reading() as session:
        file, cache = _readable(request, session, sha256, filename.removesuffix(METADATA))
        digest = digest_of(file, filename)
    return send(request, market, digest, cache=cache)


def digest_of(file: File, filename: str) -> str:
    """The digest of the file, or of its METADATA if ``filename`` asks for that. Raises ``not-found``."""
    digest = file.metadata_sha256 if filename.endswith(METADATA) else file.sha256
    if digest is None:
        raise absent(filename)
    return digest


def send(request: AnyRequest, market: Marketplace, digest: str, *, cache: str) -> Response[Any]:
    """The blob or the requested part of it; 304 if the client has it, 416 for a part outside the file."""
    etag = f'"{digest}"'
    headers = {"Cache-Control": cache, "ETag": etag, "Accept-Ranges": "bytes"}
    if is_known(request, etag):
        return Response(b"", status_code=304, headers=headers)
    size = market.blobs.size(digest)
    try:
        part = _requested_part(request, etag, size)
    except MarketplaceError as error:
        response = error_response(request, error)
        response.headers["Content-Range"] = f"bytes */{size}"
        return response
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    sent = range(size) if part is None else part
    headers["Content-Length"] = str(len(sent))
    status = 200 if part is None else 206
    return Stream(
        market.blobs.stream(digest, sent), headers=headers, media_type="application/octet-stream", status_code=status
    )


def absent(filename: str) -> MarketplaceError:
    """The error if no file has that name and that digest."""
    message = f"there is no file {filename[:200]!r} with these bytes"
    return MarketplaceError("not-found", message, fix="use an address from a page of the index")


def _requested_part(request: AnyRequest, etag: str, size: int) -> range | None:
    condition = request.headers.get("if-range", "").strip()
    if condition not in ("", etag):
        return None
    return parse_range(request.headers.get("range", ""), size)


def _readable(request: AnyRequest, session: Session, sha256: str, filename: str) -> tuple[File, str]:
    found = list_named(session, filename=filename, sha256=sha256) if DIGEST.fullmatch(sha256) else []
    for file in found:
        if file.listed_at is not None:
            return file, IMMUTABLE
    if not found:
        raise absent(filename)
    project = get_project_of(session, release_id=found[0].release_id)
    require(authenticate_request(request, session), "view", project_object(project))
    return found[0], PRIVATE
