"""Runs one job's command on a node and records how it ended: ``python -m chimes.jobs.wrapper FOLDER``.

Every backend starts jobs with this wrapper. It reads ``job.json`` in the control
folder (chimes.jobs.folder)::

    command         what to run: argv, no shell
    env             the command's whole environment; nothing is added
    workdir         None: the folder ``work`` beside it
    walltime_s      None: no limit; counted from the command's start
    memory_bytes    None: no limit; of the whole tree, measured, because a limit on address space ends other programs
    grace_s         between SIGTERM and SIGKILL unless a cancel request says otherwise
    heartbeat_s     how often the wrapper touches the heartbeat
    devices         the devices of the job; recorded
    attempt         counted from 1; recorded

Its exit status is the command's (128 + signal if a signal ended it), so that a scheduler sees the same.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from chimes.errors import ChimesError, InfrastructureError, InvalidJobError
from chimes.jobs import folder as jobfolder
from chimes.jobs import tree as jobtree
from chimes.jobs.wakeups import Wakeups
from chimes.processes import Process, descendants
from chimes.processes.usage import memory_bytes, oom_kills

__all__ = ["Admission", "JobRun", "main", "run", "start_detached"]

GRACE_S, HEARTBEAT_S = 10.0, 5.0
LEFTOVER_GRACE_S = 2.0
"""Time between SIGTERM and SIGKILL for processes that outlive their command."""
STUCK_LIMIT_S = 30.0
"""How long to wait for a killed process (one in an uninterruptible call may never end)."""
LOOK_S, LOOK_CLOSELY_S, LOOK_KILLING_S = 1.0, 0.1, 0.01

Record = dict[str, Any]
EndReason = Literal["leftovers", "cancelled", "walltime", "oom"]


class Admission:
    """The queue in which a job waits until it may start. This one admits every job at once.

    Backends without a scheduler derive their own queue from it.
    """

    def enter(self) -> None:
        """Enter the queue. If this raises, the job has no wrapper yet and may get another one."""

    def ask(self) -> float | None:
        """None: start now. A number: ask again after so many seconds."""
        return None

    def leave(self) -> None:
        """Leave the queue, and release what the queue assigned to the job."""


def main(arguments: list[str]) -> int:
    """Run the job of the control folder that is the only argument."""
    if len(arguments) != 1:
        print("usage: python -m chimes.jobs.wrapper FOLDER", file=sys.stderr)
        return 2
    try:
        return run(Path(arguments[0]))
    except ChimesError as error:
        print(f"{error.code}: {error}\n  fix: {error.hint}", file=sys.stderr)
        return 2


def run(folder: Path, *, admission: Admission | None = None, claimed: Callable[[], None] = lambda: None) -> int:
    """Run the job to its end and record it; return the command's exit status as a shell would.

    ``claimed`` is called when the job can be observed and cancelled. If another wrapper has the job, nothing is run
    and 0 is returned. Raises NotFoundError if the folder contains no job.
    """
    job = jobfolder.get_job(folder)
    wakeups = Wakeups()
    jobtree.become_subreaper()
    queue = admission or Admission()
    queue.enter()
    try:
        is_ours = jobfolder.claim(folder)
        claimed()
        if not is_ours:
            return 0
        record = JobRun(folder, job, wakeups).run(queue)
        jobfolder.write_record(folder, jobfolder.EXIT, record)
    finally:
        queue.leave()
    return _shell_status(record)


def _shell_status(record: Record) -> int:
    if record["signal"] is not None:
        return 128 + int(record["signal"])
    return 127 if record["exit_code"] is None else int(record["exit_code"])


def start_detached(folder: Path, *, admission: Admission | None = None) -> None:
    """Start a wrapper that is detached from its client; return when it has claimed the job, or has failed to.

    It is called in a process made for this purpose: it returns in that process, and never in the wrapper, which keeps
    none of its standard streams.
    """
    reader, writer = os.pipe()
    if os.fork() > 0:
        os.close(writer)
        os.read(reader, 1)
        return
    os.close(reader)
    os.setsid()
    _leave_streams(folder / "wrapper.log")
    sys.exit(run(folder, admission=admission, claimed=lambda: os.close(writer)))


def _leave_streams(log: Path) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    words = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for old, new in ((null, 0), (words, 1), (words, 2)):
        os.dup2(old, new)
    for descriptor in {null, words} - {0, 1, 2}:
        os.close(descriptor)


class JobRun:
    """One run of a job: waits, starts the command, watches it, ends its process tree when necessary."""

    def __init__(self, folder: Path, job: Record, wakeups: Wakeups) -> None:
        self._folder, self._job, self._wakeups = folder, job, wakeups
        self._next_beat = 0.0
        self._kills_before = oom_kills()
        # Start and end of the command on the monotonic clock, because the wall clock may be set back.
        self._began = 0.0
        self._ended: float | None = None
        # If the tree must end: why, since when, and when to send SIGKILL after SIGTERM.
        self._reason: EndReason | None = None
        self._since = 0.0
        self._kill_at = math.inf

    def run(self, admission: Admission) -> Record:
        """Run the job; return the exit record, which is not written yet."""
        if not self._is_admitted(admission):
            return self._record(reason="cancelled", fault="user")
        try:
            command = self._start()
        except InvalidJobError as error:
            with (self._folder / "stderr").open("a", encoding="utf-8") as log:
                log.write(f"{error}\n")
            return self._record(reason="unknown", fault="user", message=str(error))
        started_at = self._note_start(command)
        self._watch(command)
        ended_at = started_at + timedelta(seconds=(self._ended or self._began) - self._began)
        return self._record(
            **self._verdict(command.poll()), started_at=started_at.isoformat(), ended_at=ended_at.isoformat()
        )

    def _is_admitted(self, admission: Admission) -> bool:
        while (pause := admission.ask()) is not None and self._grace_asked() is None:
            self._beat(time.monotonic())
            self._wakeups.pause(min(pause, LOOK_S))
        return self._grace_asked() is None

    def _start(self) -> Process:
        job = self._job
        workdir = Path(job.get("workdir") or self._folder / jobfolder.WORK)
        if not workdir.is_dir():
            raise InvalidJobError(f"the working folder {str(workdir)!r} does not exist")
        guard = jobtree.end_with_parent()
        with (self._folder / "stdout").open("ab") as out, (self._folder / "stderr").open("ab") as err:
            try:
                return Process(job["command"], env=job["env"], cwd=workdir, stdout=out, stderr=err, before_exec=guard)
            except (InfrastructureError, ValueError) as error:
                raise InvalidJobError(str(error)) from error

    def _note_start(self, command: Process) -> datetime:
        self._began, started_at = time.monotonic(), datetime.now(UTC)
        record = {"pid": command.pid, "started_at": started_at.isoformat(), "devices": self._devices}
        jobfolder.write_record(self._folder, jobfolder.STARTED, record)
        return started_at

    def _watch(self, command: Process) -> None:
        while jobtree.reap(command):
            moment = time.monotonic()
            if self._ended is None and command.poll() is not None:
                self._ended = moment
            if self._ended is not None and moment > max(self._ended, self._kill_at) + STUCK_LIMIT_S:
                break
            self._look(moment)
            self._wakeups.pause(self._next_look(moment))
        self._ended = self._ended or time.monotonic()

    def _look(self, moment: float) -> None:
        self._beat(moment)
        for reason, grace_s in self._demands(moment):
            if self._reason is None:
                self._reason, self._since = reason, moment
                if grace_s > 0:
                    jobtree.terminate_tree()
            self._kill_at = min(self._kill_at, self._since + grace_s)
        if moment >= self._kill_at:
            jobtree.kill_tree_below()

    def _demands(self, moment: float) -> Iterator[tuple[EndReason, float]]:
        """The reasons to end the tree now, each with its grace: the first is recorded, the shortest grace applies."""
        if self._ended is not None and self._reason is None:
            yield "leftovers", LEFTOVER_GRACE_S
        if (grace_s := self._grace_asked()) is not None:
            yield "cancelled", grace_s
        if moment >= self._began + (self._job.get("walltime_s") or math.inf):
            yield "walltime", self._grace_s
        limit = self._job.get("memory_bytes")
        if limit is not None and memory_bytes(descendants(os.getpid()), limit=limit) > limit:
            yield "oom", 0.0

    def _next_look(self, moment: float) -> float:
        """Seconds until the next action that no signal announces."""
        if moment >= self._kill_at:
            return LOOK_KILLING_S
        moments = [moment + LOOK_S, self._kill_at, self._next_beat]
        if self._reason is None:
            moments.append(self._began + (self._job.get("walltime_s") or math.inf))
        if self._reason is not None or self._job.get("memory_bytes") is not None:
            moments.append(moment + LOOK_CLOSELY_S)
        return min(moments) - moment

    def _verdict(self, status: int | None) -> Record:
        """Exit code, signal, reason and fault, from the command's status (negative: the signal) and the end reason."""
        number = -status if status is not None and status < 0 else None
        ended = {"exit_code": status if number is None else None, "signal": number}
        if self._reason not in (None, "leftovers"):
            return {**ended, "reason": self._reason, "fault": "user"}
        if number != signal.SIGKILL:
            return {**ended, "reason": "exit_code", "fault": None if status == 0 else "user"}
        if oom_kills() > self._kills_before:
            return {**ended, "reason": "oom", "fault": "user"}
        return {**ended, "reason": "unknown", "fault": None}

    def _record(self, **fields: Any) -> Record:
        blank = {"exit_code": None, "signal": None, "message": None, "started_at": None, "ended_at": jobfolder.now()}
        return {
            "version": 1,
            "attempt": self._job.get("attempt", 1),
            "node": os.uname().nodename,
            "devices": self._devices,
            **blank,
            **fields,
        }

    def _grace_asked(self) -> float | None:
        asked = jobfolder.requested_grace(self._folder)
        return self._grace_s if asked is None and self._wakeups.asked_to_end else asked

    def _beat(self, moment: float) -> None:
        if moment >= self._next_beat:
            self._next_beat = moment + float(self._job.get("heartbeat_s", HEARTBEAT_S))
            with contextlib.suppress(OSError):
                jobfolder.beat(self._folder)

    @property
    def _grace_s(self) -> float:
        return float(self._job.get("grace_s", GRACE_S))

    @property
    def _devices(self) -> list[str]:
        return list(self._job.get("devices", []))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
