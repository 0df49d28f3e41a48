"""The model: a weighted sum of two columns, and whether it reaches a threshold."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from chimes import Batch, Config, Context, Device, LoadReport, Model, ModelInfo, Signature
from chimes.errors import (
    ConfigError,
    DeviceUnavailableError,
    InvalidStateError,
    SchemaMismatchError,
)
from pydantic import Field, JsonValue

__all__ = ["WeightedSum", "WeightedSumConfig"]

INPUTS = pa.schema(
    [
        pa.field("a", pa.float64(), nullable=False),
        pa.field("b", pa.float64(), nullable=False),
    ]
)
OUTPUTS = pa.schema(
    [
        pa.field("score", pa.float64(), nullable=False),
        pa.field("reached", pa.bool_(), nullable=False),
    ]
)


class WeightedSumConfig(Config):
    """The configuration of the model."""

    weight_a: float = Field(0.5, allow_inf_nan=False, description="The weight of column a.")
    weight_b: float = Field(0.5, allow_inf_nan=False, description="The weight of column b.")
    bias: float = Field(0.0, allow_inf_nan=False, description="Added to every score.")
    threshold: float = Field(0.0, allow_inf_nan=False, description="The score from which a row counts as reached.")


class WeightedSum(Model[WeightedSumConfig]):
    """Scores rows of two float64 columns, ``a`` and ``b``."""

    Config = WeightedSumConfig

    def __init__(self, config: WeightedSumConfig, context: Context) -> None:
        super().__init__(config, context)
        self._loaded = False

    @classmethod
    def describe(cls, config: WeightedSumConfig) -> ModelInfo:
        """The signature, the same for every configuration."""
        signature = Signature(inputs=INPUTS, outputs=OUTPUTS, determinism="bitwise")
        return ModelInfo(signature=signature, parameters=4)

    def load(self, device: Device) -> LoadReport:
        """Load the model. Raises DeviceUnavailableError for any device except the CPU."""
        if device != Device("cpu"):
            raise DeviceUnavailableError(f"this model does not run on {device}", hint="load it on cpu, its only device")
        self._loaded = True
        return LoadReport(device=str(device), memory_bytes=0, precision="float64")

    def predict(self, batch: Batch, *, params: Mapping[str, JsonValue] | None = None) -> Batch:
        """One row of ``score`` and ``reached`` for each row of ``a`` and ``b``.

        Raises InvalidStateError before ``load``, ConfigError for any parameter, SchemaMismatchError
        naming the column that differs from the signature.
        """
        if not self._loaded:
            raise InvalidStateError("predict was called before load", hint="call load first")
        for name in params or ():
            raise ConfigError(f"unknown parameter {name!r}", hint="this model takes no parameters")
        check_inputs(batch)
        config = self.config
        parts = pc.add(
            pc.multiply(batch.column("a"), config.weight_a),
            pc.multiply(batch.column("b"), config.weight_b),
        )
        score = pc.add(parts, config.bias)
        reached = pc.greater_equal(score, config.threshold)
        return pa.RecordBatch.from_arrays([score, reached], schema=OUTPUTS)


def check_inputs(batch: Batch) -> None:
    """Raise SchemaMismatchError naming the first column that differs from ``INPUTS``."""
    for field in INPUTS:
        if field.name not in batch.schema.names:
            raise SchemaMismatchError(f"column {field.name!r} is missing", hint=f"give a column of type {field.type}")
        column = batch.column(field.name)
        if column.type != field.type:
            raise SchemaMismatchError(f"column {field.name!r} is {column.type}, not {field.type}", hint="cast it first")
        if column.null_count:
            raise SchemaMismatchError(f"column {field.name!r} holds nulls", hint="drop these rows, or fill them")
    for name in batch.schema.names:
        if name not in INPUTS.names:
            raise SchemaMismatchError(f"there is no input column {name!r}", hint="select only a and b")
