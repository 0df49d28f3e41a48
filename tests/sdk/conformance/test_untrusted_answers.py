"""Harmful answers of a child are bounded and refused."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pyarrow as pa
import pytest
from chimes.conformance.entry import read_cases, read_entry, read_offers
from chimes.conformance.testdata.generate import MOST_VALUES, random_batch, values_per_row
from chimes.errors import ConfigError, UnsupportedError
from chimes.registration import Registration
from chimes.rpc.arrowsize import count_values
from chimes.rpc.children import parse_events
from chimes.rpc.codec import batch_bytes, decode, read_batch
from chimes.rpc.failure import StepFailedError
from chimes.sandbox import Event
from chimes.text import escape

REGISTRATION = dataclasses.asdict(
    Registration(name="rain", summary="Rain", target="acme.rain:Rain", api="chimes.model/1", devices=("cpu",))
)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def test_depth_is_bounded() -> None:
    assert decode(nested(50), []) == nested(50)
    for value in (nested(70), {"$value": "JobSpec", "json": {"command": ["x"], "native": {"a": nested(900)}}}):
        with pytest.raises(ConfigError, match="deep"):
            decode(value, [])


def test_a_blob_counts_once() -> None:
    data = batch_bytes(pa.RecordBatch.from_pydict({"a": [1]}))
    with pytest.raises(ConfigError):
        decode([{"$batch": 0}, {"$batch": 0}], [data])


@pytest.mark.parametrize(
    "value",
    [{"$dict": [1]}, {"$dict": [[1]]}, {"$table": [1]}, {"$table": []}, {"$value": "ReadPlan", "json": 1}],
)
def test_values_with_a_wrong_structure_are_refused(value: Any) -> None:
    with pytest.raises(ConfigError):
        decode(value, [])


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("values", [pa.array([0] * 10_000), pa.array(["a"] * 10_000).dictionary_encode()])
def test_compressed_data_is_refused(codec: str, values: pa.Array) -> None:
    batch = pa.RecordBatch.from_arrays([values], names=["a"])
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    with pytest.raises(ConfigError, match="compressed"):
        read_batch(sink.getvalue().to_pybytes())
    assert read_batch(batch_bytes(batch)).equals(batch)


HUGE = {
    "nulls": pa.nulls(1 << 30),
    "lists of nulls": pa.LargeListArray.from_arrays([0, 1 << 30], pa.nulls(1 << 30)),
    "a shared word": pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), ["x" * 100_000]),
}


@pytest.mark.parametrize("name", ["nulls", "lists of nulls", "a shared word"])
def test_values_that_are_huge_only_in_memory_are_refused(name: str) -> None:
    batch = pa.RecordBatch.from_arrays([HUGE[name]], names=["a"])
    with pytest.raises(ConfigError, match="values"):
        decode({"$batch": 0}, [batch_bytes(batch)])


@pytest.mark.parametrize(
    ("array", "count"),
    [
        (pa.array([1, 2, 3]), 3),
        (pa.array([[1, 2], [3]]), 5),
        (pa.array([{"a": 1, "b": [1, 2]}]), 1 + 1 + 1 + 2),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())), 3),
        (pa.array(["a", "a"]).dictionary_encode(), 4),
        (pa.array(["a", "b"], pa.string_view()), 6),
    ],
)
def test_values_are_counted(array: pa.Array, count: int) -> None:
    assert count_values(array) == count


def test_types_that_cannot_be_compared_are_refused() -> None:
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1 << 30], pa.int32()), pa.array([1]))
    with pytest.raises(ConfigError):
        decode({"$batch": 0}, [batch_bytes(pa.RecordBatch.from_arrays([runs], names=["a"]))])


def deep_lists(depth: int) -> pa.DataType:
    dtype = pa.float64()
    for _ in range(depth):
        dtype = pa.list_(dtype)
    return dtype


@pytest.mark.parametrize("dtype", [deep_lists(40), pa.list_(pa.int8(), 1 << 30), pa.binary(2_000_000_000)])
def test_a_schema_with_too_many_values_is_refused(dtype: pa.DataType) -> None:
    schema = pa.schema([("a", dtype)])
    assert values_per_row(schema) > MOST_VALUES
    with pytest.raises(UnsupportedError):
        random_batch(schema, 1, random.Random(1))


def test_a_dictionary_type_that_is_too_small_is_refused() -> None:
    schema = pa.schema([("a", pa.dictionary(pa.int8(), pa.int64()))])
    with pytest.raises(UnsupportedError):
        random_batch(schema, 2000, random.Random(1))


def entry(**changes: Any) -> dict[str, Any]:
    item = {"kind": "model", "failure": None, "registration": REGISTRATION}
    return {"failure": None, "components": [item], "modules": ["acme"], "changed": [], **changes}


def test_the_registrations_of_an_entry_module_are_read() -> None:
    found = read_entry("importing", entry())
    assert [each.registration.name for each in found.components] == ["rain"]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        True,
        [],
        entry(components=5),
        entry(modules=None),
        entry(components=[1]),
        entry(components=[{}] * 101),
        entry(modules=[""] * 30_000),
        entry(components=[{"kind": "spy", "failure": None, "registration": REGISTRATION}]),
        entry(components=[{"kind": "model", "failure": None, "registration": {**REGISTRATION, "more": 1}}]),
        entry(components=[{"kind": "model", "failure": None, "registration": {**REGISTRATION, "name": [1]}}]),
        entry(components=[{"kind": "model", "failure": None, "registration": {**REGISTRATION, "devices": ["\ud800"]}}]),
        entry(components=[{"kind": "model", "failure": None, "registration": {**REGISTRATION, "devices": 7}}]),
    ],
)
def test_an_invalid_entry_fails_the_step(answer: Any) -> None:
    with pytest.raises(StepFailedError, match="importing"):
        read_entry("importing", answer)


@pytest.mark.parametrize(
    "answer",
    [
        7,
        [],
        [1],
        [{"name": "a", "config": {}}] * 2,
        [{"name": "\x1b[2K", "config": {}}],
        [{"name": "a", "config": 1}],
        [{"name": str(n), "config": {}} for n in range(200)],
    ],
)
def test_invalid_cases_fail_the_step(answer: Any) -> None:
    with pytest.raises(StepFailedError):
        read_cases("cases", answer)


def test_offers_are_a_list() -> None:
    assert read_offers("cases", ["seed", 1]) == {"seed", "1"}
    with pytest.raises(StepFailedError):
        read_offers("cases", "seed")


@pytest.mark.parametrize("events", [None, 5, [5], [["write", "open"]], [["write", "open", 7]], [["x", "y", "z"]]])
def test_invalid_events_are_left_out(events: Any) -> None:
    assert parse_events(events) == []
    assert parse_events([["write", "open", "/x"]]) == [Event("write", "open", "/x", False)]


def test_escaped_text_is_one_line_without_control_characters() -> None:
    assert escape("\x1b[2K\rclean\nü 编鐘 \ud800") == "\\x1b[2K clean ü 编鐘 \\ud800"
    assert len(escape("x" * 10_000, limit=500)) == 500
