"""Runs a composition as a job on its backend, waits for its end, and repeats it after temporary errors.

A job outlives its client. A cancel ends the job, and waits until it has ended.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import JsonValue, field_serializer

from chimes.context import CancelToken, Context
from chimes.errors import CancelledError, ChimesError, InfrastructureError
from chimes.host.components import Part, find_part
from chimes.kinds.backend import ComputeBackend, JobHandle, JobSpec, JobState, JobStatus
from chimes.kinds.component import Value
from chimes.pipelines.composition import Composition
from chimes.pipelines.environment import private_environment, worker_environment
from chimes.pipelines.monitor import Event, JobMonitor, Retrying, Submitted, pause
from chimes.pipelines.output import partial_path
from chimes.pipelines.result import (
    Failure,
    PrivateVariables,
    RunFolder,
    RunResult,
    after_output,
    explain_end,
    read_value,
    write_value,
)
from chimes.registry import Registry

__all__ = ["RetryPolicy", "RunReport", "run"]

T = TypeVar("T")
Watch = Callable[[Event], None]

AGAIN = "run it again when you want to"
CANCEL_GRACE_S = 5.0
CANCEL_LIMIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often a run is tried, and the wait between attempts, which doubles from ``backoff_s``.

    The wait is at least the ``retry_after_s`` of the error. A wait above ``longest_s`` fails the run.
    """

    attempts: int = 3
    backoff_s: float = 1.0
    longest_s: float = 120.0

    def delay_s(self, failure: Failure, attempt: int) -> float | None:
        """Seconds to wait after attempt number ``attempt`` (from 1) has failed; None if it was the last one."""
        if not failure.retryable or attempt >= self.attempts:
            return None
        delay = max(self.backoff_s * 2 ** (attempt - 1), failure.retry_after_s or 0.0)
        return delay if delay <= self.longest_s else None


class RunReport(Value):
    """How a run ended: ``result`` if it succeeded, else ``failure``. The log has the failure's traceback."""

    composed: Literal[True] = True
    run_id: str
    attempts: int
    log: Path
    result: RunResult | None = None
    failure: Failure | None = None

    @property
    def folder(self) -> Path:
        """The folder of the run, which is kept."""
        return self.log.parent

    @field_serializer("failure")
    def _omit_traceback(self, failure: Failure | None) -> dict[str, JsonValue] | None:
        return None if failure is None else failure.model_dump(mode="json", exclude={"traceback"})


def run(
    composition: Composition,
    *,
    registry: Registry | None = None,
    watch: Watch = lambda event: None,
    cancel: CancelToken | None = None,
    policy: RetryPolicy = RetryPolicy(),
    runs: Path | None = None,
) -> RunReport:
    """Run a composition and wait for its end. A failed run is a report, not an exception.

    ``runs`` is where the run's folder is made, visible to host and job; default ``.chimes/runs`` beside the output.
    """
    folder = _make_folder(runs or composition.output_path.parent / ".chimes" / "runs")
    write_value(folder.plan, composition)
    choice = composition.pipeline.backend
    attempts = _Attempts(composition, folder, watch, cancel or CancelToken(), policy)
    outcome: RunResult | Failure | None = None
    try:
        part = find_part(registry or Registry.discover(), "backend", choice.component, choice.config)
        with part.open(Context.under(folder.path / "backend", run_id=folder.run_id)) as backend:
            outcome = attempts.repeat(part, backend)
    except ChimesError as error:
        if isinstance(outcome, RunResult):
            error = after_output(error, outcome.output.path)
        if not isinstance(outcome, Failure):
            outcome = Failure.of(error, "backend")
    folder.private.unlink(missing_ok=True)
    if isinstance(outcome, RunResult):
        return attempts.report(result=outcome)
    partial_path(composition.output_path, folder.run_id).unlink(missing_ok=True)
    with folder.log.open("a", encoding="utf-8") as log:
        log.write(f"\n{outcome.code}: {outcome.message}\n{outcome.traceback}")
    return attempts.report(failure=outcome)


def _make_folder(runs: Path) -> RunFolder:
    try:
        runs.mkdir(parents=True, exist_ok=True)
        ignore = runs.parent / ".gitignore"
        if runs.parent.name == ".chimes" and not ignore.exists():
            ignore.write_text("*\n", "utf-8")
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        (runs / run_id).mkdir()
    except OSError as error:
        raise InfrastructureError(
            f"the run's folder cannot be made under {str(runs)!r}: {error.strerror}",
            hint="free space, or correct the permissions",
        ) from error
    return RunFolder(runs / run_id)


class _Attempts:
    """The jobs of one run, one after the other."""

    def __init__(
        self, composition: Composition, folder: RunFolder, watch: Watch, cancel: CancelToken, policy: RetryPolicy
    ) -> None:
        self.composition, self.folder, self.watch, self.cancel, self.policy = composition, folder, watch, cancel, policy
        self.number = 0

    def report(self, *, result: RunResult | None = None, failure: Failure | None = None) -> RunReport:
        return RunReport(
            run_id=self.folder.run_id, attempts=self.number, log=self.folder.log, result=result, failure=failure
        )

    def repeat(self, part: Part, backend: ComputeBackend[Any]) -> RunResult | Failure:
        """Try until an attempt succeeds, or fails for good."""
        while True:
            self.number += 1
            outcome = self.attempt(part, backend)
            if isinstance(outcome, RunResult):
                return outcome
            delay = self.policy.delay_s(outcome, self.number)
            if delay is None:
                return outcome
            self.watch(Retrying(self.number, delay, outcome.message))
            pause(delay, self.cancel)
            if self.cancel.is_cancelled:
                return Failure.of(CancelledError("the run was cancelled between two attempts", hint=AGAIN))

    def attempt(self, part: Part, backend: ComputeBackend[Any]) -> RunResult | Failure:
        """Submit the job and wait for its end."""
        self.folder.clear()
        _write_private(self.composition, self.folder, os.environ)
        spec, key = self.spec(os.environ), f"{self.folder.run_id}-{self.number}"
        handle = self.call(part, "submit", lambda: backend.submit(spec, key=key), JobHandle)
        write_value(self.folder.handle, handle)
        self.watch(Submitted(handle.native_id, self.number, self.folder.path))
        status = self.wait(part, backend, handle)
        result = read_value(self.folder.result, RunResult)
        if status.state is JobState.SUCCEEDED and result is not None:
            return result
        return explain_end(status, read_value(self.folder.error, Failure))

    def wait(self, part: Part, backend: ComputeBackend[Any], handle: JobHandle) -> JobStatus:
        """Poll until the job has ended; a cancel is sent to the backend once."""
        monitor = JobMonitor(part, backend, handle, self.folder, self.watch)
        asked_at: float | None = None
        while True:
            status = self.call(part, "status", lambda: backend.status([handle])[0], JobStatus)
            monitor.update(status)
            if status.state.is_final:
                return status
            if self.cancel.is_cancelled and asked_at is None:
                asked_at = time.monotonic()
                self.call(part, "cancel", lambda: backend.cancel(handle, grace_s=CANCEL_GRACE_S))
            if asked_at is not None and time.monotonic() - asked_at > CANCEL_LIMIT_S:
                raise CancelledError(
                    f"the job {handle.native_id} was cancelled and has not ended",
                    hint=f"its handle is {self.folder.handle}",
                )
            pause(monitor.interval_s, CancelToken() if asked_at else self.cancel)

    def call(self, part: Part, what: str, step: Callable[[], T], expect: type[T] | None = None) -> T:
        """Call the backend; after a retryable error call it again, by the policy of the run."""
        attempt = 1
        while True:
            try:
                return part.call(what, step, expect)
            except ChimesError as error:
                delay = self.policy.delay_s(Failure.of(error), attempt)
                if delay is None:
                    raise
                pause(delay, CancelToken())
                attempt += 1

    def spec(self, host: Mapping[str, str]) -> JobSpec:
        """The job: this interpreter runs the worker on the plan."""
        composition = self.composition
        return JobSpec(
            command=(sys.executable, "-P", "-m", "chimes.pipelines.worker", "run", str(self.folder.plan)),
            env=worker_environment(composition.device, host),
            workdir=composition.workdir,
            resources=composition.resources,
            labels={"chimes.pipeline": composition.pipeline.name, "chimes.run": self.folder.run_id},
        )


def _write_private(composition: Composition, folder: RunFolder, host: Mapping[str, str]) -> None:
    """Write secrets and proxies to a file that only this user can read and that the worker removes."""
    values = private_environment(host, composition.secrets)
    folder.private.unlink(missing_ok=True)
    if values:
        write_value(folder.private, PrivateVariables(variables=values))
