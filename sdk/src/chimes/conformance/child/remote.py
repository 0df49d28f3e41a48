"""The judge's end of the pipe: starts children, in a sandbox or without one, and talks to their sessions.

Whatever goes wrong beyond the pipe becomes one ``StepFailedError``; a child that broke off is replaced by a new
one when the next session is asked for.
"""

from __future__ import annotations

import builtins
import contextlib
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol, get_args

from chimes import errors
from chimes.conformance.child.child import GOODBYE
from chimes.conformance.child.plainchild import Plain
from chimes.errors import ChimesError
from chimes.processes import scratch_folder
from chimes.rpc.codec import decode, encode
from chimes.rpc.failure import ANSWERS, StepFailedError
from chimes.rpc.frames import (
    SEAL_BYTES,
    BrokenFrameError,
    ClosedError,
    Receiver,
    TimedOutError,
    write_frame,
)
from chimes.sandbox import Event, Limits, Mount, Sandbox
from chimes.sandbox.events import Kind

__all__ = ["INSIDE_ROOT", "PIPE_NAME", "Children", "Place", "RemoteSession"]

INSIDE_ROOT = "/work/run"
PIPE_NAME = "the judge's pipe"
PRELOAD_S, SWEEP_S = 120.0, 30.0
SOON_ENDED = ("processes", "killed")
ENDING, KILLING = "ending the session", "killing the client"


class _Running(Protocol):
    """What a sandbox and a plain process have in common here."""

    stdin: Any
    stdout: Any

    def kill(self) -> object: ...
    def stderr_tail(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where children run: ``environment`` is mounted as /env in a sandbox, or None for this interpreter.

    ``site`` is the folder with the distribution under test (inside the sandbox, where there is one). ``program``: what
    the interpreter of the environment runs there instead of the child for plugins, with its arguments.
    """

    distribution: str
    site: str
    environment: Path | None = None
    mounts: tuple[Mount, ...] = ()
    limits: Limits = field(default_factory=Limits)
    python: str = sys.executable
    program: tuple[str, ...] = ()

    @property
    def sandboxed(self) -> bool:
        """Whether children run in a sandbox."""
        return self.environment is not None


class Children:
    """The children of one component or of one entry test, one at a time; and all that was seen of them.

    ``strayed``: something came over the pipe that nobody asked for.
    """

    def __init__(self, place: Place, env: dict[str, str]) -> None:
        self.place = place
        self.env = env
        self.events: set[Event] = set()
        self.logs: list[str] = []
        self.exhausted: set[str] = set()
        self.strayed = False
        self._running: _Running | None = None
        self._receiver: Receiver | None = None
        self._asked = b""
        self._session = b""
        self._preloaded = False
        self._folders = contextlib.ExitStack()
        self._folder: Path | None = None
        self._numbers = 0

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._folders.close()

    @property
    def root(self) -> str:
        """The folder of the components' contexts, as the child sees it."""
        if self.place.sandboxed:
            return INSIDE_ROOT
        if self._folder is None:
            self._folder = self._folders.enter_context(scratch_folder("chimes-check-"))
        return str(self._folder)

    @property
    def is_fresh(self) -> bool:
        """Whether no child runs: the next session starts in an empty place."""
        return self._running is None

    def entry(self, step: str, timeout_s: float, *, first: Sequence[str] = ()) -> Any:
        """Import the entry modules in a fresh child; what it tells, as it is. Raises StepFailedError.

        ``first``: modules that a library's child imports before it looks at what the library's own change.
        """
        self.stop()
        value, _ = self.ask({"op": "entry", "first": list(first)}, [], step, timeout_s)
        if isinstance(value, dict):
            self.events.update(audited(value.get("audited")))
        return value

    @contextlib.contextmanager
    def session(self, timeout_s: float) -> Iterator[RemoteSession]:
        """A fresh process inside a child, ended when the block is left.

        Raises StepFailedError, also if it ends otherwise than as agreed.
        """
        if not self._preloaded:
            self.ask({"op": "preload"}, [], "starting the child", PRELOAD_S)
            self._preloaded = True
        self._session = self.send({"op": "session"}, [], "starting a session", timeout_s)
        session = RemoteSession(self, timeout_s)
        try:
            yield session
        except BaseException:
            with contextlib.suppress(StepFailedError):
                session.end()
            raise
        session.end()

    def sweep(self) -> None:
        """End what sessions left running (in a sandbox only)."""
        if self._running is not None and self.place.sandboxed:
            try:
                left, _ = self.ask({"op": "sweep"}, [], "sweeping", SWEEP_S)
            except StepFailedError:
                left = None
            if left != 0:
                self.stop()

    def start(self) -> None:
        """Start a child."""
        arguments = ["--site", self.place.site, "--distribution", self.place.distribution, "--root", self.root]
        if self.place.sandboxed:
            program = self.place.program or ("-m", "chimes.conformance.child.child", *arguments, "--traced")
            argv = ["/env/bin/python", "-P", *program]
            self._running = Sandbox(argv, mounts=self.place.mounts, env=self.env, limits=self.place.limits)
        else:
            argv = [self.place.python, "-P", "-m", "chimes.conformance.child.child", *arguments]
            tmp = Path(self.root, "tmp")
            tmp.mkdir(exist_ok=True)
            self._running = Plain(argv, {**self.env, "TMPDIR": str(tmp)})
        self._receiver = Receiver(self._running.stdout.fileno())
        self._preloaded = False

    def stop(self) -> None:
        """End the child, keep what was seen of it."""
        running, receiver, asked = self._running, self._receiver, self._asked
        self._running = self._receiver = None
        self._asked, self._preloaded = b"", False
        if running is None or receiver is None:
            return
        # An answer that comes too late is no stray.
        self.strayed |= receiver.strayed or (not asked and receiver.has_rest())
        running.kill()
        if isinstance(running, Sandbox):
            self.events.update(running.events())
        self.logs.append(running.stderr_tail())

    def seen(self) -> set[Event]:
        """All that was seen of the children that have ended, what strayed into the pipe included."""
        return self.events | ({Event("write", "write", PIPE_NAME, False)} if self.strayed else set())

    def number(self) -> int:
        """A number for the next operation's mark in the trace."""
        self._numbers += 1
        return self._numbers

    def send(self, header: dict[str, Any], blobs: list[bytes], step: str, timeout_s: float) -> bytes:
        """Write a frame; the seal that its answer has to bear. Raises StepFailedError if nobody reads."""
        if step in self.exhausted:
            # It used up its time once: what takes for ever is not waited for again by every check.
            if step in (ENDING, KILLING):
                self.stop()
            raise StepFailedError(step, cause="time")
        if self._running is None:
            self.start()
        assert self._running is not None
        self._asked = secrets.token_bytes(SEAL_BYTES)
        header = {**header, "seal": self._asked.hex()}
        try:
            write_frame(self._running.stdin.fileno(), header, blobs, deadline=time.monotonic() + timeout_s)
        except ClosedError:
            self.give_up(step, "crashed")
        except TimedOutError:
            self.give_up(step, "time")
        return self._asked

    def ask(self, header: dict[str, Any], blobs: list[bytes], step: str, timeout_s: float) -> tuple[Any, list[bytes]]:
        """Write a frame and wait for its answer. Raises StepFailedError."""
        deadline = time.monotonic() + timeout_s
        seal = self.send(header, blobs, step, timeout_s)
        got, answer, received = self.receive(step, deadline, seal, self._session or seal)
        if got != seal:
            self._session = b""
            self.give_up(step, "crashed")
        if isinstance(self._running, Sandbox) and self._running.cause() in SOON_ENDED:
            # At which later step it is ended would be chance.
            self.give_up(step, "crashed")
        self.events.update(audited(answer.get("audited")))
        if answer.get("ok") is not True:
            self.raise_error(step, answer.get("error"))
        return answer.get("value"), received

    def receive(self, step: str, deadline: float, *seals: bytes) -> tuple[bytes, dict[str, Any], list[bytes]]:
        """The next frame with one of the seals. Raises StepFailedError."""
        if self._receiver is None:
            self.give_up(step, "crashed")
        try:
            answer = self._receiver.receive(*seals, deadline=deadline)
        except TimedOutError:
            self.give_up(step, "time")
        except ClosedError:
            self.give_up(step, "crashed")
        except BrokenFrameError as broken:
            self.give_up(step, "own", answer="flood", said=str(broken))
        self._asked = b""
        return answer

    def read_end(self, step: str, timeout_s: float, *, agreed: bool) -> None:
        """Wait until the child says that the session is gone. Raises StepFailedError unless it ended so."""
        seal, self._session = self._session, b""
        _, answer, _ = self.receive(step, time.monotonic() + timeout_s, seal)
        if agreed and answer.get("ended") != GOODBYE:
            self.give_up(step, "crashed")

    def raise_error(self, step: str, error: Any) -> NoReturn:
        """Raise the exception that the child described, in words that are ours."""
        told = error if isinstance(error, dict) else {}
        self.logs.append(str(told.get("traceback", ""))[:8000])
        code, kind, answer = (str(told.get(name)) for name in ("code", "type", "answer"))
        said = str(told.get("said", ""))[:2000]
        if told.get("full") is True and isinstance(self._running, Sandbox) and self._running.cause() == "disk":
            # What fills the disk stays there: the next step would fail for it, too.
            self.give_up(step, "disk", said=said)
        raise StepFailedError(
            step,
            cause="memory" if kind == "MemoryError" else "own",
            code=code if code in CODES else None,
            kind=kind if kind in BUILTINS and code not in CODES else None,
            answer=answer if answer in ANSWERS else None,
            said=said,
        )

    def give_up(self, step: str, cause: str, *, answer: str | None = None, said: str = "") -> NoReturn:
        """End a child that broke off, and raise StepFailedError with what watcher and trace know of the cause."""
        running = self._running
        if cause == "time":
            self.exhausted.add(step)
        known = running.cause() if isinstance(running, Sandbox) else None
        tail = running.stderr_tail() if running is not None else ""
        self._session = b""
        self.stop()
        raise StepFailedError(step, cause=known or cause, answer=answer, said=said or tail.strip()[-2000:], ended=True)


def audited(told: Any) -> list[Event]:
    """Events as the audit hook of a child without a sandbox tells them."""
    lines = [line for line in told if isinstance(line, list)] if isinstance(told, list) else []
    return [
        Event(kind=line[0], action=line[1], target=line[2], refused=False)
        for line in lines
        if len(line) == 3 and all(isinstance(word, str) for word in line) and line[0] in get_args(Kind)
    ]


CODES = frozenset(getattr(errors, name).code for name in errors.__all__ if name.endswith("Error"))
BUILTINS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)


class RemoteSession:
    """One session: operations go in, values come out."""

    def __init__(self, children: Children, timeout_s: float) -> None:
        self._children = children
        self._timeout_s = timeout_s
        self._open = True

    def do(self, operation: str, *, step: str | None = None, timeout_s: float | None = None, **arguments: Any) -> Any:
        """Ask for an operation. Raises StepFailedError."""
        blobs: list[bytes] = []
        args = encode(arguments, blobs)
        header = {"op": operation, "args": args, "number": self._children.number()}
        step = step or operation
        try:
            value, received = self._children.ask(header, blobs, step, timeout_s or self._timeout_s)
        except StepFailedError as failure:
            self._open = not failure.ended
            raise
        try:
            return decode(value, received)
        except ChimesError as error:
            raise StepFailedError(step, answer="type", said=str(error)) from error

    def kill(self) -> None:
        """End this session as a client that is killed. Raises StepFailedError."""
        self._open = False
        self._children.send({"op": "die", "args": {"$dict": []}}, [], KILLING, self._timeout_s)
        self._children.read_end(KILLING, self._timeout_s, agreed=False)

    def end(self) -> None:
        """Say goodbye, if there is still somebody. Raises StepFailedError if it ends otherwise than as agreed."""
        if self._open:
            self._open = False
            self._children.ask({"op": "end", "args": {"$dict": []}}, [], ENDING, self._timeout_s)
            self._children.read_end(ENDING, self._timeout_s, agreed=True)
