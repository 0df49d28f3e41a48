"""The process tree below a job's wrapper: keeps it together, and sends signals to all its processes.

As a child subreaper the wrapper becomes the parent of every orphan, so that processes that left the session
(``setsid``, a double fork) remain its descendants.
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
    """Become the parent of orphans in the tree, and hide this process's environment from it; False if unsupported."""
    _prctl(PR_SET_DUMPABLE, 0)
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> Callable[[], None]:
    """A function that a child calls before exec, so that it is killed when this process is killed."""
    parent = os.getpid()

    def prepare() -> None:  # pragma: no cover - runs between fork and exec, where coverage cannot measure
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

    They are stopped first, repeatedly until no new process appears, because a tree that forks meanwhile would survive a
    single pass.
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
