"""The child processes of one component or one import, started one after another, and their events.

Every failure of a child becomes a ``StepFailedError``. If a child has ended, the next session starts a new one.
"""

from __future__ import annotations

import builtins
import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, get_args

from chimes import errors
from chimes.errors import ChimesError
from chimes.processes import scratch_folder
from chimes.rpc.bootstrap import GOODBYE
from chimes.rpc.codec import decode, encode
from chimes.rpc.failure import ANSWERS, StepFailedError
from chimes.rpc.frames import BrokenFrameError, ClosedError, TimedOutError
from chimes.rpc.process import Answer, ChildProcess, Place, SessionSocket
from chimes.sandbox import Cause, Event
from chimes.sandbox.events import Kind

__all__ = ["INSIDE_ROOT", "Children", "RemoteSession", "parse_events"]

INSIDE_ROOT = "/work/run"
PREPARE_S, CLEAN_S = 120.0, 30.0
SOON_ENDED = ("processes", "killed")
STARTING, ENDING, KILLING = "starting a session", "ending the session", "killing the client"
ERROR_CODES = frozenset(getattr(errors, name).code for name in errors.__all__ if name.endswith("Error"))
BUILTIN_ERRORS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)


class Children:
    """The children in one place, at most one at a time.

    ``events``: the events of children that have ended. ``logs``: their output. ``exhausted``: the steps that used up
    their time, with the cause.
    """

    def __init__(self, place: Place, env: dict[str, str]) -> None:
        self.place = place
        self.env = env
        self.events: set[Event] = set()
        self.logs: list[str] = []
        self.exhausted: dict[str, Cause] = {}
        self._child: ChildProcess | None = None
        self._prepared = False
        self._folders = contextlib.ExitStack()
        self._folder: Path | None = None

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
        """Whether no child runs: the next session starts a new one, with empty folders."""
        return self._child is None

    def run(self, function: str, step: str, timeout_s: float, **arguments: Any) -> Any:
        """Call a function of the program in the first process of a fresh child; the answer is not trusted.

        Raises StepFailedError.
        """
        self.refuse_exhausted(step)
        self.stop()
        child = self.child()
        deadline = time.monotonic() + timeout_s
        with self.named(step), contextlib.closing(child.run(function, arguments, deadline)) as session:
            answer = session.receive(deadline)
            if child.has_message():
                raise BrokenFrameError("a message that answers no request")
        return self.conclude(step, answer).value

    @contextlib.contextmanager
    def session(self, timeout_s: float) -> Iterator[RemoteSession]:
        """A new process inside a child; it ends with the block.

        Raises StepFailedError, also if the process ends in another way than as agreed.
        """
        self.refuse_exhausted(STARTING)
        self.prepare()
        arguments = {
            "distribution": self.place.distribution,
            "site": self.place.site,
            "root": self.root,
            "watched": not self.place.sandboxed,
        }
        with self.named(STARTING):
            opened = self.child().fork("session", arguments, time.monotonic() + timeout_s)
        with contextlib.closing(opened):
            session = RemoteSession(self, opened, timeout_s)
            try:
                yield session
            except BaseException:
                with contextlib.suppress(StepFailedError):
                    session.end()
                raise
            session.end()

    def prepare(self) -> None:
        """Let the child import what every session needs, once. Raises StepFailedError."""
        if not self._prepared:
            step = "starting the child"
            self.refuse_exhausted(step)
            with self.named(step):
                answer = self.child().ask("prepare", time.monotonic() + PREPARE_S)
            self.conclude(step, answer)
            self._prepared = True

    def clean(self) -> None:
        """End the processes that sessions left running (in a sandbox only)."""
        if self._child is not None and self.place.sandboxed:
            left = None
            with contextlib.suppress(TimedOutError, ClosedError, BrokenFrameError):
                left = self._child.ask("clean", time.monotonic() + CLEAN_S).value
            if left != 0:
                self.stop()

    def child(self) -> ChildProcess:
        """The running child; it is started if necessary. Raises InfrastructureError."""
        if self._child is None:
            env = self.env
            if not self.place.sandboxed:
                tmp = Path(self.root, "tmp")
                tmp.mkdir(exist_ok=True)
                env = {**env, "TMPDIR": str(tmp)}
            self._child = ChildProcess(self.place, env)
            self._prepared = False
        return self._child

    def stop(self) -> None:
        """End the child; keep its events and its output."""
        child, self._child, self._prepared = self._child, None, False
        if child is not None:
            child.kill()
            self.events.update(child.events())
            self.logs.append(child.stderr_tail())

    def refuse_exhausted(self, step: str) -> None:
        """Raise StepFailedError for a step that used up its time before, so that not every check waits for it again."""
        if step in self.exhausted:
            if step in (ENDING, KILLING):
                self.stop()
            raise StepFailedError(step, cause=self.exhausted[step])

    @contextlib.contextmanager
    def named(self, step: str) -> Iterator[None]:
        """Turn an error of a socket into StepFailedError, and end the child."""
        try:
            yield
        except TimedOutError:
            self.give_up(step, "time")
        except ClosedError:
            self.give_up(step, "crashed")
        except BrokenFrameError as broken:
            self.give_up(step, "own", answer="broken", said=str(broken))

    def conclude(self, step: str, answer: Answer) -> Answer:
        """Return the answer. Raises StepFailedError for an exception, and if the sandbox is about to end the child."""
        if self._child is not None and self._child.cause() in SOON_ENDED:
            # It may be ended at any later step: the result must not depend on that.
            self.give_up(step, "crashed")
        self.events.update(parse_events(answer.events))
        if not answer.ok:
            self.raise_error(step, answer.error)
        return answer

    def wait_for_session(self, step: str, timeout_s: float, *, agreed: bool) -> None:
        """Wait until the session has ended. Raises StepFailedError unless it ended as agreed."""
        with self.named(step):
            status = self.child().wait_for_session(time.monotonic() + timeout_s)
        if agreed and status != GOODBYE:
            self.give_up(step, "crashed")

    def raise_error(self, step: str, error: Any) -> NoReturn:
        """Raise StepFailedError for the exception that a child describes; only known error names are kept."""
        described: Mapping[str, Any] = error if isinstance(error, dict) else {}
        self.logs.append(str(described.get("traceback", ""))[:8000])
        code, kind, answer = (str(described.get(name)) for name in ("code", "type", "answer"))
        said = str(described.get("said", ""))[:2000]
        if described.get("full") is True and self._child is not None and self._child.cause() == "disk":
            # The files that fill the disk remain: the next step would also fail.
            self.give_up(step, "disk", said=said)
        raise StepFailedError(
            step,
            cause="memory" if kind == "MemoryError" else "own",
            code=code if code in ERROR_CODES else None,
            kind=kind if kind in BUILTIN_ERRORS and code not in ERROR_CODES else None,
            answer=answer if answer in ANSWERS else None,
            said=said,
        )

    def give_up(self, step: str, cause: Cause, *, answer: str | None = None, said: str = "") -> NoReturn:
        """End the child, and raise StepFailedError with the cause that the sandbox knows."""
        child = self._child
        known = child.cause() if child is not None else None
        tail = child.stderr_tail() if child is not None else ""
        if cause == "time":
            self.exhausted[step] = known or cause
        self.stop()
        raise StepFailedError(step, cause=known or cause, answer=answer, said=said or tail.strip()[-2000:], ended=True)


def parse_events(answered: Any) -> list[Event]:
    """The events that a child without a sandbox reports about itself; invalid ones are left out."""
    lines = [line for line in answered if isinstance(line, list)] if isinstance(answered, list) else []
    return [
        Event(kind=line[0], action=line[1], target=line[2], refused=False)
        for line in lines
        if len(line) == 3 and all(isinstance(word, str) for word in line) and line[0] in get_args(Kind)
    ]


class RemoteSession:
    """One session: requests operations and returns their values."""

    def __init__(self, children: Children, opened: SessionSocket, timeout_s: float) -> None:
        self._children = children
        self._socket = opened
        self._timeout_s = timeout_s
        self._open = True

    def do(self, operation: str, *, step: str | None = None, timeout_s: float | None = None, **arguments: Any) -> Any:
        """Request an operation. Raises StepFailedError."""
        step = step or operation
        try:
            answer = self._ask(operation, arguments, step, timeout_s or self._timeout_s)
        except StepFailedError as failure:
            self._open = not failure.ended
            raise
        try:
            return decode(answer.value, list(answer.blobs))
        except ChimesError as error:
            raise StepFailedError(step, answer="type", said=str(error)) from error

    def kill(self) -> None:
        """Kill the process of this session, as a client may be killed. Raises StepFailedError."""
        self._open = False
        self._send("die", {}, KILLING, time.monotonic() + self._timeout_s)
        self._children.wait_for_session(KILLING, self._timeout_s, agreed=False)

    def end(self) -> None:
        """End the session if it is open. Raises StepFailedError if it ends in another way than as agreed."""
        if self._open:
            self._open = False
            self._ask("end", {}, ENDING, self._timeout_s)
            self._children.wait_for_session(ENDING, self._timeout_s, agreed=True)

    def _ask(self, operation: str, arguments: dict[str, Any], step: str, timeout_s: float) -> Answer:
        deadline = time.monotonic() + timeout_s
        self._send(operation, arguments, step, deadline)
        with self._children.named(step):
            answer = self._socket.receive(deadline)
        return self._children.conclude(step, answer)

    def _send(self, operation: str, arguments: dict[str, Any], step: str, deadline: float) -> None:
        self._children.refuse_exhausted(step)
        blobs: list[bytes] = []
        request = {"op": operation, "args": encode(arguments, blobs)}
        with self._children.named(step):
            self._socket.send(request, blobs, deadline)
