from __future__ import annotations

import os
import select
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.processes import PIPE, Process
from chimes.sandbox import Limits, Sandbox

Inside = Callable[..., Any]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        select.select([], [], [], 0.02)
    return condition()


@pytest.mark.parametrize("trace", [True, False])
def test_pipes_carry_bytes_both_ways(trace: bool) -> None:
    with Sandbox(["/usr/bin/cat"], trace=trace) as sandbox:
        sandbox.stdin.write(b"\x00\xff one\n")
        assert sandbox.stdout.read(100) == b"\x00\xff one\n"
        assert (sandbox.poll(), sandbox.wait(0.01)) == (None, None)
        sandbox.stdin.close()
        assert sandbox.wait(20) == 0
        assert (sandbox.poll(), sandbox.cause()) == (0, None)


@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(3)", 3), ("import os; os.abort()", 134)])
def test_the_exit_status_is_that_of_a_shell(inside: Inside, code: str, status: int, trace: bool) -> None:
    outcome = inside(code, trace=trace)
    assert (outcome.status, outcome.cause) == (status, None)


def test_an_exit_status_of_137_is_not_a_kill(inside: Inside) -> None:
    outcome = inside("raise SystemExit(137)")
    assert (outcome.status, outcome.cause) == (137, None)


def test_a_missing_command_without_a_trace_is_status_127() -> None:
    with Sandbox(["/usr/bin/absent"], trace=False) as sandbox:
        assert sandbox.wait(20) == 127
        assert "/usr/bin/absent" in sandbox.stderr_tail()
        assert sandbox.events() == ()


def test_kill_ends_the_whole_tree_and_may_be_called_twice() -> None:
    code = "import os, time; os.setsid() if os.fork() == 0 else print('up', flush=True); time.sleep(1000)"
    sandbox = Sandbox(["/usr/bin/python3", "-I", "-c", code])
    assert sandbox.stdout.read(10) == b"up\n"
    children = Path(f"/proc/{sandbox.pid}/task/{sandbox.pid}/children").read_text().split()
    sandbox.kill()
    sandbox.kill()
    assert all(is_gone(pid) for pid in (sandbox.pid, *map(int, children)))
    assert (sandbox.poll(), sandbox.cause()) == (137, None)
    assert sandbox.stdin.closed
    assert sandbox.stdout.closed


def test_the_end_of_the_main_process_ends_its_descendants() -> None:
    code = "import os, time; print('up', flush=True) if os.fork() else time.sleep(1000)"
    with Sandbox(["/usr/bin/python3", "-I", "-c", code]) as sandbox:
        assert sandbox.wait(20) == 0
        assert is_gone(sandbox.pid)


def test_the_tail_of_standard_error_is_kept(inside: Inside) -> None:
    outcome = inside("import sys; sys.stderr.write('a' * 100_000 + 'end')")
    assert len(outcome.complained) == 16 << 10
    assert outcome.complained.endswith("aend")


def test_endless_output_ends_at_the_time_limit_and_uses_no_memory() -> None:
    code = """
        import os, threading
        def shout(fd):
            while True:
                os.write(fd, b'verdict: pass' * 1000)
        threading.Thread(target=shout, args=(1,)).start()
        shout(2)
    """
    with Sandbox(["/usr/bin/python3", "-I", "-c", textwrap.dedent(code)], limits=Limits(wall_s=1)) as sandbox:
        assert sandbox.wait(30) == 137
        assert sandbox.cause() == "time"
        assert len(sandbox.stderr_tail()) <= 16 << 10
        assert len(sandbox.stdout.read(1 << 24)) <= 1 << 20


def test_a_sandbox_outlives_the_thread_that_made_it() -> None:
    made: list[Sandbox] = []
    thread = threading.Thread(target=lambda: made.append(Sandbox(["/usr/bin/cat"])))
    thread.start()
    thread.join()
    with made[0] as sandbox:
        sandbox.stdin.write(b"still here")
        assert sandbox.stdout.read(100) == b"still here"


def test_a_sandbox_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "judge.py"
    script.write_text(
        "import signal\n"
        "from chimes.sandbox import Sandbox\n"
        "sandbox = Sandbox(['/usr/bin/sleep', '1000'])\n"
        "print(sandbox.pid, flush=True)\n"
        "signal.pause()\n"
    )
    judge = Process([sys.executable, str(script)], stdout=PIPE)
    pid = int(judge.stdout.readline())
    assert not is_gone(pid)
    os.kill(judge.pid, signal.SIGKILL)
    judge.wait()
    judge.stdout.close()
    assert wait_until(lambda: is_gone(pid))
