"""Whether two pieces of Arrow data hold the same values: exactly, or within a tolerance."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

__all__ = ["close_values", "count_rows", "same_table"]


def close_values(left: pa.RecordBatch, right: pa.RecordBatch, *, rtol: float, atol: float) -> bool:
    """Whether the columns agree: floats within ``atol + rtol * |right|`` (NaN equals NaN), all else exactly."""
    if left.schema.types != right.schema.types or left.num_rows != right.num_rows:
        return False
    pairs = zip(left.columns, right.columns, strict=True)
    return all(_close(a, b, rtol, atol) for a, b in pairs)


def _close(left: pa.Array, right: pa.Array, rtol: float, atol: float) -> bool:
    if isinstance(left, pa.ExtensionArray):
        return _close(left.storage, right.storage, rtol, atol)
    if pt.is_dictionary(left.type):
        return _close(left.dictionary_decode(), right.dictionary_decode(), rtol, atol)
    if pt.is_map(left.type):
        return _close(_entries(left), _entries(right), rtol, atol)
    if not pc.is_null(left).equals(pc.is_null(right)):
        return False
    if pt.is_struct(left.type):
        return all(_close(a, b, rtol, atol) for a, b in zip(left.flatten(), right.flatten(), strict=True))
    if _is_list(left.type):
        lengths = pc.list_value_length(left).equals(pc.list_value_length(right))
        return lengths and _close(left.flatten(), right.flatten(), rtol, atol)
    if pt.is_floating(left.type):
        return _close_floats(left.cast(pa.float64()), right.cast(pa.float64()), rtol, atol)
    return bool(left.equals(right))


def _close_floats(left: pa.Array, right: pa.Array, rtol: float, atol: float) -> bool:
    bound = pc.add(atol, pc.multiply(rtol, pc.abs(right)))
    # With an infinite value the bound would be infinite, and every value would be close.
    near = pc.and_(pc.is_finite(right), pc.less_equal(pc.abs(pc.subtract(left, right)), bound))
    nans = pc.and_(pc.is_nan(left), pc.is_nan(right))
    agreed = pc.or_(pc.or_(near, pc.equal(left, right)), nans)
    return pc.all(pc.fill_null(agreed, True), min_count=0).as_py() is True


def _is_list(dtype: pa.DataType) -> bool:
    return bool(pt.is_list(dtype) or pt.is_large_list(dtype) or pt.is_fixed_size_list(dtype))


def _entries(array: Any) -> Any:
    """A map as a list of structs."""
    return array.view(pa.list_(array.type.field(0)))


def count_rows(table: pa.Table) -> Counter[str]:
    """The rows as a multiset; two rows are the same if every value is, to the last bit."""
    columns = [_exact(chunked.combine_chunks()) for chunked in table.columns]
    rows = zip(*columns, strict=True) if columns else iter([()] * table.num_rows)
    return Counter(repr(row) for row in rows)


def same_table(left: pa.Table, right: pa.Table) -> bool:
    """Whether both hold the same multiset of rows, columns of the same types in the same order."""
    return left.schema.types == right.schema.types and count_rows(left) == count_rows(right)


def _exact(array: Any) -> list[Any]:
    # Times as integers, because Python's datetime has no nanoseconds; floats as bits, for NaN and minus zero.
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    dtype = array.type
    if pt.is_dictionary(dtype):
        return _exact(array.dictionary_decode())
    if pt.is_map(dtype):
        return _exact(_entries(array))
    if pt.is_timestamp(dtype) or pt.is_time(dtype) or pt.is_duration(dtype) or pt.is_date(dtype):
        return array.view(pa.int32() if dtype.bit_width == 32 else pa.int64()).to_pylist()  # type: ignore[no-any-return]
    if pt.is_floating(dtype):
        whole = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[dtype.bit_width]
        return array.view(whole).to_pylist()  # type: ignore[no-any-return]
    return _exact_nested(array) if pt.is_struct(dtype) or _is_list(dtype) else array.to_pylist()


def _exact_nested(array: Any) -> list[Any]:
    valid = array.is_valid().to_pylist()
    if pt.is_struct(array.type):
        parts = [_exact(part) for part in array.flatten()]
        return [tuple(part[i] for part in parts) if is_there else None for i, is_there in enumerate(valid)]
    items = iter(_exact(array.flatten()))
    lengths = pc.list_value_length(array).to_pylist()
    return [
        list(itertools.islice(items, length)) if is_there else None
        for length, is_there in zip(lengths, valid, strict=True)
    ]
