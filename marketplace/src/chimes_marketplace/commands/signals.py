"""What SIGTERM and Ctrl-C do to a server or worker: it ends with status 0, and finishes its present work first."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

__all__ = ["end_at_once", "ending"]

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_at_once() -> None:
    """From now on a signal ends the process at once: no work is under way that would have to be finished.

    An exception instead could be caught by whatever code runs at that moment.
    """
    for number in SIGNALS:
        signal.signal(number, lambda *_: os._exit(0))


@contextlib.contextmanager
def ending(stop: Callable[[], object]) -> Iterator[None]:
    """Inside the context a signal calls ``stop`` in the main thread; afterwards it ends the process at once."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: stop())
    try:
        yield
    finally:
        end_at_once()
