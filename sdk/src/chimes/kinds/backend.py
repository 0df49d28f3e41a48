"""The interface of compute backends: run a command as a job, and report its state for good."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from chimes.errors import Fault
from chimes.kinds.component import C, Component, Value
from chimes.resources import Resources

__all__ = ["ComputeBackend", "Inventory", "JobHandle", "JobSpec", "JobState", "JobStatus", "LogChunk", "Pool"]


class JobState(StrEnum):
    """The state of a job. States only move forward in this order; SUCCEEDED and all after it are final."""

    QUEUED = "queued"
    HELD = "held"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETING = "completing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        """Whether the state can no longer change."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT, JobState.LOST)


Reason = Literal[
    "exit_code", "oom", "walltime", "preempted", "node_failure", "dependency", "admin", "cancelled", "unknown"
]


class JobSpec(Value):
    """One command and the resources it needs. ``native`` is validated by each backend; unknown keys are refused.

    ``env`` is the job's whole environment apart from what the backend must set; ``workdir`` None means
    a fresh folder of the job's own.
    """

    command: tuple[str, ...] = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    workdir: str | None = None
    resources: Resources = Resources()
    labels: dict[str, str] = Field(default_factory=dict)
    native: dict[str, JsonValue] = Field(default_factory=dict)

    def sha256(self) -> str:
        """The digest (hex) of this specification: the same for equal specifications in every process."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


class JobHandle(Value):
    """Identifies a job to any process: JSON of at most 4 KiB, without secrets."""

    version: Literal[1] = 1
    backend: str
    native_id: str
    key: str
    spec_sha256: str
    control_url: str
    submitted_at: datetime


class JobStatus(Value):
    """The status of a job at ``observed_at``; ``stale`` means that the latest could not be read."""

    state: JobState
    observed_at: datetime
    reason: Reason | None = None
    fault: Fault | None = None
    exit_code: int | None = None
    signal: int | None = None
    attempt: int = 1
    pending_reason: str | None = None
    queue_position: int | None = None
    nodes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    stale: bool = False


class LogChunk(Value):
    """Bytes of a log from ``offset``; continue at ``next_offset``. ``eof``: the job has ended, and there is no more."""

    data: bytes
    offset: int
    next_offset: int
    eof: bool


class Pool(Value):
    """Nodes of the same type; None means unknown, never zero."""

    name: str
    nodes: int | None = None
    cpus: int | None = None
    memory_bytes: int | None = None
    accelerators: dict[str, int] = Field(default_factory=dict)
    walltime_limit_s: float | None = None


class Inventory(Value):
    """The pools of a backend."""

    pools: tuple[Pool, ...]


class ComputeBackend(Component[C]):
    """Runs commands as jobs. A job goes on after ``close``, and after the end of the client."""

    api: ClassVar[str] = "chimes.backend/1"

    @abstractmethod
    def ping(self) -> None:
        """Return if jobs can be run here. Raises ConfigError, AuthError, InfrastructureError."""

    @abstractmethod
    def inventory(self) -> Inventory:
        """The pools with their nodes, processors, memory and accelerators."""

    @abstractmethod
    def submit(self, job: JobSpec, *, key: str) -> JobHandle:
        """Start a job; durable when it returns.

        The same key and specification give the same handle and one job; the same key with another
        specification raises ConflictError. Raises InvalidJobError, InfeasibleError.
        """

    @abstractmethod
    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        """One status per handle, in order, from the handles alone; a bad handle is LOST, not an exception."""

    @abstractmethod
    def cancel(self, handle: JobHandle, *, grace_s: float = 30) -> None:
        """End a job: SIGTERM to the whole process tree, and SIGKILL after ``grace_s``. Idempotent."""

    @abstractmethod
    def logs(
        self,
        handle: JobHandle,
        *,
        stream: Literal["stdout", "stderr"] = "stdout",
        task: int = 0,
        offset: int = 0,
        limit_bytes: int = 1 << 20,
    ) -> LogChunk:
        """At most ``limit_bytes`` bytes of a job's output from ``offset``, running or ended."""
