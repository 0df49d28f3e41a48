from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from chimes.errors import InfrastructureError
from chimes.processes import PIPE, Process, descendants, kill_tree, run

FAMILY = """
import subprocess, sys, time
program = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", program])
time.sleep(60)
"""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_command_gives_its_status_and_both_streams() -> None:
    done = run([sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"])
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert done.text == "out\nerr"


def test_input_reaches_the_command() -> None:
    assert run(["cat"], stdin=b"hello").stdout == b"hello"


def test_output_beyond_the_limit_is_dropped_and_reported() -> None:
    done = run([sys.executable, "-c", "print('x' * 100_000)"], max_output_bytes=1000)
    assert done.truncated
    assert len(done.stdout) == 1000


def test_a_command_that_takes_too_long_is_ended() -> None:
    done = run(["sleep", "60"], timeout_s=0.2)
    assert done.timed_out
    assert done.returncode < 0


def test_a_missing_command_is_an_error_with_a_fix() -> None:
    with pytest.raises(InfrastructureError, match="no-such-command") as caught:
        run(["no-such-command-anywhere"])
    assert caught.value.hint


@pytest.mark.parametrize("grace_s", [0.0, 5.0])
def test_killing_a_tree_ends_grandchildren_in_sessions_of_their_own(grace_s: float) -> None:
    process = Process([sys.executable, "-c", FAMILY], stdout=PIPE)
    grandchild = int(process.stdout.readline())
    assert grandchild in descendants(process.pid)
    kill_tree(process.pid, grace_s=grace_s)
    process.stdout.close()
    assert process.kill() < 0
    assert gone(grandchild)


STUBBORN = """
import signal, subprocess, sys, time
program = (
    "import os, signal, time; os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print(os.getpid(), flush=True); time.sleep(60)"
)
subprocess.Popen([sys.executable, "-c", program])
time.sleep(60)
"""


def test_a_process_that_ignores_sigterm_and_loses_its_parent_is_killed_after_the_grace() -> None:
    process = Process([sys.executable, "-c", STUBBORN], stdout=PIPE)
    grandchild = int(process.stdout.readline())
    kill_tree(process.pid, grace_s=0.3)
    process.stdout.close()
    assert process.wait() == -signal.SIGTERM
    assert gone(grandchild)


def test_a_process_can_be_polled_and_waited_for() -> None:
    process = Process([sys.executable, "-c", "input()"], stdin=PIPE)
    assert process.poll() is None
    assert process.wait(0.01) is None
    process.stdin.close()
    assert process.wait() == 1
    assert descendants(os.getpid()) is not None
