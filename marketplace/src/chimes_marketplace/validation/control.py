"""Control runs: a strict reference plugin shows that the lane judges rightly, before it judges others."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chimes.conformance.gate.mutants import strict_wheel
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from chimes_marketplace.lanes.runfolder import RunFolder
from chimes_marketplace.validation.runs import end_run
from chimes_marketplace.validation.tables import Run
from chimes_marketplace.validation.verdict import Expected

__all__ = ["expected_of", "fail_waiting", "find_open", "is_trusted", "prepare"]


def is_trusted(session: Session, *, lane: str, at: datetime, control_s: float) -> bool:
    """Whether a control run of the lane ended clean less than ``control_s`` seconds before ``at``."""
    query = _controls(lane).where(Run.outcome == "clean", col(Run.ended_at) > at - timedelta(seconds=control_s))
    return session.exec(query.limit(1)).first() is not None


def find_open(session: Session, *, lane: str) -> Run | None:
    """The control run that waits or runs: there is never more than one."""
    return session.exec(_controls(lane).where(Run.state != "done")).first()


def fail_waiting(session: Session, *, lane: str, reason: str) -> None:
    """What waits for a lane whose control run was not clean is not run: that would blame it for the lane."""
    query = select(Run.id).where(Run.lane == lane, Run.state == "waiting", col(Run.submission_id).is_not(None))
    for id in session.exec(query).all():
        assert id is not None
        end_run(session, id=id, outcome="infra", reason=f"the lane {lane} failed its control run: {reason}")


def prepare(root: Path, *, rules: Mapping[str, Any]) -> RunFolder:
    """A run folder with the strict reference plugin in it."""
    with tempfile.TemporaryDirectory(prefix="chimes-control-") as scratch:
        wheel = strict_wheel("model", Path(scratch))
        folder = RunFolder(root, wheel.name)
        folder.prepare(wheel, nonce=secrets.token_hex(32), rules=rules, granted=None)
    return folder


def expected_of(root: Path) -> tuple[RunFolder, Expected]:
    """What the verdict on a control run must be about. Raises OSError, ValueError for a folder that is none."""
    (file,) = (root / "file").iterdir()
    folder = RunFolder(root, file.name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return folder, Expected(filename=file.name, sha256=digest, nonce=folder.nonce.read_text("ascii"), type="plugin")


def _controls(lane: str) -> SelectOfScalar[Run]:
    return select(Run).where(Run.lane == lane, col(Run.submission_id).is_(None))
