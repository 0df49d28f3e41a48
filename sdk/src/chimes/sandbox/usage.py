"""Measures the memory, the processes and the folders of a sandbox."""

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
"""The kernel's memory for one file, in addition to its content."""
FREE_DESCRIPTORS = 4096
"""This many descriptors are not counted as pipes."""
PIPE_BYTES = 8 << 10
"""The capacity of a pipe whose user has more than a thousand of them (``fs.pipe-user-pages-soft``)."""


@dataclass(frozen=True)
class Usage:
    """The usage of a whole sandbox: ``tasks`` are processes and threads.

    ``is_full``: one of its folders has no free space. ``is_crowded``: one contains more files than pages, so that its
    size no longer limits its memory.
    """

    memory_bytes: int
    tasks: int
    is_full: bool
    is_crowded: bool


def measure(first: int, limits: Limits) -> Usage:
    """The usage of ``first`` and its descendants; shared pages are counted once if the sum exceeds the limit."""
    threads = count_threads(first)
    folders, is_full, is_crowded = _folders(first, limits.disk_bytes)
    # The most that pipes can hold, if all descriptors belong to pipes.
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
