"""Factories for tests of the marketplace: a marketplace, an author with a token, distributions, a real server."""

from __future__ import annotations

import base64
import contextlib
import csv
import gzip
import hashlib
import io
import os
import signal
import socket
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chimes.processes import Process
from chimes_marketplace.accounts.members import add_member, add_user, list_members, list_users
from chimes_marketplace.accounts.tokens import create_token
from chimes_marketplace.database import Database
from chimes_marketplace.migrations import migrate
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.submissions.arrivals import Arrivals
from chimes_marketplace.web.state import Marketplace

__all__ = [
    "Server",
    "add_author",
    "basic",
    "free_port",
    "make_market",
    "make_sdist",
    "make_wheel",
    "run_env",
    "serve",
    "work",
]

COMMAND = Path(sys.executable).with_name("chimes-marketplace")
START_S = 60
LICENCE = b"Do as you like.\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: {pure}\n{tags}"


def make_market(folder: Path, **settings: Any) -> Marketplace:
    """A marketplace in ``folder`` without a server: a migrated database, blobs, no arrivals."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    chosen = Settings(data=data, **settings)
    database = Database(chosen.database)
    migrate(database)
    arrivals = Arrivals(database, expiry_s=chosen.lease_s)
    return Marketplace(settings=chosen, database=database, blobs=LocalBlobs(data / "blobs"), arrivals=arrivals)


def add_author(
    market: Marketplace,
    member: str = "acme",
    user: str = "alice",
    role: str | None = None,
    project: str | None = None,
    days: int | None = None,
) -> str:
    """A new token of that user; user and member are added where they are missing."""
    with market.database.writing() as session:
        if member not in {row.slug for row in list_members(session)}:
            add_member(session, slug=member, name=member.title(), type="industry")
        if user not in {row.name for row, _ in list_users(session)}:
            add_user(session, name=user, member=member, role=role)
        return create_token(session, user=user, project=project, days=days)


def basic(token: str) -> dict[str, str]:
    """The header with which twine sends a token."""
    return {"Authorization": "Basic " + base64.b64encode(f"__token__:{token}".encode()).decode()}


def make_wheel(
    folder: Path,
    name: str = "acme-tools",
    version: str = "0.1.0",
    *,
    files: Mapping[str, bytes | str] | None = None,
    requires: Sequence[str] = (),
    entry_points: Mapping[str, str] | str | None = None,
    metadata: Sequence[str] = (),
    tag: str = "py3-none-any",
) -> Path:
    """A wheel without a finding; equal arguments give equal bytes.

    ``files`` are added to an empty package ``<name>/__init__.py``. ``entry_points``: those of the group ``chimes``, or
    the whole text; a wheel without them is a library. ``metadata``: further header lines.
    """
    stem = name.replace("-", "_").replace(".", "_").lower()
    info = f"{stem}-{version}.dist-info"
    pure = str(tag.endswith("-any")).lower()
    kept: dict[str, bytes | str] = {f"{stem}/__init__.py": b"", **(files or {})}
    if entry_points is not None:
        kept[f"{info}/entry_points.txt"] = _entry_points(entry_points)
    kept[f"{info}/licenses/LICENSE"] = LICENCE
    kept[f"{info}/METADATA"] = _metadata(name, version, requires, metadata)
    kept[f"{info}/WHEEL"] = WHEEL.format(pure=pure, tags=f"Tag: {tag}\n")
    contents = {key: value.encode() if isinstance(value, str) else value for key, value in kept.items()}
    contents[f"{info}/RECORD"] = _record(contents, f"{info}/RECORD")
    path = folder / f"{stem}-{version}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for key, value in contents.items():
            member = zipfile.ZipInfo(key, (2020, 1, 1, 0, 0, 0))
            member.external_attr = 0o100644 << 16
            archive.writestr(member, value, zipfile.ZIP_DEFLATED)
    return path


def make_sdist(
    folder: Path,
    name: str = "acme-tools",
    version: str = "0.1.0",
    *,
    files: Mapping[str, bytes | str] | None = None,
    requires: Sequence[str] = (),
    metadata: Sequence[str] = (),
) -> Path:
    """An sdist without a finding; equal arguments give equal bytes."""
    stem = name.replace("-", "_").replace(".", "_").lower()
    top = f"{stem}-{version}"
    kept: dict[str, bytes | str] = {
        f"{top}/PKG-INFO": _metadata(name, version, requires, metadata),
        f"{top}/LICENSE": LICENCE,
        f"{top}/pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n',
        f"{top}/{stem}/__init__.py": b"",
        **{f"{top}/{key}": value for key, value in (files or {}).items()},
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for key, value in kept.items():
            data = value.encode() if isinstance(value, str) else value
            member = tarfile.TarInfo(key)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{top}.tar.gz"
    path.write_bytes(gzip.compress(content.getvalue(), mtime=0))
    return path


def _metadata(name: str, version: str, requires: Sequence[str], more: Sequence[str]) -> str:
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {name}",
        f"Version: {version}",
        "Summary: Answers.",
        "License-Expression: Apache-2.0",
        "License-File: LICENSE",
        "Classifier: Programming Language :: Python :: 3",
        "Project-URL: Source, https://example.org/source",
        "Requires-Python: >=3.11",
        *(f"Requires-Dist: {each}" for each in requires),
        *more,
        "Description-Content-Type: text/markdown",
    ]
    return "\n".join(lines) + f"\n\n# {name}\n\nIt answers.\n"


def _entry_points(given: Mapping[str, str] | str) -> str:
    if isinstance(given, str):
        return given
    return "[chimes]\n" + "".join(f"{name} = {target}\n" for name, target in given.items())


def _record(contents: Mapping[str, bytes], name: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        writer.writerow([path, f"sha256={digest}", len(data)])
    writer.writerow([name, "", ""])
    return text.getvalue().encode()


@dataclass(frozen=True)
class Server:
    """A running ``chimes-marketplace serve``."""

    url: str
    data: Path
    process: Process

    def terminate(self) -> int:
        """SIGTERM, and the exit status; fails if it does not end."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        status = self.process.wait(30)
        if status is None:
            self.process.kill()
            raise AssertionError("the server did not end within 30 s of SIGTERM")
        return status

    def kill(self) -> None:
        """SIGKILL: like a power cut."""
        os.kill(self.process.pid, signal.SIGKILL)
        assert self.process.wait(30) == -signal.SIGKILL


def free_port() -> int:
    """An unused loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_env(*, tools: bool = False, **settings: Any) -> dict[str, str]:
    """The environment of a child process: this one, with only these settings of the marketplace.

    With ``tools`` also the settings of pip and uv, so that a server validates with this machine's index.
    """
    dropped = ("CHIMES_",) if tools else ("CHIMES_", "PIP_", "UV_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return {**kept, **{f"CHIMES_MARKETPLACE_{key.upper()}": str(value) for key, value in settings.items()}}


@contextlib.contextmanager
def serve(folder: Path, *, worker: bool = True, **settings: Any) -> Iterator[Server]:
    """The real server over ``folder/data`` on a free port of the loopback; at the end SIGTERM must end it with 0.

    A server that the test has ended (``terminate``, ``kill``) stays ended.
    """
    data, port = folder / "data", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "serve.log").open("ab") as log:
        argv = [str(COMMAND), "serve", "--data", str(data), "--host", "127.0.0.1", "--port", str(port)]
        argv += [] if worker else ["--no-worker"]
        process = Process(argv, env=run_env(tools=True, **settings), stdout=log, stderr=log)
    server = Server(f"http://127.0.0.1:{port}", data, process)
    try:
        _wait_until_ready(server, folder / "serve.log")
        yield server
        if process.poll() is None:
            assert server.terminate() == 0, (folder / "serve.log").read_text("utf-8", "replace")
    finally:
        process.kill()


@contextlib.contextmanager
def work(server: Server, **settings: Any) -> Iterator[Process]:
    """A real worker for that server; at the end SIGTERM must end it with 0, unless the test has killed it."""
    path = server.data.parent / "work.log"
    with path.open("ab") as log:
        argv = [str(COMMAND), "worker", "--data", str(server.data), "--url", server.url]
        process = Process(argv, env=run_env(tools=True, **settings), stdout=log, stderr=log)
    try:
        yield process
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(60) == 0, path.read_text("utf-8", "replace")
    finally:
        process.kill()


def _wait_until_ready(server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert server.process.poll() is None, f"the server ended: {log.read_text('utf-8', 'replace')}"
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(server.url + "/healthz"):
            return
        time.sleep(0.05)
    raise AssertionError(f"the server is not ready after {START_S} s: {log.read_text('utf-8', 'replace')}")
