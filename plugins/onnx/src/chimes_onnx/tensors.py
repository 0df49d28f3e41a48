"""Converts Arrow columns to numpy tensors and back, and checks them against the signature."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from chimes.errors import SchemaMismatchError

from chimes_onnx.layout import Port

__all__ = ["check_batch", "stack", "unstack"]

Tensor = npt.NDArray[Any]


def check_batch(batch: pa.RecordBatch, schema: pa.Schema) -> None:
    """Raise SchemaMismatchError naming the first column that is missing, unknown, of another type or null."""
    for name in batch.schema.names:
        if name not in schema.names:
            raise SchemaMismatchError(f"column {name!r} is not an input", hint=f"inputs: {', '.join(schema.names)}")
    for field in schema:
        if batch.schema.names.count(field.name) != 1:
            raise SchemaMismatchError(
                f"column {field.name!r} is needed once, the batch has it {batch.schema.names.count(field.name)} times",
                hint=f"inputs: {', '.join(schema.names)}",
            )
        column = _decoded(batch.column(field.name))
        if column.type != field.type:
            raise SchemaMismatchError(
                f"column {field.name!r} has type {column.type}, the model takes {field.type}",
                hint="cast the column before the model",
            )
        if _has_nulls(column):
            raise SchemaMismatchError(f"column {field.name!r} holds nulls", hint="fill or drop them before the model")


def stack(port: Port, batch: pa.RecordBatch) -> Tensor:
    """The tensor of an input, shape [rows, *port.shape], without touching the batch."""
    columns = [_to_numpy(_values(_decoded(batch.column(name)))) for name in port.columns]
    if len(columns) > 1:
        return np.stack(columns, axis=1)
    return columns[0].reshape(batch.num_rows, *port.shape)


def unstack(port: Port, tensor: Tensor, rows: int) -> list[pa.Array]:
    """The columns of an output; raises SchemaMismatchError if the tensor has not ``rows`` rows of the right shape."""
    tensor = np.asarray(tensor)
    shapes = {(rows, *port.shape)} | ({(rows,)} if port.split and port.shape in ((), (1,)) else set())
    if tensor.shape not in shapes:
        raise SchemaMismatchError(
            f"output {port.name!r} has shape {list(tensor.shape)}, not {[rows, *port.shape]}",
            hint="export the model so that each output has one row for each row of the input",
            fault="plugin",
        )
    if port.split:
        table = tensor.reshape(rows, len(port.columns))
        return [_to_arrow(np.ascontiguousarray(table[:, index]), port.element) for index in range(len(port.columns))]
    flat = _to_arrow(tensor.reshape(-1), port.element)
    if isinstance(port.column_type, pa.FixedShapeTensorType):
        storage = pa.FixedSizeListArray.from_arrays(flat, type=port.column_type.storage_type)
        return [pa.ExtensionArray.from_storage(port.column_type, storage)]
    return [pa.FixedSizeListArray.from_arrays(flat, type=port.column_type)]


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _has_nulls(column: pa.Array) -> bool:
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    return bool(storage.null_count or _values(storage).null_count)


def _values(column: pa.Array) -> pa.Array:
    # unlike values, flatten returns only the rows of a slice
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    return storage.flatten() if pa.types.is_fixed_size_list(storage.type) else storage


def _to_numpy(values: pa.Array) -> Tensor:
    array: Tensor = values.to_numpy(zero_copy_only=False)
    return array


def _to_arrow(values: Tensor, element: pa.DataType) -> pa.Array:
    return pa.array(values.tolist() if pa.types.is_string(element) else values, type=element)
