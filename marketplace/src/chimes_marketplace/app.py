"""The application: all routes of one marketplace."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Response, Router
from litestar.di import Provide
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

import chimes_marketplace.api.routes
import chimes_marketplace.index.routes
import chimes_marketplace.pages.routes
from chimes_marketplace import __version__
from chimes_marketplace.api.health import show_health
from chimes_marketplace.web.errors import HANDLERS, protect
from chimes_marketplace.web.methods import allow_head, with_head
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.web.urls import check_host

__all__ = ["create_app"]

BODY_BYTES = 1 << 20
"""The largest request body, unless the route has its own limit."""


def create_app(market: Marketplace) -> Litestar:
    """The ASGI application of that marketplace. It does not start or stop the other parts."""
    app = Litestar(
        [
            show_health,
            *chimes_marketplace.index.routes.ROUTES,
            *chimes_marketplace.api.routes.ROUTES,
            *chimes_marketplace.pages.routes.ROUTES,
        ],
        dependencies={"market": Provide(lambda: market, sync_to_thread=False)},
        guards=[check_host],
        exception_handlers=HANDLERS,
        before_send=[protect, allow_head],
        request_max_body_size=BODY_BYTES,
        openapi_config=_documented(market.settings.name),
        logging_config=None,
    )
    app.asgi_handler = with_head(app.asgi_handler)
    return app


def _documented(name: str) -> OpenAPIConfig:
    # Only as JSON: the framework's documentation pages load scripts from other sites.
    return OpenAPIConfig(
        title=f"{name} marketplace",
        version=__version__,
        use_handler_docstrings=True,
        path="/schema",
        render_plugins=[JsonRenderPlugin()],
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, after_request=_refuse_absent),
    )


async def _refuse_absent(response: Response[Any]) -> Response[Any]:
    """Replace the framework's own 404 page below ``/schema`` by the usual error response."""
    if response.status_code == 404:
        raise NotFoundException
    return response
