"""Reads a job's state from its control folder, in any process and after any crash."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from chimes.jobs.folder import CANCEL, EXIT, HEARTBEAT, JOB, STARTED, WRAPPER, Record, now, read_record
from chimes.processes.identity import find_state

__all__ = ["FINAL_STATES", "read_status"]

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled", "timed_out", "lost"})

LAUNCH_LIMIT_S = 60.0
"""How long a job may be without a wrapper; after that its submitter is considered dead."""

SILENCE_LIMIT_S = 600.0
"""How old the heartbeat of a wrapper on another machine may be; two clocks may differ by minutes."""

_ENDS = {"cancelled": "cancelled", "walltime": "timed_out"}


def read_status(folder: Path) -> dict[str, Any]:
    """The job's status with the fields of ``JobStatus``, as plain JSON values; never raises.

    An exit record determines the state. Without one a running wrapper means that the job waits or runs, and a wrapper
    that has ended means that it is lost. A job is never reported as ended only because its state is unknown.
    """
    job = read_record(folder, JOB)
    if job is None:
        return _status({}, "lost", reason="unknown", fault="infrastructure")
    record = read_record(folder, EXIT)
    if record is not None:
        return _ended(job, record)
    wrapper = read_record(folder, WRAPPER)
    if wrapper is None:
        return _unlaunched(folder, job)
    found = find_state(wrapper)
    silence = _age(folder / HEARTBEAT)
    if found == "alive" or (found == "elsewhere" and silence < SILENCE_LIMIT_S):
        return _running(folder, job, wrapper, stale=found == "elsewhere" and silence > 3 * _heartbeat_s(job))
    # The wrapper may have ended normally between the two reads.
    record = read_record(folder, EXIT)
    if record is not None:
        return _ended(job, record)
    reason = "node_failure" if found == "rebooted" else "unknown"
    return _status(job, "lost", reason=reason, fault="infrastructure", **_start(folder, wrapper))


def _ended(job: Record, record: Record) -> dict[str, Any]:
    reason, code = record.get("reason"), record.get("exit_code")
    state = _ENDS.get(str(reason), "succeeded" if (reason, code) == ("exit_code", 0) else "failed")
    known = ("reason", "fault", "exit_code", "signal", "devices", "started_at", "ended_at")
    fields = {name: record[name] for name in known if name in record}
    return _status(job, state, nodes=[record["node"]] if "node" in record else [], **fields)


def _running(folder: Path, job: Record, wrapper: Record, *, stale: bool) -> dict[str, Any]:
    start = _start(folder, wrapper)
    if not start:
        return _status(job, "queued", stale=stale)
    return _status(job, "completing" if (folder / CANCEL).exists() else "running", stale=stale, **start)


def _unlaunched(folder: Path, job: Record) -> dict[str, Any]:
    if _age(folder / JOB) < LAUNCH_LIMIT_S:
        return _status(job, "queued", pending_reason="being started")
    reason = "recorded but never started: submit it again under the same key"
    return _status(job, "lost", reason="unknown", fault="infrastructure", pending_reason=reason)


def _start(folder: Path, wrapper: Record) -> dict[str, Any]:
    started = read_record(folder, STARTED)
    if started is None:
        return {}
    return {
        "started_at": started.get("started_at"),
        "nodes": [wrapper.get("host", "")],
        "devices": started.get("devices", []),
    }


def _status(job: Record, state: str, **fields: Any) -> dict[str, Any]:
    return {"state": state, "observed_at": now(), "attempt": job.get("attempt", 1), **fields}


def _heartbeat_s(job: Record) -> float:
    # The job itself can write anything into its folder.
    value = job.get("heartbeat_s")
    return float(value) if isinstance(value, (int, float)) else 5.0


def _age(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except OSError:
        return float("inf")
