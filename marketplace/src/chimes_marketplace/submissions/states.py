"""The states of a submission, and the moves between them; each move adds a step to the timeline."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from types import MappingProxyType

from chimes.evidence.finding import Finding
from sqlmodel import Session, col, select

from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.catalog.files import publish_files
from chimes_marketplace.catalog.tables import File
from chimes_marketplace.database import now
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.submissions.tables import Step, Submission

__all__ = [
    "MARKETPLACE",
    "MOVES",
    "OPEN",
    "approve",
    "cancel",
    "close",
    "decide",
    "find_staged",
    "get_by_secret",
    "get_submission",
    "list_submissions",
    "lock_submission",
    "open_submission",
    "reject",
    "release_state",
    "retry",
    "steps",
]

MARKETPLACE = "marketplace"
"""The actor of automatic moves."""

MOVES = MappingProxyType(
    {
        "staged": ("validating", "cancelled"),
        "validating": ("listed", "rejected", "held", "cancelled", "infra"),
        "held": ("listed", "rejected", "cancelled"),
        "cancelled": ("validating",),
        "infra": ("validating",),
        "listed": (),
        "rejected": (),
    }
)
"""Each state, and the states that may follow it."""

OPEN = ("staged", "validating", "held")
"""The states of an undecided submission: no other submission can use the names of its files."""

HELP = MappingProxyType(
    {
        "staged": "close it first: POST /api/v1/submissions/{id}/close, or wait until it closes by itself",
        "validating": "wait for its verdict, or cancel it: chimes cancel {id}",
        "held": "an admin decides: chimes-marketplace submission approve|reject {id} --reason R; or chimes cancel {id}",
        "cancelled": "retry it: chimes retry {id}; or upload its files again",
        "infra": "retry it: chimes retry {id}",
        "listed": "a listed release does not change: upload a new version",
        "rejected": "correct what its findings name and upload again; you can keep the version",
    }
)


def get_submission(session: Session, *, id: int) -> Submission:
    """The submission of that number. Raises MarketplaceError ``not-found``."""
    return _found(session.get(Submission, id), id)


def lock_submission(session: Session, *, id: int) -> Submission:
    """As ``get_submission``; no other transaction can change it until this one ends. Raises ``not-found``."""
    # SQLite's writing transactions exclude each other from their start.
    query = select(Submission).where(Submission.id == id).with_for_update().execution_options(populate_existing=True)
    return _found(session.exec(query).first(), id)


def list_submissions(session: Session, *, release_id: int) -> list[Submission]:
    """The submissions of a release, newest first."""
    query = select(Submission).where(Submission.release_id == release_id)
    return list(session.exec(query.order_by(col(Submission.id).desc())))


def find_staged(session: Session, *, release_id: int) -> Submission | None:
    """The staged submission of that release. No other transaction can change it until this one ends."""
    query = select(Submission).where(Submission.release_id == release_id, Submission.state == "staged")
    return session.exec(query.with_for_update()).first()


def get_by_secret(session: Session, *, secret: str) -> Submission:
    """The submission whose stage URL has that secret. Raises MarketplaceError ``not-found``."""
    submission = session.exec(select(Submission).where(Submission.secret == secret)).first()
    if submission is None:
        raise MarketplaceError(
            "not-found", "there is no such stage", fix="use the stage URL in the response to the upload"
        )
    return submission


def steps(session: Session, *, id: int) -> list[Step]:
    """The timeline of a submission, oldest first."""
    return list(session.exec(select(Step).where(Step.submission_id == id).order_by(col(Step.id))))


def release_state(session: Session, *, release_id: int) -> str:
    """``listed`` if a file of the release is listed, else the state of its latest submission. Raises ``not-found``."""
    listed = select(File.id).where(File.release_id == release_id, col(File.listed_at).is_not(None))
    if session.exec(listed.limit(1)).first() is not None:
        return "listed"
    submissions = list_submissions(session, release_id=release_id)
    if not submissions:
        raise MarketplaceError("not-found", "the release has no submission", fix="upload a file of it")
    return submissions[0].state


def open_submission(session: Session, *, release_id: int, user_id: int, actor: str) -> Submission:
    """Add a staged submission. The caller has checked that the release has no other staged one."""
    submission = Submission(release_id=release_id, user_id=user_id, secret=secrets.token_urlsafe(24))
    session.add(submission)
    session.flush()
    _note(session, submission, actor, None)
    return submission


def close(session: Session, *, id: int, actor: str) -> Submission:
    """End the upload: staged to validating. Raises MarketplaceError ``not-found``, ``conflict``."""
    submission = lock_submission(session, id=id)
    if submission.state != "staged":
        raise _conflict(submission, "closed")
    _begin(session, submission, actor, None)
    return submission


def cancel(session: Session, *, id: int, actor: str) -> Submission:
    """Cancel an undecided submission; its jobs end. Raises MarketplaceError ``not-found``, ``conflict``."""
    submission = lock_submission(session, id=id)
    if submission.state not in OPEN:
        raise _conflict(submission, "cancelled")
    submission.reason = f"{actor} cancelled it"
    _move(session, submission, "cancelled", actor, None)
    return submission


def retry(session: Session, *, id: int, actor: str, note: str | None = None) -> Submission:
    """Validate again after infra or a cancellation. Raises MarketplaceError ``not-found``, ``conflict``."""
    submission = lock_submission(session, id=id)
    if submission.state not in ("cancelled", "infra"):
        raise _conflict(submission, "retried")
    taken = _taken_names(session, submission)
    if taken:
        message = f"submission {id} cannot be retried: {taken[0]} was uploaded again in a newer submission"
        raise MarketplaceError("conflict", message, fix="follow the newer submission, or cancel it first")
    submission.attempt += 1
    _begin(session, submission, actor, note)
    return submission


def approve(session: Session, *, id: int, actor: str, reason: str) -> Submission:
    """List a held submission. Raises MarketplaceError ``not-found``, ``conflict``, ``bad-request``."""
    submission = _held(session, id, "approved", reason)
    _list(session, submission, actor, reason)
    return submission


def reject(session: Session, *, id: int, actor: str, reason: str) -> Submission:
    """Reject a held submission. Raises MarketplaceError ``not-found``, ``conflict``, ``bad-request``."""
    submission = _held(session, id, "rejected", reason)
    submission.reason = reason
    _move(session, submission, "rejected", actor, reason)
    return submission


def decide(
    session: Session,
    *,
    id: int,
    state: str,
    findings: Sequence[Finding],
    reason: str | None,
    components: Sequence[ListedComponent] = (),
    level: str | None = None,
) -> Submission:
    """Store the result of the validation: listed, rejected, held or infra. Raises MarketplaceError ``conflict``."""
    submission = lock_submission(session, id=id)
    if submission.state != "validating" or state == "cancelled":
        raise _conflict(submission, f"decided as {state}")
    submission.findings = tuple(findings)
    submission.reason = reason
    submission.components = tuple(components)
    submission.level = level
    if state == "listed":
        _list(session, submission, MARKETPLACE, reason)
    else:
        _move(session, submission, state, MARKETPLACE, reason)
    return submission


def _list(session: Session, submission: Submission, actor: str, note: str | None) -> None:
    assert submission.id is not None
    assert submission.level is not None, "a listed submission has a level"
    taken = _taken_names(session, submission)
    if taken:
        message = f"submission {submission.id} cannot be listed: another one already uses the name {taken[0]}"
        raise MarketplaceError("conflict", message, fix="upload a new version")
    submission.reason = note
    _move(session, submission, "listed", actor, note)
    assert submission.decided_at is not None
    publish_files(
        session,
        submission_id=submission.id,
        at=submission.decided_at,
        components=submission.components,
        level=submission.level,
    )


def _begin(session: Session, submission: Submission, actor: str, note: str | None) -> None:
    submission.nonce = secrets.token_hex(32)
    submission.closed_at = now()
    submission.decided_at = None
    submission.reason = None
    submission.findings = ()
    submission.components = ()
    submission.level = None
    _move(session, submission, "validating", actor, note)


def _move(session: Session, submission: Submission, state: str, actor: str, note: str | None) -> None:
    if state not in MOVES[submission.state]:
        raise _conflict(submission, f"moved to {state}")
    submission.state = state
    if state != "validating":
        submission.decided_at = now()
    session.add(submission)
    _note(session, submission, actor, note)


def _note(session: Session, submission: Submission, actor: str, note: str | None) -> None:
    assert submission.id is not None
    session.add(Step(submission_id=submission.id, state=submission.state, actor=actor, note=note))
    session.flush()


def _taken_names(session: Session, submission: Submission) -> list[str]:
    """The names of its files that are listed, or that another open submission of the release uses."""
    own = select(File.filename).where(File.submission_id == submission.id)
    others = (
        select(File.filename)
        .join(Submission, col(File.submission_id) == col(Submission.id))
        .where(col(File.filename).in_(own), File.submission_id != submission.id)
        .where(col(File.listed_at).is_not(None) | col(Submission.state).in_(OPEN))
    )
    return sorted(set(session.exec(others)))


def _held(session: Session, id: int, action: str, reason: str) -> Submission:
    if not reason.strip():
        raise MarketplaceError(
            "bad-request", "the reason is empty", fix="give the reason in one sentence; it is public"
        )
    submission = lock_submission(session, id=id)
    if submission.state != "held":
        raise _conflict(submission, action)
    return submission


def _found(submission: Submission | None, id: int) -> Submission:
    if submission is None:
        raise MarketplaceError(
            "not-found", f"there is no submission {id}", fix="see: chimes-marketplace submission list"
        )
    return submission


def _conflict(submission: Submission, action: str) -> MarketplaceError:
    message = f"submission {submission.id} is {submission.state} and cannot be {action}"
    return MarketplaceError("conflict", message, fix=HELP[submission.state].format(id=submission.id))
