"""A marketplace's answers on loopback: a real HTTP server that records requests and answers what a test says."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "chimes-0123456789"


@dataclass
class Asked:
    """One request: method, path, fields of its form, name of the file in it."""

    method: str
    path: str
    accept: str
    form: dict[str, str] = field(default_factory=dict)
    filename: str | None = None


Answer = tuple[int, Any]


@dataclass
class Stall:
    """What the server answers: ``answer(asked)`` gives status and JSON (or text)."""

    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def paths(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]


def submission(state: str, *, findings: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    told = {"id": 7, "project": "acme-rain", "version": "1.0", "state": state, "reason": None, "attempt": 1}
    urls = {"report_url": "http://market/reports/7/", "stage_url": "http://market/stage/s/simple/"}
    return {**told, "findings": findings or [], "files": [], "runs": [], "steps": [], "position": None, **urls, **more}


def accepted(asked: Asked, state: str = "staged") -> dict[str, Any]:
    return {**submission(state), "submission": 7, "filename": asked.filename, "sha256": "0" * 64}


@contextmanager
def serving(answer: Callable[[Asked], Answer]) -> Iterator[Stall]:
    stall = Stall(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(Asked("GET", self.path, self.headers["Accept"]))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked("POST", self.path, self.headers["Accept"])
            if self.headers.get("Content-Type", "").startswith("multipart/"):
                head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
                for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
                    name = str(part.get_param("name", header="content-disposition"))
                    if name == "content":
                        asked.filename = part.get_filename()
                    else:
                        asked.form[name] = str(part.get_content())
            self.reply(asked)

        def reply(self, asked: Asked) -> None:
            stall.asked.append(asked)
            expected = base64.b64encode(f"__token__:{TOKEN}".encode()).decode()
            if self.headers["Authorization"] == f"Basic {expected}":
                status, told = stall.answer(asked)
            else:
                status, told = (
                    403,
                    {"code": "credentials-refused", "message": "this token is not valid", "fix": "copy it"},
                )
            data = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stall.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stall
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
