"""Checks that this machine can make a sandbox."""

from __future__ import annotations

from chimes.errors import InfrastructureError
from chimes.sandbox.running import Sandbox

__all__ = ["preflight"]

PATIENCE_S = 30


def preflight() -> None:
    """Make a sandbox and end it. Raises InfrastructureError, with the fix, if a tool is missing or it cannot start."""
    with Sandbox(["/usr/bin/true"]) as sandbox:
        status = sandbox.wait(PATIENCE_S)
        if status != 0:
            raise InfrastructureError(
                f"a sandbox around 'true' ended with {status} ({sandbox.cause()}): {sandbox.stderr_tail().strip()!r}",
                hint="look for bwrap and strace in the kernel's log",
            )
