"""A pipeline of the plugins that come with Chimes: Parquet files, an ONNX model, processes of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chimes.cli.run import command
from click.testing import CliRunner
from onnx import TensorProto, helper

PIPELINE = """
[pipeline]
name = "risk"
[source]
component = "chimes-files:files"
stream = "held_out"
filters = [{ op = "ge", column = "age", value = 20 }]
partitions = 2
[source.config]
root = "${here}/data"
[model]
component = "chimes-onnx:onnx"
keep = ["sick"]
[model.config]
path = "${here}/risk.onnx"
inputs = { features = ["age", "dose"] }
outputs = { risk = ["risk"] }
[model.columns]
age = { column = "age", cast = "float32" }
dose = { column = "dose", cast = "float32" }
[output]
path = "risk.parquet"
[backend.config]
root = "${here}/jobs"
"""
ROWS = 5000


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CHIMES_PLUGINS", raising=False)
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [2, 1], [0.5, -1.0])
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weights"], ["risk"])],
        "risk",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("risk", TensorProto.FLOAT, [None, 1])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "risk.onnx"))
    folder = tmp_path / "data" / "held_out"
    folder.mkdir(parents=True)
    ages = np.arange(ROWS, dtype=np.int64) % 100
    table = pa.table({"age": ages, "dose": ages * 0.25, "sick": ages > 50, "name": [f"p{i}" for i in range(ROWS)]})
    pq.write_table(table, folder / "part-0.parquet", row_group_size=1000)
    file = tmp_path / "pipeline.toml"
    file.write_text(PIPELINE, "utf-8")
    return file


def test_files_feed_an_onnx_model_on_this_machine(pipeline: Path) -> None:
    result = CliRunner().invoke(command, [str(pipeline), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["result"]["output"]["rows"] == ROWS * 80 // 100
    table = pq.read_table(pipeline.parent / "risk.parquet")
    ages = [age for age in (i % 100 for i in range(ROWS)) if age >= 20]
    assert table.column_names == ["sick", "risk"]
    assert table.column("risk").to_pylist() == pytest.approx([age * 0.25 for age in ages])
    assert table.column("sick").to_pylist() == [age > 50 for age in ages]


def test_a_column_without_its_cast_does_not_compose(pipeline: Path) -> None:
    pipeline.write_text(PIPELINE.replace('age = { column = "age", cast = "float32" }\n', ""), "utf-8")
    result = CliRunner().invoke(command, [str(pipeline)])
    assert result.exit_code == 2
    assert "column 'age' is int64, input 'age' needs float32 not null" in result.stderr
    assert 'write age = { column = "age", cast = "float32" }' in result.stderr
    assert not (pipeline.parent / "risk.parquet").exists()


def test_a_missing_npu_is_reported(pipeline: Path) -> None:
    pipeline.write_text(PIPELINE.replace('keep = ["sick"]', 'device = "npu"'), "utf-8")
    result = CliRunner().invoke(command, [str(pipeline), "--json"])
    assert result.exit_code == 2
    (problem,) = json.loads(result.stdout)["problems"]
    assert problem["where"] == "model.device"
    assert "npu" in problem["message"]


def test_a_null_where_none_is_allowed_ends_the_run_and_keeps_the_old_output(pipeline: Path) -> None:
    output = pipeline.parent / "risk.parquet"
    output.write_text("old", "utf-8")
    table = pa.table({"age": [30], "dose": pa.array([None], pa.float64()), "sick": [True], "name": ["p"]})
    pq.write_table(table, pipeline.parent / "data" / "held_out" / "part-1.parquet")
    result = CliRunner().invoke(command, [str(pipeline)])
    assert result.exit_code == 1
    assert "schema-mismatch: column 'dose' holds nulls" in result.stderr
    assert output.read_text("utf-8") == "old"
