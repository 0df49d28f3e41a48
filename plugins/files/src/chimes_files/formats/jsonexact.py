"""JSON Lines read value by value, so that each number keeps its digits and each error names line and field.

This is the slow way. It is used for blocks that Arrow's parser would change or refuses, and it decides.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from chimes.errors import SchemaMismatchError

from chimes_files.formats.jsonblocks import Block
from chimes_files.guessing.forms import holds_numerals
from chimes_files.guessing.numerals import is_exact

__all__ = ["MisfitError", "Numeral", "json_text", "parse_rows", "read_exactly", "written_type"]

_INTEGER = re.compile("-?(?:0|[1-9][0-9]{0,18}|1[0-9]{19})")
_CONSTANTS = ("NaN", "Infinity", "-Infinity")
"""What Python and Arrow read as numbers, though JSON has no such numbers."""

_SHOWN = 40
_HINT = 'declare its type, for example "string", in `schema`, or correct the file'


class Numeral(str):
    """A JSON number as its digits."""

    __slots__ = ()


class MisfitError(ValueError):
    """A value that its field's type cannot hold; ``pointer`` is the JSON pointer from the column to the value."""

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.pointer = pointer

    def below(self, key: str | int) -> MisfitError:
        """The same misfit as the value that contains it sees it."""
        return MisfitError(self.reason, f"/{key}{self.pointer}")


def read_exactly(
    block: Block, schema: pa.Schema, declared: frozenset[str], columns: Collection[str]
) -> dict[str, pa.Array]:
    """Some columns of ``schema``, in the types that they are written in. Raises SchemaMismatchError."""
    fields = [(field, field.name in declared) for field in schema if field.name in columns]
    names, values = set(schema.names), {name: list[Any]() for name in columns}
    for number, row in parse_rows(block):
        for name in row.keys() - names:
            raise SchemaMismatchError(
                f"line {number} of {block.source.path} has a field {name!r}, which was not planned",
                hint="declare it with its type in `schema`, or raise `guess_bytes`",
            )
        for field, is_declared in fields:
            try:
                values[field.name].append(_value(row.get(field.name), field, is_declared))
            except MisfitError as misfit:
                pointer = f" ({misfit.pointer})" if misfit.pointer else ""
                raise SchemaMismatchError(
                    f"column {field.name!r}{pointer} of {block.source.path}, line {number}: {misfit.reason}", hint=_HINT
                ) from misfit
    return {field.name: pa.array(values[field.name], written_type(field.type)) for field, _ in fields}


def parse_rows(block: Block) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and object, in which numbers are Numerals. Raises SchemaMismatchError for invalid JSON."""
    for number, line in block.lines():
        try:
            row = json.loads(
                line.decode(),
                parse_int=Numeral,
                parse_float=Numeral,
                parse_constant=Numeral,
                object_pairs_hook=_object,
            )
            if b"\\u" in line:
                # Half of a surrogate pair can be escaped in JSON, but is not text.
                json.dumps(row, ensure_ascii=False).encode()
        except ValueError as error:
            reason = "a string has half of a surrogate pair" if isinstance(error, UnicodeEncodeError) else str(error)
            raise SchemaMismatchError(
                f"line {number} of {block.source.path} is not valid JSON: {reason}", hint="correct that line"
            ) from error
        yield number, row


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {twice!r} stands twice in one object")
    return members


def written_type(dtype: pa.DataType) -> pa.DataType:
    """The type that values of ``dtype`` have in the file: text for dates and timestamps, numbers for times.

    Arrow's parser would take a date for a number of days, and drop the offset of a timestamp.
    """
    if pt.is_date(dtype) or pt.is_timestamp(dtype):
        return pa.string()
    if pt.is_time(dtype) or pt.is_duration(dtype):
        return pa.int32() if dtype.bit_width == 32 else pa.int64()
    if pt.is_struct(dtype):
        return pa.struct([field.with_type(written_type(field.type)) for field in dtype.fields])
    if pt.is_list(dtype):
        return pa.list_(dtype.value_field.with_type(written_type(dtype.value_type)))
    return dtype


def _value(node: Any, field: pa.Field, is_declared: bool) -> Any:
    dtype = written_type(field.type)
    match node:
        case None:
            return None
        case Numeral():
            return _number(node, field, dtype, is_declared)
        case bool() if pt.is_boolean(dtype):
            return node
        case str() if _is_text(dtype) and not holds_numerals(field):
            return node
        case _ if _is_text(dtype) and is_declared:
            return json_text(node)
        case str() if pt.is_decimal(dtype):
            return _decimal(node, dtype)
        case list() if pt.is_list(dtype):
            return [_inside(index, item, field.type.value_field, is_declared) for index, item in enumerate(node)]
        case dict() if pt.is_struct(dtype):
            return _members(node, field.type, is_declared)
    raise MisfitError(f"{_shown(node)} is not of type {field.type}")


def _inside(key: str | int, node: Any, field: pa.Field, is_declared: bool) -> Any:
    try:
        return _value(node, field, is_declared)
    except MisfitError as misfit:
        raise misfit.below(key) from None


def _members(node: dict[str, Any], dtype: pa.StructType, is_declared: bool) -> dict[str, Any]:
    fields = {field.name: field for field in dtype.fields}
    for name in node.keys() - fields.keys():
        raise MisfitError("the field was not planned", f"/{name}")
    return {name: _inside(name, node.get(name), field, is_declared) for name, field in fields.items()}


def _number(node: Numeral, field: pa.Field, dtype: pa.DataType, is_declared: bool) -> Any:
    if _is_text(dtype) and (is_declared or holds_numerals(field)):
        return json_text(node)
    if pt.is_decimal(dtype):
        return _decimal(node, dtype)
    if pt.is_integer(dtype) and _INTEGER.fullmatch(node) and (is_declared or node != "-0"):
        low = 0 if pt.is_unsigned_integer(dtype) else -(2 ** (dtype.bit_width - 1))
        if low <= int(node) < low + 2**dtype.bit_width:
            return int(node)
    if pt.is_floating(dtype) and (node in _CONSTANTS or math.isfinite(float(node))):
        if is_declared or is_exact(node):
            return float(node)
        raise MisfitError(
            f"{_shown(node)} has more digits than {dtype} holds; that type was guessed from the first rows"
        )
    raise MisfitError(f"{_shown(node)} is not of type {field.type}")


def _decimal(text: str, dtype: pa.DataType) -> Decimal:
    try:
        number = Decimal(text)
        pa.scalar(number, dtype)
    except (ArithmeticError, pa.ArrowInvalid) as error:
        raise MisfitError(f"{_shown(text)} is not of type {dtype}") from error
    return number


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pt.is_string(dtype) or pt.is_large_string(dtype) or pt.is_binary(dtype) or pt.is_large_binary(dtype))


def json_text(node: Any) -> str:
    """JSON in which every number has the digits that it was read with."""
    match node:
        case Numeral():
            return str(node)
        case dict():
            return f"{{{', '.join(f'{json_text(name)}: {json_text(value)}' for name, value in node.items())}}}"
        case list():
            return f"[{', '.join(map(json_text, node))}]"
    return json.dumps(node, ensure_ascii=False)


def _shown(node: Any) -> str:
    text = json_text(node)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
