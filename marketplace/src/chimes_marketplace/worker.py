"""The worker: what validates, in a process of its own or in that of the server."""

from __future__ import annotations

import threading

from chimes_marketplace.database import Database
from chimes_marketplace.lanes.lane import Lane
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.blobstore import BlobStore
from chimes_marketplace.validation.reconciler import Reconciler

__all__ = ["make_worker", "work_until"]


def make_worker(settings: Settings, database: Database, blobs: BlobStore, *, url: str) -> Reconciler:
    """A worker that is not started. ``url``: the server's address, from whose index the jobs install."""
    lane = Lane(settings, index_url=f"{url.rstrip('/')}/simple/")
    return Reconciler(settings=settings, database=database, blobs=blobs, lane=lane)


def work_until(worker: Reconciler, stopping: threading.Event) -> None:
    """Work until the event is set; then end the present step and give the leases back."""
    worker.start()
    try:
        stopping.wait()
    finally:
        worker.stop()
