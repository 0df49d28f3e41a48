"""The control folder of one job: the files through which clients and the job's wrapper communicate.

::

    job.json        what to run; written once, before the folder has its name
    wrapper.json    which process runs it: the process that writes this first runs the job
    heartbeat       its modification time: when the wrapper last ran
    started.json    the command was started
    cancel.json     a client's cancel request
    exit.json       how the job ended; atomic, durable, final
    stdout stderr   the output of the command, byte for byte
    work            its working folder, unless the job names another
    wrapper.log     output of the wrapper itself; empty unless it failed

A folder is named by the sha256 of the job's key, so that one key is one job. Only these files determine a job's state,
because nothing else survives the end of all clients.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from chimes.errors import ConfigError, ConflictError, InfrastructureError, NotFoundError
from chimes.files import locked, sync_folder, write_atomic, write_new
from chimes.processes import scratch_folder
from chimes.processes.identity import process_identity, send_signal
from chimes.text import open_regular

__all__ = [
    "CANCEL",
    "EXIT",
    "HEARTBEAT",
    "JOB",
    "STARTED",
    "WORK",
    "WRAPPER",
    "Record",
    "beat",
    "claim",
    "create",
    "find_job",
    "get_job",
    "job_id",
    "launching",
    "now",
    "read_logs",
    "read_record",
    "request_cancel",
    "requested_grace",
    "write_record",
]

JOB, WRAPPER, STARTED, CANCEL, EXIT = "job.json", "wrapper.json", "started.json", "cancel.json", "exit.json"
HEARTBEAT, WORK, LAUNCH_LOCK = "heartbeat", "work", "launch.lock"
VERSION = 1

Record = dict[str, Any]


def now() -> str:
    """The time as text, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat()


def job_id(key: str) -> str:
    """The name of a job's folder: the sha256 (hex) of its key."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def create(parent: Path, *, key: str, spec_sha256: str, job: Mapping[str, Any]) -> Path:
    """Record a job durably under ``parent`` and return its control folder.

    The record is complete or absent, and unique for its key, even if several processes try at once. Raises
    ConflictError if the key belongs to another specification, InfrastructureError if the folder cannot be written.
    """
    record = {"version": VERSION, "key": key, "spec_sha256": spec_sha256, "submitted_at": now(), **job}
    folder = parent / job_id(key)
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create_folder(folder, record)
    except OSError as error:
        raise InfrastructureError(
            f"cannot record a job under {parent}: {error.strerror}", hint="choose a root that can be written"
        ) from error
    if find_job(parent, key=key, spec_sha256=spec_sha256) is None:
        raise InfrastructureError(
            f"{folder} exists, but contains no job record", hint="remove that folder, then submit again"
        )
    return folder


def _create_folder(folder: Path, record: Record) -> None:
    with scratch_folder(".draft-", parent=folder.parent) as draft:
        write_record(draft, JOB, record)
        for name in ("stdout", "stderr"):
            (draft / name).touch()
        (draft / WORK).mkdir()
        try:
            # A rename onto a folder with files fails: only one of several submitters succeeds.
            draft.rename(folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    sync_folder(folder.parent)


def find_job(parent: Path, *, key: str, spec_sha256: str) -> Path | None:
    """The control folder of a key, None for a new key; raises ConflictError if it belongs to another job."""
    folder = parent / job_id(key)
    record = read_record(folder, JOB)
    if record is None:
        return None
    if record.get("spec_sha256") != spec_sha256:
        raise ConflictError(
            f"the key {key!r} already belongs to another job, submitted at {record.get('submitted_at')}",
            hint="use a new key for a changed job",
        )
    return folder


def get_job(folder: Path) -> Record:
    """The job's record; raises NotFoundError if the folder contains none."""
    record = read_record(folder, JOB)
    if record is None:
        raise NotFoundError(f"{folder} is not the control folder of a job", hint="give the folder that submit made")
    return record


@contextlib.contextmanager
def launching(folder: Path) -> Iterator[bool]:
    """Lock the start of the job's wrapper; the value is true if a wrapper must be started.

    If a submitter dies while it holds the lock, the lock is released, and the next submitter starts the job.
    """
    with locked(folder / LAUNCH_LOCK):
        yield not (folder / WRAPPER).exists() and not (folder / EXIT).exists()


def claim(folder: Path) -> bool:
    """Make this process the job's wrapper; False if the job already has one."""
    identity = {**process_identity(), "claimed_at": now()}
    try:
        write_new(folder / WRAPPER, _to_json(identity))
    except FileExistsError:
        return False
    beat(folder)
    return True


def beat(folder: Path) -> None:
    """Record that the wrapper is running."""
    (folder / HEARTBEAT).touch()


def request_cancel(folder: Path, *, grace_s: float) -> None:
    """Ask the wrapper to end the job: SIGTERM, after ``grace_s`` SIGKILL. Does nothing if the job has ended.

    If called again, the shorter grace applies.
    """
    if read_record(folder, JOB) is None or (folder / EXIT).exists():
        return
    earlier = requested_grace(folder)
    grace_s = max(0.0, grace_s) if earlier is None else min(max(0.0, grace_s), earlier)
    write_record(folder, CANCEL, {"grace_s": grace_s, "requested_at": now()})
    wrapper = read_record(folder, WRAPPER)
    if wrapper is not None:
        send_signal(wrapper, signal.SIGTERM)


def requested_grace(folder: Path) -> float | None:
    """The grace (seconds) of a cancel request, None without a request."""
    record = read_record(folder, CANCEL)
    grace = None if record is None else record.get("grace_s")
    return float(grace) if isinstance(grace, (int, float)) else None


def read_logs(
    folder: Path, stream: Literal["stdout", "stderr"], *, offset: int = 0, limit_bytes: int = 1 << 20
) -> tuple[bytes, int]:
    """At most ``limit_bytes`` bytes of a stream from ``offset``, and the stream's length so far.

    Raises ConfigError for another stream or a negative number, NotFoundError if there is no log.
    """
    if stream not in ("stdout", "stderr"):
        raise ConfigError(f"{stream!r} is not a stream", hint="ask for stdout or stderr")
    if offset < 0 or limit_bytes < 0:
        raise ConfigError(f"offset {offset}, limit {limit_bytes}: one is negative", hint="start at 0")
    try:
        with open_regular(folder / stream) as log:
            size = os.fstat(log.fileno()).st_size
            log.seek(offset)
            return log.read(min(limit_bytes, max(0, size - offset))), size
    except OSError as error:
        raise NotFoundError(
            f"the log {folder / stream} cannot be read: {error.strerror}", hint="has the job's folder been removed?"
        ) from error


def read_record(folder: Path, name: str) -> Record | None:
    """A record of the folder; None if it is missing or invalid."""
    try:
        with open_regular(folder / name) as file:
            value = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def write_record(folder: Path, name: str, record: Mapping[str, Any]) -> None:
    """Write a record atomically and durably."""
    write_atomic(folder / name, _to_json(record))


def _to_json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record).encode("ascii")
