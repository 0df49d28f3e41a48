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
KILL_S = 5.0


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


def descendants(*pids: int) -> list[int]:
    """The processes below ``pids``, children first, from ``/proc``; empty where there is none."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir() if Path("/proc").is_dir() else ():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], list(pids)
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def kill_tree(pid: int, *, grace_s: float = 0.0) -> None:
    """End ``pid``, its process group and all its descendants: SIGTERM, after ``grace_s`` SIGKILL.

    Returns once none of them runs, at the latest ``KILL_S`` after the SIGKILL: what waits for a device ends later.
    """
    tree = _Tree(pid)
    if grace_s > 0:
        tree.signal(signal.SIGTERM)
        tree.wait(grace_s)
    # Stopped first, so that nobody forks while the tree is walked.
    tree.signal(signal.SIGSTOP)
    tree.signal(signal.SIGKILL)
    tree.wait(KILL_S)


class _Tree:
    """A process and all that was seen below it: who loses its parent on the way out still belongs to it."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._seen: dict[int, str] = {}

    def signal(self, number: signal.Signals) -> None:
        """Send ``number`` to the group of the root and to everybody who is or was below it."""
        living = self._living()
        self._seen |= {pid: _began(pid) for pid in [*living, *descendants(self._root, *living)]}
        with contextlib.suppress(OSError):
            os.killpg(self._root, number)
        for pid in {self._root, *self._living()}:
            with contextlib.suppress(OSError):
                os.kill(pid, number)

    def wait(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and (_began(self._root) or self._living()):
            time.sleep(0.01)

    def _living(self) -> list[int]:
        # By its start, too: the number of a process that has ended may be another's by now.
        return [pid for pid, began in self._seen.items() if began and _began(pid) == began]


def _parent(entry: Path) -> int | None:
    fields = _stat(entry)
    return None if fields is None else int(fields[1])


def _began(pid: int) -> str:
    """The tick at which ``pid`` started; empty when it does not run."""
    fields = _stat(Path("/proc") / str(pid))
    return "" if fields is None else fields[19]


def _stat(entry: Path) -> list[str] | None:
    """What ``/proc/PID/stat`` says from the state on; None for who is gone or waits to be reaped."""
    try:
        fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    # A leader whose other threads live on also shows as a zombie: it is not dead.
    return None if fields[0] == "Z" and int(fields[17]) <= 1 else fields
