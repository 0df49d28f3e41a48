"""Fills a marketplace's data folder with demo content: ``python tools/showcase.py FOLDER``.

The wheels are those of this repository; verdict documents come from real runs of ``chimes check --sandbox``: one of
a correct plugin and one of a plugin with several faults. Only for pictures and tests of pages.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chimes.environments.build import build_wheel
from chimes.evidence.finding import Finding
from chimes.processes import run
from chimes_marketplace.accounts.members import add_member, add_user, get_user
from chimes_marketplace.accounts.tables import User
from chimes_marketplace.accounts.tokens import create_token
from chimes_marketplace.catalog.components import ListedComponent
from chimes_marketplace.catalog.projects import add_project
from chimes_marketplace.catalog.releases import add_release
from chimes_marketplace.catalog.tables import File, Project, Release
from chimes_marketplace.database import Database, Session
from chimes_marketplace.lanes.documents import parse_record, parse_verdict
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.migrations import migrate
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.local import LocalBlobs
from chimes_marketplace.submissions import states
from chimes_marketplace.submissions.tables import Step, Submission
from packaging.metadata import parse_email
from sqlmodel import col, select

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
CHIMES = Path(sys.executable).with_name("chimes")
START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One distribution: its source, its member, its components, and whether a real check is run."""

    folder: Path
    user: str
    components: tuple[tuple[str, str], ...] = ()
    checked: bool = False


EXHIBITS = (
    Exhibit(folder=ROOT / "sdk", user="lin"),
    Exhibit(folder=ROOT / "plugins" / "files", user="lin", components=(("connector", "files"),)),
    Exhibit(folder=ROOT / "plugins" / "onnx", user="lin", components=(("model", "onnx"),)),
    Exhibit(folder=ROOT / "plugins" / "local", user="lin", components=(("backend", "local"),), checked=True),
    Exhibit(folder=ROOT / "examples" / "bad-plugin", user="wang", checked=True),
)


def main(folder: Path) -> None:
    """Make the data, and print one JSON object: the paths of the pages, and a token."""
    folder.mkdir(parents=True)
    settings = Settings(data=folder)
    database = Database(settings.database)
    migrate(database)
    blobs = LocalBlobs(folder / "blobs")
    with database.writing() as session:
        token = _people(session)
    shown = {"token": token, "front": "", "list": "plugins/", "plugin": "plugins/chimes-onnx/"}
    with tempfile.TemporaryDirectory() as scratch:
        for place, exhibit in enumerate(EXHIBITS):
            submission = _show(
                database, blobs, exhibit, Path(scratch) / str(place), START + timedelta(hours=26 * place)
            )
            if exhibit.checked:
                shown |= _addresses(submission)
    database.close()
    print(json.dumps(shown))


def _addresses(submission: Submission) -> dict[str, str]:
    if submission.state == "listed":
        return {"passed": f"reports/{submission.id}/"}
    return {"report": f"stage/{submission.secret}/report", "private": f"reports/{submission.id}/"}


def _people(session: Session) -> str:
    add_member(session, slug="chimes", name="The Chimes authors", type="research")
    add_member(session, slug="jiangnan", name="江南大学附属医院", type="user")
    add_user(session, name="lin", member="chimes", role="admin")
    add_user(session, name="wang", member="jiangnan")
    return create_token(session, user="wang")


def _show(database: Database, blobs: LocalBlobs, exhibit: Exhibit, scratch: Path, at: datetime) -> Submission:
    """Upload, validate, decide."""
    scratch.mkdir()
    wheel = build_wheel(exhibit.folder, scratch)
    out = _checked(wheel, scratch / "out") if exhibit.checked else None
    with database.writing() as session:
        submission = _upload(session, blobs, exhibit, wheel)
        _validate(session, blobs, submission, out, at)
        components = [
            ListedComponent.model_validate({"kind": kind, "name": name, "level": "verified"})
            for kind, name in exhibit.components
        ]
        findings = _findings(out)
        bad = [each.code for each in findings if each.severity == "error"]
        states.decide(
            session,
            id=_id(submission),
            state="rejected" if bad else "listed",
            findings=findings,
            reason=f"errors were found: {', '.join(dict.fromkeys(bad))}" if bad else None,
            components=components,
            level="verified",
        )
        _date(session, submission, at)
    return submission


def _checked(wheel: Path, out: Path) -> Path:
    done = run([str(CHIMES), "check", "--sandbox", "--out", str(out), str(wheel)], timeout_s=TIMEOUT_S)
    if not (out / "verdict.json").exists():
        raise SystemExit(f"chimes check left no verdict on {wheel.name}:\n{done.text}")
    (out / "output.txt").write_text(done.text, "utf-8")
    return out


def _upload(session: Session, blobs: LocalBlobs, exhibit: Exhibit, wheel: Path) -> Submission:
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = archive.read(name)
        plugin = any(each.endswith(".dist-info/entry_points.txt") for each in archive.namelist())
    about = dict(parse_email(metadata)[0])
    owner = get_user(session, name=exhibit.user)
    project = add_project(session, name=str(about["name"]), member_id=owner.member_id)
    release = add_release(
        session,
        project_id=_id(project),
        version=str(about["version"]),
        type="plugin" if plugin and exhibit.folder.name != "sdk" else "library",
        about=about,
    )
    submission = states.open_submission(session, release_id=_id(release), user_id=_id(owner), actor=exhibit.user)
    data = wheel.read_bytes()
    file = File(
        release_id=_id(release),
        submission_id=_id(submission),
        filename=wheel.name,
        form="wheel",
        sha256=blobs.put(data),
        size_bytes=len(data),
        requires_python=str(about.get("requires_python") or "") or None,
        metadata_sha256=blobs.put(metadata),
    )
    session.add(file)
    states.close(session, id=_id(submission), actor=exhibit.user)
    return submission


def _validate(session: Session, blobs: LocalBlobs, submission: Submission, out: Path | None, at: datetime) -> None:
    """Store the run, as if a lane had just carried it out."""
    if out is None:
        return
    file = session.exec(select(File).where(File.submission_id == submission.id)).one()
    record = parse_record((out / "run.json").read_bytes())
    lock = out / "pylock.toml"
    clean = not any(each.severity == "error" for each in _findings(out))
    session.add(
        Run(
            submission_id=submission.id,
            file_id=file.id,
            lane="cpu-local",
            state="done",
            outcome="clean" if clean else "findings",
            verdict_sha256=blobs.put((out / "verdict.json").read_bytes()),
            record_sha256=blobs.put((out / "run.json").read_bytes()),
            lock_sha256=blobs.put(lock.read_bytes()) if lock.exists() else None,
            log_sha256=blobs.put((out / "output.txt").read_bytes()),
            created_at=at + timedelta(seconds=6),
            admitted_at=at + timedelta(seconds=7),
            started_at=at + timedelta(seconds=7),
            ended_at=at + timedelta(seconds=7 + (record.check_s or 0)),
        )
    )


def _findings(out: Path | None) -> list[Finding]:
    return [] if out is None else list(parse_verdict((out / "verdict.json").read_bytes()).findings)


def _date(session: Session, submission: Submission, at: datetime) -> None:
    """Move its history to a fixed day, so that pictures differ only where pages do."""
    submission.opened_at = at
    steps = session.exec(select(Step).where(Step.submission_id == submission.id).order_by(col(Step.id)))
    for seconds, step in zip((0, 6, 18), steps, strict=True):
        step.at = at + timedelta(seconds=seconds)
        session.add(step)
    for file in session.exec(select(File).where(File.submission_id == submission.id)):
        file.listed_at = file.listed_at and at + timedelta(seconds=18)
        session.add(file)
    session.add(submission)


def _id(row: Project | Release | Submission | User) -> int:
    assert row.id is not None
    return row.id


if __name__ == "__main__":
    main(Path(sys.argv[1]))
