"""More jobs than slots: they wait in order, and a wrapper that dies does not stop the others."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes import JobHandle, JobState
from chimes_local.queue import QueuePlace, waiting_jobs

Until = Callable[..., None]


class Gate:
    """Keeps one slot busy until it is opened."""

    def __init__(self, site: Any, file: Path, until: Until) -> None:
        self.file = file
        self.handle = site.submit("sh", "-c", f"while [ ! -e {file} ]; do sleep 0.01; done", key="gate", slots=1)
        until(lambda: site.status(self.handle).state == JobState.RUNNING)

    def open(self) -> None:
        """Let the job end."""
        self.file.touch()


@pytest.fixture
def gate(site: Any, tmp_path: Path, until: Until) -> Gate:
    return Gate(site, tmp_path / "open", until)


def wrapper_of(handle: JobHandle) -> int:
    folder = Path(handle.control_url.removeprefix("file://"))
    return int(json.loads((folder / "wrapper.json").read_text())["pid"])


def test_jobs_start_in_the_order_in_which_they_were_submitted(site: Any, gate: Gate, tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    queued = [site.submit("sh", "-c", f"echo {n} >> {diary}", key=f"q{n}", slots=1) for n in range(5)]
    statuses = site.backend().status(queued)
    assert [status.state for status in statuses] == [JobState.QUEUED] * 5
    assert [status.queue_position for status in statuses] == [1, 2, 3, 4, 5]
    assert statuses[0].pending_reason == "waiting for a slot"
    gate.open()
    assert {site.end(handle).state for handle in queued} == {JobState.SUCCEEDED}
    assert diary.read_text().split() == ["0", "1", "2", "3", "4"]


def test_no_more_jobs_run_at_once_than_there_are_slots(site: Any, tmp_path: Path, until: Until) -> None:
    gate, running = tmp_path / "gate", tmp_path / "running"
    running.mkdir()
    program = f"touch {running}/$$; ls {running} | wc -l; while [ ! -e {gate} ]; do sleep 0.01; done; rm {running}/$$"
    handles = [site.submit("sh", "-c", program, slots=2) for _ in range(5)]
    until(lambda: len(list(running.iterdir())) == 2)
    states = [status.state for status in site.backend().status(handles)]
    assert states == [JobState.RUNNING] * 2 + [JobState.QUEUED] * 3
    gate.touch()
    assert {site.end(handle).state for handle in handles} == {JobState.SUCCEEDED}
    assert max(int(site.output(handle)) for handle in handles) == 2


def test_a_waiting_job_that_is_cancelled_never_runs(site: Any, gate: Gate, until: Until) -> None:
    handle = site.submit("sh", "-c", "echo ran", slots=1)
    site.backend().cancel(handle, grace_s=5)
    status = site.end(handle)
    assert (status.state, status.reason, status.started_at) == (JobState.CANCELLED, "cancelled", None)
    assert site.output(handle) == ""
    until(lambda: waiting_jobs(site.root) == [])
    site.backend().cancel(handle)
    assert site.status(handle).state == JobState.CANCELLED


def test_a_waiting_job_that_is_killed_is_lost_and_lets_the_next_one_pass(site: Any, gate: Gate, until: Until) -> None:
    first = site.submit("true", key="first", slots=1)
    second = site.submit("true", key="second", slots=1)
    os.kill(wrapper_of(first), signal.SIGKILL)
    until(lambda: site.status(first).state == JobState.LOST)
    until(lambda: site.status(second).queue_position == 1)
    gate.open()
    assert site.end(second).state == JobState.SUCCEEDED


def test_a_killed_wrapper_gives_its_slot_back(site: Any, gate: Gate) -> None:
    handle = site.submit("true", slots=1)
    os.kill(wrapper_of(gate.handle), signal.SIGKILL)
    assert site.end(handle).state == JobState.SUCCEEDED
    assert site.status(gate.handle).state == JobState.LOST


def test_a_running_job_that_ignores_sigterm_is_killed_and_its_slot_used(site: Any, until: Until) -> None:
    stubborn = site.submit("sh", "-c", "trap '' TERM; echo up; while true; do sleep 0.05; done", slots=1)
    until(lambda: site.output(stubborn))
    following = site.submit("true", slots=1)
    for _ in range(2):
        site.backend().cancel(stubborn, grace_s=0.2)
    status = site.end(stubborn)
    assert (status.state, status.signal) == (JobState.CANCELLED, signal.SIGKILL)
    assert site.end(following).state == JobState.SUCCEEDED


def test_with_two_slots_free_the_first_two_take_them(tmp_path: Path) -> None:
    places = [QueuePlace(tmp_path, f"job{n}", 2) for n in range(3)]
    for place in places:
        place.enter()
    assert waiting_jobs(tmp_path) == ["job0", "job1", "job2"]
    # The last job asks first, and still does not overtake the others.
    assert places[2].ask() is not None
    assert places[1].ask() is None
    assert places[0].ask() is None
    assert places[2].ask() is not None
    places[1].leave()
    assert places[2].ask() is None
    for place in places:
        place.leave()
        place.leave()
    assert waiting_jobs(tmp_path) == []


def test_the_ticket_of_a_dead_wrapper_is_removed_by_the_next_job(tmp_path: Path) -> None:
    (tmp_path / "queue").mkdir()
    (tmp_path / "queue" / "000000000001-dead").touch()
    place = QueuePlace(tmp_path, "alive", 1)
    place.enter()
    assert place.ask() is not None
    assert waiting_jobs(tmp_path) == ["alive"]
    assert place.ask() is None
    place.leave()


def test_the_queue_is_empty_where_nothing_was_submitted(tmp_path: Path) -> None:
    assert waiting_jobs(tmp_path) == []
