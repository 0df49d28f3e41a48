"""A backend whose jobs are entries in memory, for tests of code that submits jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from chimes.context import Context
from chimes.errors import ConflictError, InfeasibleError, InvalidJobError, InvalidStateError, NotFoundError
from chimes.kinds.backend import ComputeBackend, Inventory, JobHandle, JobSpec, JobState, JobStatus, LogChunk, Pool
from chimes.kinds.component import Config

__all__ = ["FakeBackend", "FakeBackendConfig"]


class FakeBackendConfig(Config):
    """The configuration of the fake backend."""

    automatic: bool = Field(
        default=True, description="Whether a job succeeds as soon as it is submitted; else it waits for the test."
    )
    cpus: int = Field(default=4, ge=1, description="The processors of its only node.")


@dataclass
class _Job:
    handle: JobHandle
    state: JobState = JobState.QUEUED
    exit_code: int | None = None
    stdout: bytes = b""
    stderr: bytes = b""


class FakeBackend(ComputeBackend[FakeBackendConfig]):
    """Runs no process: jobs are entries in memory, whose state a test changes with ``start`` and ``finish``."""

    Config = FakeBackendConfig

    def __init__(self, config: FakeBackendConfig, context: Context) -> None:
        super().__init__(config, context)
        self.submitted: list[JobSpec] = []
        self._jobs: dict[str, _Job] = {}

    def start(self, handle: JobHandle) -> None:
        """Let a waiting job run; raises InvalidStateError if it does not wait."""
        job = self._get(handle)
        if job.state != JobState.QUEUED:
            raise InvalidStateError(f"job {handle.key!r} is {job.state}", hint="start a job once, before it has ended")
        job.state = JobState.RUNNING

    def finish(self, handle: JobHandle, *, exit_code: int = 0, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """Let a job end with this exit status and output; raises InvalidStateError if it has ended."""
        job = self._get(handle)
        if job.state.is_final:
            raise InvalidStateError(f"job {handle.key!r} is {job.state}", hint="a job in a final state cannot change")
        job.state = JobState.SUCCEEDED if exit_code == 0 else JobState.FAILED
        job.exit_code, job.stdout, job.stderr = exit_code, stdout, stderr

    def ping(self) -> None:
        """Always succeeds."""

    def inventory(self) -> Inventory:
        """One node with the configured processors, no accelerators."""
        return Inventory(pools=(Pool(name="fake", nodes=1, cpus=self.config.cpus),))

    def submit(self, job: JobSpec, *, key: str) -> JobHandle:
        """Record the job. Raises ConflictError, InvalidJobError, InfeasibleError."""
        digest = job.sha256()
        if key in self._jobs:
            handle = self._jobs[key].handle
            if handle.spec_sha256 != digest:
                raise ConflictError(f"the key {key!r} is used by another job", hint="use a different key for each job")
            return handle
        self._check(job)
        handle = JobHandle(
            backend="fake",
            native_id=str(len(self._jobs) + 1),
            key=key,
            spec_sha256=digest,
            control_url="memory:",
            submitted_at=datetime.now(UTC),
        )
        self.submitted.append(job)
        self._jobs[key] = _Job(handle)
        if self.config.automatic:
            self.finish(handle)
        return handle

    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        """One status for each handle; a job of another backend is LOST."""
        return [self._status(self._find(handle)) for handle in handles]

    def cancel(self, handle: JobHandle, *, grace_s: float = 30) -> None:
        """End a job at once; a job that has ended stays as it is. Raises NotFoundError."""
        job = self._get(handle)
        if not job.state.is_final:
            job.state = JobState.CANCELLED

    def logs(
        self,
        handle: JobHandle,
        *,
        stream: Literal["stdout", "stderr"] = "stdout",
        task: int = 0,
        offset: int = 0,
        limit_bytes: int = 1 << 20,
    ) -> LogChunk:
        """A part of the output that ``finish`` was given. Raises NotFoundError."""
        job = self._get(handle)
        whole = job.stdout if stream == "stdout" else job.stderr
        data = whole[offset : offset + limit_bytes]
        end = offset + len(data)
        return LogChunk(data=data, offset=offset, next_offset=end, eof=job.state.is_final and end >= len(whole))

    def _check(self, job: JobSpec) -> None:
        if job.native:
            raise InvalidJobError(f"unknown native option {next(iter(job.native))!r}", hint="this backend has none")
        wanted = job.resources.cpus_per_task * job.resources.tasks_per_node
        if job.resources.accelerators or job.resources.nodes > 1 or wanted > self.config.cpus:
            raise InfeasibleError(
                "the job asks for more than the fake backend has",
                near_misses=(f"fake: 1 node, {self.config.cpus} cpus, no accelerators",),
                hint="ask for less, or raise cpus in its configuration",
            )

    def _find(self, handle: JobHandle) -> _Job | None:
        job = self._jobs.get(handle.key)
        return job if job is not None and job.handle == handle else None

    def _get(self, handle: JobHandle) -> _Job:
        job = self._find(handle)
        if job is None:
            raise NotFoundError(f"there is no job {handle.key!r} here", hint="use a handle that this backend returned")
        return job

    def _status(self, job: _Job | None) -> JobStatus:
        now = datetime.now(UTC)
        if job is None:
            return JobStatus(state=JobState.LOST, observed_at=now, reason="unknown")
        match job.state:
            case JobState.FAILED:
                return JobStatus(
                    state=job.state, observed_at=now, reason="exit_code", fault="user", exit_code=job.exit_code
                )
            case JobState.CANCELLED:
                return JobStatus(state=job.state, observed_at=now, reason="cancelled")
        return JobStatus(state=job.state, observed_at=now, exit_code=job.exit_code)
