"""Names one process so that another process can tell later whether that very process still lives.

A pid alone is not a name: it is used again. Pid, start time, boot and pid namespace together are.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

__all__ = ["Fate", "fate", "process_identity", "send_signal"]

MAX_PID = 1 << 22
"""The kernel's own bound; what is beyond it was not written by a wrapper."""

Fate = Literal["alive", "gone", "rebooted", "elsewhere"]


def process_identity(pid: int | None = None) -> dict[str, Any]:
    """The identity (plain JSON) of this process, or of a living one of this machine."""
    pid = os.getpid() if pid is None else pid
    return {"pid": pid, "start_ticks": _start_ticks(pid), "host": os.uname().nodename, **_place()}


def fate(identity: Mapping[str, Any]) -> Fate:
    """What became of the process: ``rebooted`` with its machine, ``elsewhere`` where it can't be seen from here."""
    here = _place()
    if identity.get("boot") != here["boot"]:
        return "rebooted" if identity.get("host") == os.uname().nodename else "elsewhere"
    if identity.get("namespace") != here["namespace"]:
        return "elsewhere"
    start = _start_ticks(_pid(identity))
    return "alive" if start is not None and start == identity.get("start_ticks") else "gone"


def send_signal(identity: Mapping[str, Any], number: signal.Signals) -> bool:
    """Send a signal to exactly that process; False where it is gone, elsewhere or not ours."""
    try:
        descriptor = os.pidfd_open(_pid(identity))
    except OSError:
        return False
    try:
        # Asked after the descriptor was taken: from here on the pid can't come to mean another process.
        if fate(identity) != "alive":
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
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip(),
        "namespace": os.readlink("/proc/self/ns/pid"),
    }


def _start_ticks(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process; None for one that ended or does not exist."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
