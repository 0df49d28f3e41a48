"""Writes the ONNX file that the conformance harness runs: ``python make_linear.py FILE``.

scores = [features, visits] x weights + bias in double precision, label = the larger score's index.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
from onnx import TensorProto, helper

WEIGHTS = [[0.5, -0.25], [-1.5, 0.75], [0.125, 2.0], [-0.0625, 0.03125]]
BIAS = [0.25, -0.5]


def linear() -> bytes:
    """The file's bytes: the same with every version of the onnx package, since all versions in it are fixed."""
    nodes = [
        helper.make_node("Cast", ["features"], ["features_f64"], to=TensorProto.DOUBLE),
        helper.make_node("Cast", ["visits"], ["visits_f64"], to=TensorProto.DOUBLE),
        helper.make_node("Unsqueeze", ["visits_f64", "axis"], ["visits_column"]),
        helper.make_node("Concat", ["features_f64", "visits_column"], ["rows"], axis=1),
        helper.make_node("MatMul", ["rows", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["scores"], to=TensorProto.FLOAT),
        helper.make_node("ArgMax", ["sums"], ["label"], axis=1, keepdims=0),
    ]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("weights", TensorProto.DOUBLE, [4, 2], [value for row in WEIGHTS for value in row]),
        helper.make_tensor("bias", TensorProto.DOUBLE, [2], BIAS),
    ]
    inputs = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3]),
        helper.make_tensor_value_info("visits", TensorProto.INT64, ["n"]),
    ]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2]),
        helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
    ]
    graph = helper.make_graph(nodes, "linear", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(linear())
