"""The command ``chimes run``: exit status, text for people, one JSON object for programs."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chimes.cli.run import command
from chimes.pipelines.launcher import RunReport
from chimes.processes import PIPE, Process
from chimes.registry import Registry
from click.testing import CliRunner, Result

TEXT = """
[pipeline]
name = "scores"
[source]
component = "acme-lab:numbers"
stream = "numbers"
[source.config]
rows = 20
[model]
component = "acme-lab:score"
device = "{device}"
keep = ["id"]
params = {{ factor = 2.0 }}
[model.config]
behaviour = "{behaviour}"
folder = "${{here}}"
[model.columns]
a = {{ column = "a", cast = "float32" }}
[output]
path = "scores.parquet"
[backend]
component = "acme-lab:bench"
"""


@pytest.fixture
def pipeline(lab: Registry, tmp_path: Path) -> Path:
    return write(tmp_path)


def write(tmp_path: Path, behaviour: str = "good", device: str = "cpu") -> Path:
    file = tmp_path / "pipeline.toml"
    file.write_text(TEXT.format(behaviour=behaviour, device=device), "utf-8")
    return file


def invoke(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args])


def test_a_pipeline_that_runs_exits_0_and_names_its_output(pipeline: Path, tmp_path: Path) -> None:
    result = invoke(pipeline)
    assert result.exit_code == 0, result.output
    for part in ("a: float32 not null", "widening", "submitted as", "state: succeeded", "20 rows", "scores.parquet"):
        assert part in result.output
    assert pq.read_metadata(tmp_path / "scores.parquet").num_rows == 20


def test_json_is_one_object_on_stdout(pipeline: Path) -> None:
    result = invoke(pipeline, "--json")
    assert result.exit_code == 0
    report = RunReport.model_validate_json(result.stdout)
    assert report.failure is None
    assert report.result is not None
    assert report.result.output.rows == 20


def test_a_dry_run_composes_and_starts_nothing(pipeline: Path, tmp_path: Path) -> None:
    result = invoke(pipeline, "--dry-run")
    assert result.exit_code == 0
    assert "Nothing was started." in result.output
    values = json.loads(invoke(pipeline, "--dry-run", "--json").stdout)
    assert values["composed"] is True
    assert values["columns"][1]["verdict"] == "widening"
    assert [entry.name for entry in tmp_path.iterdir()] == ["pipeline.toml"]


def test_a_run_that_fails_exits_1_with_code_sentence_fix_and_log(lab: Registry, tmp_path: Path) -> None:
    result = invoke(write(tmp_path, "raises"))
    assert result.exit_code == 1
    assert "chimes: plugin-crashed: predict of acme-lab:score raised ValueError: the weights" in result.stderr
    assert "fix: report it to the plugin's author" in result.stderr
    assert "(while: predict)" in result.stderr
    assert "Traceback" not in result.output
    log = next(line for line in result.stderr.splitlines() if "log: " in line).partition("log: ")[2]
    assert "Traceback" in Path(log).read_text("utf-8")
    assert not (tmp_path / "scores.parquet").exists()


def test_a_run_that_fails_is_json_too(lab: Registry, tmp_path: Path) -> None:
    result = invoke(write(tmp_path, "raises"), "--json")
    assert result.exit_code == 1
    failure: dict[str, Any] = json.loads(result.stdout)["failure"]
    assert (failure["code"], failure["stage"]) == ("plugin-crashed", "predict")
    assert "traceback" not in failure


def test_a_retry_is_shown(lab: Registry, tmp_path: Path) -> None:
    result = invoke(write(tmp_path, "is busy once"))
    assert result.exit_code == 0
    assert "attempt 1 failed: the weights are being moved; again in 1 s" in result.output
    assert "attempt 2" in result.output


def test_a_pipeline_that_does_not_compose_exits_2_with_every_problem(lab: Registry, tmp_path: Path) -> None:
    file = write(tmp_path, device="npu")
    file.write_text(file.read_text("utf-8").replace('["id"]', '["age"]'), "utf-8")
    result = invoke(file)
    assert result.exit_code == 2
    assert "does not compose: 2 problems. Nothing was started." in result.stderr
    assert "infeasible (model.device): cannot run on npu: pool desk has no npu" in result.stderr
    assert "not-found (model.keep): column 'age' is to be kept" in result.stderr
    assert result.stderr.count("fix: ") == 2
    assert not (tmp_path / ".chimes").exists()


def test_a_pipeline_that_does_not_compose_is_json_too(lab: Registry, tmp_path: Path) -> None:
    result = invoke(write(tmp_path, device="npu"), "--json")
    assert result.exit_code == 2
    values = json.loads(result.stdout)
    assert values["composed"] is False
    assert [problem["code"] for problem in values["problems"]] == ["infeasible"]


def test_an_invalid_pipeline_file_exits_2(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("name =\n", "utf-8")
    result = invoke(tmp_path / "bad.toml")
    assert result.exit_code == 2
    assert "line 1" in result.stderr
    assert "fix: correct that line" in result.stderr
    result = invoke(tmp_path / "none.toml", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["problems"][0]["code"] == "not-found"


def test_help_shows_examples_and_exit_status() -> None:
    output = invoke("--help").output
    assert "chimes run pipeline.toml --dry-run" in output
    assert "Exit status: 0 done, 1 the run failed, 2 it does not compose" in output


@pytest.mark.parametrize("backend", ["acme-lab:bench", "chimes-local:local"])
def test_ctrl_c_cancels_the_job_and_says_so(lab: Registry, tmp_path: Path, backend: str) -> None:
    file = write(tmp_path, "hangs")
    file.write_text(file.read_text("utf-8").replace("acme-lab:bench", backend), "utf-8")
    argv = (sys.executable, "-u", "-c", "from chimes.cli import main; main()", "run", str(file))
    env = {**os.environ, "CHIMES_PLUGINS": "acme-lab,chimes-local", "XDG_STATE_HOME": str(tmp_path / "state")}
    process = Process(argv, stdout=PIPE, stderr=PIPE, env=env)
    try:
        lines = iter(process.stdout.readline, b"")
        worker_id = int(next(line for line in lines if b"hanging in" in line).split()[-1])
        os.kill(process.pid, signal.SIGINT)
        status = process.wait(30)
        out, err = process.stdout.read().decode(), process.stderr.read().decode()
    finally:
        process.kill()
        process.stdout.close()
        process.stderr.close()
    assert status == 1
    assert "cancelling the job" in out
    assert "chimes: cancelled: the run was cancelled and its job has ended" in err
    with pytest.raises(ProcessLookupError):
        os.kill(worker_id, 0)
    assert not (tmp_path / "scores.parquet").exists()
