"""The worker: validates submissions, in its own process or in the server's process."""

from __future__ import annotations

import threading

from chimes_marketplace.database import Database
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.blobstore import BlobStore
from chimes_marketplace.validation.reconciler import Reconciler

__all__ = ["make_worker", "work_until"]


def make_worker(settings: Settings, database: Database, blobs: BlobStore, *, url: str) -> Reconciler:
    """A worker that is not started yet. ``url``: the address of the server whose index the jobs install from."""
    lane = Lane(settings, index_url=f"{url.rstrip('/')}/simple/")
    return Reconciler(settings=settings, database=database, blobs=blobs, lane=lane)


def work_until(worker: Reconciler, stopping: threading.Event) -> None:
    """Work until the event is set; then finish the current step and release the leases."""
    worker.start()
    try:
        stopping.wait()
    finally:
        worker.stop()
