from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from chimes.context import Context
from chimes.kinds.component import parse_config
from chimes.kinds.model import ModelInfo
from chimes.resources import Device
from chimes_onnx.model import OnnxModel
from onnx import TensorProto, helper

Tensors = dict[str, tuple[int, list[Any] | None]]


class Files:
    """Writes ONNX files from nodes; a tensor is (element type, shape)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, nodes: list[Any], inputs: Tensors, outputs: Tensors, constants: Any = (), opset: int = 17) -> Path:
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
            [helper.make_tensor_value_info(name, *spec) for name, spec in outputs.items()],
            list(constants),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        path = self.folder / "model.onnx"
        onnx.save_model(model, path)
        return path

    def identity(self, element: int, shape: list[Any]) -> Path:
        return self.write(
            [helper.make_node("Identity", ["x"], ["y"])], {"x": (element, shape)}, {"y": (element, shape)}
        )

    def doubled(self, shape: list[Any]) -> Path:
        """y = x + x, float32."""
        tensor = (TensorProto.FLOAT, shape)
        return self.write([helper.make_node("Add", ["x", "x"], ["y"])], {"x": tensor}, {"y": tensor})


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def describe() -> Callable[..., ModelInfo]:
    return lambda path, **config: OnnxModel.describe(parse_config(OnnxModel, {"path": str(path), **config}))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., OnnxModel]:
    """A model that is not loaded."""
    context = Context.under(tmp_path / "context")
    return lambda path, **config: OnnxModel(parse_config(OnnxModel, {"path": str(path), **config}), context)


@pytest.fixture
def load(make: Callable[..., OnnxModel]) -> Iterator[Callable[..., OnnxModel]]:
    """A loaded model."""
    made = []

    def build(path: Path, **config: Any) -> OnnxModel:
        made.append(make(path, **config))
        made[-1].load(Device("cpu"))
        return made[-1]

    yield build
    for model in made:
        model.close()
