"""The result of a run, its failure and its progress: values that the worker writes and the host reads."""

from __future__ import annotations

import signal
import traceback
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from chimes.errors import (
    CancelledError,
    ChimesError,
    DeadlineExceededError,
    Fault,
    InfrastructureError,
    OutOfMemoryError,
    PluginCrashedError,
)
from chimes.files import write_atomic
from chimes.kinds.backend import JobState, JobStatus
from chimes.kinds.component import Value
from chimes.kinds.model import LoadReport
from chimes.pipelines.output import OutputReport

__all__ = [
    "Failure",
    "PrivateVariables",
    "Progress",
    "RunFolder",
    "RunResult",
    "after_output",
    "explain_end",
    "read_value",
    "write_value",
]

V = TypeVar("V", bound=Value)
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}


class Failure(Value):
    """How a run failed: an error as a value. ``stage`` names what was being done."""

    code: str
    message: str
    hint: str | None = None
    fault: Fault = "infrastructure"
    retryable: bool = False
    retry_after_s: float | None = None
    stage: str | None = None
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException, stage: str | None = None) -> Failure:
        """An exception as a value. One that is neither a ChimesError nor a MemoryError is a fault of Chimes."""
        if isinstance(error, MemoryError):
            known: ChimesError = OutOfMemoryError(
                "there was not enough memory",
                hint="ask for more under [resources], or let the model prefer smaller batches",
            )
        elif isinstance(error, ChimesError):
            known = error
        else:
            known = InfrastructureError(f"the worker failed: {type(error).__name__}: {error}", hint="report this")
        return cls(
            code=known.code,
            message=str(known),
            hint=known.hint,
            fault=known.fault,
            retryable=known.retryable,
            retry_after_s=known.retry_after_s,
            stage=stage,
            traceback="".join(traceback.format_exception(error)),
        )


class Progress(Value):
    """How far a worker is: its stage, and the rows that it has written."""

    stage: str
    rows: int = 0


class RunResult(Value):
    """The result of a run. ``seconds`` is per stage: load, read, project, predict, write."""

    run_id: str
    rows_read: int
    output: OutputReport
    seconds: dict[str, float]
    model: str
    device: str
    load: LoadReport
    versions: dict[str, str]


def after_output(error: ChimesError, path: str) -> PluginCrashedError:
    """The error of a component that failed when it was closed, after all rows had been written to ``path``."""
    return PluginCrashedError(
        f"{error}; all rows had been written to {path}",
        hint="the output is whole and can be used; report the error to the plugin's author",
    )


def explain_end(status: JobStatus, reported: Failure | None) -> Failure:
    """The failure of a job that ended with ``status``; ``reported`` is the failure that the worker itself wrote."""
    if reported is not None and status.state not in (JobState.TIMED_OUT, JobState.CANCELLED):
        return reported
    failure = Failure.of(_error(status))
    return failure.model_copy(update={"traceback": reported.traceback if reported else ""})


def _error(status: JobStatus) -> ChimesError:
    match status.state:
        case JobState.CANCELLED:
            return CancelledError("the run was cancelled and its job has ended", hint="run it again when you want to")
        case JobState.TIMED_OUT:
            return DeadlineExceededError("the job used up its walltime", hint="raise walltime_s under [resources]")
        case JobState.LOST:
            return InfrastructureError(
                "the backend has lost the job and does not know how it ended", hint="run it again"
            )
    if status.reason == "oom":
        return OutOfMemoryError("the job used more memory than it may", hint="raise memory_bytes under [resources]")
    if status.signal is not None:
        return _killed(status.signal)
    return PluginCrashedError(
        f"the worker ended with exit status {status.exit_code} and left no result",
        hint="a plugin has ended the process; see the end of the log",
    )


def _killed(number: int) -> ChimesError:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if number in CRASHES:
        return PluginCrashedError(f"the worker crashed with {name}", hint="native code of a plugin failed; see the log")
    return InfrastructureError(
        f"the worker was killed by {name} before it could finish",
        hint="it was ended from outside, perhaps for lack of memory; if it happens again, use smaller batches",
    )


class PrivateVariables(Value):
    """Environment variables of the worker that must not be in the job's specification: secrets and proxies."""

    variables: dict[str, str]


class RunFolder:
    """The folder of one run, shared by host and worker: plan, progress, result or error, log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = path.name
        self.plan = path / "plan.json"
        self.private = path / "private.json"
        self.progress = path / "progress.json"
        self.result = path / "result.json"
        self.error = path / "error.json"
        self.handle = path / "handle.json"
        self.log = path / "run.log"

    def clear(self) -> None:
        """Remove the files of an attempt before the next."""
        for file in (self.progress, self.result, self.error, self.handle):
            file.unlink(missing_ok=True)


def write_value(path: Path, value: Value) -> None:
    """Write a value as JSON; a reader sees the old file or the whole new one."""
    write_atomic(path, value.model_dump_json(indent=1).encode("utf-8"), durable=False)


def read_value(path: Path, kind: type[V]) -> V | None:
    """Read a value back; None where there is no such file or it does not hold one."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
