"""The interface of models: a signature, a device, and rows in, rows out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import Field, JsonValue

from chimes.kinds.component import C, Component, Value
from chimes.kinds.schema import ArrowSchema, Batch
from chimes.resources import Device

__all__ = ["BatchLimits", "LoadReport", "Model", "ModelInfo", "Signature"]

NO_PARAMS: Mapping[str, JsonValue] = MappingProxyType({})
NO_PARAMS_SCHEMA: Mapping[str, JsonValue] = MappingProxyType(
    {"type": "object", "properties": {}, "additionalProperties": False}
)


class BatchLimits(Value):
    """How many rows a batch may have; the host rebatches to stay between them."""

    min_rows: int = Field(0, ge=0)
    max_rows: int | None = Field(None, ge=1)
    preferred_rows: int = Field(1024, ge=1)


class Signature(Value):
    """Inputs and outputs of a model as Arrow schemas, a JSON Schema for parameters, and how repeatable it is.

    ``determinism``: ``bitwise`` the same bits each time, ``tolerance`` equal within ``rtol`` and
    ``atol``, ``stochastic`` only the schema is promised.
    """

    inputs: ArrowSchema
    outputs: ArrowSchema
    params: dict[str, JsonValue] = Field(default_factory=lambda: dict(NO_PARAMS_SCHEMA))
    batch: BatchLimits = BatchLimits()
    determinism: Literal["bitwise", "tolerance", "stochastic"] = "tolerance"
    rtol: float = Field(1e-5, ge=0)
    atol: float = Field(1e-6, ge=0)


class ModelInfo(Value):
    """What ``describe`` reports without loading the model; ``artifacts`` maps names to sha256 (hex)."""

    signature: Signature
    devices: tuple[str, ...] = ("cpu",)
    parameters: int | None = None
    artifacts: dict[str, str] = Field(default_factory=dict)


class LoadReport(Value):
    """Where a model runs after ``load``; ``cpu_ops`` counts operators left on the CPU, None if unknown."""

    device: str
    memory_bytes: int | None = None
    precision: str | None = None
    providers: tuple[str, ...] = ()
    cpu_ops: int | None = None


class Model(Component[C]):
    """A model: rows in, rows out. A row is one whole instance, so that rebatching never splits it."""

    api: ClassVar[str] = "chimes.model/1"

    @classmethod
    @abstractmethod
    def describe(cls, config: C) -> ModelInfo:
        """Signature and devices. May read local files that the config names; no network, no device library."""

    @abstractmethod
    def load(self, device: Device) -> LoadReport:
        """Load onto exactly this device. Idempotent.

        Raises DeviceUnavailableError rather than use another device.
        """

    @abstractmethod
    def predict(self, batch: Batch, *, params: Mapping[str, JsonValue] = NO_PARAMS) -> Batch | Any:
        """Output row i belongs to input row i. Inputs are not changed; zero rows are legal.

        ``batch`` has the schema ``signature.inputs``; the result has exactly ``signature.outputs``.
        Raises SchemaMismatchError naming the column, ConfigError for an unknown parameter,
        InvalidStateError before ``load``.
        """
