"""Who may keep an answer of the API: nobody what somebody with a token was shown, anybody else after asking again."""

from __future__ import annotations

from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["say_who_may_keep"]


def say_who_may_keep(app: ASGIApp) -> ASGIApp:
    """Middleware: adds Cache-Control and Vary to what does not say it itself, as refusals do."""

    async def keep(scope: Scope, receive: Receive, send: Send) -> None:
        is_known = "authorization" in Headers.from_scope(scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                headers.setdefault("Cache-Control", "private, no-store" if is_known else "no-cache")
                headers.extend_header_value("Vary", "Authorization")
            await send(message)

        await app(scope, receive, answer)

    return keep
