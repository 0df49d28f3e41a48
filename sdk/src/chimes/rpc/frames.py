"""Frames over a stream socket: a JSON header and binary blobs. Lengths are checked before memory is allocated.

Layout: 4 bytes magic, 4 bytes header length, 4 bytes number of blobs, 8 bytes length of each blob (all
big endian), header, blobs. This file needs only the standard library, because child processes without
the SDK also load it. File descriptors that the other side sends are never received: the kernel closes them.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

__all__ = ["BLOBS", "BrokenFrameError", "ClosedError", "TimedOutError", "read_frame", "write_frame"]

MAGIC = b"chm1"
HEADER_BYTES = 8 << 20
BLOBS = 4096
TOTAL_BYTES = 256 << 20
CHUNK = 1 << 20


class ClosedError(Exception):
    """The other side closed the socket, between two frames or inside one, or its process has ended."""


class BrokenFrameError(Exception):
    """The data that was received, or that should be sent, is not a frame, or is larger than allowed."""


class TimedOutError(Exception):
    """No whole frame was received, or sent, in time."""


def write_frame(
    connection: socket.socket,
    header: dict[str, Any],
    blobs: Sequence[bytes] = (),
    *,
    deadline: float | None = None,
    ended: socket.socket | None = None,
) -> None:
    """Write one frame before ``deadline`` (``time.monotonic()`` seconds). ``ended`` as in ``read_frame``.

    Raises ClosedError and TimedOutError; before anything is written BrokenFrameError for a frame that is too large, and
    ValueError, TypeError or RecursionError for a header that JSON cannot represent.
    """
    body = json.dumps(header, allow_nan=False).encode("utf-8")
    if len(body) > HEADER_BYTES or len(blobs) > BLOBS or sum(map(len, blobs)) > TOTAL_BYTES:
        raise BrokenFrameError("more than one frame may hold")
    lengths = b"".join(struct.pack(">Q", len(blob)) for blob in blobs)
    start = MAGIC + struct.pack(">II", len(body), len(blobs)) + lengths + body
    try:
        for part in (start, *blobs):
            _write_all(connection, part, deadline, ended)
    except OSError as error:
        raise ClosedError(str(error)) from error


def read_frame(
    connection: socket.socket,
    *,
    deadline: float | None = None,
    total_bytes: int = TOTAL_BYTES,
    ended: socket.socket | None = None,
) -> tuple[dict[str, Any], list[bytes]]:
    """Read one frame before ``deadline`` (``time.monotonic()`` seconds).

    ``ended``: a socket that becomes readable when the process on the other side has ended. The end of
    ``connection`` is not enough: a process that the other side left running may hold it open.
    Raises ClosedError, BrokenFrameError, TimedOutError.
    """

    def take(size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            data += _read_some(connection, min(size - len(data), CHUNK), deadline, ended)
        return bytes(data)

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


def _write_all(
    connection: socket.socket, data: bytes, deadline: float | None, ended: socket.socket | None = None
) -> None:
    view = memoryview(data)
    while view:
        _wait(connection, select.POLLOUT, deadline, ended)
        try:
            view = view[connection.send(view[:CHUNK], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]
        except BlockingIOError:
            continue


def _read_some(connection: socket.socket, size: int, deadline: float | None, ended: socket.socket | None) -> bytes:
    while True:
        _wait(connection, select.POLLIN, deadline, ended)
        try:
            chunk = connection.recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
        except OSError as error:
            raise ClosedError(str(error)) from error
        if not chunk:
            raise ClosedError("end of file")
        return chunk


def _wait(connection: socket.socket, wanted: int, deadline: float | None, ended: socket.socket | None) -> None:
    if connection.fileno() < 0:
        raise ClosedError("closed on this side")
    # select supports only the first 1,024 descriptors.
    poll = select.poll()
    poll.register(connection, wanted)
    if ended is not None:
        poll.register(ended, select.POLLIN)
    ready = dict(poll.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000))
    if not ready:
        raise TimedOutError
    if connection.fileno() not in ready:
        # All that the process wrote before its end would be readable now.
        raise ClosedError("the process has ended")
