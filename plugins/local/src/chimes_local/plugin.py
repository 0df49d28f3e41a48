"""Registers the backend, without importing it."""

from __future__ import annotations

from chimes.hooks import hookimpl
from chimes.registration import Registration

__all__ = ["chimes_backends"]


@hookimpl
def chimes_backends() -> list[Registration]:
    """The one component of this plugin."""
    return [
        Registration(
            name="local",
            summary="Runs jobs as processes of this machine, with limits, logs and a queue",
            target="chimes_local.backend:LocalBackend",
            harness="chimes_local.conformance:LocalHarness",
            api="chimes.backend/1",
            files=("~/.local/state/chimes/jobs",),
        )
    ]
