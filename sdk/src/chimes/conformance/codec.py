"""Values of the interfaces as JSON and Arrow IPC, the same on both sides of the pipe.

Only the types listed here exist: nothing is imported or constructed because a name came over the wire.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from chimes.errors import ConfigError
from chimes.kinds.backend import Inventory, JobHandle, JobSpec, JobStatus, LogChunk
from chimes.kinds.component import Value
from chimes.kinds.connector import Partition, ReadPlan, ReadRequest, StreamInfo
from chimes.kinds.model import LoadReport, ModelInfo
from chimes.resources import Device

__all__ = ["batch_bytes", "decode", "encode", "read_batch"]

VALUES: dict[str, type[Value]] = {
    value.__name__: value
    for value in (
        Inventory,
        JobHandle,
        JobSpec,
        JobStatus,
        LoadReport,
        LogChunk,
        ModelInfo,
        Partition,
        ReadPlan,
        ReadRequest,
        StreamInfo,
    )
}


def encode(value: Any, blobs: list[bytes]) -> Any:
    """``value`` as JSON; record batches and tables go to ``blobs``. Raises ConfigError for any other type."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return _blob("bytes", value, blobs)
        case Value():
            return {"$value": type(value).__name__, "json": value.model_dump(mode="json")}
        case Device():
            return {"$device": str(value)}
        case datetime():
            return {"$time": value.isoformat()}
        case pa.RecordBatch():
            return _blob("batch", batch_bytes(value), blobs)
        case pa.Table():
            return {"$table": [encode(batch, blobs) for batch in value.to_batches()] or _empty(value, blobs)}
        case dict():
            return {"$dict": [[str(key), encode(item, blobs)] for key, item in value.items()]}
        case list() | tuple():
            return [encode(item, blobs) for item in value]
    raise ConfigError(f"a {type(value).__name__} is no value of the interface", fault="plugin")


def decode(data: Any, blobs: list[bytes]) -> Any:
    """The value that ``encode`` wrote. Raises ConfigError for anything else: what comes is not trusted."""
    match data:
        case list():
            return [decode(item, blobs) for item in data]
        case {"$value": str(name), "json": body} if name in VALUES:
            return _validated(VALUES[name], body)
        case {"$device": str(text)}:
            return Device.parse(text)
        case {"$time": str(text)}:
            return _validated(datetime, text)
        case {"$bytes": int(index)} if 0 <= index < len(blobs):
            return blobs[index]
        case {"$batch": int(index)} if 0 <= index < len(blobs):
            return read_batch(blobs[index])
        case {"$table": list(items)}:
            return pa.Table.from_batches([decode(item, blobs) for item in items])
        case {"$dict": list(items)}:
            return {str(key): decode(item, blobs) for key, item in items}
        case None | bool() | int() | float() | str():
            return data
    raise ConfigError("what came over the pipe is no value of the interface", fault="plugin")


def batch_bytes(batch: pa.RecordBatch) -> bytes:
    """A batch as an Arrow IPC stream, schema included; the same bytes for equal batches."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_batch(data: bytes) -> pa.RecordBatch:
    """The one batch in an Arrow IPC stream, validated in full. Raises ConfigError."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            batch = reader.read_next_batch()
        batch.validate(full=True)
    except (pa.ArrowException, OSError, StopIteration, ValueError) as error:
        raise ConfigError("what came over the pipe is no Arrow record batch", fault="plugin") from error
    return batch


def _blob(tag: str, data: bytes, blobs: list[bytes]) -> dict[str, int]:
    blobs.append(data)
    return {f"${tag}": len(blobs) - 1}


def _empty(table: pa.Table, blobs: list[bytes]) -> list[Any]:
    return [encode(pa.RecordBatch.from_pylist([], schema=table.schema), blobs)]


def _validated(kind: type[Any], body: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_json(json.dumps(body))
    except ValidationError as error:
        raise ConfigError(f"what came over the pipe is no {kind.__name__}", fault="plugin") from error
