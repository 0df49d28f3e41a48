"""Control runs: a correct reference plugin must pass on a lane before the lane may judge other plugins."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from chimes.conformance.gate.mutants import strict_wheel
from chimes.conformance.rules import Rules
from chimes.evidence.finding import sort_findings
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from chimes_marketplace.lanes.results import Assessment, Expected
from chimes_marketplace.lanes.runfolder import RunFolder
from chimes_marketplace.lanes.runs import end_waiting
from chimes_marketplace.lanes.tables import Run

__all__ = ["expected_of", "explain", "fail_waiting", "find_or_add", "is_trusted", "prepare"]


def is_trusted(session: Session, *, lane: str, at: datetime, control_s: float) -> bool:
    """Whether a control run of the lane ended clean less than ``control_s`` seconds before ``at``."""
    query = _controls(lane).where(Run.outcome == "clean", col(Run.ended_at) > at - timedelta(seconds=control_s))
    return session.exec(query.limit(1)).first() is not None


def find_or_add(session: Session, *, lane: str) -> list[int]:
    """The waiting control run, added if necessary; empty while one is running."""
    run = session.exec(_controls(lane).where(Run.state != "done")).first()
    if run is None:
        run = Run(lane=lane)
        session.add(run)
        session.flush()
    assert run.id is not None
    return [run.id] if run.state == "waiting" else []


def fail_waiting(session: Session, *, lane: str, at: datetime, reason: str) -> None:
    """End all runs that wait for a lane whose control run was not clean. The lane is at fault, not the plugins."""
    query = select(Run.id).where(Run.lane == lane, Run.state == "waiting", col(Run.submission_id).is_not(None))
    for id in session.exec(query).all():
        assert id is not None
        why = f"the lane {lane} failed its control run: {reason}"
        end_waiting(session, id=id, outcome="infra", at=at, reason=why)


def explain(assessment: Assessment) -> str:
    """The reason why a control run was not clean."""
    if assessment.reason is not None:
        return assessment.reason
    if assessment.verdict is None:
        return f"it ended {assessment.outcome}"
    worst = sort_findings(assessment.verdict.findings)[0]
    return f"the strict reference plugin has the finding {worst.code}, {worst.message}"


def prepare(root: Path, *, rules: Rules) -> RunFolder:
    """A run folder with the strict reference plugin in it."""
    with tempfile.TemporaryDirectory(prefix="chimes-control-") as scratch:
        wheel = strict_wheel("model", Path(scratch))
        folder = RunFolder(root, wheel.name)
        folder.prepare(wheel, nonce=secrets.token_hex(32), rules=rules, granted=None)
    return folder


def expected_of(root: Path) -> tuple[RunFolder, Expected]:
    """The values that the verdict of a control run must have. Raises OSError, ValueError if the folder has no file."""
    (file,) = (root / "file").iterdir()
    folder = RunFolder(root, file.name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return folder, Expected(filename=file.name, sha256=digest, nonce=folder.nonce.read_text("ascii"), type="plugin")


def _controls(lane: str) -> SelectOfScalar[Run]:
    return select(Run).where(Run.lane == lane, col(Run.submission_id).is_(None))
