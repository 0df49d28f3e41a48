"""Arrow schemas inside JSON values, and Arrow data of any library brought into pyarrow."""

from __future__ import annotations

import base64
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from chimes.errors import SchemaMismatchError

__all__ = ["ArrowSchema", "Batch", "import_batch"]

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
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
    raise SchemaMismatchError(
        f"a record batch was expected, not {type(value).__name__}",
        hint="return a pyarrow.RecordBatch or an object that exports the Arrow C data interface",
        fault="plugin",
    )
