"""The front page: an introduction, the newest plugins, how to install and how to publish."""

from __future__ import annotations

from collections import Counter
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from chimes_marketplace.catalog.listing import list_catalog
from chimes_marketplace.pages.responses import show
from chimes_marketplace.web.state import Marketplace

__all__ = ["show_front"]

NEWEST = 6


@get("/", sync_to_thread=True, operation_id="ShowFront", media_type="text/html")
def show_front(request: Request[Any, Any, Any], market: NamedDependency[Marketplace]) -> Response[str]:
    """The front page."""
    with market.database.reading() as session:
        items = list_catalog(session)
    kinds = Counter(component.kind for item in items for component in item.release.components)
    values = {
        "newest": sorted(items, key=lambda item: item.listed_at, reverse=True)[:NEWEST],
        "plugins": sum(item.release.type == "plugin" for item in items),
        "libraries": sum(item.release.type == "library" for item in items),
        "members": len({item.member.id for item in items}),
        "kinds": kinds,
    }
    return show(request, market, "front/front.html", values)
