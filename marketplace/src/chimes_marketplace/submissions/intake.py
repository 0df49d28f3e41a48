"""Adds an uploaded file to the open submission of its release, or finds that the file already exists."""

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
from chimes_marketplace.submissions.checks import Immutable, NameConflict, NameDistinct, OneType, SimilarNames, Types
from chimes_marketplace.submissions.form import UploadForm
from chimes_marketplace.submissions.gate import Examination, blocking_error, without_said
from chimes_marketplace.submissions.states import OPEN, find_staged, get_submission, open_submission
from chimes_marketplace.submissions.tables import Submission

__all__ = ["Receipt", "ReceivedFile", "accept", "check_uploader", "may_use_reserved_name", "screen"]


@dataclass(frozen=True, kw_only=True)
class ReceivedFile:
    """A completely received file and the result of the gate. ``metadata_sha256``: the blob of its METADATA."""

    form: UploadForm
    sha256: str
    size_bytes: int
    examination: Examination
    metadata_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The result of an upload: the file's row and its submission. ``is_new``: the upload changed something."""

    project: Project
    release: Release
    submission: Submission
    file: File
    is_new: bool


def screen(session: Session, *, user: TokenUser, received: ReceivedFile) -> Receipt | None:
    """The existing file if the upload would change nothing; None if the file is to be accepted. It only reads.

    Raises MarketplaceError ``not-yours``, ``file-exists``; for findings of the gate that block the upload
    ``checks-failed``, ``form-differs``.
    """
    project = find_project(session, name=received.form.project)
    _check_owner(user, received.form.project, project)
    release = _find_release(session, project, received)
    findings = list(received.examination.findings)
    if project is not None and release is not None:
        known, submission = _find_known(session, release, received) or (None, None)
        if known is not None and submission is not None:
            if known.filename == received.form.filename and known.sha256 == received.sha256:
                if not _is_judged_anew(session, known, submission):
                    return Receipt(project=project, release=release, submission=submission, file=known, is_new=False)
            elif _is_settled(known, submission):
                findings = [*_taken(received, known, submission), *findings]
        findings = [*findings, *_mixed(session, release, received)]
    error = blocking_error(received.form.filename, findings)
    if error is not None:
        raise error
    return None


def accept(session: Session, *, user: TokenUser, received: ReceivedFile) -> Receipt:
    """Accept the file in this transaction; its blobs are already stored. Raises the errors of ``screen``.

    The first file of a project creates the project for the user's member.
    """
    project = _owned_project(session, user, received)
    existing = screen(session, user=user, received=received)
    if existing is not None:
        return existing
    assert project.id is not None
    release = _current_release(session, project, received)
    assert release.id is not None
    submission = find_staged(session, release_id=release.id)
    if submission is None:
        submission = open_submission(session, release_id=release.id, user_id=user.user_id, actor=user.user)
    assert submission.id is not None
    findings = (*received.examination.findings, *_lookalikes(session, project))
    file = File(
        release_id=release.id,
        submission_id=submission.id,
        filename=received.form.filename,
        form=received.examination.form,
        type=received.examination.type,
        about=received.examination.about,
        sha256=received.sha256,
        size_bytes=received.size_bytes,
        requires_python=received.examination.requires_python,
        metadata_sha256=received.metadata_sha256,
        findings=findings,
    )
    submission.touched_at = now()
    session.add_all([file, submission])
    session.flush()
    return Receipt(project=project, release=release, submission=submission, file=file, is_new=True)


def check_uploader(session: Session, *, user: TokenUser, name: str) -> None:
    """Check that the user may upload to the project of that name. Raises MarketplaceError ``not-yours``."""
    name = normalised(name)
    _check_owner(user, name, find_project(session, name=name))


def may_use_reserved_name(session: Session, *, user: TokenUser, name: str) -> bool:
    """Whether the user may upload under a name that the rules reserve."""
    return can(user, "use_reserved_name", _object(name, find_project(session, name=name)))


def _check_owner(user: TokenUser, name: str, project: Project | None) -> None:
    require(user, "upload", _object(name, project))


def _object(name: str, project: Project | None) -> ProjectObject:
    return ProjectObject(name=name, member_id=None if project is None else project.member_id)


def _find_release(session: Session, project: Project | None, received: ReceivedFile) -> Release | None:
    if project is None or project.id is None:
        return None
    return find_release(session, project_id=project.id, version=received.form.version)


def _find_known(session: Session, release: Release, received: ReceivedFile) -> tuple[File, Submission] | None:
    """The existing file with this name: a listed one, else one that is being validated, else the newest."""
    same = [
        (file, get_submission(session, id=file.submission_id))
        for file in list_files(session, release_id=release.id)
        if _identity(file.filename) == _identity(received.form.filename)
    ]
    if not same:
        return None

    def rank(pair: tuple[File, Submission]) -> tuple[bool, bool, int]:
        file, submission = pair
        return file.listed_at is not None, submission.state in OPEN, file.id or 0

    return max(same, key=rank)


def _identity(filename: str) -> object:
    # For an installer, two spellings of a name or version (My_Pkg-1.0, my_pkg-1.0.0) are the same file.
    try:
        return parse_wheel_filename(filename) if filename.endswith(".whl") else parse_sdist_filename(filename)
    except ValueError:
        return filename


def _is_settled(file: File, submission: Submission) -> bool:
    """Whether the bytes of the file must not change: it is listed or being validated."""
    return file.listed_at is not None or submission.state in OPEN


def _is_judged_anew(session: Session, file: File, submission: Submission) -> bool:
    """Whether an upload of the same bytes begins or joins a submission; else it changes nothing.

    It does not if the file is settled. If the file's submission was rejected, it does only if another file was the
    cause: an sdist had no wheel, or a good file was submitted with a bad one.
    """
    if _is_settled(file, submission):
        return False
    if submission.state != "rejected" or find_staged(session, release_id=file.release_id) is not None:
        return True
    errors = [each for each in submission.findings if each.severity == "error" and each.blocks != "review"]
    # Without any error, an administrator has rejected it.
    return bool(errors) and not any((each.where or "").startswith(file.filename) for each in errors)


def _mixed(session: Session, release: Release, received: ReceivedFile) -> tuple[Finding, ...]:
    if received.examination.form != "wheel" or received.examination.type is None:
        return ()
    others = [
        file.type
        for file in list_files(session, release_id=release.id)
        if file.type and _is_settled(file, get_submission(session, id=file.submission_id))
    ]
    check = OneType()
    types = Types(received.form.filename, received.examination.type, tuple(sorted(set(others))))
    return without_said(check.judge(check.observe(types)))


def _taken(received: ReceivedFile, known: File, submission: Submission) -> tuple[Finding, ...]:
    assert submission.id is not None
    check = Immutable()
    state = "listed" if known.listed_at is not None else submission.state
    taken = NameConflict(received.form.filename, known.filename, submission.id, state)
    return without_said(check.judge(check.observe(taken)))


def _lookalikes(session: Session, project: Project) -> tuple[Finding, ...]:
    assert project.id is not None
    if is_listed(session, project_id=project.id):
        return ()
    found = find_lookalikes(session, name=project.name, member_id=project.member_id)
    check = NameDistinct()
    near = SimilarNames(project.name, tuple(each.name for each in found))
    return without_said(check.judge(check.observe(near)))


def _owned_project(session: Session, user: TokenUser, received: ReceivedFile) -> Project:
    name = received.form.project
    project = find_project(session, name=name)
    _check_owner(user, name, project)
    if project is None:
        try:
            with session.begin_nested():
                project = add_project(session, name=received.form.name, member_id=user.member_id)
        except IntegrityError:
            project = None
    # Uploads to the same project wait for each other here; another session may have created the row.
    project = session.exec(select(Project).where(col(Project.name) == name).with_for_update()).one()
    _check_owner(user, name, project)
    return project


def _current_release(session: Session, project: Project, received: ReceivedFile) -> Release:
    """Create or update the release; an upload never changes a listed release."""
    assert project.id is not None
    release = find_release(session, project_id=project.id, version=received.form.version)
    about, type = received.examination.about, received.examination.type
    if release is None:
        return add_release(
            session, project_id=project.id, version=received.form.version, type=type or "library", about=about
        )
    assert release.id is not None
    if has_listed(session, release_id=release.id):
        return release
    has_wheel = any(file.form == "wheel" for file in list_files(session, release_id=release.id))
    # A wheel states its type and its requirements; an sdist may not.
    if received.examination.form == "wheel" or not has_wheel:
        release.about = about
        release.type = type or release.type
        session.add(release)
    return release
