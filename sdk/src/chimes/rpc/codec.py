"""Values of the interfaces as JSON and Arrow IPC, the same in both processes.

Only the types listed here are supported: a received name never causes an import. Data that is small on the wire and
huge in memory is refused.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter

from chimes.errors import ChimesError, ConfigError
from chimes.kinds.component import Value
from chimes.kinds.descriptors import KINDS
from chimes.kinds.schema import empty_batch
from chimes.resources import Device
from chimes.rpc.arrowsize import MOST_VALUES, count_values, has_compressed_body

__all__ = ["batch_bytes", "decode", "encode", "read_batch"]

ARROW_ERRORS = (pa.ArrowException, OSError, StopIteration, ValueError, TypeError, KeyError, MemoryError)
DEEPEST = 64
VALUES: dict[str, type[Value]] = {name: value for kind in KINDS.values() for name, value in kind.load_values().items()}


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
            return {"$table": [encode(batch, blobs) for batch in value.to_batches() or [empty_batch(value.schema)]]}
        case dict():
            return {"$dict": [[str(key), encode(item, blobs)] for key, item in value.items()]}
        case list() | tuple():
            return [encode(item, blobs) for item in value]
    raise ConfigError(f"a {type(value).__name__} is not a value of the interface", fault="plugin")


def decode(data: Any, blobs: list[bytes]) -> Any:
    """The value that ``encode`` wrote. Raises ConfigError for any other data, because the sender is not trusted."""
    _check_depth(data)
    return _Decoder(blobs).value(data)


class _Decoder:
    """Decodes one value; each blob is used once, and all batches together have at most ``MOST_VALUES`` values."""

    def __init__(self, blobs: list[bytes]) -> None:
        self._blobs: dict[int, bytes] = dict(enumerate(blobs))
        self._values = 0

    def value(self, data: Any) -> Any:
        match data:
            case list():
                return [self.value(item) for item in data]
            case {"$value": str(name), "json": body} if name in VALUES:
                return _validated(VALUES[name], body)
            case {"$device": str(text)}:
                return Device.parse(text)
            case {"$time": str(text)}:
                return _validated(datetime, text)
            case {"$bytes": int(index)} if index in self._blobs:
                return self._blobs.pop(index)
            case {"$batch": int(index)} if index in self._blobs:
                return self.batch(self._blobs.pop(index))
            case {"$table": list(items)}:
                return self.table(items)
            case {"$dict": list(items)} if all(isinstance(item, list) and len(item) == 2 for item in items):
                return {str(key): self.value(item) for key, item in items}
            case None | bool() | int() | float() | str():
                return data
        raise ConfigError("the received data is not a value of the interface", fault="plugin")

    def batch(self, data: bytes) -> pa.RecordBatch:
        batch = read_batch(data)
        self._values += 1 + sum(map(count_values, batch.columns))
        if self._values > MOST_VALUES:
            raise ConfigError(f"the received data has more than {MOST_VALUES} values", fault="plugin")
        return batch

    def table(self, items: list[Any]) -> pa.Table:
        try:
            return pa.Table.from_batches([self.value(item) for item in items])
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise ConfigError("the received data is not an Arrow table", fault="plugin") from error


def batch_bytes(batch: pa.RecordBatch) -> bytes:
    """A batch as an Arrow IPC stream, schema included; the same bytes for equal batches."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_batch(data: bytes) -> pa.RecordBatch:
    """The first batch of an Arrow IPC stream, fully validated. Raises ConfigError, also for compressed data."""
    try:
        if has_compressed_body(data):
            raise ConfigError("the received data is compressed", fault="plugin")
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            batch = reader.read_next_batch()
        batch.validate(full=True)
    except ARROW_ERRORS as error:
        raise ConfigError("the received data is not an Arrow record batch", fault="plugin") from error
    return batch


def _blob(tag: str, data: bytes, blobs: list[bytes]) -> dict[str, int]:
    blobs.append(data)
    return {f"${tag}": len(blobs) - 1}


def _validated(kind: type[Any], body: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_json(json.dumps(body))
    except (*ARROW_ERRORS, ChimesError) as error:
        # pydantic's ValidationError is a ValueError; validating a schema may raise errors of Arrow.
        raise ConfigError(f"the received data is not a valid {kind.__name__}", fault="plugin") from error


def _check_depth(data: Any) -> None:
    layer, depth = [data], 0
    while layer:
        depth += 1
        if depth > DEEPEST:
            raise ConfigError(f"the received data is nested more than {DEEPEST} levels deep", fault="plugin")
        layer = [
            inner
            for item in layer
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
