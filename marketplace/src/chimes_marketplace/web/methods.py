"""HEAD wherever there is GET: the same answer without its body."""

from __future__ import annotations

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send, WebSocketReceiveMessage

__all__ = ["allow_head", "with_head"]


def with_head(app: ASGIApp) -> ASGIApp:
    """The application, which is asked GET for HEAD and whose body goes nowhere."""

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return
        asked = scope.copy()
        asked["method"] = "GET"
        head = _Head(receive, send)
        await app(asked, head.receive, head.send)

    return ask


async def allow_head(message: Message, scope: Scope) -> None:
    """Before an answer goes out: where it names the methods that are taken, HEAD is among them if GET is."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        methods = [name.strip() for name in headers.get("allow", "").split(",")]
        if "GET" in methods and "HEAD" not in methods:
            headers["allow"] = ", ".join(sorted([*methods, "HEAD"]))


class _Head:
    """One request: its answer is over with its headers."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_over = False

    async def receive(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        """Whoever makes a body piece by piece learns that nobody waits for it."""
        return {"type": "http.disconnect"} if self._is_over else await self._receive()

    async def send(self, message: Message) -> None:
        """Passes on the headers, and that this was all."""
        if message["type"] == "http.response.start":
            self._is_over = True
            await self._send(message)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
