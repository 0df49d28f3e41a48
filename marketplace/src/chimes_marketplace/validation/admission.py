"""Who is next: pure, from what waits and what runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from chimes_marketplace.validation.runs import Task

__all__ = ["choose"]


def choose(waiting: Sequence[Task], running: Iterable[Task], slots: int) -> list[Task]:
    """The waiting runs that may start now: of the member with the fewest running ones the oldest, and so on."""
    load = Counter(task.member_id for task in running if not task.is_control)
    queue = sorted(waiting, key=lambda task: task.id)
    chosen: list[Task] = []
    while queue and len(chosen) < slots:
        task = min(queue, key=lambda each: (load[each.member_id], each.id))
        queue.remove(task)
        load[task.member_id] += 1
        chosen.append(task)
    return chosen
