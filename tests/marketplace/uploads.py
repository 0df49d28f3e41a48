"""Helpers for tests of uploads: the form that twine sends, and a client of the application."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chimes.checks.subject import open_subject
from chimes.evidence.finding import Finding
from chimes_marketplace.app import create_app
from chimes_marketplace.catalog.files import list_files, publish_files
from chimes_marketplace.database import now
from chimes_marketplace.submissions.states import get_submission
from chimes_marketplace.web.state import Marketplace
from litestar.testing import TestClient
from market_factories import basic
from packaging.metadata import parse_email
from packaging.utils import parse_sdist_filename, parse_wheel_filename

__all__ = ["client_of", "form_of", "list_all_files", "move", "send"]

BOUNDARY = "5d2b1c"
JSON = {"Accept": "application/json"}


@contextmanager
def client_of(market: Marketplace) -> Iterator[TestClient[Any]]:
    """A client of the application without a server. Redirects are not followed; an exception is a 500 response."""
    with TestClient(create_app(market), raise_server_exceptions=False) as client:
        client.follow_redirects = False
        yield client


def form_of(path: Path) -> list[tuple[str, str]]:
    """The fields that twine sends for that file."""
    with open_subject(path) as subject:
        raw: dict[str, Any] = dict(parse_email((subject.metadata or b"").decode("utf-8", "replace"))[0])
    name, version = (parse_wheel_filename if path.suffix == ".whl" else parse_sdist_filename)(path.name)[:2]
    data = path.read_bytes()
    fields = [
        (":action", "file_upload"),
        ("protocol_version", "1"),
        ("metadata_version", str(raw.get("metadata_version", "2.4"))),
        ("name", str(raw.get("name", name))),
        ("version", str(raw.get("version", version))),
        ("filetype", "bdist_wheel" if path.suffix == ".whl" else "sdist"),
        ("pyversion", "py3"),
        ("sha256_digest", hashlib.sha256(data).hexdigest()),
        ("blake2_256_digest", hashlib.blake2b(data, digest_size=32).hexdigest()),
    ]
    for field in ("summary", "requires_python", "license_expression"):
        fields += [(field, str(raw[field]))] if field in raw else []
    for field in ("requires_dist", "classifiers", "provides_extra"):
        fields += [(field, value) for value in raw.get(field, [])]
    return fields


def body_of(fields: Sequence[tuple[str, str | bytes]], filename: str | None, data: bytes) -> bytes:
    """The body of a form, the file last."""
    parts = []
    for name, value in fields:
        text = value if isinstance(value, bytes) else value.encode()
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + text + b"\r\n")
    if filename is not None:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n'
        parts.append(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def send(
    client: TestClient[Any],
    token: str | None,
    path: Path,
    *,
    change: Mapping[str, str | None] | None = None,
    more: Sequence[tuple[str, str | bytes]] = (),
    filename: str | None = "",
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    address: str = "/legacy/",
) -> Any:
    """Upload the file. ``change``: other values of fields, None to omit one; ``more``: further fields."""
    change = change or {}
    fields: list[tuple[str, str | bytes]] = []
    for name, value in form_of(path):
        new = change.get(name, value)
        fields += [] if new is None else [(name, new)]
    name_sent = path.name if filename == "" else filename
    body = body_of([*fields, *more], name_sent, path.read_bytes() if data is None else data)
    return client.post(
        address,
        content=body,
        headers={
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            **JSON,
            **({} if token is None else basic(token)),
            **(headers or {}),
        },
    )


def move(market: Marketplace, submission: int, state: str, findings: Sequence[dict[str, Any]] = ()) -> None:
    """Move a submission to a state, as a validation or an administrator would."""
    with market.database.writing() as session:
        row = get_submission(session, id=submission)
        row.state, row.findings = state, tuple(map(Finding.model_validate, findings))
        session.add(row)
        if state == "listed":
            publish_files(session, submission_id=submission, at=now(), components=[], level="verified")


def list_all_files(market: Marketplace) -> list[Any]:
    """The rows of all files."""
    with market.database.reading() as session:
        files = list_files(session)
        session.expunge_all()
        return list(files)
