"""The worker of a run in this process: its errors, with the stage in which they happen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.pipelines import worker
from chimes.pipelines.composition import Composition
from chimes.pipelines.result import Failure, RunFolder, read_value, write_value

Compose = Callable[..., Composition]


def executed(composition: Composition, tmp_path: Path) -> Failure | None:
    """Do a worker's work in this process."""
    folder = RunFolder(tmp_path / "here")
    folder.path.mkdir()
    write_value(folder.plan, composition)
    status = worker.main(["run", str(folder.plan)])
    failure = read_value(folder.error, Failure)
    assert status == (1 if failure else 0)
    assert failure is None or not (tmp_path / "scores.parquet").exists()
    return failure


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ("answers short", "has 9 rows for 10 rows"),
        ("answers another type", "column 'score' of the model's answer is float32"),
        ("answers another column", "lacks column 'score'"),
        ("answers a column more", "column 'more' is not in its signature"),
        ("answers in another order", "in another order"),
        ("answers nulls", "column 'score' of the model's answer holds nulls"),
        ("answers text", "not str"),
    ],
)
def test_a_wrong_answer_ends_the_run_by_name(composed: Compose, tmp_path: Path, behaviour: str, why: str) -> None:
    failure = executed(composed(model_config={"behaviour": behaviour}), tmp_path)
    assert failure is not None
    assert (failure.code, failure.fault, failure.stage) == ("schema-mismatch", "plugin", "predict")
    assert why in failure.message


@pytest.mark.parametrize(
    ("changes", "code", "stage", "why"),
    [
        ({"model_config": {"behaviour": "raises"}}, "plugin-crashed", "predict", "ValueError: the weights do not like"),
        ({"model_config": {"behaviour": "interrupts"}}, "plugin-crashed", "predict", "raised KeyboardInterrupt"),
        ({"model_config": {"behaviour": "fills memory"}}, "out-of-memory", "predict", "not enough memory"),
        ({"model_config": {"behaviour": "has no device"}}, "device-unavailable", "load", "cpu:0 is not there"),
        ({"model_config": {"behaviour": "lies about its device"}}, "device-unavailable", "load", "reports npu:0"),
        ({"source_config": {"behaviour": "raises"}}, "plugin-crashed", "read", "OSError: the disk is gone"),
        ({"source_config": {"nulls": True}}, "schema-mismatch", "project", "column 'a' holds nulls, input 'a'"),
        ({"source_config": {"huge": True}}, "schema-mismatch", "project", "column 'a' cannot become float32"),
        ({"source_config": {"behaviour": "yields another type"}}, "schema-mismatch", "read", "was planned as"),
    ],
)
def test_an_error_in_the_worker_is_reported_with_its_stage(
    composed: Compose, tmp_path: Path, changes: dict[str, Any], code: str, stage: str, why: str
) -> None:
    failure = executed(composed(**changes), tmp_path)
    assert failure is not None
    assert (failure.code, failure.stage) == (code, stage)
    assert why in failure.message
    assert "Traceback" in failure.traceback


def test_a_worker_does_a_plan_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert worker.main(["walk"]) == 2
    assert "usage" in capsys.readouterr().err
    (tmp_path / "plan.json").write_text("{}", "utf-8")
    assert worker.main(["run", str(tmp_path / "plan.json")]) == 1
    failure = read_value(tmp_path / "error.json", Failure)
    assert failure is not None
    assert failure.code == "invalid-state"


def test_an_error_of_chimes_itself_is_an_infrastructure_error() -> None:
    failure = Failure.of(ZeroDivisionError("one by nought"))
    assert (failure.code, failure.message) == ("infrastructure", "the worker failed: ZeroDivisionError: one by nought")
