"""A package index in a folder: tiny wheels with the names of the SDK's requirements, and wheels that tests add."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from chimes.environments.wheelfile import write_wheel

STAND_INS = {
    "click": "8.9",
    "jsonschema": "4.99",
    "packaging": "26.9",
    "pluggy": "1.9",
    "pyarrow": "29.0",
    "pydantic": "2.99",
    "rich": "19.0",
}

AddWheel = Callable[..., Path]


@pytest.fixture(scope="session")
def shared_caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture
def caches(shared_caches: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the caches of Chimes and uv, which only these tests share; no index is configured."""
    for name in ("UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return use_caches(shared_caches, monkeypatch)


@pytest.fixture
def fresh_caches(caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, empty and for one test."""
    return use_caches(tmp_path / "caches", monkeypatch)


def use_caches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMES_CACHE_DIR", str(folder / "chimes"))
    monkeypatch.setenv("UV_CACHE_DIR", str(folder / "uv"))
    return folder


@pytest.fixture
def add_wheel(caches: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddWheel:
    """Add a wheel to the only folder that uv uses: ``add_wheel(name, version, files=..., requires=...)``."""
    links = tmp_path / "links"
    monkeypatch.setenv("UV_FIND_LINKS", str(links))
    monkeypatch.setenv("UV_NO_INDEX", "1")

    def add(name: str, version: str = "1.0", **options: object) -> Path:
        module = name.replace("-", "_")
        files = options.pop("files", {f"{module}/__init__.py": f'__version__ = "{version}"\n'.encode()})
        return write_wheel(links, name=name, version=version, files=files, **options)  # type: ignore[arg-type]

    for name, version in STAND_INS.items():
        add(name, version)
    return add


@pytest.fixture
def plugin(tmp_path: Path) -> AddWheel:
    """Write a plugin's wheel, which is in no index: ``plugin(requires=...)``."""

    def make(name: str = "acme-rain", **options: object) -> Path:
        files = options.pop("files", {"acme_rain/__init__.py": b"rain = True\n"})
        return write_wheel(tmp_path / "plugins", name=name, version="1.0", files=files, **options)  # type: ignore[arg-type]

    return make


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        return


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], ThreadingHTTPServer]]:
    """Serve ``tmp_path / "links"`` as an index at ``/simple/`` on a new port; may be called repeatedly."""
    started: list[ThreadingHTTPServer] = []

    def start() -> ThreadingHTTPServer:
        for wheel in (tmp_path / "links").glob("*.whl"):
            page = tmp_path / "simple" / wheel.name.partition("-")[0].replace("_", "-") / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            digest = sha256(wheel.read_bytes()).hexdigest()
            page.write_text(f'<!doctype html><a href="/links/{wheel.name}#sha256={digest}">{wheel.name}</a>')
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
        Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()
