"""Jobs for the tests: control folders, and wrapper processes for them."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chimes.jobs import folder as jobfolder
from chimes.jobs.status import FINAL_STATES, read_status
from chimes.processes import Process

PATH = "/usr/bin:/bin"


class Jobs:
    """Records jobs under one folder and starts wrappers for them."""

    def __init__(self, parent: Path) -> None:
        self.parent = parent
        self.wrappers: list[Process] = []

    def record(self, *command: str, key: str | None = None, **fields: Any) -> Path:
        """The control folder of a new job."""
        job = {"command": list(command), "env": {"PATH": PATH}, "heartbeat_s": 0.2, **fields}
        return jobfolder.create(self.parent, key=key or uuid.uuid4().hex, spec_sha256="spec", job=job)

    def start(self, *command: str, **fields: Any) -> Path:
        """A new job with a running wrapper."""
        folder = self.record(*command, **fields)
        self.wrap(folder)
        return folder

    def wrap(self, folder: Path) -> Process:
        """Start another wrapper for a job."""
        wrapper = Process([sys.executable, "-m", "chimes.jobs.wrapper", str(folder)])
        self.wrappers.append(wrapper)
        return wrapper

    def run(self, *command: str, **fields: Any) -> dict[str, Any]:
        """The status of a new job at its end."""
        return self.end(self.start(*command, **fields))

    def end(self, folder: Path) -> dict[str, Any]:
        """The status of a job at its end."""
        until(lambda: read_status(folder)["state"] in FINAL_STATES)
        return read_status(folder)


def until(condition: Callable[[], Any], limit_s: float = 30.0) -> None:
    """Poll until the condition holds; fail if it never does."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path / "jobs")
    yield made
    for wrapper in made.wrappers:
        wrapper.kill()


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until
