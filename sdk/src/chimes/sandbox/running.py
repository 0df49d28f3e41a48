"""Runs one command in a sandbox: starts it, observes it, ends it, and reports the cause of its end."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import selectors
import signal
import socket
import struct
import termios
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Self

from chimes.errors import InfrastructureError
from chimes.processes import Process
from chimes.processes.proc import is_exiting
from chimes.sandbox.command import DEFAULT_LIMITS, Limits, Mount, bubblewrap, find_tools, traced
from chimes.sandbox.events import Event
from chimes.sandbox.filter import build_filter
from chimes.sandbox.pipes import Pipes
from chimes.sandbox.syscalls import RAW, TRACED
from chimes.sandbox.trace import Trace
from chimes.sandbox.usage import measure
from chimes.sandbox.users import take_user

__all__ = ["Cause", "Sandbox"]

Cause = Literal["own", "memory", "time", "processes", "disk", "killed", "crashed", "infra"]
"""Why code ended. A sandbox reports all causes except ``own`` and ``crashed``, which its caller determines."""

# If several limits are reached, the cause must not depend on which is noticed first.
PRECEDENCE: tuple[Cause, ...] = ("processes", "memory", "disk", "time", "killed", "infra")
INTERVAL_S = 0.05
SETTLE_S = 1.0
START_S = 30.0
STOP_S = 5.0
TAIL_BYTES = 16 << 10
CHUNK = 1 << 16


class Sandbox:
    """A command in a sandbox: with its own processes, no network, a read-only system and limits.

    Inside, ``/work`` (home and working folder, with ``/work/tmp``), ``/tmp`` and ``/dev/shm`` can be written;
    ``env`` is the whole environment besides PATH, HOME, LANG and PYTHONDONTWRITEBYTECODE, which it may replace.
    The whole tree is ended when it exceeds ``wall_s`` or ``memory_bytes``, when a folder contains more files than
    ``disk_bytes`` has pages, one second after new processes were refused, and when the starting process ends.
    """

    stdin: io.FileIO
    """Unbuffered, the command's standard input unless it has a ``control`` socket; closed by ``kill``."""
    stdout: io.FileIO
    """Unbuffered, the command's standard output unless it has a ``control`` socket; closed by ``kill``."""
    pid: int
    """The sandbox's first process, as seen from outside: the parent of all processes inside."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        mounts: Iterable[Mount] = (),
        env: Mapping[str, str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        trace: bool = True,
        control: socket.socket | None = None,
    ) -> None:
        """Start it. Without ``trace`` there are no events, and a missing command is an exit status of 127.

        ``control`` becomes the command's standard input; its standard output is then merged into standard error.

        Raises InfrastructureError if the sandbox or the command cannot be started.
        """
        self._limits = limits
        self._trace = Trace() if trace else None
        self._control = control
        self._seen: set[str] = set()
        self._tail = self._reports = b""
        self._lock = threading.Lock()
        self._ready, self._ended = threading.Event(), threading.Event()
        self._process: Process | None = None
        self._failure: InfrastructureError | None = None
        self._status: int | None = None
        self._began = self._next_look = time.monotonic()
        self._stopped_at: float | None = None
        self.pid = 0
        tools, program = find_tools(), build_filter()
        with contextlib.ExitStack() as undo:
            self._lease = take_user() if os.geteuid() == 0 else None
            undo.callback(self._release)
            self._pipes = Pipes()
            undo.callback(self._pipes.close)
            os.write(self._pipes.writer("filter"), program)
            os.set_blocking(self._pipes.reader("trace"), False)
            command = self._command(tools, argv, mounts, env or {})
            undo.pop_all()
        self.stdin = io.FileIO(self._pipes.take("stdin", "write"), "w")
        self.stdout = io.FileIO(self._pipes.take("stdout", "read"), "r")
        # The thread that starts the sandbox must not end before it: the kernel kills the sandbox with that thread.
        self._thread = threading.Thread(target=self._supervise, args=(command,), name="chimes-sandbox", daemon=True)
        self._thread.start()
        self._await_start()

    def _command(
        self, tools: Mapping[str, str], argv: Sequence[str], mounts: Iterable[Mount], env: Mapping[str, str]
    ) -> list[str]:
        command = [tools["setpriv"], "--pdeathsig", "KILL", "--"]
        if self._trace is not None:
            # strace opens the pipe by this path, so that no process inside inherits it.
            output = f"/proc/{os.getpid()}/fd/{self._pipes.writer('trace')}"
            command += traced(tools["strace"], output, TRACED, RAW)
        return command + bubblewrap(
            tools["bwrap"],
            argv,
            mounts=mounts,
            env=env,
            limits=self._limits,
            uid=self._lease.uid if self._lease else None,
            status_fd=self._pipes.writer("status"),
            filter_fd=self._pipes.reader("filter"),
        )

    def _await_start(self) -> None:
        try:
            self._ready.wait()
        except BaseException:
            self.kill()
            raise
        if self._failure is not None:
            self.kill()
            raise self._failure

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    def poll(self) -> int | None:
        """The exit status as in a shell (128 + signal); None while a process runs. Code inside can choose it."""
        return self._status if self._ended.is_set() else None

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end, then events, cause and tail are complete; None if it still runs after ``timeout_s``."""
        self._ended.wait(timeout_s)
        return self.poll()

    def kill(self) -> None:
        """End all processes at once and close the pipes; a second call does nothing."""
        if not self._ended.is_set():
            self._end()
        self._ended.wait()
        self._thread.join()
        self.stdin.close()
        self.stdout.close()

    def events(self) -> tuple[Event, ...]:
        """The events so far, sorted; empty without a trace."""
        if self._trace is None:
            return ()
        self._drain()
        with self._lock:
            return self._trace.events.sorted()

    def cause(self) -> Cause | None:
        """Why it ended or is about to end, as the kernel reports it; None if it ended by itself.

        ``killed``: a process inside sent a signal to the first or the main process, wrote to its memory, or tried to.
        """
        self._drain()
        if self._trace is not None and self._trace.main is not None and is_exiting(self._trace.main):
            # strace writes the line that names the sender only after the killed process has ended.
            self._ended.wait(STOP_S)
            self._drain()
        seen = self._seen | (self._trace.seen if self._trace else set())
        return next((cause for cause in PRECEDENCE if cause in seen), None)

    def stderr_tail(self) -> str:
        """The last 16 KiB of standard error, the command's and the sandbox's own."""
        return self._tail.decode("utf-8", "replace")

    def _drain(self) -> None:
        """Read what strace has written so far, which includes all that the code did before its answer."""
        with self._lock:
            if self._ended.is_set() or self._trace is None:
                return
            trace = self._pipes.reader("trace")
            (waiting,) = struct.unpack("i", fcntl.ioctl(trace, termios.FIONREAD, b"\0" * 4))
            if waiting:
                self._trace.feed(os.read(trace, waiting))

    def _supervise(self, command: list[str]) -> None:
        try:
            self._process = self._start(command)
            self._listen()
            self._status = self._process.wait()
        except InfrastructureError as error:
            self._failure = error
        finally:
            # After any failure no process may run unobserved, and no thread may wait forever.
            try:
                if self._process is not None and self._status is None:
                    self._status = self._process.kill()
            finally:
                self._finish()

    def _start(self, command: list[str]) -> Process:
        pipes = self._pipes
        process = Process(
            command,
            env={"LC_ALL": "C"},
            stdin=pipes.reader("stdin") if self._control is None else self._control.fileno(),
            stdout=pipes.writer("stdout" if self._control is None else "stderr"),
            stderr=pipes.writer("stderr"),
            pass_fds=(pipes.writer("status"), pipes.reader("filter")),
            guarded=True,
        )
        pipes.close(("stdin", "read"), *((name, "write") for name in ("stdout", "stderr", "status", "filter")))
        return process

    def _listen(self) -> None:
        takers = {"stderr": self._take_stderr, "status": self._take_status, "trace": self._take_trace}
        with selectors.DefaultSelector() as selector:
            for name, take in takers.items():
                selector.register(self._pipes.reader(name), selectors.EVENT_READ, take)
            while selector.get_map():
                for key, _ in selector.select(max(0.0, self._next_look - time.monotonic())):
                    if not key.data(key.fd):
                        selector.unregister(key.fd)
                self._look()
        if self._trace is not None:
            with self._lock:
                self._trace.finish()

    def _take_stderr(self, fd: int) -> bool:
        data = os.read(fd, CHUNK)
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        return bool(data)

    def _take_status(self, fd: int) -> bool:
        data = os.read(fd, CHUNK)
        self._reports += data
        if not self.pid and b"\n" in self._reports:
            self.pid = int(json.loads(self._reports.partition(b"\n")[0])["child-pid"])
        if self.pid or not data:
            self._pipes.close(("trace", "write"))
        return bool(data)

    def _take_trace(self, fd: int) -> bool:
        with self._lock:
            try:
                data = os.read(fd, CHUNK)
            except BlockingIOError:
                return True
            if self._trace is not None:
                self._trace.feed(data)
            return bool(data)

    def _look(self) -> None:
        now = time.monotonic()
        if not self._ready.is_set() and self.pid and (self._trace is None or self._trace.started):
            self._began = now
            self._ready.set()
        if now < self._next_look:
            return
        self._next_look = now + INTERVAL_S
        if self._stopped_at is not None and now - self._stopped_at > STOP_S and self._process is not None:
            self._process.kill()
        elif self._ready.is_set() and self._stopped_at is None:
            if (cause := self._exceeded(now)) is not None:
                self._end(cause)
        elif now - self._began > START_S:
            self._end()

    def _exceeded(self, now: float) -> Cause | None:
        usage = measure(self.pid, self._limits)
        if usage.is_full:
            self._seen.add("disk")
        if self._trace is not None:
            refused_at = self._trace.exhausted_at
            has_too_many = refused_at is not None and now - refused_at > SETTLE_S
        else:
            # The first process counts for the limit only if it has the same user.
            has_too_many = usage.tasks - (self._lease is not None) >= self._limits.processes
        if has_too_many:
            return "processes"
        if usage.memory_bytes > self._limits.memory_bytes:
            return "memory"
        if usage.is_crowded:
            self._add_full_disk()
            return "disk"
        return "time" if now - self._began > self._limits.wall_s else None

    def _add_full_disk(self) -> None:
        # No call was refused: a folder in memory can hold empty files until the memory is full.
        if self._trace is not None:
            with self._lock:
                self._trace.events.add("disk", "write", "ENOSPC", refused=True)

    def _end(self, cause: Cause | None = None) -> None:
        if cause is not None:
            self._seen.add(cause)
        self._stopped_at = self._stopped_at or time.monotonic()
        if self.pid:
            # The kernel also ends the other processes of the namespace; then strace ends.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        elif self._process is not None:
            self._process.kill()

    def _finish(self) -> None:
        if not self._ready.is_set() and self._failure is None:
            self._failure = _failure(self.stderr_tail())
        if b'"exit-code"' not in self._reports and self._stopped_at is None:
            self._seen.add("infra")
        with self._lock:
            self._pipes.close()
            self._release()
            self._ended.set()
        self._ready.set()

    def _release(self) -> None:
        if self._lease is not None:
            self._lease.release()


def _failure(output: str) -> InfrastructureError:
    """The error for a sandbox that did not start, with the fix where it is known."""
    if "PTRACE" in output:
        hint = "allow tracing: in a container that is the capability SYS_PTRACE"
    elif "namespace" in output or "uid map" in output or "NEWNS" in output:
        hint = "allow user namespaces (sysctl kernel.apparmor_restrict_unprivileged_userns=0), or start it as root"
    else:
        hint = "correct the reported problem, or check without a sandbox"
    last = " ".join(output.split())[-500:] or "it printed nothing"
    return InfrastructureError(f"the sandbox did not start: {last}", hint=hint)
