"""The program of a child that imports a library: imports modules, and reports what that changed in the process.

It needs only the standard library: the environment contains the library's declared dependencies, and the SDK only if
it is one of them. The answers of a child are not trusted.
"""

from __future__ import annotations

import builtins
import ctypes
import importlib
import itertools
import locale
import logging
import os
import resource
import signal
import sys
import threading
import traceback
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chimes.rpc.bootstrap import Connection

__all__ = ["changes", "entry", "state", "state_with_filters"]

LIMITS = tuple(sorted({number for name, number in vars(resource).items() if name.startswith("RLIMIT_")}))
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


def entry(connection: Connection, *, modules: list[str], first: list[str]) -> None:
    """Import ``modules``; answer which failed, what changed in this process, and which other modules were imported.

    The modules in ``first`` are imported before, so that their changes are not attributed to the library.
    """
    for name in first:
        _failure(name)
    loaded, before = set(sys.modules), state()
    failures = [failure for name in modules if (failure := _failure(name))]
    changed = changes(before, state())
    brought = [name for name in sys.modules if name not in loaded and _is_of_others(name, modules)]
    connection.answer({"failures": failures, "changed": changed, "brought": brought})


def state() -> dict[str, Any]:
    """The state of the whole process, by the names that S09 uses in its findings."""
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


def state_with_filters() -> dict[str, Any]:
    """The same, with the filters for warnings and the environment of the C library.

    An entry module, which is imported whenever plugins are listed, must not change these either. Other libraries
    do: they add filters for warnings, and native ones set variables when they are loaded.
    """
    found = state()
    changed = {"the environment": (found["the environment"], _variables())}
    return {**found, **changed, "the filters for warnings": tuple(warnings.filters)}


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The sorted names of the parts that differ."""
    return sorted(name for name in after if after[name] != before[name])


def _failure(name: str) -> list[Any] | None:
    """The module's name, whether another module was missing, and the error; None for one that is imported."""
    try:
        importlib.import_module(name)
    except BaseException as error:
        return [name, isinstance(error, ModuleNotFoundError), traceback.format_exception_only(error)[-1].strip()[:2000]]
    return None


def _is_of_others(name: str, modules: list[str]) -> bool:
    own = any(name == module or name.startswith(f"{module}.") for module in modules)
    return not own and name.partition(".")[0] not in sys.stdlib_module_names


def _variables() -> list[bytes]:
    """The environment of the C library, which ``os.putenv`` changes without changing ``os.environ``."""
    found = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    variables = (found[index] for index in itertools.count())
    return sorted(variable for variable in itertools.takewhile(bool, variables) if variable)


def _umask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask
