"""Generated data, comparisons, nonces and rules."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest
from chimes.conformance.options import Nonce
from chimes.conformance.rules import Rules
from chimes.conformance.testdata.compare import close_values, same_table
from chimes.conformance.testdata.generate import random_array, random_batch
from chimes.errors import ConfigError, UnsupportedError

TYPES = [
    pa.int8(),
    pa.uint64(),
    pa.float16(),
    pa.float32(),
    pa.bool_(),
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.binary(4),
    pa.decimal128(20, 4),
    pa.decimal256(50, 3),
    pa.date32(),
    pa.date64(),
    pa.time32("ms"),
    pa.time64("ns"),
    pa.timestamp("ns", "Asia/Shanghai"),
    pa.timestamp("s"),
    pa.duration("us"),
    pa.list_(pa.int32()),
    pa.list_(pa.float32(), 3),
    pa.large_list(pa.string()),
    pa.struct([("a", pa.int16()), ("b", pa.timestamp("us"))]),
    pa.map_(pa.string(), pa.int32()),
    pa.dictionary(pa.int8(), pa.string()),
    pa.fixed_shape_tensor(pa.float32(), [2, 2]),
    pa.null(),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_random_values_are_valid_repeatable_and_equal_to_themselves(dtype: pa.DataType) -> None:
    first, second = (random_array(dtype, 40, random.Random("seed"), nullable=True) for _ in range(2))
    first.validate(full=True)
    assert first.type == dtype
    assert same_table(pa.table({"c": first}), pa.table({"c": second}))
    batches = [pa.RecordBatch.from_arrays([array], names=["c"]) for array in (first, second)]
    assert close_values(*batches, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [dtype for dtype in TYPES if dtype != pa.null()], ids=str)
def test_a_column_that_is_not_nullable_gets_no_nulls(dtype: pa.DataType) -> None:
    assert random_array(dtype, 60, random.Random(3), nullable=False).null_count == 0


def test_an_unsupported_type_is_refused_with_a_fix() -> None:
    with pytest.raises(UnsupportedError) as caught:
        random_array(pa.month_day_nano_interval(), 3, random.Random(0), nullable=False)
    assert caught.value.hint


def batch(values: list[float | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values, pa.float64())], names=["v"])


def test_floats_agree_within_the_tolerance_and_nan_with_nan() -> None:
    nan, inf = float("nan"), float("inf")
    assert close_values(batch([1.0, nan, inf, None]), batch([1.0 + 1e-9, nan, inf, None]), rtol=1e-6, atol=0)
    assert not close_values(batch([1.0]), batch([1.1]), rtol=1e-6, atol=0)
    assert not close_values(batch([nan]), batch([1.0]), rtol=1, atol=1)
    assert not close_values(batch([None]), batch([1.0]), rtol=1, atol=1)
    assert not close_values(batch([1.0]), batch([1.0, 2.0]), rtol=1, atol=1)


def test_nested_floats_are_compared_value_by_value() -> None:
    rows = [{"s": {"l": [1.0, 2.0]}}, {"s": {"l": []}}]
    schema = pa.schema([("s", pa.struct([("l", pa.list_(pa.float64()))]))])
    other = [{"s": {"l": [1.0, 2.0 + 1e-9]}}, {"s": {"l": []}}]
    left, right = (pa.RecordBatch.from_pylist(found, schema=schema) for found in (rows, other))
    assert close_values(left, right, rtol=1e-6, atol=0)
    assert not close_values(left, right, rtol=0, atol=0)


def test_rows_are_a_multiset() -> None:
    table = pa.table({"a": [1, 2, 2], "b": ["x", "y", "y"]})
    assert same_table(table, table.take([2, 0, 1]))
    assert not same_table(table, table.slice(1))
    assert not same_table(pa.table({"f": [0.0]}), pa.table({"f": [-0.0]}))


def test_one_nonce_gives_the_same_inputs_and_another_gives_others() -> None:
    schema = pa.schema([("a", pa.float64())])
    first, again, other = (Nonce(bytes([n]) * 32) for n in (1, 1, 2))
    batches = [random_batch(schema, 9, nonce.rng("model", "M07")) for nonce in (first, again, other)]
    assert batches[0].equals(batches[1])
    assert not batches[0].equals(batches[2])
    assert first.token("a") != first.token("b")
    assert first.sha256[:12] in repr(first)
    assert first.value.hex() not in repr(first)


def test_a_nonce_file_holds_64_hexadecimal_digits(tmp_path: Path) -> None:
    good = tmp_path / "nonce"
    good.write_text("ab" * 32 + "\n")
    assert Nonce.read(good).value == b"\xab" * 32
    for text in ("ab" * 31, "zz" * 32, ""):
        good.write_text(text)
        with pytest.raises(ConfigError):
            Nonce.read(good)
    with pytest.raises(ConfigError):
        Nonce.read(tmp_path / "absent")


def test_rules_are_read_from_toml_and_have_a_digest_of_their_content(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('name = "lane"\ncall_s = 5\n[limits]\nprocesses = 64\n')
    rules = Rules.read(file)
    assert (rules.name, rules.call_s, rules.limits.processes) == ("lane", 5, 64)
    assert rules.sha256 == Rules.read(file).sha256 != Rules().sha256


@pytest.mark.parametrize(
    "text",
    [
        *("speed = 1", "[limits]\nspeed = 1", 'call_s = "long"', "[limits]\nprocesses = -1", "limits = 3", "= x"),
        *("call_s = inf", "call_s = nan", "call_s = 1e400", "call_s = 1e300", "call_s = true", "name = 3"),
        *("[limits]\nwall_s = inf", "[limits]\ncpu_s = 1.5", "[limits]\naddress_bytes = 1", "x = " + "[" * 20_000),
        *("[limits]\nopen_files = 9223372036854775807", "[files.limits]\nratio = 0", f"call_s = 0x1{'0' * 5000}"),
    ],
)
def test_rules_with_a_mistake_are_refused_with_a_fix(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Rules.read(file)
    assert caught.value.hint


@pytest.mark.parametrize("dtype", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()], ids=str)
def test_random_text_always_contains_values_that_careless_code_changes(dtype: pa.DataType) -> None:
    for seed in range(20):
        values = random_array(dtype, 10, random.Random(seed), nullable=True).to_pylist()
        texts = [
            value.decode("latin-1") if isinstance(value, bytes) else value for value in values if value is not None
        ]
        assert any(text != text.strip() for text in texts)
        assert "" in texts
