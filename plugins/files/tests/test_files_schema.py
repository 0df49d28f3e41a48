"""The setting `schema`: the user says what a text means, and a text that means something else is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chimes import ReadRequest
from chimes.errors import ConfigError, SchemaMismatchError
from chimes_files.connector import FilesConnector

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]

NOON = datetime(2024, 1, 31, 12, 30, tzinfo=UTC)

CSV: list[tuple[str, Any, Any]] = [
    ("01234", "string", "01234"),
    ("01234", "int64", 1234),
    ("18446744073709551615", "uint64", 2**64 - 1),
    ("12345678901234567890", "decimal128(20, 0)", Decimal("12345678901234567890")),
    ("12345678901234567890", "float64", 12345678901234567890.0),
    ("1.10", "decimal128(5, 2)", Decimal("1.10")),
    ("1.50", "string", "1.50"),
    ("7", "float32", 7.0),
    ("2024-01-31T12:30:00Z", "timestamp[us, tz=UTC]", NOON),
    ("2024-01-31T20:30:00+08:00", "timestamp[ms, tz=UTC]", NOON),
    ("2024-01-31T20:30:00+08:00", "string", "2024-01-31T20:30:00+08:00"),
    ("2024-01-31", "date32", date(2024, 1, 31)),
    ("12:30:00.5", "time64[us]", time(12, 30, 0, 500_000)),
    ("86400", "duration[s]", timedelta(days=1)),
    ("a", {"dictionary": "string"}, "a"),
]

CSV_REFUSED = [
    ("x", "int64"),
    ("1.5", "int64"),
    ("300", "uint8"),
    ("-1", "uint64"),
    ("18446744073709551615", "int64"),
    ("1.239", "decimal128(5, 2)"),
    ("2024-02-30", "date32"),
    ("2024-01-31T12:30:00", "date32"),
    ("2024-01-31T12:30:00.5", "timestamp[s]"),
    ("2024-01-31T12:30:00Z", "timestamp[us]"),
    ("2024-01-31T12:30:00", "timestamp[us, tz=UTC]"),
    ("9999-12-31T00:00:00", "timestamp[ns]"),
    ("yes", "bool"),
]

JSONL: list[tuple[str, Any, Any]] = [
    ("1234567890123456789", "string", "1234567890123456789"),
    ("1.10", "string", "1.10"),
    ('"01234"', "string", "01234"),
    ("true", "string", "true"),
    ('{"a": [1.10, "b"]}', "string", '{"a": [1.10, "b"]}'),
    ("18446744073709551615", "uint64", 2**64 - 1),
    ("12345678901234567890", "decimal128(20, 0)", Decimal("12345678901234567890")),
    ('"1.10"', "decimal128(5, 2)", Decimal("1.10")),
    ("12345678901234567890", "float64", 12345678901234567890.0),
    ("7", "float64", 7.0),
    ('"2024-01-31T12:30:00Z"', "timestamp[us, tz=UTC]", NOON),
    ('"2024-01-31T20:30:00+08:00"', "timestamp[us, tz=UTC]", NOON),
    ('"2024-01-31"', "date32", date(2024, 1, 31)),
    ('"2024-01-31"', "string", "2024-01-31"),
    ("45000000", "time32[ms]", time(12, 30)),
    ("86400", "duration[s]", timedelta(days=1)),
    ("[12345678901234567890, 7]", {"list": "string"}, ["12345678901234567890", "7"]),
    ('["2024-01-31T20:30:00+08:00"]', {"list": "timestamp[us, tz=UTC]"}, [NOON]),
    ('{"id": 7}', {"struct": {"id": "string", "n": "int8"}}, {"id": "7", "n": None}),
]

JSONL_REFUSED: list[tuple[str, Any]] = [
    ('"x"', "int64"),
    ("1.5", "int64"),
    ("1.0", "int64"),
    ("300", "uint8"),
    ("-1", "uint64"),
    ("1e400", "float64"),
    ("7", "bool"),
    ("1.239", "decimal128(5, 2)"),
    ('"2024-02-30"', "date32"),
    ('"2024-01-31T12:30:00Z"', "timestamp[us]"),
    ('"2024-01-31T12:30:00"', "timestamp[us, tz=UTC]"),
    ('"2024-01-31T12:30:00.5"', "timestamp[s]"),
    ('["2024-01-31T12:30:00Z"]', {"list": "timestamp[us]"}),
    ('["x"]', {"list": "int64"}),
    ('{"a": 1, "b": 2}', {"struct": {"a": "int64"}}),
    ("7", {"list": "int64"}),
]


@pytest.mark.parametrize(("text", "spec", "value"), CSV, ids=str)
def test_a_csv_column_is_read_as_declared(
    tmp_path: Path, connect: Connect, read: Read, text: str, spec: Any, value: Any
) -> None:
    (tmp_path / "t.csv").write_text(f"x,y\n{text},1\n")
    column = read(connect(tmp_path, schema={"t": {"x": spec}}), "t")["x"]
    assert column.to_pylist() == [value]


@pytest.mark.parametrize(("text", "spec", "value"), JSONL, ids=str)
def test_a_json_field_is_read_as_declared(
    tmp_path: Path, connect: Connect, read: Read, text: str, spec: Any, value: Any
) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"x": {text}, "y": 1}}\n{{"x": null}}\n')
    got = read(connect(tmp_path, schema={"t": {"x": spec}}), "t")
    assert got["x"].to_pylist() == [value, None]
    assert got["y"].to_pylist() == [1, None]


@pytest.mark.parametrize(("text", "spec"), CSV_REFUSED, ids=str)
def test_a_csv_text_of_another_type_is_refused_by_column(
    tmp_path: Path, connect: Connect, read: Read, text: str, spec: Any
) -> None:
    (tmp_path / "t.csv").write_text(f"y,x\n1,\n2,{text}\n")
    connector = connect(tmp_path, schema={"t": {"x": spec}})
    assert [info.name for info in connector.discover()] == ["t"]
    with pytest.raises(SchemaMismatchError, match=r"column 'x' of t\.csv") as caught:
        read(connector, "t")
    assert "`schema`" in str(caught.value.hint)
    if "invalid value" in caught.value.message:
        assert (
            f"row 2: CSV conversion error to {connector.plan(ReadRequest(stream='t')).arrow_schema.field('x').type}"
            in (caught.value.message)
        )
        assert text in caught.value.message


@pytest.mark.parametrize(("text", "spec"), JSONL_REFUSED, ids=str)
def test_a_json_value_of_another_type_is_refused_by_column_and_line(
    tmp_path: Path, connect: Connect, read: Read, text: str, spec: Any
) -> None:
    (tmp_path / "t.jsonl").write_text(f'{{"y": 1}}\n{{"x": {text}}}\n')
    connector = connect(tmp_path, schema={"t": {"x": spec}})
    assert [info.name for info in connector.discover()] == ["t"]
    with pytest.raises(SchemaMismatchError, match=r"column 'x'.* of t\.jsonl, line 2") as caught:
        read(connector, "t")
    assert "`schema`" in str(caught.value.hint)


def test_a_name_counts_before_a_pattern_and_schema_before_other_places(
    tmp_path: Path, connect: Connect, read: Read
) -> None:
    for name in ("a", "b", "c", "ab"):
        (tmp_path / f"{name}.csv").write_text("x,y\n7,1\n")
    connector = connect(
        tmp_path,
        schema={"b": {"x": "int8"}, "a*": {"x": "uint8"}, "*": {"x": "int16"}, "ab": {"y": "string"}},
        csv={"types": {"x": "string", "y": "float32"}, "streams": {"c": {"y": "int32"}}},
    )
    types = {info.name: [field.type for field in info.arrow_schema] for info in connector.discover()}
    assert types == {
        "a": [pa.int16(), pa.float32()],
        "ab": [pa.int16(), pa.string()],
        "b": [pa.int8(), pa.float32()],
        "c": [pa.int16(), pa.int32()],
    }
    for name, expected in types.items():
        assert read(connector, name).schema.types == expected


def test_a_key_column_can_be_declared(tmp_path: Path, connect: Connect, read: Read) -> None:
    for suffix, text in (("csv", "x\n1\n"), ("jsonl", '{"x": 1}\n')):
        (tmp_path / suffix / "day=2024-01-31").mkdir(parents=True)
        (tmp_path / suffix / "day=2024-01-31" / f"a.{suffix}").write_text(text)
        got = read(connect(tmp_path, schema={"*": {"day": "date32"}, suffix: {"day": "date32"}}), suffix)
        assert got.to_pydict() == {"x": [1], "day": [date(2024, 1, 31)]}


def test_a_declared_json_field_that_no_row_has_is_null(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.jsonl").write_text('{"x": 1}\n')
    (tmp_path / "empty.jsonl").write_text("")
    connector = connect(tmp_path, schema={"t": {"late": "int8"}, "*": {"other": "int8"}, "empty": {"x": "int8"}})
    assert read(connector, "t").to_pydict() == {"x": [1], "late": [None]}
    assert read(connector, "empty").schema.names == ["other", "x"]


def test_a_declared_column_that_a_file_lacks_is_refused(tmp_path: Path, connect: Connect) -> None:
    (tmp_path / "t.csv").write_text("id,y\n1,2\n")
    with pytest.raises(SchemaMismatchError, match=r"column 'idd', which t\.csv does not have") as caught:
        list(connect(tmp_path, schema={"t": {"idd": "string"}}).discover())
    assert caught.value.hint == "columns: id, y"


def test_a_declared_type_that_a_typed_file_does_not_have_is_refused(tmp_path: Path, connect: Connect) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "t.parquet")
    assert list(connect(tmp_path, schema={"t": {"x": "int64"}, "*": {"x": "string"}}).discover())
    with pytest.raises(
        SchemaMismatchError, match=r"column 'x' of t\.parquet has type int64, but `schema` declares str"
    ):
        connect(tmp_path, schema={"t": {"x": "string"}}).plan(ReadRequest(stream="t"))


def test_an_entry_for_a_stream_that_does_not_exist_is_reported(
    tmp_path: Path, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t.csv").write_text("x\n1\n")
    with caplog.at_level(logging.WARNING):
        list(connect(tmp_path, schema={"tt": {"x": "int8"}, "t": {"x": "int8"}, "z*": {}}).discover())
    assert [record.getMessage() for record in caplog.records] == [
        "`schema` has an entry for 'tt', but there is no such stream",
        "`schema` has an entry for 'z*', but there is no such stream",
    ]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"t": {"x": "number"}}, "column 'x': 'number' is not the name of an Arrow type; write"),
        ({"t": {"x": "decimal128(99, 0)"}}, "decimal128"),
        ({"t": {"x": "timestamp[us, tz=Mars/Phobos]"}}, "Mars/Phobos"),
        ({"t": {"x": {"list": "number"}}}, "'number'"),
        ({"t": {"x": 7}}, "7 is not an Arrow type"),
        ({"t": {"x": None}}, "None is not an Arrow type"),
        ({"t": "int64"}, r"schema\.t"),
        (["int64"], "schema"),
    ],
)
def test_a_schema_that_names_no_type_is_refused(tmp_path: Path, connect: Connect, schema: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        connect(tmp_path, schema=schema)
    assert "schema" in str(caught.value.hint)


def test_the_configuration_is_the_same_after_json(tmp_path: Path, connect: Connect) -> None:
    config = connect(tmp_path, schema={"t": {"x": {"list": "int8"}}}).config
    dumped = config.model_dump(mode="json")
    assert dumped["schema"] == {"t": {"x": {"list": "int8"}}}
    assert type(config).model_validate(dumped) == config
