"""The filters that a connector must apply, and rows for which every filter keeps some rows and drops others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from chimes.errors import SchemaMismatchError
from chimes.kinds.literals import to_scalar
from chimes.kinds.predicates import All, Compare, In, IsNull, Not, Predicate, StartsWith, columns_of
from chimes.kinds.predicates import Any as AnyOf

__all__ = ["FilterCase", "filter_cases", "with_filter_rows", "with_special_floats"]

TEXTS = ("Wuhan", "wuhan", "Wuhan ", "W", "5% off", "57 off", "O'Brien", '"x", \\', "", None)
"""Texts that filters often treat incorrectly: letter case, blanks, wildcards, quotes, the empty text, null."""
ODD = (math.nan, math.inf, -math.inf, -0.0)
"""Floats that readers often lose."""
MOST = 2
COMPARISONS = ("ne", "ge", "eq", "lt", "le", "gt")
FEW = 2
FAMILIES = (pt.is_integer, pt.is_floating, pt.is_decimal, pt.is_timestamp, pt.is_date, pt.is_time)


@dataclass(frozen=True)
class FilterCase:
    """The filters of one read. ``columns``: the columns to read, None for all."""

    filters: tuple[Predicate, ...]
    columns: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The names of the operations; the same for every nonce."""
        operations = " and ".join(_operation(predicate) for predicate in self.filters)
        return operations if self.columns is None else f"{operations}, its column not read"

    @property
    def filter_columns(self) -> frozenset[str]:
        """The columns that the filters use."""
        return frozenset().union(*(columns_of(predicate) for predicate in self.filters))


def _operation(predicate: Predicate) -> str:
    return f"not {_operation(predicate.arg)}" if isinstance(predicate, Not) else predicate.op


def with_special_floats(table: pa.Table) -> pa.Table:
    """The table with NaN, infinities and minus zero added to float columns, and its first row repeated at the end."""
    columns = []
    for column in table.columns:
        first = column.combine_chunks()
        more = pa.array(ODD, column.type) if pt.is_floating(column.type) else first.slice(0, len(ODD))
        columns.append(pa.concat_arrays([first, more, first.slice(0, 1)]))
    return pa.Table.from_arrays(columns, schema=table.schema).combine_chunks()


def with_filter_rows(table: pa.Table) -> pa.Table:
    """The table with ``TEXTS`` added at the end of each text column, and a null at the end of each other column."""
    columns = []
    for column in table.columns:
        first = column.combine_chunks()
        if _is_text(column.type):
            more = pa.array(TEXTS, type=column.type)
        else:
            more = pa.concat_arrays([first.slice(0, len(TEXTS) - 1), pa.nulls(1, column.type)])
        columns.append(pa.concat_arrays([first, more]))
    return pa.Table.from_arrays(columns, schema=table.schema).combine_chunks()


def filter_cases(table: pa.Table) -> list[FilterCase]:
    """Each operation on one column of each family of types, a few on the other columns, and some combined."""
    found: list[FilterCase] = []
    families: set[str] = set()
    comparable: list[tuple[str, Any, Any]] = []
    for name in table.column_names:
        predicates: list[Predicate] = [IsNull(column=name)]
        literals = _literals(table, name)
        if literals is not None:
            low, middle = literals
            comparable.append((name, low, middle))
            family = _family(table.schema.field(name).type)
            is_first = family not in families
            families.add(family)
            predicates += _on_column(table.schema.field(name), low, middle)[: None if is_first else FEW]
        found += [FilterCase((predicate,)) for predicate in predicates]
    for name, low, middle in comparable[:MOST]:
        found += [FilterCase((predicate,)) for predicate in _nested(name, low, middle)]
    return found + _combined(table, comparable)


def _on_column(field: pa.Field, low: Any, middle: Any) -> list[Predicate]:
    operations = COMPARISONS[:2] if pt.is_boolean(field.type) else COMPARISONS
    found: list[Predicate] = [Compare(op=op, column=field.name, value=middle) for op in operations]
    found += [In(column=field.name, values=(middle, low)), Not(arg=IsNull(column=field.name))]
    if _is_text(field.type):
        found += [Compare(op="eq", column=field.name, value=text) for text in ("O'Brien", "")]
        found += [StartsWith(column=field.name, prefix=prefix) for prefix in ("W", "5%")]
    return found


def _nested(name: str, low: Any, middle: Any) -> list[Predicate]:
    between = All(args=(Compare(op="ge", column=name, value=low), Compare(op="lt", column=name, value=middle)))
    return [
        between,
        Not(arg=between),
        Not(arg=Compare(op="eq", column=name, value=middle)),
        Not(arg=In(column=name, values=(middle,))),
        AnyOf(args=(IsNull(column=name), Compare(op="gt", column=name, value=middle))),
    ]


def _combined(table: pa.Table, comparable: list[tuple[str, Any, Any]]) -> list[FilterCase]:
    """Two filters at once, two columns in one filter, and a filter on a column that is not read."""
    found = []
    if len(comparable) >= 2:
        (name, low, middle), (other, _, value) = comparable[:2]
        first, second = Compare(op="ge", column=name, value=low), Compare(op="ne", column=other, value=value)
        either = AnyOf(args=(Compare(op="gt", column=name, value=middle), IsNull(column=other)))
        found += [FilterCase((first, second)), FilterCase((second, first)), FilterCase((either,))]
    for name, _, middle in comparable[:1]:
        rest = tuple(column for column in reversed(table.column_names) if column != name)
        if rest:
            found.append(FilterCase((Compare(op="lt", column=name, value=middle),), rest))
    return found


def _literals(table: pa.Table, name: str) -> tuple[Any, Any] | None:
    """A low value and the middle value of a column as filters hold them; None for types that filters cannot hold."""
    try:
        column = table.column(name).drop_null().combine_chunks()
        ordered = column.take(pc.array_sort_indices(column))
        if not len(ordered):
            return None
        picked = [ordered[len(ordered) // share] for share in (8, 2)]
        low, middle = [_literal(scalar) for scalar in picked]
        field = table.schema.field(name)
        is_exact = [to_scalar(text, field).equals(want) for text, want in zip((low, middle), picked, strict=True)]
    except (pa.ArrowException, SchemaMismatchError, TypeError):
        return None
    return (low, middle) if all(is_exact) else None


def _literal(scalar: pa.Scalar) -> bool | int | float | str:
    dtype = scalar.type
    if pt.is_duration(dtype):
        return int(scalar.cast(pa.int64()).as_py())
    if pt.is_timestamp(dtype) and dtype.tz:
        return (
            str(scalar.cast(pa.int64()).cast(pa.timestamp(dtype.unit)).cast(pa.string()).as_py()).replace(" ", "T")
            + "Z"
        )
    if pt.is_temporal(dtype) or pt.is_decimal(dtype):
        return str(scalar.cast(pa.string()).as_py()).replace(" ", "T")
    if pt.is_boolean(dtype) or pt.is_integer(dtype) or pt.is_floating(dtype) or _is_text(dtype):
        return scalar.as_py()  # type: ignore[no-any-return]
    raise TypeError(dtype)


def _family(dtype: pa.DataType) -> str:
    names: list[str] = ["text" if _is_text(dtype) else str(dtype), *(test.__name__ for test in FAMILIES if test(dtype))]
    return names[-1]


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pt.is_string(dtype) or pt.is_large_string(dtype))
