"""Chooses in which form a page is answered, and whether the client has it already."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.datastructures.headers import Accept

__all__ = ["JSON", "PRIVATE", "REVALIDATE", "is_known", "represent"]

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
OFFERED = ("text/html", JSON, HTML)
"""The first is for who does not care; browsers and pip of old ask for it by name."""

REVALIDATE = "no-cache"
PRIVATE = "private, no-store"
COMPRESSED_BYTES = 1024
"""Smaller bodies do not get smaller."""


def represent(
    request: Request[Any, Any, Any], *, json: Callable[[], bytes], html: Callable[[], bytes], cache: str
) -> Response[bytes]:
    """The page as the client prefers it; 304 without a body if its copy is fresh."""
    kind = _preferred(request.headers.get("accept", "*/*"))
    body = json() if kind == JSON else html()
    headers = {"Cache-Control": cache, "Vary": "Accept, Accept-Encoding"}
    if len(body) >= COMPRESSED_BYTES and _takes_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, compresslevel=5, mtime=0)
        headers["Content-Encoding"] = "gzip"
    # Of the bytes as they go out, so it differs between the forms and their encodings; and of the type, which
    # two forms with the same bytes differ in.
    headers["ETag"] = f'"{hashlib.sha256(kind.encode() + body).hexdigest()[:40]}"'
    if is_known(request, headers["ETag"]):
        headers.pop("Content-Encoding", None)
        return Response(b"", status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=kind)


def is_known(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the client says that it has this one (If-None-Match)."""
    held = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in held or "*" in held


def _preferred(accept: str) -> str:
    try:
        return Accept(accept).best_match(list(OFFERED), default=OFFERED[0])
    except OverflowError:
        # Of a quality that is infinite.
        return OFFERED[0]


def _takes_gzip(header: str) -> bool:
    for part in header.lower().split(","):
        name, *parameters = (text.strip() for text in part.split(";"))
        if name == "gzip":
            return not any(text.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for text in parameters)
    return False
