"""JSON Lines: every number keeps its digits and every text its characters, also inside lists and structs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from chimes.errors import SchemaMismatchError
from chimes_files.connector import FilesConnector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]

BIG = "12345678901234567890"
NEXT = "12345678901234567891"
CHINA = timezone(timedelta(hours=8))
NOON = datetime(2024, 1, 31, 12, 30)
LOCAL = "2024-01-31T12:30:00"
LAST = datetime(9999, 12, 31, 23, 59, 59, 500_000)


def write(path: Path, *values: str, field: str = "x") -> None:
    """One line for each value, which is JSON."""
    path.write_text("".join(f'{{"{field}": {value}}}\n' for value in values), "utf-8")


KEPT: list[tuple[list[str], pa.DataType, list[Any]]] = [
    (["1", "-7"], pa.int64(), [1, -7]),
    (["9223372036854775807", "-9223372036854775808"], pa.int64(), [2**63 - 1, -(2**63)]),
    (["1", "2.5"], pa.float64(), [1.0, 2.5]),
    (["1.10", "1.1"], pa.float64(), [1.1, 1.1]),
    (["0.30000000000000004", "5e-324"], pa.float64(), [0.1 + 0.2, 5e-324]),
    (["1.7976931348623157e308"], pa.float64(), [1.7976931348623157e308]),
    (["100000000000000000000.0"], pa.float64(), [1e20]),
    (["9007199254740992", "0.5"], pa.float64(), [2.0**53, 0.5]),
    (["-0.0"], pa.float64(), [-0.0]),
    (["NaN", "1.5"], pa.float64(), [math.nan, 1.5]),
    ([BIG, NEXT], pa.string(), [BIG, NEXT]),
    (["18446744073709551615", "18446744073709551614"], pa.string(), ["18446744073709551615", "18446744073709551614"]),
    (["1", "9223372036854775808"], pa.string(), ["1", "9223372036854775808"]),
    (["9007199254740993", "0.5"], pa.string(), ["9007199254740993", "0.5"]),
    (["1234567890123456789", "0.5", "null"], pa.string(), ["1234567890123456789", "0.5", None]),
    (["0.1234567890123456789"], pa.string(), ["0.1234567890123456789"]),
    (["1e400", "1"], pa.string(), ["1e400", "1"]),
    (["1e-400"], pa.string(), ["1e-400"]),
    (["0E400", "1e305"], pa.float64(), [0.0, 1e305]),
    (["-0", "0"], pa.string(), ["-0", "0"]),
    (["7" * 5000], pa.string(), ["7" * 5000]),
    (['"01234"', f'"{BIG}"'], pa.string(), ["01234", BIG]),
    (['"1.10"', '"true"'], pa.string(), ["1.10", "true"]),
    (["true", "false"], pa.bool_(), [True, False]),
    (['"2024-01-31"'], pa.date32(), [date(2024, 1, 31)]),
    (['"2024-01-31T12:30:00"'], pa.timestamp("us"), [NOON]),
    (['"2024-01-31T12:30:00Z"'], pa.timestamp("us", "UTC"), [NOON.replace(tzinfo=UTC)]),
    (['"2024-01-31T12:30:00+08:00"'], pa.timestamp("us", "+08:00"), [NOON.replace(tzinfo=CHINA)]),
    (['"9999-12-31T23:59:59.5"', '"0001-01-01T00:00:00"'], pa.timestamp("us"), [LAST, datetime(1, 1, 1)]),
    ([f'"{LOCAL}"', f'"{LOCAL}+08:00"'], pa.string(), [LOCAL, f"{LOCAL}+08:00"]),
    ([f'"{LOCAL}Z"', f'"{LOCAL}+08:00"'], pa.string(), [f"{LOCAL}Z", f"{LOCAL}+08:00"]),
    (['"2024-01-31"', '"2024-01-31T00:00:00"'], pa.string(), ["2024-01-31", "2024-01-31T00:00:00"]),
    (['"12:30:00"'], pa.string(), ["12:30:00"]),
    ([f"[{BIG}, 1]", "[]", "null"], pa.list_(pa.string()), [[BIG, "1"], [], None]),
    (["[1, 2]", "[0.5]"], pa.list_(pa.float64()), [[1.0, 2.0], [0.5]]),
    (["[1, 9007199254740993]", "[0.5]"], pa.list_(pa.string()), [["1", "9007199254740993"], ["0.5"]]),
    (['["2024-01-31T12:30:00+08:00"]'], pa.list_(pa.string()), [["2024-01-31T12:30:00+08:00"]]),
    (
        [f'{{"id": {BIG}, "n": 1, "at": "2024-01-31T12:30:00+08:00"}}', '{"n": 2}'],
        pa.struct({"id": pa.string(), "n": pa.int64(), "at": pa.string()}),
        [{"id": BIG, "n": 1, "at": "2024-01-31T12:30:00+08:00"}, {"id": None, "n": 2, "at": None}],
    ),
    (
        [f'[{{"deep": [{BIG}], "w": 0.5}}]'],
        pa.list_(pa.struct({"deep": pa.list_(pa.string()), "w": pa.float64()})),
        [[{"deep": [BIG], "w": 0.5}]],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "dtype", "expected"), KEPT, ids=lambda part: str(part)[:40])
def test_every_value_is_kept(
    tmp_path: Path, connect: Connect, read: Read, values: list[str], dtype: pa.DataType, expected: list[Any]
) -> None:
    write(tmp_path / "t.jsonl", *values)
    connector = connect(tmp_path, min_part_bytes=1)
    (info,) = connector.discover()
    for partitions in (1, 2):
        column = read(connector, "t", partitions=partitions)["x"]
        assert column.type == dtype == info.arrow_schema.field("x").type
        assert list(map(repr, column.to_pylist())) == list(map(repr, pa.array(expected, dtype).to_pylist()))


def test_a_wide_number_beside_other_columns_leaves_their_types(tmp_path: Path, connect: Connect, read: Read) -> None:
    row = f'{{"id": {BIG}, "n": 7, "w": 0.1, "s": "a", "at": "2024-01-31", "b": true, "l": [1]}}\n'
    (tmp_path / "t.jsonl").write_text(row * 3)
    assert read(connect(tmp_path), "t").schema.types == [
        pa.string(),
        pa.int64(),
        pa.float64(),
        pa.string(),
        pa.date32(),
        pa.bool_(),
        pa.list_(pa.int64()),
    ]
    assert read(connect(tmp_path), "t", columns=("n",)).to_pydict() == {"n": [7, 7, 7]}


LATER = [
    ("7", BIG),
    ("7", "7.5"),
    ("7", "-0"),
    ("7", '"7"'),
    ("7", "true"),
    ("7", "[7]"),
    ("0.5", BIG),
    ("0.5", "9007199254740993"),
    ("0.5", "0.1234567890123456789"),
    ("0.5", "1e400"),
    ("0.5", "1e-400"),
    (BIG, '"7"'),
    ('"a"', "7"),
    ('"2024-01-31"', '"2024-02-30"'),
    ('"2024-01-31T12:30:00"', '"2024-01-31T12:30:00+08:00"'),
    ('"2024-01-31T12:30:00Z"', '"2024-01-31T12:30:00"'),
    ("null", "7"),
    ("[7]", f"[{BIG}]"),
    ("[0.5]", "[9007199254740993]"),
    ('{"a": 7}', f'{{"a": {BIG}}}'),
    ('{"a": 7}', '{"a": 7, "b": 1}'),
]


@pytest.mark.parametrize(("early", "late"), LATER)
def test_a_later_value_that_would_change_is_refused_by_column_line_and_value(
    tmp_path: Path, connect: Connect, read: Read, early: str, late: str
) -> None:
    write(tmp_path / "t.jsonl", *[early] * 2000, "null", late, early)
    for partitions in (1, 3):
        cut = connect(tmp_path, guess_bytes=1, block_bytes=1024, min_part_bytes=1)
        with pytest.raises(SchemaMismatchError) as caught:
            read(cut, "t", partitions=partitions)
        assert "column 'x'" in caught.value.message
        assert "t.jsonl, line 2002" in caught.value.message
        assert "`schema`" in str(caught.value.hint)


def test_a_later_field_is_refused_by_name_and_can_be_declared(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.jsonl").write_text('{"x": 1}\n' * 2000 + '{"x": 1, "new": 2}\n')
    with pytest.raises(SchemaMismatchError, match=r"line 2001 of t\.jsonl has a field 'new'"):
        read(connect(tmp_path, guess_bytes=1, block_bytes=1024), "t")
    declared = connect(tmp_path, guess_bytes=1, block_bytes=1024, schema={"t": {"new": "int8"}})
    assert read(declared, "t")["new"].to_pylist()[-2:] == [None, 2]
    assert read(connect(tmp_path), "t")["new"].to_pylist()[-2:] == [None, 2]


def test_the_files_of_a_stream_have_one_type_that_fits_all(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t").mkdir()
    write(tmp_path / "t" / "1.jsonl", "1", "2")
    write(tmp_path / "t" / "2.jsonl", BIG)
    write(tmp_path / "t" / "3.jsonl", "0.5")
    connector = connect(tmp_path)
    assert read(connector, "t", partitions=3)["x"].to_pylist() == ["1", "2", BIG, "0.5"]


REFUSED = {
    "null\n": "line 1 of t.jsonl is not a JSON object",
    '{"x": 1}\nnull\n': "line 2 of t.jsonl is not a JSON object",
    "7\n": "line 1 of t.jsonl",
    '{"x": 1}\n[1]\n': "line 2 of t.jsonl",
    '{"x": 1}\n\n{"x": 2}}\n': "line 3 of t.jsonl",
    '{"x": 01}\n': "line 1 of t.jsonl",
    '{"x": 1, "x": 2}\n': "line 1 of t.jsonl",
    '{"x": {"a": 1, "a": 2}}\n': "line 1 of t.jsonl",
    '{"x": "\\ud800"}\n': "line 1 of t.jsonl",
    '{"x": 1}\n{"x": "a"}\n': "line 2 of t.jsonl",
    '{"x": true}\n{"x": 1}\n': "line 2 of t.jsonl",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_line_that_is_not_an_object_of_one_kind_is_refused_by_number(
    tmp_path: Path, connect: Connect, text: str
) -> None:
    (tmp_path / "t.jsonl").write_text(text)
    with pytest.raises(SchemaMismatchError) as caught:
        list(connect(tmp_path).discover())
    assert REFUSED[text] in caught.value.message


NUMBERS = st.one_of(
    st.integers().map(str),
    st.integers(-(2**65), 2**65).map(str),
    st.integers(-(2**54), 2**54).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
TEXTS = st.one_of(st.text(max_size=8), NUMBERS, st.datetimes().map(str), st.dates().map(str)).map(json.dumps)
NESTED: st.SearchStrategy[Callable[[str], str]] = st.sampled_from(
    [str, lambda value: f"[{value}, {value}]", lambda value: f'{{"a": {value}}}', lambda value: f'[{{"b": [{value}]}}]']
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    columns=st.lists(
        st.tuples(NESTED, st.sampled_from([NUMBERS, TEXTS]).flatmap(lambda kind: st.tuples(kind, kind, kind))),
        min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_every_text_can_be_recovered_from_its_value(
    columns: list[tuple[Callable[[str], str], tuple[str, ...]]],
    connect: Connect,
    read: Read,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("written")
    rows = zip(*(map(nest, values) for nest, values in columns), strict=True)
    lines = [", ".join(f'"{number}": {value}' for number, value in enumerate(row)) for row in rows]
    (root / "t.jsonl").write_text("".join(f"{{{line}}}\n" for line in lines), "utf-8")
    got = read(connect(root), "t")
    for number, (nest, values) in enumerate(columns):
        written = [json.loads(nest(value), parse_int=Decimal, parse_float=Decimal) for value in values]
        for before, after in zip(written, got.column(str(number)).to_pylist(), strict=True):
            assert means(before, after), (before, after)


def means(written: Any, value: Any) -> bool:
    """Whether a value that was read is exactly what the JSON says."""
    match written, value:
        case list(), list():
            return len(written) == len(value) and all(map(means, written, value))
        case dict(), dict():
            return written.keys() == value.keys() and all(means(written[key], value[key]) for key in written)
        case Decimal(), str():
            return Decimal(value) == written and value.startswith("-") == written.is_signed()
        case Decimal(), float():
            return Decimal(repr(value)) == written
        case Decimal(), int():
            return value == written
        case str(), datetime():
            return datetime.fromisoformat(written) == value
        case str(), date():
            return written == str(value)
    return bool(written == value)
