"""The literals of filters in the Arrow type of their column, or a refusal that names both."""

from __future__ import annotations

import math
from decimal import Decimal

import pyarrow as pa
import pyarrow.types as pt

from chimes.errors import SchemaMismatchError

__all__ = ["to_scalar"]

_MIDNIGHT = "1970-01-01T"


def to_scalar(value: bool | int | float | str, field: pa.Field) -> pa.Scalar:
    """``value`` in the type of ``field`` (the value type of a dictionary).

    Text is read in the column's type. Nothing is rounded, cut or reinterpreted, but a decimal fraction takes
    the nearest value of a float column. Raises SchemaMismatchError naming value and column.
    """
    dtype = field.type.value_type if pt.is_dictionary(field.type) else field.type
    try:
        return _convert(value, dtype)
    except (pa.ArrowException, ArithmeticError, ValueError, TypeError) as error:
        raise SchemaMismatchError(
            f"{value!r} cannot be compared with column {field.name!r} of type {field.type}",
            hint=f"write the literal in the column's own type{_form(dtype)}",
        ) from error


def _convert(value: bool | int | float | str, dtype: pa.DataType) -> pa.Scalar:
    match value:
        case bool():
            if not pt.is_boolean(dtype):
                raise TypeError(value)
            return pa.scalar(value)
        case str():
            return _parse(value, dtype)
        case int() | float():
            return _number(value, dtype)


def _number(value: int | float, dtype: pa.DataType) -> pa.Scalar:
    if pt.is_floating(dtype):
        scalar = pa.scalar(value, dtype)
        if math.isfinite(value) and not math.isfinite(scalar.as_py()):
            raise OverflowError(value)
        return scalar
    if pt.is_decimal(dtype):
        return pa.scalar(Decimal(repr(value)), dtype)
    if not (pt.is_integer(dtype) or pt.is_temporal(dtype)) or value != int(value):
        raise TypeError(value)
    return pa.scalar(int(value), dtype)


def _parse(text: str, dtype: pa.DataType) -> pa.Scalar:
    if pt.is_floating(dtype):
        return _number(pa.scalar(text).cast(pa.float64()).as_py(), dtype)
    if pt.is_decimal(dtype):
        return pa.scalar(Decimal(text), dtype)
    if pt.is_time(dtype):
        return pa.scalar(_MIDNIGHT + text).cast(pa.timestamp(dtype.unit)).cast(dtype)
    return pa.scalar(text).cast(dtype)


def _form(dtype: pa.DataType) -> str:
    if pt.is_timestamp(dtype):
        return ", as 2026-01-31T12:00:00" + ("Z or with another offset" if dtype.tz else " without an offset")
    if pt.is_date(dtype):
        return ", as 2026-01-31"
    if pt.is_time(dtype):
        return ", as 12:00:00"
    if pt.is_duration(dtype):
        return f", as a whole number of {dtype.unit}"
    return ""
