"""Cleans up after this process even when it is killed with SIGKILL: temporary folders and guarded processes.

A killed process runs no ``finally``, so a second one does the work (``chimes.processes.cleanup``). It is started
when it is first needed, leaves this process's tree, and waits for the end of a pipe that only this process holds
open. Then it ends every process that carries this process's mark in its environment, with the descendants, and
removes the folders that are still registered (docs/decisions/0021-a-guard-process-cleans-up.md).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from chimes.errors import InfrastructureError
from chimes.files import remove_tree
from chimes.processes.proc import read_stat

__all__ = ["guard_process", "marked_environment", "removed_at_end", "scratch_folder"]

VARIABLE = "CHIMES_STARTED_BY"
"""The marks of the processes whose end is the end of this one, separated by colons."""
PROGRAM = Path(__file__).with_name("cleanup.py")


@contextlib.contextmanager
def scratch_folder(prefix: str, *, parent: Path | None = None) -> Iterator[Path]:
    """A new folder for this user alone, in ``parent`` or the system's temporary folder; removed with the block."""
    folder = Path(parent or tempfile.gettempdir()).absolute() / f"{prefix}{secrets.token_hex(8)}"
    with removed_at_end(folder):
        folder.mkdir(mode=0o700)
        yield folder


@contextlib.contextmanager
def removed_at_end(path: Path) -> Iterator[None]:
    """Remove a file or folder when the block is left or this process ends; its name must not be used by others."""
    entry = os.fsencode(path.absolute())
    guard = _guard()
    guard.send(b"+" + entry)
    try:
        yield
    finally:
        remove_tree(path)
        guard.send(b"-" + entry)


def marked_environment(env: Mapping[str, str] | None) -> dict[str, str]:
    """``env`` (None: this process's own) for a process that ends with this one at the latest."""
    marks = (os.environ.get(VARIABLE), _guard().mark)
    return {**(os.environ if env is None else env), VARIABLE: ":".join(mark for mark in marks if mark)}


def guard_process(pid: int) -> None:
    """End a started process with this one even if it clears its environment."""
    stat = read_stat(pid)
    if stat is not None:
        _guard().send(b"p%d %d" % (pid, stat.start_ticks))


class _Guard:
    """The started program, from the side of the process that it guards."""

    def __init__(self) -> None:
        self.mark = secrets.token_hex(16)
        reader, self._writer = os.pipe()
        # It must not end with the processes around this one: an environment without marks.
        env = {name: value for name, value in os.environ.items() if name != VARIABLE}
        try:
            subprocess.run(
                [sys.executable, "-I", "-S", str(PROGRAM), self.mark],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=env,
                cwd="/",
                start_new_session=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            os.close(self._writer)
            raise InfrastructureError(
                f"the process that removes temporary folders cannot be started: {error}",
                hint="are there too many processes?",
            ) from error
        finally:
            os.close(reader)

    def send(self, message: bytes) -> None:
        # One write of less than PIPE_BUF bytes: messages of several threads do not mix.
        with contextlib.suppress(OSError):
            os.write(self._writer, message + b"\0")

    def forget(self) -> None:
        os.close(self._writer)


_lock = threading.Lock()
_started: _Guard | None = None


def _guard() -> _Guard:
    global _started  # noqa: PLW0603 - one for each process
    with _lock:
        if _started is None:
            _started = _Guard()
        return _started


def _forget_when_forked() -> None:
    """A forked process has its own end, and needs its own guard."""
    global _started, _lock
    guard, _started, _lock = _started, None, threading.Lock()
    if guard is not None:
        guard.forget()


def _end_well() -> None:
    if _started is not None:
        _started.send(b".")


os.register_at_fork(after_in_child=_forget_when_forked)
atexit.register(_end_well)
