"""Closes the doors past the limits and the trace: a seccomp program for the system calls nobody would see or count.

``io_uring`` does what the trace shows, unseen; a new user namespace may mount memory without a size;
memory files and System V memory belong to no process that could be measured; a foreign architecture's
calls have other numbers; a filter of one's own with a listener lets calls through past the trace; sockets
of a family that no network namespace holds reach the machine (vsock). All of them answer as on a kernel
that lacks them, and libraries fall back.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

from chimes.errors import InfrastructureError

__all__ = ["build_filter"]

LOAD, EQUAL, AT_LEAST, HAS_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
ALLOW, ERROR = 0x7FFF0000, 0x00050000
CLONE_NEWUSER = 0x10000000
X32 = 0x40000000
FAMILIES = (0, 1, 2, 10, 16, 17)
"""Unspecified, Unix, IPv4, IPv6, netlink, packet: what stays inside a network namespace, and is seen."""


@dataclass(frozen=True)
class _Machine:
    """What the kernel calls an architecture, and its numbers of the calls in question."""

    audit: int
    absent: tuple[int, ...]
    clone: int
    unshare: int
    socket: int


# io_uring_setup, io_uring_enter, io_uring_register, clone3 (its flags cannot be read), memfd_secret: alike everywhere.
COMMON = (425, 426, 427, 435, 447)
# And memfd_create, shmget, msgget, seccomp.
MACHINES = {
    "x86_64": _Machine(0xC000003E, (*COMMON, 319, 29, 68, 317), clone=56, unshare=272, socket=41),
    "aarch64": _Machine(0xC00000B7, (*COMMON, 279, 194, 186, 277), clone=220, unshare=97, socket=198),
}


def build_filter(machine: str | None = None) -> bytes:
    """The program, as bubblewrap reads it. Raises InfrastructureError on an architecture that it does not know."""
    name = machine or platform.machine()
    known = MACHINES.get(name)
    if known is None:
        raise InfrastructureError(
            f"no sandbox can be made on the architecture {name!r}", hint=f"use one of {', '.join(sorted(MACHINES))}"
        )
    absent = len(known.absent)
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 0, absent + 8, known.audit),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, absent + 6, 0, X32),
        *((EQUAL, absent + 5 - index, 0, number) for index, number in enumerate(known.absent)),
        (EQUAL, 3, 0, known.clone),
        (EQUAL, 2, 0, known.unshare),
        (EQUAL, 6, 0, known.socket),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (HAS_BITS, 1, 2, CLONE_NEWUSER),
        (RETURN, 0, 0, ERROR | errno.ENOSYS),
        (RETURN, 0, 0, ERROR | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        *((EQUAL, len(FAMILIES) - index, 0, family) for index, family in enumerate(FAMILIES)),
        (RETURN, 0, 0, ERROR | errno.EAFNOSUPPORT),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
