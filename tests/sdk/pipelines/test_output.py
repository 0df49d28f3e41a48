"""Output files: four formats, whole or not at all."""

from __future__ import annotations

import datetime
import decimal
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from chimes.errors import ConfigError, InfrastructureError, SchemaMismatchError
from chimes.pipelines.output import OutputFile, OutputReport, check_format

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


def test_no_rows_in_a_csv_file_leave_its_head(tmp_path: Path) -> None:
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
        "took": 60.0,
        "price": "1.50",
        "bytes": "AP8=",
        "bad": None,
        "good": 0.5,
        "tags": ["a", None],
        "point": {"x": 1, "ok": True},
    }


def test_a_value_without_a_json_form_is_its_text(tmp_path: Path) -> None:
    batch = pa.record_batch({"x": pa.array([pa.MonthDayNano([1, 2, 3])], pa.month_day_nano_interval())})
    write(tmp_path / "out.jsonl", batch, schema=batch.schema)
    assert "1" in (tmp_path / "out.jsonl").read_text("utf-8")


def test_what_is_not_committed_was_never_there(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("suffix", "dtype"), [(".csv", pa.list_(pa.int8())), (".parquet", pa.month_day_nano_interval())]
)
def test_a_column_that_the_format_cannot_hold_is_named(suffix: str, dtype: pa.DataType) -> None:
    with pytest.raises(SchemaMismatchError, match=rf"a {suffix} file cannot hold column 'x'"):
        check_format(Path(f"out{suffix}"), pa.schema([("x", dtype)]))


def test_a_disk_that_does_not_take_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"out\.csv cannot be written: No such file"):
        write(tmp_path / "none" / "out.csv")
