"""The process tree below a job's wrapper: keeps it together, measures it, signals all of it.

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
    "memory_bytes",
    "oom_kills",
    "reap",
    "terminate_tree",
]

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
PASSES = 100
PAGE = os.sysconf("SC_PAGE_SIZE")


def become_subreaper() -> bool:
    """Inherit the orphans of the tree and hide the own environment from it; False where there is no such call."""
    _prctl(PR_SET_DUMPABLE, 0)
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> Callable[[], None]:
    """What a child runs before its command, so that it is killed should this process be killed."""
    parent = os.getpid()

    def prepare() -> None:  # pragma: no cover - runs between fork and exec, where nothing is measured
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def reap(command: Process) -> bool:
    """Collect whoever has ended, the command's status included; False once nobody is left."""
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


def memory_bytes(limit: int) -> int:
    """Bytes in memory of the tree below this process, shared pages counted once where it comes near ``limit``."""
    pids = descendants(os.getpid())
    resident = sum(_resident(pid) for pid in pids)
    # The proportional size is exact, but the kernel walks every mapping for it.
    return resident if resident <= limit else sum(_proportional(pid) for pid in pids)


def oom_kills() -> int:
    """How many processes of this control group the kernel has killed for want of memory; 0 where it does not say."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as lines:
            path = next(line.strip()[3:] for line in lines if line.startswith("0::"))
        with open(f"/sys/fs/cgroup{path}/memory.events", encoding="ascii") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    except (OSError, StopIteration, ValueError):
        return 0


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration, ValueError):
        return _resident(pid)


def _prctl(option: int, value: int) -> bool:
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False
