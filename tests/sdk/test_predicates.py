"""Row filters, compared with an implementation in plain Python."""

from __future__ import annotations

import math
import operator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any as Anything

import pyarrow as pa
import pytest
from arrow_columns import COLUMNS, plain_values
from chimes.errors import ChimesError, NotFoundError, SchemaMismatchError
from chimes.kinds.predicates import (
    All,
    Any,
    Compare,
    In,
    IsNull,
    Not,
    Predicate,
    StartsWith,
    columns_of,
    filter_batch,
    to_expression,
)
from chimes.kinds.schema import empty_batch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

WORDS = ["", "a", "ab", "b", "é", "鐘", "🔔", 'q"\\', "\x00"]
DAYS = [date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29)]
TIMES = [datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2024, 2, 29), datetime(2024, 2, 29, 0, 0, 0, 1)]
REALS = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, -2.25, 1024.0]

POOLS: dict[pa.DataType, list[tuple[Anything, Anything]]] = {
    pa.int8(): [(v, v) for v in (-128, -1, 0, 1, 127)],
    pa.int64(): [(v, v) for v in (-(2**63), -1, 0, 2**53 + 1, 2**63 - 1)],
    pa.uint64(): [(v, v) for v in (0, 1, 2**63 + 5, 2**64 - 1)],
    pa.float16(): [(v, v) for v in REALS],
    pa.float32(): [(v, v) for v in REALS],
    pa.float64(): [(v, v) for v in REALS],
    pa.bool_(): [(True, True), (False, False), (True, "true")],
    pa.decimal32(9, 2): [(Decimal(t), t) for t in ("-1.50", "0.00", "1.15", "9999999.99")],
    pa.decimal64(18, 2): [(Decimal(t), t) for t in ("-1.50", "0.00", "1.15")],
    pa.decimal128(38, 2): [(Decimal("1.15"), 1.15), (Decimal("-3"), -3), (Decimal("0"), "0")],
    pa.decimal256(60, 2): [(Decimal(10**50), 10**50), (Decimal("-1.25"), "-1.25"), (Decimal("0"), 0)],
    pa.string(): [(w, w) for w in WORDS],
    pa.large_string(): [(w, w) for w in WORDS],
    pa.string_view(): [(w, w) for w in WORDS],
    pa.dictionary(pa.int32(), pa.string()): [(w, w) for w in WORDS],
    pa.binary(): [(w.encode(), w) for w in WORDS],
    pa.large_binary(): [(w.encode(), w) for w in WORDS],
    pa.binary_view(): [(w.encode(), w) for w in WORDS],
    pa.binary(2): [(w.encode(), w) for w in ("aa", "ab", "zz")],
    pa.date32(): [(d, d.isoformat()) for d in DAYS],
    pa.date64(): [(d, d.isoformat()) for d in DAYS],
    pa.timestamp("us"): [(t, t.isoformat()) for t in TIMES],
    pa.timestamp("us", "UTC"): [(t.replace(tzinfo=UTC), t.isoformat() + "Z") for t in TIMES],
    pa.timestamp("ms", "Asia/Shanghai"): [(datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T08:00:00+08:00")],
    pa.time32("s"): [(time(0), "00:00:00"), (time(23, 59, 59), "23:59:59")],
    pa.time64("us"): [(time(0), "00:00:00"), (time(12, 0, 0, 1), "12:00:00.000001")],
    pa.duration("s"): [(timedelta(seconds=s), s) for s in (-1, 0, 86_400)],
    pa.null(): [(None, 1), (None, "x")],
}
TEXTS = [t for t, pool in POOLS.items() if isinstance(pool[0][1], str) and pool[0][0] in ("", b"")]
BOTH = POOLS[pa.int64()]


def literals(dtype: pa.DataType) -> st.SearchStrategy[Anything]:
    return st.sampled_from([literal for _, literal in POOLS[dtype]])


def leaves(column: str, dtype: pa.DataType) -> st.SearchStrategy[Anything]:
    value = literals(dtype)
    found: list[st.SearchStrategy[Anything]] = [
        st.builds(
            Compare, op=st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), column=st.just(column), value=value
        ),
        st.builds(In, column=st.just(column), values=st.lists(value, max_size=3).map(tuple)),
        st.just(IsNull(column=column)),
    ]
    if dtype in TEXTS:
        found.append(st.builds(StartsWith, column=st.just(column), prefix=st.sampled_from(WORDS)))
    return st.one_of(found)


@st.composite
def questions(draw: st.DrawFn, count: int = 12) -> tuple[pa.RecordBatch, Anything]:
    """A batch with a column of some type beside one of int64, and a filter over both."""
    dtype = draw(st.sampled_from(list(POOLS)))
    columns = {}
    for name, kind in (("x", dtype), ("y", pa.int64())):
        cell = st.sampled_from([None, *(value for value, _ in POOLS[kind])])
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        values = draw(st.lists(cell, min_size=count, max_size=count))
        columns[name] = pa.array(values, plain).cast(kind) if plain != kind else pa.array(values, plain)
    tree = st.recursive(
        st.one_of(leaves("x", dtype), leaves("y", pa.int64())),
        lambda inner: st.one_of(
            st.builds(Not, arg=inner),
            st.builds(All, args=st.lists(inner, min_size=1, max_size=3).map(tuple)),
            st.builds(Any, args=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        ),
        max_leaves=4,
    )
    return pa.record_batch(columns), draw(tree)


def truth(predicate: Anything, row: dict[str, Anything], types: dict[str, pa.DataType]) -> bool | None:
    match predicate:
        case Not():
            inner = truth(predicate.arg, row, types)
            return None if inner is None else not inner
        case All() | Any():
            decisive = isinstance(predicate, Any)
            found = [truth(arg, row, types) for arg in predicate.args]
            return decisive if decisive in found else (None if None in found else not decisive)
        case IsNull():
            return row[predicate.column] is None
    value = row[predicate.column]
    if value is None:
        return None
    match predicate:
        case Compare():
            return bool(getattr(operator, predicate.op)(value, meaning(predicate.value, types[predicate.column])))
        case In():
            return any(value == meaning(literal, types[predicate.column]) for literal in predicate.values)
        case StartsWith():
            prefix = predicate.prefix.encode() if isinstance(value, bytes) else predicate.prefix
            return bool(value.startswith(prefix))
    raise AssertionError(predicate)


def meaning(literal: Anything, dtype: pa.DataType) -> Anything:
    if pa.types.is_floating(dtype):
        return float(literal)
    return next(value for value, written in POOLS[dtype] if written == literal and type(written) is type(literal))


def places(batch: pa.RecordBatch, predicate: Anything) -> list[int]:
    rows = batch.append_column("row", pa.array(range(batch.num_rows)))
    return filter_batch(rows, predicate).column("row").to_pylist()  # type: ignore[no-any-return]


@settings(max_examples=300, deadline=None)
@given(questions())
def test_a_filter_keeps_the_rows_for_which_it_is_true_in_plain_python(asked: tuple[pa.RecordBatch, Anything]) -> None:
    batch, predicate = asked
    types = dict(zip(batch.schema.names, batch.schema.types, strict=True))
    wanted = [i for i, row in enumerate(batch.to_pylist()) if truth(predicate, row, types) is True]
    assert places(batch, predicate) == wanted


@settings(max_examples=60, deadline=None)
@given(questions())
def test_a_filter_means_the_same_after_a_round_trip_through_json(asked: tuple[pa.RecordBatch, Anything]) -> None:
    batch, predicate = asked
    adapter: TypeAdapter[Anything] = TypeAdapter(Predicate)
    assert places(batch, adapter.validate_json(adapter.dump_json(predicate))) == places(batch, predicate)


def test_the_columns_of_a_tree_are_those_of_its_leaves() -> None:
    tree = All(
        args=(Not(arg=IsNull(column="a")), Any(args=(StartsWith(column="b", prefix="x"), In(column="c", values=()))))
    )
    assert columns_of(tree) == {"a", "b", "c"}
    assert columns_of(Compare(op="eq", column="d", value=1)) == {"d"}


def test_an_unknown_column_is_named_with_the_existing_ones() -> None:
    with pytest.raises(NotFoundError, match="'z'") as caught:
        to_expression(Compare(op="eq", column="z", value=1), pa.schema([("x", pa.int64()), ("y", pa.int64())]))
    assert "x, y" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (pa.int8(), 300),
        (pa.int64(), 10**30),
        (pa.int64(), 1.5),
        (pa.int64(), True),
        (pa.int64(), "many"),
        (pa.int64(), math.inf),
        (pa.float32(), 1e300),
        (pa.float64(), 2**60 + 1),
        (pa.float64(), 10**400),
        (pa.bool_(), 1),
        (pa.string(), 1),
        (pa.decimal128(5, 2), "1.234"),
        (pa.decimal128(5, 2), "NaN"),
        (pa.decimal128(5, 2), "x"),
        (pa.timestamp("us"), "2024-01-01T00:00:00Z"),
        (pa.timestamp("us", "UTC"), "2024-01-01T00:00:00"),
        (pa.timestamp("ns"), "9999-01-01"),
        (pa.date32(), "yesterday"),
        (pa.time32("s"), "12:00:00.5"),
        (pa.time32("s"), "25:00:00"),
        (pa.duration("ms"), "1s"),
        (pa.binary(3), "ab"),
    ],
)
def test_a_literal_that_its_column_cannot_hold_is_refused_by_name(dtype: pa.DataType, value: Anything) -> None:
    with pytest.raises(SchemaMismatchError, match="column 'x'") as caught:
        to_expression(Compare(op="lt", column="x", value=value), pa.schema([("x", dtype)]))
    assert caught.value.hint


@pytest.mark.parametrize("dtype", [pa.list_(pa.int64()), pa.struct([("a", pa.int8())]), pa.uuid()])
def test_a_column_without_an_order_supports_only_is_null(dtype: pa.DataType) -> None:
    batch = pa.record_batch([pa.nulls(2, dtype)], names=["x"])
    for predicate in (Compare(op="eq", column="x", value=1), In(column="x", values=(1,))):
        with pytest.raises(SchemaMismatchError, match="cannot be compared"):
            filter_batch(batch, predicate)
    assert filter_batch(batch, IsNull(column="x")).num_rows == 2


def test_starts_with_is_for_text() -> None:
    with pytest.raises(SchemaMismatchError, match="not text"):
        to_expression(StartsWith(column="x", prefix="1"), pa.schema([("x", pa.int64())]))


def test_rows_beside_columns_that_arrow_cannot_filter_are_kept_whole() -> None:
    ends = pa.RunEndEncodedArray.from_arrays(pa.array([2, 5], pa.int32()), pa.array(["a", "b"]))
    schema = pa.schema([("i", pa.int64()), ("v", pa.string_view()), ("r", ends.type)], metadata={"k": "v"})
    batch = pa.RecordBatch.from_arrays(
        [pa.array(range(5)), pa.array(list("vwxyz"), pa.string_view()), ends], schema=schema
    )
    kept = filter_batch(batch, In(column="i", values=(1, 2, 4)))
    assert kept.to_pydict() == {"i": [1, 2, 4], "v": ["w", "x", "z"], "r": ["a", "b", "b"]}
    assert kept.schema.equals(schema, check_metadata=True)
    assert filter_batch(batch, Compare(op="gt", column="i", value=9)).num_rows == 0


def test_filters_compare_nanoseconds() -> None:
    noon = "2024-01-01T12:00:00.000000001"
    batch = pa.record_batch(
        {
            "t": pa.array([1704110400000000000, 1704110400000000001], pa.int64()).cast(pa.timestamp("ns")),
            "h": pa.array([43200000000000, 43200000000001], pa.int64()).cast(pa.time64("ns")),
        }
    )
    assert places(batch, Compare(op="eq", column="t", value=noon)) == [1]
    assert places(batch, In(column="t", values=(noon,))) == [1]
    assert places(batch, Compare(op="lt", column="h", value=noon[11:])) == [0]


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_are_kept_whole_beside_a_column_of_every_type(name: str) -> None:
    """Selected by another column, by their nulls, or refused with the name of the column."""
    column = COLUMNS[name]
    rows = range(len(column))
    schema = pa.schema([("x", column.type), ("i", pa.int64())])
    batch = pa.RecordBatch.from_arrays([column, pa.array(rows)], schema=schema)
    values = plain_values(column)
    present = Not(arg=IsNull(column="x"))
    later = Compare(op="gt", column="i", value=0)
    for predicate, kept in (
        (later, list(rows)[1:]),
        (IsNull(column="x"), [i for i in rows if values[i] is None]),
        (All(args=(present, later)), [i for i in rows if values[i] is not None and i > 0]),
        (Compare(op="lt", column="i", value=0), []),
    ):
        found = filter_batch(batch, predicate)
        assert found.column("i").to_pylist() == kept
        assert plain_values(found.column("x")) == [values[i] for i in kept]
        assert found.schema.equals(schema)
    questions = Compare(op="eq", column="x", value="a"), In(column="x", values=(1,))
    for refusal in filter(None, (refused(batch, question) for question in questions)):
        assert f"column 'x' of type {column.type}" in str(refusal)


def refused(batch: pa.RecordBatch, question: Anything) -> ChimesError | None:
    try:
        filter_batch(batch, question)
    except ChimesError as error:
        return error
    return None


@pytest.mark.parametrize("name", COLUMNS)
def test_a_filter_can_be_tried_on_a_batch_without_rows_of_every_type(name: str) -> None:
    batch = empty_batch(pa.schema([("x", COLUMNS[name].type), ("i", pa.int64())]))
    assert filter_batch(batch, Compare(op="gt", column="i", value=0)).num_rows == 0
    assert filter_batch(batch, IsNull(column="x")).num_rows == 0
