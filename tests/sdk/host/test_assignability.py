"""Which Arrow types fit another type without loss."""

from __future__ import annotations

import pyarrow as pa
import pytest
from chimes.errors import ConfigError
from chimes.host.assignability import Fit, fit_field, fit_type, name_type, parse_type
from chimes.host.casting import is_castable

INNER = pa.field("x", pa.int32())

CASES: list[tuple[pa.DataType, pa.DataType, Fit]] = [
    (pa.int32(), pa.int32(), "exact"),
    (pa.int32(), pa.int64(), "widening"),
    (pa.int64(), pa.int32(), "incompatible"),
    (pa.uint32(), pa.int64(), "widening"),
    (pa.uint32(), pa.int32(), "incompatible"),
    (pa.int32(), pa.uint64(), "incompatible"),
    (pa.uint8(), pa.float16(), "widening"),
    (pa.int16(), pa.float16(), "incompatible"),
    (pa.int16(), pa.float32(), "widening"),
    (pa.int32(), pa.float32(), "incompatible"),
    (pa.uint32(), pa.float64(), "widening"),
    (pa.int64(), pa.float64(), "incompatible"),
    (pa.int8(), pa.string(), "incompatible"),
    (pa.float32(), pa.float64(), "widening"),
    (pa.float64(), pa.float32(), "incompatible"),
    (pa.float32(), pa.int64(), "incompatible"),
    (pa.bool_(), pa.int8(), "incompatible"),
    (pa.string(), pa.large_string(), "widening"),
    (pa.large_string(), pa.string(), "incompatible"),
    (pa.string(), pa.binary(), "incompatible"),
    (pa.binary(), pa.large_binary(), "widening"),
    (pa.binary(3), pa.binary(), "widening"),
    (pa.binary(3), pa.string(), "incompatible"),
    (pa.decimal128(5, 2), pa.decimal128(8, 3), "widening"),
    (pa.decimal128(5, 2), pa.decimal128(5, 3), "incompatible"),
    (pa.decimal128(5, 2), pa.float64(), "incompatible"),
    (pa.date32(), pa.date64(), "widening"),
    (pa.date32(), pa.timestamp("s"), "incompatible"),
    (pa.date64(), pa.date32(), "incompatible"),
    (pa.timestamp("s"), pa.timestamp("us"), "widening"),
    (pa.timestamp("us"), pa.timestamp("ms"), "incompatible"),
    (pa.timestamp("us"), pa.timestamp("ns"), "incompatible"),
    (pa.timestamp("s"), pa.timestamp("ms", "UTC"), "incompatible"),
    (pa.timestamp("s", "UTC"), pa.timestamp("ms", "UTC"), "widening"),
    (pa.timestamp("s"), pa.date32(), "incompatible"),
    (pa.duration("s"), pa.duration("ms"), "widening"),
    (pa.time32("s"), pa.time64("ns"), "widening"),
    (pa.month_day_nano_interval(), pa.int64(), "incompatible"),
    (pa.dictionary(pa.int8(), pa.string()), pa.string(), "widening"),
    (pa.dictionary(pa.int8(), pa.string()), pa.int8(), "incompatible"),
    (pa.null(), pa.int8(), "widening"),
    (pa.list_(pa.int32()), pa.list_(pa.int64()), "widening"),
    (pa.list_(pa.int64()), pa.list_(pa.int32()), "incompatible"),
    (pa.list_(pa.int32()), pa.large_list(pa.int32()), "widening"),
    (pa.large_list(pa.int32()), pa.list_(pa.int32()), "incompatible"),
    (pa.list_(pa.int32(), 3), pa.list_(pa.int32()), "widening"),
    (pa.list_(pa.int32(), 3), pa.list_(pa.int64(), 3), "widening"),
    (pa.list_(pa.int32(), 3), pa.list_(pa.int32(), 4), "incompatible"),
    (pa.list_(pa.int32()), pa.int32(), "incompatible"),
    (pa.list_(pa.int32()), pa.list_(pa.field("item", pa.int32(), nullable=False)), "incompatible"),
    (pa.struct([INNER]), pa.struct([INNER.with_type(pa.int64())]), "widening"),
    (pa.struct([INNER]), pa.struct([INNER.with_name("y")]), "incompatible"),
    (pa.map_(pa.string(), pa.int8()), pa.map_(pa.string(), pa.int16()), "incompatible"),
]


@pytest.mark.parametrize(("source", "target", "fit"), CASES, ids=str)
def test_a_type_fits_as_the_table_says(source: pa.DataType, target: pa.DataType, fit: Fit) -> None:
    assert fit_type(source, target) == fit


@pytest.mark.parametrize(("source", "target"), [(a, b) for a, b, fit in CASES if fit != "incompatible"], ids=str)
def test_arrow_has_a_cast_for_every_widening(source: pa.DataType, target: pa.DataType) -> None:
    assert is_castable(source, target)


@pytest.mark.parametrize(("source", "target", "fit"), [(a, b, f) for a, b, f in CASES if f == "widening"], ids=str)
def test_the_largest_values_survive_a_widening(source: pa.DataType, target: pa.DataType, fit: Fit) -> None:
    if pa.types.is_integer(source):
        bits = source.bit_width - pa.types.is_signed_integer(source)
        array = pa.array([2**bits - 1], source)
        assert int(array.cast(target)[0].as_py()) == 2**bits - 1


def test_nulls_fit_only_where_they_are_allowed() -> None:
    nullable, solid = pa.field("x", pa.int8()), pa.field("x", pa.int8(), nullable=False)
    assert fit_field(nullable, nullable) == "exact"
    assert fit_field(solid, nullable) == "widening"
    assert fit_field(nullable, solid) == "incompatible"


def test_a_type_has_the_name_by_which_it_is_found() -> None:
    for name in ("float32", "bool", "timestamp[us]", "large_string", "time64[ns]"):
        assert name_type(parse_type(name)) == name
    assert name_type(pa.list_(pa.int8())) == "list<item: int8>"


def test_an_unknown_type_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="'float33' does not name an Arrow type") as caught:
        parse_type("float33")
    assert "float32" in str(caught.value.hint)
