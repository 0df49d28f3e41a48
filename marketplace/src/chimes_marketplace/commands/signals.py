"""SIGTERM and Ctrl-C end a server or worker with status 0, after it has finished its current work."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

__all__ = ["end_at_once", "stop_at_signal"]

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_at_once() -> None:
    """From now on a signal ends the process at once, because there is no work to finish.

    An exception would not do: the code that runs at that moment could catch it.
    """
    for number in SIGNALS:
        signal.signal(number, lambda *_: os._exit(0))


@contextlib.contextmanager
def stop_at_signal(stop: Callable[[], object]) -> Iterator[None]:
    """Inside the context a signal calls ``stop`` in the main thread; after it, a signal ends the process at once."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: stop())
    try:
        yield
    finally:
        end_at_once()
