"""Finds and ends process trees."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from chimes.processes.proc import list_pids, read_stat

__all__ = ["descendants", "kill_tree"]

KILL_S = 5.0


def descendants(*pids: int) -> list[int]:
    """The descendants of ``pids``, parents first; empty if there is no ``/proc``."""
    children: dict[int, list[int]] = {}
    for pid in list_pids():
        stat = read_stat(pid)
        # A process whose first thread has ended while others run also has the state of a zombie.
        if stat is not None and (stat.state != "Z" or stat.threads > 1):
            children.setdefault(stat.parent, []).append(pid)
    found, queue = [], list(pids)
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def kill_tree(pid: int, *, grace_s: float = 0.0) -> None:
    """End ``pid``, its process group and all its descendants: SIGTERM, after ``grace_s`` SIGKILL.

    Returns when none of them runs, at the latest ``KILL_S`` after SIGKILL: one that waits for a device ends later.
    """
    tree = _Tree(pid)
    if grace_s > 0:
        tree.signal(signal.SIGTERM)
        tree.wait(grace_s)
    # Stopped first, so that no process forks while the tree is walked.
    tree.signal(signal.SIGSTOP)
    tree.signal(signal.SIGKILL)
    tree.wait(KILL_S)


class _Tree:
    """A process and its descendants, including those whose parent has ended."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._seen: dict[int, int] = {}

    def signal(self, number: signal.Signals) -> None:
        """Send ``number`` to the group of the root and to every process that is or was below it."""
        living = self._living()
        self._seen |= {pid: _start_ticks(pid) for pid in [*living, *descendants(self._root, *living)]}
        with contextlib.suppress(OSError):
            os.killpg(self._root, number)
        for pid in {self._root, *self._living()}:
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and (_start_ticks(self._root) or self._living()):
            time.sleep(0.01)

    def _living(self) -> list[int]:
        # Compared by start time as well: the number of a process that has ended may be used again.
        return [pid for pid, start in self._seen.items() if start and _start_ticks(pid) == start]


def _start_ticks(pid: int) -> int:
    """When ``pid`` started; 0 if it does not run."""
    stat = read_stat(pid)
    return 0 if stat is None or (stat.state == "Z" and stat.threads <= 1) else stat.start_ticks
