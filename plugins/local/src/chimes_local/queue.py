"""The queue of one root: jobs wait in the order of submission until a slot is free.

There is no process that keeps it. A waiting job's wrapper holds a lock on its ticket in ``queue/``, a
running one on a file in ``slots/``; the kernel gives both back when a wrapper dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

__all__ = ["Line", "waiting"]

HEAD_S, FARTHEST_S = 0.05, 5.0
"""How often a waiting wrapper looks: the first at once, the others the less often the farther back they stand."""


def waiting(root: Path) -> list[str]:
    """The ids of the waiting jobs under ``root``, the next one first."""
    return [ticket.partition("-")[2] for ticket in _tickets(root / "queue")]


class Line:
    """One job's place in the queue, then its slot (``chimes.jobs.wrapper.Admission``)."""

    def __init__(self, root: Path, job_id: str, slots: int) -> None:
        self._queue, self._slots = root / "queue", root / "slots"
        self._job_id, self._count = job_id, slots
        self._name = ""
        self._ticket: int | None = None
        self._slot: int | None = None

    def enter(self) -> None:
        """Take the last place."""
        for folder in (self._queue, self._slots):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Locked before it can be seen: an unlocked ticket is a dead wrapper's.
        draft = self._queue / f".{self._job_id}.{os.getpid()}"
        self._ticket = _lock(draft)
        last = max((int(ticket.partition("-")[0]) for ticket in _tickets(self._queue)), default=0)
        self._name = f"{last + 1:012d}-{self._job_id}"
        draft.rename(self._queue / self._name)

    def ask(self) -> float | None:
        """None once a slot is this job's; else the seconds after which to ask again.

        With n slots free the first n may take one, so that nobody overtakes.
        """
        tickets = _tickets(self._queue)
        place = tickets.index(self._name)
        if place < self._count and self._take(place):
            self._drop_ticket()
            return None
        if place > 0:
            self._bury(tickets[place - 1])
        return min(HEAD_S * (place + 1), FARTHEST_S)

    def leave(self) -> None:
        """Give up the place, or the slot."""
        self._drop_ticket()
        if self._slot is not None:
            os.close(self._slot)
            self._slot = None

    def _take(self, place: int) -> bool:
        free = [slot for number in range(self._count) if (slot := _lock(self._slots / str(number))) is not None]
        if place < len(free):
            self._slot = free.pop()
        for slot in free:
            os.close(slot)
        return self._slot is not None

    def _drop_ticket(self) -> None:
        if self._ticket is not None:
            (self._queue / self._name).unlink(missing_ok=True)
            os.close(self._ticket)
            self._ticket = None

    def _bury(self, ticket: str) -> None:
        """Remove the ticket ahead if its wrapper has died."""
        descriptor = _lock(self._queue / ticket, create=False)
        if descriptor is not None:
            (self._queue / ticket).unlink(missing_ok=True)
            os.close(descriptor)


def _tickets(queue: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(queue) if not name.startswith("."))
    except FileNotFoundError:
        return []


def _lock(path: Path, *, create: bool = True) -> int | None:
    """An open, locked file; None if another holds the lock or there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    os.close(descriptor)
    return None
