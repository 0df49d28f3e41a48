"""The processors and the memory of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

from chimes.errors import InfrastructureError
from chimes.processes.usage import total_memory_bytes

__all__ = ["Machine"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The processors that this process may use, and the memory in bytes."""

    cpus: int
    memory_bytes: int

    @classmethod
    def read(cls, meminfo: str = "meminfo") -> Machine:
        """Ask the kernel (``/proc/MEMINFO``); raises InfrastructureError where it does not answer."""
        memory_bytes = total_memory_bytes(meminfo)
        if memory_bytes is None:
            raise InfrastructureError(
                f"/proc/{meminfo} does not say how much memory there is", hint="this backend needs Linux with /proc"
            )
        return cls(cpus=len(os.sched_getaffinity(0)), memory_bytes=memory_bytes)
