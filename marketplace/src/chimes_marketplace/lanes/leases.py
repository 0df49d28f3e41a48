"""Leases: which worker is responsible for a run, and how another worker takes over from one that has stopped.

A worker that takes a run stores its name, an expiry, and a lease number that is one higher than the last holder's.
While it runs, a separate thread renews the expiry of all its leases. After it is killed, the leases expire and
another worker takes the runs.

A worker may also be paused beyond its expiry (a suspended machine, a stalled disk) and then continue. So every write
about a run checks, in the same transaction, whether the run still has the lease number of the worker. If not, it
raises LeaseLostError and writes nothing. This does not depend on the workers' clocks: a wrong clock only makes another
worker take a run too early or too late.
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
    """One process that carries out runs. Its name is unique: a restarted process is a new worker."""

    lease_s: float
    clock: Callable[[], datetime] = now
    name: str = field(default_factory=_make_name)

    @property
    def expiry(self) -> datetime:
        """The expiry of a lease that it takes or renews now."""
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
    """Extend the expiry of all leases of that worker."""
    mine = update(Run).where(col(Run.owner) == worker.name, col(Run.state) == "admitted")
    session.execute(mine.values(lease_expires_at=worker.expiry))


def release_all(session: Session, worker: Worker) -> None:
    """Release the runs of that worker, so that other workers can take them at once."""
    mine = update(Run).where(col(Run.owner) == worker.name, col(Run.state) == "admitted")
    session.execute(mine.values(owner=None, lease_expires_at=None))
