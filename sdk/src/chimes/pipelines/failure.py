"""Says why a job has no result: the worker's own word if it left one, else what its end shows."""

from __future__ import annotations

import signal

from chimes.errors import (
    CancelledError,
    ChimesError,
    DeadlineExceededError,
    InfrastructureError,
    OutOfMemoryError,
    PluginCrashedError,
)
from chimes.kinds.backend import JobState, JobStatus
from chimes.pipelines.outcome import Failure

__all__ = ["explain_end"]

CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}


def explain_end(status: JobStatus, said: Failure | None) -> Failure:
    """The failure of a job that ended with ``status``; ``said`` is what the worker left."""
    if said is not None and status.state not in (JobState.TIMED_OUT, JobState.CANCELLED):
        return said
    failure = Failure.of(_error(status))
    return failure.model_copy(update={"traceback": said.traceback if said else ""})


def _error(status: JobStatus) -> ChimesError:
    match status.state:
        case JobState.CANCELLED:
            return CancelledError("the run was cancelled and its job has ended", hint="run it again when you like")
        case JobState.TIMED_OUT:
            return DeadlineExceededError("the job used up its walltime", hint="raise walltime_s under [resources]")
        case JobState.LOST:
            return InfrastructureError("the backend has lost the job and knows no end of it", hint="run it again")
    if status.reason == "oom":
        return OutOfMemoryError("the job used more memory than it may", hint="raise memory_bytes under [resources]")
    if status.signal is not None:
        return _killed(status.signal)
    return PluginCrashedError(
        f"the worker ended with exit status {status.exit_code} and left no result",
        hint="a plugin has ended the process; the log shows its last words",
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
        hint="somebody ended it, or the system did for want of memory; if it recurs ask for smaller batches",
    )
