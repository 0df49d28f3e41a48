"""The demo's marketplace: started on a free loopback port, used through its API, ended with the demo."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from chimes.environments.cache import cache_folder
from chimes.processes import Process, kill_tree, run
from demo_commands import CommandRunner, DemoError, find_tool

__all__ = ["Marketplace", "open_marketplace"]

START_S = 30
POLL_S = 0.3


class Marketplace:
    """A running marketplace, and the demo's upload token once it is created."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self.data = data
        self.token = ""

    def release(self, project: str, version: str) -> dict[str, Any]:
        """The API's response about a release. Raises DemoError."""
        return self._get(f"/api/v1/projects/{project}/releases/{version}")

    def wait(self, project: str, version: str, *, timeout_s: float) -> dict[str, Any]:
        """The API's response about a release, after it is decided. Raises DemoError."""
        ends = time.monotonic() + timeout_s
        while time.monotonic() < ends:
            found = self.release(project, version)
            if found["state"] not in ("staged", "validating"):
                return found
            time.sleep(POLL_S)
        raise DemoError(f"{project} {version} was not decided within {timeout_s:.0f} s")

    def _get(self, path: str) -> dict[str, Any]:
        request = Request(self.url + path, headers={"Accept": "application/json"})
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urlopen(request, timeout=30) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except HTTPError as error:
            raise DemoError(f"the marketplace answered {path} with {error.code}: {error.read(2000)!r}") from error
        except URLError as error:
            raise DemoError(f"the marketplace does not answer: {error.reason}") from error


@contextlib.contextmanager
def open_marketplace(commands: CommandRunner, data: Path) -> Iterator[Marketplace]:
    """Start ``chimes-marketplace serve`` on ``data`` and end it afterwards. Raises DemoError.

    Its environments are made from this machine's caches, so that a second demo downloads nothing.
    """
    port = _free_port()
    argv = ["chimes-marketplace", "serve", "--data", str(data), "--host", "127.0.0.1", "--port", str(port)]
    data.mkdir(parents=True)
    with (data / "serve.log").open("wb") as log:
        caches = {"UV_CACHE_DIR": _uv_cache(), "CHIMES_CACHE_DIR": str(cache_folder())}
        env = commands.environment({"CHIMES_MARKETPLACE_SLOTS": str(min(os.cpu_count() or 1, 4)), **caches})
        process = Process([find_tool(argv[0]), *argv[1:]], env=env, stdout=log, stderr=log)
    try:
        market = Marketplace(f"http://127.0.0.1:{port}", data)
        _await(market, process)
        yield market
    finally:
        kill_tree(process.pid, grace_s=10)
        process.wait(10)


def _await(market: Marketplace, process: Process) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), urlopen(f"{market.url}/healthz", timeout=5):
            return
        time.sleep(POLL_S)
    said = (market.data / "serve.log").read_text("utf-8", "replace").strip()[-2000:]
    raise DemoError(f"the marketplace did not start within {START_S} s: {said or 'it said nothing'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _uv_cache() -> str:
    done = run([find_tool("uv"), "cache", "dir"], timeout_s=30)
    if done.returncode != 0:
        raise DemoError(f"uv does not say where its cache is: {done.text}")
    return done.stdout.decode().strip()
