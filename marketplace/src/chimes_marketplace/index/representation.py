"""Chooses in which form a page is answered, and whether the client has it already."""

from __future__ import annotations

import gzip
import hashlib
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from litestar import Request, Response
from litestar.datastructures.headers import Accept

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["JSON", "PRIVATE", "REVALIDATE", "is_known", "represent"]

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
OFFERED = ("text/html", JSON, HTML)
"""The first is for who does not care; browsers and pip of old ask for it by name."""

REVALIDATE = "no-cache"
PRIVATE = "private, no-store"
COMPRESSED_BYTES = 1024
"""Smaller bodies do not get smaller."""

ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {"zstd": zstd.compress, "gzip": partial(gzip.compress, compresslevel=5, mtime=0)}
)
"""uv takes both, pip gzip alone."""


def represent(
    request: Request[Any, Any, Any], *, json: Callable[[], bytes], html: Callable[[], bytes], cache: str
) -> Response[bytes]:
    """The page as the client prefers it; 304 without a body if its copy is fresh."""
    kind = _preferred(request.headers.get("accept", "*/*"))
    body = json() if kind == JSON else html()
    headers = {"Cache-Control": cache, "Vary": "Accept, Accept-Encoding"}
    encoding = _encoding(request.headers.get("accept-encoding", "")) if len(body) >= COMPRESSED_BYTES else None
    if encoding is not None:
        body = ENCODINGS[encoding](body)
        headers["Content-Encoding"] = encoding
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


def _encoding(header: str) -> str | None:
    """The best of ours that the client takes: what it prefers, and of equals zstd, which is smaller and faster."""
    taken = {}
    for part in header.lower().split(","):
        name, *parameters = (text.strip() for text in part.split(";"))
        if name in ENCODINGS:
            taken[name] = _quality(parameters)
    best = max(ENCODINGS, key=lambda name: taken.get(name, 0.0))
    return best if taken.get(best, 0.0) > 0 else None


def _quality(parameters: list[str]) -> float:
    given = next((text.replace(" ", "")[2:] for text in parameters if text.replace(" ", "").startswith("q=")), "1")
    # What is no quality (RFC 9110, 12.4.2) is not asked for.
    return float(given) if re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", given) else 0.0
