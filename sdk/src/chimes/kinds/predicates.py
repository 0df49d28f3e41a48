"""Row filters as a small closed JSON tree, and their meaning as Arrow expressions.

Comparison with null is null, as in SQL; a row passes only where the whole filter is true.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from chimes.errors import NotFoundError, SchemaMismatchError
from chimes.kinds.component import Value

__all__ = ["All", "Any", "Compare", "In", "IsNull", "Not", "Predicate", "StartsWith", "filter_batch", "to_expression"]

LiteralValue = bool | int | float | str
"""A literal takes the Arrow type of the column it is compared with: a date is written as ISO text."""


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


def to_expression(predicate: Predicate, schema: pa.Schema) -> pc.Expression:
    """The Arrow expression with the same meaning over ``schema``.

    Raises NotFoundError for an unknown column, SchemaMismatchError for a literal that its column's
    type cannot hold.
    """
    match predicate:
        case Compare():
            column, dtype = _field(predicate.column, schema)
            return _COMPARE[predicate.op](column, _literal(predicate.value, dtype, predicate.column))
        case In():
            column, dtype = _field(predicate.column, schema)
            values = [_literal(value, dtype, predicate.column) for value in predicate.values]
            member = pc.is_in(column, value_set=pa.array([v.as_py() for v in values], type=dtype))
            return pc.if_else(pc.is_valid(column), member, pa.scalar(None, pa.bool_()))
        case IsNull():
            return pc.is_null(_field(predicate.column, schema)[0])
        case StartsWith():
            return pc.starts_with(_field(predicate.column, schema)[0], pattern=predicate.prefix)
        case Not():
            return pc.invert(to_expression(predicate.arg, schema))
        case All():
            return _fold(pc.and_kleene, predicate.args, schema)
        case Any():
            return _fold(pc.or_kleene, predicate.args, schema)


def filter_batch(batch: pa.RecordBatch, predicate: Predicate) -> pa.RecordBatch:
    """The rows of ``batch`` for which ``predicate`` is true, in order."""
    return batch.filter(to_expression(predicate, batch.schema))


def _fold(join: object, args: tuple[Predicate, ...], schema: pa.Schema) -> pc.Expression:
    first, *rest = (to_expression(arg, schema) for arg in args)
    for other in rest:
        first = join(first, other)  # type: ignore[operator]
    return first


def _field(name: str, schema: pa.Schema) -> tuple[pc.Expression, pa.DataType]:
    if name not in schema.names:
        raise NotFoundError(f"there is no column {name!r}", hint=f"columns: {', '.join(schema.names)}")
    return pc.field(name), schema.field(name).type


def _literal(value: LiteralValue, dtype: pa.DataType, column: str) -> pa.Scalar:
    try:
        return pa.scalar(value).cast(dtype)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatchError(
            f"{value!r} cannot be compared with column {column!r} of type {dtype}",
            hint="write the literal in the column's own type",
        ) from error
