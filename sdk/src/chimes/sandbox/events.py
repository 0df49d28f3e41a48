"""Keeps what was seen of a sandbox: a set of events, cut into stretches by marks, bounded whatever happens inside.

What is kept does not depend on the order in which it was seen: of too many events of one kind in one
stretch the most telling remain (refused before done, the system's folders before the sandbox's own).
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
STRETCHES = 4096
KEPT, KEPT_PRIVATE, KEPT_WHEN_FLOODED = 32, 128, 2
FLOOD = 50_000
TARGET_LENGTH = 240


def place_of(path: str) -> str:
    """The part of the system that a path lies in (``/etc``, ``/dev/shm``); ``/`` for what has no name beforehand."""
    first, second = (*path.split("/", 3), "", "")[1:3]
    if f"/{first}/{second}" in PRIVATE:
        return f"/{first}/{second}"
    return f"/{first}" if first in PLACES else "/"


@dataclass(frozen=True, order=True)
class Event:
    """Something that code in a sandbox did or tried to do.

    ``action`` is a verb (``open``, ``connect``, ``fork`` ...), the same for all system calls that do it. ``target``
    is a path (absolute, printable, at most 240 characters), an address (``192.0.2.1:80``, a local port that
    was drawn by chance as ``127.0.0.1:*``), a kind of socket, an error's name, or for signals ``1`` and ``2``
    (the sandbox's first process and the one it was made for), ``0``, ``-1``, ``self`` or ``other``.
    """

    kind: Kind
    action: str
    target: str
    refused: bool


class EventLog:
    """The events so far, and where the marks lie between them."""

    def __init__(self) -> None:
        self._stretches = [_Stretch(KEPT, KEPT_PRIVATE)]
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._events = 0

    def add(self, kind: Kind, action: str, target: str, *, refused: bool) -> None:
        """Keep an event of the present stretch."""
        self._events += self._stretches[-1].add(Event(kind, action, target[:TARGET_LENGTH], refused))

    def mark(self, name: str) -> None:
        """End the present stretch and begin another."""
        if len(self._stretches) < STRETCHES:
            self._last[name] = len(self._stretches) - 1
            self._first.setdefault(name, len(self._stretches))
            is_flooded = self._events > FLOOD
            kept = (KEPT_WHEN_FLOODED, KEPT_WHEN_FLOODED) if is_flooded else (KEPT, KEPT_PRIVATE)
            self._stretches.append(_Stretch(*kept))
        elif name in self._last:
            self._last[name] = len(self._stretches) - 1

    def between(self, start: str | None = None, end: str | None = None) -> tuple[Event, ...]:
        """The events from the first ``start`` to the last ``end``, sorted.

        Who runs inside may leave out marks, or leave them twice: that never hides an event, it only adds
        some. A ``start`` never seen stands for the beginning, an ``end`` never seen for now.
        """
        first = 0 if start is None else self._first.get(start, 0)
        last = len(self._stretches) if end is None else self._last.get(end, len(self._stretches))
        return tuple(sorted(set().union(*(stretch.events() for stretch in self._stretches[first : last + 1]))))


class _Stretch:
    """The events between two marks."""

    def __init__(self, kept: int, kept_private: int) -> None:
        self._kept = {False: kept, True: kept_private}
        self._sets: dict[tuple[str, bool, str], set[Event]] = {}

    def add(self, event: Event) -> int:
        """Keep an event; return how many more are kept than before."""
        key = (event.kind, event.target.startswith(OWN), place_of(event.target))
        events = self._sets.setdefault(key, set())
        before = len(events)
        events.add(event)
        if len(events) > 2 * self._kept[key[1]]:
            events = self._sets[key] = self._smallest(key[1], events)
        return len(events) - before

    def events(self) -> set[Event]:
        return set().union(*(self._smallest(private, events) for (_, private, _), events in self._sets.items()))

    def _smallest(self, private: bool, events: set[Event]) -> set[Event]:
        if len(events) <= self._kept[private]:
            return events
        return set(heapq.nsmallest(self._kept[private], events, key=lambda event: (not event.refused, event)))
