"""HEAD for every route with GET: the same response without its body."""

from __future__ import annotations

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send, WebSocketReceiveMessage

__all__ = ["allow_head", "with_head"]


def with_head(app: ASGIApp) -> ASGIApp:
    """The application, with HEAD handled as GET whose body is discarded."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return
        get = scope.copy()
        get["method"] = "GET"
        head = _Head(receive, send)
        await app(get, head.receive, head.send)

    return handle


async def allow_head(message: Message, scope: Scope) -> None:
    """Add HEAD to the Allow header of a response that names GET."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        methods = [name.strip() for name in headers.get("allow", "").split(",")]
        if "GET" in methods and "HEAD" not in methods:
            headers["allow"] = ", ".join(sorted([*methods, "HEAD"]))


class _Head:
    """A request whose response ends after its headers."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_over = False

    async def receive(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        """Report a disconnect once the headers are sent, so that a streaming response stops."""
        return {"type": "http.disconnect"} if self._is_over else await self._receive()

    async def send(self, message: Message) -> None:
        """Pass on the headers and end the response."""
        if message["type"] == "http.response.start":
            self._is_over = True
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
