"""Frames over a pipe: a JSON header and binary blobs, every length checked before it is believed.

Layout: 4 bytes magic, 4 bytes header length, 4 bytes number of blobs, 8 bytes length of each blob (all
big endian), header, blobs. A seal of 16 bytes that the reader drew by chance may stand before: then whoever else
writes to the pipe cannot be taken for who was asked. Writing and ``read_frame`` are unbuffered, so that forked
processes can take turns on one pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = [
    "SEAL_BYTES",
    "BrokenFrameError",
    "ClosedError",
    "Receiver",
    "TimedOutError",
    "read_frame",
    "write_frame",
]

MAGIC = b"chm1"
SEAL_BYTES = 16
HEADER_BYTES = 8 << 20
BLOBS = 4096
TOTAL_BYTES = 256 << 20
JUNK_BYTES = 64 << 20
CHUNK = 1 << 20
ATOMIC = 4096
"""So much a pipe takes at once when it takes anything (PIPE_BUF)."""
AT_ONCE = 1 << 20
"""So much goes in one write: as much as the pipe of the answers has room for."""


class ClosedError(Exception):
    """The other side closed the pipe between two frames or inside one."""


class BrokenFrameError(Exception):
    """What came, or was to be sent, is not a frame, or it is larger than allowed."""


class TimedOutError(Exception):
    """No whole frame came, or went, in time."""


def write_frame(
    fd: int, header: dict[str, Any], blobs: Sequence[bytes] = (), *, seal: bytes = b"", deadline: float | None = None
) -> None:
    """Write one frame, before ``deadline`` (``time.monotonic()`` seconds) if there is one.

    Raises ClosedError if nobody reads any more, TimedOutError; before anything is written BrokenFrameError for
    what is too large, ValueError, TypeError or RecursionError for what JSON cannot hold.
    """
    body = json.dumps(header, allow_nan=False).encode("utf-8")
    if len(body) > HEADER_BYTES or len(blobs) > BLOBS or sum(map(len, blobs)) > TOTAL_BYTES:
        raise BrokenFrameError("more than one frame may hold")
    lengths = b"".join(struct.pack(">Q", len(blob)) for blob in blobs)
    try:
        parts = [seal + MAGIC + struct.pack(">II", len(body), len(blobs)) + lengths + body, *blobs]
        # What is small goes at once, so that nobody else's bytes come between.
        for part in [b"".join(parts)] if sum(map(len, parts)) <= AT_ONCE else parts:
            _write_all(fd, part, deadline)
    except OSError as error:
        raise ClosedError(str(error)) from error


def read_frame(
    fd: int, *, deadline: float | None = None, total_bytes: int = TOTAL_BYTES
) -> tuple[dict[str, Any], list[bytes]]:
    """Read one frame without a seal before ``deadline`` (``time.monotonic()`` seconds).

    Raises ClosedError, BrokenFrameError, TimedOutError.
    """
    return _parse(lambda size: _read_exactly(fd, size, deadline), total_bytes)


class Receiver:
    """Reads sealed frames from a pipe to which others may write, too. ``strayed``: somebody did."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._held = bytearray()
        self.strayed = False

    def receive(
        self, *seals: bytes, deadline: float, total_bytes: int = TOTAL_BYTES
    ) -> tuple[bytes, dict[str, Any], list[bytes]]:
        """The next frame with one of the seals: the seal, header, blobs. What comes before it is thrown away.

        Raises ClosedError, TimedOutError, and BrokenFrameError, also for too much that is no such frame.
        """
        seal = self._find(seals, deadline)
        header, blobs = _parse(lambda size: self._take(size, deadline), total_bytes)
        return seal, header, blobs

    def has_rest(self) -> bool:
        """Whether anything more has come."""
        return bool(self._held) or bool(_events(self._fd, select.POLLIN, 0.0) & select.POLLIN)

    def _find(self, seals: Sequence[bytes], deadline: float) -> bytes:
        skipped = 0
        while True:
            found = [(at, seal) for seal in seals if (at := self._held.find(seal)) >= 0]
            at, seal = min(found, default=(max(0, len(self._held) - SEAL_BYTES + 1), b""))
            self.strayed |= at > 0
            del self._held[: at + len(seal)]
            if seal:
                return seal
            skipped += at
            if skipped > JUNK_BYTES:
                raise BrokenFrameError(f"{JUNK_BYTES} bytes that nobody asked for")
            self._held += _read_some(self._fd, CHUNK, deadline)

    def _take(self, size: int, deadline: float) -> bytes:
        held = bytes(self._held[:size])
        del self._held[:size]
        return held if len(held) == size else held + _read_exactly(self._fd, size - len(held), deadline)


def _parse(take: Callable[[int], bytes], total_bytes: int) -> tuple[dict[str, Any], list[bytes]]:
    start = take(12)
    header_length, count = struct.unpack(">II", start[4:])
    if start[:4] != MAGIC or header_length > HEADER_BYTES or count > BLOBS:
        raise BrokenFrameError("not a frame")
    lengths = struct.unpack(f">{count}Q", take(8 * count))
    if sum(lengths) > total_bytes:
        raise BrokenFrameError(f"a frame of more than {total_bytes} bytes")
    try:
        header = json.loads(take(header_length), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BrokenFrameError("a header that is not JSON") from error
    if not isinstance(header, dict):
        raise BrokenFrameError("a header that is not an object")
    return header, [take(length) for length in lengths]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _write_all(fd: int, data: bytes, deadline: float | None) -> None:
    view = memoryview(data)
    while view:
        _await(fd, select.POLLOUT, deadline)
        # Whoever else has the pipe may have made it one that does not wait.
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(fd, view if deadline is None else view[:ATOMIC]) :]


def _read_exactly(fd: int, size: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        data += _read_some(fd, min(size - len(data), CHUNK), deadline)
    return bytes(data)


def _read_some(fd: int, size: int, deadline: float | None) -> bytes:
    while True:
        _await(fd, select.POLLIN, deadline)
        with contextlib.suppress(BlockingIOError):
            if chunk := os.read(fd, size):
                return chunk
            raise ClosedError("end of file")


def _await(fd: int, wanted: int, deadline: float | None) -> None:
    if not _events(fd, wanted, None if deadline is None else deadline - time.monotonic()):
        raise TimedOutError


def _events(fd: int, wanted: int, timeout_s: float | None) -> int:
    # Not select: it knows only the first 1,024 descriptors.
    poll = select.poll()
    poll.register(fd, wanted)
    return sum(events for _, events in poll.poll(None if timeout_s is None else max(0.0, timeout_s) * 1000))
