"""Accepts an uploaded file into the open submission of its release, or finds that it exists already."""

from __future__ import annotations

from dataclasses import dataclass

from chimes.evidence.finding import Finding
from packaging.utils import parse_sdist_filename, parse_wheel_filename
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from chimes_marketplace.accounts.policy import ProjectObject, TokenUser, can, require
from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.catalog.names import normalised
from chimes_marketplace.catalog.projects import add_project, find_lookalikes, find_project, is_listed
from chimes_marketplace.catalog.releases import add_release, find_release, has_listed
from chimes_marketplace.catalog.tables import File, Project, Release
from chimes_marketplace.database import now
from chimes_marketplace.submissions.checks import Immutable, NameDistinct, Neighbourhood, OneType, Taken, Types
from chimes_marketplace.submissions.form import UploadForm
from chimes_marketplace.submissions.gate import Examined, blocking_error, read_findings, without_said
from chimes_marketplace.submissions.states import OPEN, find_staged, get_submission, open_submission
from chimes_marketplace.submissions.tables import Submission

__all__ = ["Arrived", "Receipt", "accept", "check_uploader", "may_use_reserved_name", "screen"]


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """A complete file and the result of the gate. ``metadata_sha256``: the blob of its METADATA."""

    form: UploadForm
    sha256: str
    size_bytes: int
    examined: Examined
    metadata_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The result of an upload: the row of the file and its submission. ``is_new``: something was changed."""

    project: Project
    release: Release
    submission: Submission
    file: File
    is_new: bool

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the upload."""
        return read_findings(self.file.findings)


def screen(session: Session, *, user: TokenUser, arrived: Arrived) -> Receipt | None:
    """The existing file where the upload changes nothing; None if the file is to be accepted. Changes nothing.

    Raises MarketplaceError ``not-yours``, ``file-exists``, and for findings of the gate that block the
    upload ``checks-failed``, ``form-differs``.
    """
    project = find_project(session, name=arrived.form.project)
    _check_owner(user, arrived.form.project, project)
    release = _find_release(session, project, arrived)
    findings = list(arrived.examined.findings)
    if project is not None and release is not None:
        known, submission = _find_known(session, release, arrived) or (None, None)
        if known is not None and submission is not None:
            if known.filename == arrived.form.filename and known.sha256 == arrived.sha256:
                if not _is_judged_anew(session, known, submission):
                    return Receipt(project=project, release=release, submission=submission, file=known, is_new=False)
            elif _is_settled(known, submission):
                findings = [*_taken(arrived, known, submission), *findings]
        findings = [*findings, *_mixed(session, release, arrived)]
    error = blocking_error(arrived.form.filename, findings)
    if error is not None:
        raise error
    return None


def accept(session: Session, *, user: TokenUser, arrived: Arrived) -> Receipt:
    """Accept the file, whose blobs are stored, in this transaction. Raises what ``screen`` raises.

    The first file of a name makes the project, owned by the caller's member.
    """
    project = _owned_project(session, user, arrived)
    there = screen(session, user=user, arrived=arrived)
    if there is not None:
        return there
    assert project.id is not None
    release = _current_release(session, project, arrived)
    assert release.id is not None
    submission = find_staged(session, release_id=release.id)
    if submission is None:
        submission = open_submission(session, release_id=release.id, user_id=user.user_id, actor=user.user)
    assert submission.id is not None
    findings = (*arrived.examined.findings, *_lookalikes(session, project))
    file = File(
        release_id=release.id,
        submission_id=submission.id,
        filename=arrived.form.filename,
        form=arrived.examined.form,
        type=arrived.examined.type,
        about=arrived.examined.about,
        sha256=arrived.sha256,
        size_bytes=arrived.size_bytes,
        requires_python=arrived.examined.requires_python,
        metadata_sha256=arrived.metadata_sha256,
        findings=[each.model_dump(mode="json") for each in findings],
    )
    submission.touched_at = now()
    session.add_all([file, submission])
    session.flush()
    return Receipt(project=project, release=release, submission=submission, file=file, is_new=True)


def check_uploader(session: Session, *, user: TokenUser, name: str) -> None:
    """Whether the caller may upload to a project of that name. Raises MarketplaceError ``not-yours``."""
    name = normalised(name)
    _check_owner(user, name, find_project(session, name=name))


def may_use_reserved_name(session: Session, *, user: TokenUser, name: str) -> bool:
    """Whether the user may upload under a name that the rules reserve."""
    return can(user, "use_reserved_name", _object(name, find_project(session, name=name)))


def _check_owner(user: TokenUser, name: str, project: Project | None) -> None:
    require(user, "upload", _object(name, project))


def _object(name: str, project: Project | None) -> ProjectObject:
    return ProjectObject(name=name, member_id=None if project is None else project.member_id)


def _find_release(session: Session, project: Project | None, arrived: Arrived) -> Release | None:
    if project is None or project.id is None:
        return None
    return find_release(session, project_id=project.id, version=arrived.form.version)


def _find_known(session: Session, release: Release, arrived: Arrived) -> tuple[File, Submission] | None:
    """The file that has this name: a listed one, else one that is being validated, else the newest."""
    same = [
        (file, get_submission(session, id=file.submission_id))
        for file in list_files(session, release_id=release.id)
        if _identity(file.filename) == _identity(arrived.form.filename)
    ]
    if not same:
        return None

    def rank(pair: tuple[File, Submission]) -> tuple[bool, bool, int]:
        file, submission = pair
        return file.listed_at is not None, submission.state in OPEN, file.id or 0

    return max(same, key=rank)


def _identity(filename: str) -> object:
    # Two spellings of a name or version (My_Pkg-1.0, my_pkg-1.0.0) are one file to an installer.
    try:
        return parse_wheel_filename(filename) if filename.endswith(".whl") else parse_sdist_filename(filename)
    except ValueError:
        return filename


def _is_settled(file: File, submission: Submission) -> bool:
    """Whether the bytes of that name must not change: listed, or being validated."""
    return file.listed_at is not None or submission.state in OPEN


def _is_judged_anew(session: Session, file: File, submission: Submission) -> bool:
    """Whether the same bytes again begin or join a submission; else they change nothing.

    Never where they are settled. Where they were rejected only if that was not for themselves: an sdist that had no
    wheel, a good file beside a bad one.
    """
    if _is_settled(file, submission):
        return False
    if submission.state != "rejected" or find_staged(session, release_id=file.release_id) is not None:
        return True
    findings = read_findings(submission.findings)
    errors = [each for each in findings if each.severity == "error" and each.blocks != "review"]
    # Without an error an administrator has rejected it.
    return bool(errors) and not any((each.where or "").startswith(file.filename) for each in errors)


def _mixed(session: Session, release: Release, arrived: Arrived) -> tuple[Finding, ...]:
    if arrived.examined.form != "wheel" or arrived.examined.type is None:
        return ()
    others = [
        file.type
        for file in list_files(session, release_id=release.id)
        if file.type and _is_settled(file, get_submission(session, id=file.submission_id))
    ]
    check = OneType()
    types = Types(arrived.form.filename, arrived.examined.type, tuple(sorted(set(others))))
    return without_said(check.judge(check.observe(types)))


def _taken(arrived: Arrived, known: File, submission: Submission) -> tuple[Finding, ...]:
    assert submission.id is not None
    check = Immutable()
    state = "listed" if known.listed_at is not None else submission.state
    taken = Taken(arrived.form.filename, known.filename, submission.id, state)
    return without_said(check.judge(check.observe(taken)))


def _lookalikes(session: Session, project: Project) -> tuple[Finding, ...]:
    assert project.id is not None
    if is_listed(session, project_id=project.id):
        return ()
    found = find_lookalikes(session, name=project.name, member_id=project.member_id)
    check = NameDistinct()
    near = Neighbourhood(project.name, tuple(each.name for each in found))
    return without_said(check.judge(check.observe(near)))


def _owned_project(session: Session, user: TokenUser, arrived: Arrived) -> Project:
    name = arrived.form.project
    project = find_project(session, name=name)
    _check_owner(user, name, project)
    if project is None:
        try:
            with session.begin_nested():
                project = add_project(session, name=arrived.form.name, member_id=user.member_id)
        except IntegrityError:
            project = None
    # Two uploads to one project wait for each other here; another session may have created the row.
    project = session.exec(select(Project).where(col(Project.name) == name).with_for_update()).one()
    _check_owner(user, name, project)
    return project


def _current_release(session: Session, project: Project, arrived: Arrived) -> Release:
    """The release, created or updated; an upload never changes what is listed of it."""
    assert project.id is not None
    release = find_release(session, project_id=project.id, version=arrived.form.version)
    about, type = arrived.examined.about, arrived.examined.type
    if release is None:
        return add_release(
            session, project_id=project.id, version=arrived.form.version, type=type or "library", about=about
        )
    assert release.id is not None
    if has_listed(session, release_id=release.id):
        return release
    has_wheel = any(file.form == "wheel" for file in list_files(session, release_id=release.id))
    # A wheel says what it is and requires; an sdist may leave that open.
    if arrived.examined.form == "wheel" or not has_wheel:
        release.about = about
        release.type = type or release.type
        session.add(release)
    return release
