"""Every submission is decided, whatever the lane does and whenever the server ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from chimes.kinds.backend import JobState
from chimes_marketplace.catalog.files import list_files
from chimes_marketplace.lanes.documents import read_lock, read_log, read_record, read_verdict
from chimes_marketplace.lanes.runs import find_position, list_runs
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions.arrivals import Arrivals
from chimes_marketplace.submissions.states import cancel, retry, steps
from chimes_marketplace.validation.reconciler import Reconciler
from chimes_marketplace.validation.submissions import RETRY_NOTE, decide_one
from market_factories import add_author, make_sdist, make_wheel
from scripted_lane import Script, ScriptedLane, ended, finding
from sqlmodel import select
from validation_factories import Bench, Clock

CRASH: Script = lambda _, __: (ended(JobState.FAILED, 2), None)  # noqa: E731
LOST: Script = lambda _, __: (ended(JobState.LOST, None), None)  # noqa: E731
LATE: Script = lambda _, __: (ended(JobState.TIMED_OUT, None), None)  # noqa: E731


def bad(_: str, verdict: dict[str, Any]) -> Any:
    verdict["checks"][0] |= {"verdict": "fail", "findings": [finding("S08")]}
    return ended(JobState.FAILED, 1), verdict


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def wheel(folder: Path, name: str = "acme-tools") -> Path:
    return make_wheel(folder, name, entry_points={"tools": "acme_tools"})


def controls(bench: Bench) -> list[str | None]:
    with bench.market.database.reading() as session:
        return [run.outcome for run in session.exec(select(Run).where(Run.submission_id == None))]  # noqa: E711


def test_a_clean_wheel_is_listed_with_its_documents(bench: Bench, tmp_path: Path) -> None:
    lane = ScriptedLane()
    id = bench.submit(wheel(tmp_path), make_sdist(tmp_path))
    seen = bench.settle(bench.reconciler(lane=lane), id)
    assert (seen.state, seen.level, [each.name for each in seen.components]) == ("listed", "verified", ["rain"])
    assert len(lane.submitted) == 2
    assert lane.submitted[0].startswith("chimes_strict_model-")
    blobs = bench.market.blobs
    with bench.market.database.reading() as session:
        assert all(file.listed_at for file in list_files(session, submission_id=id))
        (run,) = list_runs(session, submission_id=id)
        verdict, record = read_verdict(blobs, run), read_record(blobs, run)
        assert verdict is not None
        assert verdict.file == "acme_tools-0.1.0-py3-none-any.whl"
        assert record is not None
        assert (record.check_s, record.lane, record.attempt) == (1.5, "cpu-local", 1)
        assert record.queued_s is not None
        assert record.run_s == 0.0
        assert read_lock(blobs, run) is None
        assert "no sandbox" in read_log(blobs, run)
        assert [step.state for step in steps(session, id=id)] == ["staged", "validating", "listed"]
    assert list((bench.market.settings.data / "runs").iterdir()) == []


def test_a_finding_rejects_and_nothing_is_listed(bench: Bench, tmp_path: Path) -> None:
    id = bench.submit(wheel(tmp_path), make_sdist(tmp_path))
    seen = bench.settle(bench.reconciler(lane=ScriptedLane(bad)), id)
    assert (seen.state, seen.reason, seen.codes) == ("rejected", "errors were found: S08", ["S08"])
    with bench.market.database.reading() as session:
        assert not list_files(session, listed=True)


def test_an_sdist_alone_is_decided_without_a_run(bench: Bench, tmp_path: Path) -> None:
    lane = ScriptedLane()
    seen = bench.settle(bench.reconciler(lane=lane), bench.submit(make_sdist(tmp_path)))
    assert (seen.state, seen.codes, lane.submitted) == ("rejected", ["A20"], [])
    assert bench.settle(bench.reconciler(lane=lane), bench.submit(wheel(tmp_path))).state == "listed"
    later = bench.settle(bench.reconciler(lane=lane), bench.submit(make_sdist(tmp_path)))
    assert (later.state, later.level) == ("listed", "verified")


def test_a_submission_without_runs_is_not_decided(bench: Bench, tmp_path: Path) -> None:
    id = bench.submit(wheel(tmp_path))
    with bench.market.database.writing() as session:
        decide_one(bench.market.blobs, session, id)
    assert bench.see(id).state == "validating"
    assert bench.settle(bench.reconciler(lane=ScriptedLane()), id).state == "listed"


def test_a_clean_control_run_is_trusted_for_a_while(bench: Bench, tmp_path: Path) -> None:
    clock = Clock()
    reconciler = bench.reconciler(lane=ScriptedLane(), clock=clock)
    for name, after, count in (("a", 0, 1), ("b", 500, 1), ("c", 200, 2)):
        clock.ahead += timedelta(seconds=after)
        assert bench.settle(reconciler, bench.submit(wheel(tmp_path, name))).state == "listed"
        assert controls(bench) == ["clean"] * count


@pytest.mark.parametrize(
    ("control", "phrase"),
    [
        (CRASH, "the lane cpu-local failed its control run: infrastructure: no sandbox"),
        (bad, "the strict reference plugin has the finding S08, m"),
        (lambda _, __: (ended(), None), "the run left no verdict document"),
    ],
)
def test_after_a_failed_control_run_submissions_are_infra_and_retried_once(
    bench: Bench, tmp_path: Path, control: Script, phrase: str
) -> None:
    clock, lane = Clock(), ScriptedLane(control=control)
    reconciler = bench.reconciler(lane=lane, clock=clock)
    id = bench.submit(wheel(tmp_path))
    seen = bench.settle(reconciler, id)
    assert seen.state == "infra"
    assert phrase in (seen.reason or "")
    reconciler.step()
    assert bench.see(id).state == "infra"
    clock.ahead += timedelta(seconds=61)
    reconciler.step()
    assert bench.see(id).attempt == 2
    assert bench.settle(reconciler, id).state == "infra"
    clock.ahead += timedelta(seconds=61)
    reconciler.step()
    assert bench.see(id).state == "infra"
    assert all("strict" in name for name in lane.submitted)
    with bench.market.database.reading() as session:
        assert [step.note for step in steps(session, id=id)].count(RETRY_NOTE) == 1


def test_after_the_lane_is_repaired_the_retry_is_listed(bench: Bench, tmp_path: Path) -> None:
    clock, lane = Clock(), ScriptedLane(control=LOST)
    reconciler = bench.reconciler(lane=lane, clock=clock)
    id = bench.submit(wheel(tmp_path))
    assert bench.settle(reconciler, id).state == "infra"
    lane.control = lane.script
    clock.ahead += timedelta(seconds=61)
    reconciler.step()
    assert bench.settle(reconciler, id).state == "listed"


def test_a_control_run_that_ended_with_its_server_does_not_count_against_the_lane(bench: Bench, tmp_path: Path) -> None:
    clock, lane = Clock(), ScriptedLane(control=CRASH)
    id = bench.submit(wheel(tmp_path))
    dropped = bench.reconciler(lane=lane, clock=clock)
    while not lane.submitted:
        dropped.step()
    clock.ahead += timedelta(seconds=1)
    restarted = bench.reconciler(lane=lane, clock=clock)
    restarted.step()
    lane.control = lane.script
    assert bench.settle(restarted, id).state == "listed"
    assert controls(bench) == ["infra", "clean"]
    assert bench.see(id).attempt == 1


def test_a_submission_whose_files_were_uploaded_again_is_not_retried(bench: Bench, tmp_path: Path) -> None:
    clock = Clock()
    reconciler = bench.reconciler(lane=ScriptedLane(control=CRASH), clock=clock)
    id = bench.submit(wheel(tmp_path))
    bench.settle(reconciler, id)
    clock.ahead += timedelta(seconds=61)
    bench.stage(wheel(tmp_path))
    reconciler.step()
    assert bench.see(id).state == "infra"
    assert reconciler.retries.failures == 0


@pytest.mark.parametrize(("script", "times"), [(LOST, 2), (CRASH, 2), (LATE, 1)])
def test_a_run_without_a_verdict_is_repeated_once_unless_it_timed_out(
    bench: Bench, tmp_path: Path, script: Script, times: int
) -> None:
    seen = bench.settle(bench.reconciler(lane=ScriptedLane(script)), bench.submit(wheel(tmp_path)))
    assert (seen.state, len(seen.runs)) == ("infra", times)
    assert {run["outcome"] for run in seen.runs} == {"infra"}
    assert seen.reason is not None


def test_the_second_run_counts(bench: Bench, tmp_path: Path) -> None:
    ends = iter([ended(JobState.LOST, None), ended()])
    lane = ScriptedLane(lambda _, verdict: (next(ends), verdict))
    assert bench.settle(bench.reconciler(lane=lane), bench.submit(wheel(tmp_path))).state == "listed"


def test_an_exit_status_that_contradicts_the_document_is_infra(bench: Bench, tmp_path: Path) -> None:
    lane = ScriptedLane(lambda _, verdict: (ended(JobState.FAILED, 1), verdict))
    seen = bench.settle(bench.reconciler(lane=lane), bench.submit(wheel(tmp_path)))
    assert (seen.state, seen.runs[0]["reason"]) == (
        "infra",
        "the exit status 1 contradicts the verdict document (clean)",
    )


def test_a_job_without_an_end_is_ended_at_the_deadline(bench: Bench, tmp_path: Path) -> None:
    clock, lane = Clock(), ScriptedLane()
    reconciler = bench.reconciler(lane=lane, clock=clock)
    id = bench.submit(wheel(tmp_path))
    bench.until(reconciler, lambda: controls(bench) == ["clean"])
    lane.paused = True
    bench.until(reconciler, lambda: len(lane.submitted) == 2)
    clock.ahead += timedelta(seconds=1921)
    seen = bench.settle(reconciler, id)
    assert seen.state == "infra"
    assert "did not end in 1920 s" in (seen.reason or "")
    assert len(lane.cancelled) == 1


@pytest.mark.parametrize("again", [False, True])
def test_cancelling_ends_the_job_and_a_retry_starts_a_new_run(bench: Bench, tmp_path: Path, again: bool) -> None:
    lane = ScriptedLane()
    reconciler = bench.reconciler(lane=lane)
    id = bench.submit(wheel(tmp_path))
    bench.until(reconciler, lambda: controls(bench) == ["clean"])
    lane.paused = True
    bench.until(reconciler, lambda: len(lane.submitted) == 2)
    with bench.market.database.writing() as session:
        cancel(session, id=id, actor="alice")
        if again:
            retry(session, id=id, actor="alice")
    bench.until(reconciler, lambda: bench.see(id).runs[0]["state"] == "done")
    assert bench.see(id).runs[0]["outcome"] == "cancelled"
    assert lane.cancelled == ["acme_tools-0.1.0-py3-none-any.whl"]
    lane.paused = False
    if again:
        seen = bench.settle(reconciler, id)
        assert (seen.state, seen.attempt, [run["outcome"] for run in seen.runs]) == (
            "listed",
            2,
            ["cancelled", "clean"],
        )


def test_a_waiting_run_of_a_cancelled_submission_is_ended(bench: Bench, tmp_path: Path) -> None:
    lane = ScriptedLane()
    lane.paused = True
    reconciler = bench.reconciler(lane=lane)
    first, second = bench.submit(wheel(tmp_path, "a")), bench.submit(wheel(tmp_path, "b"))
    reconciler.step()
    with bench.market.database.writing() as session:
        assert [find_position(session, submission_id=id) for id in (first, second, 99)] == [1, 2, None]
        cancel(session, id=first, actor="alice")
    reconciler.step()
    assert bench.see(first).runs[0]["outcome"] == "cancelled"
    lane.paused = False
    assert bench.settle(reconciler, second).state == "listed"


def test_runs_are_limited_to_the_slots_and_members_take_turns(tmp_path: Path) -> None:
    bench, lane = Bench(tmp_path, slots=2), ScriptedLane()
    add_author(bench.market, member="other", user="bob")
    reconciler = bench.reconciler(lane=lane)
    bench.settle(reconciler, bench.submit(wheel(tmp_path, "a")))
    lane.paused = True
    ids = [bench.submit(wheel(tmp_path, name)) for name in ("b", "c")]
    ids.append(bench.submit(wheel(tmp_path, "d"), user="bob"))
    for _ in range(3):
        reconciler.step()
    assert lane.submitted[2:] == ["b-0.1.0-py3-none-any.whl", "d-0.1.0-py3-none-any.whl"]
    lane.paused = False
    assert {bench.settle(reconciler, id).state for id in ids} == {"listed"}


def test_a_submission_closes_after_quiet_time_unless_a_file_is_arriving(bench: Bench, tmp_path: Path) -> None:
    clock = Clock()
    reconciler = bench.reconciler(lane=ScriptedLane(), clock=clock)
    id = bench.stage(wheel(tmp_path))
    reconciler.step()
    assert bench.see(id).state == "staged"
    clock.ahead += timedelta(seconds=6)
    arrivals = Arrivals(bench.market.database, expiry_s=60, clock=clock)
    with arrivals.arriving("acme-tools", "0.1.0"):
        reconciler.step()
        assert bench.see(id).state == "staged"
    assert bench.settle(reconciler, id).state == "listed"
    with bench.market.database.reading() as session:
        assert [step.actor for step in steps(session, id=id)] == ["alice", "marketplace", "marketplace"]


def test_a_job_that_the_lane_refuses_is_submitted_again(bench: Bench, tmp_path: Path) -> None:
    lane = ScriptedLane()
    reconciler = bench.reconciler(lane=lane)
    lane.refusals = 2
    assert bench.settle(reconciler, bench.submit(wheel(tmp_path))).state == "listed"
    assert reconciler.retries.failures == 2


def test_a_step_that_fails_three_times_ends_infra_and_others_continue(bench: Bench, tmp_path: Path) -> None:
    reconciler = bench.reconciler(lane=ScriptedLane())
    bench.settle(reconciler, bench.submit(wheel(tmp_path, "a")))
    gone, sound = wheel(tmp_path, "b"), wheel(tmp_path, "c")
    first, second = bench.submit(gone), bench.submit(sound)
    with bench.market.database.reading() as session:
        bench.market.blobs.delete(list_files(session, submission_id=first)[0].sha256)
    seen = bench.settle(reconciler, first)
    assert seen.state == "infra"
    assert "the marketplace could not carry it out" in (seen.reason or "")
    assert bench.settle(reconciler, second).state == "listed"


@pytest.mark.parametrize("moment", ["admitted", "submitted", "ended", "collected"])
def test_a_new_reconciler_continues_where_the_last_one_stopped(bench: Bench, tmp_path: Path, moment: str) -> None:
    lane = ScriptedLane()
    first = bench.reconciler(lane=lane)
    bench.settle(first, bench.submit(wheel(tmp_path, "earlier")))
    id = bench.submit(wheel(tmp_path))
    DROPS[moment](bench, first, lane, id)
    assert bench.see(id).state == "validating"
    lane.paused = False
    assert bench.settle(bench.reconciler(lane=lane), id).state == "listed"
    assert lane.submitted.count("acme_tools-0.1.0-py3-none-any.whl") == 1


def dropped_before_submit(bench: Bench, reconciler: Reconciler, lane: ScriptedLane, id: int) -> None:
    lane.refusals = 1
    bench.until(reconciler, lambda: lane.refusals == 0)


def dropped_while_running(bench: Bench, reconciler: Reconciler, lane: ScriptedLane, id: int) -> None:
    lane.paused = True
    bench.until(reconciler, lambda: len(lane.submitted) == 3)


def dropped_before_the_handle_was_kept(bench: Bench, reconciler: Reconciler, lane: ScriptedLane, id: int) -> None:
    dropped_while_running(bench, reconciler, lane, id)
    with bench.market.database.writing() as session:
        (run,) = list_runs(session, submission_id=id)
        run.handle = None
        session.add(run)


def dropped_before_deciding(bench: Bench, reconciler: Reconciler, lane: ScriptedLane, id: int) -> None:
    dropped_while_running(bench, reconciler, lane, id)
    lane.paused = False
    reconciler._follow()


DROPS: dict[str, Callable[[Bench, Reconciler, ScriptedLane, int], None]] = {
    "admitted": dropped_before_submit,
    "submitted": dropped_before_the_handle_was_kept,
    "ended": dropped_while_running,
    "collected": dropped_before_deciding,
}


def test_the_thread_validates_alone_wakes_at_once_and_removes_old_folders(bench: Bench, tmp_path: Path) -> None:
    stray = bench.market.settings.data / "runs" / "99-1"
    stray.mkdir(parents=True)
    reconciler = bench.reconciler(lane=ScriptedLane())
    before = threading.active_count()
    reconciler.start()
    try:
        id = bench.submit(wheel(tmp_path))
        reconciler.wake()
        wait_until(lambda: bench.see(id).state == "listed")
    finally:
        reconciler.stop()
    assert threading.active_count() == before
    assert not stray.exists()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = threading.Event()
    for _ in range(600):
        if condition():
            return
        deadline.wait(0.05)
    raise AssertionError("it does not hold after 30 s")
