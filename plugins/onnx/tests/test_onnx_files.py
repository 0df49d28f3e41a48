from __future__ import annotations

import hashlib
import os
import sys

import numpy as np
import onnx
import pyarrow as pa
import pytest
from chimes.errors import ArtifactError, ConfigError
from chimes.processes import run
from onnx import TensorProto, helper, numpy_helper


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def split_file(files):
    """y = x times a 64 x 2 matrix that lies in weights.bin, beside the file."""
    weights = np.arange(128, dtype=np.float32).reshape(64, 2)
    path = files.write(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": (TensorProto.FLOAT, ["n", 64])},
        {"y": (TensorProto.FLOAT, ["n", 2])},
        [numpy_helper.from_array(weights, "w")],
    )
    model = onnx.load(path)
    onnx.save_model(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_the_digest_of_the_file_is_shown_and_verified(files, describe):
    path = files.doubled(["n"])
    assert describe(path).artifacts == {"model.onnx": digest(path)}
    assert describe(path, sha256=digest(path).upper()).artifacts == {"model.onnx": digest(path)}
    with pytest.raises(ArtifactError, match=f"has sha256 {digest(path)}, the configuration says {'0' * 64}"):
        describe(path, sha256="0" * 64)


def test_a_missing_file_is_named(describe, tmp_path):
    with pytest.raises(ArtifactError, match=r"none\.onnx' cannot be read: No such file"):
        describe(tmp_path / "none.onnx")


def test_a_path_that_is_not_a_regular_file_is_refused_at_once(describe, tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (tmp_path / "pipe.onnx", "/dev/zero"):
        with pytest.raises(ArtifactError, match="it is not a regular file"):
            describe(path)
    for path in (tmp_path, tmp_path / "nul\0.onnx"):
        with pytest.raises(ArtifactError, match="cannot be read"):
            describe(path)


@pytest.mark.parametrize("wrong", [{"rtol": float("inf")}, {"atol": float("nan")}, {"dimensions": {"n": 1 << 31}}])
def test_a_number_without_bounds_is_refused(files, describe, wrong):
    with pytest.raises(ConfigError):
        describe(files.doubled(["n"]), **wrong)


@pytest.mark.parametrize("content", [b"", b"not a protobuf", b"PK\x03\x04"])
def test_a_file_that_is_not_onnx_is_refused(describe, tmp_path, content):
    path = tmp_path / "odd.onnx"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"odd\.onnx' is not an ONNX file"):
        describe(path)


def test_a_truncated_file_is_refused(files, describe):
    path = files.doubled(["n"])
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ArtifactError, match="is not an ONNX file"):
        describe(path)


def test_an_unknown_operator_is_named(files, describe):
    path = files.write(
        [helper.make_node("Frobnicate", ["x"], ["y"])],
        {"x": (TensorProto.FLOAT, ["n"])},
        {"y": (TensorProto.FLOAT, ["n"])},
    )
    with pytest.raises(ArtifactError, match="Frobnicate") as caught:
        describe(path)
    assert "ONNXRuntimeError" not in str(caught.value)
    assert "opset" in caught.value.hint


def test_an_opset_from_the_future_is_explained_without_source_paths(files, describe):
    path = files.doubled(["n"])
    model = onnx.load(path)
    model.opset_import[0].version = 99
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match="Opset 99") as caught:
        describe(path)
    assert "/onnxruntime_src" not in str(caught.value)


def test_weights_in_another_file_are_read_where_they_are_declared(split_file, load):
    weights = split_file.parent / "weights.bin"
    model = load(split_file, external_data={"weights.bin": digest(weights)})
    assert model.describe(model.config).artifacts == {"model.onnx": digest(split_file), "weights.bin": digest(weights)}
    schema = model.describe(model.config).signature.inputs
    ones = pa.RecordBatch.from_pylist([{"x": [1.0] * 64}], schema=schema)
    assert model.predict(ones).to_pydict() == {"y": [[4032.0, 4096.0]]}


def test_weights_in_another_file_are_not_read_unless_declared(split_file, describe, monkeypatch):
    monkeypatch.chdir(split_file.parent)
    with pytest.raises(ArtifactError, match="keeps weights in another file") as caught:
        describe(split_file)
    assert "external_data" in caught.value.hint


def test_tampered_weights_are_refused(split_file, describe):
    weights = split_file.parent / "weights.bin"
    good = digest(weights)
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ArtifactError, match=r"weights\.bin' has sha256"):
        describe(split_file, external_data={"weights.bin": good})


def test_importing_and_running_writes_nothing_at_home_and_prints_nothing(files, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    program = (
        "import sys, tempfile, pathlib, pyarrow as pa\n"
        "from chimes_onnx.model import OnnxModel\n"
        "from chimes.context import Context; from chimes.resources import Device\n"
        "with tempfile.TemporaryDirectory() as tmp:\n"
        "    model = OnnxModel(OnnxModel.Config(path=sys.argv[1]), Context.under(pathlib.Path(tmp)))\n"
        "    model.load(Device('cpu'))\n"
        "    model.predict(pa.record_batch({'x': pa.array([1], pa.float32())}))\n"
    )
    env = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = run([sys.executable, "-c", program, str(files.doubled(["n"]))], env={**env, "HOME": str(home)})
    assert (done.returncode, done.text) == (0, "")
    assert list(home.rglob("*")) == []
