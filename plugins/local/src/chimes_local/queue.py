"""The queue of one root: jobs wait in the order of submission until a slot is free.

No process manages it. The wrapper of a waiting job holds a lock on its ticket in ``queue/``, that of a running job
on a file in ``slots/``; the kernel releases both when a wrapper ends for any reason.
"""

from __future__ import annotations

import os
from pathlib import Path

from chimes.files import FileLock, try_lock
from chimes.jobs.wrapper import Admission

__all__ = ["QueuePlace", "waiting_jobs"]

FIRST_S, LONGEST_S = 0.05, 5.0
"""How often a waiting wrapper checks for a slot: the first in the queue every 0.05 s, the others less often."""


def waiting_jobs(root: Path) -> list[str]:
    """The ids of the waiting jobs under ``root``, the next one first."""
    return [ticket.partition("-")[2] for ticket in _tickets(root / "queue")]


class QueuePlace(Admission):
    """One job's place in the queue, then its slot."""

    def __init__(self, root: Path, job_id: str, slots: int) -> None:
        self._queue, self._slots = root / "queue", root / "slots"
        self._job_id, self._count = job_id, slots
        self._name = ""
        self._ticket: FileLock | None = None
        self._slot: FileLock | None = None

    def enter(self) -> None:
        """Take the last place."""
        for folder in (self._queue, self._slots):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Locked before others can see it: an unlocked ticket belongs to a dead wrapper.
        draft = self._queue / f".{self._job_id}.{os.getpid()}"
        self._ticket = try_lock(draft)
        last = max((int(ticket.partition("-")[0]) for ticket in _tickets(self._queue)), default=0)
        self._name = f"{last + 1:012d}-{self._job_id}"
        draft.rename(self._queue / self._name)

    def ask(self) -> float | None:
        """None once this job has a slot; else the seconds after which to ask again.

        With n slots free the first n jobs may take one, so that no job overtakes another.
        """
        tickets = _tickets(self._queue)
        place = tickets.index(self._name)
        if place < self._count and self._take_slot(place):
            self._drop_ticket()
            return None
        if place > 0:
            self._remove_abandoned(tickets[place - 1])
        return min(FIRST_S * (place + 1), LONGEST_S)

    def leave(self) -> None:
        """Give up the place, or the slot."""
        self._drop_ticket()
        if self._slot is not None:
            self._slot.release()

    def _take_slot(self, place: int) -> bool:
        free = [slot for number in range(self._count) if (slot := try_lock(self._slots / str(number))) is not None]
        if place < len(free):
            self._slot = free.pop()
        for slot in free:
            slot.release()
        return self._slot is not None

    def _drop_ticket(self) -> None:
        if self._ticket is not None:
            (self._queue / self._name).unlink(missing_ok=True)
            self._ticket.release()
            self._ticket = None

    def _remove_abandoned(self, ticket: str) -> None:
        """Remove the ticket before this one if its wrapper has died."""
        lock = try_lock(self._queue / ticket, create=False)
        if lock is not None:
            (self._queue / ticket).unlink(missing_ok=True)
            lock.release()


def _tickets(queue: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(queue) if not name.startswith("."))
    except FileNotFoundError:
        return []
