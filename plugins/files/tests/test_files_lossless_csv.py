"""CSV: a guessed type gives every text back; where none does, the column is text."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from chimes import ReadRequest
from chimes.errors import SchemaMismatchError
from chimes_files.connector import FilesConnector
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]

CHINA = timezone(timedelta(hours=8))
NOON = datetime(2024, 1, 31, 12, 30)
HALF = NOON.replace(microsecond=500_000)


def write(path: Path, texts: Sequence[str], name: str = "x") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([name, "last"])
        rows.writerows([text, "-"] for text in texts)


REVERSIBLE: list[tuple[list[str], pa.DataType, list[Any]]] = [
    (["0", "1", "-7"], pa.int64(), [0, 1, -7]),
    (["9223372036854775807", "-9223372036854775808"], pa.int64(), [2**63 - 1, -(2**63)]),
    (["20240131"], pa.int64(), [20240131]),
    ([" 12", " 3"], pa.int64(), [12, 3]),
    (["true", "false"], pa.bool_(), [True, False]),
    (["True", "False"], pa.bool_(), [True, False]),
    (["TRUE"], pa.bool_(), [True]),
    (["0001-01-01", "9999-12-31"], pa.date32(), [date(1, 1, 1), date(9999, 12, 31)]),
    (["12:30:00", "23:59:59"], pa.time32("s"), [time(12, 30), time(23, 59, 59)]),
    (["12:30"], pa.time32("s"), [time(12, 30)]),
    (["2024-01-31 12:30:00"], pa.timestamp("us"), [NOON]),
    (["2024-01-31T12:30"], pa.timestamp("us"), [NOON]),
    (["2024-01-31T12:30:00", "2024-01-31T12:30:00.5"], pa.timestamp("us"), [NOON, HALF]),
    (["2024-01-31T12:30:00.000", "2024-01-31T12:30:00.500"], pa.timestamp("us"), [NOON, HALF]),
    (["2024-01-31T12:30:00", "2024-01-31T12:30:00.500000"], pa.timestamp("us"), [NOON, HALF]),
    (["9999-12-31T23:59:59.999999"], pa.timestamp("us"), [datetime(9999, 12, 31, 23, 59, 59, 999_999)]),
    (["2024-01-31T12:30:00Z"], pa.timestamp("us", "UTC"), [NOON.replace(tzinfo=UTC)]),
    (["2024-01-31T12:30:00+00:00"], pa.timestamp("us", "UTC"), [NOON.replace(tzinfo=UTC)]),
    (["2024-01-31T12:30:00+08:00"], pa.timestamp("us", "+08:00"), [NOON.replace(tzinfo=CHINA)]),
    (["2024-01-31 12:30:00+0800"], pa.timestamp("us", "+08:00"), [NOON.replace(tzinfo=CHINA)]),
    (["0.5", "-0.25"], pa.float64(), [0.5, -0.25]),
    (["1", "2.5"], pa.float64(), [1.0, 2.5]),
    (["1.0", "2.5"], pa.float64(), [1.0, 2.5]),
    (["1.50", "12.25", "0.10"], pa.float64(), [1.5, 12.25, 0.1]),
    ([".5", "-.25"], pa.float64(), [0.5, -0.25]),
    (["2.0", "1e-05", "1e+16", "-0.0"], pa.float64(), [2.0, 1e-05, 1e16, -0.0]),
    (["1.0E-5", "2.5"], pa.float64(), [1e-5, 2.5]),
    (["0.30000000000000004"], pa.float64(), [0.1 + 0.2]),
    (["1.7976931348623157e+308", "5e-324"], pa.float64(), [1.7976931348623157e308, 5e-324]),
    (["1.100000000000000089e+00"], pa.float64(), [1.1]),
    (["-0", "5"], pa.float64(), [-0.0, 5.0]),
    (["inf", "-inf", "2.5"], pa.float64(), [math.inf, -math.inf, 2.5]),
    (["", "7"], pa.int64(), [None, 7]),
]  # fmt: skip

TEXT: list[list[str]] = [
    ["01234"],
    ["00"],
    ["+5"],
    ["0x1F"],
    ["1_000"],
    ["٣"],
    ["12345678901234567890", "12345678901234567891"],
    ["18446744073709551615", "18446744073709551614"],
    ["9223372036854775808"],
    ["1", "100000000000000000000"],
    ["9007199254740993", "0.5"],
    ["-0", "0", "9223372036854775808"],
    ["1", "01"],
    ["1", "true"],
    ["true", "True"],
    ["1", "x"],
    ["1", "null"],
    ["1", "NA"],
    ["1.1", "1.10"],
    ["3.9", "3.10", "3.11"],
    ["2", "2.0"],
    ["0.5", ".5"],
    ["0.1234567890123456789"],
    ["1.000000000000000000001"],
    ["1e400"],
    ["1e-400"],
    ["4e-324"],
    ["1e5", "100000"],
    ["1e5", "1E5", "2.5"],
    ["nan", "NaN", "1.5"],
    ["inf", "Infinity", "1.5"],
    ["-nan", "1.5"],
    ["nan", "inf"],
    ["NaN"],
    [" 1", "1"],
    ["1 "],
    ["2024-02-30"],
    ["2024-1-1"],
    ["2024-01-31", "2024-01-31T00:00:00"],
    ["2024-01-31 12:30:00", "2024-01-31T12:30:00"],
    ["2024-01-31T12:30:00", "2024-01-31T12:30:00Z"],
    ["2024-01-31T12:30:00", "2024-01-31T12:30:00+08:00"],
    ["2024-01-31T12:30:00Z", "2024-01-31T12:30:00+00:00"],
    ["2024-01-31T12:30:00+01:00", "2024-01-31T12:30:00+02:00"],
    ["2024-01-31T12:30:00.5", "2024-01-31T12:30:00.50"],
    ["2024-01-31T12:30:00.1234567891"],
    ["9999-12-31T23:59:59.1234567"],
    ["2024-01-31T24:00:00"],
    ["2024-01-31T23:59:60"],
    ["12:30", "12:30:00"],
    ["24:00"],
    ["1" * 400],
    ["0." + "1" * 1500],
    ["-"],
    ["."],
    ["é"],
]


@pytest.mark.parametrize(("texts", "dtype", "values"), REVERSIBLE, ids=lambda part: str(part)[:40])
def test_a_type_that_gives_every_text_back_is_guessed(
    tmp_path: Path, connect: Connect, read: Read, texts: list[str], dtype: pa.DataType, values: list[Any]
) -> None:
    write(tmp_path / "t.csv", texts)
    column = read(connect(tmp_path), "t")["x"]
    assert column.type == dtype
    assert list(map(repr, column.to_pylist())) == list(map(repr, pa.array(values, dtype).to_pylist()))


@pytest.mark.parametrize("texts", TEXT, ids=lambda texts: " ".join(texts)[:40])
def test_texts_that_no_type_gives_back_stay_text(
    tmp_path: Path, connect: Connect, read: Read, texts: list[str]
) -> None:
    write(tmp_path / "t.csv", texts)
    column = read(connect(tmp_path), "t")["x"]
    assert (column.type, column.to_pylist()) == (pa.string(), texts)


def test_nanoseconds_are_kept(tmp_path: Path, connect: Connect, read: Read) -> None:
    write(tmp_path / "t.csv", ["2024-01-31T12:30:00.123456789"])
    column = read(connect(tmp_path), "t")["x"]
    assert column.type == pa.timestamp("ns")
    assert column.cast(pa.int64()).to_pylist() == [1706704200123456789]


def test_a_column_without_values_is_text(tmp_path: Path, connect: Connect, read: Read) -> None:
    write(tmp_path / "t.csv", ["", ""])
    assert read(connect(tmp_path), "t")["x"].type == pa.string()


def test_bytes_that_are_not_utf_8_stay_bytes(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t.csv").write_bytes(b"x,y\n\xff,1\n\xfe,2\n")
    assert read(connect(tmp_path), "t").to_pydict() == {"x": [b"\xff", b"\xfe"], "y": [1, 2]}


# Texts as files have them: numerals of many forms, dates, words, each often repeated with small changes.
DIGITS = st.text("0123456789", min_size=1, max_size=22)
NUMERALS = st.one_of(
    st.integers().map(str),
    st.integers(-(2**65), 2**65).map(str),
    st.floats().map(repr),
    st.floats().map(lambda x: f"{x:.2f}"),
    st.floats(width=32).map(lambda x: f"{x:.6e}"),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"[ +-]?[0-9]{1,4}(\.[0-9]{0,4})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.builds(lambda a, b: f"{a}.{b}", DIGITS, DIGITS),
    DIGITS,
)
TIMES = st.one_of(
    st.dates().map(str),
    st.times().map(str),
    st.datetimes().map(str),
    st.datetimes(timezones=st.sampled_from([UTC, CHINA])).map(lambda moment: moment.isoformat()),
    st.from_regex(r"20[0-9]{2}-0[1-9]-01[T ]0[0-9]:00(:0[0-9](\.[0-9]{1,9})?)?(Z|\+0[0-9]:?00)?", fullmatch=True),
)  # fmt: skip
WORDS = st.sampled_from(["true", "True", "FALSE", "nan", "NaN", "inf", "-Infinity", "null", "None", "NA", "x", "1"])


@st.composite
def columns(draw: st.DrawFn) -> list[str]:
    kind = draw(st.sampled_from([NUMERALS, TIMES, WORDS, st.one_of(NUMERALS, TIMES, WORDS)]))
    first = draw(st.lists(kind, min_size=1, max_size=4))
    varied = st.builds(
        lambda text, vary: vary(text),
        st.sampled_from(first),
        st.sampled_from([str, str.upper, lambda t: t + "0", lambda t: "0" + t, lambda t: t + ".0", lambda t: " " + t]),
    )
    return draw(st.permutations(first + draw(st.lists(varied, max_size=4))))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(texts=columns())
def test_every_text_can_be_recovered_from_its_value(
    texts: list[str], connect: Connect, read: Read, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("written")
    write(root / "t.csv", texts)
    values = values_of(read(connect(root), "t")["x"])
    assert len(set(texts)) == len(set(map(repr, values)))
    for text, value in zip(texts, values, strict=True):
        assert means(text, value), (text, value)


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """The values in Python's types; nanoseconds, which Python's timestamps do not have, as counts since 1970."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return [("ns", count) for count in column.cast(pa.int64()).to_pylist()]
    return list(column.to_pylist())


def means(text: str, value: Any) -> bool:
    """Whether a value is exactly what a text says, by Python's own parsers."""
    match value:
        case str():
            return text == value
        case bool():
            return text.lower() == str(value).lower()
        case int():
            return text.strip(" ") == str(value)
        case float() if math.isfinite(value):
            mantissa, _, exponent = text.lower().strip(" ").partition("e")
            decimals = len(mantissa.partition(".")[2])
            written = f"{value:.{decimals}{'e' if exponent else 'f'}}"
            return Decimal(text.strip(" ")) == Decimal(repr(value)) or written == text.lower().strip(" ")
        case float():
            return repr(float(text)) == repr(value)
        case ("ns", count):
            found = re.fullmatch(r"(.{16,19}?)(?:\.([0-9]+))?(Z|[+-].{2,5})?", text)
            assert found
            moment = datetime.fromisoformat(found[1] + (found[3] or "Z"))
            return bool(count == int(moment.timestamp()) * 10**9 + int((found[2] or "0").ljust(9, "0")))
        case datetime():
            parsed = datetime.fromisoformat(text)
            return parsed == value and parsed.utcoffset() == value.utcoffset()
        case date():
            return text == str(value)
        case time():
            return time.fromisoformat(text) == value
    return False


LATER: list[tuple[str, str]] = [
    ("7", "x"),
    ("7", "07"),
    ("7", "7.5"),
    ("7", "12345678901234567890"),
    ("7", "-0"),
    ("true", "True"),
    ("2024-01-31", "2024-02-30"),
    ("2024-01-31", "31.1.2024"),
    ("12:30:00", "12:30"),
    ("2024-01-31T12:30:00", "2024-01-31T12:30:00Z"),
    ("2024-01-31T12:30:00Z", "2024-01-31T12:30:00+08:00"),
    ("2024-01-31T12:30:00+08:00", "2024-01-31T12:30:00+09:00"),
    ("2024-01-31T12:30:00", "2024-01-31T12:30:00.1234567"),
    ("1.5", "1.50"),
    ("1.50", "1.5"),
    ("1.5", "0.1234567890123456789"),
    ("1.5", "1e400"),
    ("1.5", "x"),
]


@pytest.mark.parametrize(("early", "late"), LATER)
def test_a_later_text_that_would_change_is_refused_by_column_row_and_value(
    tmp_path: Path, connect: Connect, read: Read, early: str, late: str
) -> None:
    write(tmp_path / "t.csv", [early] * 2000 + [late] + [early] * 10)
    for partitions in (1, 3):
        cut = connect(tmp_path, guess_bytes=1, block_bytes=1024, min_part_bytes=1)
        with pytest.raises(SchemaMismatchError) as caught:
            read(cut, "t", partitions=partitions)
        assert "column 'x' of t.csv, row 2001" in caught.value.message
        assert late in caught.value.message
        assert "`schema`" in str(caught.value.hint)
    assert read(cut, "t", columns=("last",)).num_rows == 2011
    # Examined as a whole, the file has a type for all rows.
    values = values_of(read(connect(tmp_path), "t")["x"])
    assert all(means(text, value) for text, value in ((early, values[0]), (late, values[2000])))


@pytest.mark.parametrize(("early", "late"), LATER)
def test_the_files_of_a_stream_have_one_type_that_fits_all(
    tmp_path: Path, connect: Connect, read: Read, early: str, late: str
) -> None:
    (tmp_path / "t").mkdir()
    write(tmp_path / "t" / "1.csv", [early] * 3)
    write(tmp_path / "t" / "2.csv", [late])
    connector = connect(tmp_path)
    got = read(connector, "t", partitions=2)
    assert [info.arrow_schema for info in connector.discover()] == [got.schema]
    values = values_of(got["x"])
    assert all(means(text, value) for text, value in zip([early] * 3 + [late], values, strict=True))


def test_every_part_of_a_file_has_the_same_type_and_rows(tmp_path: Path, connect: Connect, read: Read) -> None:
    texts = [str(number) for number in range(3000)] + ["12345678901234567890"]
    write(tmp_path / "t.csv", texts)
    connector = connect(tmp_path, min_part_bytes=1)
    for wanted in (1, 4):
        got = read(connector, "t", partitions=wanted)
        assert got["x"].type == pa.string()
        assert sorted(got["x"].to_pylist()) == sorted(texts)


def test_a_file_that_cannot_be_examined_is_left_to_the_read(tmp_path: Path, connect: Connect, read: Read) -> None:
    (tmp_path / "t").mkdir()
    write(tmp_path / "t" / "1.csv", ["7"])
    (tmp_path / "t" / "2.csv").write_text("x,last\n1,2,3\n")
    connector = connect(tmp_path)
    assert [info.arrow_schema.field("x").type for info in connector.discover()] == [pa.int64()]
    with pytest.raises(SchemaMismatchError, match=r"t/2\.csv"):
        read(connector, "t")


def test_what_is_written_by_common_tools_is_read_with_its_types(tmp_path: Path, connect: Connect, read: Read) -> None:
    random = Random(7)
    reals = (
        [random.gauss(0, 1) for _ in range(500)] + [10 ** random.uniform(-300, 300) for _ in range(500)] + [0.0, 3.0]
    )
    table = pa.table({"x": reals, "n": [random.randrange(-(2**63), 2**63) for _ in reals]})
    pacsv.write_csv(table, tmp_path / "arrow.csv")
    (tmp_path / "numpy.csv").write_text("x\n" + "".join(f"{x:.18e}\n" for x in reals))
    (tmp_path / "python.csv").write_text("x\n" + "".join(f"{x!r}\n" for x in reals))
    for name in ("arrow", "numpy", "python"):
        assert read(connect(tmp_path), name)["x"].to_pylist() == reals
    assert read(connect(tmp_path), "arrow").equals(table)


def test_no_form_is_visible_in_a_plan_or_in_what_is_read(tmp_path: Path, connect: Connect, read: Read) -> None:
    write(tmp_path / "t.csv", ["7"])
    connector = connect(tmp_path)
    (info,) = connector.discover()
    schemas = [info.arrow_schema, connector.plan(ReadRequest(stream="t")).arrow_schema, read(connector, "t").schema]
    assert all(schema.equals(schemas[0], check_metadata=True) for schema in schemas)
    assert all(field.metadata is None for field in schemas[0])
