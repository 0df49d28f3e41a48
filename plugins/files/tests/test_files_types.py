"""Every type that the harness lists for a format comes back exactly; legacy INT96 timestamps are right or refused."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt
import pytest
from chimes import Context, ReadRequest
from chimes.conformance.harness import Case
from chimes.conformance.testdata.compare import same_table
from chimes.errors import SchemaMismatchError, UnsupportedError
from chimes.kinds.component import parse_config
from chimes.kinds.predicates import Compare
from chimes_files.conformance import FilesHarness
from chimes_files.connector import FilesConnector
from chimes_files.types import parse_type, type_spec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]

HARNESS = FilesHarness()
CASES = ["parquet", "parquet-folder", "ipc", "csv", "jsonl"]
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FIRST_S, LAST_S, DAY_S = -62_135_500_000, 253_402_200_000, 86_400


def counts(dtype: pa.DataType) -> st.SearchStrategy[int]:
    """Stored integers of temporal types, in the years 1 to 9999 in any zone, as text has only these."""
    if pt.is_date(dtype):
        days = st.integers(FIRST_S // DAY_S, LAST_S // DAY_S)
        return days if pt.is_date32(dtype) else days.map(lambda day: day * DAY_S * 1000)
    scale = PER_SECOND[dtype.unit]
    if pt.is_time(dtype):
        return st.integers(0, DAY_S * scale - 1)
    if pt.is_duration(dtype):
        return st.integers(-(2**63), 2**63 - 1)
    # Arrow does not parse the first fraction of a second that nanoseconds can count (in 1677).
    return st.integers(max(FIRST_S * scale, scale - 2**63), min(LAST_S * scale, 2**63 - 1))


def values(dtype: pa.DataType) -> st.SearchStrategy[Any]:
    if pt.is_null(dtype):
        return st.none()
    if pt.is_boolean(dtype):
        return st.booleans()
    if pt.is_integer(dtype):
        low = 0 if pt.is_unsigned_integer(dtype) else -(2 ** (dtype.bit_width - 1))
        return st.integers(low, low + 2**dtype.bit_width - 1)
    if pt.is_floating(dtype):
        return st.floats(width=dtype.bit_width, allow_nan=False) | st.just(math.nan)
    if pt.is_decimal(dtype):
        most = 10**dtype.precision - 1
        return st.integers(-most, most).map(lambda digits: scaled(digits, dtype.scale))
    if pt.is_temporal(dtype):
        return counts(dtype)
    if pt.is_fixed_size_binary(dtype):
        return st.binary(min_size=dtype.byte_width, max_size=dtype.byte_width)
    if pt.is_binary(dtype) or pt.is_large_binary(dtype) or pt.is_binary_view(dtype):
        return st.binary(max_size=20)
    if pt.is_string(dtype) or pt.is_large_string(dtype) or pt.is_string_view(dtype):
        return st.text(max_size=20)
    return nested(dtype)


def scaled(digits: int, scale: int) -> Decimal:
    return Decimal((0 if digits >= 0 else 1, tuple(map(int, str(abs(digits)))), -scale))


def nested(dtype: pa.DataType) -> st.SearchStrategy[Any]:
    if pt.is_struct(dtype):
        return st.fixed_dictionaries({field.name: st.none() | values(field.type) for field in dtype.fields})
    if pt.is_map(dtype):
        return st.dictionaries(values(dtype.key_type), st.none() | values(dtype.item_type), max_size=3).map(
            lambda found: list(found.items())
        )
    inner = st.none() | values(dtype.value_type)
    if pt.is_fixed_size_list(dtype):
        return st.lists(inner, min_size=dtype.list_size, max_size=dtype.list_size)
    return st.lists(inner, max_size=4)


def array(dtype: pa.DataType, items: list[Any]) -> pa.Array:
    if isinstance(dtype, pa.FixedShapeTensorType):
        return pa.ExtensionArray.from_storage(dtype, array(dtype.storage_type, items))
    if pt.is_dictionary(dtype):
        return array(dtype.value_type, items).dictionary_encode().cast(dtype)
    if pt.is_temporal(dtype):
        return pa.array(items, pa.int32() if dtype.bit_width == 32 else pa.int64()).view(dtype)
    return pa.array(items, dtype)


@st.composite
def tables(draw: st.DrawFn, types: tuple[pa.DataType, ...]) -> pa.Table:
    chosen = draw(st.lists(st.sampled_from(types), min_size=1, max_size=4))
    rows = draw(st.integers(0, 40))
    columns = {}
    for dtype in chosen:
        plain = dtype.value_type if pt.is_dictionary(dtype) else dtype
        plain = plain.storage_type if isinstance(dtype, pa.FixedShapeTensorType) else plain
        cells = st.none() | values(plain)
        name = draw(st.text(min_size=1, max_size=8).filter(lambda name: name not in columns))
        columns[name] = array(dtype, draw(st.lists(cells, min_size=rows, max_size=rows)))
    return pa.table(columns)


@pytest.mark.parametrize("name", CASES)
def test_tables_of_listed_types_come_back_exactly(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    case = Case(name=name)

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(table=tables(tuple(HARNESS.types(case))), wanted=st.sampled_from([1, 3]))
    def round_trip(table: pa.Table, wanted: int) -> None:
        context = Context.under(tmp_path_factory.mktemp("trip"))
        got = seed_and_read(case, table, context, wanted)
        assert got.column_names == table.column_names
        assert same_table(got, table)

    round_trip()


def seed_and_read(case: Case, table: pa.Table, context: Context, partitions: int = 1) -> pa.Table:
    config = parse_config(FilesConnector, HARNESS.seed(case, {"t": table}, context))
    with FilesConnector(config, context) as connector:  # type: ignore[arg-type]
        request = ReadRequest(stream="t", partitions=partitions)
        plan = connector.plan(request)
        batches = [batch for part in plan.partitions for batch in connector.read(request, part)]
    return pa.Table.from_batches(batches, schema=plan.arrow_schema)


@pytest.mark.parametrize("name", CASES)
def test_column_names_may_be_anything(name: str, tmp_path: Path) -> None:
    names = [
        "a b",
        "a.b",
        "a",
        'say "hi"',
        "it's",
        "select",
        "编钟",
        "x" * 128,
        "a,b",
        "line\nbreak",
        "{}",
        "é🔔",
        "\\",
    ]
    table = pa.table([pa.array([number, None]) for number in range(len(names))], names=names)
    assert seed_and_read(Case(name=name), table, Context.under(tmp_path)).equals(table)


@pytest.mark.parametrize("name", ["parquet", "ipc"])
def test_metadata_and_nullability_are_kept_where_the_format_has_them(name: str, tmp_path: Path) -> None:
    field = pa.field("x", pa.int64(), nullable=False, metadata={"unit": "mm"})
    table = pa.table([[1, 2]], schema=pa.schema([field], metadata={"origin": "gauge 7"}))
    got = seed_and_read(Case(name=name), table, Context.under(tmp_path))
    assert not got.schema.field("x").nullable
    assert got.schema.field("x").metadata[b"unit"] == b"mm"
    assert got.schema.metadata[b"origin"] == b"gauge 7"


@pytest.mark.parametrize("name", CASES)
def test_the_harness_lists_types_and_writes_streams_below_tmp(name: str, tmp_path: Path) -> None:
    context = Context.under(tmp_path)
    assert name in [case.name for case in HARNESS.cases(context)]
    config = HARNESS.seed(Case(name=name), {"a": pa.table({"x": [1]}), "_b": pa.table({"y": ["1"]})}, context)
    assert Path(str(config["root"])).is_relative_to(context.tmp)
    connector = FilesConnector(parse_config(FilesConnector, config), context)  # type: ignore[arg-type]
    assert [(info.name, info.arrow_schema.names) for info in connector.discover()] == [("_b", ["y"]), ("a", ["x"])]


@pytest.mark.parametrize("stream", ["", "a/b", "..", "编" * 100])
def test_the_harness_refuses_a_name_that_cannot_be_a_file_name(stream: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="a file cannot be called"):
        HARNESS.seed(Case(name="csv"), {stream: pa.table({"x": [1]})}, Context.under(tmp_path))


def test_a_type_is_written_in_a_configuration_as_arrow_prints_it() -> None:
    types = {dtype for name in ("csv", "jsonl") for dtype in HARNESS.types(Case(name=name))}
    assert all(parse_type(type_spec(dtype)) == dtype for dtype in types)
    assert parse_type("fixed_size_binary[16]") == pa.binary(16)
    for spec in ("number", "decimal128(99, 2)", {"list": "int64", "more": 1}, {"struct": ["a"]}, 7, None):
        with pytest.raises(ValueError, match="Arrow type"):
            parse_type(spec)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be written"):
        type_spec(pa.dictionary(pa.int8(), pa.string()))


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


def write_int96(path: Path, table: pa.Table, **options: Any) -> None:
    pq.write_table(table, path, use_deprecated_int96_timestamps=True, **options)


@pytest.mark.parametrize("store_schema", [True, False])
@pytest.mark.parametrize("unit", ["ms", "us"])
def test_every_year_of_int96_comes_back(
    tmp_path: Path, connect: Connect, read: Read, unit: str, store_schema: bool
) -> None:
    table = pa.table({"t": pa.array(MOMENTS, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)})
    write_int96(tmp_path / "t.parquet", table, store_schema=store_schema, row_group_size=3)
    connector = connect(tmp_path)
    (info,) = connector.discover()
    plan = connector.plan(ReadRequest(stream="t"))
    for partitions in (1, 3):
        got = read(connector, "t", partitions=partitions)
        assert got["t"].to_pylist() == table["t"].to_pylist()
        assert got.schema.field("t").type == pa.timestamp("us")
        assert got.schema.equals(info.arrow_schema, check_metadata=True)
        assert got.schema.equals(plan.arrow_schema, check_metadata=True)


def test_int96_in_lists_and_structs_comes_back(tmp_path: Path, connect: Connect, read: Read) -> None:
    stamps = pa.array(MOMENTS, pa.timestamp("us"))
    table = pa.table(
        {
            "l": pa.ListArray.from_arrays(pa.array([0, 3, 3, 8]), stamps),
            "s": pa.StructArray.from_arrays([stamps[:3], pa.array([1, 2, 3])], names=["at", "n"]),
        }
    )
    write_int96(tmp_path / "t.parquet", table)
    assert read(connect(tmp_path), "t").to_pydict() == table.to_pydict()


def test_a_filter_compares_the_right_values_of_int96(tmp_path: Path, connect: Connect, read: Read) -> None:
    write_int96(tmp_path / "t.parquet", pa.table({"t": pa.array(MOMENTS, pa.timestamp("us"))}), row_group_size=2)
    for op, year, expected in (("gt", "3000-01-01T00:00:00", MOMENTS[6:7]), ("lt", "1500-01-01T00:00:00", MOMENTS[:1])):
        got = read(connect(tmp_path), "t", filters=(Compare(op=op, column="t", value=year),))
        assert got["t"].to_pylist() == expected


@pytest.mark.parametrize("nested", [False, True])
def test_digits_that_microseconds_drop_are_refused_and_read_in_nanoseconds(
    tmp_path: Path, connect: Connect, read: Read, nested: bool
) -> None:
    stamps = pa.array([0, -1, 1_706_704_200_123_456_789], pa.timestamp("ns"))
    column = pa.ListArray.from_arrays(pa.array([0, 3]), stamps) if nested else stamps
    write_int96(tmp_path / "t.parquet", pa.table({"t": column, "n": range(len(column))}))
    with pytest.raises(SchemaMismatchError, match=r"column 't' of t\.parquet: .*\(-1 ns ") as caught:
        read(connect(tmp_path), "t")
    assert caught.value.hint == "set `int96` to 'ns'"
    assert read(connect(tmp_path), "t", columns=("n",)).num_rows == len(column)
    assert read(connect(tmp_path, int96="ns"), "t")["t"].combine_chunks() == pa.chunked_array([column]).combine_chunks()


def test_years_that_nanoseconds_cannot_hold_are_refused_and_read_in_microseconds(
    tmp_path: Path, connect: Connect, read: Read
) -> None:
    for moment in (MOMENTS[0], MOMENTS[6]):
        write_int96(tmp_path / "t.parquet", pa.table({"t": pa.array([moment], pa.timestamp("us"))}))
        with pytest.raises(SchemaMismatchError, match=r"column 't' of t\.parquet: .* years 1677 to 2262") as caught:
            read(connect(tmp_path, int96="ns"), "t")
        assert caught.value.hint == "set `int96` to 'us'"
        assert read(connect(tmp_path), "t")["t"].to_pylist() == [moment]


def test_other_timestamps_keep_their_unit(tmp_path: Path, connect: Connect, read: Read) -> None:
    table = pa.table({unit: pa.array([1], pa.timestamp(unit, "UTC")) for unit in ("ms", "us", "ns")})
    pq.write_table(table, tmp_path / "t.parquet")
    for unit in ("us", "ns"):
        assert read(connect(tmp_path, int96=unit), "t").equals(table)
