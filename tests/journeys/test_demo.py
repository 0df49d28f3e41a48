"""`make demo` as a user runs it: the real commands on real data."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from chimes.processes import Completed, run
from onnx import TensorProto, helper

ROOT = Path(__file__).parents[2]
RESULT = re.compile(r"RESULT auc=(0\.\d{4}) expected>=0\.99")


def demo(folder: Path, *arguments: str) -> Completed:
    argv = [sys.executable, "examples/demo.py", "--folder", str(folder / "demo"), *arguments]
    return run(argv, cwd=ROOT, timeout_s=600)


def lines(done: Completed) -> list[str]:
    return done.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def constant_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with the demo model's inputs that returns 0.5 for every row."""
    zeros = helper.make_tensor("zeros", TensorProto.FLOAT, [30, 2], [0.0] * 60)
    half = helper.make_tensor("half", TensorProto.FLOAT, [2], [0.5, 0.5])
    nodes = [
        helper.make_node("MatMul", ["features", "zeros"], ["nothing"]),
        helper.make_node("Add", ["nothing", "half"], ["probabilities"]),
    ]
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 30])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(nodes, "constant", [features], [probabilities], [zeros, half])
    path = tmp_path_factory.mktemp("constant") / "constant.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_the_demo_runs_every_step_and_ends_with_its_result(tmp_path: Path) -> None:
    done = demo(tmp_path, "--exit")
    assert done.returncode == 0, done.text
    said = lines(done)
    match = RESULT.fullmatch(said[-1])
    assert match is not None
    assert float(match[1]) >= 0.99
    assert "not for clinical use" in said[-2]
    assert sum(line.strip().startswith("✗ A") for line in said) >= 3
    assert sum(line.strip().startswith("fix: ") for line in said) >= 3
    listed = [line.split()[1] for line in said if "verified" in line]
    assert listed == ["chimes", "chimes-files", "chimes-local", "chimes-onnx", "my-model"]
    assert "extra-index-url" not in done.text


def test_with_a_constant_model_the_demo_fails_and_prints_the_auc(constant_model: Path, tmp_path: Path) -> None:
    done = demo(tmp_path, "--model", str(constant_model))
    assert done.returncode == 1, done.text
    assert lines(done)[-1] == "RESULT auc=0.5000 expected>=0.99"
    assert "not for clinical use" in done.stdout.decode()


def test_a_missing_model_file_is_named_before_anything_is_done(tmp_path: Path) -> None:
    done = demo(tmp_path, "--model", str(tmp_path / "none.onnx"))
    assert done.returncode == 1
    assert re.sub(r"\s+", " ", done.text) == (
        f"✗ there is no model file '{tmp_path}/none.onnx': give --model an ONNX file that exists"
    )


def test_a_model_file_that_is_not_onnx_fails_the_run_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "odd.onnx").write_text("not a model")
    done = demo(tmp_path, "--model", str(tmp_path / "odd.onnx"))
    assert done.returncode == 1
    assert "is not an ONNX file" in done.text
    assert "Traceback" not in done.text
    assert "RESULT" not in done.text


def test_training_writes_the_same_split_and_model_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        done = run([sys.executable, "examples/train_wdbc.py", str(tmp_path / name)], cwd=ROOT)
        assert done.returncode == 0, done.text
    for table in ("train", "held_out"):
        one, two = (pq.read_table(tmp_path / name / "data" / f"{table}.parquet") for name in ("one", "two"))
        assert one.equals(two)
        assert set(one["malignant"].to_pylist()) == {0, 1}
    train, held_out = (pq.read_table(tmp_path / "one" / "data" / f"{name}.parquet") for name in ("train", "held_out"))
    assert (train.num_rows + held_out.num_rows, held_out.num_columns) == (569, 31)
    models = [onnx.load(tmp_path / name / "wdbc.onnx") for name in ("one", "two")]
    first, second = ([np.array(a.floats) for n in m.graph.node for a in n.attribute if a.floats] for m in models)
    for left, right in zip(first, second, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6)
