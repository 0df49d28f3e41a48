from __future__ import annotations

import pyarrow as pa
import pytest
from chimes.errors import ConfigError, UnsupportedError
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT


def test_the_signature_has_the_columns_types_and_no_nulls(files, describe):
    path = files.identity(FLOAT, ["n", 2])
    info = describe(path, inputs={"x": ["a", "b"]}, outputs={"y": ["c", "d"]})
    assert info.signature.inputs == pa.schema([pa.field(name, pa.float32(), nullable=False) for name in "ab"])
    assert info.signature.outputs == pa.schema([pa.field(name, pa.float32(), nullable=False) for name in "cd"])
    assert info.devices == ("cpu",)
    assert info == describe(path, inputs={"x": ["a", "b"]}, outputs={"y": ["c", "d"]})


def test_only_the_outputs_that_are_named_are_given_in_that_order(files, describe):
    nodes = [helper.make_node("Identity", ["x"], [name]) for name in ("p", "q", "r")]
    path = files.write(nodes, {"x": (FLOAT, ["n"])}, dict.fromkeys("pqr", (FLOAT, ["n"])))
    assert describe(path).signature.outputs.names == ["p", "q", "r"]
    assert describe(path, outputs={"r": "last", "p": "first"}).signature.outputs.names == ["last", "first"]


@pytest.mark.parametrize(("size", "preferred"), [("n", 1024), (1, 1024), (48, 1008), (5000, 5000)])
def test_preferred_rows_are_a_multiple_of_a_fixed_batch_size(files, describe, size, preferred):
    assert describe(files.doubled([size])).signature.batch.preferred_rows == preferred


def test_dimensions_give_sizes_to_named_dimensions(files, describe):
    info = describe(files.doubled(["n", "length", 2]), dimensions={"length": 5, "n": 8})
    assert info.signature.inputs.field("x").type == pa.fixed_shape_tensor(pa.float32(), [5, 2])
    assert info.signature.batch.preferred_rows % 8 == 0


def test_any_number_of_columns_fills_a_dimension_of_unknown_size(files, describe):
    info = describe(files.doubled(["n", None]), inputs={"x": ["a", "b"]}, outputs={"y": ["c", "d"]})
    assert info.signature.inputs.names == ["a", "b"]


def test_tolerances_come_from_the_configuration(files, describe):
    signature = describe(files.doubled(["n"]), rtol=0.01, atol=0.1).signature
    assert (signature.determinism, signature.rtol, signature.atol) == ("tolerance", 0.01, 0.1)


@pytest.mark.parametrize(
    ("shape", "config", "message"),
    [
        (["n", 2], {"inputs": {"z": ["a"]}}, "no input 'z'"),
        (["n", 2], {"outputs": {"z": ["a"]}}, "no output 'z'"),
        (["n", 2], {"inputs": {"x": ["a", "b", "c"]}}, "input 'x' has 2 elements in each row, 3 columns are listed"),
        (["n", 2], {"outputs": {"y": ["a"]}}, "output 'y' has 2 elements in each row, 1 columns are listed"),
        (["n"], {"inputs": {"x": ["a", "b"]}}, "input 'x' has 1 elements"),
        (["n", 2], {"inputs": {"x": ["a", "a"]}}, "column 'a' is named twice"),
        (["n", 2, 2], {"inputs": {"x": ["a", "b", "c", "d"]}}, r"input 'x' has shape \[n, 2, 2\]"),
        (["n"], {"thread": 2}, "thread"),
        (["n"], {"inputs": {"x": []}}, "inputs"),
        (["n"], {"sha256": "abc"}, "sha256"),
        (["n"], {"external_data": {"../w.bin": "0" * 64}}, "does not lie beside"),
    ],
)
def test_a_configuration_that_does_not_fit_the_file_is_refused(files, describe, shape, config, message):
    with pytest.raises(ConfigError, match=message) as caught:
        describe(files.doubled(shape), **config)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([], "input 'x' has no row dimension"),
        (["n", "length"], r"input 'x' has rows of unknown size \[length\]"),
        (["n", "length", 2], r"input 'x' has rows of unknown size \[length, 2\]"),
        (["n", None, 2], r"rows of unknown size \[\?, 2\]"),
    ],
)
def test_a_tensor_without_rows_of_known_size_is_refused(files, describe, shape, message):
    with pytest.raises(UnsupportedError, match=message) as caught:
        describe(files.doubled(shape))
    assert caught.value.hint


def test_an_output_of_unknown_shape_needs_a_list_of_columns(files, describe):
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    path = files.write(nodes, {"x": (FLOAT, ["n"]), "shape": (TensorProto.INT64, ["m"])}, {"y": (FLOAT, None)})
    with pytest.raises(UnsupportedError, match="does not say what shape output 'y' has"):
        describe(path)
    assert describe(path, outputs={"y": ["a", "b"]}).signature.outputs.names == ["a", "b"]


def test_inputs_with_different_fixed_batch_sizes_are_refused(files, describe):
    path = files.write(
        [helper.make_node("Concat", ["a", "b"], ["y"], axis=0)],
        {"a": (FLOAT, [2]), "b": (FLOAT, [3])},
        {"y": (FLOAT, [5])},
    )
    with pytest.raises(UnsupportedError, match=r"different numbers of rows \(a 2, b 3\)"):
        describe(path)


def test_a_file_without_inputs_is_refused(files, describe):
    one = helper.make_tensor("one", FLOAT, [1], [1])
    path = files.write([helper.make_node("Identity", ["one"], ["y"])], {}, {"y": (FLOAT, [1])}, [one])
    with pytest.raises(UnsupportedError, match="no inputs"):
        describe(path)


def test_an_element_type_without_an_arrow_type_is_refused(files, describe):
    with pytest.raises(UnsupportedError, match=r"input 'x' has type tensor\(bfloat16\)"):
        describe(files.identity(TensorProto.BFLOAT16, ["n"]))
