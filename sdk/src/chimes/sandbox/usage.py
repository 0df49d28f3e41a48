"""Measures what a sandbox uses: memory, processes, room in its folders."""

from __future__ import annotations

from dataclasses import dataclass

from chimes.processes.usage import (
    PAGE,
    count_descriptors,
    count_threads,
    folder_status,
    memory_bytes,
    socket_bytes,
)
from chimes.sandbox.command import PRIVATE, Limits

__all__ = ["Usage", "measure"]

INODE_BYTES = 1024
"""What the kernel needs for a file, however small."""
FREE_DESCRIPTORS = 4096
"""Descriptors whose pipes are not counted."""
PIPE_BYTES = 8 << 10
"""What the kernel lets a pipe hold when its user has more than a thousand of them (``fs.pipe-user-pages-soft``)."""


@dataclass(frozen=True)
class Usage:
    """Of a whole sandbox: ``tasks`` are processes and threads.

    ``is_full``: one of its folders has no room. ``is_crowded``: one holds more files than pages, so that its size
    says nothing any more.
    """

    memory_bytes: int
    tasks: int
    is_full: bool
    is_crowded: bool


def measure(first: int, limits: Limits) -> Usage:
    """What the tree from process ``first`` on uses; shared pages are counted once where it would pass the limit."""
    threads = count_threads(first)
    folders, is_full, is_crowded = _folders(first, limits.disk_bytes)
    # The most that pipes can hold, if all descriptors are of pipes.
    pipes = max(0, sum(map(count_descriptors, threads)) - FREE_DESCRIPTORS) * PIPE_BYTES
    memory = memory_bytes(threads, limit=limits.memory_bytes, beside=folders + socket_bytes(first) + pipes)
    return Usage(memory, sum(threads.values()), is_full, is_crowded)


def _folders(first: int, size: int) -> tuple[int, bool, bool]:
    used, is_full, is_crowded = 0, False, False
    for folder in PRIVATE:
        status = folder_status(first, folder)
        # Before bubblewrap has moved its root, these are the machine's folders.
        if status is not None and 0 <= status.f_blocks * status.f_frsize - size < PAGE:
            inodes = status.f_files - status.f_ffree
            used += (status.f_blocks - status.f_bfree) * status.f_frsize + inodes * INODE_BYTES
            is_full |= status.f_bavail == 0
            is_crowded |= inodes > status.f_blocks
    return used, is_full, is_crowded
