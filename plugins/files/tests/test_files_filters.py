"""Filters: in every format the connector gives the rows that the SDK's own filter keeps."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any as Anything

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chimes import Context, ReadRequest
from chimes.conformance.harness import Case
from chimes.conformance.testdata.compare import count_rows
from chimes.errors import NotFoundError, SchemaMismatchError
from chimes.kinds.component import parse_config
from chimes.kinds.predicates import All, Any, Compare, In, IsNull, Not, StartsWith, filter_batch
from chimes_files.conformance import FilesHarness
from chimes_files.connector import FilesConnector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HARNESS = FilesHarness()
REALS = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, -2.25, None]
WORDS = ["", "a", "ab", "b", "é", "鐘", "🔔", 'q"\\', "a,b", "\n", None]
DAYS = [date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29), None]
TIMES = [datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2024, 2, 29, 0, 0, 0, 1), None]
SUMS = [Decimal("-1.50"), Decimal("0.00"), Decimal("1.15"), Decimal("9999999.99"), None]

POOLS: dict[pa.DataType, list[Anything]] = {
    pa.int8(): [-128, -1, 0, 1, 127, None],
    pa.int64(): [-(2**63), -1, 0, 2**53 + 1, 2**63 - 1, None],
    pa.uint64(): [0, 1, 2**63 + 5, 2**64 - 1, None],
    pa.float32(): REALS,
    pa.float64(): REALS,
    pa.float16(): REALS,
    pa.bool_(): [True, False, None],
    pa.decimal128(38, 2): SUMS,
    pa.decimal256(60, 2): SUMS,
    pa.decimal64(18, 2): SUMS,
    pa.string(): WORDS,
    pa.large_string(): WORDS,
    pa.string_view(): WORDS,
    pa.dictionary(pa.int32(), pa.string()): WORDS,
    pa.binary(): [None if word is None else word.encode() for word in WORDS],
    pa.binary(2): [b"aa", b"ab", b"zz", None],
    pa.date32(): DAYS,
    pa.date64(): DAYS,
    pa.timestamp("us"): TIMES,
    pa.timestamp("ms", "Asia/Shanghai"): [datetime(2024, 1, 1, tzinfo=UTC), datetime(1900, 1, 1, tzinfo=UTC), None],
    pa.time64("us"): [datetime(2024, 1, 1, 12, 0, 0, 1).time(), datetime(2024, 1, 1).time(), None],
    pa.duration("s"): [-1, 0, 86_400, None],
    pa.null(): [None],
}
TEXT = ("string", "large_string", "string_view", "binary", "dictionary<values=string, indices=int32, ordered=0>")


def literal(value: Anything) -> Anything:
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case Decimal():
            return str(value)
        case bytes():
            return value.decode()
        case bool() | int() | float() | str():
            return value
    return value.isoformat()


def leaves(column: str, dtype: pa.DataType) -> st.SearchStrategy[Anything]:
    known = [literal(value) for value in POOLS[dtype] if value is not None] or ["anything"]
    value, name = st.sampled_from(known), st.just(column)
    ops = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
    found: list[st.SearchStrategy[Anything]] = [
        st.builds(Compare, op=ops, column=name, value=value),
        st.builds(In, column=name, values=st.lists(value, max_size=3).map(tuple)),
        st.just(IsNull(column=column)),
    ]
    if str(dtype) in TEXT:
        found.append(st.builds(StartsWith, column=name, prefix=st.sampled_from([w for w in WORDS if w is not None])))
    return st.one_of(found)


def trees(leaf: st.SearchStrategy[Anything]) -> st.SearchStrategy[Anything]:
    def grow(inner: st.SearchStrategy[Anything]) -> st.SearchStrategy[Anything]:
        several = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.builds(Not, arg=inner) | st.builds(All, args=several) | st.builds(Any, args=several)

    return st.recursive(leaf, grow, max_leaves=4)


@st.composite
def questions(draw: st.DrawFn, types: list[pa.DataType]) -> tuple[pa.Table, tuple[Anything, ...]]:
    """A table with a column of some type beside numbers, and up to two filters."""
    dtype, rows = draw(st.sampled_from(types)), draw(st.integers(0, 40))
    columns: dict[str, pa.Array] = {"row": pa.array(range(rows), pa.int64())}
    for name, kind in (("x", dtype), ("y", pa.int64())):
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        cells = draw(st.lists(st.sampled_from(POOLS[kind]), min_size=rows, max_size=rows))
        # Sorted now and then, so that row groups have narrow statistics.
        if draw(st.booleans()):
            cells = sorted(cells, key=lambda cell: (cell is None, str(cell)))
        columns[name] = pa.array(cells, plain).cast(kind)
    tree = trees(leaves("x", dtype) | leaves("y", pa.int64()))
    return pa.table(columns), tuple(draw(st.lists(tree, min_size=1, max_size=2)))


@pytest.mark.parametrize("name", ["parquet", "parquet-folder", "ipc", "csv", "jsonl"])
def test_exactly_the_matching_rows_are_read(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    case = Case(name=name)
    types = [dtype for dtype in HARNESS.types(case) if dtype in POOLS]
    more = [dtype for dtype in POOLS if dtype not in types] if name in ("parquet", "ipc") else []
    claimed = types + [dtype for dtype in more if name == "ipc" or dtype not in (pa.date64(),)]

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(asked=questions(claimed), wanted=st.sampled_from([1, 3]))
    def compare(asked: tuple[pa.Table, tuple[Anything, ...]], wanted: int) -> None:
        table, filters = asked
        context = Context.under(tmp_path_factory.mktemp("asked"))
        config = parse_config(FilesConnector, HARNESS.seed(case, {"t": table}, context))
        connector = FilesConnector(config, context)  # type: ignore[arg-type]
        request = ReadRequest(stream="t", filters=filters, partitions=wanted, columns=("x", "row"))
        plan = connector.plan(request)
        got = [batch for part in plan.partitions for batch in connector.read(request, part)]
        assert plan.exact == (True,) * len(filters)
        assert count_rows(pa.Table.from_batches(got, plan.arrow_schema)) == count_rows(sieve(table, filters))

    compare()


def sieve(table: pa.Table, filters: tuple[Anything, ...]) -> pa.Table:
    batches = table.combine_chunks().to_batches()
    for predicate in filters:
        batches = [filter_batch(batch, predicate) for batch in batches]
    return pa.Table.from_batches(batches, table.schema).select(["x", "row"])


@pytest.mark.parametrize("dtype", [pa.float32(), pa.float64()])
def test_statistics_without_nan_do_not_exclude_rows(
    tmp_path: Path, connect: Callable[..., FilesConnector], read: Callable[..., pa.Table], dtype: pa.DataType
) -> None:
    sets = ([1.0, math.nan], [math.nan, None], [0.0, None], [-0.0, 2.0], [1.0, 1.0])
    table = pa.table({"x": pa.array([x for pair in sets for x in pair], dtype), "row": range(10)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    connector = connect(tmp_path)
    for value in (1.0, 0.0, -0.0, 5.0, -3.0):
        compared = [Compare(op=op, column="x", value=value) for op in ("eq", "ne", "lt", "le", "gt", "ge")]
        for leaf in (*compared, In(column="x", values=(value,))):
            for predicate in (leaf, Not(arg=leaf)):
                got = read(connector, "t", filters=(predicate,), columns=("x", "row"))
                assert count_rows(got) == count_rows(sieve(table, (predicate,))), predicate


def test_row_groups_excluded_by_statistics_are_not_read(
    tmp_path: Path, connect: Callable[..., FilesConnector], read: Callable[..., pa.Table]
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": range(100)}), path, row_group_size=50, compression="none", use_dictionary=False)
    first = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[first.data_page_offset : first.data_page_offset + 20] = b"\xff" * 20
    path.write_bytes(content)
    connector = connect(tmp_path)
    assert read(connector, "t", filters=(Compare(op="ge", column="x", value=98),)).column("x").to_pylist() == [98, 99]
    with pytest.raises(SchemaMismatchError, match=r"t\.parquet"):
        read(connector, "t", filters=(Compare(op="le", column="x", value=98),))


def test_a_column_used_only_by_a_filter_is_not_returned(
    tmp_path: Path, connect: Callable[..., FilesConnector], read: Callable[..., pa.Table]
) -> None:
    pq.write_table(pa.table({"a": [1, 2, 3], "b": ["x", "y", "x"]}), tmp_path / "t.parquet")
    got = read(connect(tmp_path), "t", columns=("a",), filters=(Compare(op="eq", column="b", value="x"),))
    assert got.to_pydict() == {"a": [1, 3]}


def test_an_invalid_filter_is_refused_before_anything_is_read(
    tmp_path: Path, connect: Callable[..., FilesConnector]
) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    connector = connect(tmp_path)
    with pytest.raises(NotFoundError, match="'b'"):
        connector.plan(ReadRequest(stream="t", filters=(IsNull(column="b"),)))
    with pytest.raises(SchemaMismatchError, match="'many'"):
        connector.plan(ReadRequest(stream="t", filters=(Compare(op="lt", column="a", value="many"),)))
