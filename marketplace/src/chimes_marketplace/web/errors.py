"""How refusals look: JSON for programs, text for terminals, a page for people. Never a traceback."""

from __future__ import annotations

import errno
import html
import logging
from typing import Any

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap, Message, Scope

from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.web.authentication import CHALLENGE

__all__ = ["HANDLERS", "protect", "refuse", "wants_json"]

LOG = logging.getLogger("chimes_marketplace")
NO_PAGES = ("/api", "/files", "/healthz", "/legacy", "/schema", "/simple", "/static")
RETRY_S = 5
FULL = (errno.ENOSPC, errno.EDQUOT)
PROTECTION = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # The address of a stage is a secret: it must not travel to where a link leads.
    (b"referrer-policy", b"no-referrer"),
)
POLICY = (
    b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="/static/chimes.css"></head>
<body><main><h1>{title}</h1><p>{message}</p><p>{fix}</p><p><a href="/">To the front page</a></p></main></body>
</html>
"""


def refuse(request: Request[Any, Any, Any], error: MarketplaceError) -> Response[Any]:
    """The answer to a request that is refused."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept, User-Agent"}
    if error.status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    if error.status == 503:
        headers["Retry-After"] = str(RETRY_S)
    if wants_json(request):
        return Response(error.to_json(), status_code=error.status, media_type=MediaType.JSON, headers=headers)
    if _wants_page(request):
        return Response(_page(error), status_code=error.status, media_type=MediaType.HTML, headers=headers)
    return Response(error.to_text() + "\n", status_code=error.status, media_type=MediaType.TEXT, headers=headers)


def wants_json(request: Request[Any, Any, Any]) -> bool:
    """Whether a refusal is read by a program: it asks for JSON, is uv, or uses the API."""
    accept, path = _accepted(request), request.scope["path"]
    if path.startswith("/api/") or request.headers.get("user-agent", "").startswith("uv/"):
        return True
    plain = accept.get("application/json", accept.get("application/*", 0))
    quality = max([plain, *(q for name, q in accept.items() if name.endswith("+json"))])
    return quality > 0 and quality >= accept.get("text/html", 0)


async def protect(message: Message, scope: Scope) -> None:
    """Add to every answer what keeps browsers from doing harm with it."""
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", []))
    kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
    headers += PROTECTION
    if b"html" in kind:
        headers.append((b"content-security-policy", POLICY))
    message["headers"] = headers


def _refused(request: Request[Any, Any, Any], error: MarketplaceError) -> Response[Any]:
    return refuse(request, error)


def _not_understood(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    if error.status_code >= 500:
        return _failed(request, error)
    response = refuse(request, _translated(request, error))
    for name, value in (error.headers or {}).items():
        response.headers[name.title()] = value
    return response


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    if isinstance(error, OSError) and error.errno in FULL:
        fix = "try again later, or tell the operator"
        return refuse(request, MarketplaceError("disk-full", "the marketplace's disk is full", fix=fix))
    LOG.error("%s %s failed", request.method, request.scope["path"], exc_info=error)
    fix = "try again; if it stays, tell the operator when it happened: the server's log says more"
    return refuse(request, MarketplaceError("internal", "the marketplace itself failed", fix=fix))


def _translated(request: Request[Any, Any, Any], error: HTTPException) -> MarketplaceError:
    path = request.scope["path"][:200]
    match error.status_code:
        case 404:
            return MarketplaceError("not-found", f"there is nothing at {path!r}", fix="check the address")
        case 405:
            allowed = (error.headers or {}).get("allow", "")
            return MarketplaceError(
                "method-not-allowed", f"{path!r} does not take {request.method}", fix=f"use {allowed}".rstrip()
            )
        case 413:
            return MarketplaceError("file-too-large", "the request's body is too large", fix="send less")
    said = [
        f"{each['key']}: {each['message']}" for each in error.extra or () if isinstance(each, dict) and "key" in each
    ]
    message = "; ".join(said) or error.detail
    return MarketplaceError("bad-request", message[:1000], fix="see /schema/openapi.json for what this address takes")


def _wants_page(request: Request[Any, Any, Any]) -> bool:
    if request.scope["path"].startswith(NO_PAGES):
        return False
    accept = _accepted(request)
    return accept.get("text/html", 0) > accept.get("text/plain", 0)


def _page(error: MarketplaceError) -> str:
    text = {"title": error.title, "message": error.message, "fix": error.fix}
    return PAGE.format(**{key: html.escape(value[:1].upper() + value[1:]) for key, value in text.items()})


def _accepted(request: Request[Any, Any, Any]) -> dict[str, float]:
    """Media types and their quality, lower case; what cannot be read counts as not there."""
    found: dict[str, float] = {}
    for part in request.headers.get("accept", "").lower().split(","):
        name, *parameters = (text.strip() for text in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            found[name] = min(max(float(quality), 0.0), 1.0)
        except ValueError:
            continue
    return found


HANDLERS: ExceptionHandlersMap = {
    MarketplaceError: _refused,
    HTTPException: _not_understood,
    Exception: _failed,
}
"""What the application does with every exception."""
