"""Chimes: write a plugin for an AI computing centre, check it, run it on real data.

The public names are imported on first use, so that ``import chimes`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chimes.context import ArtifactRef, CancelToken, Context
    from chimes.hooks import hookimpl
    from chimes.kinds.backend import ComputeBackend, Inventory, JobHandle, JobSpec, JobState, JobStatus, LogChunk, Pool
    from chimes.kinds.component import Component, Config
    from chimes.kinds.connector import DataConnector, Partition, ReadPlan, ReadRequest, StreamInfo
    from chimes.kinds.model import BatchLimits, LoadReport, Model, ModelInfo, Signature
    from chimes.kinds.schema import Batch
    from chimes.registration import Registration
    from chimes.registry import Registry
    from chimes.resources import AcceleratorRequest, Device, Resources

__version__ = "0.1.0"

_HOMES = {
    "chimes.context": ("ArtifactRef", "CancelToken", "Context"),
    "chimes.hooks": ("hookimpl",),
    "chimes.kinds.backend": (
        "ComputeBackend",
        "Inventory",
        "JobHandle",
        "JobSpec",
        "JobState",
        "JobStatus",
        "LogChunk",
        "Pool",
    ),
    "chimes.kinds.component": ("Component", "Config"),
    "chimes.kinds.connector": ("DataConnector", "Partition", "ReadPlan", "ReadRequest", "StreamInfo"),
    "chimes.kinds.model": ("BatchLimits", "LoadReport", "Model", "ModelInfo", "Signature"),
    "chimes.kinds.schema": ("Batch",),
    "chimes.registration": ("Registration",),
    "chimes.registry": ("Registry",),
    "chimes.resources": ("AcceleratorRequest", "Device", "Resources"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AcceleratorRequest",
    "ArtifactRef",
    "Batch",
    "BatchLimits",
    "CancelToken",
    "Component",
    "ComputeBackend",
    "Config",
    "Context",
    "DataConnector",
    "Device",
    "Inventory",
    "JobHandle",
    "JobSpec",
    "JobState",
    "JobStatus",
    "LoadReport",
    "LogChunk",
    "Model",
    "ModelInfo",
    "Partition",
    "Pool",
    "ReadPlan",
    "ReadRequest",
    "Registration",
    "Registry",
    "Resources",
    "Signature",
    "StreamInfo",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'chimes' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
