"""Arrow schemas inside JSON values, and Arrow data of any library brought into pyarrow."""

from __future__ import annotations

import base64
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.types as pt
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from chimes.errors import SchemaMismatchError

__all__ = ["ArrowSchema", "Batch", "empty_batch", "import_batch", "one_row"]

Batch = pa.RecordBatch


def _decode(value: Any) -> pa.Schema:
    if isinstance(value, pa.Schema):
        return value
    if isinstance(value, str):
        try:
            return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(value, validate=True)))
        except (ValueError, OSError) as error:
            raise ValueError("not a base64 Arrow IPC schema message") from error
    raise ValueError(f"an Arrow schema was expected, not {type(value).__name__}")


def _encode(schema: pa.Schema) -> str:
    return base64.b64encode(schema.serialize().to_pybytes()).decode("ascii")


ArrowSchema = Annotated[
    pa.Schema,
    BeforeValidator(_decode),
    PlainSerializer(_encode, return_type=str),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "description": "Arrow IPC schema message"}),
]
"""A ``pyarrow.Schema``; in JSON a base64 Arrow IPC schema message, so that no detail is lost."""


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """A batch of no rows; pyarrow's own ways lack unions, some extension types and lists of run ends."""
    return pa.RecordBatch.from_arrays([one_row(dtype).slice(1) for dtype in schema.types], schema=schema)


def one_row(dtype: pa.DataType) -> pa.Array:
    """A column of one row, null or of nulls, in which every list has an element; pyarrow makes it for every type."""
    if pt.is_dictionary(dtype):
        return pa.DictionaryArray.from_arrays(pa.array([0], dtype.index_type), one_row(dtype.value_type))
    if pt.is_struct(dtype) and dtype.num_fields:
        return pa.StructArray.from_arrays([one_row(field.type) for field in dtype], fields=list(dtype))
    if pt.is_list(dtype):
        return pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), one_row(dtype.value_type), dtype)
    if pt.is_list_view(dtype) or pt.is_large_list_view(dtype):
        view = pa.ListViewArray if pt.is_list_view(dtype) else pa.LargeListViewArray
        index = pa.int32() if pt.is_list_view(dtype) else pa.int64()
        return view.from_arrays(pa.array([0], index), pa.array([1], index), one_row(dtype.value_type), dtype)
    if pt.is_large_list(dtype):
        return pa.LargeListArray.from_arrays(pa.array([0, 1], pa.int64()), one_row(dtype.value_type), dtype)
    if isinstance(dtype, pa.BaseExtensionType):
        return dtype.wrap_array(one_row(dtype.storage_type))
    return pa.nulls(1, dtype)


def import_batch(value: Any) -> pa.RecordBatch:
    """Bring any object with ``__arrow_c_array__`` or ``__arrow_c_stream__`` into pyarrow, without a copy.

    A stream must hold at most one batch's worth of rows, or chunks that can be joined. Raises
    SchemaMismatchError for anything that exports neither.
    """
    if isinstance(value, pa.RecordBatch):
        return value
    if hasattr(value, "__arrow_c_array__"):
        return pa.record_batch(value)
    if hasattr(value, "__arrow_c_stream__"):
        table = pa.table(value).combine_chunks()
        batches = table.to_batches()
        return batches[0] if batches else empty_batch(table.schema)
    raise SchemaMismatchError(
        f"a record batch was expected, not {type(value).__name__}",
        hint="return a pyarrow.RecordBatch or an object that exports the Arrow C data interface",
        fault="plugin",
    )
