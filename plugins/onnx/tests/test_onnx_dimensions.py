"""Every name in the configuration is one of the file, every size is possible, every hint is useful."""

from __future__ import annotations

import hashlib

import onnx
import pyarrow as pa
import pytest
from chimes.errors import ConfigError, UnsupportedError
from chimes.resources import Device
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
HUGE = 1 << 40


@pytest.mark.parametrize(
    ("shape", "dimensions", "message", "hint"),
    [
        (["n", "length", 2], {"lenght": 5}, "no dimension 'lenght'", "n, length"),
        (["n", "length", 2], {"length": 5, "m": 1}, "no dimension 'm'", "n, length"),
        (["n", 2], {"": 5}, "no dimension ''", ": n"),
        (["n", 2], {"N": 5}, "no dimension 'N'", ": n"),
        (["n", 2], {"x": 5}, "no dimension 'x'", ": n"),
        (["n", None, 2], {"None": 5}, "no dimension 'None'", ": n"),
        ([4, 2], {"n": 4}, "no dimension 'n'", "none"),
        (["n", "length", 2], {"length": 0}, "greater than or equal to 1, not 0", ""),
        (["n", "length", 2], {"length": -1}, "greater than or equal to 1, not -1", ""),
        (["n", "length", 2], {"n": 0}, "greater than or equal to 1, not 0", ""),
        (["n", "length", 2], {"length": 1 << 31}, "less than 2147483648", ""),
        (["n", "length", 2], {"length": 1 << 80}, "length", ""),
        (["n", "length", 2], {"length": "5"}, "valid integer", ""),
        (["n", "length", 2], {"length": 5.0}, "valid integer", ""),
        (["n", "length", 2], {"length": True}, "valid integer", ""),
        (["n", "length", 2], {"length": None}, "valid integer", ""),
    ],
)
def test_a_dimension_that_the_file_lacks_or_a_size_that_is_impossible_is_refused(
    files, describe, make, shape, dimensions, message, hint
):
    path = files.doubled(shape)
    with pytest.raises(ConfigError, match=message) as caught:
        describe(path, dimensions=dimensions)
    assert hint in caught.value.hint
    with pytest.raises(ConfigError, match=message):
        make(path, dimensions=dimensions).load(Device("cpu"))


@pytest.mark.parametrize(
    ("shape", "dimensions", "row", "rows"),
    [
        (["n", "length"], {"length": 5}, pa.list_(pa.field("item", pa.float32(), nullable=False), 5), None),
        (["n", "length"], {"length": 1}, pa.float32(), None),
        (["n", "n"], {"n": 3}, pa.list_(pa.field("item", pa.float32(), nullable=False), 3), 3),
        (["n", "m + 1", 2], {"m + 1": 4}, pa.fixed_shape_tensor(pa.float32(), [4, 2]), None),
        ([7, "length"], {"length": 2}, pa.list_(pa.field("item", pa.float32(), nullable=False), 2), 7),
        (["n"], {"n": 9}, pa.float32(), 9),
        ([-1, 2], {}, pa.list_(pa.field("item", pa.float32(), nullable=False), 2), None),
        ([None, 2], {}, pa.list_(pa.field("item", pa.float32(), nullable=False), 2), None),
        (["", 2], {}, pa.list_(pa.field("item", pa.float32(), nullable=False), 2), None),
    ],
)
def test_dimensions_of_every_sort_give_the_rows_their_type(files, describe, load, shape, dimensions, row, rows):
    path = files.doubled(shape)
    info = describe(path, dimensions=dimensions)
    assert info.signature.inputs.field("x").type == row
    assert rows is None or info.signature.batch.preferred_rows % rows == 0
    model = load(path, dimensions=dimensions)
    for count in (0, 1, 5):
        column = ones(count, row)
        result = model.predict(pa.RecordBatch.from_arrays([column], schema=info.signature.inputs))
        assert result.num_rows == count


def ones(count, row):
    """A column of ``count`` rows of type ``row``, all ones."""
    storage = getattr(row, "storage_type", row)
    if storage == pa.float32():
        return pa.array([1.0] * count, storage)
    values = pa.array([1.0] * (count * storage.list_size), pa.float32())
    column = pa.FixedSizeListArray.from_arrays(values, type=storage)
    return pa.ExtensionArray.from_storage(row, column) if isinstance(row, pa.ExtensionType) else column


@pytest.mark.parametrize(
    ("shape", "config", "message", "hint"),
    [
        ([0, 2], {}, "input 'x' takes batches of 0 rows", "named batch dimension"),
        ([0], {}, "input 'x' takes batches of 0 rows", "named batch dimension"),
        ([HUGE, 2], {}, f"input 'x' takes batches of {HUGE} rows", "named batch dimension"),
        (["n", 0], {}, r"input 'x' has rows without elements, \[0\]", "without this tensor"),
        (["n", 0, 3], {}, r"rows without elements, \[0, 3\]", "without this tensor"),
        (["n", 0], {"inputs": {"x": ["a"]}}, r"rows without elements, \[0\]", "without this tensor"),
        (["n", HUGE], {}, f"rows of {HUGE} elements", "at most 2147483647"),
        (["n", 1 << 20, 1 << 20], {}, f"rows of {HUGE} elements", "at most 2147483647"),
        (["n", "m", 4], {"dimensions": {"m": (1 << 31) - 1}}, "rows of 8589934588 elements", "at most 2147483647"),
        # A hint is given only where it helps.
        (["n", "m"], {}, "input 'x' has rows of unknown size", "list its columns under inputs, or give 'm' a size"),
        (["n", None], {}, "input 'x' has rows of unknown size", "list its columns under inputs"),
        (["n", "m", 2], {}, "input 'x' has rows of unknown size", "give 'm' a size under dimensions"),
        (["n", None, 2], {}, "input 'x' has rows of unknown size", "export the model with fixed sizes"),
    ],
)
def test_rows_of_an_impossible_or_unknown_size_are_refused(files, describe, shape, config, message, hint):
    with pytest.raises(UnsupportedError, match=message) as caught:
        describe(files.doubled(shape), **config)
    assert hint in caught.value.hint
    assert ("dimensions" in caught.value.hint) == (hint.endswith("dimensions") or "or give" in hint)


def test_no_size_is_suggested_for_a_dimension_that_only_an_output_has(files, describe):
    shape = helper.make_tensor("shape", TensorProto.INT64, [3], [0, -1, 1])
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"]),
        helper.make_node("Cast", ["found"], ["floats"], to=FLOAT),
        helper.make_node("Reshape", ["floats", "shape"], ["y"]),
    ]
    path = files.write(nodes, {"x": (FLOAT, ["n", 2])}, {"y": (FLOAT, ["k", "m", 1])}, [shape])
    with pytest.raises(UnsupportedError, match="output 'y' has rows of unknown size") as caught:
        describe(path)
    assert caught.value.hint == "export the model with fixed sizes"
    with pytest.raises(ConfigError, match="no dimension 'm'"):
        describe(path, dimensions={"m": 2})


def test_sizes_that_contradict_the_file_are_the_configurations_fault(files, describe):
    node = helper.make_node("Add", ["a", "b"], ["y"])
    path = files.write([node], {"a": (FLOAT, ["n", "m"]), "b": (FLOAT, ["n", 3])}, {"y": (FLOAT, ["n", 3])})
    with pytest.raises(ConfigError, match="cannot be loaded with the dimensions m = 2") as caught:
        describe(path, dimensions={"m": 2})
    assert "dimensions" in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "message", "advises_zipmap"),
    [
        ("zipmap", r"output 'y' has type seq\(map\(int64,tensor\(float\)\)\)", True),
        ("sequence output", r"output 'y' has type seq\(tensor\(float\)\)", False),
        ("sequence input", r"input 'x' has type seq\(tensor\(float\)\)", False),
        ("map input", r"input 'x' has type map\(string,tensor\(float\)\)", False),
        ("optional input", r"input 'x' has type optional", False),
    ],
)
def test_zipmap_is_mentioned_only_for_an_output_of_zipmap(tmp_path, describe, kind, message, advises_zipmap):
    path = tmp_path / "odd.onnx"
    onnx.save_model(odd_model(kind), path)
    with pytest.raises(UnsupportedError, match=message) as caught:
        describe(path)
    assert ("ipmap" in caught.value.hint) == advises_zipmap


def odd_model(kind):
    """A file with an input or output that is not a tensor."""
    row = helper.make_tensor_value_info("x", FLOAT, ["n", 2])
    plain = helper.make_tensor_value_info("y", FLOAT, None)
    sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(FLOAT, None))
    match kind:
        case "zipmap":
            node = helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
            mapping = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, None))
            inputs, outputs = [row], [helper.make_value_info("y", helper.make_sequence_type_proto(mapping))]
        case "sequence output":
            node = helper.make_node("SequenceConstruct", ["x"], ["y"])
            inputs, outputs = [row], [helper.make_value_info("y", sequence)]
        case "sequence input":
            node = helper.make_node("ConcatFromSequence", ["x"], ["y"], axis=0)
            inputs, outputs = [helper.make_value_info("x", sequence)], [plain]
        case "map input":
            node = helper.make_node("DictVectorizer", ["x"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a"])
            mapping = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(FLOAT, None))
            inputs, outputs = [helper.make_value_info("x", mapping)], [plain]
        case _:
            node = helper.make_node("OptionalGetElement", ["x"], ["y"])
            optional = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, ["n"]))
            inputs, outputs = [helper.make_value_info("x", optional)], [plain]
    graph = helper.make_graph([node], "graph", inputs, outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("used", [[], ["weights.bin"], ["parts/權重.bin", "b" * 200]])
def test_a_file_with_weights_that_the_model_does_not_name_is_refused(files, describe, used):
    path = files.doubled(["n"])
    model = onnx.load(path)
    for name in used:
        tensor = numpy_helper.from_array(numpy_helper.to_array(helper.make_tensor("w", FLOAT, [1], [1.0])), name)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=name)
        tensor.external_data.add(key="length", value="4")
        model.graph.initializer.append(tensor)
    path.write_bytes(model.SerializeToString())
    (path.parent / "weight.bin").write_bytes(b"1234")
    wrong = {"weight.bin": hashlib.sha256(b"1234").hexdigest()}
    with pytest.raises(ConfigError, match=r"keeps no weights in 'weight\.bin'") as caught:
        describe(path, external_data=wrong)
    assert caught.value.hint == f"files with weights: {', '.join(sorted(used)) or 'none'}"
