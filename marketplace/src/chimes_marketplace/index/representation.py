"""Chooses the format of an index page, and responds with 304 if the client already has it."""

from __future__ import annotations

import gzip
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from litestar import Request, Response

from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.web.negotiation import choose_encoding, choose_media_type

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["JSON", "PRIVATE", "REVALIDATE", "is_known", "represent"]

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
LATEST = "application/vnd.pypi.simple.latest"
OFFERED: Mapping[str, Sequence[str]] = MappingProxyType(
    {"text/html": ["text/html"], JSON: [JSON, f"{LATEST}+json"], HTML: [HTML, f"{LATEST}+html"]}
)
"""Each media type of a response, and the names by which clients request it: ``latest`` means the newest version.

The first one is for clients without a preference; browsers and old versions of pip request it by name.
"""

REVALIDATE = "no-cache"
PRIVATE = "private, no-store"
COMPRESSED_BYTES = 1024
"""Smaller bodies are not compressed."""

ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {"zstd": zstd.compress, "gzip": partial(gzip.compress, compresslevel=5, mtime=0)}
)
"""In the order of the server's preference: the first is smaller and faster. uv accepts both, pip only gzip."""


def represent(
    request: Request[Any, Any, Any], *, json: Callable[[], bytes], html: Callable[[], bytes], cache: str
) -> Response[bytes]:
    """The page in the format that the client prefers; 304 without a body if the client's copy is current.

    Raises MarketplaceError ``not-acceptable`` where the client refuses every format.
    """
    kind = choose_media_type(request.headers.getall("accept", []), OFFERED)
    if kind is None:
        message = "the Accept header refuses every format of this page"
        raise MarketplaceError("not-acceptable", message, fix=f"accept one of {', '.join(OFFERED)}")
    body = json() if kind == JSON else html()
    headers = {"Cache-Control": cache, "Vary": "Accept, Accept-Encoding"}
    encodings = request.headers.getall("accept-encoding", [])
    encoding = choose_encoding(encodings, tuple(ENCODINGS)) if len(body) >= COMPRESSED_BYTES else None
    if encoding is not None:
        body = ENCODINGS[encoding](body)
        headers["Content-Encoding"] = encoding
    # The ETag covers the encoded bytes and the type, because two types can have the same bytes.
    headers["ETag"] = f'"{hashlib.sha256(kind.encode() + body).hexdigest()[:40]}"'
    if is_known(request, headers["ETag"]):
        headers.pop("Content-Encoding", None)
        return Response(b"", status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=kind)


def is_known(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether the client has this version already (If-None-Match)."""
    held = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return etag in held or "*" in held
