"""Parquet's legacy INT96 timestamps: each value is right or refused, whatever the year, in schema, plan and read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chimes import ReadRequest
from chimes.errors import SchemaMismatchError
from chimes.kinds.predicates import Compare
from chimes_files.connector import FilesConnector

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]

MOMENTS = [
    dt.datetime(1, 1, 1),
    dt.datetime(1582, 10, 15),
    dt.datetime(1677, 9, 21, 0, 12, 43),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999_999),
    dt.datetime(1970, 1, 1),
    dt.datetime(2262, 4, 11, 23, 47, 17),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999_999),
    None,
]


def write(path: Path, table: pa.Table, **options: Any) -> None:
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, **options)


@pytest.mark.parametrize("store_schema", [True, False])
@pytest.mark.parametrize("unit", ["ms", "us"])
def test_every_year_comes_back(tmp_path: Path, connect: Connect, read: Read, unit: str, store_schema: bool) -> None:
    table = pa.table({"t": pa.array(MOMENTS, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)})
    write(tmp_path / "t.parquet", table, store_schema=store_schema, row_group_size=3)
    connector = connect(tmp_path)
    (info,) = connector.discover()
    plan = connector.plan(ReadRequest(stream="t"))
    for partitions in (1, 3):
        got = read(connector, "t", partitions=partitions)
        assert got["t"].to_pylist() == table["t"].to_pylist()
        assert got.schema.field("t").type == pa.timestamp("us")
        assert got.schema.equals(info.arrow_schema, check_metadata=True)
        assert got.schema.equals(plan.arrow_schema, check_metadata=True)


def test_values_in_lists_and_structs_come_back(tmp_path: Path, connect: Connect, read: Read) -> None:
    stamps = pa.array(MOMENTS, pa.timestamp("us"))
    table = pa.table(
        {
            "l": pa.ListArray.from_arrays(pa.array([0, 3, 3, 8]), stamps),
            "s": pa.StructArray.from_arrays([stamps[:3], pa.array([1, 2, 3])], names=["at", "n"]),
        }
    )
    write(tmp_path / "t.parquet", table)
    assert read(connect(tmp_path), "t").to_pydict() == table.to_pydict()


def test_a_filter_compares_the_right_values(tmp_path: Path, connect: Connect, read: Read) -> None:
    write(tmp_path / "t.parquet", pa.table({"t": pa.array(MOMENTS, pa.timestamp("us"))}), row_group_size=2)
    for op, year, expected in (("gt", "3000-01-01T00:00:00", MOMENTS[6:7]), ("lt", "1500-01-01T00:00:00", MOMENTS[:1])):
        got = read(connect(tmp_path), "t", filters=(Compare(op=op, column="t", value=year),))
        assert got["t"].to_pylist() == expected


@pytest.mark.parametrize("nested", [False, True])
def test_digits_that_microseconds_drop_are_refused_and_read_in_nanoseconds(
    tmp_path: Path, connect: Connect, read: Read, nested: bool
) -> None:
    stamps = pa.array([0, -1, 1_706_704_200_123_456_789], pa.timestamp("ns"))
    column = pa.ListArray.from_arrays(pa.array([0, 3]), stamps) if nested else stamps
    write(tmp_path / "t.parquet", pa.table({"t": column, "n": range(len(column))}))
    with pytest.raises(SchemaMismatchError, match=r"column 't' of t\.parquet: .*\(-1 ns ") as caught:
        read(connect(tmp_path), "t")
    assert caught.value.hint == "set `int96` to 'ns'"
    assert read(connect(tmp_path), "t", columns=("n",)).num_rows == len(column)
    assert read(connect(tmp_path, int96="ns"), "t")["t"].combine_chunks() == pa.chunked_array([column]).combine_chunks()


def test_years_that_nanoseconds_cannot_hold_are_refused_and_read_in_microseconds(
    tmp_path: Path, connect: Connect, read: Read
) -> None:
    for moment in (MOMENTS[0], MOMENTS[6]):
        write(tmp_path / "t.parquet", pa.table({"t": pa.array([moment], pa.timestamp("us"))}))
        with pytest.raises(SchemaMismatchError, match=r"column 't' of t\.parquet: .* years 1677 to 2262") as caught:
            read(connect(tmp_path, int96="ns"), "t")
        assert caught.value.hint == "set `int96` to 'us'"
        assert read(connect(tmp_path), "t")["t"].to_pylist() == [moment]


def test_other_timestamps_keep_their_unit(tmp_path: Path, connect: Connect, read: Read) -> None:
    table = pa.table({unit: pa.array([1], pa.timestamp(unit, "UTC")) for unit in ("ms", "us", "ns")})
    pq.write_table(table, tmp_path / "t.parquet")
    for unit in ("us", "ns"):
        assert read(connect(tmp_path, int96=unit), "t").equals(table)
