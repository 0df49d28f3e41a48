"""What SIGTERM and Ctrl-C do to a server: it ends with status 0, in good order once it serves."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

__all__ = ["end_at_once", "ending"]

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_at_once() -> None:
    """From now on they end the process where it stands: nothing is under way that would have to be finished.

    An exception instead could be swallowed wherever it happens to come up.
    """
    for number in SIGNALS:
        signal.signal(number, lambda *_: os._exit(0))


@contextlib.contextmanager
def ending(tell: Callable[[], object]) -> Iterator[None]:
    """Meanwhile they call ``tell``, in the main thread between any two of its steps; afterwards they end at once."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: tell())
    try:
        yield
    finally:
        end_at_once()
