"""What a run left behind, kept as blobs: verdict document, run record, lock, log."""

from __future__ import annotations

import json
from typing import Any

from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.validation.tables import Run

__all__ = ["read_lock", "read_log", "read_record", "read_verdict"]


def read_verdict(blobs: LocalBlobs, run: Run) -> dict[str, Any] | None:
    """The verdict document; None if the run left none that can be read."""
    return _parsed(blobs, run.verdict_sha256)


def read_record(blobs: LocalBlobs, run: Run) -> dict[str, Any] | None:
    """The run record, with ``seconds`` (queued, run); None while there is none."""
    return _parsed(blobs, run.record_sha256)


def read_lock(blobs: LocalBlobs, run: Run) -> str | None:
    """The ``pylock.toml`` of the environment; None if none was made."""
    return None if run.lock_sha256 is None else _text(blobs, run.lock_sha256)


def read_log(blobs: LocalBlobs, run: Run) -> str:
    """What was printed, its end only where that was much; empty while there is nothing."""
    return "" if run.log_sha256 is None else _text(blobs, run.log_sha256)


def _text(blobs: LocalBlobs, digest: str) -> str:
    return blobs.read(digest).decode("utf-8", "replace")


def _parsed(blobs: LocalBlobs, digest: str | None) -> dict[str, Any] | None:
    if digest is None:
        return None
    try:
        value = json.loads(blobs.read(digest))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
