"""Timestamps in the legacy type INT96 of Parquet: a day and its nanoseconds, for more years than 64 bits can hold.

Arrow reads them in one unit and changes what does not fit without an error: nanoseconds hold the years 1677 to 2262,
microseconds drop three digits. So the values are read in both units and compared.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt
from chimes.errors import SchemaMismatchError

__all__ = ["check_int96", "has_int96"]

_LARGEST_US = (2**63 - 1) // 1000
_REASONS = {
    "us": ("has digits after the microsecond", "ns"),
    "ns": ("is outside of the years 1677 to 2262, which nanoseconds can hold", "us"),
}


def has_int96(file: pq.ParquetFile) -> bool:
    """Whether a column of the file, nested ones included, has the type INT96."""
    columns = (file.schema.column(number) for number in range(len(file.schema)))
    return any(column.physical_type == "INT96" for column in columns)


def check_int96(
    path: str, files: tuple[pq.ParquetFile, pq.ParquetFile], group: int, batch_rows: int, wanted: Collection[str]
) -> None:
    """Raise SchemaMismatchError where a wanted value of a row group does not fit the unit of the first of ``files``.

    Both are the same file, opened in different units.
    """
    pairs = zip(*(file.schema_arrow for file in files), strict=True)
    columns = [field.name for field, other in pairs if field.type != other.type and field.name in wanted]
    if not columns:
        return
    batches = [file.iter_batches(batch_size=batch_rows, row_groups=[group], columns=columns) for file in files]
    for batch, in_other in zip(*batches, strict=True):
        for name in columns:
            _check(path, name, batch.column(name), in_other.column(name))


def _check(path: str, name: str, array: pa.Array, other: pa.Array) -> None:
    if pt.is_nested(array.type):
        for child, in_other in zip(_children(array), _children(other), strict=True):
            _check(path, name, child, in_other)
    elif array.type != other.type:
        in_us, in_ns = (array, other) if array.type.unit == "us" else (other, array)
        us, ns = in_us.cast(pa.int64()), in_ns.cast(pa.int64())
        fits_ns = pc.and_(pc.less_equal(us, _LARGEST_US), pc.greater_equal(us, -_LARGEST_US))
        if array.type.unit == "ns":
            is_changed = pc.invert(fits_ns)
        else:
            is_changed = pc.and_(fits_ns, pc.not_equal(pc.multiply(pc.divide(ns, 1000), 1000), ns))
        if pc.any(is_changed).as_py():
            value = (us if array.type.unit == "ns" else ns).filter(is_changed)[0].as_py()
            reason, unit = _REASONS[array.type.unit]
            raise SchemaMismatchError(
                f"column {name!r} of {path}: an INT96 timestamp ({value} {unit} since 1970) {reason}",
                hint=f"set `int96` to {unit!r}",
            )


def _children(array: pa.Array) -> list[pa.Array]:
    flat = array.flatten()
    return flat if isinstance(flat, list) else [flat]
