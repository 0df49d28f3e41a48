"""Error responses: problem details for programs (RFC 9457), text for terminals, pages for browsers."""

from __future__ import annotations

import errno
import html
import json
import logging
import re
from collections.abc import Sequence
from typing import Any

from chimes.evidence.finding import Finding
from chimes.text import quote
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap, Message, Scope
from pydantic import BaseModel, ConfigDict

from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.web.authentication import CHALLENGE
from chimes_marketplace.web.negotiation import MediaRange, parse_accept, quality_of

__all__ = ["HANDLERS", "PROBLEM", "Problem", "error_response", "error_type", "protect"]

PROBLEM = "application/problem+json"
JSON = "application/json"
LOG = logging.getLogger("chimes_marketplace")
NO_PAGES = ("/api", "/files", "/healthz", "/legacy", "/schema", "/simple", "/static")
STAGE = re.compile(r"/stage/[^/]+")
RETRY_S = 5
FULL = (errno.ENOSPC, errno.EDQUOT)
PROTECTION = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # The address of a stage is a secret: the browser must not send it to the target of a link.
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


class Problem(BaseModel):
    """An error response for programs: the members of RFC 9457, and further members that a program can act on.

    ``detail`` is one text with everything: the message, each finding with its fix, and what to do. ``code`` never
    changes. ``type`` is the code as a URN.
    """

    model_config = ConfigDict(frozen=True)

    type: str
    title: str
    status: int
    detail: str
    code: str
    message: str
    fix: str
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, error: MarketplaceError) -> Problem:
        """The problem details of that error."""
        return cls(
            type=f"urn:chimes:error:{error.code}",
            title=error.title,
            status=error.status,
            detail=error.to_text(),
            code=error.code,
            message=error.message,
            fix=error.fix,
            findings=error.findings,
        )


def error_response(request: Request[Any, Any, Any], error: MarketplaceError) -> Response[Any]:
    """The response to a request that failed with this error."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept, User-Agent"}
    if error.status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    if error.status == 503:
        headers["Retry-After"] = str(RETRY_S)
    kind = error_type(request)
    if kind == MediaType.HTML:
        return Response(_page(error), status_code=error.status, media_type=kind, headers=headers)
    if kind == MediaType.TEXT:
        return Response(error.to_text() + "\n", status_code=error.status, media_type=kind, headers=headers)
    # json.dumps escapes what UTF-8 cannot encode, such as a lone surrogate in a path.
    body = json.dumps(Problem.of(error).model_dump(mode="json")).encode()
    return Response(body, status_code=error.status, media_type=kind, headers=headers)


def error_type(request: Request[Any, Any, Any]) -> str:
    """The media type of an error response to this request.

    Problem details, unless the client prefers text or a page; ``application/json`` if the client accepts only that.
    twine sends no preference and prints the body unchanged: it gets text.
    """
    path = request.scope["path"]
    accepted = parse_accept(request.headers.getall("accept", []))
    if [f"{each.type}/{each.subtype}" for each in accepted if each.quality > 0] == [JSON]:
        return JSON
    problem = max(_quality(accepted, PROBLEM), _quality(accepted, JSON), *_named_json(accepted), 0.0)
    text, page = _quality(accepted, MediaType.TEXT), _quality(accepted, MediaType.HTML)
    if not path.startswith("/api/"):
        if page > max(problem, text) and not path.startswith(NO_PAGES):
            return MediaType.HTML
        # Below these addresses there are no pages: a browser gets text.
        text = max(text, page)
    is_twine = request.headers.get("user-agent", "").startswith("twine/")
    return MediaType.TEXT if text > problem or (is_twine and text == problem) else PROBLEM


def _named_json(accepted: Sequence[MediaRange]) -> list[float]:
    """The qualities of other JSON types: a client that accepts one of them can read problem details."""
    return [each.quality for each in accepted if each.subtype.endswith("+json")]


def _quality(accepted: Sequence[MediaRange], media_type: str) -> float:
    """How much the client wants that type; 1 for every type if it names none."""
    return (quality_of(accepted, media_type) or 0.0) if accepted else 1.0


async def protect(message: Message, scope: Scope) -> None:
    """Add the headers that restrict what browsers do with a response."""
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", []))
    kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
    headers += PROTECTION
    if b"html" in kind:
        headers.append((b"content-security-policy", POLICY))
    message["headers"] = headers


def _not_understood(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    if error.status_code >= 500:
        return _failed(request, error)
    response = error_response(request, _translated(request, error))
    for name, value in (error.headers or {}).items():
        response.headers[name.title()] = value
    return response


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    if isinstance(error, OSError) and error.errno in FULL:
        fix = "try again later, or tell the operator"
        return error_response(request, MarketplaceError("disk-full", "the marketplace's disk is full", fix=fix))
    LOG.error("%s %s failed", request.method, _path(request), exc_info=error)
    fix = "try again; if it fails again, tell the operator the time: the log of the server has the cause"
    return error_response(request, MarketplaceError("internal", "the marketplace failed", fix=fix))


def _translated(request: Request[Any, Any, Any], error: HTTPException) -> MarketplaceError:
    path = quote(_path(request), limit=200)
    match error.status_code:
        case 404:
            return MarketplaceError("not-found", f"nothing is at {path}", fix="check the address")
        case 405:
            allowed = (error.headers or {}).get("allow", "")
            return MarketplaceError(
                "method-not-allowed", f"{path} does not support {quote(request.method)}", fix=f"use {allowed}".rstrip()
            )
        case 413:
            return MarketplaceError("file-too-large", "the request's body is too large", fix="send less")
    said = [
        f"{each['key']}: {each['message']}" for each in error.extra or () if isinstance(each, dict) and "key" in each
    ]
    # Not the framework's own text: it contains the whole address, and an address may contain a secret.
    message = "; ".join(said) or "the request cannot be read"
    return MarketplaceError("bad-request", message[:1000], fix="see /schema/openapi.json for what this address takes")


def _path(request: Request[Any, Any, Any]) -> str:
    """The path for messages and the log, without the secret of a stage."""
    return STAGE.sub("/stage/...", request.scope["path"])


def _page(error: MarketplaceError) -> str:
    text = {"title": error.title, "message": error.message, "fix": error.fix}
    return PAGE.format(**{key: html.escape(value[:1].upper() + value[1:]) for key, value in text.items()})


HANDLERS: ExceptionHandlersMap = {
    MarketplaceError: error_response,
    HTTPException: _not_understood,
    Exception: _failed,
}
"""The handler of each type of exception."""
