"""What a judged process knows of itself: its streams, marks in the trace, and the state that an import must leave.

Only the standard library: a child without the SDK loads this file, too.
"""

from __future__ import annotations

import builtins
import ctypes
import itertools
import locale
import logging
import os
import resource
import signal
import sys
import threading
import warnings
from typing import Any

__all__ = ["mark", "seal_of", "state", "state_of_lister", "take_standard_streams"]

LIMITS = tuple(sorted({number for name, number in vars(resource).items() if name.startswith("RLIMIT_")}))
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


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
        "the logging root": (tuple(root.handlers), tuple(root.filters), root.level, logging.root.manager.disable),
        "the signal handlers": handlers,
        "the timers": [signal.getitimer(timer)[0] > 0 for timer in TIMERS],
        "the threads": {thread.ident for thread in threading.enumerate()},
        "the working directory": os.getcwd(),
        "sys.path": tuple(sys.path),
        "the exception hooks": (sys.excepthook, threading.excepthook),
        "the standard streams": (sys.stdin, sys.stdout, sys.stderr),
        "the locale or umask": (locale.setlocale(locale.LC_ALL), _umask()),
        "the resource limits": [resource.getrlimit(number) for number in LIMITS],
        "the recursion limit": sys.getrecursionlimit(),
        "the trace functions": (sys.gettrace(), sys.getprofile()),
        "the built-in names": dict(vars(builtins)),
    }


def state_of_lister() -> dict[str, Any]:
    """The same, and what only a module must leave that is imported whenever plugins are listed.

    Libraries add filters for warnings, and native ones set variables when they are loaded.
    """
    found = state()
    changed = {"the environment": (found["the environment"], _variables())}
    return {**found, **changed, "the filters for warnings": tuple(warnings.filters)}


def take_standard_streams() -> tuple[int, int]:
    """Descriptors for the judge's questions and for the answers; what is printed goes to standard error."""
    reader, writer = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return reader, writer


def _variables() -> list[bytes]:
    """The environment as the C library has it: ``os.putenv`` changes that alone."""
    found = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    variables = (found[index] for index in itertools.count())
    return sorted(variable for variable in itertools.takewhile(bool, variables) if variable)


def _umask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask
