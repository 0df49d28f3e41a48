"""The health of the marketplace, for monitoring systems."""

from __future__ import annotations

import logging

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from chimes_marketplace.accounts.members import list_members
from chimes_marketplace.web.state import Marketplace

__all__ = ["show_health"]

LOG = logging.getLogger("chimes_marketplace")
FREE_BYTES = 64 << 20


@get(
    "/healthz",
    sync_to_thread=True,
    operation_id="ShowHealth",
    tags=["health"],
    responses={503: ResponseSpec(dict[str, str], description="what fails, by part", generate_examples=False)},
)
def show_health(market: NamedDependency[Marketplace]) -> Response[dict[str, str]]:
    """200 with ``status`` ok, or 503 with each part that fails."""
    failing = {name: reason for name, reason in _parts(market).items() if reason}
    body = {"status": "failing", **failing} if failing else {"status": "ok"}
    return Response(body, status_code=503 if failing else 200, headers={"Cache-Control": "no-store"})


def _parts(market: Marketplace) -> dict[str, str | None]:
    return {"database": _database(market), "disk": _disk(market)}


def _database(market: Marketplace) -> str | None:
    try:
        with market.database.reading() as session:
            list_members(session)
    except Exception:  # drivers raise their own exception types, and each means that the database fails
        LOG.exception("the database cannot be read")
        return "cannot be read"
    return None


def _disk(market: Marketplace) -> str | None:
    if not market.blobs.is_writable():
        return "cannot be written"
    return None if market.blobs.free_bytes() >= FREE_BYTES else "is full"
