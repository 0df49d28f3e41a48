"""Brings every submission to its end: reads the database, does the next steps, and repeats.

All its state is in the database and in the run folders. Several may work on one database, in one process or many: each
step on a submission is one transaction that locks it and checks its state again; each run has a lease
(``chimes_marketplace.lanes.leases``). So a run is judged once, and a submission is decided once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlmodel import Session, col, select

from chimes_marketplace.catalog.tables import Project, Release
from chimes_marketplace.database import Database
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.lanes.leases import Worker, release_all, renew_all
from chimes_marketplace.lanes.retries import Retries
from chimes_marketplace.lanes.runner import Runner
from chimes_marketplace.lanes.runs import Task, get_task, list_tasks, make_runs
from chimes_marketplace.lanes.scheduler import admit
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.blobstore import BlobStore
from chimes_marketplace.submissions.arrivals import is_arriving
from chimes_marketplace.submissions.states import MARKETPLACE, close, decide, lock_submission
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.validation.assessment import assess_run
from chimes_marketplace.validation.submissions import decide_one, list_retryable, retry_one

__all__ = ["Reconciler"]

BUSY_S, IDLE_S = 0.2, 1.0
"""Seconds between passes: while runs wait or are carried out, and otherwise."""
RETRY_S = 60.0
"""How long after a failure of its lane a submission is retried, once."""


class Reconciler:
    """One worker. ``step`` makes one pass and never raises; ``start`` makes passes in a thread until ``stop``.

    ``retries.failures`` counts failures of the marketplace itself.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        blobs: BlobStore,
        lane: Lane,
        worker: Worker | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        self.retries = Retries()
        self.worker = worker or Worker(lease_s=settings.lease_s)
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._lane = lane
        self._retry_s = retry_s
        self._runner = Runner(settings, database, blobs, lane, self.worker, assess_run)
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name="reconciler", daemon=True),
            threading.Thread(target=self._beat, name="heartbeat", daemon=True),
        ]
        self._is_busy = False

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Make a pass at once."""
        self._woken.set()

    def stop(self) -> None:
        """End the threads and release the leases; jobs keep running, and another worker collects their documents."""
        self._stopping.set()
        self._woken.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self.retries.attempt("releasing the leases", self._release, lambda _: None)
        self._lane.close()

    def step(self) -> bool:
        """Make one pass. Returns whether runs wait or are being carried out."""
        for due in (self._retry, self._close, self._begin, self._follow, self._decide, self._admit):
            self.retries.attempt(due.__name__.strip("_"), due, lambda _: None)
        return self._is_busy

    def _work(self) -> None:
        self.retries.attempt("tidying", self._runner.tidy, lambda _: None)
        while not self._stopping.is_set():
            self._woken.clear()
            self._woken.wait(BUSY_S if self.step() else IDLE_S)

    def _beat(self) -> None:
        """Renew the leases even during long steps. A paused or killed process does not renew them."""
        while not self._stopping.wait(self.worker.lease_s / 3):
            self.retries.attempt("renewing the leases", self._renew, lambda _: None)

    def _renew(self) -> None:
        with self._database.writing() as session:
            renew_all(session, self.worker)

    def _release(self) -> None:
        with self._database.writing() as session:
            release_all(session, self.worker)

    def _retry(self) -> None:
        """Retry submissions that were not run because their lane had failed."""
        due = self.worker.clock() - timedelta(seconds=self._retry_s)
        with self._database.reading() as session:
            found = list_retryable(session, since=due - timedelta(days=1), until=due)
        for id in found:
            self._of_submission(id, "retrying", retry_one)

    def _close(self) -> None:
        """Close submissions that received no file for ``quiet_s`` and are receiving none now."""
        due = self.worker.clock() - timedelta(seconds=self._settings.quiet_s)
        quiet = (Submission.state == "staged", col(Submission.touched_at) <= due)
        for id in self._ids(*quiet):
            self._of_submission(id, "closing", partial(self._close_one, quiet))

    def _close_one(self, quiet: tuple[object, ...], session: Session, id: int) -> None:
        lock_submission(session, id=id)
        query = (
            select(Project.name, Release.version)
            .join(Release, col(Release.project_id) == col(Project.id))
            .join(Submission, col(Submission.release_id) == col(Release.id))
            .where(Submission.id == id, *quiet)  # type: ignore[arg-type]
        )
        for project, version in session.exec(query):
            if not is_arriving(session, project=project, version=version, at=self.worker.clock()):
                close(session, id=id, actor=MARKETPLACE)

    def _begin(self) -> None:
        """Make the runs of submissions that were closed."""
        has_run = select(Run.id).where(Run.submission_id == Submission.id, Run.attempt == Submission.attempt)
        for id in self._ids(Submission.state == "validating", ~has_run.exists()):
            self._of_submission(id, "making its runs", self._begin_one)

    def _begin_one(self, session: Session, id: int) -> None:
        submission = lock_submission(session, id=id)
        if submission.state == "validating":
            make_runs(session, submission=submission, lane=self._lane.name)

    def _follow(self) -> None:
        """Submit jobs of this worker, end unwanted ones, collect the documents of those that ended."""
        held = [each for task in self._tasks("admitted") if (each := self._runner.hold(task)) is not None]
        for task in held:
            if task.handle is None:
                self._of_run(task, "submitting", partial(self._runner.start, task))
        submitted = [(task, task.handle) for task in held if task.handle is not None]
        statuses = self._lane.status([handle for _, handle in submitted])
        for (task, _), status in zip(submitted, statuses, strict=True):
            self._of_run(task, "following", partial(self._runner.follow, task, status))
        for task in self._tasks("waiting"):
            if not task.is_wanted:
                self._of_run(task, "dropping", partial(self._runner.drop, task))

    def _decide(self) -> None:
        """Decide submissions whose runs are all done."""
        is_open = select(Run.id).where(
            Run.submission_id == Submission.id, Run.attempt == Submission.attempt, Run.state != "done"
        )
        for id in self._ids(Submission.state == "validating", ~is_open.exists()):
            self._of_submission(id, "deciding", partial(decide_one, self._blobs))

    def _admit(self) -> None:
        """Admit runs to this worker, and start them."""
        running, waiting = self._tasks("admitted"), self._tasks("waiting")
        wanted = [task for task in waiting if task.is_wanted and not task.is_control]
        self._is_busy = bool(running or wanted)
        if not wanted or len(running) >= self._settings.slots:
            return
        with self._database.writing() as session:
            admitted = admit(
                session,
                lane=self._lane.name,
                slots=self._settings.slots,
                control_s=self._settings.control_s,
                worker=self.worker,
            )
        for id in admitted:
            with self._database.reading() as session:
                task = get_task(session, id=id)
            self._of_run(task, "submitting", partial(self._runner.start, task))

    def _tasks(self, state: str) -> list[Task]:
        with self._database.reading() as session:
            return list_tasks(session, lane=self._lane.name, state=state)

    def _ids(self, *conditions: object) -> list[int]:
        query = select(Submission.id).where(*conditions).order_by(col(Submission.id))  # type: ignore[arg-type]
        with self._database.reading() as session:
            return [id for id in session.exec(query) if id is not None]

    def _of_run(self, task: Task, what: str, action: Callable[[], None]) -> None:
        self.retries.attempt(f"{what} of run {task.id}", action, partial(self._runner.give_up, task))

    def _of_submission(self, id: int, what: str, action: Callable[[Session, int], None]) -> None:
        def act() -> None:
            with self._database.writing() as session:
                action(session, id)

        self.retries.attempt(f"{what} of submission {id}", act, partial(self._give_up, id))

    def _give_up(self, id: int, error: Exception) -> None:
        reason = f"the marketplace could not judge it: {error}"
        with self._database.writing() as session:
            if lock_submission(session, id=id).state == "validating":
                decide(session, id=id, state="infra", findings=(), reason=reason)
