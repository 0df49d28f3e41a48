"""The state of the application that every route is given: the parts of one running marketplace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chimes_marketplace.database import Database
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.blobstore import BlobStore
from chimes_marketplace.submissions.arrivals import Arrivals

__all__ = ["Market"]


@dataclass(frozen=True, kw_only=True)
class Market:
    """``wake`` tells the reconciler that there may be work."""

    settings: Settings
    database: Database
    blobs: BlobStore
    arrivals: Arrivals
    wake: Callable[[], None] = lambda: None
