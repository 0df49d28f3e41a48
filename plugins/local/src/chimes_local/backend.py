"""The backend: each job is a process of this machine, with a control folder that records its state."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from chimes import ComputeBackend, Config, Inventory, JobHandle, JobSpec, JobState, JobStatus, LogChunk, Pool
from chimes.errors import ConfigError, InfrastructureError, NotFoundError
from chimes.jobs import folder as jobfolder
from chimes.jobs.status import FINAL_STATES, read_status
from pydantic import Field, ValidationError

from chimes_local.launch import launch
from chimes_local.machine import Machine
from chimes_local.queue import waiting_jobs
from chimes_local.requests import check_job, parse_native

__all__ = ["LocalBackend", "LocalConfig"]

ADDRESS = "chimes-local:local"
MAX_HANDLE_BYTES = 4096
GRACE_S = 10.0


class LocalConfig(Config):
    """Where jobs are recorded, and how many run at once."""

    root: Path | None = Field(
        default=None,
        description="Folder of the jobs' records and logs; default chimes/jobs under XDG_STATE_HOME or ~/.local/state.",
    )
    slots: int | None = Field(
        default=None, ge=1, le=512, description="Jobs that run at once; default one for each cpu."
    )
    memory_bytes: int | None = Field(
        default=None, ge=1, description="Memory limit of a job without one of its own; default no limit."
    )
    heartbeat_s: float = Field(
        default=5.0, gt=0, le=3600, description="Seconds between two heartbeats of a job's wrapper."
    )


class LocalBackend(ComputeBackend[LocalConfig]):
    """Runs each job under a detached wrapper process; the job's control folder is all that is needed to follow it."""

    Config: ClassVar[type[Any]] = LocalConfig

    def ping(self) -> None:
        """Return if jobs can be recorded here. Raises InfrastructureError."""
        Machine.read()
        probe = self._jobs / f".ping-{os.getpid()}"
        try:
            self._jobs.mkdir(parents=True, exist_ok=True, mode=0o700)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InfrastructureError(
                f"jobs cannot be recorded in {self._jobs}: {error.strerror}", hint="set root to a folder of your own"
            ) from error

    def inventory(self) -> Inventory:
        """One pool: this machine. It offers no accelerators."""
        machine = Machine.read()
        return Inventory(pools=(Pool(name="local", nodes=1, cpus=machine.cpus, memory_bytes=machine.memory_bytes),))

    def submit(self, job: JobSpec, *, key: str) -> JobHandle:
        """Record the job and start its wrapper, unless the key has a job already."""
        digest = job.sha256()
        self._check_key(key, digest)
        folder = jobfolder.find_job(self._jobs, key=key, spec_sha256=digest)
        if folder is None:
            machine = Machine.read()
            check_job(job, machine)
            record = self._record(job, machine)
            folder = jobfolder.create(self._jobs, key=key, spec_sha256=digest, job=record)
        with jobfolder.launching(folder) as is_needed:
            if is_needed:
                launch(folder)
        submitted_at = datetime.fromisoformat(jobfolder.get_job(folder)["submitted_at"])
        return self._handle(key, digest, submitted_at)

    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        """One status per handle, in order; from the control folders alone."""
        queues: dict[Path, list[str]] = {}
        return [_status(_folder(handle), queues) for handle in handles]

    def cancel(self, handle: JobHandle, *, grace_s: float = 30) -> None:
        """Leave the request in the control folder and wake the wrapper."""
        folder = _folder(handle)
        if folder is not None:
            jobfolder.request_cancel(folder, grace_s=grace_s)

    def logs(
        self,
        handle: JobHandle,
        *,
        stream: Literal["stdout", "stderr"] = "stdout",
        task: int = 0,
        offset: int = 0,
        limit_bytes: int = 1 << 20,
    ) -> LogChunk:
        """The bytes that the job wrote. Raises NotFoundError for another task or an unknown job, ConfigError."""
        folder = _folder(handle)
        if folder is None or task != 0:
            raise NotFoundError(
                f"there is no task {task} of job {handle.native_id[:12]}", hint="a job of this backend has task 0"
            )
        # Read before the log: a job in a final state writes no more.
        is_final = read_status(folder)["state"] in FINAL_STATES
        data, size = jobfolder.read_logs(folder, stream, offset=offset, limit_bytes=limit_bytes)
        after = offset + len(data)
        return LogChunk(data=data, offset=offset, next_offset=after, eof=is_final and after >= size)

    @property
    def _jobs(self) -> Path:
        root = self.config.root
        if root is None:
            state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
            root = Path(state) / "chimes" / "jobs"
        return Path(os.path.abspath(root.expanduser())) / "jobs"

    def _record(self, job: JobSpec, machine: Machine) -> dict[str, Any]:
        return {
            "command": list(job.command),
            "env": job.env,
            "workdir": job.workdir,
            "walltime_s": job.resources.walltime_s,
            "memory_bytes": job.resources.memory_bytes_per_task or self.config.memory_bytes,
            "grace_s": GRACE_S,
            **parse_native(job.native),
            "heartbeat_s": self.config.heartbeat_s,
            "slots": self.config.slots or machine.cpus,
            "devices": [],
            "attempt": 1,
        }

    def _handle(self, key: str, digest: str, submitted_at: datetime) -> JobHandle:
        native_id = jobfolder.job_id(key)
        return JobHandle(
            backend=ADDRESS,
            native_id=native_id,
            key=key,
            spec_sha256=digest,
            control_url=(self._jobs / native_id).as_uri(),
            submitted_at=submitted_at,
        )

    def _check_key(self, key: str, digest: str) -> None:
        if not key:
            raise ConfigError("the key is empty", hint="give every job a key of its own, for example a uuid")
        size = len(self._handle(key, digest, datetime.now(UTC)).model_dump_json().encode("utf-8"))
        if size > MAX_HANDLE_BYTES:
            raise ConfigError(
                f"the handle of key {key[:40]!r}... would have {size} bytes, {MAX_HANDLE_BYTES} are allowed",
                hint="use a shorter key, or a root with a shorter path",
            )


def _folder(handle: JobHandle) -> Path | None:
    """The control folder that a handle names; None if it is not one of this backend's."""
    url = urlsplit(handle.control_url)
    folder = Path(unquote(url.path))
    is_ours = url.scheme == "file" and folder.name == handle.native_id == jobfolder.job_id(handle.key)
    return folder if is_ours and folder.is_absolute() else None


def _status(folder: Path | None, queues: dict[Path, list[str]]) -> JobStatus:
    lost = JobStatus(state=JobState.LOST, observed_at=datetime.now(UTC), reason="unknown", fault="infrastructure")
    if folder is None:
        return lost
    fields = read_status(folder)
    if fields["state"] == "queued":
        root = folder.parent.parent
        queue = queues[root] if root in queues else queues.setdefault(root, waiting_jobs(root))
        if folder.name in queue:
            fields["queue_position"] = queue.index(folder.name) + 1
            fields["pending_reason"] = "waiting for a slot"
    try:
        return JobStatus.model_validate(fields)
    except ValidationError:
        # The record was not written by a wrapper: the job's state is unknown.
        return lost
