"""Admits waiting runs to a lane after a clean control run: as many as it has slots, taking members in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sqlmodel import Session, select

from chimes_marketplace.database import serialise
from chimes_marketplace.lanes import control
from chimes_marketplace.lanes.leases import Worker, give
from chimes_marketplace.lanes.runs import Task, list_tasks
from chimes_marketplace.lanes.tables import Run

__all__ = ["admit", "choose"]

ADMISSION = 20_615_844
"""The lock number that serialises the admissions of all workers (``database.serialise``)."""


def choose(waiting: Sequence[Task], running: Iterable[Task], slots: int) -> list[Task]:
    """The waiting runs that may start now, at most ``slots``.

    Each slot goes to the member with the fewest running runs, and among its runs to the oldest.
    """
    load = Counter(task.member_id for task in running if not task.is_control)
    queue = sorted(waiting, key=lambda task: task.id)
    chosen: list[Task] = []
    while queue and len(chosen) < slots:
        task = min(queue, key=lambda each: (load[each.member_id], each.id))
        queue.remove(task)
        load[task.member_id] += 1
        chosen.append(task)
    return chosen


def admit(session: Session, *, lane: str, slots: int, control_s: float, worker: Worker) -> list[int]:
    """Admit the runs that may start now to that worker, and return their ids.

    The slots are counted over all workers of the lane. While the lane has no recent clean control run, only a control
    run is admitted.
    """
    serialise(session.connection(), ADMISSION)
    running = list_tasks(session, lane=lane, state="admitted")
    wanted = [task for task in list_tasks(session, lane=lane, state="waiting") if task.is_wanted]
    submitted = [task for task in wanted if not task.is_control]
    free = slots - len(running)
    if not submitted or free <= 0:
        return []
    if control.is_trusted(session, lane=lane, at=worker.clock(), control_s=control_s):
        chosen = [task.id for task in choose(submitted, running, free)]
    else:
        chosen = control.find_or_add(session, lane=lane)
    for id in chosen:
        run = session.exec(select(Run).where(Run.id == id).with_for_update()).one()
        run.state, run.admitted_at = "admitted", worker.clock()
        give(run, worker)
        session.add(run)
    session.flush()
    return chosen
