"""A weighted sum of two columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, JsonValue

from chimes import Batch, Config, Device, LoadReport, Model, ModelInfo, Signature
from chimes.errors import ConfigError, DeviceUnavailableError, InvalidStateError, SchemaMismatchError

INPUTS = pa.schema([pa.field("x", pa.float64(), nullable=False), pa.field("y", pa.float64(), nullable=False)])
OUTPUTS = pa.schema([pa.field("score", pa.float64(), nullable=False), pa.field("high", pa.bool_(), nullable=False)])


class StrictConfig(Config):
    """What the sum is made of."""

    weight: float = Field(2.0, description="Weight of column x.")


class StrictModel(Model[StrictConfig]):
    """score = weight * x + y; high where the score is above zero."""

    Config = StrictConfig
    loaded = False

    @classmethod
    def describe(cls, config: StrictConfig) -> ModelInfo:
        """Two numbers in, a score and a flag out."""
        return ModelInfo(signature=Signature(inputs=INPUTS, outputs=OUTPUTS), parameters=1)

    def load(self, device: Device) -> LoadReport:
        """Only the first CPU is here."""
        if device != Device("cpu"):
            raise DeviceUnavailableError(f"there is no device {device} here", hint="load on cpu")
        self.loaded = True
        return LoadReport(device=str(device), precision="float64")

    def predict(self, batch: Batch, *, params: Mapping[str, JsonValue] | None = None) -> Any:
        """The score of each row."""
        if not self.loaded:
            raise InvalidStateError("predict was called before load", hint="call load first")
        if params:
            raise ConfigError(f"unknown parameter {next(iter(params))!r}", hint="give none")
        if batch.schema.names != INPUTS.names or batch.schema.types != INPUTS.types:
            raise SchemaMismatchError(f"the columns are {batch.schema.names}", hint="give x and y as float64")
        x, y = batch.column(0), batch.column(1)
        score = pc.add(pc.multiply(x, self.config.weight), y)
        return pa.RecordBatch.from_arrays([score, pc.greater(score, 0.0)], schema=OUTPUTS)
