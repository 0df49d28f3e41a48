"""Tells the user's Ctrl-C from a KeyboardInterrupt that a plugin raises itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["user_interrupts"]


@contextmanager
def user_interrupts() -> Iterator[None]:
    """End the block with KeyboardInterrupt if Ctrl-C was pressed in it, even where the block catches that exception.

    So the block may turn every exception of a plugin into an error, KeyboardInterrupt included.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        # Here Python does not raise KeyboardInterrupt for Ctrl-C.
        yield
        return
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        try:
            before(number, frame)
        except KeyboardInterrupt:
            pressed = True
            raise

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, before)
        if pressed:
            raise KeyboardInterrupt
