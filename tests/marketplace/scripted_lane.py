"""A lane that runs nothing: a test decides how its jobs end, and it writes the documents of such a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from chimes.errors import InfrastructureError
from chimes.kinds.backend import JobHandle, JobSpec, JobState, JobStatus
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.lanes.runfolder import RunFolder
from chimes_marketplace.validation.assessment import REQUIRED

__all__ = ["Script", "ScriptedLane", "finding", "passing"]

Verdict = dict[str, Any]
Script = Callable[[str, Verdict], tuple[JobStatus, Verdict | None]]
"""From the file's name and a verdict without findings: the status of the job and the verdict that it writes."""


def passing(filename: str, sha256: str, nonce: str, type: str = "plugin") -> Verdict:
    """A verdict document in which everything passed."""

    def asked(code: str) -> dict[str, Any]:
        return {"code": code, "verdict": "pass", "cause": None, "findings": [], "inputs": []}

    component = {"kind": "model", "name": "rain", "cases": ["default"], "checks": [asked("M07")]}
    return {
        "format": "chimes.verdict/1",
        "file": filename,
        "sha256": sha256,
        "sdk": "0.1.0",
        "sandboxed": True,
        "rules": {"name": "marketplace", "sha256": "c" * 64},
        "lock": [],
        "nonce_sha256": hashlib.sha256(bytes.fromhex(nonce)).hexdigest(),
        "checks": [asked(code) for code in sorted(REQUIRED[type])],
        "components": [component] if type == "plugin" else [],
    }


def finding(code: str = "S08", severity: str = "error", blocks: str | None = "verified") -> dict[str, Any]:
    """A finding, as JSON."""
    return {"code": code, "severity": severity, "blocks": blocks, "message": "m", "fix": "f", "where": None}


def ended(state: JobState = JobState.SUCCEEDED, exit_code: int | None = 0) -> JobStatus:
    """The status of a job that has ended."""
    now = datetime.now(UTC)
    return JobStatus(state=state, observed_at=now, exit_code=exit_code, started_at=now, ended_at=now)


class ScriptedLane(Lane):
    """``script`` is for files, ``control`` for control runs; while it is ``paused``, jobs keep running."""

    def __init__(self, script: Script | None = None, control: Script | None = None) -> None:
        clean: Script = lambda _, verdict: (ended(), verdict)  # noqa: E731 - a value like the others
        self.script, self.control = script or clean, control or clean
        self.paused = False
        self.refusals = 0
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self._jobs: dict[str, JobSpec] = {}
        self._ended: dict[str, JobStatus] = {}

    def spec(self, folder: RunFolder) -> JobSpec:
        return JobSpec(command=("check", folder.filename), workdir=str(folder.work))

    def submit(self, spec: JobSpec, *, key: str) -> JobHandle:
        if self.refusals:
            self.refusals -= 1
            raise InfrastructureError("no room", hint="make some")
        known = self._jobs.get(key)
        assert known in (None, spec), f"another job is submitted under the key {key}"
        if known is None:
            self.submitted.append(spec.command[1])
            self._jobs[key] = spec
        return JobHandle(
            backend="scripted",
            native_id=key,
            key=key,
            spec_sha256=spec.sha256(),
            control_url="",
            submitted_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    def status(self, handles: Sequence[JobHandle]) -> list[JobStatus]:
        return [self._status(handle.key) for handle in handles]

    def cancel(self, handle: JobHandle) -> None:
        self.cancelled.append(self._jobs[handle.key].command[1])
        self._ended.setdefault(handle.key, ended(JobState.CANCELLED, None))

    def output(self, handle: JobHandle, stream: Literal["stdout", "stderr"]) -> bytes:
        return b"chimes: infrastructure: no sandbox\n" if stream == "stderr" else b""

    def close(self) -> None:
        """There is nothing to close."""

    def _status(self, key: str) -> JobStatus:
        if key not in self._ended and not self.paused:
            self._ended[key] = self._run(self._jobs[key])
        running = JobStatus(state=JobState.RUNNING, observed_at=datetime.now(UTC))
        return self._ended.get(key, running)

    def _run(self, job: JobSpec) -> JobStatus:
        folder = RunFolder(Path(job.workdir or "").parent, job.command[1])
        digest = hashlib.sha256(folder.file.read_bytes()).hexdigest()
        verdict = passing(folder.filename, digest, folder.nonce.read_text())
        script = self.control if folder.filename.startswith("chimes_strict_") else self.script
        status, left = script(folder.filename, verdict)
        if left is not None:
            (folder.out / "verdict.json").write_text(json.dumps(left))
            (folder.out / "run.json").write_text(json.dumps({"format": "chimes.run/1", "check_s": 1.5}))
        return status
