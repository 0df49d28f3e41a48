"""The resources of a job or a component: devices, processors, memory, accelerators."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chimes.errors import ConfigError

__all__ = ["AcceleratorRequest", "Device", "Resources"]

_DEVICE = re.compile(r"(?P<kind>[a-z][a-z0-9]*)(?::(?P<index>\d{1,4}))?")


@dataclass(frozen=True)
class Device:
    """One device of a kind (``cpu``, ``cuda``, ``npu``), counted from 0 among those visible to the process."""

    kind: str
    index: int = 0

    @classmethod
    def parse(cls, text: str) -> Device:
        """Read ``kind`` or ``kind:index``; raises ConfigError for anything else."""
        match = _DEVICE.fullmatch(text)
        if match is None:
            raise ConfigError(f"{text!r} is not a device", hint="write kind or kind:index, for example cpu or cuda:0")
        return cls(match["kind"], int(match["index"] or 0))

    def __str__(self) -> str:
        return f"{self.kind}:{self.index}"


@dataclass(frozen=True, kw_only=True)
class AcceleratorRequest:
    """Accelerators for each task: ``kinds`` in order of preference, for example ``("npu", "cuda")``."""

    kinds: tuple[str, ...]
    count: int = 1
    arch: str | None = None
    memory_bytes: int | None = None
    same_link_domain: bool = False


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one job needs; ``None`` means "the backend's default", never zero."""

    nodes: int = 1
    tasks_per_node: int = 1
    cpus_per_task: int = 1
    memory_bytes_per_task: int | None = None
    accelerators: tuple[AcceleratorRequest, ...] = ()
    walltime_s: float | None = None
