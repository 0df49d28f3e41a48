"""Counts the values of Arrow data from another process, which may be few bytes on the wire.

A compressed body, a dictionary, a view or a column of nulls can hold any number of values in a few bytes.
"""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from chimes.errors import ConfigError

__all__ = ["MOST_VALUES", "count_values", "has_compressed_body"]

MOST_VALUES = 50_000_000
BYTES_PER_VALUE = 16
"""For memory that rows share (a dictionary, the bytes of views): this many bytes count as one value of each row."""
HEADER, CUSTOM_METADATA = 2, 4
DATA, COMPRESSION = 1, 3


def count_values(array: pa.Array) -> int:
    """The number of values in an array, or more. Raises ConfigError for an unsupported type."""
    dtype = array.type
    if isinstance(array, pa.ExtensionArray):
        return count_values(array.storage)
    if pt.is_struct(dtype):
        return len(array) + sum(count_values(array.field(i)) for i in range(dtype.num_fields))
    if pt.is_map(dtype):
        return len(array) + count_values(array.keys) + count_values(array.items)
    if pt.is_list(dtype) or pt.is_large_list(dtype) or pt.is_fixed_size_list(dtype):
        return len(array) + count_values(array.values)
    if pt.is_dictionary(dtype):
        return len(array) * (1 + int(array.dictionary.nbytes) // BYTES_PER_VALUE + count_values(array.dictionary))
    if pt.is_string_view(dtype) or pt.is_binary_view(dtype):
        return len(array) * (1 + int(array.nbytes) // BYTES_PER_VALUE)
    if pt.is_nested(dtype) or pt.is_run_end_encoded(dtype):
        raise ConfigError(f"{dtype} is not a type that the suite can compare", fault="plugin")
    return len(array)


def has_compressed_body(data: bytes) -> bool:
    """Whether any message of an Arrow IPC stream has a compressed body, in any version of the format.

    For other data it raises ValueError and the errors of pyarrow.
    """
    reader = pa.ipc.MessageReader.open_stream(pa.py_buffer(data))
    try:
        return any(_is_compressed(message.type, message.metadata.to_pybytes()) for message in reader)
    except struct.error as error:
        raise ValueError("not a message") from error


def _is_compressed(kind: str, metadata: bytes) -> bool:
    # The tables Message, DictionaryBatch and RecordBatch of the format's Message.fbs, read as flatbuffers.
    (root,) = struct.unpack_from("<I", metadata, 0)
    if kind == "schema":
        return False
    header = _table(metadata, root, HEADER)
    if kind == "dictionary" and header is not None:
        header = _table(metadata, header, DATA)
    # Before version 1.0 of the format the compression was part of the message's metadata.
    return header is None or bool(_field(metadata, header, COMPRESSION) or _field(metadata, root, CUSTOM_METADATA))


def _table(data: bytes, table: int, field: int) -> int | None:
    place = _field(data, table, field)
    if place is None:
        return None
    distance: int = struct.unpack_from("<I", data, place)[0]
    return place + distance


def _field(data: bytes, table: int, field: int) -> int | None:
    (back,) = struct.unpack_from("<i", data, table)
    names: Any = table - back
    if names < 0:
        raise ValueError("not a message")
    (size,) = struct.unpack_from("<H", data, names)
    if 4 + 2 * field + 2 > size:
        return None
    (offset,) = struct.unpack_from("<H", data, names + 4 + 2 * field)
    return table + offset if offset else None
