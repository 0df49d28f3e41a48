"""Starts a job's wrapper, detached: no client is its parent or holds a pipe to it."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

from chimes.errors import InfrastructureError
from chimes.jobs import folder as jobfolder
from chimes.processes import Process

__all__ = ["launch"]

LIMIT_S = 60.0


def launch(folder: Path) -> None:
    """Return once a wrapper has the job of this control folder; raises InfrastructureError if none starts."""
    with (folder / "wrapper.log").open("ab") as log:
        # UTF-8 in every locale, so that arguments and environment reach the job unchanged.
        argv = [sys.executable, "-P", "-X", "utf8", "-m", "chimes_local.worker", str(folder)]
        process = Process(argv, env=_environment(), cwd=folder, stdout=log, stderr=log)
    ended = _wait(process)
    if not ended:
        process.kill()
    if process.wait() != 0 or jobfolder.read_record(folder, jobfolder.WRAPPER) is None:
        lines = (folder / "wrapper.log").read_text("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else f"it did not start within {LIMIT_S:.0f} s"
        raise InfrastructureError(
            f"the wrapper of job {folder.name[:12]} did not start: {reason}",
            hint="submit again under the same key; wrapper.log in the job's folder says more",
        )


def _wait(process: Process) -> bool:
    descriptor = os.pidfd_open(process.pid)
    try:
        return bool(select.select([descriptor], [], [], LIMIT_S)[0])
    finally:
        os.close(descriptor)


def _environment() -> dict[str, str]:
    """The wrapper's environment: it finds the same modules as its client. The job has its own."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)}
