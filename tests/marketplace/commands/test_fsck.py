"""``fsck``: reports nothing if database and files agree, else every difference."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.checks.subject import open_subject
from chimes_marketplace.accounts.tables import User
from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.catalog.projects import add_project
from chimes_marketplace.catalog.releases import add_release
from chimes_marketplace.catalog.tables import File
from chimes_marketplace.database import Session
from chimes_marketplace.lanes.runs import list_runs
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions.states import close, decide, get_submission, open_submission
from chimes_marketplace.web.state import Marketplace
from command_results import RunCommand
from market_factories import add_author, make_market, make_wheel

Break = Callable[[Marketplace, Session, File], None]


def fill(folder: Path) -> Marketplace:
    """A market with one listed release: a wheel, its METADATA, a run with its documents."""
    market = make_market(folder)
    add_author(market)
    wheel = make_wheel(folder)
    with open_subject(wheel) as subject:
        metadata = subject.metadata
    assert metadata is not None
    with market.database.writing() as session:
        user = session.get_one(User, 1)
        project = add_project(session, name="acme-tools", member_id=user.member_id)
        release = add_release(session, project_id=project.id or 0, version="0.1.0", type="library", about={})
        submission = open_submission(session, release_id=release.id or 0, user_id=1, actor="alice")
        assert submission.id is not None
        file = File(
            release_id=release.id or 0,
            submission_id=submission.id,
            filename=wheel.name,
            form="wheel",
            sha256=market.blobs.put(wheel.read_bytes()),
            size_bytes=wheel.stat().st_size,
            metadata_sha256=market.blobs.put(metadata),
        )
        session.add(file)
        session.flush()
        close(session, id=submission.id, actor="alice")
        digest = market.blobs.put(b"{}")
        run = Run(submission_id=submission.id, file_id=file.id, lane="cpu-local", state="done", outcome="clean")
        run.verdict_sha256 = run.record_sha256 = digest
        session.add(run)
        decide(session, id=submission.id, state="listed", findings=[], reason=None, level="verified")
    return market


def damage(market: Marketplace, digest: str) -> None:
    with market.blobs.lend(digest) as path:
        path.chmod(0o644)
        path.write_bytes(b"other")


def lose_wheel(market: Marketplace, session: Session, file: File) -> None:
    market.blobs.delete(file.sha256)


def damage_wheel(market: Marketplace, session: Session, file: File) -> None:
    damage(market, file.sha256)


def lose_documents(market: Marketplace, session: Session, file: File) -> None:
    market.blobs.delete(str(list_runs(session, submission_id=file.submission_id)[0].verdict_sha256))


def change_metadata(market: Marketplace, session: Session, file: File) -> None:
    file.metadata_sha256 = market.blobs.put(b"Name: other\n")


def forget_metadata(market: Marketplace, session: Session, file: File) -> None:
    file.metadata_sha256 = None


def change_digest(market: Marketplace, session: Session, file: File) -> None:
    file.sha256 = "no digest"


def change_size(market: Marketplace, session: Session, file: File) -> None:
    file.size_bytes += 1


def unlist_submission(market: Marketplace, session: Session, file: File) -> None:
    session.add(get_submission(session, id=file.submission_id))
    get_submission(session, id=file.submission_id).state = "rejected"


def unlist_file(market: Marketplace, session: Session, file: File) -> None:
    file.listed_at = None


def unknown_state(market: Marketplace, session: Session, file: File) -> None:
    get_submission(session, id=file.submission_id).state = "lost"


def other_release(market: Marketplace, session: Session, file: File) -> None:
    release = add_release(session, project_id=1, version="2.0", type="library", about={})
    get_submission(session, id=file.submission_id).release_id = release.id or 0


def empty_submission(market: Marketplace, session: Session, file: File) -> None:
    open_submission(session, release_id=file.release_id, user_id=1, actor="alice")


def no_outcome(market: Marketplace, session: Session, file: File) -> None:
    list_runs(session, submission_id=file.submission_id)[0].outcome = None


def foreign_run(market: Marketplace, session: Session, file: File) -> None:
    list_runs(session, submission_id=file.submission_id)[0].submission_id = None


def lay_strange_file(market: Marketplace, session: Session, file: File) -> None:
    (market.settings.data / "blobs/sha256" / "notes.txt").write_text("mine")


def lay_misplaced_blob(market: Marketplace, session: Session, file: File) -> None:
    (market.settings.data / "blobs/sha256" / "zz").mkdir()
    (market.settings.data / "blobs/sha256" / "zz" / file.sha256).write_bytes(market.blobs.read(file.sha256))


def damage_unnamed_blob(market: Marketplace, session: Session, file: File) -> None:
    damage(market, market.blobs.put(b"in no row"))


BREAKS: dict[str, Break] = {
    "is missing": lose_wheel,
    "has other bytes": damage_wheel,
    "verdict of run 1": lose_documents,
    "is not the wheel's METADATA": change_metadata,
    "has no METADATA blob": forget_metadata,
    "'no digest' is not a digest": change_digest,
    "bytes, not": change_size,
    "is listed, but submission 1 is rejected": unlist_submission,
    "is not listed, but submission 1 is listed": unlist_file,
    "'lost' is not a state": unknown_state,
    "is of another release": other_release,
    "submission 2: has no file": empty_submission,
    "is done with the outcome none": no_outcome,
    "which is not of submission None": foreign_run,
    "notes.txt: is not a blob": lay_strange_file,
    "is not a blob": lay_misplaced_blob,
    "has other bytes than its name says": damage_unnamed_blob,
}


def test_an_intact_marketplace_is_clean(run_command: RunCommand, tmp_path: Path) -> None:
    fill(tmp_path)
    result = run_command("fsck")
    assert (result.status, result.out) == (0, "clean: 2 rows, 3 blobs\n")


@pytest.mark.parametrize("said", BREAKS)
def test_a_difference_is_reported_with_a_fix(run_command: RunCommand, tmp_path: Path, said: str) -> None:
    market = fill(tmp_path)
    with market.database.writing() as session:
        [file] = list_files(session)
        BREAKS[said](market, session, file)
        session.add(file)
    result = run_command("fsck", "--json")
    found = json.loads(result.out)
    assert (result.status, found["clean"]) == (1, False)
    assert any(said in f"{each['where']}: {each['message']}" for each in found["differences"]), result.out
    text = run_command("fsck")
    assert (text.status, text.out.count("  fix: ")) == (1, len(found["differences"]))


def test_an_intact_blob_that_no_row_names_is_only_a_note(run_command: RunCommand, tmp_path: Path) -> None:
    fill(tmp_path).blobs.put(b"an upload on its way")
    result = run_command("fsck")
    assert (result.status, "note: " in result.out, "clean: " in result.out) == (0, True, True)


def test_an_absent_folder_is_refused(run_command: RunCommand, data: Path) -> None:
    assert run_command("fsck").status == 2
    assert not data.exists()


@pytest.mark.parametrize("left", ["blobs", "nothing"])
def test_a_folder_without_its_database_is_refused_and_not_changed(
    run_command: RunCommand, tmp_path: Path, data: Path, left: str
) -> None:
    if left == "blobs":
        fill(tmp_path).database.close()
        (data / "marketplace.db").unlink()
    else:
        data.mkdir()
    before = sorted(data.rglob("*"))
    result = run_command("fsck")
    assert (result.status, result.out, f"no database '{data / 'marketplace.db'}'" in result.err) == (2, "", True)
    assert "backup" in result.err
    assert sorted(data.rglob("*")) == before


def test_a_database_without_tables_is_refused(run_command: RunCommand, data: Path) -> None:
    data.mkdir()
    (data / "marketplace.db").touch()
    result = run_command("fsck")
    assert (result.status, "marketplace.db has no tables" in result.err) == (2, True)
