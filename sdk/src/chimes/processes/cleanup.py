"""The program behind ``chimes.processes.guard``: waits for the end of a process, then cleans up after it.

Started by its path, with the mark as the only argument; standard input is the pipe. It reads messages that end
with NUL: ``+PATH`` a folder to remove, ``-PATH`` one that is removed already, ``.`` the process ends normally and
has ended its children itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

PATIENCE_S = 10.0
"""How long to try: a process in an uninterruptible system call may never end."""
PAUSE_S, QUIET_LOOKS = 0.05, 3
"""How often to look, and how often nothing must be found: a process between fork and exec shows no mark yet."""


def main(mark: str) -> None:
    """Leave the tree of the caller, wait, clean up."""
    if os.fork() > 0:
        os._exit(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Appended: what lies beside the package must not take the place of the standard library.
    sys.path.append(str(Path(__file__).parents[2]))
    from chimes.files import remove_tree  # noqa: PLC0415 - the path is set by now, and the caller does not wait

    folders, is_normal = read_messages()
    if not is_normal:
        end_marked(mark.encode("ascii"))
    for folder in folders:
        remove_tree(Path(os.fsdecode(folder)))


def read_messages() -> tuple[list[bytes], bool]:
    """What is registered at the end of standard input, and whether the process ended normally."""
    folders: dict[bytes, None] = {}
    is_normal = False
    rest = b""
    while chunk := os.read(0, 1 << 16):
        *messages, rest = (rest + chunk).split(b"\0")
        for message in messages:
            match message[:1]:
                case b"+":
                    folders[message[1:]] = None
                case b"-":
                    folders.pop(message[1:], None)
                case _:
                    is_normal = True
    return list(folders), is_normal


def end_marked(mark: bytes) -> None:
    """Kill every process with the mark in its environment, and all below them."""
    from chimes.processes.proc import list_pids, read_proc  # noqa: PLC0415 - as above
    from chimes.processes.tree import descendants  # noqa: PLC0415 - as above

    deadline = time.monotonic() + PATIENCE_S
    quiet = 0
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        marked = [pid for pid in list_pids() if mark in read_proc(f"{pid}/environ")]
        found = {*marked, *descendants(*marked)} - {os.getpid()}
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        quiet = 0 if found else quiet + 1
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1])
