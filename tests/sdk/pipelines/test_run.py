"""Runs: a job on a backend leaves a whole output, or no output and an error."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chimes.context import CancelToken
from chimes.kinds.backend import JobState
from chimes.pipelines.composition import Composition
from chimes.pipelines.launcher import RetryPolicy, RunReport, run
from chimes.pipelines.monitor import Event, LogLine, Progressed, Retrying, StateChanged
from chimes.pipelines.result import Failure, RunResult, read_value
from chimes.registry import Registry

Ran = Callable[..., RunReport]
Compose = Callable[..., Composition]


def failed(report: RunReport, code: str) -> Failure:
    """The failure of a run that left no files outside its folder."""
    assert report.result is None
    assert report.failure is not None
    assert report.failure.code == code, report.failure
    assert report.failure.hint
    output = report.folder.parent.parent.parent
    assert not [entry for entry in output.iterdir() if "scores" in entry.name]
    return report.failure


def test_a_run_writes_what_the_model_answers(ran: Ran, tmp_path: Path) -> None:
    report = ran(model={"keep": ["name", "id"]})
    assert report.failure is None
    table = pq.read_table(tmp_path / "scores.parquet")
    assert table.column_names == ["name", "id", "score", "batch_rows"]
    assert table.column("score").to_pylist() == [2 * (i / 2 + i) for i in range(10)]
    assert table.column("name").to_pylist() == [f"row {i}" for i in range(10)]


def test_a_result_has_rows_digest_times_and_versions(ran: Ran, tmp_path: Path) -> None:
    report = ran()
    assert report.result is not None
    result = report.result
    assert (result.rows_read, result.output.rows, result.device, result.model) == (10, 10, "cpu:0", "acme-lab:score")
    assert result.output.sha256 == hashlib.sha256((tmp_path / "scores.parquet").read_bytes()).hexdigest()
    assert set(result.seconds) == {"load", "read", "project", "predict", "write"}
    assert {"chimes", "python", "pyarrow", "acme-lab"} <= set(result.versions)
    assert read_value(report.folder / "result.json", RunResult) == result
    assert report.attempts == 1
    assert not (report.folder / "tmp").exists()
    assert (tmp_path / ".chimes" / ".gitignore").read_text("utf-8") == "*\n"


def test_no_rows_give_an_output_with_the_right_schema(ran: Ran, tmp_path: Path) -> None:
    report = ran(source_config={"rows": 0}, model={"keep": ["id"]})
    assert report.result is not None
    assert report.result.output.rows == 0
    assert pq.read_schema(tmp_path / "scores.parquet").names == ["id", "score", "batch_rows"]


def test_many_rows_are_fed_in_the_batches_that_the_model_prefers(ran: Ran, tmp_path: Path) -> None:
    report = ran(
        source={"partitions": 3},
        source_config={"rows": 200_000, "batch_rows": 65_536},
        model={"keep": ["id"]},
        model_config={"preferred_rows": 50_000, "max_rows": 30_000},
    )
    assert report.result is not None
    table = pq.read_table(tmp_path / "scores.parquet")
    assert table.column("id").to_pylist() == list(range(200_000))
    assert sorted(set(table.column("batch_rows").to_pylist())) == [20_000, 30_000]


def test_a_model_of_fixed_batches_gets_full_ones_and_the_surplus_is_dropped(ran: Ran, tmp_path: Path) -> None:
    assert ran(model_config={"min_rows": 8, "max_rows": 8}).failure is None
    table = pq.read_table(tmp_path / "scores.parquet")
    assert table.column("batch_rows").to_pylist() == [8] * 10


@pytest.mark.parametrize("exact", [True, False])
def test_filters_and_limit_hold_whatever_the_source_does(ran: Ran, tmp_path: Path, exact: bool) -> None:
    filters = [{"op": "ge", "column": "id", "value": 5}, {"op": "ne", "column": "name", "value": "row 6"}]
    source = {"filters": filters, "limit": 3, "partitions": 2}
    assert ran(source=source, source_config={"exact": exact}, model={"keep": ["id"]}).failure is None
    assert pq.read_table(tmp_path / "scores.parquet").column("id").to_pylist() == [5, 7, 8]


def test_an_answer_in_chunks_is_joined(ran: Ran, tmp_path: Path) -> None:
    assert ran(model_config={"behaviour": "answers chunked"}).failure is None
    assert pq.read_metadata(tmp_path / "scores.parquet").num_rows == 10


def test_a_failing_model_leaves_its_cause_and_a_log(ran: Ran) -> None:
    report = ran(model_config={"behaviour": "raises"})
    failure = failed(report, "plugin-crashed")
    assert "the weights do not like these numbers" in failure.message
    assert "acme_lab/model.py" in report.log.read_text("utf-8")


def test_a_failed_run_leaves_the_old_output_as_it_was(ran: Ran, tmp_path: Path) -> None:
    (tmp_path / "scores.parquet").write_text("old", "utf-8")
    assert ran(model_config={"behaviour": "raises"}).failure is not None
    assert (tmp_path / "scores.parquet").read_text("utf-8") == "old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".chimes", "scores.parquet"]


@pytest.mark.parametrize(
    ("behaviour", "backend", "code", "why"),
    [
        ("is killed", {}, "infrastructure", "killed by SIGKILL"),
        ("is killed", {"kill_as": "oom"}, "out-of-memory", "more memory than it may"),
        ("is killed", {"kill_as": "walltime"}, "deadline-exceeded", "walltime"),
        ("is killed", {"behaviour": "forgets"}, "infrastructure", "has lost the job"),
        ("crashes", {}, "plugin-crashed", "crashed with SIGSEGV"),
        ("exits", {}, "plugin-crashed", "ended with exit status 0 and left no result"),
    ],
)
def test_a_worker_that_leaves_no_result_is_explained_by_its_exit_status(
    ran: Ran, behaviour: str, backend: dict[str, Any], code: str, why: str
) -> None:
    assert why in failed(ran(model_config={"behaviour": behaviour}, backend_config=backend), code).message


def test_a_transient_failure_is_tried_again(composed: Compose, lab: Registry) -> None:
    events: list[Event] = []
    policy = RetryPolicy(backoff_s=0.01)
    report = run(composed(model_config={"behaviour": "is busy once"}), registry=lab, watch=events.append, policy=policy)
    assert report.result is not None
    assert report.attempts == 2
    (again,) = [event for event in events if isinstance(event, Retrying)]
    assert again.because == "the weights are being moved"


def test_other_failures_are_not_tried_again(ran: Ran) -> None:
    assert ran(model_config={"behaviour": "raises"}).attempts == 1


def test_a_wait_that_is_too_long_fails_the_run(ran: Ran) -> None:
    report = ran(model_config={"behaviour": "is throttled for an hour"})
    assert report.attempts == 1
    assert report.failure is not None
    assert (report.failure.code, report.failure.retry_after_s) == ("rate-limited", 3600)


def test_the_wait_between_attempts_doubles_and_ends() -> None:
    policy = RetryPolicy(attempts=3, backoff_s=1, longest_s=10)
    busy = Failure(code="transient", message="busy", retryable=True)
    assert [policy.delay_s(busy, n) for n in (1, 2, 3)] == [1, 2, None]
    assert policy.delay_s(busy.model_copy(update={"retry_after_s": 7.0}), 1) == 7
    assert policy.delay_s(busy.model_copy(update={"retry_after_s": 70.0}), 1) is None
    assert policy.delay_s(busy.model_copy(update={"retryable": False}), 1) is None


def test_a_backend_that_is_busy_is_asked_again(ran: Ran) -> None:
    report = ran(backend_config={"behaviour": "is busy once"})
    assert report.result is not None
    assert report.attempts == 1


def test_a_backend_that_takes_no_job_fails_the_run(ran: Ran) -> None:
    assert "there is no room" in failed(ran(backend_config={"behaviour": "never has room"}), "infrastructure").message


def test_states_progress_and_logs_are_sent_while_it_runs(composed: Compose, lab: Registry) -> None:
    events: list[Event] = []
    report = run(composed(source_config={"tell": "嗨 line one\nand no end"}), registry=lab, watch=events.append)
    assert report.result is not None
    assert [event.state for event in events if isinstance(event, StateChanged)][-1] is JobState.SUCCEEDED
    assert [event.rows for event in events if isinstance(event, Progressed)][-1] == 10
    lines = [event.text for event in events if isinstance(event, LogLine) and event.stream == "stdout"]
    assert lines == ["嗨 line one", "and no end"]
    assert "嗨 line one" in report.log.read_text("utf-8")


def test_logs_that_cannot_be_read_do_not_end_a_run(composed: Compose, lab: Registry) -> None:
    events: list[Event] = []
    composition = composed(backend_config={"behaviour": "has no logs"})
    assert run(composition, registry=lab, watch=events.append).result is not None
    lines = [event.text for event in events if isinstance(event, LogLine)]
    assert lines == [f"(the {stream} of the job cannot be read: the logs are gone)" for stream in ("stdout", "stderr")]


def test_a_cancel_ends_the_job_and_is_a_failure(composed: Compose, lab: Registry, tmp_path: Path) -> None:
    token = CancelToken()

    def watch(event: Event) -> None:
        if isinstance(event, LogLine) and event.text.startswith("hanging"):
            token.cancel("user")

    report = run(composed(model_config={"behaviour": "hangs"}), registry=lab, watch=watch, cancel=token)
    failed(report, "cancelled")


def test_a_cancel_between_attempts_ends_the_run(composed: Compose, lab: Registry) -> None:
    token = CancelToken()

    def watch(event: Event) -> None:
        if isinstance(event, Retrying):
            token.cancel("user")

    policy = RetryPolicy(backoff_s=60)
    composition = composed(model_config={"behaviour": "is busy once"})
    report = run(composition, registry=lab, watch=watch, cancel=token, policy=policy)
    assert "between two attempts" in failed(report, "cancelled").message


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("source", "close of acme-lab:numbers raised SystemExit: the archive does not close"),
        ("model", "close of acme-lab:score raised TransientError: the weights are held by another"),
        ("backend", "close of acme-lab:bench raised OSError: the bench does not fold"),
    ],
)
def test_a_component_that_fails_to_close_is_the_plugins_fault_and_the_output_is_whole(
    ran: Ran, tmp_path: Path, section: str, why: str
) -> None:
    report = ran(**{f"{section}_config": {"behaviour": "fails to close"}})
    output = tmp_path / "scores.parquet"
    assert report.failure is not None
    assert (report.failure.code, report.failure.fault, report.attempts) == ("plugin-crashed", "plugin", 1)
    assert report.failure.message == f"{why}; all rows had been written to {output}"
    assert "can be used" in str(report.failure.hint)
    assert pq.read_metadata(output).num_rows == 10


@pytest.mark.parametrize(
    ("source", "limit", "model", "why"),
    [
        ("fails to end", None, "good", "the cursor does not close"),
        ("fails to end", 3, "good", "the cursor does not close"),
        ("fails to end", None, "raises", "predict of acme-lab:score raised ValueError"),
        ("fails to close", None, "raises", "predict of acme-lab:score raised ValueError"),
        ("good", None, "raises and fails to close", "predict of acme-lab:score raised ValueError"),
    ],
)
def test_the_first_error_stays_the_error_of_the_run(
    ran: Ran, source: str, limit: int | None, model: str, why: str
) -> None:
    report = ran(
        source={"limit": limit}, source_config={"behaviour": source, "rows": 3000}, model_config={"behaviour": model}
    )
    failure = failed(report, "plugin-crashed")
    assert failure.fault == "plugin"
    assert why in failure.message


def test_a_failed_run_stays_failed_where_its_backend_fails_to_close(ran: Ran) -> None:
    report = ran(model_config={"behaviour": "raises"}, backend_config={"behaviour": "fails to close"})
    assert "predict of acme-lab:score" in failed(report, "plugin-crashed").message


def test_the_specification_says_what_the_pipeline_asks_for(ran: Ran, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    resources = {"cpus": 2, "memory_bytes": 1 << 30, "walltime_s": 60.0}
    assert ran(backend_config={"specs": str(spec)}, resources=resources).failure is None
    job = json.loads(spec.read_text("utf-8"))
    assert job["command"][1:5] == ["-P", "-m", "chimes.pipelines.worker", "run"]
    assert job["workdir"] == os.getcwd()
    assert job["resources"]["cpus_per_task"] == 2
    assert job["resources"]["walltime_s"] == 60
    assert job["labels"]["chimes.pipeline"] == "scores"
    assert job["env"]["CUDA_VISIBLE_DEVICES"] == ""


def test_runs_are_kept_where_they_are_wanted(composed: Compose, lab: Registry, tmp_path: Path) -> None:
    report = run(composed(), registry=lab, runs=tmp_path / "runs")
    assert report.folder.parent == tmp_path / "runs"
    assert not (tmp_path / ".chimes").exists()
    assert stat.S_ISDIR(report.folder.stat().st_mode)
