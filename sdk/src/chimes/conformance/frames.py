"""Frames over a pipe: a JSON header and binary blobs, every length checked before it is believed.

Layout: 4 bytes magic, 4 bytes header length, 4 bytes number of blobs, 8 bytes length of each blob (all
big endian), header, blobs. Reads and writes are unbuffered, so that forked processes can take turns on one pipe.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["BrokenFrameError", "ClosedError", "TimedOutError", "read_frame", "write_frame"]

MAGIC = b"chm1"
HEADER_BYTES = 8 << 20
BLOBS = 4096
TOTAL_BYTES = 512 << 20


class ClosedError(Exception):
    """The other side closed the pipe between two frames or inside one."""


class BrokenFrameError(Exception):
    """What came is not a frame, or it is larger than allowed."""


class TimedOutError(Exception):
    """No whole frame came in time."""


def write_frame(fd: int, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
    """Write one frame. Raises ClosedError if nobody reads any more."""
    body = json.dumps(header, allow_nan=False).encode("utf-8")
    lengths = b"".join(struct.pack(">Q", len(blob)) for blob in blobs)
    try:
        for part in (MAGIC + struct.pack(">II", len(body), len(blobs)) + lengths + body, *blobs):
            _write_all(fd, part)
    except OSError as error:
        raise ClosedError(str(error)) from error


def read_frame(
    fd: int, *, deadline: float | None = None, total_bytes: int = TOTAL_BYTES
) -> tuple[dict[str, Any], list[bytes]]:
    """Read one frame before ``deadline`` (``time.monotonic()`` seconds).

    Raises ClosedError, BrokenFrameError, TimedOutError.
    """
    start = _read_exactly(fd, 12, deadline)
    header_length, count = struct.unpack(">II", start[4:])
    if start[:4] != MAGIC or header_length > HEADER_BYTES or count > BLOBS:
        raise BrokenFrameError("not a frame")
    lengths = struct.unpack(f">{count}Q", _read_exactly(fd, 8 * count, deadline))
    if sum(lengths) > total_bytes:
        raise BrokenFrameError(f"a frame of more than {total_bytes} bytes")
    try:
        header = json.loads(_read_exactly(fd, header_length, deadline))
    except (ValueError, RecursionError) as error:
        raise BrokenFrameError("a header that is not JSON") from error
    if not isinstance(header, dict):
        raise BrokenFrameError("a header that is not an object")
    return header, [_read_exactly(fd, length, deadline) for length in lengths]


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _read_exactly(fd: int, size: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        if deadline is not None:
            ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimedOutError
        chunk = os.read(fd, min(size - len(data), 1 << 20))
        if not chunk:
            raise ClosedError("end of file")
        data += chunk
    return bytes(data)
