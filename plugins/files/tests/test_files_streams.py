"""Streams: how files are grouped and named, and the columns that folders' names give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from chimes import ReadRequest
from chimes.errors import ConflictError, NotFoundError, SchemaMismatchError, UnsupportedError
from chimes.kinds.predicates import Compare, IsNull
from chimes_files.connector import FilesConnector

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]


def put(root: Path, *paths: str, **columns: Any) -> None:
    table = pa.table(columns or {"x": [1]})
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        match target.suffix:
            case ".csv":
                target.write_text("x\n1\n")
            case ".jsonl" | ".json" | ".ndjson":
                target.write_text('{"x": 1}\n')
            case ".arrow" | ".feather" | ".ipc":
                with pa.ipc.new_file(target, table.schema) as writer:
                    writer.write_table(table)
            case _:
                pq.write_table(table, target)


def names(connector: FilesConnector, pattern: str | None = None) -> list[str]:
    return [info.name for info in connector.discover(pattern)]


def test_a_file_in_the_root_is_a_stream_and_so_is_a_folder(tmp_path: Path, connect: Connect, read: Read) -> None:
    put(tmp_path, "b.parquet", "a.csv", "z/2.parquet", "z/1.parquet", "deep/er/x.arrow", "deep/y.jsonl", "v1.2.pq")
    assert names(connect(tmp_path)) == ["a", "b", "deep", "deep/er", "v1.2", "z"]
    assert read(connect(tmp_path), "z").num_rows == 2


def test_each_file_is_a_stream_if_configured(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "b.parquet", "z/2.parquet", "z/1.parquet", "k=1/x.csv")
    assert names(connect(tmp_path, stream_per="file")) == ["b", "k=1/x", "z/1", "z/2"]


def test_hidden_files_and_other_suffixes_are_ignored(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "a.parquet", ".b.parquet", "_c.parquet", "_tmp/d.parquet", "t/.x.parquet", "README.md", "n.json")
    assert names(connect(tmp_path)) == ["a"]
    assert names(connect(tmp_path, hidden=["."])) == ["_c", "_tmp", "a"]
    assert names(connect(tmp_path, format="jsonl")) == ["n"]


def test_links_are_followed_and_circles_end(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "in/a/x.parquet", "out/b/y.parquet")
    (tmp_path / "in" / "a" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "gone.parquet").symlink_to(tmp_path / "nothing")
    assert names(connect(tmp_path / "in")) == ["a", "other/b"]


def test_streams_with_the_same_name_keep_their_suffix(tmp_path: Path, connect: Connect, read: Read) -> None:
    put(tmp_path, "a.csv", "a.parquet", "b.parquet", "m/1.csv", "m/1.parquet")
    assert names(connect(tmp_path)) == ["a.csv", "a.parquet", "b", "m.csv", "m.parquet"]
    assert names(connect(tmp_path, format="csv")) == ["a", "m"]
    assert read(connect(tmp_path), "m.csv").num_rows == 1


def test_streams_with_the_same_name_and_suffix_are_refused(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "a.csv", "a/1.csv", "a/1.parquet")
    with pytest.raises(ConflictError, match=r"'a\.csv'"):
        names(connect(tmp_path))


def test_the_root_may_be_one_file(tmp_path: Path, connect: Connect, read: Read) -> None:
    put(tmp_path, "a.parquet", "b.parquet")
    (tmp_path / "table").write_text("x\n1\n2\n")
    assert names(connect(tmp_path / "a.parquet")) == ["a"]
    assert names(connect(tmp_path / "table")) == []
    assert read(connect(tmp_path / "table", format="csv"), "table").to_pydict() == {"x": [1, 2]}
    connect(tmp_path / "a.parquet").ping()


def test_a_pattern_selects_streams_and_other_files_are_not_opened(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "sales_1.parquet", "sales_2.parquet", "stock.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"nothing")
    connector = connect(tmp_path)
    assert names(connector, "sales_*") == ["sales_1", "sales_2"]
    assert names(connector, "s*[!2]") == ["sales_1", "stock"]
    assert names(connector, "none") == []
    with pytest.raises(SchemaMismatchError, match=r"broken\.parquet is not valid Parquet"):
        names(connector)


def test_an_unknown_stream_is_named_with_the_existing_ones(tmp_path: Path, connect: Connect) -> None:
    with pytest.raises(NotFoundError, match="'b'") as caught:
        connect(tmp_path).plan(ReadRequest(stream="b"))
    assert "no file" in str(caught.value.hint)
    put(tmp_path, *(f"t{number:02}.parquet" for number in range(25)))
    with pytest.raises(NotFoundError, match="'b'") as caught:
        connect(tmp_path).plan(ReadRequest(stream="b"))
    assert "t00, t01" in str(caught.value.hint)
    assert "5 more" in str(caught.value.hint)


def test_an_unknown_column_is_named_with_the_existing_ones(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "t.parquet", a=[1], b=[2])
    with pytest.raises(NotFoundError, match="'c'") as caught:
        connect(tmp_path).plan(ReadRequest(stream="t", columns=("a", "c")))
    assert caught.value.hint == "columns: a, b"


def test_columns_come_in_the_requested_order(tmp_path: Path, connect: Connect, read: Read) -> None:
    put(tmp_path, "t.parquet", "f.arrow", a=[1], b=[2], c=[3])
    (tmp_path / "c.csv").write_text("a,b,c\n1,2,3\n")
    (tmp_path / "j.jsonl").write_text('{"a": 1, "b": 2, "c": 3}\n')
    for stream in "tfcj":
        assert read(connect(tmp_path), stream, columns=("c", "a")).to_pylist() == [{"c": 3, "a": 1}]
        assert read(connect(tmp_path), stream, columns=("c", "a")).column_names == ["c", "a"]


@pytest.mark.parametrize(("columns", "expected"), [((), "empty"), (("x", "x"), "twice")])
def test_an_empty_list_of_columns_and_a_repeated_column_are_refused(
    tmp_path: Path, connect: Connect, columns: tuple[str, ...], expected: str
) -> None:
    put(tmp_path, "t.parquet")
    with pytest.raises(UnsupportedError, match=expected):
        connect(tmp_path).plan(ReadRequest(stream="t", columns=columns))


def test_files_have_no_snapshots(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "t.parquet")
    with pytest.raises(UnsupportedError, match="'monday'"):
        connect(tmp_path).plan(ReadRequest(stream="t", snapshot="monday"))


def hive(root: Path) -> pa.Table:
    table = pa.table({"x": range(8), "year": [2023, 2024] * 4, "place": ["武汉", "a b/c", None, "x=y"] * 2})
    ds.write_dataset(table, root / "t", format="parquet", partitioning=["year", "place"], partitioning_flavor="hive")
    return table


def test_hive_folders_give_columns(tmp_path: Path, connect: Connect, read: Read) -> None:
    table = hive(tmp_path)
    connector = connect(tmp_path)
    assert [(i.name, i.arrow_schema.names) for i in connector.discover()] == [("t", ["x", "year", "place"])]
    for wanted in (1, 3, 64):
        got = read(connector, "t", partitions=wanted)
        assert got.schema.types == [pa.int64(), pa.int64(), pa.string()]
        assert got.sort_by("x").to_pydict() == table.to_pydict()
    assert sorted(read(connector, "t", columns=("year",)).column("year").to_pylist()) == [2023] * 4 + [2024] * 4
    typed = read(connect(tmp_path, partition_types={"year": "int16"}), "t")
    assert typed.schema.field("year").type == pa.int16()


def test_the_root_itself_may_hold_hive_folders(tmp_path: Path, connect: Connect, read: Read) -> None:
    table = hive(tmp_path)
    assert names(connect(tmp_path / "t")) == ["t"]
    assert read(connect(tmp_path / "t"), "t").num_rows == table.num_rows


def test_a_filter_on_a_hive_column_opens_only_matching_files(tmp_path: Path, connect: Connect, read: Read) -> None:
    put(tmp_path, "t/k=1/a.parquet", "t/k=2/a.parquet", "t/k=__HIVE_DEFAULT_PARTITION__/a.parquet")
    (tmp_path / "t/k=2/a.parquet").write_bytes(b"broken")
    connector = connect(tmp_path)
    assert read(connector, "t", filters=(Compare(op="lt", column="k", value=2),)).to_pydict() == {"x": [1], "k": [1]}
    assert read(connector, "t", filters=(IsNull(column="k"),)).to_pydict() == {"x": [1], "k": [None]}
    both = (Compare(op="ne", column="k", value=2), Compare(op="gt", column="x", value=1))
    assert read(connector, "t", filters=both).num_rows == 0
    none = read(connector, "t", filters=(Compare(op="gt", column="k", value=9),), partitions=4)
    assert (none.num_rows, none.column_names) == (0, ["x", "k"])


def test_without_hive_a_folder_is_part_of_the_name(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "t/k=1/a.parquet")
    assert names(connect(tmp_path, partitioning="none")) == ["t/k=1"]


def test_hive_folders_with_other_keys_or_values_are_refused_by_name(
    tmp_path: Path, connect: Connect, read: Read
) -> None:
    put(tmp_path, "t/k=1/a.parquet", "t/j=1/a.parquet", "u/x=1/a.parquet", "v/k=old/a.parquet")
    with pytest.raises(SchemaMismatchError, match="other key=value folders"):
        names(connect(tmp_path), "t")
    with pytest.raises(SchemaMismatchError, match=r"column 'x' is in u/x=1/a\.parquet"):
        names(connect(tmp_path), "u")
    with pytest.raises(SchemaMismatchError, match="k=old in the path"):
        read(connect(tmp_path, partition_types={"k": "int64"}), "v")
