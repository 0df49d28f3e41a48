"""Arrow types written in a configuration: the name that Arrow prints, or a JSON object for nested ones.

``"int64"``, ``"timestamp[us, tz=UTC]"``, ``"decimal128(10, 2)"``, ``"fixed_size_binary[16]"``,
``{"list": T}``, ``{"struct": {"name": T}}`` and ``{"dictionary": T}`` (indices of int32).
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.types as pt
from pydantic import JsonValue

__all__ = ["parse_type", "type_spec"]

_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns), tz=([^\]]+)\]")
_DECIMAL = re.compile(r"decimal(32|64|128|256)\(([0-9]+), ?(-?[0-9]+)\)")
_FIXED = re.compile(r"fixed_size_binary\[([0-9]+)\]")
_DECIMALS = {"32": pa.decimal32, "64": pa.decimal64, "128": pa.decimal128, "256": pa.decimal256}
_EXAMPLES = 'for example "string", "int64", "timestamp[us, tz=UTC]", "decimal128(10, 2)" or {"list": "int64"}'


def parse_type(spec: JsonValue) -> pa.DataType:
    """The Arrow type that ``spec`` names. Raises ValueError with the part that is not a type."""
    match spec:
        case str():
            return _named(spec)
        case {"list": inner, **rest} if not rest:
            return pa.list_(parse_type(inner))
        case {"struct": dict() as fields, **rest} if not rest:
            return pa.struct([pa.field(name, parse_type(inner)) for name, inner in fields.items()])
        case {"dictionary": inner, **rest} if not rest:
            return pa.dictionary(pa.int32(), parse_type(inner))
    raise ValueError(f"{spec!r} is not an Arrow type; write {_EXAMPLES}")


def _named(name: str) -> pa.DataType:
    try:
        if match := _TIMESTAMP.fullmatch(name):
            pa.lib.string_to_tzinfo(match[2])
            return pa.timestamp(match[1], match[2])
        if match := _DECIMAL.fullmatch(name):
            return _DECIMALS[match[1]](int(match[2]), int(match[3]))
        if match := _FIXED.fullmatch(name):
            return pa.binary(int(match[1]))
        return pa.type_for_alias(name)
    except (ValueError, OverflowError, LookupError) as error:
        raise ValueError(f"{name!r} is not the name of an Arrow type; write {_EXAMPLES}") from error


def type_spec(dtype: pa.DataType) -> JsonValue:
    """The spelling that ``parse_type`` reads as ``dtype``. Raises ValueError where a type has none."""
    spec: JsonValue = str(dtype)
    if pt.is_list(dtype):
        spec = {"list": type_spec(dtype.value_type)}
    elif pt.is_struct(dtype):
        spec = {"struct": {field.name: type_spec(field.type) for field in dtype.fields}}
    elif pt.is_dictionary(dtype):
        spec = {"dictionary": type_spec(dtype.value_type)}
    if parse_type(spec) != dtype:
        raise ValueError(f"{dtype} cannot be written in a configuration")
    return spec
