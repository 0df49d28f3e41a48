"""Carries out single runs on a lane: prepares, submits, follows and ends them.

If a worker is killed between any two steps, the next holder of the lease can continue the run:

- admitted, without a job: the folder is prepared. Its name contains the lease number, so that a worker that was only
  paused cannot change the folder of its successor.
- with a job's specification, which is stored before the job is submitted: the job is submitted under the run's key.
  Submitting the same job under the same key again finds the first one.
- with a handle: the job is followed; its documents are collected and stored, then the run's row is changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from chimes.kinds.backend import JobSpec, JobState, JobStatus
from sqlmodel import Session, select

from chimes_marketplace.database import Database
from chimes_marketplace.lanes import control
from chimes_marketplace.lanes.documents import make_record
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.lanes.leases import Worker, get_held, take
from chimes_marketplace.lanes.results import Assessment, Expected
from chimes_marketplace.lanes.runfolder import RunDocuments, RunFolder, run_id_of
from chimes_marketplace.lanes.runs import Task, end_run, end_waiting
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.blobstore import BlobStore

__all__ = ["Assess", "Runner"]

MARGIN_S = 120.0
"""How much longer than its walltime a job may take: it has to start, to be ended, and to be noticed."""
FIRST_LEASE = 1
Assess = Callable[[JobStatus, RunDocuments, Expected, bytes, float], Assessment]
"""Computes the outcome of a run from its job's status, documents, expected values, stderr and walltime."""


class Runner:
    """Handles the runs of one lane that one worker holds. All its state is in the database and the run folders."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        blobs: BlobStore,
        lane: Lane,
        worker: Worker,
        assess: Assess,
    ) -> None:
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._lane = lane
        self._worker = worker
        self._assess = assess
        self._cancelled: set[int] = set()
        # Run to the time since which this worker knows its job: the clock of another worker may differ.
        self._followed_since: dict[int, datetime] = {}

    def hold(self, task: Task) -> Task | None:
        """The task, under a valid lease of this worker; None if another worker has a valid lease."""
        now = self._worker.clock()
        is_valid = task.lease_expires_at is not None and task.lease_expires_at > now
        if task.owner is not None and is_valid:
            return task if task.owner == self._worker.name else None
        with self._database.writing() as session:
            lease = take(session, id=task.id, worker=self._worker)
        return None if lease is None else replace(task, lease=lease, owner=self._worker.name)

    def start(self, task: Task) -> None:
        """Prepare the run's folder and submit its job, or find the job that was submitted. Raises ChimesError."""
        if task.spec is None and not task.is_wanted:
            self._end(task, Assessment(outcome="cancelled"))
            return
        spec = task.spec or self._prepare(task)
        handle = self._lane.submit(spec, key=task.key)
        self._followed_since.setdefault(task.id, self._worker.clock())
        with self._held(task) as (_, run):
            run.handle, run.submitted_at = handle, run.submitted_at or self._worker.clock()

    def follow(self, task: Task, status: JobStatus) -> None:
        """Do the next step of a submitted run: collect its documents, end its job, or nothing."""
        assert task.handle is not None
        if status.state.is_final:
            self._collect(task, status)
        elif self._is_overdue(task):
            self._lane.cancel(task.handle)
            self._end(task, Assessment(outcome="infra", reason=f"its job did not end in {self._limit_s:.0f} s"))
        elif not task.is_wanted and task.id not in self._cancelled:
            self._lane.cancel(task.handle)
            self._cancelled.add(task.id)

    def drop(self, task: Task) -> None:
        """End a waiting run whose submission was cancelled or is now in another attempt."""
        with self._database.writing() as session:
            end_waiting(session, id=task.id, outcome="cancelled", at=self._worker.clock())

    def give_up(self, task: Task, error: Exception) -> None:
        """End a run that the marketplace itself cannot carry out."""
        if task.handle is not None:
            # The run ends even if the backend fails: its job then ends at its walltime.
            with contextlib.suppress(Exception):
                self._lane.cancel(task.handle)
        # The reason is public: it does not show where the data folder is.
        reason = str(error).replace(str(self._settings.data), "the data folder")
        self._end(task, Assessment(outcome="infra", reason=f"the marketplace could not carry it out: {reason}"))

    def tidy(self) -> None:
        """Remove the folders of finished runs whose worker was killed before it removed them."""
        folders = [path for path in self._runs.iterdir() if run_id_of(path.name)] if self._runs.is_dir() else []
        # List folders first: they cannot belong to a run that is admitted later.
        with self._database.reading() as session:
            unfinished = set(session.exec(select(Run.id).where(Run.state != "done")))
        for path in folders:
            if run_id_of(path.name) not in unfinished:
                RunFolder(path, "").remove()

    def _prepare(self, task: Task) -> JobSpec:
        root = self._runs / f"{task.key}-{task.lease}"
        if task.is_control:
            folder = control.prepare(root, rules=self._settings.chosen_rules)
        else:
            folder = RunFolder(root, task.filename)
            with self._blobs.lend(task.sha256) as file:
                folder.prepare(file, nonce=task.nonce, rules=self._settings.chosen_rules, granted=task.project)
        spec = self._lane.spec(folder)
        with self._held(task) as (_, run):
            run.spec = spec
        return spec

    def _collect(self, task: Task, status: JobStatus) -> None:
        if not task.is_wanted:
            self._end(task, Assessment(outcome="cancelled"))
            return
        folder, expected = self._expected(task)
        documents = folder.read_documents()
        stderr = self._output(task, "stderr")
        assessment = self._assess(status, documents, expected, stderr, self._settings.run_s)
        if task.is_control and assessment.outcome != "clean":
            assessment = replace(assessment, reason=control.explain(assessment))
        record = make_record(
            documents.record, lane=task.lane, attempt=task.attempt, created_at=task.created_at, status=status
        )
        log = b"".join((self._output(task, "stdout"), stderr, documents.log))
        self._end(task, assessment, replace(documents, record=record, log=log), status)

    def _end(
        self, task: Task, assessment: Assessment, documents: RunDocuments | None = None, status: JobStatus | None = None
    ) -> None:
        """Store documents, change the row, remove the folder: in this order nothing is lost if the worker is killed."""
        digests = {} if documents is None else self._keep(documents)
        again = status is not None and status.state != JobState.TIMED_OUT
        now = self._worker.clock()
        with self._held(task) as (session, run):
            for name, digest in digests.items():
                setattr(run, name, digest)
            if status is not None:
                run.started_at = status.started_at
            end_run(
                session,
                run,
                at=now,
                outcome=assessment.outcome,
                reason=assessment.reason,
                again=again,
                unlimited=self._is_inherited(task),
            )
            if task.is_control and assessment.outcome != "clean" and not self._is_inherited(task):
                reason = assessment.reason or assessment.outcome
                control.fail_waiting(session, lane=task.lane, at=now, reason=reason)
        self._cancelled.discard(task.id)
        self._followed_since.pop(task.id, None)
        for root in self._runs.glob(f"{task.id}-*"):
            RunFolder(root, task.filename).remove()

    @contextlib.contextmanager
    def _held(self, task: Task) -> Iterator[tuple[Session, Run]]:
        """A transaction with the run's row. Raises LeaseLostError if the task's lease is no longer valid."""
        with self._database.writing() as session:
            run = get_held(session, id=task.id, lease=task.lease)
            yield session, run
            session.add(run)

    def _keep(self, documents: RunDocuments) -> dict[str, str]:
        columns = {
            "verdict_sha256": documents.verdict,
            "record_sha256": documents.record,
            "lock_sha256": documents.lock,
            "log_sha256": documents.log,
            "rules_sha256": documents.rules,
        }
        return {name: self._blobs.put(data) for name, data in columns.items() if data}

    def _expected(self, task: Task) -> tuple[RunFolder, Expected]:
        folder = self._folder(task)
        if task.is_control:
            return control.expected_of(folder.root)
        return folder, Expected(filename=task.filename, sha256=task.sha256, nonce=task.nonce, type=task.type)

    def _folder(self, task: Task) -> RunFolder:
        assert task.spec is not None
        assert task.spec.workdir is not None
        return RunFolder(Path(task.spec.workdir).parent, task.filename)

    def _output(self, task: Task, stream: Literal["stdout", "stderr"]) -> bytes:
        assert task.handle is not None
        return self._lane.output(task.handle, stream)

    def _is_overdue(self, task: Task) -> bool:
        now = self._worker.clock()
        return now > self._followed_since.setdefault(task.id, now) + timedelta(seconds=self._limit_s)

    def _is_inherited(self, task: Task) -> bool:
        """Whether another worker began the run: the server whose index the job uses may have ended with it."""
        return task.lease > FIRST_LEASE

    @property
    def _limit_s(self) -> float:
        return self._settings.run_s + MARGIN_S

    @property
    def _runs(self) -> Path:
        return self._settings.data / "runs"
