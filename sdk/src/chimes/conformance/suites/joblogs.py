"""Polls jobs: their states, output, files and processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from chimes.kinds.backend import JobHandle, JobStatus, LogChunk
from chimes.rpc.children import RemoteSession
from chimes.rpc.proxies import BackendProxy, expect, expect_all

__all__ = ["WAIT_S", "alive_of", "end_states", "follow", "read", "read_log", "running", "until", "write"]

WAIT_S = 30.0
MOST_LOG = 1 << 20
QUIET_S = 5.0


def write(session: RemoteSession, name: str) -> str:
    """An empty file in the context's folder; its path."""
    return expect("write", session.do("write", name=name, data=""), str)


def read(session: RemoteSession, name: str) -> str:
    """The text of a file in the context's folder, empty if it does not exist."""
    return expect("read", session.do("read", name=name) or "", str)


def follow(backend: BackendProxy, handle: JobHandle) -> list[JobStatus]:
    """Every status until the job is final, at most for half a minute."""
    seen: list[JobStatus] = []

    def look() -> bool:
        seen.extend(backend.status([handle]))
        return seen[-1].state.is_final

    until(look)
    return seen


def end_states(backend: BackendProxy, handles: Sequence[JobHandle]) -> list[str]:
    """The last states of some jobs, requested one by one, at most for half a minute in total."""
    states = [backend.status([handle])[0].state for handle in handles]

    def look() -> bool:
        for number, handle in enumerate(handles):
            if not states[number].is_final:
                states[number] = backend.status([handle])[0].state
        return all(state.is_final for state in states)

    until(look)
    return [state.value for state in states]


def read_log(backend: BackendProxy, handle: JobHandle) -> bytes:
    """The whole standard output of an ended job, read in pieces for at most half a minute.

    If the backend never reports the end of the log, reading stops after five seconds without new data.
    """
    found, grown = b"", time.monotonic()

    def is_read() -> bool:
        nonlocal found, grown
        chunk = expect("logs", backend.call("logs", handle, offset=len(found)), LogChunk)
        if chunk.data:
            found, grown = found + chunk.data, time.monotonic()
        return chunk.eof or len(found) > MOST_LOG or time.monotonic() - grown > QUIET_S

    until(is_read)
    return found


def until(condition: Callable[[], Any], wait_s: float = WAIT_S) -> bool:
    """Poll until ``condition`` holds; False if it does not within ``wait_s`` seconds."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.03)
    return False


def alive_of(session: RemoteSession, names: list[str]) -> list[int]:
    """Those of the processes with the numbers in these files that still run."""
    texts = [read(session, name) for name in names]
    return running(session, [int(text) for text in texts if text.isascii() and text.isdigit()])


def running(session: RemoteSession, pids: list[int]) -> list[int]:
    """Those of the processes that still run."""
    return expect_all("alive", session.do("alive", pids=pids), int)
