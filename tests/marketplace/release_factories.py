"""Releases in every state, for tests of reading: rows made by the domain packages, without a validation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chimes.evidence.finding import Finding
from chimes_marketplace.accounts.members import get_user
from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.catalog.projects import add_project, find_project
from chimes_marketplace.catalog.releases import add_release, find_release
from chimes_marketplace.catalog.tables import File
from chimes_marketplace.database import Session, now
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions import states
from chimes_marketplace.submissions.tables import Submission
from chimes_marketplace.web.state import Marketplace

__all__ = ["FINDING", "LOCK", "MadeRelease", "make_release", "verdict"]

FINDING: Mapping[str, Any] = {
    "code": "A07",
    "severity": "error",
    "blocks": "upload",
    "message": "the wheel installs 'tests'",
    "fix": "leave it out",
    "where": "tests",
}
LOCK = "numpy 2.1.0 " + "a" * 64


@dataclass(frozen=True)
class MadeRelease:
    """A release that was made: its submission's number, the secret of its stage, the number of its run (0: none)."""

    id: int
    secret: str
    run: int
    sha256: str
    filename: str


def make_release(
    market: Marketplace,
    name: str = "acme-tools",
    version: str = "1.0",
    *,
    user: str = "alice",
    state: str = "listed",
    kind: str = "model",
    about: Mapping[str, Any] | None = None,
    findings: Sequence[Mapping[str, Any]] = (),
    document: Mapping[str, Any] | None = None,
    log: str = "",
    filename: str | None = None,
) -> MadeRelease:
    """A release with one wheel, moved to ``state``; ``kind`` library has no components."""
    with market.database.writing() as session:
        submission, file = _uploaded(session, market, name, version, user, kind, about or {}, filename)
        run = None
        if state != "staged":
            states.close(session, id=submission.id or 0, actor=user)
        if document is not None:
            run = _ran(market, submission, file, document, log)
            session.add(run)
            session.flush()
        if state in ("listed", "rejected", "held", "infra"):
            _decide(session, submission, state, kind, findings)
        elif state == "cancelled":
            states.cancel(session, id=submission.id or 0, actor=user)
        return MadeRelease(
            submission.id or 0, submission.secret, 0 if run is None else run.id or 0, file.sha256, file.filename
        )


def verdict(**checks: str) -> dict[str, Any]:
    """A verdict document with these results (code to verdict) of the file, and one component with a pass."""
    results: list[dict[str, Any]] = [
        {"code": code, "verdict": each, "cause": None, "findings": []} for code, each in checks.items()
    ]
    component = {"kind": "model", "name": "answer", "cases": [], "checks": [{"code": "M02", "verdict": "pass"}]}
    return {
        "format": "chimes.verdict/1",
        "file": "acme_tools-1.0-py3-none-any.whl",
        "sha256": "c" * 64,
        "sdk": "0.1.0",
        "sandboxed": True,
        "rules": {"name": "built-in", "sha256": "b" * 64},
        "nonce_sha256": "d" * 64,
        "lock": [LOCK],
        "checks": results,
        "components": [component],
    }


def _uploaded(
    session: Session,
    market: Marketplace,
    name: str,
    version: str,
    user: str,
    kind: str,
    about: Mapping[str, Any],
    filename: str | None,
) -> tuple[Submission, File]:
    owner = get_user(session, name=user)
    project = find_project(session, name=name) or add_project(session, name=name, member_id=owner.member_id)
    assert project.id is not None
    described = {"name": name, "version": version, "summary": f"What {name} does.", **about}
    type = "library" if kind == "library" else "plugin"
    release = find_release(session, project_id=project.id, version=version) or add_release(
        session, project_id=project.id, version=version, type=type, about=described
    )
    assert release.id is not None
    assert owner.id is not None
    submission = states.open_submission(session, release_id=release.id, user_id=owner.id, actor=user)
    assert submission.id is not None
    file = File(
        release_id=release.id,
        submission_id=submission.id,
        filename=filename or f"{name.replace('-', '_')}-{version}-py3-none-any.whl",
        form="wheel",
        sha256=market.blobs.put(f"{name} {version} {submission.id}".encode()),
        size_bytes=12_345,
        requires_python=">=3.11",
    )
    session.add(file)
    session.flush()
    return submission, file


def _ran(market: Marketplace, submission: Submission, file: File, document: Mapping[str, Any], log: str) -> Run:
    moment = now()
    return Run(
        submission_id=submission.id,
        file_id=file.id,
        lane="cpu-local",
        state="done",
        outcome="clean",
        verdict_sha256=market.blobs.put(json.dumps(document).encode()),
        lock_sha256=market.blobs.put(b"lock-version = '1.0'\n"),
        log_sha256=market.blobs.put(log.encode()) if log else None,
        admitted_at=moment,
        started_at=moment,
        ended_at=moment,
    )


def _decide(
    session: Session, submission: Submission, state: str, kind: str, findings: Sequence[Mapping[str, Any]]
) -> None:
    components = []
    if kind != "library":
        components = [ListedComponent.model_validate({"kind": kind, "name": "answer", "level": "verified"})]
    states.decide(
        session,
        id=submission.id or 0,
        state=state,
        findings=[Finding.model_validate(each) for each in findings],
        reason=None if state == "listed" else f"it is {state}",
        components=components,
        level="verified",
    )
