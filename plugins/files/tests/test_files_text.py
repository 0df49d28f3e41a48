"""CSV and JSON Lines: options, guessing, null against empty text, encodings, compression."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from chimes.errors import ConfigError
from chimes_files.connector import FilesConnector

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]


def test_an_empty_value_is_null_and_a_quoted_one_is_empty_text(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.csv").write_text('a,n\n,1\n"",2\nx,\n')
    (tmp_path / "one.csv").write_text('a\n\n""\nx\n')
    assert read(connect(tmp_path), "t").to_pydict() == {"a": [None, "", "x"], "n": [1, 2, None]}
    assert read(connect(tmp_path), "one").to_pydict() == {"a": [None, "", "x"]}


def test_the_values_that_mean_null_are_configured(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.csv").write_text('a,b\nNA,1\n"NA",-\n,3\n')
    got = read(connect(tmp_path, csv={"null_values": ["NA", "-"]}), "t")
    assert got.to_pydict() == {"a": [None, "NA", ""], "b": [1, None, 3]}


def test_types_are_guessed_or_all_columns_are_text(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.csv").write_text("i,f,s,d\n1,1.5,x,2024-01-31\n")
    assert read(connect(tmp_path), "t").schema.types == [pa.int64(), pa.float64(), pa.string(), pa.date32()]
    plain = connect(tmp_path, csv={"infer": False, "types": {"i": "uint8", "unused": "int8"}})
    assert read(plain, "t").to_pylist() == [{"i": 1, "f": "1.5", "s": "x", "d": "2024-01-31"}]
    assert read(plain, "t").schema.field("i").type == pa.uint8()


def test_types_can_be_given_for_one_stream(tmp_path: Path, connect: Connect, read: Read) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("x\n7\n")
    connector = connect(tmp_path, csv={"types": {"x": "int8"}, "streams": {"b": {"x": "string"}}})
    assert [read(connector, name).column("x").to_pylist() for name in "ab"] == [[7], ["7"]]


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a;b\n'x;y';1\n", {"delimiter": ";", "quote": "'"}),
        ("a\tb\nx;y\t1\n", {"delimiter": "\t"}),
        ("a,b\nx;y,1\n", {"quote": None}),
        ("a,b\nx\\;y,1\n", {"escape": "\\", "quote": None}),
        ("x;y,1\n", {"names": ["a", "b"]}),
        ("\ufeffa,b\r\nx;y,1\r\n", {}),
        ('"a",b\n"x;y","1"\n\n', {"types": {"b": "int64"}}),
    ],
)
def test_csv_is_read_as_it_is_written(
    tmp_path: Path, connect: Connect, read: Read, text: str, options: dict[str, object]
) -> None:
    (tmp_path / "t.csv").write_bytes(text.encode())
    assert read(connect(tmp_path, csv=options), "t").to_pydict() == {"a": ["x;y"], "b": [1]}


def test_another_encoding_is_decoded(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.csv").write_bytes("名,值\n编钟,1\n".encode("gbk"))
    assert read(connect(tmp_path, csv={"encoding": "GBK"}), "t").to_pydict() == {"名": ["编钟"], "值": [1]}


def test_compressed_text_is_read(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"a\n1\n2\n"))
    (tmp_path / "j.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n'))
    with pa.output_stream(tmp_path / "z.csv.zst", compression="zstd") as stream:
        stream.write(b"a\n3\n")
    connector = connect(tmp_path)
    assert {info.name: read(connector, info.name).column("a").to_pylist() for info in connector.discover()} == {
        "c": [1, 2],
        "j": [1],
        "z": [3],
    }


@pytest.mark.parametrize("text", ["a,b", "a,b\n"])
def test_a_file_with_only_a_header_is_an_empty_stream(tmp_path: Path, connect: Connect, read: Read, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    got = read(connect(tmp_path), "t")
    assert (got.num_rows, got.schema.types) == (0, [pa.string(), pa.string()])


@pytest.mark.parametrize("text", ["", "\n\n \n"])
def test_json_lines_without_lines_are_an_empty_stream(tmp_path: Path, connect: Connect, read: Read, text: str) -> None:
    (tmp_path / "t.jsonl").write_text(text)
    got = read(connect(tmp_path, jsonl={"types": {"a": "int8"}}), "t")
    assert (got.num_rows, got.schema.names) == (0, ["a"])


def test_json_fields_are_found_or_configured(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"a": 1, "d": "2024-01-31", "m": "1.10", "s": {"k": [1, null]}}\n\n{"a": null}\n'
    )
    got = read(connect(tmp_path, jsonl={"types": {"d": "date32", "m": "decimal128(5, 2)"}}), "t")
    assert got.select(["a", "d", "m", "s"]).to_pylist() == [
        {"a": 1, "d": date(2024, 1, 31), "m": Decimal("1.10"), "s": {"k": [1, None]}},
        {"a": None, "d": None, "m": None, "s": None},
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"csv": {"types": {"a": "number"}}}, "column 'a': 'number'"),
        ({"jsonl": {"streams": {"t": {"a": "decimal128(99, 0)"}}}}, "decimal128"),
        ({"csv": {"encoding": "klingon"}}, "klingon"),
        ({"csv": {"delimiter": "||"}}, "delimiter"),
        ({"format": "xlsx"}, "format"),
        ({"color": "red"}, "color"),
    ],
)
def test_an_invalid_option_is_named(
    tmp_path: Path, connect: Connect, options: dict[str, object], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        connect(tmp_path, **options)
