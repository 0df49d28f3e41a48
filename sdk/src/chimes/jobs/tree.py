"""The process tree below a job's wrapper: keeps it together and signals all of it.

As a child subreaper the wrapper inherits every orphan, so that what left the session (``setsid``, a double
fork) is still below it and can be found.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable

from chimes.processes import Process, descendants

__all__ = [
    "become_subreaper",
    "end_with_parent",
    "kill_tree_below",
    "reap",
    "terminate_tree",
]

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
PASSES = 100


def become_subreaper() -> bool:
    """Inherit the orphans of the tree and hide the own environment from it; False where there is no such call."""
    _prctl(PR_SET_DUMPABLE, 0)
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> Callable[[], None]:
    """A function for a child to call before exec, so that it is killed when this process is."""
    parent = os.getpid()

    def prepare() -> None:  # pragma: no cover - runs between fork and exec, where nothing is measured
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def reap(command: Process) -> bool:
    """Wait for every child that has ended, the command included; False once there are no more children."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        if ended is None:
            return True
        if ended.si_pid == command.pid:
            command.poll()
        else:
            os.waitpid(ended.si_pid, 0)


def terminate_tree() -> None:
    """Ask every process below this one to end."""
    for pid in descendants(os.getpid()):
        _signal(pid, signal.SIGTERM)


def kill_tree_below() -> None:
    """Kill every process below this one.

    They are stopped first, again and again until no new one shows up: a tree that forks while it is
    walked would outlive a single pass.
    """
    known: set[int] = set()
    for _ in range(PASSES):
        new = set(descendants(os.getpid())) - known
        if not new:
            break
        known |= new
        for pid in new:
            _signal(pid, signal.SIGSTOP)
    for pid in known:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def _prctl(option: int, value: int) -> bool:
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False
