"""More jobs than slots: they wait in order, and whatever dies in between stops nobody."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes import JobHandle, JobState
from chimes_local.line import Line, waiting

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


def test_a_waiting_job_that_is_cancelled_never_runs(site: Any, gate: Gate) -> None:
    handle = site.submit("sh", "-c", "echo ran", slots=1)
    site.backend().cancel(handle, grace_s=5)
    status = site.end(handle)
    assert (status.state, status.reason, status.started_at) == (JobState.CANCELLED, "cancelled", None)
    assert site.output(handle) == ""
    assert waiting(site.root) == []
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
    lines = [Line(tmp_path, f"job{n}", 2) for n in range(3)]
    for line in lines:
        line.enter()
    assert waiting(tmp_path) == ["job0", "job1", "job2"]
    # The last comes first to ask, and still does not overtake.
    assert lines[2].ask() is not None
    assert lines[1].ask() is None
    assert lines[0].ask() is None
    assert lines[2].ask() is not None
    lines[1].leave()
    assert lines[2].ask() is None
    for line in lines:
        line.leave()
        line.leave()
    assert waiting(tmp_path) == []


def test_a_dead_ticket_is_buried_by_the_one_behind(tmp_path: Path) -> None:
    (tmp_path / "queue").mkdir()
    (tmp_path / "queue" / "000000000001-dead").touch()
    line = Line(tmp_path, "alive", 1)
    line.enter()
    assert line.ask() is not None
    assert waiting(tmp_path) == ["alive"]
    assert line.ask() is None
    line.leave()


def test_nobody_waits_where_nothing_was_submitted(tmp_path: Path) -> None:
    assert waiting(tmp_path) == []
