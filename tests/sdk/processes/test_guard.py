"""A killed process leaves no guarded folder and no guarded process."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.processes import PIPE, Process, run
from chimes.processes.proc import has_exited

KILLED = """
import os, sys, threading
from pathlib import Path
from chimes.processes import Process, run, scratch_folder
from chimes.processes.guard import removed_at_end
SLEEP = "import os, sys, time; os.closerange(0, 3); {before}; "
SLEEP += "print(os.getpid(), file=open(sys.argv[1], 'a'), flush=True); time.sleep(300)"
def sleeper(before="0"):
    return [sys.executable, "-c", SLEEP.format(before=before), os.environ["PIDS"]]
def done():
    print("ready", flush=True)
    threading.Event().wait()
"""
"""The start of a program that is killed once it has printed a line."""


def until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Wait until the condition holds; fail after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(0.02)


class Victim:
    """A process with its own temporary folder and cache; it and its children write their pids to a file."""

    def __init__(self, folder: Path) -> None:
        self.tmp, self.cache, self.pids = folder / "tmp", folder / "cache", folder / "pids"
        self.tmp.mkdir()

    def start(self, program: str) -> Process:
        env = {"PIDS": str(self.pids), "TMPDIR": str(self.tmp), "CHIMES_CACHE_DIR": str(self.cache)}
        return Process([sys.executable, "-c", KILLED + program], env={**os.environ, **env}, stdout=PIPE)

    def started(self) -> list[int]:
        return [int(line) for line in self.pids.read_text().split()] if self.pids.exists() else []

    def left(self) -> list[Path]:
        return [*self.tmp.iterdir(), *(path for path in self.cache.rglob(".*") if not path.name.startswith(".lock"))]


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    return Victim(tmp_path)


FOLDERS = {
    "a folder": "with scratch_folder('a-'): done()",
    "a folder in a folder": "with scratch_folder('a-') as a, scratch_folder('b-', parent=a): done()",
    "files and links": (
        "with scratch_folder('a-') as a:\n"
        "    (a / 'file').write_text('x'); (a / 'link').symlink_to('/usr'); os.mkfifo(a / 'pipe'); done()"
    ),
    "a read-only folder": (
        "with scratch_folder('a-') as a:\n"
        "    (a / 'b' / 'c').mkdir(parents=True); (a / 'b' / 'c' / 'file').write_text('x')\n"
        "    (a / 'b' / 'c').chmod(0o500); (a / 'b').chmod(0o500); a.chmod(0o500); done()"
    ),
    "a name with every character": "with scratch_folder('a\\n \\'\"\\u00e9\\udcff-'): done()",
    "a folder of another thread": (
        "def hold():\n    with scratch_folder('a-'): done()\nthreading.Thread(target=hold).start()"
    ),
    "a folder of a forked process": (
        "with scratch_folder('a-'):\n"
        "    if os.fork() == 0:\n"
        "        print(os.getpid(), file=open(os.environ['PIDS'], 'a'), flush=True)\n"
        "        with scratch_folder('b-'): done()\n"
        "    threading.Event().wait()"
    ),
    "an unfinished folder of the cache": (
        "from chimes.environments.cache import kept\nkept('shelf', 'digest', lambda path: (path.mkdir(), done()))"
    ),
    "a file": ("file = Path(os.environ['TMPDIR'], 'file')\nwith removed_at_end(file):\n    file.touch(); done()"),
}


@pytest.mark.parametrize("program", FOLDERS.values(), ids=FOLDERS)
def test_a_killed_process_leaves_no_temporary_folder(victim: Victim, program: str) -> None:
    process = victim.start(program)
    assert process.stdout.readline() == b"ready\n"
    assert victim.left()
    for pid in (process.pid, *victim.started()):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until(lambda: not victim.left())


CHILDREN = {
    "a child": "p = Process(sleeper(), guarded=True)",
    "a child whose environment was replaced": "p = Process(sleeper(), env={'A': 'b'}, guarded=True)",
    "a child in a session of its own": "p = Process(['setsid', *sleeper()], guarded=True)",
    "a grandchild": "p = Process(['sh', '-c', '\"$@\" & wait', 'sh', *sleeper()], guarded=True)",
    "an orphan": "run(['sh', '-c', '\"$@\" &', 'sh', *sleeper()], guarded=True)",
    "an orphan in a session of its own": "run(['setsid', '-f', *sleeper()], guarded=True)",
    "a child that ignores signals": (
        "p = Process(sleeper('import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]'), guarded=True)"
    ),
    "a stopped child": "p = Process(sleeper(), guarded=True); stopped = 1",
    "a child that has cleared its environment": "p = Process(['env', '-i', 'A=b', *sleeper()], guarded=True)",
    "a child of a waiting thread": "threading.Thread(target=run, args=(sleeper(),), kwargs={'guarded': True}).start()",
}


@pytest.mark.parametrize("program", CHILDREN.values(), ids=CHILDREN)
def test_a_killed_process_leaves_no_guarded_process(victim: Victim, program: str) -> None:
    process = victim.start(f"{program}\ndone()")
    assert process.stdout.readline() == b"ready\n"
    until(lambda: len(victim.started()) == 1)
    (child,) = victim.started()
    if "stopped = 1" in program:
        os.kill(child, signal.SIGSTOP)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until(lambda: has_exited(child))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGKILL])
def test_every_signal_that_ends_a_process_leaves_no_folder(victim: Victim, number: signal.Signals) -> None:
    process = victim.start("with scratch_folder('a-'):\n    p = Process(sleeper(), guarded=True)\n    done()")
    assert process.stdout.readline() == b"ready\n"
    until(lambda: len(victim.started()) == 1)
    os.kill(process.pid, number)
    process.wait()
    process.stdout.close()
    until(lambda: not victim.left() and has_exited(victim.started()[0]))


def test_a_killed_tree_leaves_no_folder(victim: Victim) -> None:
    process = victim.start("with scratch_folder('a-'):\n    p = Process(sleeper(), guarded=True)\n    done()")
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.stdout.close()
    until(lambda: not victim.left())


def test_a_process_that_is_not_guarded_survives(victim: Victim) -> None:
    process = victim.start("with scratch_folder('a-'):\n    p = Process(sleeper())\n    done()")
    assert process.stdout.readline() == b"ready\n"
    until(lambda: len(victim.started()) == 1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until(lambda: not victim.left())
    (survivor,) = victim.started()
    assert not has_exited(survivor)
    os.kill(survivor, signal.SIGKILL)


def test_a_normal_end_removes_folders_and_kills_no_process(victim: Victim) -> None:
    program = "with scratch_folder('a-'):\n    run(['setsid', '-f', *sleeper()], guarded=True)"
    done = run(
        [sys.executable, "-c", KILLED + program],
        env={**os.environ, "PIDS": str(victim.pids), "TMPDIR": str(victim.tmp), "CHIMES_CACHE_DIR": str(victim.cache)},
    )
    assert done.returncode == 0, done.text
    assert not victim.left()
    until(lambda: len(victim.started()) == 1)
    (survivor,) = victim.started()
    assert not has_exited(survivor)
    os.kill(survivor, signal.SIGKILL)
