"""The program behind ``chimes.processes.guard``: waits for the end of a process, then cleans up after it.

Started by its path, with the mark as the only argument; standard input is the pipe. It reads messages that end
with NUL: ``+PATH`` a folder to remove, ``-PATH`` a folder that has been removed, ``pPID START`` a process to end,
``.`` the caller ends normally and has ended its processes itself.
"""

from __future__ import annotations

import os
import signal
import sys
import time

PATIENCE_S = 10.0
"""How long to try to end processes: one in an uninterruptible system call may never end."""
PAUSE_S, QUIET_LOOKS = 0.05, 3
"""The pause between two searches, and the number of searches without a result before the end."""


def main(mark: str) -> None:
    """Leave the tree of the caller, wait, clean up."""
    if os.fork() > 0:
        os._exit(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Appended, so that files beside the package do not replace the standard library.
    sys.path.append(os.path.abspath(f"{__file__}/../../.."))
    from pathlib import Path  # noqa: PLC0415 - after the fork, so that the caller does not wait for imports

    from chimes.files import remove_tree  # noqa: PLC0415 - as above

    folders, processes, is_normal = read_messages()
    if not is_normal:
        end_processes(mark.encode("ascii"), processes)
    for folder in folders:
        remove_tree(Path(os.fsdecode(folder)))


def read_messages() -> tuple[list[bytes], dict[int, int], bool]:
    """At the end of standard input: the folders, the processes with their start times, whether the end is normal."""
    folders: dict[bytes, None] = {}
    processes: dict[int, int] = {}
    is_normal, rest = False, b""
    while chunk := os.read(0, 1 << 16):
        *messages, rest = (rest + chunk).split(b"\0")
        for message in messages:
            match message[:1]:
                case b"+":
                    folders[message[1:]] = None
                case b"-":
                    folders.pop(message[1:], None)
                case b"p":
                    pid, start_ticks = map(int, message[1:].split())
                    processes[pid] = start_ticks
                case _:
                    is_normal = True
    return list(folders), processes, is_normal


def end_processes(mark: bytes, started: dict[int, int]) -> None:
    """Kill the started processes, every process with the mark in its environment, and all below them."""
    from chimes.processes.proc import has_exited, list_pids, read_proc, read_stat  # noqa: PLC0415 - as above
    from chimes.processes.tree import descendants  # noqa: PLC0415 - as above

    deadline = time.monotonic() + PATIENCE_S
    quiet = 0
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        roots = [pid for pid in list_pids() if mark in read_proc(f"{pid}/environ")]
        stats = {pid: read_stat(pid) for pid in started if not has_exited(pid)}
        roots += [pid for pid, stat in stats.items() if stat is not None and stat.start_ticks == started[pid]]
        found = {*roots, *descendants(*roots)} - {os.getpid()}
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        quiet = 0 if found else quiet + 1
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1])
