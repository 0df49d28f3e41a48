"""What this machine has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from chimes.errors import InfrastructureError

__all__ = ["Machine"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The processors that this process may use, and the memory in bytes."""

    cpus: int
    memory_bytes: int

    @classmethod
    def look(cls, meminfo: Path = Path("/proc/meminfo")) -> Machine:
        """Ask the kernel; raises InfrastructureError where it does not answer."""
        try:
            lines = meminfo.read_text("ascii").splitlines()
            total_kib = next(int(line.split()[1]) for line in lines if line.startswith("MemTotal:"))
        except (OSError, StopIteration, ValueError) as error:
            raise InfrastructureError(
                f"{meminfo} does not say how much memory there is", hint="this backend needs Linux with /proc"
            ) from error
        return cls(cpus=len(os.sched_getaffinity(0)), memory_bytes=total_kib * 1024)
