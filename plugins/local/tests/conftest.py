"""Backends on a root of their own, whose jobs do not outlive the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chimes import Context, JobHandle, JobSpec, JobStatus
from chimes_local.backend import LocalBackend, LocalConfig

ENV = {"PATH": "/usr/bin:/bin"}


class Site:
    """A machine's root: makes backends for it, submits small jobs, follows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root"
        self.handles: list[JobHandle] = []

    def backend(self, **config: Any) -> LocalBackend:
        """One more client of this root."""
        return LocalBackend(LocalConfig(root=self.root, **config), Context.under(self.folder / "context"))

    def submit(self, *command: str, key: str | None = None, slots: int = 4, **fields: Any) -> JobHandle:
        """The handle of a new job."""
        spec = JobSpec(command=command, **{"env": ENV, **fields})
        handle = self.backend(slots=slots).submit(spec, key=key or f"job-{len(self.handles)}")
        self.handles.append(handle)
        return handle

    def status(self, handle: JobHandle) -> JobStatus:
        """The status of a job."""
        return self.backend().status([handle])[0]

    def end(self, handle: JobHandle) -> JobStatus:
        """The final status of a job."""
        until(lambda: self.status(handle).state.is_final)
        return self.status(handle)

    def output(self, handle: JobHandle) -> str:
        """The standard output of a job."""
        return self.backend().logs(handle).data.decode("utf-8")


def until(condition: Callable[[], Any], limit_s: float = 30.0) -> None:
    """Wait until the condition holds; fail after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(0.01)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    for handle in made.handles:
        made.backend().cancel(handle, grace_s=0)
    for handle in made.handles:
        made.end(handle)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until
