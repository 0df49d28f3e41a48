"""The wrapper around a job, as a real process around real commands."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.jobs import folder as jobfolder
from chimes.jobs.status import read_status
from chimes.processes import PIPE, Process, run

Until = Callable[..., None]

LATE_CHILD = (
    "(setsid sh -c 'trap \"\" TERM; echo $$ > child; exec sleep 60' &) ; while [ ! -s child ]; do sleep 0.01; done"
)
HOARD = "import time\nkept = [bytearray(b'x' * (40 << 20)) for _ in range(8)]\ntime.sleep(60)"
THREAD_STAYS = (
    "import ctypes, os, threading, time\n"
    "open('pid', 'w').write(str(os.getpid()))\n"
    "threading.Thread(target=time.sleep, args=(60,)).start()\n"
    "ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[os.uname().machine], 0)\n"
)
SLOW_END = "trap 'sleep 0.3; echo saved; exit 0' TERM; echo up; while true; do sleep 0.01; done"


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return False


def pid_in(folder: Path, name: str) -> int:
    return int((folder / "work" / name).read_text("ascii"))


def has_words(file: Path) -> Callable[[], bool]:
    return lambda: file.exists() and file.stat().st_size > 0


def test_a_command_that_succeeds_leaves_its_output_and_exit_code_zero(jobs: Any) -> None:
    folder = jobs.start("sh", "-c", "printf out; printf err >&2")
    status = jobs.end(folder)
    assert (status["state"], status["exit_code"], status["reason"], status["fault"]) == (
        "succeeded",
        0,
        "exit_code",
        None,
    )
    assert (folder / "stdout").read_bytes() == b"out"
    assert (folder / "stderr").read_bytes() == b"err"
    assert status["started_at"] <= status["ended_at"] <= status["observed_at"]
    assert (folder / "heartbeat").exists()


def test_the_wrapper_exits_as_its_command_did(jobs: Any) -> None:
    for command, expected in (("exit 3", 3), ("kill -TERM $$", 128 + signal.SIGTERM), ("kill -KILL $$", 137)):
        assert jobs.wrap(jobs.record("sh", "-c", command)).wait(30) == expected


def test_a_failing_command_is_the_users_fault(jobs: Any) -> None:
    status = jobs.run("sh", "-c", "exit 3")
    assert (status["state"], status["exit_code"], status["fault"], status["reason"]) == (
        "failed",
        3,
        "user",
        "exit_code",
    )


def test_a_command_that_crashes_is_failed_with_its_signal(jobs: Any) -> None:
    status = jobs.run("sh", "-c", "kill -SEGV $$")
    assert (status["state"], status["exit_code"], status["signal"], status["fault"]) == (
        "failed",
        None,
        signal.SIGSEGV,
        "user",
    )


def test_a_command_killed_from_outside_has_the_reason_unknown(jobs: Any) -> None:
    status = jobs.run("sh", "-c", "kill -KILL $$")
    assert (status["state"], status["signal"], status["reason"], status["fault"]) == ("failed", 9, "unknown", None)


def test_the_environment_has_only_the_variables_of_the_job(jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_SECRET", "do not leak")
    env = {"PATH": "/usr/bin:/bin", "EMPTY": "", "WORDS": "grün $HOME\n'\"*", "LONG": "x" * 32768}
    folder = jobs.start("env", "-0", env=env)
    assert jobs.end(folder)["state"] == "succeeded"
    lines = (folder / "stdout").read_bytes().decode("utf-8").rstrip("\0").split("\0")
    assert dict(line.split("=", 1) for line in lines) == env


def test_the_command_has_an_empty_input_a_new_folder_and_its_own_session(jobs: Any) -> None:
    program = "import os,sys; print(sys.stdin.read() == '', os.getcwd(), os.listdir(), os.getsid(0) == os.getpid())"
    folder = jobs.start("/usr/bin/python3", "-c", program)
    jobs.end(folder)
    assert (folder / "stdout").read_text() == f"True {folder / 'work'} [] True\n"


def test_signals_that_the_client_ignored_or_blocked_are_reset_for_the_command(jobs: Any) -> None:
    folder = jobs.record("/usr/bin/python3", "-c", "print(open('/proc/self/status').read())")
    program = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGUSR1])\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'chimes.jobs.wrapper', sys.argv[1]])\n"
    )
    assert run([sys.executable, "-c", program, str(folder)], timeout_s=30).returncode == 0
    masks = dict(line.split(":\t") for line in (folder / "stdout").read_text().splitlines() if line.startswith("Sig"))
    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25) in the command; 32 and 33 belong to the C library, which
    # leaves them ignored in posix_spawn (make uses it), and no program can reset them.
    assert int(masks["SigBlk"], 16) == 0
    assert int(masks["SigIgn"], 16) & ~(0b11 << 31) == (1 << 12) | (1 << 24)


def test_a_missing_executable_is_named(jobs: Any) -> None:
    folder = jobs.start("no-such-tool")
    status = jobs.end(folder)
    assert (status["state"], status["reason"], status["fault"], status["exit_code"]) == (
        "failed",
        "unknown",
        "user",
        None,
    )
    assert "'no-such-tool'" in json.loads((folder / "exit.json").read_text())["message"]
    assert b"No such file or directory" in (folder / "stderr").read_bytes()
    assert jobs.wrappers[0].wait(10) == 127


def test_a_missing_working_folder_is_named(jobs: Any) -> None:
    folder = jobs.start("true", workdir="/no/such/folder")
    assert jobs.end(folder)["state"] == "failed"
    assert b"'/no/such/folder' does not exist" in (folder / "stderr").read_bytes()


def test_a_job_over_its_walltime_is_timed_out(jobs: Any) -> None:
    status = jobs.run("sleep", "60", walltime_s=0.3, grace_s=0.1)
    assert (status["state"], status["reason"], status["signal"]) == ("timed_out", "walltime", signal.SIGTERM)


def test_a_job_over_its_walltime_that_ignores_sigterm_is_killed_after_the_grace(jobs: Any) -> None:
    status = jobs.run("sh", "-c", "trap '' TERM; while true; do sleep 0.05; done", walltime_s=0.3, grace_s=0.2)
    assert (status["state"], status["signal"]) == ("timed_out", signal.SIGKILL)


def test_a_job_over_its_memory_limit_ends_with_reason_oom(jobs: Any) -> None:
    status = jobs.run("/usr/bin/python3", "-c", HOARD, memory_bytes=100 << 20)
    assert (status["state"], status["reason"], status["fault"]) == ("failed", "oom", "user")


def test_address_space_is_not_memory(jobs: Any) -> None:
    reserve = "import mmap; m = mmap.mmap(-1, 8 << 30); print(len(m))"
    assert jobs.run("/usr/bin/python3", "-c", reserve, memory_bytes=200 << 20)["state"] == "succeeded"


def test_a_cancelled_job_can_end_in_order_within_the_grace(jobs: Any, until: Until) -> None:
    folder = jobs.start("sh", "-c", SLOW_END)
    until(has_words(folder / "stdout"))
    # The command may print before its start is recorded.
    until(lambda: read_status(folder)["state"] == "running")
    jobfolder.request_cancel(folder, grace_s=20)
    assert read_status(folder)["state"] in ("completing", "cancelled")
    status = jobs.end(folder)
    assert (status["state"], status["reason"], status["exit_code"]) == ("cancelled", "cancelled", 0)
    assert (folder / "stdout").read_bytes() == b"up\nsaved\n"


def test_the_shorter_grace_of_two_requests_applies(jobs: Any, until: Until) -> None:
    folder = jobs.start("sh", "-c", "trap '' TERM; echo up; while true; do sleep 0.05; done")
    until(has_words(folder / "stdout"))
    for grace_s in (600, 0.1, 900):
        jobfolder.request_cancel(folder, grace_s=grace_s)
    assert jobs.end(folder)["signal"] == signal.SIGKILL


def test_sigterm_to_the_wrapper_cancels_with_the_jobs_own_grace(jobs: Any, until: Until) -> None:
    folder = jobs.start("sh", "-c", "trap '' TERM; echo up; while true; do sleep 0.05; done", grace_s=0.1)
    until(has_words(folder / "stdout"))
    os.kill(jobs.wrappers[0].pid, signal.SIGTERM)
    status = jobs.end(folder)
    assert (status["state"], status["signal"]) == ("cancelled", signal.SIGKILL)


def test_a_request_without_a_signal_is_also_found(jobs: Any, until: Until) -> None:
    folder = jobs.start("sleep", "60")
    until(lambda: read_status(folder)["state"] == "running")
    jobfolder.write_record(folder, "cancel.json", {"grace_s": 1})
    assert jobs.end(folder)["state"] == "cancelled"


def test_a_job_cancelled_before_it_starts_never_runs(jobs: Any) -> None:
    folder = jobs.record("sh", "-c", "echo ran")
    jobfolder.request_cancel(folder, grace_s=1)
    jobs.wrap(folder)
    status = jobs.end(folder)
    assert (status["state"], status.get("started_at")) == ("cancelled", None)
    assert (folder / "stdout").read_bytes() == b""


def test_cancelling_an_ended_job_changes_nothing(jobs: Any) -> None:
    folder = jobs.start("true")
    jobs.end(folder)
    jobfolder.request_cancel(folder, grace_s=1)
    assert read_status(folder)["state"] == "succeeded"
    assert not (folder / "cancel.json").exists()


def test_processes_that_left_the_session_end_with_a_cancelled_job(jobs: Any, until: Until) -> None:
    folder = jobs.start("sh", "-c", f"{LATE_CHILD}; echo up; sleep 60")
    until(has_words(folder / "stdout"))
    child = pid_in(folder, "child")
    jobfolder.request_cancel(folder, grace_s=0.1)
    assert jobs.end(folder)["state"] == "cancelled"
    assert not is_alive(child)


def test_processes_that_outlive_their_command_are_ended_and_the_result_stays(jobs: Any) -> None:
    folder = jobs.start("sh", "-c", f"{LATE_CHILD}; exit 3")
    status = jobs.end(folder)
    assert (status["state"], status["exit_code"], status["reason"]) == ("failed", 3, "exit_code")
    assert not is_alive(pid_in(folder, "child"))


def test_a_process_whose_first_thread_has_ended_is_still_found(jobs: Any, until: Until) -> None:
    folder = jobs.start(
        "sh", "-c", 'setsid /usr/bin/python3 -c "$0" & while [ ! -s pid ]; do sleep 0.01; done', THREAD_STAYS
    )
    assert jobs.end(folder)["state"] == "succeeded"
    assert not Path(f"/proc/{pid_in(folder, 'pid')}").exists()


def test_a_tree_that_forks_while_it_is_killed_is_killed(jobs: Any, until: Until) -> None:
    forking = "trap '' TERM; while true; do sleep 0.03 & echo x; done"
    folder = jobs.start(
        "sh", "-c", f"for n in 1 2 3; do setsid sh -c '{forking.replace(chr(39), chr(34))}' & done; wait"
    )
    until(has_words(folder / "stdout"))
    jobfolder.request_cancel(folder, grace_s=0)
    assert jobs.end(folder)["state"] == "cancelled"
    size = (folder / "stdout").stat().st_size
    assert jobs.wrappers[0].wait(10) is not None
    assert (folder / "stdout").stat().st_size == size


def test_the_command_of_a_killed_wrapper_is_killed_and_the_job_is_lost(jobs: Any, until: Until) -> None:
    folder = jobs.start("sleep", "60")
    until(lambda: read_status(folder)["state"] == "running")
    command = json.loads((folder / "started.json").read_text())["pid"]
    os.kill(jobs.wrappers[0].pid, signal.SIGKILL)
    status = jobs.end(folder)
    assert (status["state"], status["fault"], status.get("exit_code")) == ("lost", "infrastructure", None)
    assert status["started_at"] is not None
    until(lambda: not is_alive(command))


def test_a_second_wrapper_runs_nothing(jobs: Any) -> None:
    folder = jobs.start("sh", "-c", "echo once")
    jobs.end(folder)
    assert jobs.wrap(folder).wait(30) == 0
    assert (folder / "stdout").read_bytes() == b"once\n"


def test_a_detached_wrapper_has_none_of_the_streams_of_its_starter(jobs: Any, until: Until) -> None:
    program = "import sys; from pathlib import Path; from chimes.jobs.wrapper import start_detached; "
    program += "start_detached(Path(sys.argv[1]))"
    folder = jobs.record("sh", "-c", "readlink /proc/$PPID/fd/0 /proc/$PPID/fd/1 /proc/$PPID/fd/2; sleep 60")
    starter = Process([sys.executable, "-c", program, str(folder)], stdout=PIPE, stderr=PIPE)
    # Both pipes have ended while the job still runs.
    assert starter.stdout.read() + starter.stderr.read() == b""
    starter.stdout.close()
    starter.stderr.close()
    assert starter.wait(30) == 0
    until(has_words(folder / "stdout"))
    assert read_status(folder)["state"] == "running"
    log = str(folder / "wrapper.log")
    assert (folder / "stdout").read_text().split() == ["/dev/null", log, log]
    jobfolder.request_cancel(folder, grace_s=0)
    assert jobs.end(folder)["state"] == "cancelled"


def test_the_wrapper_refuses_a_folder_without_a_job(tmp_path: Path) -> None:
    nothing = run([sys.executable, "-m", "chimes.jobs.wrapper", str(tmp_path)], timeout_s=30)
    assert nothing.returncode == 2
    assert "not-found" in nothing.text
    assert "Traceback" not in nothing.text
    assert run([sys.executable, "-m", "chimes.jobs.wrapper"], timeout_s=30).returncode == 2


def test_the_wrapper_loads_nothing_heavy() -> None:
    heavy = (
        "import sys, chimes.jobs.wrapper; print(sorted({'pydantic', 'pyarrow', 'numpy', 'click'} & set(sys.modules)))"
    )
    assert run([sys.executable, "-c", heavy], timeout_s=30).text == "[]"
