"""One column for each Arrow type, with its least and greatest values, nulls and what is easily lost."""

from __future__ import annotations

import decimal
import fractions

import pyarrow as pa

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FLOATS = [0.1, -0.0, float("nan"), float("inf"), float("-inf"), None]
TEXTS = ["", "a", 'q",\r\n\\', "鐘🔔", "null", "NaN", "\x00", " ", None]
BYTES = [b"", b"a", b"\xff\x00", None]
INT64 = [-(2**63), -1, 0, 2**63 - 1, None]


class Celsius(pa.ExtensionType):  # type: ignore[misc]
    """An extension type that a plugin might register."""

    def __init__(self) -> None:
        super().__init__(pa.float64(), "acme.celsius")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Celsius)

    __hash__ = None  # type: ignore[assignment]

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Celsius:
        return cls()


def _integers(dtype: pa.DataType) -> pa.Array:
    bits, signed = dtype.bit_width, pa.types.is_signed_integer(dtype)
    least, greatest = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return pa.array([least, 0, greatest, greatest - 1, None], dtype)


def _decimals(dtype: pa.DataType) -> pa.Array:
    most, least = (decimal.Decimal((sign, (9,) * dtype.precision, -dtype.scale)) for sign in (0, 1))
    return pa.array([most, least, decimal.Decimal(0), None], dtype)


def _dates(dtype: pa.DataType, *extreme: int) -> pa.Array:
    storage, day = (pa.int32(), 1) if dtype == pa.date32() else (pa.int64(), 86_400_000)
    days = [-719_529, -719_162, -1, 0, 11_016, 2_932_896, 2_932_897, *extreme]
    return pa.array([*(n * day for n in days), None], storage).cast(dtype)


def _stamps(dtype: pa.DataType) -> pa.Array:
    per_s = PER_SECOND[dtype.unit]
    values = [0, 1, -1, 951_782_400 * per_s + 1]
    if dtype.unit != "ns":
        values += [s * per_s for s in (-62_135_596_801, 253_402_300_799, 253_402_300_800, 10**12)]
    else:
        values += [-(2**63), 2**63 - 1]
    return pa.array([*values, None], pa.int64()).cast(dtype)


def _clock(dtype: pa.DataType, storage: pa.DataType, per_s: int) -> pa.Array:
    return pa.array([0, 1, 86_400 * per_s - 1, None], storage).cast(dtype)


def _wrapped(dtype: pa.DataType, values: list[object]) -> pa.Array:
    return pa.ExtensionArray.from_storage(dtype, pa.array(values, dtype.storage_type))


_ENDS = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 5], pa.int32()), pa.array(["a", None, "b"]))
_CATEGORY = pa.array(["a", "b", None, "a"]).dictionary_encode()
_TENSOR = pa.fixed_shape_tensor(pa.int32(), (2, 3), permutation=[1, 0])
_UUID = _wrapped(pa.uuid(), [b"\xff" * 16, b"\x00" * 16, None])
_LISTS = [[1, None], [], None, [127]]

_ARRAYS: list[pa.Array] = [
    pa.nulls(3),
    pa.array([True, False, None]),
    *(_integers(pa.type_for_alias(f"{sign}int{bits}")) for sign in ("", "u") for bits in (8, 16, 32, 64)),
    pa.array(FLOATS, pa.float16()),
    pa.array([*FLOATS, 3.4028234663852886e38], pa.float32()),
    pa.array([*FLOATS, 5e-324, 1.7976931348623157e308]),
    *map(_decimals, (pa.decimal32(9, 2), pa.decimal64(18, 0), pa.decimal128(38, 38), pa.decimal256(76, 2))),
    _decimals(pa.decimal128(1, 0)),
    *(pa.array(TEXTS, dtype) for dtype in (pa.string(), pa.large_string(), pa.string_view())),
    *(pa.array(BYTES, dtype) for dtype in (pa.binary(), pa.large_binary(), pa.binary_view())),
    pa.array([b"\xff\x00\x01", b"abc", None], pa.binary(3)),
    _dates(pa.date32(), -(2**31), 2**31 - 1),
    _dates(pa.date64()),
    *(_stamps(pa.timestamp(unit, zone)) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Shanghai")),
    _clock(pa.time32("s"), pa.int32(), 1),
    _clock(pa.time32("ms"), pa.int32(), 10**3),
    _clock(pa.time64("us"), pa.int64(), 10**6),
    _clock(pa.time64("ns"), pa.int64(), 10**9),
    *(pa.array(INT64, pa.int64()).cast(pa.duration(unit)) for unit in ("s", "ms", "us", "ns")),
    pa.array([pa.MonthDayNano([1, -2, 3]), None], pa.month_day_nano_interval()),
    _CATEGORY,
    pa.array([7, 8, None, 7]).dictionary_encode(),
    pa.DictionaryArray.from_arrays(pa.array([1, 0, None], pa.int8()), pa.array([[1], None], pa.list_(pa.int8()))),
    pa.array(_LISTS, pa.list_(pa.int8())),
    pa.array(_LISTS, pa.large_list(pa.int8())),
    pa.array([[1, 2], None, [None, 3]], pa.list_(pa.int8(), 2)),
    pa.array(_LISTS, pa.list_view(pa.int8())),
    pa.array(_LISTS, pa.large_list_view(pa.int8())),
    pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": None}], pa.struct([("a", pa.int8()), ("b", pa.string())])),
    pa.array([{}, None], pa.struct([])),
    pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, 4])], ["a", "a"]),
    pa.array([[("a", 1), ("b", None)], [], None], pa.map_(pa.string(), pa.int8())),
    _ENDS,
    pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
    pa.UnionArray.from_dense(
        pa.array([0, 1], pa.int8()), pa.array([0, 0], pa.int32()), [pa.array([1]), pa.array(["b"])]
    ),
    _wrapped(_TENSOR, [[1, 2, 3, 4, 5, 6], None]),
    _UUID,
    _wrapped(pa.json_(), ['{"a": 1}', None]),
    _wrapped(pa.bool8(), [1, 0, None]),
    _wrapped(pa.opaque(pa.int8(), "thing", "acme"), [1, None]),
    _wrapped(Celsius(), [21.5, float("nan"), None]),
    pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), _UUID),
    pa.ListArray.from_arrays(pa.array([0, 2, 4], pa.int32()), _CATEGORY),
    pa.ListArray.from_arrays(pa.array([0, 2, 4], pa.int32()), pa.array(["a", None, "c", "d"], pa.string_view())),
    pa.ListArray.from_arrays(pa.array([0, 2, 5], pa.int32()), _ENDS),
    pa.StructArray.from_arrays([_CATEGORY, _stamps(pa.timestamp("ns"))[:4]], ["c", "t"]),
    pa.StructArray.from_arrays([_UUID], ["u"]),
    pa.array([[[1.5, float("nan")], None], None], pa.list_(pa.list_(pa.float64()))),
    pa.array([[{"when": 1, "raw": b"\xff"}]], pa.list_(pa.struct([("when", pa.duration("ns")), ("raw", pa.binary())]))),
]

COLUMNS = {str(array.type): array for array in _ARRAYS}
"""By the text of their type."""


def plain(value: pa.Scalar) -> object:
    """A value without its Arrow type: what two columns of the same values have in common, whatever their types."""
    match value:
        case pa.ExtensionScalar():
            return None if value.value is None else plain(value.value)
        case pa.DictionaryScalar() | pa.RunEndEncodedScalar() if value.is_valid:
            return plain(pa.scalar(value.as_py(), value.type.value_type))
        case _ if not value.is_valid:
            return None
        case pa.StructScalar():
            return [plain(value[i]) for i in range(value.type.num_fields)]
        case pa.ListScalar() | pa.LargeListScalar() | pa.ListViewScalar() | pa.LargeListViewScalar():
            return [plain(item) for item in value.values]
        case pa.Date32Scalar():
            return "day", value.value
        case pa.Date64Scalar():
            return "day", fractions.Fraction(value.value, 86_400_000)
        case pa.TimestampScalar() | pa.DurationScalar() | pa.Time32Scalar() | pa.Time64Scalar():
            return "seconds", fractions.Fraction(value.value, PER_SECOND[value.type.unit])
        case pa.HalfFloatScalar() | pa.FloatScalar() | pa.DoubleScalar():
            return repr(float(value.as_py()))
    return value.as_py()


def plain_values(column: pa.Array | pa.ChunkedArray) -> list[object]:
    """Every value of a column without its Arrow type."""
    return [plain(value) for value in column]
