"""One descriptor for each kind of component: the only place where the three kinds are listed.

Light: the interface is named by a dotted path and imported on demand. A new kind is a new row here, its interface in
a module beside this one, its hook in ``chimes.hooks``, and its conformance suite.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["KINDS", "Kind", "KindDescriptor"]

Kind = Literal["model", "connector", "backend"]


@dataclass(frozen=True, kw_only=True)
class KindDescriptor:
    """What distinguishes one kind from the others.

    ``operations`` are the methods that another process may call. ``values`` are the types, from the interface's
    module, that these methods take and return.
    """

    name: Kind
    title: str
    hook: str
    module: str
    interface: str
    versions: tuple[int, ...]
    operations: tuple[str, ...]
    values: tuple[str, ...]
    capabilities: frozenset[str] = frozenset()

    @property
    def apis(self) -> tuple[str, ...]:
        """The interface versions that this SDK supports, as registrations write them: ``chimes.model/1``."""
        return tuple(f"chimes.{self.name}/{version}" for version in self.versions)

    def load_interface(self) -> type[Any]:
        """The interface's class. Imports pydantic and pyarrow."""
        interface: type[Any] = getattr(importlib.import_module(self.module), self.interface)
        return interface

    def load_values(self) -> dict[str, type[Any]]:
        """The types of ``values`` by name. Imports pydantic and pyarrow."""
        module = importlib.import_module(self.module)
        return {name: getattr(module, name) for name in self.values}


KINDS: Mapping[Kind, KindDescriptor] = MappingProxyType(
    {
        "model": KindDescriptor(
            name="model",
            title="model",
            hook="chimes_models",
            module="chimes.kinds.model",
            interface="Model",
            versions=(1,),
            operations=("describe", "load", "predict", "close"),
            values=("LoadReport", "ModelInfo"),
            capabilities=frozenset({"thread_safe"}),
        ),
        "connector": KindDescriptor(
            name="connector",
            title="data connector",
            hook="chimes_connectors",
            module="chimes.kinds.connector",
            interface="DataConnector",
            versions=(1,),
            operations=("ping", "discover", "plan", "read", "close"),
            values=("Partition", "ReadPlan", "ReadRequest", "StreamInfo"),
            capabilities=frozenset({"thread_safe"}),
        ),
        "backend": KindDescriptor(
            name="backend",
            title="compute backend",
            hook="chimes_backends",
            module="chimes.kinds.backend",
            interface="ComputeBackend",
            versions=(1,),
            operations=("ping", "inventory", "submit", "status", "cancel", "logs", "close"),
            values=("Inventory", "JobHandle", "JobSpec", "JobStatus", "LogChunk"),
        ),
    }
)
"""The three kinds by name, in the order in which they are listed everywhere."""
