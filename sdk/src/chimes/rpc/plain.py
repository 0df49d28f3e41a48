"""A child process without a sandbox, for the user's own code."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections import deque
from collections.abc import Mapping, Sequence

from chimes.processes import Process

__all__ = ["PlainProcess"]

CHUNK = 4096


class PlainProcess:
    """A process with a socket as its standard input; the last lines of its output are kept."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], control: socket.socket) -> None:
        reader, writer = os.pipe()
        self._tail: deque[bytes] = deque(maxlen=64)
        try:
            self._process = Process(argv, env=env, stdin=control.fileno(), stdout=writer, stderr=writer, guarded=True)
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self._thread = threading.Thread(target=self._drain, args=(reader,), daemon=True)
        self._thread.start()

    def _drain(self, reader: int) -> None:
        with contextlib.suppress(OSError), open(reader, "rb", buffering=0) as stream:
            while chunk := stream.read(CHUNK):
                self._tail.append(chunk)

    def kill(self) -> None:
        """End the process and all that it started."""
        self._process.kill()
        # A process that left the tree may hold the other end open, so the wait for the thread is limited.
        self._thread.join(1)

    def stderr_tail(self) -> str:
        """The last lines of its output."""
        return b"".join(self._tail).decode("utf-8", "replace")
