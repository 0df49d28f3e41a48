"""Caching of API responses: those to requests with a token are not stored, others are revalidated."""

from __future__ import annotations

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["with_cache_headers"]


def with_cache_headers(app: ASGIApp) -> ASGIApp:
    """Middleware: adds Cache-Control, unless the response has it, and Vary."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        has_token = "authorization" in Headers.from_scope(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                headers.setdefault("Cache-Control", "private, no-store" if has_token else "no-cache")
                headers.extend_header_value("Vary", "Authorization")
            await send(message)

        await app(scope, receive, send_with_headers)

    return handle
