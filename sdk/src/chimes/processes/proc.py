"""Reads the entries of one process in ``/proc``; the results are empty if there is no ``/proc``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "NamespacePids",
    "Stat",
    "has_exited",
    "is_exiting",
    "list_pids",
    "read_namespace_pids",
    "read_proc",
    "read_stat",
]

EXITING = 0x4
"""PF_EXITING in the kernel's ``sched.h``."""
NAMESPACE_PIDS = re.compile(rb"^Tgid:\s+(\d+)$.*^NStgid:[\d\s]*\s(\d+)$.*^NSpid:[\d\s]*\s(\d+)$", re.M | re.S)


@dataclass(frozen=True)
class Stat:
    """The fields of ``/proc/PID/stat`` that are used here; ``start_ticks`` counts clock ticks since boot."""

    state: str
    parent: int
    flags: int
    threads: int
    start_ticks: int


@dataclass(frozen=True)
class NamespacePids:
    """A thread's process as seen from here (``outside``) and in its own pid namespace, and the thread there."""

    outside: int
    inside: int
    thread: int


def read_proc(path: str) -> bytes:
    """The content of ``/proc/PATH``, empty if it cannot be read."""
    try:
        with open(f"/proc/{path}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def list_pids() -> Iterator[int]:
    """Every process of this pid namespace."""
    try:
        names = os.listdir("/proc")
    except FileNotFoundError:
        return iter(())
    return (int(name) for name in names if name.isdigit())


def read_stat(pid: int) -> Stat | None:
    """The fields of ``/proc/PID/stat``; None if the process does not exist."""
    # The command's name is in brackets and may contain any character.
    fields = read_proc(f"{pid}/stat").rpartition(b")")[2].split()
    if not fields:
        return None
    return Stat(fields[0].decode("ascii"), int(fields[1]), int(fields[6]), int(fields[17]), int(fields[19]))


def has_exited(pid: int) -> bool:
    """Whether a process has ended, even if its parent has not waited for it yet."""
    stat = read_stat(pid)
    return stat is None or stat.state in "ZX"


def is_exiting(pid: int) -> bool:
    """Whether a process has ended or is about to end; its pipes may already be closed."""
    stat = read_stat(pid)
    return stat is None or stat.state in "ZX" or bool(stat.flags & EXITING)


def read_namespace_pids(pid: int) -> NamespacePids | None:
    """The numbers of a process or thread; None if it does not exist."""
    match = NAMESPACE_PIDS.search(read_proc(f"{pid}/status"))
    return NamespacePids(*map(int, match.groups())) if match else None
