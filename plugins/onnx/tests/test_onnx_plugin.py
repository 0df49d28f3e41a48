from __future__ import annotations

import random
import runpy
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from chimes.conformance.run import check_installed
from chimes.conformance.testdata.generate import random_batch
from chimes.context import Context
from chimes.kinds.component import parse_config
from chimes.processes import run
from chimes.registry import Registry, import_target
from chimes.resources import Device
from chimes_onnx.conformance import LINEAR, OnnxHarness
from chimes_onnx.model import OnnxModel

SCRIPT = Path(__file__).parents[1] / "tools" / "make_linear.py"


def test_the_plugin_is_listed_and_its_names_resolve():
    listing = Registry.discover(only=["chimes-onnx"]).get_listing("model", "chimes-onnx:onnx")
    assert listing.failure is None
    assert import_target(listing.registration.target) is OnnxModel
    assert import_target(listing.registration.harness) is OnnxHarness


def test_the_entry_module_is_light():
    program = (
        "import sys, chimes_onnx.plugin; print({'onnxruntime', 'numpy', 'pyarrow', 'pydantic'} & set(sys.modules))"
    )
    assert run([sys.executable, "-c", program]).stdout == b"set()\n"


def test_the_file_of_the_harness_is_what_its_script_writes():
    assert runpy.run_path(str(SCRIPT))["linear"]() == LINEAR.read_bytes()


@pytest.mark.parametrize("index", range(3))
def test_each_case_of_the_harness_runs_and_does_not_depend_on_the_batch(tmp_path, index):
    context = Context.under(tmp_path)
    case = OnnxHarness().cases(context)[index]
    model = OnnxModel(parse_config(OnnxModel, case.config), context)
    signature = model.describe(model.config).signature
    model.load(Device.parse(case.device))
    whole = random_batch(signature.inputs, 23, random.Random(7))
    table = pa.Table.from_batches([model.predict(whole)])
    parts = [model.predict(whole.slice(start, 5)) for start in range(0, 23, 5)]
    assert table.schema == signature.outputs
    assert table.equals(pa.Table.from_batches(parts))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_three_cases_score_alike(tmp_path):
    context = Context.under(tmp_path)
    scores = []
    for case in OnnxHarness().cases(context):
        model = OnnxModel(parse_config(OnnxModel, case.config), context)
        model.load(Device("cpu"))
        stacked = {"age": [1.0, 0.5], "dose": [2.0, 0.0], "pressure": [4.0, 1.0], "visits": [16, 0]}
        listed = {"features": [[1.0, 2.0, 4.0], [0.5, 0.0, 1.0]], "visits": [16, 0]}
        schema = model.describe(model.config).signature.inputs
        result = model.predict(pa.RecordBatch.from_pydict(listed if "features" in schema.names else stacked, schema))
        scores.append((result.column(0).to_pylist(), result.column("label").to_pylist()))
    assert scores == [([-2.75, 0.625], [1, 1]), ([[-2.75, 9.25], [0.625, 1.375]], [1, 1]), ([-2.75, 0.625], [1, 1])]


def test_the_plugin_passes_the_conformance_suite():
    report = check_installed("chimes-onnx")
    assert not report.findings
    assert [component.name for component in report.components] == ["onnx"]
