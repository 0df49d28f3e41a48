"""Leases: which worker carries a run, and how another takes over from a worker that has stopped.

A worker that takes a run stores its name, an expiry, and a lease number that is one higher than the last holder's.
While it lives it moves the expiry of all its leases on, from a thread that does nothing else. When it is killed, the
expiry passes and another worker takes the run.

A worker may also be paused beyond its expiry (a suspended machine, a stalled disk) and then go on. So every write
about a run asks, in the same transaction, whether the run still has the lease number that the worker took: if not,
LeaseLostError, and nothing is written. That holds whatever the workers' clocks say; a clock that is wrong only makes a
run change hands early or late.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, col, select, update

from chimes_marketplace.database import now
from chimes_marketplace.lanes.tables import Run

__all__ = ["LeaseLostError", "Worker", "get_held", "give", "release_all", "renew_all", "take"]


class LeaseLostError(Exception):
    """Another worker has the run, or it is done: this worker must not write about it."""


def _make_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One process that carries runs. Its name is unique: a process that is started again is another worker."""

    lease_s: float
    clock: Callable[[], datetime] = now
    name: str = field(default_factory=_make_name)

    @property
    def expiry(self) -> datetime:
        """Until when a lease that it takes or renews now is valid."""
        return self.clock() + timedelta(seconds=self.lease_s)


def give(run: Run, worker: Worker) -> None:
    """Give a run to a worker, in the caller's transaction."""
    run.owner, run.lease, run.lease_expires_at = worker.name, run.lease + 1, worker.expiry


def take(session: Session, *, id: int, worker: Worker) -> int | None:
    """Take an admitted run that no worker holds. The lease number, or None where another worker has a valid lease."""
    run = session.exec(select(Run).where(Run.id == id, Run.state == "admitted").with_for_update()).first()
    if run is None:
        return None
    if run.owner == worker.name:
        run.lease_expires_at = worker.expiry
    elif run.owner is None or run.lease_expires_at is None or run.lease_expires_at <= worker.clock():
        give(run, worker)
    else:
        return None
    session.add(run)
    session.flush()
    return run.lease


def get_held(session: Session, *, id: int, lease: int) -> Run:
    """The run, locked until the transaction ends. Raises LeaseLostError unless it still has that lease number."""
    run = session.exec(select(Run).where(Run.id == id).with_for_update()).one()
    if run.lease != lease or run.state != "admitted":
        raise LeaseLostError(f"run {id} is {run.state} under lease {run.lease}, not under lease {lease}")
    return run


def renew_all(session: Session, worker: Worker) -> None:
    """Move the expiry of all leases of that worker on."""
    mine = update(Run).where(col(Run.owner) == worker.name, col(Run.state) == "admitted")
    session.execute(mine.values(lease_expires_at=worker.expiry))


def release_all(session: Session, worker: Worker) -> None:
    """Let other workers take the runs of that worker at once."""
    mine = update(Run).where(col(Run.owner) == worker.name, col(Run.state) == "admitted")
    session.execute(mine.values(owner=None, lease_expires_at=None))
