"""Comparisons of the suite, and the filters with which it tests connectors."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from chimes.conformance.testdata.compare import close_values, count_rows, same_table
from chimes.conformance.testdata.filters import filter_cases, with_filter_rows
from chimes.conformance.testdata.generate import random_batch
from chimes.kinds.predicates import Compare, filter_batch

FILTERED = [
    *(pa.int64(), pa.float32(), pa.string(), pa.large_string(), pa.bool_(), pa.decimal128(20, 4), pa.date32()),
    *(pa.timestamp("ns", "Asia/Shanghai"), pa.timestamp("s"), pa.time64("ns"), pa.duration("us")),
]
UNFILTERED = [pa.binary(), pa.string_view(), pa.list_(pa.int32()), pa.dictionary(pa.int32(), pa.string())]


def batch(values: Sequence[Any] | pa.Array, dtype: pa.DataType | None = None) -> pa.RecordBatch:
    array = values if isinstance(values, pa.Array) else pa.array(values, dtype)
    return pa.RecordBatch.from_arrays([array], names=["value"])


def test_nothing_finite_is_close_to_infinity() -> None:
    assert not close_values(batch([5.0]), batch([float("inf")]), rtol=0.01, atol=0)
    assert close_values(batch([float("inf")]), batch([float("inf")]), rtol=0.01, atol=0)


def test_dictionaries_are_compared_by_their_values() -> None:
    left = pa.array(["b", "a"]).dictionary_encode()
    right = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int32()), ["a", "b"])
    assert close_values(batch(left), batch(right), rtol=0, atol=0)
    assert not close_values(batch(left), batch(right[::-1]), rtol=0, atol=0)


def test_floats_in_a_map_have_the_tolerance_of_floats() -> None:
    dtype = pa.map_(pa.string(), pa.float64())
    left = batch([[("a", 1.0), ("b", float("nan"))], None, []], dtype)
    right = batch([[("a", 1.0 + 1e-9), ("b", float("nan"))], None, []], dtype)
    assert close_values(left, right, rtol=1e-6, atol=0)
    assert not close_values(left, right, rtol=0, atol=0)


@pytest.mark.parametrize("wrap", [pa.list_, pa.large_list, lambda dtype: pa.list_(dtype, 1)])
def test_nanoseconds_in_lists_are_compared_exactly(wrap: Any) -> None:
    inner = pa.timestamp("ns")
    one, other = (pa.table({"value": pa.array([[number], None], wrap(inner))}) for number in (1, 2))
    assert same_table(one, one)
    assert not same_table(one, other)


def test_a_null_struct_differs_from_a_struct_of_nulls() -> None:
    dtype = pa.struct([("a", pa.timestamp("ns")), ("b", pa.map_(pa.string(), pa.int8()))])
    table = pa.table({"value": pa.array([None, {"a": None, "b": None}, {"a": 1, "b": [("x", 1)]}], dtype)})
    assert len(count_rows(table)) == 3


def test_each_comparable_type_is_compared_with_a_value_of_its_column() -> None:
    schema = pa.schema([(f"c{number}", dtype) for number, dtype in enumerate([*FILTERED, *UNFILTERED])])
    table = with_filter_rows(pa.Table.from_batches([random_batch(schema, 51, random.Random(1))]))
    asked = [case.filters[0] for case in filter_cases(table) if len(case.filters) == 1]
    compared = {predicate.column for predicate in asked if isinstance(predicate, Compare)}
    assert compared == {f"c{number}" for number in range(len(FILTERED))}
    whole = table.to_batches()[0]
    equal = [predicate for predicate in asked if isinstance(predicate, Compare) and predicate.op == "eq"]
    assert equal
    assert all(0 < filter_batch(whole, predicate).num_rows < whole.num_rows for predicate in equal)
