"""Jobs and handles outlive every client; clients that race make one job."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes import JobHandle, JobSpec, JobState
from chimes.errors import InfrastructureError
from chimes.processes import PIPE, Process, run

Until = Callable[..., None]

CLIENT = """
import sys, time
from pathlib import Path
from chimes import Context, JobHandle, JobSpec, JobStatus
from chimes_local.backend import LocalBackend, LocalConfig
root = Path(sys.argv[2])
backend = LocalBackend(LocalConfig(root=root, slots=4), Context.under(root.parent / "context"))
spec = JobSpec(command=tuple(sys.argv[4:]), env={"PATH": "/usr/bin:/bin"})
"""
SUBMIT_AND_STAY = (
    CLIENT
    + """
print(backend.submit(spec, key=sys.argv[3]).model_dump_json(), flush=True)
time.sleep(60)
"""
)
SUBMIT_FIVE_TIMES_AT_ONCE = (
    CLIENT
    + """
from concurrent.futures import ThreadPoolExecutor
sys.stdin.read()
with ThreadPoolExecutor(5) as pool:
    for handle in pool.map(lambda _: backend.submit(spec, key=sys.argv[3]), range(5)):
        print(handle.model_dump_json())
"""
)
FOLLOW = (
    CLIENT
    + """
handle = JobHandle.model_validate_json(sys.argv[3])
deadline = time.monotonic() + 30
while not (status := backend.status([handle])[0]).state.is_final and time.monotonic() < deadline:
    time.sleep(0.01)
print(status.state.value, status.exit_code, backend.logs(handle).data)
"""
)


def client(program: str, *arguments: str, **streams: Any) -> Process:
    return Process([sys.executable, "-c", program, "client", *arguments], **streams)


def follow(root: Path, handle: str) -> str:
    return run([sys.executable, "-c", FOLLOW, "client", str(root), handle, "true"], timeout_s=60).text


def test_a_job_outlives_its_client_and_a_new_process_reads_all_of_it(site: Any, tmp_path: Path, until: Until) -> None:
    gate = tmp_path / "gate"
    slow = f"echo before; while [ ! -e {gate} ]; do sleep 0.01; done; echo after; exit 7"
    first = client(SUBMIT_AND_STAY, str(site.root), "key", "sh", "-c", slow, stdout=PIPE)
    handle = first.stdout.readline().decode()
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait(30) == -signal.SIGKILL
    # All that held the pipe to the client is gone with it: the job holds none of it.
    assert first.stdout.read() == b""
    first.stdout.close()
    site.handles.append(JobHandle.model_validate_json(handle))
    until(lambda: site.status(site.handles[0]).state == JobState.RUNNING)
    gate.touch()
    assert follow(site.root, handle) == "failed 7 b'before\\nafter\\n'"


def test_the_job_inherits_no_open_files_of_its_client(site: Any, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w"):
        handle = site.submit("sh", "-c", "readlink /proc/self/fd/0; ls -l /proc/self/fd /proc/$PPID/fd; echo $PPID")
        site.end(handle)
    output = site.output(handle)
    assert output.startswith("/dev/null\n")
    assert str(tmp_path / "open") not in output
    assert f"{tmp_path}/root/jobs" in output


def test_twenty_submits_from_four_processes_make_one_job(site: Any, tmp_path: Path) -> None:
    count = tmp_path / "count"
    arguments = (str(site.root), "key", "sh", "-c", f"echo once >> {count}")
    clients = [client(SUBMIT_FIVE_TIMES_AT_ONCE, *arguments, stdin=PIPE, stdout=PIPE) for _ in range(4)]
    for process in clients:
        process.stdin.close()
    handles = []
    for process in clients:
        handles += process.stdout.read().decode().split("\n")[:-1]
        process.stdout.close()
        assert process.wait(60) == 0
    assert len(handles) == 20
    assert len(set(handles)) == 1
    handle = JobHandle.model_validate_json(handles[0])
    assert site.end(handle).state == JobState.SUCCEEDED
    assert count.read_text() == "once\n"


def test_a_wrapper_that_cannot_start_is_an_error_and_the_next_submit_recovers(site: Any) -> None:
    # The queue's place is taken by a file: the wrapper fails before it has the job.
    site.root.mkdir()
    (site.root / "queue").touch()
    spec = JobSpec(command=("sh", "-c", "echo once"))
    with pytest.raises(InfrastructureError, match="did not start"):
        site.backend().submit(spec, key="k")
    (site.root / "queue").unlink()
    handle = site.backend().submit(spec, key="k")
    assert site.end(handle).state == JobState.SUCCEEDED
    assert site.output(handle) == "once\n"


def test_the_processes_of_a_job_end_with_its_wrapper_or_its_cancel(site: Any, until: Until) -> None:
    handle = site.submit("sh", "-c", "(setsid sh -c 'trap \"\" TERM; echo $$; exec sleep 60' &); sleep 60")
    until(lambda: site.output(handle))
    grandchild = Path(f"/proc/{int(site.output(handle))}")
    assert grandchild.exists()
    site.backend().cancel(handle, grace_s=0.1)
    assert site.end(handle).state == JobState.CANCELLED
    assert not grandchild.exists()
