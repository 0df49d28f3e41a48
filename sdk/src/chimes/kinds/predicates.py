"""Row filters as a small closed JSON tree, and their meaning as Arrow expressions.

Comparison with null is null, as in SQL; a row passes only where the whole filter is true. NaN is not
null: it equals nothing, differs from everything, and is neither less nor greater. Minus zero equals zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.types as pt
from pydantic import BeforeValidator, Field

from chimes.errors import NotFoundError, SchemaMismatchError
from chimes.kinds.component import Value
from chimes.kinds.literals import to_scalar

__all__ = [
    "All",
    "Any",
    "Compare",
    "In",
    "IsNull",
    "Not",
    "Predicate",
    "StartsWith",
    "columns_of",
    "filter_batch",
    "select_rows",
    "to_expression",
]


def _json_safe(value: object) -> object:
    # JSON has no NaN and no infinity; their names mean the same when compared with a float column.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


LiteralValue = Annotated[bool | int | float | str, BeforeValidator(_json_safe)]
"""A literal takes the Arrow type of the column it is compared with: dates and times are written as ISO
text, decimals as text or numbers, durations as a count of the column's unit, bytes as their UTF-8 text."""


class Compare(Value):
    """``column <op> value``; op is one of eq, ne, lt, le, gt, ge."""

    op: Literal["eq", "ne", "lt", "le", "gt", "ge"]
    column: str
    value: LiteralValue


class In(Value):
    """``column`` is one of ``values``."""

    op: Literal["in"] = "in"
    column: str
    values: tuple[LiteralValue, ...]


class IsNull(Value):
    """``column`` is null."""

    op: Literal["is_null"] = "is_null"
    column: str


class StartsWith(Value):
    """The text of ``column`` begins with ``prefix``, letter case included."""

    op: Literal["starts_with"] = "starts_with"
    column: str
    prefix: str


class Not(Value):
    """True where ``arg`` is false; null stays null."""

    op: Literal["not"] = "not"
    arg: Predicate


class All(Value):
    """True where every one of ``args`` is (op ``and``)."""

    op: Literal["and"] = "and"
    args: tuple[Predicate, ...] = Field(min_length=1)


class Any(Value):
    """True where at least one of ``args`` is (op ``or``)."""

    op: Literal["or"] = "or"
    args: tuple[Predicate, ...] = Field(min_length=1)


Predicate = Annotated[Compare | In | IsNull | StartsWith | Not | All | Any, Field(discriminator="op")]

for _tree in (Not, All, Any):
    _tree.model_rebuild()

_COMPARE = {
    "eq": pc.equal,
    "ne": pc.not_equal,
    "lt": pc.less,
    "le": pc.less_equal,
    "gt": pc.greater,
    "ge": pc.greater_equal,
}
_UNKNOWN = pa.scalar(None, pa.bool_())
Join = Callable[[pc.Expression, pc.Expression], pc.Expression]


def columns_of(predicate: Predicate) -> frozenset[str]:
    """The names of the columns in ``predicate``."""
    match predicate:
        case Compare() | In() | IsNull() | StartsWith():
            return frozenset({predicate.column})
        case Not():
            return columns_of(predicate.arg)
        case All() | Any():
            return frozenset().union(*map(columns_of, predicate.args))


def to_expression(predicate: Predicate, schema: pa.Schema) -> pc.Expression:
    """The Arrow expression with the same meaning over ``schema``.

    Do not skip parts of a file by their statistics for a filter on a float column: least and greatest value do
    not count NaN, and rows would be lost. Raises NotFoundError for an unknown column, SchemaMismatchError for a
    column whose type has no order or text, and for a literal that its column's type cannot hold.
    """
    match predicate:
        case Compare() | In() | StartsWith():
            return _test(predicate, _field(predicate.column, schema))
        case IsNull():
            return pc.is_null(pc.field(_field(predicate.column, schema).name))
        case Not():
            return pc.invert(to_expression(predicate.arg, schema))
        case All():
            return _fold(pc.and_kleene, predicate.args, schema)
        case Any():
            return _fold(pc.or_kleene, predicate.args, schema)


def filter_batch(batch: pa.RecordBatch, predicate: Predicate | pc.Expression) -> pa.RecordBatch:
    """The rows of ``batch`` for which ``predicate`` is true, in order. Raises as ``to_expression`` does."""
    expression = predicate if isinstance(predicate, pc.Expression) else to_expression(predicate, batch.schema)
    try:
        return batch.filter(expression)
    except NotImplementedError:
        return select_rows(batch, _evaluate(batch, expression))


def select_rows(batch: pa.RecordBatch, mask: pa.BooleanArray) -> pa.RecordBatch:
    """The rows of ``batch`` for which ``mask`` is true, also beside types whose rows Arrow cannot pick: as slices."""
    try:
        return batch.filter(mask)
    except NotImplementedError:
        return _slices(batch, pc.indices_nonzero(mask).to_pylist())


def _evaluate(batch: pa.RecordBatch, expression: pc.Expression) -> pa.BooleanArray:
    # Arrow cannot scan some types; a filter can only test whether such a column is null.
    columns = [
        column if _plain(column.type) else pc.if_else(pc.is_null(column), None, pa.scalar(True)) for column in batch
    ]
    scanned = ds.InMemoryDataset(pa.RecordBatch.from_arrays(columns, names=batch.schema.names))
    return scanned.to_table(columns={"keep": expression}).column("keep").combine_chunks()


def _slices(batch: pa.RecordBatch, rows: list[int]) -> pa.RecordBatch:
    ends = [i for i in range(len(rows)) if i + 1 == len(rows) or rows[i + 1] != rows[i] + 1]
    starts = [0, *(end + 1 for end in ends[:-1])]
    runs = [batch.slice(rows[a], rows[b] - rows[a] + 1) for a, b in zip(starts, ends, strict=False)]
    return pa.concat_batches(runs) if runs else batch.slice(0, 0)


def _fold(join: Join, args: tuple[Predicate, ...], schema: pa.Schema) -> pc.Expression:
    first, *rest = (to_expression(arg, schema) for arg in args)
    for other in rest:
        first = join(first, other)
    return first


def _test(predicate: Compare | In | StartsWith, field: pa.Field) -> pc.Expression:
    if pt.is_null(field.type):
        return pc.scalar(_UNKNOWN)
    operand, plain = _operand(field)
    match predicate:
        case Compare():
            return _COMPARE[predicate.op](operand, to_scalar(predicate.value, field).cast(plain))
        case In():
            return _is_in(operand, plain, [to_scalar(value, field).cast(plain) for value in predicate.values])
        case StartsWith():
            texts = (pt.is_string, pt.is_large_string, pt.is_binary, pt.is_large_binary)
            if not any(is_text(plain) for is_text in texts):
                raise SchemaMismatchError(
                    f"starts_with needs text, and column {field.name!r} of type {field.type} is not text",
                    hint="compare it with eq, lt or the like",
                )
            return pc.starts_with(operand, pattern=predicate.prefix)


def _is_in(operand: pc.Expression, plain: pa.DataType, members: list[pa.Scalar]) -> pc.Expression:
    if pt.is_floating(plain):
        # Unlike equality, is_in finds NaN in a set and distinguishes 0.0 from -0.0.
        members = [member for member in members if not math.isnan(member.as_py())]
        members += [pa.scalar(sign, plain) for sign in (0.0, -0.0) if any(m.as_py() == 0 for m in members)]
    found = pc.is_in(operand, value_set=pa.array(members, type=plain))
    return pc.if_else(pc.is_valid(operand), found, _UNKNOWN)


def _field(name: str, schema: pa.Schema) -> pa.Field:
    if name not in schema.names:
        raise NotFoundError(f"there is no column {name!r}", hint=f"columns: {', '.join(schema.names)}")
    return schema.field(name)


def _operand(field: pa.Field) -> tuple[pc.Expression, pa.DataType]:
    """The column as a type that Arrow's kernels compare, with that type."""
    column, plain = pc.field(field.name), _plain(field.type)
    if plain is None:
        raise SchemaMismatchError(
            f"column {field.name!r} of type {field.type} cannot be compared",
            hint="only is_null can be used with such a column",
        )
    return (column if plain == field.type else column.cast(plain)), plain


def _plain(dtype: pa.DataType) -> pa.DataType | None:
    if pt.is_dictionary(dtype):
        return _plain(dtype.value_type)
    if pt.is_float16(dtype):
        return pa.float32()
    if pt.is_decimal32(dtype) or pt.is_decimal64(dtype):
        return pa.decimal128(dtype.precision, dtype.scale)
    if pt.is_string_view(dtype) or pt.is_binary_view(dtype):
        return pa.string() if pt.is_string_view(dtype) else pa.binary()
    primitive = pt.is_primitive(dtype) and not pt.is_interval(dtype)
    textual = pt.is_string(dtype) or pt.is_large_string(dtype) or pt.is_binary(dtype) or pt.is_large_binary(dtype)
    return dtype if primitive or textual or pt.is_fixed_size_binary(dtype) or pt.is_decimal(dtype) else None
