"""The formats of output files: which Arrow types each of them can store, and in which form.

=================  ==================  ==================  ====================  =======================
type               .parquet            .arrow              .csv                  .jsonl
=================  ==================  ==================  ====================  =======================
category           as it is if text,   as its values       as its values         as its values
                   else as its values
run ends           as their values     as they are         as their values       as their values
seconds            as milliseconds     as they are         as text               as text
binary             as it is            as it is            base64                base64
extension types    as they are         as they are         as they are stored    as they are stored
lists, structs     as they are         as they are         refused               as lists and objects
unions             refused             as they are         refused               refused
intervals          refused             as they are         refused               as lists
=================  ==================  ==================  ====================  =======================

In a .csv file times and bytes become the same text as in JSON Lines, with a blank instead of the ``T`` of a timestamp,
and ``Z`` for UTC; a null is an empty field, an empty text is ``""``. UUIDs are text in both.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from pyarrow import types

from chimes.host.casting import cast_array, is_castable
from chimes.host.json_values import DAY_S, PER_SECOND, child_types, has_json, json_values
from chimes.kinds.schema import one_row

__all__ = ["FORMATS", "Format", "Writer"]

# The first days of these years, counted from 1970-01-01.
YEAR_1, YEAR_10000 = -719_162, 2_932_897


class Writer(Protocol):
    """What Arrow's writers have in common."""

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append rows."""

    def close(self) -> None:
        """Finish the file; the stream stays open."""


@dataclass(frozen=True)
class Format:
    """A file format: the type in which it stores a column (None: it cannot), the conversion to it, the writer."""

    held_type: Callable[[pa.DataType], pa.DataType | None]
    convert: Callable[[pa.Array, pa.DataType], pa.Array]
    open: Callable[[IO[bytes], pa.Schema], Writer]

    def holds(self, dtype: pa.DataType) -> bool:
        """Whether a column of this type can be written: one row is, to memory."""
        held = self.held_type(dtype)
        if held is None:
            return False
        try:
            self.write_alone(self.convert(one_row(dtype), held))
        except (pa.ArrowException, OSError, ValueError):
            # Arrow's writers refuse more types than they document, Parquet's with an OSError.
            return False
        return True

    def write_alone(self, column: pa.Array) -> None:
        """Write one column of a held type to memory. Raises what Arrow raises for it."""
        schema = pa.schema([("column", column.type)])
        writer = self.open(io.BytesIO(), schema)
        writer.write_batch(pa.RecordBatch.from_arrays([column], schema=schema))
        writer.close()


class _JsonLines:
    """A JSON object per row."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        self._stream = stream
        self._names = schema.names

    def write_batch(self, batch: pa.RecordBatch) -> None:
        for row in zip(*map(json_values, batch.columns), strict=True):
            values = dict(zip(self._names, row, strict=True))
            line = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            self._stream.write(line.encode("utf-8") + b"\n")

    def close(self) -> None:
        self._stream.flush()


def _parquet_type(dtype: pa.DataType) -> pa.DataType | None:
    if types.is_union(dtype) or types.is_interval(dtype) or (types.is_struct(dtype) and not dtype.num_fields):
        return None
    if types.is_fixed_size_list(dtype) and not dtype.list_size:
        # Parquet's writer takes lists of no elements; its reader fails.
        return None
    if types.is_run_end_encoded(dtype):
        return _parquet_type(dtype.value_type)
    if types.is_dictionary(dtype) and not types.is_string(dtype.value_type):
        return _parquet_type(dtype.value_type)
    if types.is_timestamp(dtype) and dtype.unit == "s":
        return pa.timestamp("ms", dtype.tz)
    if types.is_dictionary(dtype):
        return dtype
    # Inside a list or a struct Parquet's writer converts seconds itself; it does not support run ends.
    if any(types.is_run_end_encoded(child) or _parquet_type(child) is None for child in child_types(dtype)):
        return None
    return _arrow_type(dtype)


def _parquet_column(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    if types.is_dictionary(array.type) and types.is_dictionary(dtype) and array.dictionary.null_count:
        # Parquet allows nulls in rows, not in categories.
        return array.dictionary_decode().cast(dtype)
    return cast_array(array, dtype)


def _arrow_type(dtype: pa.DataType) -> pa.DataType | None:
    # A file has one dictionary for each column, but each batch may have its own.
    held = _without_categories(dtype)
    return held if is_castable(dtype, held) else None


def _without_categories(dtype: pa.DataType) -> pa.DataType:
    if types.is_dictionary(dtype):
        return _without_categories(dtype.value_type)
    children = child_types(dtype)
    plain = [_without_categories(child) for child in children]
    if plain == children:
        return dtype
    if types.is_struct(dtype):
        return pa.struct([field.with_type(child) for field, child in zip(dtype, plain, strict=True)])
    if types.is_map(dtype):
        return pa.map_(_without_categories(dtype.key_type), _without_categories(dtype.item_type))
    for is_kind, make in ((types.is_list, pa.list_), (types.is_large_list, pa.large_list)):
        if is_kind(dtype):
            return make(dtype.value_field.with_type(plain[0]))
    if types.is_fixed_size_list(dtype):
        return pa.list_(dtype.value_field.with_type(plain[0]), dtype.list_size)
    # Run ends and extension types become their values. The others (views, unions) have no cast and are refused.
    return plain[-1]


def _csv_type(dtype: pa.DataType) -> pa.DataType | None:
    if types.is_run_end_encoded(dtype) or types.is_dictionary(dtype):
        return _csv_type(dtype.value_type)
    if isinstance(dtype, pa.BaseExtensionType):
        known = {pa.uuid(): pa.string(), pa.bool8(): pa.bool_()}
        return next((held for kind, held in known.items() if kind.equals(dtype)), _csv_type(dtype.storage_type))
    if types.is_nested(dtype) or types.is_interval(dtype):
        return None
    unchanged = [types.is_null, types.is_boolean, types.is_integer, types.is_floating, types.is_decimal]
    unchanged += [types.is_time, types.is_duration, types.is_large_string]
    return dtype if any(is_kind(dtype) for is_kind in unchanged) else pa.string()


def _csv_column(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    source = array.type
    if source.equals(dtype):
        return array
    if types.is_dictionary(source):
        return _csv_column(array.dictionary_decode(), dtype)
    if types.is_run_end_encoded(source):
        return _csv_column(pc.run_end_decode(array), dtype)
    if isinstance(source, pa.BaseExtensionType) and not (source.equals(pa.uuid()) or source.equals(pa.bool8())):
        return _csv_column(array.storage, dtype)
    if types.is_timestamp(source) and source.tz not in (None, "UTC"):
        return _csv_column(array.cast(pa.timestamp(source.unit, "UTC")), dtype)
    if types.is_string_view(source) or _is_common(array):
        return array.cast(dtype)
    values = json_values(array)
    if types.is_timestamp(source):
        values = [value and value.replace("T", " ").replace("+00:00", "Z") for value in values]
    return pa.array(values, dtype)


def _is_common(array: pa.Array) -> bool:
    """Whether all values are dates or timestamps of the years 1 to 9999: Arrow writes these correctly, and fast."""
    dtype = array.type
    if not (types.is_date(dtype) or types.is_timestamp(dtype)):
        return False
    per_day = 1 if types.is_date32(dtype) else DAY_S * (PER_SECOND[dtype.unit] if types.is_timestamp(dtype) else 1000)
    ends = pc.min_max(array.cast(pa.int32() if types.is_date32(dtype) else pa.int64())).as_py()
    return ends["min"] is None or (ends["min"] >= YEAR_1 * per_day and ends["max"] < YEAR_10000 * per_day)


FORMATS = {
    ".parquet": Format(_parquet_type, _parquet_column, pa.parquet.ParquetWriter),
    ".arrow": Format(_arrow_type, cast_array, pa.ipc.new_file),
    ".csv": Format(_csv_type, _csv_column, pa.csv.CSVWriter),
    ".jsonl": Format(lambda dtype: dtype if has_json(dtype) else None, lambda array, _: array, _JsonLines),
}
"""By suffix."""
