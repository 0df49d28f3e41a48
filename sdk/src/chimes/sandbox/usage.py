"""Measures what a sandbox uses: memory, processes, room in its folders. All of it is read in ``/proc``."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chimes.processes import descendants
from chimes.sandbox.command import PRIVATE, Limits

__all__ = ["Identity", "Usage", "identify", "is_ending", "measure"]

PAGE = os.sysconf("SC_PAGE_SIZE")
INODE_BYTES = 1024
"""What the kernel needs for a file, however small."""
PSS = re.compile(rb"^Pss:\s+(\d+) kB", re.M)
IDENTITY = re.compile(rb"^Tgid:\s+(\d+)$.*^NStgid:[\d\s]*\s(\d+)$.*^NSpid:[\d\s]*\s(\d+)$", re.M | re.S)
EXITING = 0x4
FREE_SOCKETS, FREE_DESCRIPTORS = 64, 4096
"""What everybody may have without its buffers being counted."""
PIPE_BYTES = 8 << 10
"""What the kernel lets a pipe hold when its user has more than a thousand of them (``fs.pipe-user-pages-soft``)."""
SOCKETS = re.compile(rb"^sockets: used (\d+)$.*^TCP: inuse (\d+) ", re.M | re.S)
QUEUES = re.compile(rb"^ *\d+: \S+ \S+ \S+ ([0-9A-F]+):([0-9A-F]+) ", re.M)


@dataclass(frozen=True)
class Usage:
    """Of a whole sandbox: ``tasks`` are processes and threads.

    ``is_full``: a folder of its has no room. ``is_crowded``: one holds more files than pages, so that its size says
    nothing any more.
    """

    memory_bytes: int
    tasks: int
    is_full: bool
    is_crowded: bool


def measure(first: int, limits: Limits) -> Usage:
    """What the tree from process ``first`` on uses; shared pages are told apart where it would pass the limit."""
    threads = _tree(first)
    folders, is_full, is_crowded = _folders(first, limits.disk_bytes)
    beside = folders + _sockets(first) + _pipes(threads)
    memory = beside + sum(map(_resident, threads))
    if memory > limits.memory_bytes:
        memory = beside + sum(map(_proportional, threads))
    return Usage(memory, sum(threads.values()), is_full, is_crowded)


@dataclass(frozen=True)
class Identity:
    """Of a process or thread: its process seen from here, the same and the thread seen from inside."""

    outside: int
    inside: int
    thread: int


def identify(pid: int) -> Identity | None:
    """Which process a process or thread belongs to; None if it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            match = IDENTITY.search(file.read())
    except OSError:
        return None
    return Identity(*map(int, match.groups())) if match else None


def is_ending(pid: int) -> bool:
    """Whether a process is gone, or going: it may have closed its pipes without being gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return True
    return fields[0] in b"ZX" or bool(int(fields[6]) & EXITING)


def _tree(first: int) -> dict[int, int]:
    """Processes from ``first`` on, with their numbers of threads."""
    if not os.path.exists(f"/proc/{first}/task/{first}/children"):
        return dict.fromkeys([first, *descendants(first)], 1)
    found: dict[int, int] = {}
    queue = [first]
    while queue:
        pid = queue.pop()
        with contextlib.suppress(OSError):
            threads = os.listdir(f"/proc/{pid}/task")
            found[pid] = len(threads)
            for thread in threads:
                with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                    queue += map(int, file.read().split())
    return found


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            match = PSS.search(file.read())
    except OSError:
        match = None
    return int(match[1]) * 1024 if match else _resident(pid)


def _sockets(first: int) -> int:
    """The most that the sockets of the sandbox can hold, those included that are on their way between processes."""
    match = SOCKETS.search(_read(f"/proc/{first}/net/sockstat"))
    if match is None:
        return 0
    count, connections = map(int, match.groups())
    held = max(0, count - FREE_SOCKETS) * int(_read("/proc/sys/net/core/wmem_default") or 0)
    # Buffers of TCP grow by themselves.
    return held + sum(_queued(first) if connections else ())


def _queued(first: int) -> Iterator[int]:
    for name in ("tcp", "tcp6"):
        for queues in QUEUES.findall(_read(f"/proc/{first}/net/{name}")):
            yield from (int(size, 16) for size in queues)


def _pipes(pids: Iterable[int]) -> int:
    """The most that the pipes of these processes can hold, if all their descriptors are of pipes."""
    return max(0, sum(map(_descriptors, pids)) - FREE_DESCRIPTORS) * PIPE_BYTES


def _descriptors(pid: int) -> int:
    folder = f"/proc/{pid}/fd"
    try:
        # Kernels before 6.2 tell no size.
        return os.stat(folder).st_size or len(os.listdir(folder))
    except OSError:
        return 0


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _folders(first: int, size: int) -> tuple[int, bool, bool]:
    used, is_full, is_crowded = 0, False, False
    for folder in PRIVATE:
        with contextlib.suppress(OSError):
            status = os.statvfs(f"/proc/{first}/root{folder}")
            # Before bubblewrap has moved its root, these are the machine's folders.
            if 0 <= status.f_blocks * status.f_frsize - size < PAGE:
                inodes = status.f_files - status.f_ffree
                used += (status.f_blocks - status.f_bfree) * status.f_frsize + inodes * INODE_BYTES
                is_full |= status.f_bavail == 0
                is_crowded |= inodes > status.f_blocks
    return used, is_full, is_crowded
