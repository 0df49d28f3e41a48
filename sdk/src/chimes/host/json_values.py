"""Converts Arrow columns to JSON values without loss: a reader that knows the type can convert them back.

=========================================  ================================================================
type                                       in JSON
=========================================  ================================================================
null, bool, integers, text                 unchanged; an integer with all its digits
floats                                     a number; ``"NaN"``, ``"Infinity"``, ``"-Infinity"``
decimal                                    its text
binary                                     base64
date                                       ``2024-02-29``; year and sign as in ISO 8601 outside of 0000 to 9999
time                                       ``12:00:00.000001``
timestamp                                  ``2024-02-29T12:00:00``, with a time zone in UTC: ``...+00:00``
duration                                   a whole number of the type's unit
interval                                   ``[months, days, nanoseconds]``
category, run ends                         their values
struct                                     an object
list                                       a list; a map is a list of ``[key, value]``
UUID, bool8                                their text; true and false
another extension type                     as the type in which it is stored
=========================================  ================================================================
"""

from __future__ import annotations

import base64
import datetime
import math
import uuid
from collections.abc import Callable
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

__all__ = ["DAY_S", "PER_SECOND", "child_types", "has_json", "json_values"]

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY_S = 86_400
# The Gregorian calendar repeats after 400 years.
CYCLE_DAYS, CYCLE_YEARS = 146_097, 400
EPOCH = datetime.date(1970, 1, 1)


def child_types(dtype: pa.DataType) -> list[pa.DataType]:
    """The types inside a type: of its categories, its storage, or its fields."""
    if types.is_dictionary(dtype):
        return [dtype.value_type]
    if isinstance(dtype, pa.BaseExtensionType):
        return [dtype.storage_type]
    return [dtype.field(i).type for i in range(dtype.num_fields)] if types.is_nested(dtype) else []


def has_json(dtype: pa.DataType) -> bool:
    """Whether columns of this type have a form in JSON: unions, and structs with a repeated name, have none."""
    if types.is_union(dtype):
        return False
    if types.is_struct(dtype) and len({field.name for field in dtype}) < dtype.num_fields:
        return False
    return all(map(has_json, child_types(dtype)))


def json_values(array: pa.Array) -> list[Any]:
    """The values of a column, in order; raises UnicodeDecodeError for text that is not UTF-8."""
    dtype = array.type
    if isinstance(dtype, pa.BaseExtensionType):
        return _extension(array)
    if types.is_dictionary(dtype):
        return json_values(array.dictionary_decode())
    if types.is_run_end_encoded(dtype):
        return json_values(pc.run_end_decode(array))
    if types.is_nested(dtype):
        return _nested(array)
    if types.is_temporal(dtype) and not types.is_interval(dtype):
        return _temporal(array)
    convert = _converter(dtype)
    values: list[Any] = array.to_pylist()
    return values if convert is None else [None if value is None else convert(value) for value in values]


def _converter(dtype: pa.DataType) -> Callable[[Any], Any] | None:
    if types.is_floating(dtype):
        return lambda value: value if math.isfinite(value) else _NOT_FINITE[str(value)]
    if types.is_decimal(dtype):
        return str
    if types.is_interval(dtype):
        return list
    binary = types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_binary_view(dtype)
    if binary or types.is_fixed_size_binary(dtype):
        return lambda value: base64.b64encode(value).decode("ascii")
    return None


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _extension(array: pa.ExtensionArray) -> list[Any]:
    if array.type.equals(pa.uuid()):
        return [None if raw is None else str(uuid.UUID(bytes=raw)) for raw in array.storage.to_pylist()]
    if array.type.equals(pa.bool8()):
        return array.cast(pa.bool_()).to_pylist()  # type: ignore[no-any-return]
    return json_values(array.storage)


def _nested(array: pa.Array) -> list[Any]:
    dtype = array.type
    if types.is_struct(dtype):
        names = [field.name for field in dtype]
        rows = zip(*map(json_values, array.flatten()), strict=True) if names else [()] * len(array)
        valid = array.is_valid().to_pylist()
        return [dict(zip(names, row, strict=True)) if ok else None for row, ok in zip(rows, valid, strict=True)]
    if types.is_map(dtype):
        pair = pa.struct([pa.field("key", dtype.key_type, nullable=False), pa.field("value", dtype.item_type)])
        lists = json_values(array.cast(pa.list_(pair)))
        return [None if row is None else [list(entry.values()) for entry in row] for row in lists]
    items = iter(json_values(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [None if length is None else list(islice(items, length)) for length in lengths]


def _temporal(array: pa.Array) -> list[Any]:
    dtype = array.type
    narrow = types.is_date32(dtype) or types.is_time32(dtype)
    numbers = array.cast(pa.int32() if narrow else pa.int64()).to_pylist()
    if types.is_duration(dtype):
        return numbers  # type: ignore[no-any-return]
    return [None if number is None else _text(number, dtype) for number in numbers]


def _text(number: int, dtype: pa.DataType) -> str:
    if types.is_date32(dtype):
        return _date(number)
    if types.is_date64(dtype):
        return _date(number // (DAY_S * 1000))
    if types.is_time(dtype):
        return _time(number, dtype.unit)
    days, rest = divmod(number, DAY_S * PER_SECOND[dtype.unit])
    return f"{_date(days)}T{_time(rest, dtype.unit)}" + ("+00:00" if dtype.tz else "")


def _date(days: int) -> str:
    cycles, rest = divmod(days, CYCLE_DAYS)
    day = EPOCH + datetime.timedelta(rest)
    year = day.year + cycles * CYCLE_YEARS
    return f"{year:04d}{day:-%m-%d}" if 0 <= year <= 9999 else f"{year:+05d}{day:-%m-%d}"


def _time(number: int, unit: str) -> str:
    seconds, fraction = divmod(number, PER_SECOND[unit])
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:0{len(str(PER_SECOND[unit])) - 1}d}" if fraction else text
