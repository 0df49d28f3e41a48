"""Random Arrow data for a schema, all randomness from a given generator."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from chimes.errors import UnsupportedError

__all__ = ["MOST_VALUES", "random_array", "random_batch", "values_per_row"]

ALPHABET = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,;'\"\\/編鐘武汉🔔é"
DAY_S = 86_400
MOST_VALUES = 2_000_000
BYTES_PER_VALUE = 64


def random_batch(schema: pa.Schema, rows: int, rng: random.Random) -> pa.RecordBatch:
    """``rows`` rows of ``schema``; nulls only in nullable fields.

    Raises UnsupportedError for an unsupported type, and for more than ten times ``MOST_VALUES`` values.
    """
    if rows * values_per_row(schema) > 10 * MOST_VALUES:
        raise UnsupportedError(
            f"{rows} random rows of this schema are too large", hint="give the harness an inputs method", fault="plugin"
        )
    try:
        arrays = [random_array(field.type, rows, rng, nullable=field.nullable) for field in schema]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise UnsupportedError(
            f"the suite cannot make random rows of this schema: {error}",
            hint="give the harness an inputs method",
            fault="plugin",
        ) from error


def values_per_row(schema: pa.Schema) -> int:
    """About how many values a random row has, at least one; large binary values count as several."""
    return max(1, sum(_values(field.type) for field in schema))


def _values(dtype: pa.DataType) -> int:
    if isinstance(dtype, pa.ExtensionType):
        return _values(dtype.storage_type)
    if pt.is_dictionary(dtype):
        return _values(dtype.value_type)
    if pt.is_fixed_size_binary(dtype) and not pt.is_decimal(dtype):
        return 1 + int(dtype.byte_width) // BYTES_PER_VALUE
    if pt.is_fixed_size_list(dtype):
        return 1 + int(dtype.list_size) * _values(dtype.value_type)
    if pt.is_nested(dtype):
        # Lists have up to five items.
        factor = 1 if pt.is_struct(dtype) else 5
        return 1 + factor * sum(_values(dtype.field(i).type) for i in range(dtype.num_fields))
    return 1


def random_array(dtype: pa.DataType, rows: int, rng: random.Random, *, nullable: bool) -> pa.Array:
    """``rows`` values of ``dtype``; about one in eight is null where that is allowed."""
    if isinstance(dtype, pa.FixedShapeTensorType):
        storage = random_array(dtype.storage_type, rows, rng, nullable=nullable)
        return pa.ExtensionArray.from_storage(dtype, storage)
    if pt.is_dictionary(dtype):
        return random_array(dtype.value_type, rows, rng, nullable=nullable).dictionary_encode().cast(dtype)
    if _is_counted(dtype):
        counts = [_maybe(lambda: _count(dtype, rng), rng, nullable) for _ in range(rows)]
        return pa.array(counts, type=_integer(dtype)).cast(dtype)
    values = [_maybe(lambda: _value(dtype, rng), rng, nullable) for _ in range(rows)]
    required = _required(dtype)[: rows // 2]
    for place, value in zip(rng.sample(range(rows), len(required)), required, strict=True):
        values[place] = value
    return pa.array(values, type=dtype)


def _required(dtype: pa.DataType) -> tuple[Any, ...]:
    """Values that every column must contain, because they show whether text is stripped, folded, escaped or cut."""
    if pt.is_string(dtype) or pt.is_large_string(dtype) or pt.is_string_view(dtype):
        return (" padded ", "", "Aa", "编鐘🔔é", "a,'b\"\\", "long text " * 30)
    if pt.is_binary(dtype) or pt.is_large_binary(dtype) or pt.is_binary_view(dtype):
        return (b" padded ", b"", b"\x00\xff")
    return ()


def _maybe(make: Any, rng: random.Random, nullable: bool) -> Any:
    return None if nullable and rng.random() < 0.125 else make()


def _is_counted(dtype: pa.DataType) -> bool:
    return bool(pt.is_timestamp(dtype) or pt.is_time(dtype) or pt.is_duration(dtype) or pt.is_date(dtype))


def _integer(dtype: pa.DataType) -> pa.DataType:
    return pa.int32() if dtype.bit_width == 32 else pa.int64()


def _count(dtype: pa.DataType, rng: random.Random) -> int:
    # Units since the epoch or midnight, as integers: Python's own types have no nanoseconds.
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
    if pt.is_date32(dtype):
        return rng.randrange(-20_000, 40_000)
    if pt.is_date64(dtype):
        return rng.randrange(-20_000, 40_000) * DAY_S * 1000
    if pt.is_time(dtype):
        return rng.randrange(DAY_S * per_second[dtype.unit])
    return rng.randrange(-(10**9), 4 * 10**9) * per_second[dtype.unit] + rng.randrange(per_second[dtype.unit])


def _value(dtype: pa.DataType, rng: random.Random) -> Any:
    if pt.is_boolean(dtype):
        return rng.random() < 0.5
    if pt.is_integer(dtype):
        return _whole(dtype, rng)
    if pt.is_floating(dtype):
        return _real(dtype, rng)
    if pt.is_decimal(dtype):
        digits = rng.randrange(10 ** min(dtype.precision, 30)) * rng.choice((-1, 1))
        return Decimal(digits).scaleb(-dtype.scale)
    if pt.is_string(dtype) or pt.is_large_string(dtype) or pt.is_string_view(dtype):
        return "".join(rng.choices(ALPHABET, k=rng.randrange(0, 24)))
    if pt.is_fixed_size_binary(dtype):
        return rng.randbytes(dtype.byte_width)
    if pt.is_binary(dtype) or pt.is_large_binary(dtype) or pt.is_binary_view(dtype):
        return rng.randbytes(rng.randrange(0, 24))
    return _nested(dtype, rng)


def _nested(dtype: pa.DataType, rng: random.Random) -> Any:
    if pt.is_fixed_size_list(dtype):
        return [_inner(dtype.value_field, rng) for _ in range(dtype.list_size)]
    if pt.is_list(dtype) or pt.is_large_list(dtype):
        return [_inner(dtype.value_field, rng) for _ in range(rng.randrange(0, 6))]
    if pt.is_struct(dtype):
        return {dtype.field(i).name: _inner(dtype.field(i), rng) for i in range(dtype.num_fields)}
    if pt.is_map(dtype):
        return [(_inner(dtype.key_field, rng), _inner(dtype.item_field, rng)) for _ in range(rng.randrange(0, 4))]
    if pt.is_null(dtype):
        return None
    raise UnsupportedError(
        f"the suite cannot make random values of type {dtype}", hint="give the harness an inputs method", fault="plugin"
    )


def _inner(field: pa.Field, rng: random.Random) -> Any:
    if _is_counted(field.type):
        scalar = pa.scalar(_count(field.type, rng) // 1000 * 1000, _integer(field.type)).cast(field.type)
        value = scalar.as_py()
        return value + timedelta(0) if isinstance(value, timedelta) else value
    return _maybe(lambda: _value(field.type, rng), rng, field.nullable)


def _whole(dtype: pa.DataType, rng: random.Random) -> int:
    low = 0 if pt.is_unsigned_integer(dtype) else -(1 << (dtype.bit_width - 1))
    high = (1 << (dtype.bit_width - (0 if low == 0 else 1))) - 1
    wide = rng.randint(low, high)
    return rng.choice((wide, rng.randint(max(low, -100), min(high, 100))))


def _real(dtype: pa.DataType, rng: random.Random) -> float:
    value = rng.uniform(-100, 100)
    scalar = pa.scalar(value, pa.float64()).cast(dtype, safe=False)
    return float(scalar.as_py())
