"""Keeps the events of a sandbox: a set of bounded size.

The result does not depend on the order of the events: of too many events of one kind in one place the most
important remain (refused ones first).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Literal

from chimes.sandbox.command import PRIVATE

__all__ = ["OWN", "Event", "EventLog", "Kind", "place_of"]

Kind = Literal["network", "write", "process", "signal", "memory", "disk", "system"]

OWN = tuple(f"{folder}/" for folder in PRIVATE)
PLACES = frozenset(
    {"bin", "boot", "dev", "env", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc"}
    | {"root", "run", "sbin", "srv", "sys", "tmp", "usr", "var", "work"}
)
KEPT = {False: 32, True: 4096}
"""How many events of one kind are kept for a place; more (True) for the sandbox's folders, which are written often."""
TARGET_LENGTH = 240


def place_of(path: str) -> str:
    """The top-level folder of a path (``/etc``, ``/dev/shm``); ``/`` for other, unknown folders."""
    first, second = (*path.split("/", 3), "", "")[1:3]
    if f"/{first}/{second}" in PRIVATE:
        return f"/{first}/{second}"
    return f"/{first}" if first in PLACES else "/"


@dataclass(frozen=True, order=True)
class Event:
    """An action of code in a sandbox, or an attempt at one.

    ``action`` is a verb (``open``, ``connect``, ``fork`` ...), the same for all system calls that do it. ``target``
    is a path (absolute, printable, at most 240 characters), an address (``192.0.2.1:80``, a random local
    port as ``127.0.0.1:*``), a kind of socket, an error's name, or for signals ``1`` and ``2``
    (the sandbox's first process and the one it was made for), ``0``, ``-1``, ``self`` or ``other``.
    """

    kind: Kind
    action: str
    target: str
    refused: bool


class EventLog:
    """The distinct events so far, a bounded number of each kind in each place."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, bool, str], set[Event]] = {}

    def add(self, kind: Kind, action: str, target: str, *, refused: bool) -> None:
        """Keep an event."""
        is_private = target.startswith(OWN)
        key = (kind, is_private, place_of(target))
        events = self._groups.setdefault(key, set())
        events.add(Event(kind, action, target[:TARGET_LENGTH], refused))
        if len(events) > 2 * KEPT[is_private]:
            self._groups[key] = _most_important(is_private, events)

    def sorted(self) -> tuple[Event, ...]:
        """The kept events, sorted."""
        groups = (_most_important(is_private, events) for (_, is_private, _), events in self._groups.items())
        return tuple(sorted(set().union(*groups)))


def _most_important(is_private: bool, events: set[Event]) -> set[Event]:
    if len(events) <= KEPT[is_private]:
        return events
    return set(heapq.nsmallest(KEPT[is_private], events, key=lambda event: (not event.refused, event)))
