"""A page as an HTTP response: its language, its headers, and whether it may be cached."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.di import Provide
from litestar.types import ExceptionHandlersMap

from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.pages.languages import LANGUAGES, choose
from chimes_marketplace.pages.rendering import render
from chimes_marketplace.web.errors import error_response
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.web.urls import Links

__all__ = ["HANDLERS", "show", "show_error"]

COOKIE = "chimes_language"
QUERY = ("q", "type", "kind")
"""The query parameters that the link to the other language keeps; an unknown one may be a secret."""
YEAR_S = 365 * 24 * 3600
# Stricter than for other responses: these pages have no script.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def show(
    request: Request[Any, Any, Any],
    market: Marketplace,
    template: str,
    values: dict[str, Any],
    *,
    private: bool = False,
    status: int = 200,
) -> Response[str]:
    """The page in the reader's language. ``private``: it shows unlisted content, and no cache may store it."""
    asked = request.query_params.get("lang")
    language = choose(asked, request.cookies.get(COOKIE), request.headers.get("accept-language", ""))
    text = render(template, language, _surroundings(request, market, language) | values)
    keep = not private and status == 200 and asked is None
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {
        "content-security-policy": POLICY,
        "content-language": language,
        "vary": "Accept-Language, Cookie, Authorization",
        "cache-control": "no-cache" if keep else "private, no-store",
    }
    if keep:
        headers["etag"] = etag
        if etag in request.headers.get("if-none-match", ""):
            return Response("", status_code=304, headers=headers, media_type="text/html")
    cookies = []
    if asked in LANGUAGES:
        cookies.append(Cookie(COOKIE, value=language, max_age=YEAR_S, samesite="lax", httponly=True))
    return Response(text, status_code=status, headers=headers, cookies=cookies, media_type="text/html")


def _surroundings(request: Request[Any, Any, Any], market: Marketplace, language: str) -> dict[str, Any]:
    """The values that every page needs: the site, its addresses, and the link to the other language."""
    base = Links.of(request, market).base
    other = next(each for each in LANGUAGES if each != language)
    query = [(key, value) for key, value in request.query_params.multi_items() if key in QUERY]
    return {
        "site": market.settings.name,
        "base": base,
        "root": urlsplit(base).path,
        "other": other,
        "other_url": f"?{urlencode([*query, ('lang', other)])}",
    }


def show_error(request: Request[Any, Any, Any], error: MarketplaceError) -> Response[Any]:
    """An error page for browsers; for other clients the usual error response."""
    plain = error_response(request, error)
    if plain.media_type != MediaType.HTML:
        return plain
    page = show(request, _market(request), "error.html", {"error": error}, private=True, status=error.status)
    for name, value in plain.headers.items():
        if name.lower() in ("retry-after", "www-authenticate"):
            page.headers[name] = value
    return page


def _market(request: Request[Any, Any, Any]) -> Marketplace:
    # An exception handler receives no dependencies.
    provided = request.app.dependencies["market"]
    assert isinstance(provided, Provide)
    market = provided.dependency()
    assert isinstance(market, Marketplace)
    return market


HANDLERS: ExceptionHandlersMap = {MarketplaceError: show_error}
"""The handler of each type of exception."""
