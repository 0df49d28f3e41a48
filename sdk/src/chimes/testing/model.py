"""A model that multiplies, for tests of code that calls models."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, JsonValue

from chimes.context import Context
from chimes.errors import ConfigError, DeviceUnavailableError, InvalidStateError, SchemaMismatchError
from chimes.kinds.component import Config
from chimes.kinds.model import NO_PARAMS, LoadReport, Model, ModelInfo, Signature
from chimes.kinds.schema import Batch
from chimes.resources import Device

__all__ = ["FakeModel", "FakeModelConfig"]


class FakeModelConfig(Config):
    """The configuration of the fake model."""

    factor: float = Field(default=2.0, description="What every value is multiplied by.")


class FakeModel(Model[FakeModelConfig]):
    """Multiplies ``value`` (float64, no nulls) and returns it as ``product``; ``seen`` lists the rows of each batch."""

    Config = FakeModelConfig
    INPUTS = pa.schema([pa.field("value", pa.float64(), nullable=False)])
    OUTPUTS = pa.schema([pa.field("product", pa.float64(), nullable=False)])

    def __init__(self, config: FakeModelConfig, context: Context) -> None:
        super().__init__(config, context)
        self.loaded_on: Device | None = None
        self.seen: list[int] = []

    @classmethod
    def describe(cls, config: FakeModelConfig) -> ModelInfo:
        """The signature; bitwise repeatable."""
        return ModelInfo(signature=Signature(inputs=cls.INPUTS, outputs=cls.OUTPUTS, determinism="bitwise"))

    def load(self, device: Device) -> LoadReport:
        """Load onto the CPU; raises DeviceUnavailableError for any other device."""
        if device != Device("cpu"):
            raise DeviceUnavailableError(f"the fake model does not run on {device}", hint="load it on cpu")
        self.loaded_on = device
        return LoadReport(device=str(device), memory_bytes=0, precision="float64")

    def predict(self, batch: Batch, *, params: Mapping[str, JsonValue] = NO_PARAMS) -> Batch:
        """One product for each value. Raises InvalidStateError, ConfigError, SchemaMismatchError."""
        if self.loaded_on is None:
            raise InvalidStateError("predict was called before load", hint="call load first")
        if params:
            raise ConfigError(f"unknown parameter {next(iter(params))!r}", hint="the fake model takes none")
        if [(field.name, field.type) for field in batch.schema] != [("value", pa.float64())]:
            raise SchemaMismatchError(
                f"the columns are {', '.join(batch.schema.names) or 'none'}", hint="give one column, value: float64"
            )
        if batch.column("value").null_count:
            raise SchemaMismatchError("column 'value' holds nulls", hint="drop these rows, or fill them")
        self.seen.append(batch.num_rows)
        return pa.RecordBatch.from_arrays([pc.multiply(batch.column("value"), self.config.factor)], schema=self.OUTPUTS)
