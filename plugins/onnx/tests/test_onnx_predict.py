from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from chimes.errors import (
    CancelledError,
    ConfigError,
    DeviceUnavailableError,
    InvalidStateError,
    OutOfMemoryError,
    SchemaMismatchError,
    UnsupportedError,
)
from chimes.resources import Device
from chimes_onnx.tensors import check_batch
from onnx import TensorProto, helper

STACKED = {"inputs": {"x": ["a", "b", "c"]}, "outputs": {"y": ["p", "q", "r"]}}


def batch_of(schema, **columns):
    return pa.RecordBatch.from_arrays([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def rows(load, path, columns, **config):
    model = load(path, **config)
    signature = model.describe(model.config).signature
    result = model.predict(batch_of(signature.inputs, **columns))
    assert result.schema.equals(signature.outputs, check_metadata=True)
    return result.to_pydict()


def test_columns_are_stacked_in_the_order_of_the_configuration(files, load):
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 1], [100, 10, 1])
    path = files.write(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": (TensorProto.FLOAT, ["n", 3])},
        {"y": (TensorProto.FLOAT, ["n", 1])},
        [weights],
    )
    columns = {"a": [1, 4], "b": [2, 5], "c": [3, 6]}
    assert rows(load, path, columns, inputs={"x": ["a", "b", "c"]}) == {"y": [123, 456]}
    assert rows(load, path, columns, inputs={"x": ["c", "b", "a"]}) == {"y": [321, 654]}


def test_an_output_is_split_into_columns(files, load):
    columns = {"a": [1, 4], "b": [2, 5], "c": [3, 6]}
    assert rows(load, files.doubled(["n", 3]), columns, **STACKED) == {"p": [2, 8], "q": [4, 10], "r": [6, 12]}


def test_without_configuration_a_row_of_a_matrix_is_a_fixed_size_list(files, load):
    assert rows(load, files.doubled(["n", 2]), {"x": [[1, 2], [3, 4]]}) == {"y": [[2, 4], [6, 8]]}


def test_a_row_of_more_dimensions_is_a_fixed_shape_tensor(files, load):
    model = load(files.doubled(["n", 2, 3]))
    pixels = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)
    schema = model.describe(model.config).signature.inputs
    batch = pa.RecordBatch.from_arrays([column], schema=schema)
    result = model.predict(batch.slice(1, 2)).column("y")
    assert result.type == pa.fixed_shape_tensor(pa.float32(), [2, 3])
    np.testing.assert_array_equal(result.to_numpy_ndarray(), 2 * pixels[1:3])
    assert model.predict(batch.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(
    ("element", "arrow", "values"),
    [
        (TensorProto.FLOAT, pa.float32(), [1.5, -2.0, 0.0]),
        (TensorProto.DOUBLE, pa.float64(), [1.1, 1e300, -0.0]),
        (TensorProto.FLOAT16, pa.float16(), [1.5, -2.0, 65504.0]),
        (TensorProto.INT64, pa.int64(), [2**53 + 1, -(2**63), 0]),
        (TensorProto.INT32, pa.int32(), [1, -(2**31), 0]),
        (TensorProto.INT8, pa.int8(), [1, -128, 127]),
        (TensorProto.UINT8, pa.uint8(), [1, 255, 0]),
        (TensorProto.UINT64, pa.uint64(), [2**64 - 1, 1, 0]),
        (TensorProto.BOOL, pa.bool_(), [True, False, True]),
        (TensorProto.STRING, pa.string(), ["", "编钟 🔔", "a" * 3000]),
    ],
)
@pytest.mark.parametrize("shape", [["n"], ["n", 1], ["n", 3]])
def test_every_element_type_keeps_its_values(files, load, element, arrow, values, shape):
    path = files.identity(element, shape)
    model = load(path)
    nested = [[value] * 3 for value in values] if shape == ["n", 3] else values
    field = model.describe(model.config).signature.inputs.field("x")
    assert (field.type.value_type if shape == ["n", 3] else field.type) == arrow
    assert rows(load, path, {"x": nested}) == {"y": nested}


def test_nan_and_infinity_pass_through(files, load):
    result = rows(load, files.doubled(["n"]), {"x": [float("nan"), float("inf"), -1.0]})["y"]
    assert np.isnan(result[0])
    assert result[1:] == [float("inf"), -2.0]


def test_zero_rows_give_zero_rows_of_the_right_schema(files, load):
    for shape, config in ((["n", 3], STACKED), ([4, 3], STACKED), (["n", 3], {})):
        assert all(
            not values for values in rows(load, files.doubled(shape), {name: [] for name in "xabc"}, **config).values()
        )


@pytest.mark.parametrize("size", [1, 4, 16])
@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_a_fixed_batch_size_is_fed_in_slices_and_filled_up(files, load, size, count):
    values = [float(value) for value in range(count)]
    assert rows(load, files.doubled([size]), {"x": values}) == {"y": [2 * value for value in values]}


def test_batches_of_any_size_give_the_same_rows(files, load):
    model = load(files.doubled(["n", 3]), **STACKED)
    schema = model.describe(model.config).signature.inputs
    whole = batch_of(schema, a=range(50), b=range(50, 100), c=range(100, 150))
    parts = [model.predict(whole.slice(start, 7)) for start in range(0, 50, 7)]
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([model.predict(whole)]))


def test_inputs_from_a_read_only_memory_map_are_left_as_they_are(files, load, tmp_path):
    model = load(files.doubled(["n"]))
    schema = model.describe(model.config).signature.inputs
    file = tmp_path / "rows.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(batch_of(schema, x=[1, 2, 3]))
    before = file.read_bytes()
    with pa.memory_map(str(file)) as source:
        batch = pa.ipc.open_file(source).get_batch(0)
        assert model.predict(batch).to_pydict() == {"y": [2, 4, 6]}
        assert batch.to_pydict() == {"x": [1, 2, 3]}
    assert file.read_bytes() == before


def test_dictionary_encoded_and_sliced_columns_are_read_right(files, load):
    model = load(files.identity(TensorProto.STRING, ["n"]))
    batch = pa.record_batch({"x": pa.array(["skip", "a", "b", "a"]).dictionary_encode()})
    assert model.predict(batch.slice(1)).to_pydict() == {"y": ["a", "b", "a"]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": pa.array([1], pa.float32()), "b": pa.array([1], pa.float32())}, "column 'c' is needed once"),
        ({name: pa.array([1], pa.float32()) for name in "abcz"}, "column 'z' is not an input"),
        ({"a": pa.array([1.0]), **{n: pa.array([1], pa.float32()) for n in "bc"}}, "column 'a' has type double"),
        (
            {"a": pa.array([None], pa.float32()), **{n: pa.array([1], pa.float32()) for n in "bc"}},
            "column 'a' holds nulls",
        ),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_naming_the_column(files, load, columns, message):
    with pytest.raises(SchemaMismatchError, match=message) as caught:
        load(files.doubled(["n", 3]), **STACKED).predict(pa.record_batch(columns))
    assert caught.value.hint


def test_nulls_inside_lists_are_refused():
    item = pa.field("item", pa.float32(), nullable=False)
    lists = pa.FixedSizeListArray.from_arrays(pa.array([1, None], pa.float32()), type=pa.list_(item, 2))
    schema = pa.schema([pa.field("x", lists.type, nullable=False)])
    with pytest.raises(SchemaMismatchError, match="column 'x' holds nulls"):
        check_batch(pa.RecordBatch.from_arrays([lists], schema=schema), schema)


def test_predict_before_load_and_after_close_is_an_error(files, make):
    model = make(files.doubled(["n"]))
    batch = pa.record_batch({"x": pa.array([1], pa.float32())})
    with pytest.raises(InvalidStateError, match="not loaded"):
        model.predict(batch)
    model.load(Device("cpu"))
    model.close()
    model.close()
    with pytest.raises(InvalidStateError, match="not loaded"):
        model.predict(batch)


def test_parameters_are_refused_by_name(files, load):
    batch = pa.record_batch({"x": pa.array([1], pa.float32())})
    with pytest.raises(ConfigError, match="no parameter 'temperature'"):
        load(files.doubled(["n"])).predict(batch, params={"temperature": 1})


@pytest.mark.parametrize("device", [Device("cuda"), Device("npu", 1), Device("cpu", 1)])
def test_any_device_but_the_cpu_is_refused(files, make, device):
    with pytest.raises(DeviceUnavailableError, match=str(device)):
        make(files.doubled(["n"])).load(device)


def test_load_says_where_the_model_is_and_can_be_repeated(files, make):
    model = make(files.doubled(["n"]))
    report = model.load(Device("cpu"))
    assert report == model.load(Device("cpu"))
    assert (report.device, report.precision, report.providers) == ("cpu:0", "float32", ("CPUExecutionProvider",))
    assert (report.memory_bytes, report.cpu_ops) == (None, None)


def test_cancelling_ends_a_prediction_between_slices(files, load):
    model = load(files.doubled([1]))
    model.context.cancel.cancel()
    with pytest.raises(CancelledError):
        model.predict(pa.record_batch({"x": pa.array([1, 2], pa.float32())}))


def test_an_output_without_one_row_per_input_row_is_refused(files, load):
    path = files.write(
        [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)],
        {"x": (TensorProto.FLOAT, ["n"])},
        {"y": (TensorProto.FLOAT, None)},
    )
    model = load(path, outputs={"y": ["total"]})
    with pytest.raises(SchemaMismatchError, match=r"output 'y' has shape \[\]"):
        model.predict(pa.record_batch({"x": pa.array([1, 2], pa.float32())}))


def test_rows_that_the_graph_cannot_process_are_an_error_with_its_reason(files, load, capfd):
    table = helper.make_tensor("table", TensorProto.FLOAT, [3], [0, 1, 2])
    path = files.write(
        [helper.make_node("Gather", ["table", "x"], ["y"])],
        {"x": (TensorProto.INT64, ["n"])},
        {"y": (TensorProto.FLOAT, ["n"])},
        [table],
    )
    model = load(path)
    with pytest.raises(UnsupportedError, match="failed on these rows") as caught:
        model.predict(pa.record_batch({"x": pa.array([99])}))
    assert "ONNXRuntimeError" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_lack_of_memory_has_its_own_error(files, load):
    wide = helper.make_tensor("wide", TensorProto.INT64, [2], [1, 2**44])
    path = files.write(
        [helper.make_node("Expand", ["x", "wide"], ["expanded"]), helper.make_node("ReduceSum", ["expanded"], ["y"])],
        {"x": (TensorProto.FLOAT, ["n", 1])},
        {"y": (TensorProto.FLOAT, ["n", 1])},
        [wide],
    )
    with pytest.raises(OutOfMemoryError, match="not enough memory") as caught:
        load(path).predict(pa.record_batch({"x": pa.array([1], pa.float32())}))
    assert caught.value.hint == "use smaller batches"
