"""What a worker leaves behind: the result of a run, or how it failed; plain values that the host reads back."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from chimes.errors import ChimesError, Fault, InfrastructureError, OutOfMemoryError, PluginCrashedError
from chimes.files import write_atomic
from chimes.kinds.component import Value
from chimes.kinds.model import LoadReport
from chimes.pipelines.output import OutputReport

__all__ = ["Failure", "Progress", "RunFolder", "RunResult", "after_output", "read_value", "write_value"]

V = TypeVar("V", bound=Value)


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
        """An exception as a value; what is no ChimesError is ours, or memory that did not suffice."""
        if isinstance(error, MemoryError):
            known: ChimesError = OutOfMemoryError(
                "memory did not suffice", hint="ask for more under [resources], or let the model prefer smaller batches"
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
    """How far a worker is: what it does, and the rows that it has written."""

    stage: str
    rows: int = 0


class RunResult(Value):
    """What a run did. ``seconds`` is per stage: load, read, project, predict, write."""

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
        """Forget what an attempt left, before the next."""
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
