"""Records side effects with Python's audit events, for children without a sandbox; native code is not observed."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["watch"]

EVENTS = 1000

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


def watch() -> list[list[str]]:
    """Start to record side effects; return the list to which each is added: kind, event, target."""
    events: list[list[str]] = []

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and _writes(*args):
            found = ("write", args[0])
        elif event in AUDITED and not (_is_below_descriptor(event, args) or _is_local(event, args)):
            kind, index = AUDITED[event]
            found = (kind, "" if index is None else args[index])
        else:
            return
        if len(events) < EVENTS:
            target = _path(found[1]) if found[0] == "write" else repr(found[1])
            events.append([found[0], event, target])

    sys.addaudithook(hook)
    return events


def _writes(path: Any, mode: Any, flags: Any) -> bool:
    is_file = not isinstance(path, int) and os.fspath(path) not in (os.devnull, os.fsencode(os.devnull))
    return is_file and isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _is_local(event: str, args: tuple[Any, ...]) -> bool:
    # A socket pair or a Unix socket stays on this machine; asyncio uses one. 1 is AF_UNIX.
    if event == "socket.__new__":
        return bool(args[1] == 1)
    return event in ("socket.connect", "socket.bind", "socket.sendto") and isinstance(args[1], (str, bytes))


def _is_below_descriptor(event: str, args: tuple[Any, ...]) -> bool:
    # The path of a name relative to an open folder (shutil.rmtree) is not known.
    return event in ("os.remove", "os.rename", "os.mkdir", "os.chmod") and args[-1] != -1 and isinstance(args[-1], int)


def _path(value: Any) -> str:
    return os.path.abspath(os.fsdecode(value)) if isinstance(value, (str, bytes, os.PathLike)) else repr(value)
