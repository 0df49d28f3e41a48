"""Error responses of the pages: a page in the reader's language where a browser asks for one."""

from __future__ import annotations

from typing import Any

from litestar import MediaType, Request, Response
from litestar.di import Provide
from litestar.types import ExceptionHandlersMap

from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.pages.responses import show
from chimes_marketplace.web.errors import error_response
from chimes_marketplace.web.state import Market

__all__ = ["HANDLERS", "show_error"]


def show_error(request: Request[Any, Any, Any], error: MarketplaceError) -> Response[Any]:
    """A page for browsers; for other clients the error response that every route has."""
    plain = error_response(request, error)
    if plain.media_type != MediaType.HTML:
        return plain
    page = show(request, _market(request), "error.html", {"error": error}, private=True, status=error.status)
    for name, value in plain.headers.items():
        if name.lower() in ("retry-after", "www-authenticate"):
            page.headers[name] = value
    return page


def _market(request: Request[Any, Any, Any]) -> Market:
    # An exception handler is given no dependencies.
    provided = request.app.dependencies["market"]
    assert isinstance(provided, Provide)
    market = provided.dependency()
    assert isinstance(market, Market)
    return market


HANDLERS: ExceptionHandlersMap = {MarketplaceError: show_error}
"""Exception to its error response."""
