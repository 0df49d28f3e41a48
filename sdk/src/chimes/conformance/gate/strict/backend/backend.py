"""Jobs are processes of this machine under the SDK's job wrapper."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from chimes import ComputeBackend, Config, Inventory, JobHandle, JobSpec, JobStatus, LogChunk, Pool
from chimes.jobs import folder as jobfolder
from chimes.jobs.status import FINAL_STATES, read_status
from chimes.processes import run

START = "import sys; from pathlib import Path; from chimes.jobs.wrapper import start_detached; "
START += "start_detached(Path(sys.argv[1]))"


class StrictConfig(Config):
    """Where jobs are recorded."""

    root: str = Field(description="Folder of the jobs' records.")


class StrictBackend(ComputeBackend[StrictConfig]):
    """One control folder for each job; every job starts at once."""

    Config = StrictConfig

    def ping(self) -> None:
        """The folder can be made."""
        Path(self.config.root).mkdir(parents=True, exist_ok=True)

    def inventory(self) -> Inventory:
        """One pool without further information."""
        return Inventory(pools=(Pool(name="here", nodes=1),))

    def submit(self, job: JobSpec, *, key: str) -> JobHandle:
        """Record the key first, then start the wrapper unless it runs."""
        digest = job.sha256()
        record = {"command": list(job.command), "env": job.env, "workdir": job.workdir, "memory_bytes": None}
        folder = jobfolder.create(Path(self.config.root), key=key, spec_sha256=digest, job=record)
        with jobfolder.launching(folder) as is_needed:
            if is_needed:
                run([sys.executable, "-c", START, str(folder)], timeout_s=60)
        return JobHandle(
            backend="chimes-strict-backend:strict",
            native_id=folder.name,
            key=key,
            spec_sha256=digest,
            control_url=folder.as_uri(),
            submitted_at=datetime.fromisoformat(jobfolder.get_job(folder)["submitted_at"]),
        )

    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        """What the control folders say."""
        return [JobStatus.model_validate(read_status(self.folder(handle))) for handle in handles]

    def cancel(self, handle: JobHandle, *, grace_s: float = 30) -> None:
        """Ask the wrapper."""
        jobfolder.request_cancel(self.folder(handle), grace_s=grace_s)

    def logs(
        self,
        handle: JobHandle,
        *,
        stream: Literal["stdout", "stderr"] = "stdout",
        task: int = 0,
        offset: int = 0,
        limit_bytes: int = 1 << 20,
    ) -> LogChunk:
        """What the job wrote."""
        is_final = read_status(self.folder(handle))["state"] in FINAL_STATES
        data, size = jobfolder.read_logs(self.folder(handle), stream, offset=offset, limit_bytes=limit_bytes)
        after = offset + len(data)
        return LogChunk(data=data, offset=offset, next_offset=after, eof=is_final and after >= size)

    def folder(self, handle: JobHandle) -> Path:
        """The control folder."""
        return Path(handle.control_url.removeprefix("file://"))
