"""Compares the database with the blobs, and rows with each other; changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from dataclasses import dataclass

from chimes.checks.subject import open_subject
from sqlmodel import Session, col, func, select

from chimes_marketplace.catalog.tables import File, Release
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.storage.blobstore import DIGEST, BlobStore
from chimes_marketplace.submissions.states import MOVES
from chimes_marketplace.submissions.tables import Submission

__all__ = ["Comparison", "Difference", "compare"]

BLOB_FIX = "restore it from a backup of the data folder's blobs"
ROW_FIX = "restore database and blobs from the same backup, and report this as a bug"
DOCUMENTS = ("verdict_sha256", "record_sha256", "lock_sha256", "log_sha256", "rules_sha256")


@dataclass(frozen=True)
class Difference:
    """One inconsistency: where it is, what is wrong, how to repair it."""

    where: str
    message: str
    fix: str


@dataclass(frozen=True)
class Comparison:
    """The result. ``notes`` need no action."""

    rows: int
    blobs: int
    differences: tuple[Difference, ...]
    notes: tuple[Difference, ...]


def compare(session: Session, blobs: BlobStore) -> Comparison:
    """Compare all rows with all blobs. Every blob is read once.

    Safe while servers and workers run: a blob is stored before the row that names it.
    """
    files = list(session.exec(select(File).order_by(col(File.id))))
    runs = list(session.exec(select(Run).order_by(col(Run.id))))
    wanted = _wanted(files, runs)
    sound, strange, notes = _look(blobs, wanted.keys())
    differences = [
        *(each for digest, where in wanted.items() if digest not in sound for each in _lost(blobs, digest, where)),
        *strange,
        *(each for file in files for each in _file(blobs, file, sound)),
        *_submissions(session, files),
        *_releases(session),
        *(each for run in runs for each in _run(run, files)),
    ]
    return Comparison(
        rows=len(files) + len(runs), blobs=len(sound) + len(strange), differences=tuple(differences), notes=tuple(notes)
    )


def _wanted(files: list[File], runs: list[Run]) -> dict[str, list[str]]:
    """For each digest: the rows that name it."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for file in files:
        wanted[file.sha256].append(_name(file))
        if file.metadata_sha256 is not None:
            wanted[file.metadata_sha256].append(f"METADATA of {_name(file)}")
    for run in runs:
        for column in DOCUMENTS:
            if (digest := getattr(run, column)) is not None:
                wanted[digest].append(f"{column.partition('_')[0]} of run {run.id}")
    return wanted


def _look(blobs: BlobStore, wanted: Set[str]) -> tuple[set[str], list[Difference], list[Difference]]:
    """The digests of intact blobs; files that are not blobs; blobs that no row names."""
    sound: set[str] = set()
    strange: list[Difference] = []
    notes: list[Difference] = []
    for entry in blobs.entries():
        if entry.digest is None:
            strange.append(Difference(entry.name, "is not a blob", "move it elsewhere: only blobs may be here"))
        elif not blobs.is_sound(entry.digest):
            if entry.digest not in wanted:
                fix = "remove it: no row names it"
                strange.append(Difference(entry.name, "has other bytes than its name says", fix))
        else:
            sound.add(entry.digest)
            if entry.digest not in wanted:
                fix = "leave it: an upload may be under way"
                notes.append(Difference(entry.name, "no row names this blob", fix))
    return sound, strange, notes


def _lost(blobs: BlobStore, digest: str, where: list[str]) -> Iterator[Difference]:
    if not DIGEST.fullmatch(digest):
        state = f"{digest!r} is not a digest"
    elif blobs.exists(digest):
        state = f"the blob {digest} has other bytes"
    else:
        state = f"the blob {digest} is missing"
    for each in where:
        yield Difference(each, state, BLOB_FIX)


def _file(blobs: BlobStore, file: File, sound: Set[str]) -> Iterator[Difference]:
    if file.form == "wheel" and file.metadata_sha256 is None:
        yield Difference(_name(file), "the wheel has no METADATA blob", ROW_FIX)
    if file.sha256 not in sound:
        return
    if (size := blobs.size(file.sha256)) != file.size_bytes:
        yield Difference(_name(file), f"has {size} bytes, not {file.size_bytes}", ROW_FIX)
    if file.metadata_sha256 is not None and file.metadata_sha256 in sound:
        with blobs.lend(file.sha256) as path, open_subject(path, filename=file.filename) as subject:
            metadata = subject.metadata if subject.frame.readable else None
        if metadata != blobs.read(file.metadata_sha256):
            yield Difference(_name(file), "its METADATA blob is not the wheel's METADATA", ROW_FIX)


def _submissions(session: Session, files: list[File]) -> Iterator[Difference]:
    of = defaultdict(list)
    for file in files:
        of[file.submission_id].append(file)
    for each in session.exec(select(Submission).order_by(col(Submission.id))):
        where, own = f"submission {each.id}", of[each.id or 0]
        if each.state not in MOVES:
            yield Difference(where, f"{each.state!r} is not a state", ROW_FIX)
        if not own:
            yield Difference(where, "has no file", ROW_FIX)
        for file in own:
            if (file.listed_at is not None) != (each.state == "listed"):
                listed = "is listed" if file.listed_at is not None else "is not listed"
                yield Difference(_name(file), f"{listed}, but {where} is {each.state}", ROW_FIX)
            if file.release_id != each.release_id:
                yield Difference(_name(file), f"is of another release than {where}", ROW_FIX)


def _releases(session: Session) -> Iterator[Difference]:
    staged = (
        select(Submission.release_id)
        .where(Submission.state == "staged")
        .group_by(col(Submission.release_id))
        .having(func.count() > 1)
    )
    for id in session.exec(staged):
        yield Difference(f"release {id}", "has more than one staged submission", ROW_FIX)
    listed = select(File.release_id).where(col(File.listed_at).is_not(None))
    unlisted = select(Release).where(col(Release.level).is_not(None), col(Release.id).not_in(listed))
    for release in session.exec(unlisted.order_by(col(Release.id))):
        yield Difference(f"release {release.id}", f"is {release.level}, but no file of it is listed", ROW_FIX)


def _run(run: Run, files: list[File]) -> Iterator[Difference]:
    where = f"run {run.id}"
    if (run.state == "done") != (run.outcome is not None):
        yield Difference(where, f"is {run.state} with the outcome {run.outcome or 'none'}", ROW_FIX)
    file = next((each for each in files if each.id == run.file_id), None)
    if file is not None and file.submission_id != run.submission_id:
        yield Difference(where, f"ran {_name(file)}, which is not of submission {run.submission_id}", ROW_FIX)


def _name(file: File) -> str:
    return f"file {file.id} ({file.filename})"
