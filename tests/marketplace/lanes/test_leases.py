"""Several workers on one database: each run is carried out by one of them, judged once, and never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from chimes_marketplace.database import Database, now
from chimes_marketplace.lanes.leases import LeaseLostError, Worker, get_held, release_all, renew_all, take
from chimes_marketplace.lanes.runs import list_runs
from chimes_marketplace.lanes.tables import Run
from chimes_marketplace.submissions.states import steps
from chimes_marketplace.validation.reconciler import Reconciler
from market_factories import make_wheel
from scripted_lane import ScriptedLane
from sqlmodel import select
from validation_factories import Bench, Clock

LEASE_S = 10.0


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, lease_s=LEASE_S)


def wheel(folder: Path, name: str = "acme-tools") -> Path:
    return make_wheel(folder, name, entry_points={"tools": "acme_tools"})


def begun(bench: Bench, tmp_path: Path, lane: ScriptedLane, clock: Callable[[], datetime]) -> tuple[int, Reconciler]:
    """A submission whose job is running, and the worker that holds its lease."""
    first = bench.reconciler(lane=lane, clock=clock)
    bench.settle(first, bench.submit(wheel(tmp_path, "earlier")))
    lane.paused = True
    id = bench.submit(wheel(tmp_path))
    bench.until(first, lambda: len(lane.submitted) == 3)
    return id, first


def owner_of(bench: Bench, id: int) -> str | None:
    owner: str | None = bench.see(id).runs[-1]["owner"]
    return owner


def test_a_run_stays_with_the_worker_that_renews_its_lease(bench: Bench, tmp_path: Path) -> None:
    clock, lane = Clock(), ScriptedLane()
    id, first = begun(bench, tmp_path, lane, clock)
    other = bench.reconciler(lane=lane, clock=clock)
    for _ in range(3):
        clock.ahead += timedelta(seconds=LEASE_S * 0.9)
        with bench.market.database.writing() as session:
            renew_all(session, first.worker)
        other.step()
        assert owner_of(bench, id) == first.worker.name
    lane.paused = False
    other.step()
    assert bench.see(id).state == "validating"
    assert bench.settle(first, id).state == "listed"


def test_the_run_of_a_dead_worker_is_finished_by_another_after_its_lease(bench: Bench, tmp_path: Path) -> None:
    clock, lane = Clock(), ScriptedLane()
    id, _ = begun(bench, tmp_path, lane, clock)
    other = bench.reconciler(lane=lane, clock=clock)
    clock.ahead += timedelta(seconds=LEASE_S + 1)
    other.step()
    assert owner_of(bench, id) == other.worker.name
    lane.paused = False
    seen = bench.settle(other, id)
    assert (seen.state, len(seen.runs), len(lane.submitted)) == ("listed", 1, 3)


def test_a_worker_that_ends_normally_releases_its_runs_at_once(bench: Bench, tmp_path: Path) -> None:
    clock, lane = Clock(), ScriptedLane()
    id, first = begun(bench, tmp_path, lane, clock)
    first.stop()
    assert owner_of(bench, id) is None
    lane.paused = False
    assert bench.settle(bench.reconciler(lane=lane, clock=clock), id).state == "listed"


def test_a_worker_that_was_paused_writes_nothing_about_a_run_that_it_lost(bench: Bench, tmp_path: Path) -> None:
    clock, lane = Clock(), ScriptedLane()
    id, first = begun(bench, tmp_path, lane, clock)
    other = bench.reconciler(lane=lane, clock=clock)
    lease: int = bench.see(id).runs[0]["lease"]
    run_id: int = bench.see(id).runs[0]["id"]
    clock.ahead += timedelta(seconds=LEASE_S + 1)
    with bench.market.database.writing() as session:
        assert take(session, id=run_id, worker=other.worker) == lease + 1
        assert take(session, id=run_id, worker=first.worker) is None
    with pytest.raises(LeaseLostError), bench.market.database.writing() as session:
        get_held(session, id=run_id, lease=lease)
    with bench.market.database.writing() as session:
        assert get_held(session, id=run_id, lease=lease + 1).owner == other.worker.name
        release_all(session, first.worker)
        renew_all(session, first.worker)
    assert owner_of(bench, id) == other.worker.name


@pytest.mark.parametrize("moment", ["prepare", "submit", "collect"])
def test_a_run_taken_over_during_a_step_is_judged_once(bench: Bench, tmp_path: Path, moment: str) -> None:
    """The first worker is paused in that step; the second finishes the run; then the first one continues."""
    clock, lane = Clock(), Interrupted()
    first, second = bench.reconciler(lane=lane, clock=clock), bench.reconciler(lane=lane, clock=clock)
    bench.settle(first, bench.submit(wheel(tmp_path, "earlier")))
    id = bench.submit(wheel(tmp_path))

    def take_over() -> None:
        clock.ahead += timedelta(seconds=LEASE_S + 1)
        assert bench.settle(second, id).state == "listed"

    lane.interruptions[moment] = take_over
    bench.until(first, lambda: not lane.interruptions)
    first.step()
    seen = bench.see(id)
    assert (seen.state, [run["outcome"] for run in seen.runs]) == ("listed", ["clean"])
    assert lane.submitted.count("acme_tools-0.1.0-py3-none-any.whl") == 1
    with bench.market.database.reading() as session:
        assert [step.state for step in steps(session, id=id)] == ["staged", "validating", "listed"]
    assert first.retries.failures == second.retries.failures == 0
    assert bench.reconciler(lane=lane, clock=clock).step() is False


class Interrupted(ScriptedLane):
    """A lane that calls a function once, in the middle of a step."""

    def __init__(self) -> None:
        super().__init__()
        self.interruptions: dict[str, Callable[[], None]] = {}

    def spec(self, folder):  # type: ignore[no-untyped-def]
        self._interrupt("prepare")
        return super().spec(folder)

    def submit(self, spec, *, key):  # type: ignore[no-untyped-def]
        self._interrupt("submit")
        return super().submit(spec, key=key)

    def output(self, handle, stream):  # type: ignore[no-untyped-def]
        self._interrupt("collect")
        return super().output(handle, stream)

    def _interrupt(self, step: str) -> None:
        action = self.interruptions.pop(step, None)
        if action is not None:
            action()


def test_slots_are_counted_over_all_workers_and_one_control_run_is_open(tmp_path: Path) -> None:
    bench, lane = Bench(tmp_path, slots=2, lease_s=LEASE_S), ScriptedLane()
    workers = [bench.reconciler(lane=lane) for _ in range(3)]
    lane.paused = True
    first = bench.submit(wheel(tmp_path, "earlier"))
    for worker in workers * 2:
        worker.step()
    assert (len(lane.submitted), admitted(bench)) == (1, 1)
    lane.paused = False
    assert bench.settle(workers[0], first).state == "listed"
    lane.paused = True
    for name in ("a", "b", "c"):
        bench.submit(wheel(tmp_path, name))
    for worker in workers * 2:
        worker.step()
    assert (len(lane.submitted), admitted(bench)) == (4, 2)


def admitted(bench: Bench) -> int:
    with bench.market.database.reading() as session:
        return len(session.exec(select(Run).where(Run.state == "admitted")).all())


def test_many_workers_at_once_judge_each_submission_once(tmp_path: Path) -> None:
    bench, lane = Bench(tmp_path, slots=3, lease_s=LEASE_S), ScriptedLane()
    ids = [bench.submit(wheel(tmp_path, f"acme-{letter}")) for letter in "abcdef"]
    deadline = now() + timedelta(seconds=120)

    def is_over() -> bool:
        return all(bench.see(id).state == "listed" for id in ids) or now() > deadline

    def work() -> None:
        market = bench.market
        database = Database(market.settings.database)
        worker = Worker(lease_s=LEASE_S)
        reconciler = Reconciler(
            settings=market.settings, database=database, blobs=market.blobs, lane=lane, worker=worker
        )
        while not is_over():
            reconciler.step()
        failures.append(reconciler.retries.failures)
        database.close()

    failures: list[int] = []
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [0, 0, 0, 0]
    for id in ids:
        with bench.market.database.reading() as session:
            assert [step.state for step in steps(session, id=id)] == ["staged", "validating", "listed"]
            assert [run.outcome for run in list_runs(session, submission_id=id)] == ["clean"]
    assert len(lane.submitted) == len(ids) + 1
