"""The judge's end of the pipe: starts children, in a sandbox or without one, and talks to their sessions.

Whatever goes wrong beyond the pipe becomes one ``StepFailedError``; a child that broke off is replaced by a new
one when the next session is asked for.
"""

from __future__ import annotations

import builtins
import contextlib
import shutil
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from chimes import errors
from chimes.conformance.codec import decode, encode
from chimes.conformance.frames import BrokenFrameError, ClosedError, TimedOutError, read_frame, write_frame
from chimes.errors import ChimesError
from chimes.process import PIPE, Process
from chimes.sandbox import Event, Limits, Mount, Sandbox

__all__ = ["Children", "Place", "RemoteSession", "StepFailedError"]

INSIDE_ROOT = "/work/run"


class StepFailedError(Exception):
    """A step beyond the pipe did not succeed: an exception there (``raised``) or the end of the process.

    ``cause`` is ``own`` for an exception; for an end it is what watcher and trace know. ``code`` and
    ``kind`` are names that this SDK or Python defines, never the plugin's; ``said`` is the plugin's text.
    """

    def __init__(
        self, step: str, *, cause: str = "own", code: str | None = None, kind: str | None = None, said: str = ""
    ) -> None:
        super().__init__(f"{step}: {code or kind or cause}")
        self.step, self.cause, self.code, self.kind, self.said = step, cause, code, kind, said

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for facts."""
        return {"step": self.step, "cause": self.cause, "code": self.code, "kind": self.kind, "said": self.said}


class _Running(Protocol):
    """What a sandbox and a plain process have in common here."""

    stdin: Any
    stdout: Any

    def kill(self) -> object: ...
    def stderr_tail(self) -> str: ...


class Plain:
    """A child without a sandbox: at home, for the author's own code."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self._process = Process(argv, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        self.stdin, self.stdout = self._process.stdin, self._process.stdout
        self._tail: deque[bytes] = deque(maxlen=64)
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            while chunk := self._process.stderr.read1(4096):
                self._tail.append(chunk)

    def kill(self) -> None:
        """End the process and all that it started."""
        self._process.kill()
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        self._thread.join(1)
        with contextlib.suppress(OSError):
            self._process.stderr.close()

    def stderr_tail(self) -> str:
        """The last of what it printed."""
        return b"".join(self._tail).decode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where children run: ``environment`` is mounted as /env in a sandbox, or None for this interpreter.

    ``site`` is the folder with the distribution under test (inside the sandbox, where there is one).
    """

    distribution: str
    site: str
    environment: Path | None = None
    mounts: tuple[Mount, ...] = ()
    limits: Limits = field(default_factory=Limits)
    python: str = sys.executable

    @property
    def sandboxed(self) -> bool:
        """Whether children run in a sandbox."""
        return self.environment is not None


class Children:
    """The children of one component or of one entry test, one at a time; and all that was seen of them."""

    def __init__(self, place: Place, env: dict[str, str]) -> None:
        self.place = place
        self.env = env
        self.events: set[Event] = set()
        self.logs: list[str] = []
        self.exhausted: set[str] = set()
        self.starts = 0
        self._running: _Running | None = None
        self._preloaded = False
        self._folder: Path | None = None
        self._numbers = 0

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def root(self) -> str:
        """The folder of the components' contexts, as the child sees it."""
        if self.place.sandboxed:
            return INSIDE_ROOT
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="chimes-check-"))
        return str(self._folder)

    @property
    def is_fresh(self) -> bool:
        """Whether no child runs: the next session starts in an empty place."""
        return self._running is None

    def entry(self, timeout_s: float) -> dict[str, Any]:
        """Import the entry modules in a fresh child. Raises StepFailedError."""
        self.stop()
        value, _ = self.ask({"op": "entry"}, [], "importing the entry module", timeout_s)
        self.note(audited((value or {}).get("audited")))
        return value if isinstance(value, dict) else {}

    @contextlib.contextmanager
    def session(self, timeout_s: float) -> Iterator[RemoteSession]:
        """A fresh process inside a child; ended, and swept up after, when the block is left."""
        if self._running is None:
            self.start()
        if not self._preloaded:
            self.ask({"op": "preload"}, [], "starting the child", 120)
            self._preloaded = True
        self.send({"op": "session"}, [], "starting a session")
        session = RemoteSession(self, timeout_s)
        try:
            yield session
        finally:
            session.end()

    def sweep(self) -> None:
        """End what sessions left running (in a sandbox only)."""
        if self._running is not None and self.place.sandboxed:
            with contextlib.suppress(StepFailedError):
                self.ask({"op": "sweep"}, [], "sweeping", 30)

    def start(self) -> None:
        """Start a child."""
        self.starts += 1
        arguments = ["--site", self.place.site, "--distribution", self.place.distribution, "--root", self.root]
        if self.place.sandboxed:
            argv = ["/env/bin/python", "-m", "chimes.conformance.child", *arguments, "--traced"]
            self._running = Sandbox(argv, mounts=self.place.mounts, env=self.env, limits=self.place.limits)
        else:
            argv = [self.place.python, "-P", "-m", "chimes.conformance.child", *arguments]
            self._running = Plain(argv, self.env)
        self._preloaded = False

    def stop(self) -> None:
        """End the child, keep what was seen of it."""
        running, self._running = self._running, None
        if running is None:
            return
        running.kill()
        if isinstance(running, Sandbox):
            self.note(running.events())
        self.logs.append(running.stderr_tail())

    def note(self, events: Any) -> None:
        """Keep events."""
        self.events.update(events)

    def number(self) -> int:
        """A number for the next operation's mark in the trace."""
        self._numbers += 1
        return self._numbers

    def send(self, header: dict[str, Any], blobs: list[bytes], step: str) -> None:
        """Write a frame. Raises StepFailedError if nobody reads."""
        if self._running is None:
            self.start()
        assert self._running is not None
        try:
            write_frame(self._running.stdin.fileno(), header, blobs)
        except ClosedError:
            self.give_up(step, "crashed")

    def ask(self, header: dict[str, Any], blobs: list[bytes], step: str, timeout_s: float) -> tuple[Any, list[bytes]]:
        """Write a frame and wait for its answer. Raises StepFailedError."""
        self.send(header, blobs, step)
        assert self._running is not None
        deadline = time.monotonic() + timeout_s
        try:
            answer, received = read_frame(self._running.stdout.fileno(), deadline=deadline)
        except TimedOutError:
            self.give_up(step, "time")
        except (ClosedError, BrokenFrameError):
            self.give_up(step, "crashed")
        if "ended" in answer:
            self.give_up(step, "crashed")
        if answer.get("audited"):
            self.note(audited(answer["audited"]))
        if answer.get("ok") is not True:
            self.raise_error(step, answer.get("error"))
        return answer.get("value"), received

    def read_end(self, timeout_s: float = 30) -> None:
        """Wait until the child says that a killed session is gone. Raises StepFailedError."""
        assert self._running is not None
        try:
            answer, _ = read_frame(self._running.stdout.fileno(), deadline=time.monotonic() + timeout_s)
        except (TimedOutError, ClosedError, BrokenFrameError):
            answer = {}
        if "ended" not in answer:
            self.give_up("killing the client", "crashed")

    def raise_error(self, step: str, error: Any) -> None:
        """Raise the exception that the child described, in words that are ours."""
        told = error if isinstance(error, dict) else {}
        self.logs.append(str(told.get("traceback", "")))
        code = told.get("code") if told.get("code") in CODES else None
        kind = told.get("type") if code is None and told.get("type") in BUILTINS else None
        cause = "memory" if kind == "MemoryError" else "own"
        raise StepFailedError(step, cause=cause, code=code, kind=kind, said=str(told.get("said", ""))[:2000])

    def give_up(self, step: str, cause: str) -> None:
        """End a child that broke off, and raise StepFailedError with what watcher and trace know of the cause."""
        running = self._running
        if cause == "time":
            self.exhausted.add(step)
        known = running.cause() if isinstance(running, Sandbox) else None
        tail = running.stderr_tail() if running is not None else ""
        self.stop()
        raise StepFailedError(step, cause=known or cause, said=tail.strip()[-2000:])


def audited(told: Any) -> list[Event]:
    """Events as the audit hook of a child without a sandbox tells them."""
    return [Event(kind=kind, action=action, target=target, refused=False) for kind, action, target in told or ()]


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
        if step in self._children.exhausted:
            # It used up its time once: what takes for ever is not waited for again by every check.
            raise StepFailedError(step, cause="time", kind="TimeoutError")
        try:
            value, received = self._children.ask(header, blobs, step, timeout_s or self._timeout_s)
        except StepFailedError as failure:
            self._open = failure.cause == "own" or failure.kind is not None
            raise
        try:
            return decode(value, received)
        except ChimesError as error:
            raise StepFailedError(step, kind="TypeError", said=str(error)) from error

    def kill(self) -> None:
        """End this session as a client that is killed."""
        self._open = False
        children = self._children
        children.send({"op": "die", "args": {"$dict": []}}, [], "killing the client")
        children.read_end()

    def end(self) -> None:
        """Say goodbye, if there is still somebody."""
        if self._open:
            self._open = False
            with contextlib.suppress(StepFailedError):
                self._children.ask({"op": "end", "args": {"$dict": []}}, [], "ending the session", 30)
