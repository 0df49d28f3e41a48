"""A file that cannot be read gives an error that names it, never the exception of a library."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chimes import ReadRequest
from chimes.errors import ChimesError, ConfigError, NotFoundError, SchemaMismatchError, UnsupportedError
from chimes_files.connector import FilesConnector

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]


def ipc(path: Path, table: pa.Table) -> bytes:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    return path.read_bytes()


def test_a_missing_root_is_named(tmp_path: Path, connect: Connect) -> None:
    connector = connect(tmp_path / "nowhere")
    for act in (connector.ping, lambda: list(connector.discover()), lambda: connector.plan(ReadRequest(stream="x"))):
        with pytest.raises(NotFoundError, match="nowhere"):
            act()


def test_a_root_that_is_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path, connect: Connect) -> None:
    os.mkfifo(tmp_path / "t.csv")
    for root in (tmp_path / "t.csv", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="neither a file nor a folder"):
            list(connect(root, format="csv").discover())


def test_a_file_removed_after_the_plan_is_named(tmp_path: Path, connect: Connect) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "t.parquet")
    connector, request = connect(tmp_path), ReadRequest(stream="t")
    plan = connector.plan(request)
    (tmp_path / "t.parquet").unlink()
    with pytest.raises(NotFoundError, match=r"t\.parquet"):
        list(connector.read(request, plan.partitions[0]))


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"PAR1" + b"x" * 100 + b"PAR1"])
def test_a_file_with_other_content_than_its_suffix_is_named(
    tmp_path: Path, connect: Connect, suffix: str, content: bytes
) -> None:
    (tmp_path / f"t.{suffix}").write_bytes(content)
    with pytest.raises(SchemaMismatchError, match=rf"t\.{suffix} is not valid"):
        list(connect(tmp_path).discover())


@contextlib.contextmanager
def naming(file: str) -> Iterator[None]:
    try:
        yield
    except ChimesError as error:
        if file not in error.message or not error.hint:
            raise AssertionError(f"{error!r} does not name {file} or has no hint") from error
        raise


def test_damage_in_a_columnar_file_gives_an_error_that_names_it_or_valid_rows(
    tmp_path: Path, connect: Connect, read: Read
) -> None:
    table = pa.table({"s": [f"词{i}" for i in range(300)], "i": range(300)})
    pq.write_table(table, tmp_path / "p.parquet")
    whole = {"p.parquet": (tmp_path / "p.parquet").read_bytes(), "a.arrow": ipc(tmp_path / "a.arrow", table)}
    refused = 0
    for name, content in whole.items():
        for start in range(0, len(content), len(content) // 25):
            (tmp_path / name).write_bytes(content[:start] + b"\xff" * 16 + content[start + 16 :])
            with contextlib.suppress(ChimesError), naming(name):
                refused += 1
                read(connect(tmp_path), name.partition(".")[0]).validate(full=True)
                refused -= 1
        (tmp_path / name).write_bytes(content)
    assert refused > 20


def test_text_that_is_not_utf_8_is_named(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "j.jsonl").write_bytes(b'{"s": "\xff"}\n')
    (tmp_path / "c.csv").write_bytes(b"s\n\xff\n")
    (tmp_path / "h.csv").write_bytes(b"\xff\n1\n")
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))
    ipc(tmp_path / "a.arrow", pa.table({"s": bad}))
    pq.write_table(pa.table({"s": bad}), tmp_path / "p.parquet")
    types = {"csv": {"types": {"s": "string"}}, "jsonl": {"types": {"s": "string"}}}
    for stream in "jcap":
        with pytest.raises(SchemaMismatchError, match=rf"(column 's' of {stream}\.)|({stream}\.jsonl)"):
            read(connect(tmp_path, **types), stream)
    with pytest.raises(SchemaMismatchError, match=r"h\.csv"):
        read(connect(tmp_path), "h")


OTHERS = {
    "has no column 'x'": pa.table({"y": [1]}),
    "has a column 'y'": pa.table({"x": [1], "y": [1]}),
    "column 'x' of .* has type string": pa.table({"x": ["1"]}),
}


@pytest.mark.parametrize("expected", OTHERS)
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_column_that_changed_between_plan_and_read_is_named(
    tmp_path: Path, connect: Connect, expected: str, suffix: str
) -> None:
    write = pq.write_table if suffix == "parquet" else lambda table, path: ipc(path, table)
    path = tmp_path / f"t.{suffix}"
    write(pa.table({"x": [1]}), path)
    connector, request = connect(tmp_path), ReadRequest(stream="t")
    plan = connector.plan(request)
    write(OTHERS[expected], path)
    with pytest.raises(SchemaMismatchError, match=expected) as caught:
        list(connector.read(request, plan.partitions[0]))
    assert path.name in caught.value.message


@pytest.mark.parametrize("expected", OTHERS)
def test_a_file_of_a_folder_with_another_schema_is_named(
    tmp_path: Path, connect: Connect, read: Read, expected: str
) -> None:
    (tmp_path / "t").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "t" / "1.parquet")
    pq.write_table(OTHERS[expected], tmp_path / "t" / "2.parquet")
    with pytest.raises(SchemaMismatchError, match=expected) as caught:
        read(connect(tmp_path), "t")
    assert "t/2.parquet" in caught.value.message


def test_columns_of_a_folder_may_be_in_another_order(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t").mkdir()
    pq.write_table(pa.table({"x": [1], "y": ["a"]}), tmp_path / "t" / "1.parquet")
    pq.write_table(pa.table({"y": ["b"], "x": [2]}), tmp_path / "t" / "2.parquet")
    assert read(connect(tmp_path), "t").to_pydict() == {"x": [1, 2], "y": ["a", "b"]}


def test_a_null_in_a_column_without_nulls_is_named(tmp_path: Path, connect: Connect, read: Read) -> None:
    schema = pa.schema([pa.field("x", pa.int64(), nullable=False)])
    ipc(tmp_path / "t.arrow", pa.table([pa.array([1, None])], schema=schema))
    with pytest.raises(SchemaMismatchError, match=r"column 'x' of t\.arrow holds null"):
        read(connect(tmp_path), "t")
    (tmp_path / "u").mkdir()
    ipc(tmp_path / "u" / "1.arrow", pa.table([pa.array([1])], schema=schema))
    ipc(tmp_path / "u" / "2.arrow", pa.table({"x": pa.array([1])}))
    with pytest.raises(SchemaMismatchError, match=r"column 'x' of u/2\.arrow may be null"):
        read(connect(tmp_path), "u")


def test_two_columns_of_one_name_are_refused(tmp_path: Path, connect: Connect) -> None:
    ipc(tmp_path / "a.arrow", pa.table([[1], [2]], names=["x", "x"]))
    (tmp_path / "c.csv").write_text("x,y,x\n1,2,3\n")
    for stream in ("a", "c"):
        with pytest.raises(SchemaMismatchError, match="two columns called 'x'"):
            list(connect(tmp_path).discover(stream))


def test_csv_of_another_type_is_named_with_column_row_and_value(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,x\n")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "empty.csv").write_text("")
    connector = connect(tmp_path, csv={"types": {"b": "int64"}})
    with pytest.raises(SchemaMismatchError, match=r"column 'b' of t\.csv, row 2: .*'x'"):
        read(connector, "t")
    with pytest.raises(SchemaMismatchError, match=r"ragged\.csv"):
        read(connector, "ragged")
    with pytest.raises(SchemaMismatchError, match=r"empty\.csv has no header row"):
        read(connector, "empty")


def test_a_header_that_changed_between_plan_and_read_is_named(tmp_path: Path, connect: Connect) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n")
    connector, request = connect(tmp_path), ReadRequest(stream="t")
    plan = connector.plan(request)
    for header, expected in (("a\n1\n", "no column 'b'"), ("a,b,c\n1,2,3\n", "a column 'c'")):
        path.write_text(header)
        with pytest.raises(SchemaMismatchError, match=rf"t\.csv has {expected}"):
            list(connector.read(request, plan.partitions[0]))


def test_json_of_another_type_is_named_with_its_field(tmp_path: Path, connect: Connect, read: Read) -> None:
    contents = {
        "more": ('{"x": 1, "new": 2}\n', "'new'"),
        "other": ('{"x": "a"}\n', r"column 'x' of other\.jsonl, line 1: \"a\""),
        "cut": ('{"x": 1', "cut.jsonl"),
        "list": ("[1]\n", "list.jsonl"),
        "day": ('{"d": "someday"}\n', "column 'd' of day"),
        "nested": ('{"s": {"a": 1, "b": 2}}\n', r"column 's' \(/b\) of nested\.jsonl, line 1"),
    }
    for name, (text, _) in contents.items():
        (tmp_path / f"{name}.jsonl").write_text(text)
    fields: dict[str, Any] = {name: {"x": "int64"} for name in contents}
    fields |= {"day": {"d": "date32"}, "nested": {"s": {"struct": {"a": "int64"}}}}
    for name, (_, expected) in contents.items():
        with pytest.raises(SchemaMismatchError, match=expected):
            read(connect(tmp_path, jsonl={"streams": fields}), name)


def test_a_row_longer_than_a_block_says_what_to_change(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "c.csv").write_text("a,b\n" + "x" * 5000 + ",1\n" + "x,2\n" * 3000)
    (tmp_path / "j.jsonl").write_text('{"a": "' + "x" * 5000 + '"}\n{"a": "x"}\n')
    for stream in "cj":
        with pytest.raises(SchemaMismatchError) as caught:
            read(connect(tmp_path, block_bytes=1024), stream)
        assert "block_bytes" in str(caught.value.hint)
        assert read(connect(tmp_path), stream).num_rows > 1


def test_a_header_that_is_not_csv_is_named(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "t.csv").write_text("x" * 200_000 + "\n1\n")
    with pytest.raises(SchemaMismatchError, match=r"t\.csv has an invalid header row"):
        list(connect(tmp_path).discover())


@pytest.mark.parametrize("value", ["[" * 200_000 + "]" * 200_000, '{"x":' * 50_000 + "1" + "}" * 50_000])
def test_deeply_nested_json_is_named_and_does_not_end_the_process(tmp_path: Path, connect: Connect, value: str) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"x": {value}}}\n')
    with pytest.raises(SchemaMismatchError, match=r"t\.jsonl nests values more than 64 deep"):
        list(connect(tmp_path).discover())


def test_brackets_in_a_text_do_not_count_as_nesting(tmp_path: Path, connect: Connect, read: Read) -> None:
    text = "[" * 100 + '\\"' + "{" * 100
    (tmp_path / "t.jsonl").write_text(f'{{"s": "{text}"}}\n')
    assert read(connect(tmp_path), "t")["s"].to_pylist() == [text.replace("\\", "")]


@pytest.mark.parametrize(
    "config",
    [
        *({"csv": {"encoding": name}} for name in ("base64", "undefined", "none-such")),
        {"csv": {"types": {"x": "fixed_size_binary[99999999999999999999]"}}},
        {"block_bytes": 1 << 40},
    ],
)
def test_a_configuration_that_the_readers_refuse_is_refused(
    tmp_path: Path, connect: Connect, config: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        connect(tmp_path, **config)


def test_a_type_that_a_format_cannot_carry_is_refused(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(UnsupportedError, match=r"t\.csv"):
        read(connect(tmp_path, csv={"types": {"a": {"list": "int64"}}}), "t")


def test_an_error_closes_all_readers(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 1000 + "3,x\n")
    for _ in range(5):
        with pytest.raises(SchemaMismatchError):
            read(connect(tmp_path, csv={"types": {"b": "int64"}}), "t")
    gc.collect()
    assert not [
        link for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and "t.csv" in str(link.readlink())
    ]
