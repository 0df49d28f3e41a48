"""Reads releases and submissions as a user may see them: everything for their member, the listed part for everyone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chimes.evidence.finding import Finding
from sqlmodel import Session

from chimes_marketplace.accounts.tables import Member
from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.catalog.tables import File, Project, Release
from chimes_marketplace.lanes.runs import find_position, list_runs
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions.states import get_submission, list_submissions, release_state, steps
from chimes_marketplace.submissions.tables import Step, Submission

__all__ = ["ReleaseReport", "SubmissionReport", "read_release", "read_submission"]


@dataclass(frozen=True, kw_only=True)
class ReleaseReport:
    """A release as one user may see it. ``submissions``: newest first; the report of the first is shown.

    ``files``: one for each name: the listed one, else the newest.
    """

    project: Project
    member: Member
    release: Release
    state: str
    submissions: tuple[Submission, ...]
    files: tuple[File, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of the newest submission that the user may see."""
        newest = self.submissions[0]
        return _findings(newest, (file for file in self.files if file.submission_id == newest.id))


@dataclass(frozen=True, kw_only=True)
class SubmissionReport:
    """Everything about a submission. ``position``: the place of its first waiting run in the queue, from 1."""

    project: Project
    member: Member
    release: Release
    submission: Submission
    files: tuple[File, ...]
    runs: tuple[Run, ...]
    """The runs of the latest attempt."""
    steps: tuple[Step, ...]
    position: int | None

    @property
    def is_public(self) -> bool:
        """Whether everyone may read it."""
        return self.submission.state == "listed"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of its verdict; before that, those of the uploads."""
        return _findings(self.submission, self.files)


def read_release(session: Session, *, project: Project, release: Release, full: bool) -> ReleaseReport | None:
    """The release; ``full``: also its unlisted part. None if there is nothing that the user may see."""
    assert release.id is not None
    files = list_files(session, release_id=release.id, listed=None if full else True)
    submissions = list_submissions(session, release_id=release.id)
    if not full:
        shown = {file.submission_id for file in files}
        submissions = [submission for submission in submissions if submission.id in shown]
    if not submissions:
        return None
    return ReleaseReport(
        project=project,
        member=session.get_one(Member, project.member_id),
        release=release,
        state=release_state(session, release_id=release.id) if full else "listed",
        submissions=tuple(submissions),
        files=_that_count(files),
    )


def _that_count(files: list[File]) -> tuple[File, ...]:
    ranked = sorted(files, key=lambda file: (file.filename, file.listed_at is not None, file.id or 0))
    return tuple({file.filename: file for file in ranked}.values())


def read_submission(session: Session, *, id: int) -> SubmissionReport:
    """The submission. Raises MarketplaceError ``not-found``."""
    submission = get_submission(session, id=id)
    release = session.get_one(Release, submission.release_id)
    project = session.get_one(Project, release.project_id)
    runs = [run for run in list_runs(session, submission_id=id) if run.attempt == submission.attempt]
    return SubmissionReport(
        project=project,
        member=session.get_one(Member, project.member_id),
        release=release,
        submission=submission,
        files=tuple(list_files(session, submission_id=id)),
        runs=tuple(runs),
        steps=tuple(steps(session, id=id)),
        position=find_position(session, submission_id=id),
    )


def _findings(submission: Submission, files: Iterable[File]) -> tuple[Finding, ...]:
    if submission.findings or submission.decided_at is not None:
        return submission.findings
    return tuple(finding for file in files for finding in file.findings)
