"""The first process of a child: receives a socket for each session, and lets a program serve it.

Run as ``python -P bootstrap.py PROGRAM``, with a control socket (SOCK_SEQPACKET, one JSON object in each message) as
standard input. PROGRAM is a module's dotted name, or a file. Messages that the child receives:

- ``prepare``: call the program's ``prepare()``, which imports what every session needs.
- ``fork``, with a session's socket: serve the session in a forked process, then report its exit status.
- ``run``, with a session's socket: serve it in this process, which reads no more messages.
- ``clean``: end the processes that earlier sessions left running.

The first frame on a session's socket names the function of the program to call and its arguments. A process
that serves a session has no control socket, and no socket of any other session. So a process that a session leaves
running only holds a socket whose other end is closed. This file needs only the standard library, because it also runs
where the SDK is not installed.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["GOODBYE", "Connection", "describe", "main"]

GOODBYE = 42
"""Exit status of a session that ended as agreed."""
FAILED = 70
MESSAGE_BYTES = 1 << 16
CLEANING_ROUNDS = 100
OUT_OF_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def load(program: str) -> ModuleType:
    """Import a module by its dotted name, or a file by its path."""
    if not program.endswith(".py"):
        return importlib.import_module(program)
    # By its path, because sys.path may contain another module of this name.
    spec = importlib.util.spec_from_file_location(f"_chimes_{Path(program).stem}", program)
    if spec is None or spec.loader is None:
        raise ImportError(program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


frames = load(str(Path(__file__).with_name("frames.py")))


class Connection:
    """A session's socket: the requests that come in, and one answer to each.

    ``events``: the side effects that this process reports about itself, sent with every answer.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._number: Any = None
        self.events: list[list[str]] | None = None
        # A process that this one forks has no session to serve.
        os.register_at_fork(after_in_child=self._socket.close)

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        """The next request. Raises ClosedError at the end."""
        header, blobs = frames.read_frame(self._socket)
        self._number = header["number"]
        return header, blobs

    def answer(self, value: Any, blobs: Sequence[bytes] = ()) -> None:
        """Answer the last request. Raises the errors of ``write_frame`` for a value that cannot be sent."""
        frames.write_frame(
            self._socket, {"number": self._number, "ok": True, "value": value, "events": self.events}, blobs
        )

    def fail(self, error: BaseException) -> None:
        """Answer the last request with an exception."""
        header = {"number": self._number, "ok": False, "error": describe(error), "events": self.events}
        frames.write_frame(self._socket, header)

    def answer_with(self, step: Callable[[], Any]) -> None:
        """Answer the last request with what ``step`` returns, or with the exception that it raises."""
        try:
            self.answer(step())
        except frames.ClosedError:
            raise
        except Exception as error:
            self.fail(error)

    def wait_for_end(self) -> None:
        """Wait until the other side closes the socket."""
        with contextlib.suppress(OSError):
            self._socket.recv(1)


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as JSON: its type, its code where it is a ChimesError, and its text."""
    family = [(kind.__module__, kind.__name__) for kind in type(error).__mro__]
    return {
        "type": type(error).__name__ if type(error).__module__ in ("builtins", "chimes.errors") else None,
        "code": str(getattr(error, "code", None)) if ("chimes.errors", "ChimesError") in family else None,
        "answer": "large" if type(error).__name__ == "BrokenFrameError" else None,
        "full": isinstance(error, OSError) and error.errno in OUT_OF_DISK,
        "said": _text(error)[:2000],
        "traceback": "".join(traceback.format_exception(error))[-8000:],
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text cannot be read)"


class FirstProcess:
    """Reads the control socket, and starts a process for each session."""

    def __init__(self, program: str) -> None:
        self._control = _take_standard_input()
        self._program = load(program)

    def serve(self) -> None:
        """Carry out the messages until the other side closes the control socket."""
        while message := self._receive():
            request, descriptors = message
            match request["op"]:
                case "fork":
                    self._answer(request, functools.partial(self._fork, descriptors[0]))
                case "run":
                    self._run(descriptors[0])
                    return
                case "prepare":
                    self._answer(request, self._program.prepare)
                case "clean":
                    self._answer(request, _end_leftovers)

    def _receive(self) -> tuple[dict[str, Any], list[int]] | None:
        data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        return (json.loads(data), descriptors) if data else None

    def _answer(self, request: dict[str, Any], step: Callable[[], Any]) -> None:
        try:
            answer = {"ok": True, "value": step()}
        except Exception as error:
            answer = {"ok": False, "error": describe(error)}
        self._control.send(json.dumps({"number": request["number"], **answer}).encode("utf-8"))

    def _fork(self, session: int) -> int:
        """Serve a session in a forked process; its exit status (a signal as a negative number)."""
        pid = os.fork()
        if pid == 0:
            self._serve_and_exit(session)
        os.close(session)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _serve_and_exit(self, session: int) -> None:
        try:
            self._control.close()
            self._call(Connection(session))
        except frames.ClosedError:
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(FAILED)
        os._exit(GOODBYE)

    def _run(self, session: int) -> None:
        self._control.close()
        connection = Connection(session)
        self._call(connection)
        # The other side ends this process, so that no exit handlers run: their events might be observed or not.
        connection.wait_for_end()

    def _call(self, connection: Connection) -> None:
        request, _ = connection.receive()
        getattr(self._program, request["function"])(connection, **request["arguments"])


def _take_standard_input() -> socket.socket:
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return control


def _end_leftovers() -> int:
    """End the processes that earlier sessions left running; return how many could not be ended."""
    # In a sandbox bubblewrap is process 1 and this one 2: all others were left by sessions.
    left = _others() if os.getpid() == 2 else []
    for _ in range(CLEANING_ROUNDS):
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            break
        left = _others()
    return len(left)


def _others() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and int(entry) > 2 and not _is_gone(entry)]


def _is_gone(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def main(program: str) -> None:
    """Serve sessions with a program."""
    FirstProcess(program).serve()


if __name__ == "__main__":
    main(sys.argv[1])
