"""Converts a column to another Arrow type, without a change of any value except the rounding of floats."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from chimes.kinds.schema import one_row

__all__ = ["cast_array", "is_castable"]


def cast_array(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    """``array`` as ``dtype``; categories, run ends and extension types are replaced by their values first.

    Raises ArrowInvalid for a value that ``dtype`` cannot hold, ArrowNotImplementedError where Arrow has no cast.
    """
    while not array.type.equals(dtype):
        if types.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif types.is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)
        elif isinstance(array.type, pa.BaseExtensionType) and not isinstance(dtype, pa.BaseExtensionType):
            array = array.storage
        else:
            return _cast(array, dtype)
    return array


def _cast(array: pa.Array, dtype: pa.DataType) -> pa.Array:
    try:
        cast = array.cast(dtype)
        # Arrow 26 returns invalid arrays for some views.
        cast.validate()
    except pa.ArrowNotImplementedError:
        if not types.is_null(array.type):
            raise
        return pa.nulls(len(array), dtype)
    except (pa.ArrowTypeError, pa.ArrowKeyError) as error:
        raise pa.ArrowNotImplementedError(str(error)) from error
    if types.is_floating(dtype) and types.is_floating(array.type):
        grown = pc.and_(pc.is_inf(cast), pc.is_finite(array))
        if pc.any(grown).as_py():
            raise pa.ArrowInvalid(f"{array.filter(grown)[0].as_py()!r} is too large")
    return cast


def is_castable(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether Arrow has a cast between the types; single values may still fail."""
    try:
        cast_array(pa.nulls(0, source), target)
        cast_array(one_row(source), target)
    except NotImplementedError:
        return False
    except pa.ArrowInvalid:
        # The lists in one_row have one element, and a target of fixed size needs lists of its own size.
        storage = target.storage_type if isinstance(target, pa.BaseExtensionType) else target
        return bool(types.is_fixed_size_list(storage))
    return True
