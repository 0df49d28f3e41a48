"""The interface of compute backends: run a command, and know for ever what became of it."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from chimes.kinds.component import C, Component, Value
from chimes.resources import Resources

__all__ = [
    "ComputeBackend",
    "Inventory",
    "JobHandle",
    "JobSpec",
    "JobState",
    "JobStatus",
    "LogChunk",
    "Pool",
]


class JobState(StrEnum):
    """Where a job is. States only move forward in this order; SUCCEEDED and what follows is final."""

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
        """Whether nothing more will happen."""
        return self in (
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.CANCELLED,
            JobState.TIMED_OUT,
            JobState.LOST,
        )


Reason = Literal[
    "exit_code", "oom", "walltime", "preempted", "node_failure", "dependency", "admin", "cancelled", "unknown"
]


class JobSpec(Value):
    """One command and what it needs. ``native`` is validated by each backend; unknown keys are refused.

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
    """All that is needed to find a job again, from any process: JSON of at most 4 KiB, no secrets."""

    version: Literal[1] = 1
    backend: str
    native_id: str
    key: str
    spec_sha256: str
    control_url: str
    submitted_at: datetime


class JobStatus(Value):
    """What is known of a job at ``observed_at``; ``stale`` says that this is not the latest."""

    state: JobState
    observed_at: datetime
    reason: Reason | None = None
    fault: Literal["user", "plugin", "infrastructure"] | None = None
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
    """Bytes of a log from ``offset``; ask again from ``next_offset``. ``eof``: final, and all was given."""

    data: bytes
    offset: int
    next_offset: int
    eof: bool


class Pool(Value):
    """Nodes of one sort; None means unknown, never zero."""

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
    """A place that runs commands. ``close`` and the end of the client never end a job."""

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
        """Ask for the end: SIGTERM, after ``grace_s`` SIGKILL, to the whole process tree. Idempotent."""

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
