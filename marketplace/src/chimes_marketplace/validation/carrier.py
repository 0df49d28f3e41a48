"""Carries single runs out on a lane: admits, submits, collects, ends them.

Killed between any two steps, the next one is found in the database: a run is ``admitted``, with its whole job, before
the job is submitted under the run's own key, so that submitting again finds the same job.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from chimes.kinds.backend import JobState, JobStatus
from sqlmodel import select

from chimes_marketplace.database import Database
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.lanes.runfolder import Left, RunFolder, is_run
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.validation import control
from chimes_marketplace.validation.conclusion import conclude, control_reason, make_record, parse
from chimes_marketplace.validation.runs import Task, end_run, list_tasks
from chimes_marketplace.validation.tables import Run
from chimes_marketplace.validation.verdict import Assessment, Expected

__all__ = ["Carrier"]

MARGIN_S = 120.0
"""How long after its walltime a job may still be without an end: to start, to be ended, to be noticed."""


class Carrier:
    """The runs of one lane. Nothing here is kept in memory that a restart would miss."""

    def __init__(
        self, settings: Settings, database: Database, blobs: LocalBlobs, lane: Lane, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._lane = lane
        self._clock = clock
        self._ended: set[int] = set()
        self._since = clock()

    def admit(self, task: Task) -> None:
        """Waiting to admitted, then submitted. Raises ChimesError, OSError."""
        spec = self._lane.spec(self._prepare(task))
        with self._database.writing() as session:
            run = session.exec(select(Run).where(Run.id == task.id).with_for_update()).one()
            if run.state != "waiting":
                return
            run.state, run.admitted_at, run.job = "admitted", self._clock(), {"spec": spec}
            session.add(run)
        self.submit(replace(task, state="admitted", job={"spec": spec}))

    def submit(self, task: Task) -> None:
        """Start the job of an admitted run, or find it. Raises ChimesError."""
        assert task.job is not None
        handle = self._lane.submit(task.job["spec"], key=task.key)
        with self._database.writing() as session:
            run = session.get_one(Run, task.id)
            run.job = {"spec": task.job["spec"], "handle": handle}
            session.add(run)

    def follow(self, task: Task, status: JobStatus) -> None:
        """What has to be done about a submitted run: nothing, end it, or collect what it left."""
        assert task.job is not None
        if status.state.is_final:
            self._collect(task, status)
        elif self._is_overdue(task):
            self._lane.cancel(task.job["handle"])
            self._end(task, Assessment(outcome="infra", reason=f"its job did not end in {self._limit_s:.0f} s"))
        elif not task.is_wanted and task.id not in self._ended:
            self._lane.cancel(task.job["handle"])
            self._ended.add(task.id)

    def drop(self, task: Task) -> None:
        """End a waiting run that nobody wants any more."""
        with self._database.writing() as session:
            end_run(session, id=task.id, outcome="cancelled")

    def give_up(self, task: Task, error: Exception) -> None:
        """End a run that the marketplace itself cannot carry out."""
        self._end(task, Assessment(outcome="infra", reason=f"the marketplace could not carry it out: {error}"))

    def tidy(self) -> None:
        """Remove the folders of runs that are over: left by a server that was killed before it could."""
        root = self._settings.data / "runs"
        with self._database.reading() as session:
            open_runs = {task.key for state in ("waiting", "admitted") for task in list_tasks(session, state=state)}
        for path in root.iterdir() if root.is_dir() else ():
            if is_run(path.name) and path.name not in open_runs:
                RunFolder(path, "").remove()

    def _prepare(self, task: Task) -> RunFolder:
        root = self._root(task)
        if task.is_control:
            return control.prepare(root, rules=self._settings.rules)
        folder = RunFolder(root, task.filename)
        blob = self._blobs.path(task.sha256)
        folder.prepare(blob, nonce=task.nonce, rules=self._settings.rules, granted=task.project)
        return folder

    def _collect(self, task: Task, status: JobStatus) -> None:
        if not task.is_wanted:
            self._end(task, Assessment(outcome="cancelled"))
            return
        folder, expected = self._expected(task)
        left = folder.left()
        stderr = self._said(task, "stderr")
        assessment = conclude(status, left, expected, stderr, self._settings.run_s)
        if task.is_control and assessment.outcome != "clean":
            assessment = replace(assessment, reason=control_reason(assessment, parse(left.verdict)))
        log = b"".join((self._said(task, "stdout"), stderr, left.log))
        self._end(task, assessment, replace(left, record=make_record(task, status, left), log=log), status)

    def _end(
        self, task: Task, assessment: Assessment, left: Left | None = None, status: JobStatus | None = None
    ) -> None:
        """Documents first, then the row, then the folder: nothing is lost in between."""
        digests = {} if left is None else self._kept(left)
        again = status is not None and status.state != JobState.TIMED_OUT
        with self._database.writing() as session:
            run = end_run(
                session,
                id=task.id,
                outcome=assessment.outcome,
                reason=assessment.reason,
                again=again,
                inherited=self._is_inherited(task),
            )
            if run is not None:
                for name, digest in digests.items():
                    setattr(run, name, digest)
                if status is not None:
                    # Trust in a lane is counted from here: by the marketplace's clock, not by a node's.
                    run.started_at, run.ended_at = status.started_at, self._clock()
                session.add(run)
            if task.is_control and assessment.outcome != "clean" and not self._is_inherited(task):
                control.fail_waiting(session, lane=task.lane, reason=assessment.reason or assessment.outcome)
        self._ended.discard(task.id)
        RunFolder(self._root(task), task.filename).remove()

    def _kept(self, left: Left) -> dict[str, str]:
        documents = {
            "verdict_sha256": left.verdict,
            "record_sha256": left.record,
            "lock_sha256": left.lock,
            "log_sha256": left.log,
            "rules_sha256": left.rules,
        }
        return {name: self._blobs.put(data) for name, data in documents.items() if data}

    def _expected(self, task: Task) -> tuple[RunFolder, Expected]:
        if task.is_control:
            return control.expected_of(self._root(task))
        expected = Expected(filename=task.filename, sha256=task.sha256, nonce=task.nonce, type=task.type)
        return RunFolder(self._root(task), task.filename), expected

    def _said(self, task: Task, stream: str) -> bytes:
        assert task.job is not None
        return self._lane.said(task.job["handle"], stream)

    def _is_overdue(self, task: Task) -> bool:
        assert task.admitted_at is not None
        return self._clock() > task.admitted_at + timedelta(seconds=self._limit_s)

    def _is_inherited(self, task: Task) -> bool:
        """Begun by an earlier server: it may have failed because that server's index went away."""
        return task.admitted_at is not None and task.admitted_at < self._since

    @property
    def _limit_s(self) -> float:
        return self._settings.run_s + MARGIN_S

    def _root(self, task: Task) -> Path:
        return self._settings.data / "runs" / task.key
