"""Identifies one process, so that another process can find out later whether exactly that process still runs.

A pid alone is not enough, because it is reused: the identity is pid, start time, boot and pid namespace.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any, Literal

from chimes.processes.proc import has_exited, read_proc, read_stat

__all__ = ["State", "find_state", "process_identity", "send_signal"]

MAX_PID = 1 << 22
"""The kernel's limit: a record with a larger number was not written by ``process_identity``."""

State = Literal["alive", "ended", "rebooted", "elsewhere"]


def process_identity(pid: int | None = None) -> dict[str, Any]:
    """The identity (plain JSON) of this process, or of a running one of this machine."""
    pid = os.getpid() if pid is None else pid
    return {"pid": pid, "start_ticks": _start_ticks(pid), "host": os.uname().nodename, **_place()}


def find_state(identity: Mapping[str, Any]) -> State:
    """The state of a process: ``rebooted`` if its machine was, ``elsewhere`` if it cannot be seen from here."""
    here = _place()
    if identity.get("boot") != here["boot"]:
        return "rebooted" if identity.get("host") == os.uname().nodename else "elsewhere"
    if identity.get("namespace") != here["namespace"]:
        return "elsewhere"
    start = _start_ticks(_pid(identity))
    return "alive" if start is not None and start == identity.get("start_ticks") else "ended"


def send_signal(identity: Mapping[str, Any], number: signal.Signals) -> bool:
    """Send a signal to exactly that process; False if it has ended, cannot be seen or belongs to another user."""
    try:
        descriptor = os.pidfd_open(_pid(identity))
    except OSError:
        return False
    try:
        # Checked after the descriptor was opened: it keeps referring to the same process.
        if find_state(identity) != "alive":
            return False
        signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _pid(identity: Mapping[str, Any]) -> int:
    pid = identity.get("pid")
    return pid if isinstance(pid, int) and 0 < pid <= MAX_PID else 0


def _place() -> dict[str, str]:
    return {
        "boot": read_proc("sys/kernel/random/boot_id").decode("ascii").strip(),
        "namespace": os.readlink("/proc/self/ns/pid"),
    }


def _start_ticks(pid: int) -> int | None:
    stat = None if has_exited(pid) else read_stat(pid)
    return None if stat is None else stat.start_ticks
