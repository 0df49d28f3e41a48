"""Measures the memory, threads, sockets and descriptors of processes from ``/proc``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from chimes.processes.proc import read_proc
from chimes.processes.tree import descendants

__all__ = [
    "PAGE",
    "count_descriptors",
    "count_threads",
    "folder_status",
    "memory_bytes",
    "oom_kills",
    "socket_bytes",
    "total_memory_bytes",
]

PAGE = os.sysconf("SC_PAGE_SIZE")
PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.M)
TOTAL = re.compile(rb"^MemTotal:\s+(\d+) kB", re.M)
OOM_KILLS = re.compile(rb"^oom_kill (\d+)$", re.M)
CGROUP = re.compile(r"^0::(.*)$", re.M)
FREE_SOCKETS = 64
"""The buffers of this many sockets are not counted."""
SOCKETS = re.compile(rb"^sockets: used (\d+)$.*^TCP: inuse (\d+) ", re.M | re.S)
QUEUES = re.compile(rb"^ *\d+: \S+ \S+ \S+ ([0-9A-F]+):([0-9A-F]+) ", re.M)


def memory_bytes(pids: Iterable[int], *, limit: int, beside: int = 0) -> int:
    """Bytes in memory of these processes and ``beside``; shared pages are counted once where it exceeds ``limit``."""
    pids = list(pids)
    total = beside + sum(map(_resident, pids))
    # The proportional size is exact, but slow: the kernel must visit every mapping.
    return total if total <= limit else beside + sum(map(_proportional, pids))


def total_memory_bytes(source: str = "meminfo") -> int | None:
    """The memory of this machine; None if ``/proc/SOURCE`` does not contain it."""
    match = TOTAL.search(read_proc(source))
    return int(match[1]) * 1024 if match else None


def oom_kills() -> int:
    """How many processes of this control group the kernel has killed because memory ran out; 0 if unknown."""
    match = CGROUP.search(os.fsdecode(read_proc("self/cgroup")))
    try:
        with open(f"/sys/fs/cgroup{match[1] if match else ''}/memory.events", "rb") as file:
            found = OOM_KILLS.search(file.read())
    except OSError:
        found = None
    return int(found[1]) if found else 0


def count_threads(root: int) -> dict[int, int]:
    """``root`` and its descendants, with their numbers of threads."""
    if not os.path.exists(f"/proc/{root}/task/{root}/children"):
        return dict.fromkeys([root, *descendants(root)], 1)
    found: dict[int, int] = {}
    queue = [root]
    while queue:
        pid = queue.pop()
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        found[pid] = len(threads)
        for thread in threads:
            queue += map(int, read_proc(f"{pid}/task/{thread}/children").split())
    return found


def count_descriptors(pid: int) -> int:
    """The number of open files of a process; 0 if it does not exist."""
    folder = f"/proc/{pid}/fd"
    try:
        # Kernels before 6.2 give no size.
        return os.stat(folder).st_size or len(os.listdir(folder))
    except OSError:
        return 0


def socket_bytes(pid: int) -> int:
    """The most that the sockets in the network namespace of ``pid`` can hold, also those sent between processes."""
    match = SOCKETS.search(read_proc(f"{pid}/net/sockstat"))
    if match is None:
        return 0
    count, connections = map(int, match.groups())
    held = max(0, count - FREE_SOCKETS) * int(read_proc("sys/net/core/wmem_default") or 0)
    # The kernel enlarges TCP buffers automatically.
    return held + sum(_queued(pid) if connections else ())


def folder_status(pid: int, folder: str) -> os.statvfs_result | None:
    """The file system of a folder as ``pid`` sees it; None if the folder or the process does not exist."""
    try:
        return os.statvfs(f"/proc/{pid}/root{folder}")
    except OSError:
        return None


def _resident(pid: int) -> int:
    fields = read_proc(f"{pid}/statm").split()
    return int(fields[1]) * PAGE if fields else 0


def _proportional(pid: int) -> int:
    match = PSS.search(read_proc(f"{pid}/smaps_rollup"))
    return int(match[1]) * 1024 if match else _resident(pid)


def _queued(pid: int) -> Iterator[int]:
    for name in ("tcp", "tcp6"):
        for queues in QUEUES.findall(read_proc(f"{pid}/net/{name}")):
            yield from (int(size, 16) for size in queues)
