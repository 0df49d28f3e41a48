"""Reading the rows of a plan, and cutting them into batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from chimes.context import Context
from chimes.errors import NotFoundError, SchemaMismatchError
from chimes.host.batching import pad, rebatch, target_rows
from chimes.host.components import find_part
from chimes.host.reading import as_stream, read_table
from chimes.kinds.connector import DataConnector, ReadRequest
from chimes.kinds.model import BatchLimits
from chimes.kinds.predicates import Compare, StartsWith
from chimes.registry import Registry

Open = Callable[..., DataConnector[Any]]


@pytest.fixture
def numbers(lab: Registry, tmp_path: Path) -> Open:
    def make(**config: Any) -> DataConnector[Any]:
        connector: DataConnector[Any] = find_part(lab, "connector", "acme-lab:numbers", config).make(
            Context.under(tmp_path)
        )
        return connector

    return make


def request(**values: Any) -> ReadRequest:
    return ReadRequest(stream="numbers", **values)


def test_a_table_has_all_partitions_in_order(numbers: Open) -> None:
    table = read_table(numbers(rows=20), request(partitions=3, columns=("b", "id")))
    assert table.column_names == ["b", "id"]
    assert table.column("id").to_pylist() == list(range(20))


@pytest.mark.parametrize("exact", [True, False])
def test_filters_hold_whether_the_source_applies_them_or_not(numbers: Open, exact: bool) -> None:
    filters = (Compare(op="ge", column="id", value=15), StartsWith(column="name", prefix="row 1"))
    table = read_table(numbers(rows=30, exact=exact), request(filters=filters, partitions=2))
    assert table.column("id").to_pylist() == [15, 16, 17, 18, 19]


@pytest.mark.parametrize("limit", [0, 1, 7, 8, 100])
def test_a_limit_counts_the_rows_that_pass(numbers: Open, limit: int) -> None:
    filters = (Compare(op="ge", column="id", value=5),)
    table = read_table(numbers(rows=30, exact=False), request(filters=filters, limit=limit, partitions=3))
    assert table.column("id").to_pylist() == list(range(5, 30))[:limit]


def test_a_stream_is_read_by_any_arrow_library_and_more_than_once(numbers: Open) -> None:
    stream = as_stream(numbers(rows=10), request())
    assert pa.table(stream).num_rows == 10
    assert pa.table(stream).equals(stream.table())


def test_an_empty_source_has_a_schema_and_no_rows(numbers: Open) -> None:
    table = read_table(numbers(rows=0), request(columns=("id", "a")))
    assert table.num_rows == 0
    assert table.column_names == ["id", "a"]


def test_reading_an_unknown_column_names_it(numbers: Open) -> None:
    with pytest.raises(NotFoundError, match="'age'"):
        as_stream(numbers(), request(columns=("age",)))


def test_a_connector_that_yields_another_type_is_at_fault(numbers: Open) -> None:
    with pytest.raises(SchemaMismatchError, match="column 'id' was planned as int64") as caught:
        read_table(numbers(behaviour="yields another type"), request())
    assert caught.value.fault == "plugin"


def test_a_connector_that_yields_other_columns_is_at_fault(numbers: Open) -> None:
    with pytest.raises(SchemaMismatchError, match="column 'id' was planned as int64 and is missing"):
        read_table(numbers(behaviour="yields nothing planned"), request())


def test_batches_have_the_wanted_size_and_rows_stay_in_order() -> None:
    sizes = (5, 0, 1, 12, 3)
    ids = iter(range(100))
    batches = [pa.record_batch({"id": pa.array([next(ids) for _ in range(size)], pa.int64())}) for size in sizes]
    cut = list(rebatch(batches, 8))
    assert [batch.num_rows for batch in cut] == [8, 8, 5]
    assert [i for batch in cut for i in batch.column(0).to_pylist()] == list(range(21))


def test_the_wanted_size_lies_between_least_and_most() -> None:
    assert target_rows(BatchLimits(preferred_rows=10)) == 10
    assert target_rows(BatchLimits(preferred_rows=10, max_rows=4)) == 4
    assert target_rows(BatchLimits(preferred_rows=10, min_rows=16)) == 16


def test_a_short_batch_is_padded_with_its_last_row() -> None:
    batch = pa.record_batch({"id": [1, 2]})
    assert pad(batch, 4).column(0).to_pylist() == [1, 2, 2, 2]
    assert pad(batch, 2) is batch
    assert pad(batch.slice(0, 0), 4).num_rows == 0
