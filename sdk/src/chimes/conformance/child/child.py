"""The process in which a plugin runs while it is judged: answers frames on its standard streams.

Light until it is told otherwise, so that what an entry module imports can be seen. ``session`` forks:
each session is a fresh process in which everything expensive is imported already and nothing of the
plugin is. What this process says is not trusted by the judge; every answer bears the seal of its question.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import logging
import os
import signal
import site
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chimes.conformance.child.ownprocess import mark, seal_of, state_of_lister, take_standard_streams
from chimes.conformance.child.relay import forget_when_forked, relay
from chimes.errors import ChimesError
from chimes.processes.proc import has_exited, list_pids
from chimes.registry import Distribution, load_plugin, normalize, scan
from chimes.rpc.frames import BrokenFrameError, ClosedError, read_frame, write_frame

__all__ = ["GOODBYE", "Child", "describe", "main"]

GOODBYE = 42
"""Exit status of a session that ended as agreed."""
SWEEPS = 100
OUT_OF_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class Child:
    """One child process: the pipe, the distribution under test, and the folders of its context."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.reader, self.writer = take_standard_streams()
        self.site: str = options.site
        self.distribution: str = normalize(options.distribution)
        self.root = Path(options.root)
        self.audited: list[list[str]] | None = None if options.traced else _audit()

    def serve(self) -> None:
        """Answer frames until the judge closes the pipe."""
        operations: dict[str, Callable[[], Any]] = {"entry": self.entry, "preload": _preload, "sweep": _sweep}
        while True:
            try:
                request, _ = read_frame(self.reader)
                if request["op"] == "session":
                    self.fork(seal_of(request))
                else:
                    self.answer(operations[request["op"]], seal_of(request))
            except ClosedError:
                return

    def answer(self, step: Callable[[], Any], seal: bytes) -> None:
        """Send what a step returns, or how it failed."""
        try:
            header = {"ok": True, "value": step()}
        except Exception as error:
            header = {"ok": False, "error": describe(error)}
        write_frame(self.writer, header, seal=seal)

    def fork(self, seal: bytes) -> None:
        """Serve one session in a forked process, and say how it ended."""
        from chimes.conformance.child.serving import serve_session  # noqa: PLC0415 - loads pydantic and pyarrow

        own, questions = os.pipe()
        pid = os.fork()
        if pid == 0:
            for descriptor in (self.reader, questions):
                os.close(descriptor)
            self.reader = own
            forget_when_forked(own)
            try:
                serve_session(self)
            except ClosedError:
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(70)
            os._exit(GOODBYE)
        os.close(own)
        write_frame(self.writer, {"ended": relay(self.reader, questions, pid)}, seal=seal)

    def find(self) -> Distribution:
        """The distribution under test; raises LookupError where it has no entry points."""
        found = (d for d in scan([self.site, *sys.path]) if d.name == self.distribution)
        return next(found)

    def entry(self) -> dict[str, Any]:
        """Import the entry modules; say what they registered and what the import changed in this process."""
        logging.getLogger()
        before = state_of_lister()
        modules = set(sys.modules)
        mark("import-begin")
        plugin = load_plugin(self.find())
        mark("import-end")
        after = state_of_lister()
        return {
            "failure": plugin.failure,
            "version": plugin.version,
            "components": [
                {
                    "kind": item.kind,
                    "failure": item.failure,
                    "registration": dataclasses.asdict(item.registration),
                }
                for item in plugin.components
            ],
            "modules": sorted(set(sys.modules) - modules),
            "changed": sorted(key for key in after if after[key] != before[key]),
            "audited": self.audited,
        }


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as JSON: its type, its code where it is a ChimesError, and what it says."""
    return {
        "type": type(error).__name__ if type(error).__module__ in ("builtins", "chimes.errors") else None,
        "code": str(error.code) if isinstance(error, ChimesError) else None,
        "answer": "large" if isinstance(error, BrokenFrameError) else None,
        "full": isinstance(error, OSError) and error.errno in OUT_OF_DISK,
        "said": _text(error)[:2000],
        "traceback": "".join(traceback.format_exception(error))[-8000:],
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be had)"


def _preload() -> None:
    import chimes.conformance.child.serving  # noqa: F401, PLC0415 - what every session needs, imported once before the forks


def _sweep() -> int:
    """End what is left of earlier sessions; how many processes could not be ended."""
    # Only as the first process of a pid namespace of our own is everything else a leftover of the plugin's.
    left = _others() if os.getpid() == 2 else []
    for _ in range(SWEEPS):
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
        left = _others()
    return len(left)


def _others() -> list[int]:
    return [pid for pid in list_pids() if pid > 2 and not has_exited(pid)]


AUDITED = {
    "socket.__new__": ("network", 1),
    "socket.connect": ("network", 1),
    "socket.bind": ("network", 1),
    "socket.getaddrinfo": ("network", 0),
    "socket.sendto": ("network", 1),
    "subprocess.Popen": ("process", 0),
    "os.fork": ("process", None),
    "os.posix_spawn": ("process", 0),
    "os.system": ("process", 0),
    "os.remove": ("write", 0),
    "os.rename": ("write", 0),
    "os.mkdir": ("write", 0),
    "os.chmod": ("write", 0),
    "os.symlink": ("write", 1),
    "os.link": ("write", 1),
    "os.truncate": ("write", 0),
    "os.kill": ("signal", 0),
}


def _audit() -> list[list[str]]:
    """Without a sandbox, what Python itself says of its side effects; native code is not seen."""
    events: list[list[str]] = []

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and _writes(*args):
            found = ("write", args[0])
        elif event in AUDITED and not (_is_below_descriptor(event, args) or _is_local(event, args)):
            kind, index = AUDITED[event]
            found = (kind, "" if index is None else args[index])
        else:
            return
        if len(events) < 1000:
            target = _path(found[1]) if found[0] == "write" else repr(found[1])
            events.append([found[0], event, target])

    sys.addaudithook(hook)
    return events


def _writes(path: Any, mode: Any, flags: Any) -> bool:
    is_file = not isinstance(path, int) and os.fspath(path) not in (os.devnull, os.fsencode(os.devnull))
    return is_file and isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _is_local(event: str, args: tuple[Any, ...]) -> bool:
    # A socket pair or a path: processes of this machine talk, as asyncio does with itself. 1 is AF_UNIX.
    if event == "socket.__new__":
        return bool(args[1] == 1)
    return event in ("socket.connect", "socket.bind", "socket.sendto") and isinstance(args[1], (str, bytes))


def _is_below_descriptor(event: str, args: tuple[Any, ...]) -> bool:
    # A name relative to an open folder (shutil.rmtree) says nothing about where it is.
    return event in ("os.remove", "os.rename", "os.mkdir", "os.chmod") and args[-1] != -1 and isinstance(args[-1], int)


def _path(value: Any) -> str:
    return os.path.abspath(os.fsdecode(value)) if isinstance(value, (str, bytes, os.PathLike)) else repr(value)


def main() -> None:
    """``python -m chimes.conformance.child.child``: not for people."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--site", required=True)
    parser.add_argument("--distribution", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--traced", action="store_true")
    options = parser.parse_args()
    if options.site not in sys.path:
        site.addsitedir(options.site)
        sys.path.insert(0, options.site)
    Child(options).serve()


if __name__ == "__main__":
    main()
