"""Runs commands and ends their whole process tree: the only place that starts processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from chimes.errors import InfrastructureError

__all__ = ["PIPE", "Completed", "Process", "descendants", "kill_tree", "run"]

PIPE = subprocess.PIPE
DEVNULL = subprocess.DEVNULL


@dataclass(frozen=True)
class Completed:
    """What became of a command: ``returncode`` (negative: the signal), its output up to the cap."""

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
    ) -> None:
        """Start it. Raises InfrastructureError if there is no such executable or it may not be run.

        ``before_exec`` runs in the new process before the command does: only for callers without threads.
        """
        self.argv = tuple(argv)
        try:
            self._popen = subprocess.Popen(
                self.argv,
                env=None if env is None else dict(env),
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
) -> Completed:
    """Run a command to its end, or end it after ``timeout_s``; keep at most ``max_output_bytes`` of each stream."""
    process = Process(argv, env=env, cwd=cwd, stdin=PIPE if stdin is not None else DEVNULL, stdout=PIPE, stderr=PIPE)
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
        # A grandchild that left the session may hold the pipe open for ever: what came so far is the output.
        self.join(5)
        return bytes(self._kept)


def _feed(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, OSError), stream:
        stream.write(data)


def descendants(pid: int) -> list[int]:
    """The processes below ``pid``, children first, from ``/proc``; empty where there is none."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def _parent(entry: Path) -> int | None:
    try:
        fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    # A leader whose other threads live on also shows as a zombie: it is not dead.
    return None if fields[0] == "Z" and int(fields[17]) <= 1 else int(fields[1])


def kill_tree(pid: int, *, grace_s: float = 0.0) -> None:
    """End ``pid``, its process group and all its descendants: SIGTERM, after ``grace_s`` SIGKILL."""
    if grace_s > 0:
        _signal_all(pid, signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and _alive(pid):
            time.sleep(0.02)
    # Stopped first, so that nobody forks while the tree is walked.
    _signal_all(pid, signal.SIGSTOP)
    _signal_all(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    return _parent(Path("/proc") / str(pid)) is not None


def _signal_all(pid: int, number: signal.Signals) -> None:
    targets = [pid, *descendants(pid)]
    with contextlib.suppress(OSError):
        os.killpg(pid, number)
    for target in targets:
        with contextlib.suppress(OSError):
            os.kill(target, number)
