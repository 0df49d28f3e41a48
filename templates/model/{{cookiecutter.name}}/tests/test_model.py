"""The model on rows that can be checked by hand."""

import pyarrow as pa
import pytest
from chimes import Context, Device
from chimes.errors import (
    ConfigError,
    DeviceUnavailableError,
    InvalidStateError,
    SchemaMismatchError,
)

from {{ cookiecutter.__package }}.model import INPUTS, OUTPUTS, WeightedSum, WeightedSumConfig


@pytest.fixture
def model(chimes_context: Context) -> WeightedSum:
    config = WeightedSumConfig(weight_a=2.0, weight_b=-1.0, bias=0.5, threshold=3.0)
    model = WeightedSum(config, chimes_context)
    model.load(Device("cpu"))
    return model


def batch(a: list[float | None], b: list[float | None]) -> pa.RecordBatch:
    return pa.record_batch({"a": pa.array(a, pa.float64()), "b": pa.array(b, pa.float64())})


def test_a_score_is_the_weighted_sum(model: WeightedSum) -> None:
    output = model.predict(batch([1.0, 2.0], [4.0, 1.0]))
    assert output.to_pydict() == {"score": [-1.5, 3.5], "reached": [False, True]}


def test_the_threshold_itself_counts_as_reached(model: WeightedSum) -> None:
    assert model.predict(batch([1.25], [0.0])).to_pydict() == {"score": [3.0], "reached": [True]}


def test_a_batch_without_rows_gives_one_without_rows(model: WeightedSum) -> None:
    output = model.predict(pa.RecordBatch.from_pylist([], schema=INPUTS))
    assert output.num_rows == 0
    assert output.schema == OUTPUTS


def test_the_output_has_exactly_the_schema_that_describe_promises(model: WeightedSum) -> None:
    promised = WeightedSum.describe(WeightedSumConfig()).signature.outputs
    assert model.predict(batch([1.0], [1.0])).schema == promised


@pytest.mark.parametrize("device", ["cuda:0", "npu:0", "cpu:1"])
def test_another_device_is_refused(chimes_context: Context, device: str) -> None:
    model = WeightedSum(WeightedSumConfig(), chimes_context)
    with pytest.raises(DeviceUnavailableError, match=device):
        model.load(Device.parse(device))


def test_predicting_before_loading_is_refused(chimes_context: Context) -> None:
    model = WeightedSum(WeightedSumConfig(), chimes_context)
    with pytest.raises(InvalidStateError):
        model.predict(batch([1.0], [1.0]))


def test_an_unknown_parameter_is_named(model: WeightedSum) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        model.predict(batch([1.0], [1.0]), params={"temperature": 1})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1.0]}, "'b' is missing"),
        ({"a": [1], "b": [1.0]}, "'a' is int64"),
        ({"a": [1.0, None], "b": [1.0, 2.0]}, "'a' holds nulls"),
        ({"a": [1.0], "b": [1.0], "c": [1.0]}, "no input column 'c'"),
    ],
)
def test_a_batch_with_another_schema_is_refused_with_the_column(
    model: WeightedSum, columns: dict[str, list[float | None]], message: str
) -> None:
    with pytest.raises(SchemaMismatchError, match=message):
        model.predict(pa.record_batch(columns))
