"""Waits for a time or a signal, whichever comes first."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import FrameType

__all__ = ["Wakeups"]


class Wakeups:
    """Handles SIGCHLD, SIGTERM and SIGINT of this process; one per process, in its main thread."""

    def __init__(self) -> None:
        """Install the handlers, and reset signals that the client blocked or ignored, because the job inherits them."""
        self.asked_to_end = False
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
            if signal.getsignal(number) == signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def pause(self, seconds: float) -> None:
        """Return after ``seconds``, or as soon as a signal arrives."""
        select.select([self._read], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 4096)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.asked_to_end = True
