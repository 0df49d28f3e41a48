"""The parts of one running marketplace, which every route receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chimes_marketplace.database import Database
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.blobstore import BlobStore
from chimes_marketplace.submissions.arrivals import Arrivals

__all__ = ["Marketplace"]


@dataclass(frozen=True, kw_only=True)
class Marketplace:
    """The parts of a running marketplace. ``wake`` tells the reconciler that there may be work."""

    settings: Settings
    database: Database
    blobs: BlobStore
    arrivals: Arrivals
    wake: Callable[[], None] = lambda: None
