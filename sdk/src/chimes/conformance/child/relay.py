"""Hands the judge's questions on to one session: what a session leaves behind holds no pipe on which others are asked.

The process that forks sessions alone reads the judge's pipe. Each session has a pipe of its own, which its end
makes worthless to whatever it forked.
"""

from __future__ import annotations

import contextlib
import os
import select

__all__ = ["forget_when_forked", "relay"]

CHUNK = 1 << 16
LOOK_MS = 5


def relay(reader: int, writer: int, pid: int) -> int:
    """Pass on what is asked until the session ``pid`` is gone; its exit status (a signal as a negative number).

    At the end of ``reader`` ``writer`` is closed, and so the session ends as well.
    """
    asked = select.poll()
    asked.register(reader, select.POLLIN)
    gone = status = 0
    while not gone:
        if asked.poll(LOOK_MS) and not _pass_on(reader, writer):
            break
        gone, status = os.waitpid(pid, os.WNOHANG)
    os.close(writer)
    if not gone:
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _pass_on(reader: int, writer: int) -> bool:
    """One piece; False at the end."""
    left = data = os.read(reader, CHUNK)
    with contextlib.suppress(BrokenPipeError):
        while left:
            left = left[os.write(writer, left) :]
    return bool(data)


def forget_when_forked(descriptor: int) -> None:
    """What this process forks from now on does not keep the descriptor."""
    kept = [descriptor]

    def forget() -> None:
        # Once only: in a process that this one forks in turn the number may be another file's.
        while kept:
            with contextlib.suppress(OSError):
                os.close(kept.pop())

    os.register_at_fork(after_in_child=forget)
