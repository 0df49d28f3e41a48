"""Whether values of one Arrow type can be used where another is expected, without loss and without failing.

The table of what widens:

==================================  =====================================================
from                                to
==================================  =====================================================
intN, uintN                         a wider integer that holds every value
int8, uint8                         float16
int8, int16, uint8, uint16          float32
(u)int8, (u)int16, (u)int32         float64
float16, float32                    a wider float
string, binary                      large_string, large_binary
fixed_size_binary                   binary, large_binary
decimal(p, s)                       decimal(p', s') with as many digits before and after the point
date32                              date64
time32, time64                      a finer unit
timestamp, duration                 a finer unit of the same time zone, but not ns: it has no years after 2262
dictionary of T                     whatever T is assignable to
extension type stored as T          whatever T is assignable to
list of T, fixed-size list of T     list or large_list of what T is assignable to; the same fixed size
struct                              the same names in the same order, each assignable
null                                any nullable type
non-null                            nullable
==================================  =====================================================

All else, a date as a timestamp or a nullable column as one without nulls for instance, needs a cast
in the pipeline.
"""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
from pyarrow import types

from chimes.errors import ConfigError

__all__ = ["Fit", "fit_field", "fit_type", "name_type", "parse_type"]

Fit = Literal["exact", "widening", "incompatible"]
_ORDER: tuple[Fit, ...] = ("exact", "widening", "incompatible")

# The most bits of an integer that a float of this width represents exactly.
_MANTISSA = {16: 11, 32: 24, 64: 53}
_UNITS = ("s", "ms", "us", "ns")
_NAMES = ["bool", "string", "large_string", "binary", "large_binary", "date32", "date64"]
_NAMES += [f"float{bits}" for bits in (16, 32, 64)]
_NAMES += [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
_NAMES += [f"{stem}[{unit}]" for stem in ("timestamp", "duration") for unit in _UNITS]
_NAMES += ["time32[s]", "time32[ms]", "time64[us]", "time64[ns]"]
_BY_TEXT = {str(pa.type_for_alias(name)): name for name in _NAMES}


def parse_type(name: str) -> pa.DataType:
    """The Arrow type of a name like ``float32`` or ``timestamp[us]``; raises ConfigError."""
    try:
        return pa.type_for_alias(name)
    except ValueError as error:
        raise ConfigError(
            f"cast {name!r} does not name an Arrow type",
            hint="write a name such as float32, int64, string or timestamp[us], or true for the input's own type",
        ) from error


def name_type(dtype: pa.DataType) -> str:
    """The name by which ``parse_type`` finds a type again where it has one, else Arrow's own text."""
    # Looked up by text, because an extension type may not be hashable.
    return _BY_TEXT.get(str(dtype), str(dtype))


def fit_field(source: pa.Field, target: pa.Field) -> Fit:
    """How a column fits where another is expected, nulls included; names are not compared."""
    if source.nullable and not target.nullable:
        return "incompatible"
    fit = fit_type(source.type, target.type)
    return _worst(fit, "exact" if source.nullable == target.nullable else "widening")


def fit_type(source: pa.DataType, target: pa.DataType) -> Fit:
    """How values of ``source`` fit where ``target`` is expected: by the table of this module."""
    if source.equals(target):
        return "exact"
    if types.is_dictionary(source):
        return _worst("widening", fit_type(source.value_type, target))
    if isinstance(source, pa.BaseExtensionType):
        return _worst("widening", fit_type(source.storage_type, target))
    if types.is_nested(source) and not types.is_map(source):
        return _fit_nested(source, target)
    return "widening" if _widens(source, target) else "incompatible"


def _worst(*fits: Fit) -> Fit:
    return max(fits, key=_ORDER.index)


def _fit_nested(source: pa.DataType, target: pa.DataType) -> Fit:
    if types.is_struct(source) and types.is_struct(target):
        if [field.name for field in source] != [field.name for field in target]:
            return "incompatible"
        return _worst("exact", *(fit_field(a, b) for a, b in zip(source, target, strict=True)))
    if types.is_fixed_size_list(source) and types.is_fixed_size_list(target) and source.list_size != target.list_size:
        return "incompatible"
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    shape_a, shape_b = (next((i for i, is_it in enumerate(lists) if is_it(t)), None) for t in (source, target))
    if (
        shape_a is None
        or shape_b is None
        or (shape_b != shape_a and (shape_a, shape_b) not in {(0, 1), (2, 0), (2, 1)})
    ):
        return "incompatible"
    return _worst("exact" if shape_a == shape_b else "widening", fit_field(source.value_field, target.value_field))


def _widens(source: pa.DataType, target: pa.DataType) -> bool:
    if types.is_null(source):
        return True
    if types.is_integer(source):
        return _integer_widens(source, target)
    if types.is_floating(source):
        return bool(types.is_floating(target) and target.bit_width > source.bit_width)
    if types.is_decimal(source):
        return _decimal_widens(source, target)
    if types.is_temporal(source):
        return _temporal_widens(source, target)
    if types.is_string(source):
        return bool(types.is_large_string(target))
    if types.is_fixed_size_binary(source):
        return bool(types.is_binary(target) or types.is_large_binary(target))
    return bool(types.is_binary(source) and types.is_large_binary(target))


def _integer_widens(source: pa.DataType, target: pa.DataType) -> bool:
    signed = types.is_signed_integer(source)
    if types.is_integer(target):
        same_sign = signed == types.is_signed_integer(target)
        return bool(target.bit_width > source.bit_width and (same_sign or not signed))
    return bool(types.is_floating(target) and source.bit_width - signed <= _MANTISSA[target.bit_width])


def _decimal_widens(source: pa.DataType, target: pa.DataType) -> bool:
    if not types.is_decimal(target):
        return False
    whole = (source.precision - source.scale, target.precision - target.scale)
    return bool(target.scale >= source.scale and whole[1] >= whole[0])


def _temporal_widens(source: pa.DataType, target: pa.DataType) -> bool:
    if types.is_date(source):
        return bool(types.is_date32(source) and types.is_date64(target))
    if types.is_interval(source):
        return False
    is_kind = next(test for test in (types.is_timestamp, types.is_duration, types.is_time) if test(source))
    if not is_kind(target) or _UNITS.index(target.unit) < _UNITS.index(source.unit):
        return False
    if types.is_time(source):
        return True
    return getattr(source, "tz", None) == getattr(target, "tz", None) and target.unit != "ns"
