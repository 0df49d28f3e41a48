"""A seccomp program that refuses system calls which the trace cannot observe or the limits cannot count.

It refuses ``io_uring`` (its operations are not traced), new user namespaces (they can mount memory without a size
limit), memory files, System V memory and semaphores and pages given to a pipe (this memory belongs to no process),
calls of another architecture (they have other numbers), filters with a listener (they hide calls from the trace), and
copies of another process's descriptors. The answer is that of a kernel without these calls: libraries have a fallback.

Larger buffers are refused because their memory is not counted: for sockets the call has no effect, as for too large
requests; for pipes it fails. The owner of a descriptor's signals cannot be set, because the trace does not show the
sender of such a signal. Sockets of a family that network namespaces do not isolate (vsock) would reach the machine:
the process gets a signal, because the trace shows signals and not refused calls.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

from chimes.errors import InfrastructureError

__all__ = ["build_filter"]

Instruction = tuple[int, int, int, int]

LOAD, EQUAL, AT_LEAST, HAS_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, (16, 24, 32)
ALLOW, ERROR, TRAP = 0x7FFF0000, 0x00050000, 0x00030000
CLONE_NEWUSER = 0x10000000
X32 = 0x40000000
FAMILIES = (0, 1, 2, 10, 16, 17)
"""Unspecified, Unix, IPv4, IPv6, netlink, packet: the families that a network namespace isolates."""
SOL_SOCKET, BUFFERS = 1, (7, 8, 32, 33)
"""SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE."""
OWNERS, OWNERS_BY_IOCTL = (8, 15), (0x8901, 0x8902)
"""F_SETOWN, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP."""
F_SETPIPE_SZ = 1031


@dataclass(frozen=True, kw_only=True)
class _Machine:
    """An architecture: its audit number, and the numbers of its system calls. ``sockets``: socket and socketpair."""

    audit: int
    absent: tuple[int, ...]
    clone: int
    unshare: int
    sockets: tuple[int, int]
    setsockopt: int
    fcntl: int
    ioctl: int


# io_uring_setup, io_uring_enter, io_uring_register, clone3 (its flags cannot be read), pidfd_getfd, memfd_secret: the
# same numbers on every architecture.
COMMON = (425, 426, 427, 435, 438, 447)
# And memfd_create, shmget, msgget, semget, vmsplice, seccomp.
MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        absent=(*COMMON, 319, 29, 68, 64, 278, 317),
        clone=56,
        unshare=272,
        sockets=(41, 53),
        setsockopt=54,
        fcntl=72,
        ioctl=16,
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        absent=(*COMMON, 279, 194, 186, 190, 75, 277),
        clone=220,
        unshare=97,
        sockets=(198, 199),
        setsockopt=208,
        fcntl=25,
        ioctl=29,
    ),
}


def build_filter(machine: str | None = None) -> bytes:
    """The program in bubblewrap's format. Raises InfrastructureError for an unknown architecture."""
    name = machine or platform.machine()
    known = MACHINES.get(name)
    if known is None:
        raise InfrastructureError(
            f"no sandbox can be made on the architecture {name!r}", hint=f"use one of {', '.join(sorted(MACHINES))}"
        )
    absent, refused = (RETURN, 0, 0, ERROR | errno.ENOSYS), (RETURN, 0, 0, ERROR | errno.EPERM)
    family = _among(0, FAMILIES, (RETURN, 0, 0, ALLOW), otherwise=(RETURN, 0, 0, TRAP))
    namespace = [(LOAD, 0, 0, ARGUMENTS[0]), (HAS_BITS, 0, 1, CLONE_NEWUSER), refused, (RETURN, 0, 0, ALLOW)]
    program = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, known.audit),
        absent,
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        absent,
        *(word for number in known.absent for word in _call(number, absent)),
        *_call(known.clone, *namespace),
        *_call(known.unshare, *namespace),
        *(word for number in known.sockets for word in _call(number, *family)),
        *_call(known.setsockopt, *_buffers()),
        *_call(known.fcntl, *_among(1, (F_SETPIPE_SZ, *OWNERS), refused)),
        *_call(known.ioctl, *_among(1, OWNERS_BY_IOCTL, refused)),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _call(number: int, *body: Instruction) -> list[Instruction]:
    """The instructions for one system call; ``body`` must end with a return on every path."""
    return [(EQUAL, 0, len(body), number), *body]


def _among(
    argument: int, values: tuple[int, ...], answer: Instruction, otherwise: Instruction = (RETURN, 0, 0, ALLOW)
) -> list[Instruction]:
    """``answer`` if the argument is one of ``values``."""
    tests = [(EQUAL, len(values) - index, 0, value) for index, value in enumerate(values)]
    return [(LOAD, 0, 0, ARGUMENTS[argument]), *tests, otherwise, answer]


def _buffers() -> list[Instruction]:
    done = (RETURN, 0, 0, ERROR)
    return [
        (LOAD, 0, 0, ARGUMENTS[1]),
        (EQUAL, 1, 0, SOL_SOCKET),
        (RETURN, 0, 0, ALLOW),
        *_among(2, BUFFERS, done),
    ]
