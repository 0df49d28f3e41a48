"""Watches one job and reports its states, its progress and its logs as events."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chimes.context import CancelToken
from chimes.errors import ChimesError
from chimes.host.components import Part
from chimes.kinds.backend import ComputeBackend, JobHandle, JobState, JobStatus, LogChunk
from chimes.pipelines.result import Progress, RunFolder, read_value

__all__ = ["Event", "JobMonitor", "LogLine", "Progressed", "Retrying", "StateChanged", "Submitted", "pause"]

SHORTEST_S, LONGEST_S, SHARE = 0.05, 10.0, 0.1
"""A job is polled in intervals of a tenth of its age, so that its end is seen at most 10 % late."""

Stream = Literal["stdout", "stderr"]
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


@dataclass(frozen=True)
class Submitted:
    """A job was submitted; the files of its run are under ``folder``."""

    native_id: str
    attempt: int
    folder: Path


@dataclass(frozen=True)
class StateChanged:
    """The job is in another state; ``pending_reason`` is the scheduler's own text."""

    state: JobState
    pending_reason: str | None


@dataclass(frozen=True)
class Progressed:
    """The worker is at ``stage`` and has written ``rows``."""

    stage: str
    rows: int


@dataclass(frozen=True)
class LogLine:
    """A line that the job printed."""

    stream: Stream
    text: str


@dataclass(frozen=True)
class Retrying:
    """An attempt failed and is repeated after ``delay_s`` seconds."""

    attempt: int
    delay_s: float
    because: str


Event = Submitted | StateChanged | Progressed | LogLine | Retrying


def pause(seconds: float, cancel: CancelToken) -> None:
    """Wait, at most until a cancel."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not cancel.is_cancelled:
        time.sleep(min(left, 0.1))


class JobMonitor:
    """Sends an event for every change of a job, each once, and keeps the job's output in the run's log."""

    def __init__(
        self,
        part: Part,
        backend: ComputeBackend[Any],
        handle: JobHandle,
        folder: RunFolder,
        watch: Callable[[Event], None],
    ) -> None:
        self._part, self._backend, self._handle, self._folder, self._watch = part, backend, handle, folder, watch
        self._started = time.monotonic()
        self._seen: set[object] = set()
        self._logs = {stream: _Log(stream) for stream in STREAMS}

    @property
    def interval_s(self) -> float:
        """How long to wait before the next update."""
        return min(max((time.monotonic() - self._started) * SHARE, SHORTEST_S), LONGEST_S)

    def update(self, status: JobStatus) -> None:
        """Send what has changed since the last update."""
        self._emit_once(StateChanged(status.state, status.pending_reason))
        for log in self._logs.values():
            self._drain(log, status.state.is_final)
        if progress := read_value(self._folder.progress, Progress):
            self._emit_once(Progressed(progress.stage, progress.rows))

    def _emit_once(self, event: StateChanged | Progressed) -> None:
        if event not in self._seen:
            self._seen.add(event)
            self._watch(event)

    def _drain(self, log: _Log, final: bool) -> None:
        try:
            while chunk := self._read(log):
                with self._folder.log.open("ab") as stream:
                    stream.write(chunk.data)
                for line in log.lines(chunk, final=final and chunk.eof):
                    self._watch(LogLine(log.stream, line))
                if chunk.eof or not chunk.data:
                    return
        except ChimesError as error:
            # A log that cannot be read does not end the run.
            if not log.broken:
                log.broken = True
                self._watch(LogLine(log.stream, f"(the {log.stream} of the job cannot be read: {error})"))

    def _read(self, log: _Log) -> LogChunk:
        return self._part.call(
            "logs", lambda: self._backend.logs(self._handle, stream=log.stream, offset=log.offset), LogChunk
        )


class _Log:
    """The position in one stream, and its unfinished line."""

    def __init__(self, stream: Stream) -> None:
        self.stream: Stream = stream
        self.offset = 0
        self.broken = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def lines(self, chunk: LogChunk, *, final: bool) -> list[str]:
        """The whole lines so far; at the end also one without a newline."""
        self.offset = chunk.next_offset
        *whole, self._rest = (self._rest + self._decoder.decode(chunk.data, final)).split("\n")
        if final and self._rest:
            whole, self._rest = [*whole, self._rest], ""
        return whole
