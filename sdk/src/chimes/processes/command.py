"""Starts commands, gives them input, and collects their output."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from chimes.errors import InfrastructureError
from chimes.processes.guard import guard_process, marked_environment
from chimes.processes.tree import kill_tree

__all__ = ["DEVNULL", "PIPE", "Completed", "Process", "run"]

PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL


@dataclass(frozen=True)
class Completed:
    """The result of a command: ``returncode`` (negative: the signal), its output up to the limit."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    truncated: bool = False

    @property
    def text(self) -> str:
        """Both streams as text, for a person."""
        return (self.stdout + self.stderr).decode("utf-8", "replace").strip()


class Process:
    """A started command in a session of its own, so that its tree can be found and ended."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | str | None = None,
        stdin: int | IO[bytes] | None = DEVNULL,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
        pass_fds: Iterable[int] = (),
        before_exec: Callable[[], None] | None = None,
        guarded: bool = False,
    ) -> None:
        """Start it. Raises InfrastructureError if the executable does not exist or may not be run.

        ``guarded``: it and its descendants are ended even when this process is killed with SIGKILL.
        ``before_exec`` runs in the new process before the command does: only for callers without threads.
        """
        self.argv = tuple(argv)
        try:
            self._popen = subprocess.Popen(
                self.argv,
                env=marked_environment(env) if guarded else None if env is None else dict(env),
                cwd=cwd,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=tuple(pass_fds),
                preexec_fn=before_exec,  # noqa: PLW1509 - the caller has promised that it has no threads
                start_new_session=True,
            )
        except OSError as error:
            raise InfrastructureError(
                f"cannot start {self.argv[0]!r}: {error.strerror}", hint="is it installed and executable?"
            ) from error
        self.pid = self._popen.pid
        if guarded:
            guard_process(self.pid)
        self.stdin: Any = self._popen.stdin
        self.stdout: Any = self._popen.stdout
        self.stderr: Any = self._popen.stderr

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return self._popen.poll()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end; None if it still runs after ``timeout_s``."""
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> int:
        """End the whole tree at once and reap it."""
        if self._popen.poll() is None:
            kill_tree(self.pid)
        status: int = self._popen.wait()
        return status


def run(
    argv: Sequence[str],
    *,
    timeout_s: float = 600,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    stdin: bytes | None = None,
    max_output_bytes: int = 16 << 20,
    guarded: bool = False,
) -> Completed:
    """Run a command to its end, or end it after ``timeout_s``; keep at most ``max_output_bytes`` of each stream.

    ``guarded``: it and its descendants are ended even when this process is killed with SIGKILL.
    """
    source = DEVNULL if stdin is None else PIPE
    process = Process(argv, env=env, cwd=cwd, stdin=source, stdout=PIPE, stderr=PIPE, guarded=guarded)
    streams = [_Drain(process.stdout, max_output_bytes), _Drain(process.stderr, max_output_bytes)]
    if stdin is not None:
        threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True).start()
    status = process.wait(timeout_s)
    timed_out = status is None
    if timed_out:
        status = process.kill()
    out, err = (stream.finish() for stream in streams)
    truncated = any(stream.truncated for stream in streams)
    return Completed(tuple(argv), status or 0, out, err, timed_out, truncated)


class _Drain(threading.Thread):
    """Reads a stream to its end, so that the writer never blocks, and keeps the first bytes."""

    def __init__(self, stream: IO[bytes], cap: int) -> None:
        super().__init__(daemon=True)
        self._stream, self._cap, self._kept = stream, cap, bytearray()
        self.truncated = False
        self.start()

    def run(self) -> None:
        with self._stream:
            while chunk := self._stream.read1(65_536):  # type: ignore[attr-defined]
                room = self._cap - len(self._kept)
                self.truncated |= len(chunk) > room
                self._kept += chunk[:room]

    def finish(self) -> bytes:
        # A descendant that left the session may hold the pipe open; the output so far is used.
        self.join(5)
        return bytes(self._kept)


def _feed(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, OSError), stream:
        stream.write(data)
