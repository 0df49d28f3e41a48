"""A backend for tests: processes of this client, kept in memory; counts the calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from chimes.context import Context
from chimes.errors import InfrastructureError, NotFoundError, TransientError
from chimes.kinds.backend import (
    ComputeBackend,
    Inventory,
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    LogChunk,
    Pool,
    Reason,
)
from chimes.kinds.component import Config
from chimes.processes import Process, kill_tree

Behaviour = Literal[
    "good", "is down", "has no pools", "is busy once", "forgets", "has no logs", "never has room", "fails to close"
]


class BenchConfig(Config):
    behaviour: Behaviour = "good"
    npus: int = 0
    cpus: int | None = 4
    memory_bytes: int | None = 1 << 34
    walltime_limit_s: float | None = None
    kill_as: Reason | None = None
    specs: str | None = None


class Bench(ComputeBackend[BenchConfig]):
    Config = BenchConfig

    def __init__(self, config: BenchConfig, context: Context) -> None:
        super().__init__(config, context)
        self._processes: dict[str, Process] = {}
        self._cancelled: set[str] = set()
        self._busy = config.behaviour == "is busy once"

    def ping(self) -> None:
        if self.config.behaviour == "is down":
            raise InfrastructureError("the bench is down", hint="switch it on")

    def inventory(self) -> Inventory:
        if self.config.behaviour == "has no pools":
            return Inventory(pools=())
        pool = Pool(
            name="desk",
            nodes=1,
            cpus=self.config.cpus,
            memory_bytes=self.config.memory_bytes,
            accelerators={"npu.tiny": self.config.npus} if self.config.npus else {},
            walltime_limit_s=self.config.walltime_limit_s,
        )
        return Inventory(pools=(pool,))

    def submit(self, job: JobSpec, *, key: str) -> JobHandle:
        if self._busy:
            self._busy = False
            raise TransientError("the bench is being wiped", retry_after_s=0.01)
        if self.config.behaviour == "never has room":
            raise InfrastructureError("there is no room on the bench", hint="come back tomorrow")
        if self.config.specs:
            Path(self.config.specs).write_text(job.model_dump_json(), "utf-8")
        folder = self.context.tmp / key
        folder.mkdir()
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            self._processes[key] = Process(job.command, env=job.env | measured, cwd=job.workdir, stdout=out, stderr=err)
        return JobHandle(
            backend="acme-lab:bench",
            native_id=str(self._processes[key].pid),
            key=key,
            spec_sha256=job.sha256(),
            control_url=str(folder),
            submitted_at=datetime.now(UTC),
        )

    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        return [self._status(handle) for handle in handles]

    def _status(self, handle: JobHandle) -> JobStatus:
        now = datetime.now(UTC)
        code = self._processes[handle.key].poll()
        if code is None:
            return JobStatus(state=JobState.RUNNING, observed_at=now)
        if self.config.behaviour == "forgets":
            return JobStatus(state=JobState.LOST, observed_at=now)
        if handle.key in self._cancelled:
            return JobStatus(state=JobState.CANCELLED, observed_at=now, reason="cancelled")
        if code == 0:
            return JobStatus(state=JobState.SUCCEEDED, observed_at=now, exit_code=0)
        if self.config.kill_as == "walltime":
            return JobStatus(state=JobState.TIMED_OUT, observed_at=now, reason="walltime")
        by_signal = -code if code < 0 else None
        return JobStatus(
            state=JobState.FAILED,
            observed_at=now,
            reason=self.config.kill_as or "exit_code",
            exit_code=None if by_signal else code,
            signal=by_signal,
        )

    def cancel(self, handle: JobHandle, *, grace_s: float = 30) -> None:
        self._cancelled.add(handle.key)
        kill_tree(self._processes[handle.key].pid, grace_s=grace_s)

    def logs(
        self,
        handle: JobHandle,
        *,
        stream: Literal["stdout", "stderr"] = "stdout",
        task: int = 0,
        offset: int = 0,
        limit_bytes: int = 1 << 20,
    ) -> LogChunk:
        if self.config.behaviour == "has no logs":
            raise NotFoundError("the logs are gone", hint="look elsewhere")
        with Path(handle.control_url, stream).open("rb") as file:
            file.seek(offset)
            data = file.read(limit_bytes)
        ended = self._processes[handle.key].poll() is not None and len(data) < limit_bytes
        return LogChunk(data=data, offset=offset, next_offset=offset + len(data), eof=ended)

    def close(self) -> None:
        if self.config.behaviour == "fails to close" and self._processes:
            raise OSError("the bench does not fold")
        for process in self._processes.values():
            process.poll()
