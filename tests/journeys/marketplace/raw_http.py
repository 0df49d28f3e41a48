"""Sends requests as raw bytes, which an HTTP library would not send, and checks error responses."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Raw", "ask", "message", "refusal_of"]


@dataclass(frozen=True)
class Raw:
    """A response. ``status`` 0: it is not HTTP/1, because the server closed the connection or uses HTTP/2."""

    status: int
    headers: dict[str, str]
    body: bytes


def message(
    path: bytes = b"/",
    *headers: bytes,
    method: bytes = b"GET",
    host: bytes | None = b"localhost",
    version: bytes = b"1.1",
    body: bytes = b"",
) -> bytes:
    """A request with ``Connection: close``. Nothing is checked or added, not even a length."""
    lines: Sequence[bytes] = [
        method + b" " + path + b" HTTP/" + version,
        *([] if host is None else [b"Host: " + host]),
        *headers,
        b"Connection: close",
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def ask(url: str, data: bytes, *, patience_s: float = 10, is_cut: bool = False) -> Raw:
    """Send the bytes and read until the server closes. ``is_cut``: shut down the sending side first."""
    place = urlsplit(url)
    received = b""
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=patience_s) as client:
        try:
            client.sendall(data)
            if is_cut:
                # ENOTCONN: the server has answered and closed already.
                with suppress(OSError):
                    client.shutdown(socket.SHUT_WR)
            while piece := client.recv(1 << 16):
                received += piece
        except ConnectionError:
            # Refused while it was still being sent: the response is what was read so far.
            pass
    return _parsed(received)


def refusal_of(content_type: str, body: bytes) -> dict[str, Any]:
    """The problem details of a response to a program."""
    assert content_type in ("application/json", "application/problem+json"), (content_type, body[:300])
    said: dict[str, Any] = json.loads(body)
    texts = ("type", "title", "detail", "code", "message", "fix")
    assert {*texts, "status", "findings"} == set(said), said
    assert all(isinstance(said[key], str) and said[key] for key in texts), said
    return said


def _parsed(received: bytes) -> Raw:
    if not received.startswith(b"HTTP/1."):
        # Empty, or HTTP/2 if the request began with that.
        return Raw(0, {}, received)
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Raw(int(first.split(" ")[1]), headers, body)
