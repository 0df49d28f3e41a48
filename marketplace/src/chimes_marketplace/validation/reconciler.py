"""Brings every submission to its end: one thread that looks at the database, does what is due, and looks again.

All that it knows is in the database and in the run folders, so a new one goes on where the last was killed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session, col, select

from chimes_marketplace.catalog.tables import Project, Release
from chimes_marketplace.database import Database, now
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.submissions.arrivals import Arrivals
from chimes_marketplace.submissions.states import MARKETPLACE, close, decide
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.validation import control, outcome
from chimes_marketplace.validation.admission import choose
from chimes_marketplace.validation.carrier import Carrier
from chimes_marketplace.validation.guard import Guard
from chimes_marketplace.validation.runs import Task, list_tasks, make_runs
from chimes_marketplace.validation.tables import Run

__all__ = ["Reconciler"]

BUSY_S, IDLE_S = 0.2, 1.0
"""How often it looks, while something is under way and else."""
RETRY_S = 60.0
"""How long after its lane failed a submission is tried again, once."""


class Reconciler:
    """Start it once per server; ``step`` is one pass, and never raises. ``index_url``: the marketplace's own index.

    ``failures`` of ``guard`` counts what went wrong in the marketplace itself.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        blobs: LocalBlobs,
        arrivals: Arrivals,
        index_url: str,
        lane: Lane | None = None,
        clock: Callable[[], datetime] = now,
        retry_s: float = RETRY_S,
    ) -> None:
        self.guard = Guard()
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._arrivals = arrivals
        self._lane = lane or Lane(settings, index_url=index_url)
        self._clock = clock
        self._retry_s = retry_s
        self._carrier = Carrier(settings, database, blobs, self._lane, clock)
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="reconciler", daemon=True)
        self._is_busy = False

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    def stop(self) -> None:
        """End the thread; jobs that run go on, and whoever starts next collects them."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()
        self._lane.close()

    def step(self) -> bool:
        """Whatever is due. Whether something is under way."""
        for due in (self._try_again, self._close, self._begin, self._follow, self._decide, self._admit):
            self.guard.attempt(due.__name__.strip("_"), due, lambda _: None)
        return self._is_busy

    def _work(self) -> None:
        self.guard.attempt("tidying", self._carrier.tidy, lambda _: None)
        while not self._stopping.is_set():
            self._woken.clear()
            self._woken.wait(BUSY_S if self.step() else IDLE_S)

    def _try_again(self) -> None:
        """What was never run, for want of a sound lane, gets one more attempt."""
        due = self._clock() - timedelta(seconds=self._retry_s)
        with self._database.reading() as session:
            found = outcome.list_unlucky(session, since=due - timedelta(days=1), until=due)
        for id in found:
            self._of_submission(id, "trying again", outcome.try_again)

    def _close(self) -> None:
        """Submissions of which no file came for a while, and none is on its way."""
        due = self._clock() - timedelta(seconds=self._settings.quiet_s)
        quiet = (Submission.state == "staged", col(Submission.touched_at) <= due)
        for id in self._ids(*quiet):
            self._of_submission(id, "closing", partial(self._close_one, quiet))

    def _close_one(self, quiet: tuple[object, ...], session: Session, id: int) -> None:
        query = (
            select(Project.name, Release.version)
            .join(Release, col(Release.project_id) == col(Project.id))
            .join(Submission, col(Submission.release_id) == col(Release.id))
            .where(Submission.id == id, *quiet)  # type: ignore[arg-type]
        )
        found = session.exec(query).first()
        if found is not None and not self._arrivals.is_arriving(*found):
            close(session, id=id, actor=MARKETPLACE)

    def _begin(self) -> None:
        """Runs for what was closed."""
        has_run = select(Run.id).where(Run.submission_id == Submission.id, Run.attempt == Submission.attempt)
        for id in self._ids(Submission.state == "validating", ~has_run.exists()):
            self._of_submission(id, "making its runs", partial(_begin_one, self._lane.name))

    def _follow(self) -> None:
        """Jobs: start what was admitted, end what is unwanted, collect what ended."""
        tasks = self._tasks("admitted")
        for task in tasks:
            if "handle" not in (task.job or {}):
                self._of_run(task, "submitting", partial(self._carrier.submit, task))
        tasks = [task for task in self._tasks("admitted") if "handle" in (task.job or {})]
        statuses = self._lane.status([task.job["handle"] for task in tasks if task.job is not None])
        for task, status in zip(tasks, statuses, strict=True):
            self._of_run(task, "following", partial(self._carrier.follow, task, status))
        for task in self._tasks("waiting"):
            if not task.is_wanted:
                self._of_run(task, "dropping", partial(self._carrier.drop, task))

    def _decide(self) -> None:
        """Submissions of which all runs are done."""
        is_open = select(Run.id).where(
            Run.submission_id == Submission.id, Run.attempt == Submission.attempt, Run.state != "done"
        )
        for id in self._ids(Submission.state == "validating", ~is_open.exists()):
            self._of_submission(id, "deciding", partial(outcome.decide_one, self._blobs))

    def _admit(self) -> None:
        """As many runs as the lane has slots, once it is known to be sound."""
        running, waiting = self._tasks("admitted"), self._tasks("waiting")
        wanted = [task for task in waiting if task.is_wanted and not task.is_control]
        self._is_busy = bool(running or wanted)
        free = self._settings.slots - len(running)
        if not wanted or free <= 0:
            return
        with self._database.reading() as session:
            is_trusted = control.is_trusted(
                session, lane=self._lane.name, at=self._clock(), control_s=self._settings.control_s
            )
        chosen = choose(wanted, running, free) if is_trusted else self._controls()
        for task in chosen:
            self._of_run(task, "admitting", partial(self._carrier.admit, task))

    def _controls(self) -> list[Task]:
        """The control run that waits, made if there is none under way."""
        with self._database.writing() as session:
            if control.find_open(session, lane=self._lane.name) is None:
                session.add(Run(lane=self._lane.name))
        return [task for task in self._tasks("waiting") if task.is_control]

    def _tasks(self, state: str) -> list[Task]:
        with self._database.reading() as session:
            return list_tasks(session, state=state)

    def _ids(self, *conditions: object) -> list[int]:
        query = select(Submission.id).where(*conditions).order_by(col(Submission.id))  # type: ignore[arg-type]
        with self._database.reading() as session:
            return [id for id in session.exec(query) if id is not None]

    def _of_run(self, task: Task, what: str, action: Callable[[], None]) -> None:
        self.guard.attempt(f"{what} of run {task.id}", action, partial(self._carrier.give_up, task))

    def _of_submission(self, id: int, what: str, action: Callable[[Session, int], None]) -> None:
        def act() -> None:
            with self._database.writing() as session:
                action(session, id)

        self.guard.attempt(f"{what} of submission {id}", act, partial(self._give_up, id))

    def _give_up(self, id: int, error: Exception) -> None:
        reason = f"the marketplace could not judge it: {error}"
        with self._database.writing() as session:
            if session.get_one(Submission, id).state == "validating":
                decide(session, id=id, state="infra", findings=(), reason=reason)


def _begin_one(lane: str, session: Session, id: int) -> None:
    make_runs(session, submission=session.get_one(Submission, id), lane=lane)
