"""What a judged process knows of itself: its streams, marks in the trace, and the state that an import must leave.

Only the standard library: a child without the SDK loads this file, too.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Any

__all__ = ["mark", "seal_of", "state", "take_standard_streams"]


def mark(name: str) -> None:
    """Leave a mark in the trace: an open that always fails."""
    try:
        os.close(os.open(f"/chimes-mark/{name}", os.O_RDONLY))
    except OSError:
        return


def seal_of(request: dict[str, Any]) -> bytes:
    """What the judge wants to see before the answer."""
    return bytes.fromhex(request["seal"])


def state() -> dict[str, Any]:
    """What belongs to the whole process, by the words that S09 uses of it."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    root = logging.getLogger()
    return {
        "the environment": dict(os.environ),
        "the logging root": (tuple(root.handlers), root.level, logging.root.manager.disable),
        "the signal handlers": handlers,
        "the threads": {thread.ident for thread in threading.enumerate()},
        "the working directory": os.getcwd(),
        "sys.path": tuple(sys.path),
        "the exception hooks": (sys.excepthook, threading.excepthook),
        "the standard streams": (sys.stdin, sys.stdout, sys.stderr),
        "the locale or umask": _umask(),
    }


def take_standard_streams() -> tuple[int, int]:
    """Descriptors for the judge's questions and for the answers; what is printed goes to standard error."""
    reader, writer = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return reader, writer


def _umask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask
