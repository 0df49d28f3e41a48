"""Small limits for hostile code, so that it ends soon, and a search for processes that it left running."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path

__all__ = ["RULES", "wait_until_gone"]

RULES = """
name = "small"
call_s = 10
[limits]
wall_s = 120
memory_bytes = 402653184
processes = 64
disk_bytes = 67108864
"""
GONE_S = 20.0


def wait_until_gone(token: str, *, but: Collection[int] = ()) -> None:
    """Wait until no process except the known ones has the run's token in its command, environment or mounts."""
    deadline = time.monotonic() + GONE_S
    while left := _survivors(token, {os.getpid(), *but}):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _survivors(token: str, known: set[int]) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) not in known:
            texts = [_read(process / name) for name in ("cmdline", "environ", "mountinfo")]
            if any(token.encode() in text for text in texts):
                found.append(f"{process.name}: {texts[0]!r}")
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
