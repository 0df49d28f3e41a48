"""The documents of a run, kept as blobs: verdict document, run record, lock, log."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from chimes.evidence.record import RunRecord
from chimes.evidence.verdict import VerdictDocument
from chimes.kinds.backend import JobStatus
from pydantic import ValidationError

from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.storage.blobstore import BlobStore

__all__ = ["make_record", "parse_record", "parse_verdict", "read_lock", "read_log", "read_record", "read_verdict"]


def parse_verdict(data: bytes) -> VerdictDocument:
    """Parse a verdict document. Raises ValueError, with the place of the first fault, for anything else."""
    try:
        return VerdictDocument.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise ValueError(_first_fault(error)) from error


def parse_record(data: bytes) -> RunRecord:
    """Parse a run record, also one of version 0.1.0. Raises ValueError for anything else."""
    try:
        return RunRecord.model_validate_json(data, strict=True)
    except ValidationError as error:
        old = _from_0_1(data)
        if old is None:
            raise ValueError(_first_fault(error)) from error
        return old


def make_record(record: bytes | None, *, lane: str, attempt: int, created_at: datetime, status: JobStatus) -> bytes:
    """The run record to store: that of the run, if it wrote one, with the lane's figures about the job."""
    try:
        own = RunRecord(check_s=None) if record is None else parse_record(record)
    except ValueError:
        own = RunRecord(check_s=None)
    started, ended = status.started_at, status.ended_at
    more: dict[str, Any] = {
        "lane": lane,
        "attempt": attempt,
        "nodes": status.nodes,
        "started_at": started,
        "ended_at": ended,
        "queued_s": None if started is None else max(0.0, (started - created_at).total_seconds()),
        "run_s": None if started is None or ended is None else (ended - started).total_seconds(),
    }
    return own.model_copy(update=more).to_bytes()


def read_verdict(blobs: BlobStore, run: Run) -> VerdictDocument | None:
    """The verdict document; None if it is absent or cannot be read."""
    try:
        return None if run.verdict_sha256 is None else parse_verdict(blobs.read(run.verdict_sha256))
    except ValueError:
        return None


def read_record(blobs: BlobStore, run: Run) -> RunRecord | None:
    """The run record; None before the run has ended."""
    try:
        return None if run.record_sha256 is None else parse_record(blobs.read(run.record_sha256))
    except ValueError:
        return None


def read_lock(blobs: BlobStore, run: Run) -> str | None:
    """The ``pylock.toml`` of the environment; None if it is absent."""
    return None if run.lock_sha256 is None else _text(blobs, run.lock_sha256)


def read_log(blobs: BlobStore, run: Run) -> str:
    """The output of the run, or its end if it is long; empty before the run has ended."""
    return "" if run.log_sha256 is None else _text(blobs, run.log_sha256)


def _text(blobs: BlobStore, digest: str) -> str:
    return blobs.read(digest).decode("utf-8", "replace")


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def _from_0_1(data: bytes) -> RunRecord | None:
    """Version 0.1.0 wrote these figures as ``seconds``: a number in the run's record, a table in the stored one."""
    try:
        value = json.loads(data)
        if "check_s" in value:
            return None
        seconds = value.pop("seconds", None)
        check_s = value.pop("check_seconds", None)
        if isinstance(seconds, dict):
            value |= {"queued_s": seconds.get("queued"), "run_s": seconds.get("run")}
        else:
            check_s = seconds
        return RunRecord.model_validate(value | {"check_s": check_s})
    except (AttributeError, TypeError, ValueError, RecursionError):
        return None
