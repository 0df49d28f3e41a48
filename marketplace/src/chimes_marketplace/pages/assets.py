"""The stylesheet and pictures of the pages. Each is read once; its address contains its digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

from chimes_marketplace.errors import MarketplaceError

__all__ = ["ASSETS", "asset_path", "show_asset"]

STATIC = Path(__file__).resolve().parents[1] / "static"
TYPES = {".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Asset:
    """One file: its bytes, their digest, its media type."""

    data: bytes
    digest: str
    media_type: str


def _read(path: Path) -> Asset:
    data = path.read_bytes()
    return Asset(data, hashlib.sha256(data).hexdigest()[:16], TYPES[path.suffix])


ASSETS = MappingProxyType({path.name: _read(path) for path in sorted(STATIC.iterdir()) if path.suffix in TYPES})
"""All assets, by name."""


def asset_path(name: str) -> str:
    """The address of an asset below the root; it changes with the bytes."""
    return f"/static/{name}?v={ASSETS[name].digest}"


@get("/static/{name:str}", sync_to_thread=False, operation_id="ShowAsset", media_type="text/css")
def show_asset(request: Request[Any, Any, Any], name: FromPath[str], v: FromQuery[str] = "") -> Response[bytes]:
    """A stylesheet or picture; it may be cached forever if ``v`` is its digest."""
    asset = ASSETS.get(name)
    if asset is None:
        raise MarketplaceError("not-found", f"there is no {name[:100]!r} here", fix="check the address")
    etag = f'"{asset.digest}"'
    headers = {
        "etag": etag,
        "cache-control": "public, max-age=31536000, immutable" if v == asset.digest else "no-cache",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(b"", status_code=304, headers=headers, media_type=asset.media_type)
    return Response(asset.data, headers=headers, media_type=asset.media_type)
