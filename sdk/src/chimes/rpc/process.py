"""The parent's side of a child process: starts it, and sends it a socket for each session.

The child runs ``bootstrap.py``; its standard input is the other end of the control socket. Only the child's first
process holds that end: it receives the sessions' sockets and reports how each session ended.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chimes.rpc import bootstrap, frames
from chimes.rpc.frames import BrokenFrameError, ClosedError, TimedOutError, read_frame, write_frame
from chimes.rpc.plain import PlainProcess
from chimes.sandbox import Cause, Event, Limits, Mount, Sandbox

__all__ = ["Answer", "ChildProcess", "Place", "SessionSocket"]

INSIDE = "/chimes"
"""The folder of the child's files in a sandbox."""
FILES = (Path(bootstrap.__file__), Path(frames.__file__))
MESSAGE_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where child processes run. ``environment``: mounted as /env in a sandbox; None for this interpreter.

    ``program`` serves the sessions: a module of the environment by its dotted name, or a file that needs only the
    standard library. ``distribution`` has the components; ``site`` is the folder where it is installed, as the
    child sees it.
    """

    program: str | Path
    distribution: str = ""
    site: str = ""
    environment: Path | None = None
    mounts: tuple[Mount, ...] = ()
    limits: Limits = field(default_factory=Limits)
    python: str = sys.executable

    @property
    def sandboxed(self) -> bool:
        """Whether children run in a sandbox."""
        return self.environment is not None

    def start(self, env: Mapping[str, str], control: socket.socket) -> Sandbox | PlainProcess:
        """Start a child with ``control`` as its standard input. Raises InfrastructureError."""
        if not self.sandboxed:
            return PlainProcess([self.python, "-P", str(FILES[0]), str(self.program)], env, control)
        files = [*FILES, *([self.program] if isinstance(self.program, Path) else [])]
        program = f"{INSIDE}/{self.program.name}" if isinstance(self.program, Path) else self.program
        return Sandbox(
            ["/env/bin/python", "-P", f"{INSIDE}/{FILES[0].name}", program],
            mounts=[*self.mounts, *(Mount(file, f"{INSIDE}/{file.name}") for file in files)],
            env=env,
            limits=self.limits,
            control=control,
        )


@dataclass(frozen=True)
class Answer:
    """An answer to one request, not trusted. ``error``: an exception. ``events``: those that the child reports."""

    ok: bool
    value: Any
    error: Any = None
    events: Any = None
    blobs: tuple[bytes, ...] = ()


class SessionSocket:
    """The parent's end of one session's socket: requests go out, one answer to each comes in."""

    def __init__(self, connection: socket.socket, ended: socket.socket | None) -> None:
        self._socket, self._ended = connection, ended
        self._number = 0

    def send(self, request: Mapping[str, Any], blobs: list[bytes], deadline: float) -> None:
        """Send a request. Raises ClosedError, TimedOutError."""
        self._number += 1
        header = {**request, "number": self._number}
        write_frame(self._socket, header, blobs, deadline=deadline, ended=self._ended)

    def receive(self, deadline: float, *, total_bytes: int = frames.TOTAL_BYTES) -> Answer:
        """The answer to the last request. Raises ClosedError, TimedOutError; BrokenFrameError for anything else."""
        header, blobs = read_frame(self._socket, deadline=deadline, total_bytes=total_bytes, ended=self._ended)
        if header.get("number") != self._number:
            raise BrokenFrameError("a frame that answers no request")
        return Answer(
            header.get("ok") is True, header.get("value"), header.get("error"), header.get("events"), tuple(blobs)
        )

    def close(self) -> None:
        """Close it: what the session's processes write from now on is lost."""
        self._socket.close()


class ChildProcess:
    """One started child."""

    def __init__(self, place: Place, env: Mapping[str, str]) -> None:
        """Start it. Raises InfrastructureError."""
        self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._number = 0
        with other:
            try:
                self._process = place.start(env, other)
            except BaseException:
                self._control.close()
                raise

    def ask(self, operation: Literal["prepare", "clean"], deadline: float) -> Answer:
        """Send a message to the first process; its answer. Raises ClosedError, TimedOutError, BrokenFrameError."""
        self._send(operation, deadline)
        return self._receive(deadline)

    def fork(self, function: str, arguments: Mapping[str, Any], deadline: float) -> SessionSocket:
        """Start a session in a forked process, by a function of the program. Raises ClosedError, TimedOutError."""
        return self._start_session("fork", self._control, function, arguments, deadline)

    def run(self, function: str, arguments: Mapping[str, Any], deadline: float) -> SessionSocket:
        """Start the only session, in the first process itself. Raises ClosedError, TimedOutError."""
        return self._start_session("run", None, function, arguments, deadline)

    def wait_for_session(self, deadline: float) -> int | None:
        """Wait until the current session has ended; its exit status, or None if it could not be started.

        Raises ClosedError, TimedOutError, BrokenFrameError.
        """
        answer = self._receive(deadline)
        return answer.value if answer.ok and isinstance(answer.value, int) else None

    def has_message(self) -> bool:
        """Whether the first process sent a message that answers no request."""
        self._control.settimeout(0)
        with contextlib.suppress(OSError):
            return bool(self._control.recv(1, socket.MSG_PEEK))
        return False

    def cause(self) -> Cause | None:
        """The cause of its end, as the sandbox knows it; None without a sandbox."""
        return self._process.cause() if isinstance(self._process, Sandbox) else None

    def events(self) -> tuple[Event, ...]:
        """The events that the sandbox observed; empty without a sandbox."""
        return self._process.events() if isinstance(self._process, Sandbox) else ()

    def stderr_tail(self) -> str:
        """The end of its output."""
        return self._process.stderr_tail()

    def wait(self, timeout_s: float) -> None:
        """Wait for a sandbox that is about to end, so that its cause is known."""
        if isinstance(self._process, Sandbox):
            self._process.wait(timeout_s)

    def kill(self) -> None:
        """End it and every process that it started."""
        self._control.close()
        self._process.kill()

    def _start_session(
        self, operation: str, ended: socket.socket | None, function: str, arguments: Mapping[str, Any], deadline: float
    ) -> SessionSocket:
        own, other = socket.socketpair()
        session = SessionSocket(own, ended)
        try:
            with other:
                self._send(operation, deadline, other.fileno())
            session.send({"function": function, "arguments": dict(arguments)}, [], deadline)
        except BaseException:
            session.close()
            raise
        return session

    def _send(self, operation: str, deadline: float, *descriptors: int) -> None:
        self._number += 1
        message = json.dumps({"op": operation, "number": self._number}).encode("utf-8")
        self._control.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            socket.send_fds(self._control, [message], descriptors)
        except TimeoutError as error:
            raise TimedOutError from error
        except OSError as error:
            raise ClosedError(str(error)) from error

    def _receive(self, deadline: float) -> Answer:
        self._control.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self._control.recv(MESSAGE_BYTES)
        except TimeoutError as error:
            raise TimedOutError from error
        except OSError as error:
            raise ClosedError(str(error)) from error
        if not data:
            raise ClosedError("end of file")
        try:
            message = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BrokenFrameError("a message that is not JSON") from error
        if not isinstance(message, dict) or message.get("number") != self._number:
            raise BrokenFrameError("a message that answers no request")
        return Answer(message.get("ok") is True, message.get("value"), message.get("error"))
