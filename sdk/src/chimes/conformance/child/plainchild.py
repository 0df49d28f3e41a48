"""A child process without a sandbox: at home, for the author's own code."""

from __future__ import annotations

import contextlib
import threading
from collections import deque

from chimes.processes import PIPE, Process

__all__ = ["Plain"]


class Plain:
    """One such process; what it prints to standard error is kept, the last of it."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self._process = Process(argv, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE, guarded=True)
        self.stdin, self.stdout = self._process.stdin, self._process.stdout
        self._tail: deque[bytes] = deque(maxlen=64)
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            while chunk := self._process.stderr.read1(4096):
                self._tail.append(chunk)

    def kill(self) -> None:
        """End the process and all that it started."""
        self._process.kill()
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        self._thread.join(1)
        with contextlib.suppress(OSError):
            self._process.stderr.close()

    def stderr_tail(self) -> str:
        """The last of what it printed."""
        return b"".join(self._tail).decode("utf-8", "replace")
