"""Which waiting runs start next."""

from __future__ import annotations

from dataclasses import replace

from chimes_marketplace.database import now
from chimes_marketplace.lanes.runs import Task
from chimes_marketplace.lanes.scheduler import choose


def task(id: int, member: int) -> Task:
    made = now()
    return Task(
        id=id,
        attempt=1,
        lane="cpu-local",
        state="waiting",
        spec=None,
        handle=None,
        owner=None,
        lease=0,
        lease_expires_at=None,
        created_at=made,
        admitted_at=None,
        submission_id=id,
        member_id=member,
    )


def test_the_oldest_runs_start_first_and_fill_only_the_slots() -> None:
    assert [each.id for each in choose([task(3, 1), task(1, 1), task(2, 1)], [], 2)] == [1, 2]


def test_a_member_with_fewer_running_runs_goes_first() -> None:
    waiting = [task(2, 1), task(3, 1), task(4, 2), task(5, 3)]
    assert [each.id for each in choose(waiting, [task(1, 1)], 4)] == [4, 5, 2, 3]


def test_control_runs_count_for_no_member() -> None:
    control = replace(task(1, 1), submission_id=None, state="admitted")
    assert [each.id for each in choose([task(2, 1), task(3, 2)], [control], 1)] == [2]
