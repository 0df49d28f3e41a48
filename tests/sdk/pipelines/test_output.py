"""Output files: four formats, whole or not at all."""

from __future__ import annotations

import base64
import datetime
import decimal
import fractions
import hashlib
import json
import re
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from arrow_columns import COLUMNS, PER_SECOND, plain_values
from chimes.errors import ConfigError, InfrastructureError, SchemaMismatchError
from chimes.host.json_values import json_values
from chimes.kinds.schema import one_row
from chimes.pipelines.formats import FORMATS
from chimes.pipelines.output import SUFFIXES, OutputFile, OutputReport, check_format
from hypothesis import given, settings
from hypothesis import strategies as st

SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string())])


def write(path: Path, *batches: pa.RecordBatch, schema: pa.Schema = SCHEMA) -> OutputReport:
    with OutputFile(path, schema, run_id="r1") as output:
        for batch in batches:
            output.write(batch)
        return output.commit()


def rows(*pairs: tuple[int, str | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"id": i, "name": name} for i, name in pairs], schema=SCHEMA)


def read(path: Path) -> pa.Table:
    match path.suffix:
        case ".parquet":
            return pa.parquet.read_table(path)
        case ".arrow":
            return pa.ipc.open_file(path).read_all()
        case ".csv":
            return pa.csv.read_csv(path)
    return pa.Table.from_pylist([json.loads(line) for line in path.read_text("utf-8").splitlines()])


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv", ".jsonl"])
def test_each_format_gives_the_rows_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    report = write(path, rows((1, "嗨")), rows((2, 'a "b", c'), (3, "d")))
    assert read(path).to_pylist() == [{"id": 1, "name": "嗨"}, {"id": 2, "name": 'a "b", c'}, {"id": 3, "name": "d"}]
    assert report.rows == 3
    assert report.size_bytes == path.stat().st_size
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_no_rows_still_have_their_schema(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write(path)
    assert read(path).schema == SCHEMA


def test_a_csv_file_without_rows_has_its_header(tmp_path: Path) -> None:
    write(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text("utf-8") == '"id","name"\n'


def test_json_lines_hold_every_value_as_json(tmp_path: Path) -> None:
    day = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    row = {
        "when": day,
        "day": day.date(),
        "took": datetime.timedelta(minutes=1),
        "price": decimal.Decimal("1.50"),
        "bytes": b"\x00\xff",
        "bad": float("nan"),
        "good": 0.5,
        "tags": ["a", None],
        "point": {"x": 1, "ok": True},
    }
    batch = pa.RecordBatch.from_pylist([row])
    path = tmp_path / "out.jsonl"
    write(path, batch, schema=batch.schema)
    assert json.loads(path.read_text("utf-8")) == {
        "when": "2024-02-29T12:00:00+00:00",
        "day": "2024-02-29",
        "took": 60_000_000,
        "price": "1.50",
        "bytes": "AP8=",
        "bad": "NaN",
        "good": 0.5,
        "tags": ["a", None],
        "point": {"x": 1, "ok": True},
    }


def test_an_uncommitted_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    path.write_text("old", "utf-8")
    with OutputFile(path, SCHEMA, run_id="r1") as output:
        output.write(rows((1, "a")))
        assert len(list(tmp_path.iterdir())) == 2
    assert path.read_text("utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.parquet"]


def test_a_suffix_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'out\.xlsx'") as caught:
        check_format(Path("out.xlsx"), SCHEMA)
    assert caught.value.hint == "end its name with one of .parquet, .arrow, .csv, .jsonl"


CASES = [(name, suffix) for name in COLUMNS for suffix in SUFFIXES]
UNWRITABLE = {
    ".parquet": r"union|interval|struct<>|list<item: run_end",
    ".arrow": r"(?!)",
    ".csv": r"^(list|large_list|fixed_size_list|struct|map|sparse|dense)|interval|values=list|tensor",
    ".jsonl": r"union|^struct<a: int64, a: int64>",
}
"""By suffix: a part of the name of each type that is refused."""


@pytest.mark.parametrize(("name", "suffix"), CASES)
def test_every_value_of_every_type_is_written_or_its_type_is_refused(tmp_path: Path, name: str, suffix: str) -> None:
    column = COLUMNS[name]
    schema = pa.schema([("id", pa.int64()), ("x", column.type)])
    batch = pa.RecordBatch.from_arrays([pa.array(range(len(column))), column], schema=schema)
    path = tmp_path / f"out{suffix}"
    if re.search(UNWRITABLE[suffix], name):
        with pytest.raises(SchemaMismatchError) as caught:
            check_format(path, schema)
        assert str(caught.value) == f"a {suffix} file cannot hold column 'x' of type {column.type}"
        assert ".arrow" in str(caught.value.hint)
        return
    check_format(path, schema)
    write(path, batch.slice(0, 1), batch.slice(1, 0), batch.slice(1), schema=schema)
    assert read_plain(path, column.type) == plain_values(column)
    write(path, schema=schema)
    assert read_plain(path, column.type) == []


RARE = [
    pa.decimal128(5, -5),
    pa.list_(pa.decimal128(5, -5)),
    pa.decimal256(76, 76),
    pa.binary(0),
    pa.list_(pa.binary(0)),
    pa.list_(pa.int8(), 0),
    pa.struct([("x", pa.list_(pa.int8(), 0))]),
    pa.dictionary(pa.int8(), pa.string_view()),
    pa.dictionary(pa.int8(), pa.dictionary(pa.int8(), pa.string())),
    pa.dictionary(pa.int8(), pa.uuid()),
    pa.run_end_encoded(pa.int32(), pa.dictionary(pa.int8(), pa.string())),
    pa.run_end_encoded(pa.int32(), pa.uuid()),
    pa.run_end_encoded(pa.int16(), pa.list_(pa.int8())),
    pa.list_(pa.date64()),
    pa.timestamp("us", "Nowhere/Else"),
    pa.map_(pa.string(), pa.list_view(pa.int8())),
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", RARE, ids=str)
def test_a_type_that_arrow_itself_cannot_write_is_refused_before_a_row_is_written(
    tmp_path: Path, dtype: pa.DataType, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    schema = pa.schema([("id", pa.int64()), ("x", dtype)])
    batch = pa.RecordBatch.from_arrays([pa.array([1]), one_row(dtype)], schema=schema)
    if not FORMATS[suffix].holds(dtype):
        with pytest.raises(SchemaMismatchError, match="cannot hold column 'x'"):
            check_format(path, schema)
        return
    check_format(path, schema)
    write(path, batch, batch, schema=schema)
    assert len(read_texts(path) if suffix == ".csv" else read_plain(path, dtype)) == 2


def read_plain(path: Path, dtype: pa.DataType) -> list[object]:
    """Column x as plain values; the text formats are read as documented."""
    if path.suffix == ".jsonl":
        return [decode(json.loads(line)["x"], dtype) for line in path.read_text("utf-8").splitlines()]
    if path.suffix == ".csv":
        return [decode(text, dtype) for text in read_texts(path)]
    return plain_values(read(path).column("x"))


def read_texts(path: Path) -> list[str | None]:
    texts = pa.csv.ConvertOptions(
        column_types={"x": pa.string()}, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    return pa.csv.read_csv(path, convert_options=texts, parse_options=parse).column("x").to_pylist()  # type: ignore[no-any-return]


def decode(value: Any, dtype: pa.DataType) -> object:
    """The value of a text or of a JSON value in a column of this type."""
    if value is None:
        return None
    if isinstance(dtype, pa.BaseExtensionType):
        if dtype.equals(pa.uuid()):
            return uuid.UUID(value).bytes
        return int(value in (True, "true")) if dtype.equals(pa.bool8()) else decode(value, dtype.storage_type)
    if pa.types.is_dictionary(dtype) or pa.types.is_run_end_encoded(dtype):
        return decode(value, dtype.value_type)
    if pa.types.is_struct(dtype):
        return [decode(value[field.name], field.type) for field in dtype]
    if pa.types.is_map(dtype):
        return [[decode(key, dtype.key_type), decode(item, dtype.item_type)] for key, item in value]
    if pa.types.is_nested(dtype):
        return [decode(item, dtype.value_type) for item in value]
    if pa.types.is_temporal(dtype):
        return decode_time(value, dtype)
    return decode_scalar(value, dtype)


def decode_scalar(value: Any, dtype: pa.DataType) -> object:
    if pa.types.is_boolean(dtype):
        return value in (True, "true")
    if pa.types.is_integer(dtype):
        return int(value)
    if pa.types.is_floating(dtype):
        return repr(pa.scalar(float(value), dtype).as_py())
    if pa.types.is_decimal(dtype):
        return decimal.Decimal(value)
    is_text = pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype)
    return value if is_text else base64.b64decode(value, validate=True)


def decode_time(value: Any, dtype: pa.DataType) -> object:
    if pa.types.is_interval(dtype):
        return pa.MonthDayNano(value)
    if pa.types.is_duration(dtype):
        return "seconds", fractions.Fraction(int(value), PER_SECOND[dtype.unit])
    found = re.fullmatch(r"(?:([+-]?\d+)-(\d\d)-(\d\d))?[T ]?(?:(\d\d):(\d\d):(\d\d(?:\.\d+)?))?(Z|\+00:00)?", value)
    assert found
    assert bool(found[7]) == bool(getattr(dtype, "tz", None))
    year, month, day = (int(part or 1) for part in found.groups()[:3])
    # The calendar repeats after 400 years, which are 146097 days.
    cycles, year = divmod(year - 1970, 400) if found[1] else (0, 0)
    days = datetime.date(year + 1970, month, day).toordinal() - 719_163 + cycles * 146_097
    if pa.types.is_date(dtype):
        return "day", days
    seconds = int(found[4]) * 3600 + int(found[5]) * 60 + fractions.Fraction(found[6])
    return "seconds", seconds + (0 if pa.types.is_time(dtype) else days * 86_400)


@pytest.mark.parametrize(
    ("suffix", "inside"),
    [
        (".csv", ""),
        *((suffix, inside) for suffix in (".parquet", ".arrow", ".jsonl") for inside in ("", "list", "struct")),
    ],
)
def test_categories_that_differ_between_batches_are_written(tmp_path: Path, suffix: str, inside: str) -> None:
    batches = []
    with_null = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int32()), pa.array(["a", None]))
    texts = (["a", "b"], ["c", "a", None], [None])
    for column in (*(pa.array(some).dictionary_encode() for some in texts), with_null):
        match inside:
            case "list":
                column = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
            case "struct":
                column = pa.StructArray.from_arrays([column], ["c"])
        batches.append(pa.record_batch([pa.array(range(len(column))), column], names=["id", "x"]))
    path = tmp_path / f"out{suffix}"
    check_format(path, batches[0].schema)
    write(path, *batches, schema=batches[0].schema)
    dtype = batches[0].schema.field("x").type
    assert read_plain(path, dtype) == [value for batch in batches for value in plain_values(batch.column("x"))]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["", " ", 'a "b", c', "a.b", "列", "\n"])
def test_a_column_of_any_name_is_written(tmp_path: Path, suffix: str, name: str) -> None:
    batch = pa.record_batch([pa.array([1, 2])], names=[name])
    path = tmp_path / f"out{suffix}"
    check_format(path, batch.schema)
    write(path, batch, schema=batch.schema)
    options = pa.csv.ParseOptions(newlines_in_values=True)
    table = pa.csv.read_csv(path, parse_options=options) if suffix == ".csv" else read(path)
    assert table.to_pydict() == {name: [1, 2]}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_two_columns_of_one_name_are_refused(suffix: str) -> None:
    with pytest.raises(SchemaMismatchError, match="2 columns named 'a'"):
        check_format(Path(f"out{suffix}"), pa.schema([("a", pa.int8()), ("a", pa.int8())]))


BAD_TEXT = pa.StringArray.from_buffers(1, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff"))
FAR_FUTURE = pa.array([2**62], pa.int64()).cast(pa.timestamp("s"))


@pytest.mark.parametrize(
    ("suffix", "column"),
    [
        (".jsonl", BAD_TEXT),
        (".parquet", FAR_FUTURE),
        (".parquet", pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), FAR_FUTURE)),
        (".csv", pa.nulls(1, pa.int8())),
    ],
)
def test_a_value_that_cannot_be_written_is_a_schema_mismatch(tmp_path: Path, suffix: str, column: pa.Array) -> None:
    path = tmp_path / f"out{suffix}"
    batch = pa.record_batch([column], names=["x"])
    check_format(path, batch.schema)
    with pytest.raises(SchemaMismatchError, match="column 'x'") as caught:
        write(path, batch, schema=batch.schema)
    assert caught.value.fault == "user"
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["s", "ms", "us", "ns"]), st.integers(-(2**63), 2**63 - 1), st.sampled_from([None, "UTC"]))
def test_any_timestamp_can_be_read_back_from_its_text(unit: str, number: int, zone: str | None) -> None:
    dtype = pa.timestamp(unit, zone)
    (text,) = json_values(pa.array([number], pa.int64()).cast(dtype))
    assert decode(text, dtype) == ("seconds", fractions.Fraction(number, PER_SECOND[unit]))


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"out\.csv cannot be written: No such file"):
        write(tmp_path / "none" / "out.csv")
