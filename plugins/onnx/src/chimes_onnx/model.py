"""The model: stacks columns into tensors, runs the file on the CPU, splits the results into columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import pyarrow as pa
from chimes.context import Context
from chimes.errors import (
    ChimesError,
    ConfigError,
    DeviceUnavailableError,
    InvalidStateError,
    OutOfMemoryError,
    UnsupportedError,
)
from chimes.kinds.model import NO_PARAMS, BatchLimits, LoadReport, Model, ModelInfo, Signature
from chimes.kinds.schema import Batch
from chimes.resources import Device
from pydantic import JsonValue

from chimes_onnx.config import OnnxConfig
from chimes_onnx.layout import Layout, read_layout
from chimes_onnx.session import Opened, open_file, reason
from chimes_onnx.tensors import Tensor, check_batch, stack, unstack

__all__ = ["OnnxModel"]

PREFERRED_ROWS = 1024
PRECISIONS = {"halffloat": "float16", "float": "float32", "double": "float64"}


class OnnxModel(Model[OnnxConfig]):
    """Any ONNX file on the CPU. A row is one element of the first dimension of every tensor."""

    Config: ClassVar[type[OnnxConfig]] = OnnxConfig

    def __init__(self, config: OnnxConfig, context: Context) -> None:
        super().__init__(config, context)
        self._opened: Opened | None = None
        self._layout = Layout((), (), None)

    @classmethod
    def describe(cls, config: OnnxConfig) -> ModelInfo:
        """Read the file and say which columns it takes and gives.

        Raises ArtifactError, ConfigError or UnsupportedError; never touches a device or the network.
        """
        opened = open_file(config, optimize=False)
        layout = _layout(config, opened)
        signature = Signature(
            inputs=layout.input_schema,
            outputs=layout.output_schema,
            batch=BatchLimits(preferred_rows=_preferred(layout.rows)),
            determinism="tolerance",
            rtol=config.rtol,
            atol=config.atol,
        )
        return ModelInfo(signature=signature, devices=("cpu",), artifacts=opened.artifacts)

    def load(self, device: Device) -> LoadReport:
        """Make the optimised session. Raises DeviceUnavailableError for all but ``cpu:0``, else as ``describe``."""
        if device != Device("cpu"):
            raise DeviceUnavailableError(f"chimes-onnx runs on cpu:0, not on {device}", hint="ask for device cpu")
        if self._opened is None:
            opened = open_file(self.config, optimize=True)
            self._layout, self._opened = _layout(self.config, opened), opened
        return LoadReport(
            device=str(device),
            precision=_precision(self._layout),
            providers=tuple(self._opened.session.get_providers()),
        )

    def predict(self, batch: Batch, *, params: Mapping[str, JsonValue] = NO_PARAMS) -> Batch:
        """Run the file over the rows; a file of fixed batch size gets slices, the last one filled up.

        Raises SchemaMismatchError naming the column, ConfigError for any parameter, InvalidStateError
        before ``load``, CancelledError between slices, UnsupportedError if the file fails on the rows.
        """
        if self._opened is None:
            raise InvalidStateError("the model is not loaded", hint="call load(device) before predict")
        for name in params:
            raise ConfigError(f"there is no parameter {name!r}", hint="chimes-onnx takes no parameters")
        check_batch(batch, self._layout.input_schema)
        if batch.num_rows == 0:
            schema = self._layout.output_schema
            return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
        feed = {port.name: stack(port, batch) for port in self._layout.inputs}
        parts = list(self._run(self._opened, feed, batch.num_rows))
        return parts[0] if len(parts) == 1 else pa.concat_batches(parts)

    def close(self) -> None:
        """Release the session; ``load`` makes a new one."""
        self._opened = None

    def _run(self, opened: Opened, feed: dict[str, Tensor], rows: int) -> Iterator[pa.RecordBatch]:
        size = self._layout.rows or rows
        names = [port.name for port in self._layout.outputs]
        for start in range(0, rows, size):
            self.context.cancel.raise_if_cancelled()
            try:
                part = {name: _filled(tensor[start : start + size], size) for name, tensor in feed.items()}
                tensors = opened.session.run(names, part)
            except Exception as error:  # onnxruntime's own errors have no common base class
                raise _cannot_run(self.config.path, error) from error
            ports = zip(self._layout.outputs, tensors, strict=True)
            columns = [column for port, tensor in ports for column in unstack(port, tensor, size)]
            batch = pa.RecordBatch.from_arrays(columns, schema=self._layout.output_schema)
            yield batch.slice(0, rows - start)


def _layout(config: OnnxConfig, opened: Opened) -> Layout:
    return read_layout(config, opened.session.get_inputs(), opened.session.get_outputs())


def _preferred(rows: int | None) -> int:
    return PREFERRED_ROWS if rows is None else max(PREFERRED_ROWS // rows, 1) * rows


def _precision(layout: Layout) -> str | None:
    types = {str(port.element) for port in (*layout.inputs, *layout.outputs)} & set(PRECISIONS)
    return PRECISIONS[types.pop()] if len(types) == 1 else None


def _filled(tensor: Tensor, size: int) -> Tensor:
    # Filled up with the last row: the model accepts its values, and might refuse zeros.
    missing = size - len(tensor)
    return np.concatenate([tensor, np.repeat(tensor[-1:], missing, axis=0)]) if missing else tensor


def _cannot_run(path: str, error: Exception) -> ChimesError:
    message = reason(error)
    if isinstance(error, MemoryError) or "allocate memory" in message or "bad_alloc" in message:
        return OutOfMemoryError(f"there is not enough memory to run {path!r}: {message}", hint="use smaller batches")
    return UnsupportedError(
        f"{path!r} failed on these rows: {message}",
        hint="give it values like those that it was trained on",
        fault="plugin",
    )
