"""Uploads that stall: they do not delay others, and the server aborts them."""

from __future__ import annotations

import base64
import select
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from market_factories import Server, add_author, make_market, make_wheel, serve
from uploads import BOUNDARY, body_of, form_of


def stalled(server: Server, token: str, wheel: Path) -> socket.socket:
    """A connection on which an upload has begun and stalled."""
    place = urlsplit(server.url)
    body = body_of(form_of(wheel), wheel.name, wheel.read_bytes())
    credentials = base64.b64encode(f"__token__:{token}".encode()).decode()
    head = (
        "POST /legacy/ HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
        f"Authorization: Basic {credentials}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection((place.hostname or "", place.port or 0), timeout=60)
    connection.sendall(head.encode() + body[: len(body) // 2])
    return connection


def test_a_stalled_upload_of_another_member_keeps_no_submission_open_and_is_aborted(tmp_path: Path) -> None:
    market = make_market(tmp_path)
    alice, eve = add_author(market), add_author(market, user="eve", member="evil")
    market.database.close()
    wheel = make_wheel(tmp_path)
    with serve(tmp_path, quiet_s=1, silence_s=10) as server, httpx.Client(base_url=server.url) as client:
        data = {name: [text for key, text in form_of(wheel) if key == name] for name, _ in form_of(wheel)}
        sent = client.post(
            "/legacy/", data=data, files={"content": (wheel.name, wheel.read_bytes())}, auth=("__token__", alice)
        )
        submission = sent.json()["submission"]
        with stalled(server, eve, wheel) as strange:
            while (
                client.get(f"/api/v1/submissions/{submission}", auth=("__token__", alice)).json()["state"] == "staged"
            ):
                assert not select.select([strange], [], [], 0)[0], "it was staged until the other upload was aborted"
            answer = strange.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"too-slow"' in answer
