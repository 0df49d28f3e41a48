"""The control folder: one key is one job, and any process can read its state."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes.errors import ConfigError, ConflictError, InfrastructureError, NotFoundError
from chimes.jobs import folder as jobfolder
from chimes.jobs.status import read_status
from chimes.processes import PIPE, Process

Until = Callable[..., None]

SUBMIT = (
    "import sys\n"
    "from pathlib import Path\n"
    "from chimes.jobs import folder as jobfolder\n"
    "sys.stdin.read()\n"
    "folder = jobfolder.create(Path(sys.argv[1]), key='same', spec_sha256='spec', job={'who': sys.argv[2]})\n"
    "with jobfolder.launching(folder) as needed:\n"
    "    if needed: jobfolder.claim(folder)\n"
    "print(needed, jobfolder.get_job(folder)['who'])\n"
)


def rewrite(folder: Path, name: str, **fields: Any) -> None:
    record = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**record, **fields}))


def grow_old(file: Path, seconds: float) -> None:
    then = file.stat().st_mtime - seconds
    os.utime(file, (then, then))


@pytest.fixture
def running(jobs: Any, until: Until) -> Path:
    folder: Path = jobs.start("sleep", "60")
    until(lambda: read_status(folder)["state"] == "running")
    return folder


def test_processes_that_submit_one_key_at_once_record_and_start_one_job(tmp_path: Path) -> None:
    clients = [
        Process([sys.executable, "-c", SUBMIT, str(tmp_path), str(n)], stdin=PIPE, stdout=PIPE) for n in range(6)
    ]
    for client in clients:
        client.stdin.close()
    answers = [client.stdout.read().decode().split() for client in clients]
    for client in clients:
        client.stdout.close()
        assert client.wait(30) == 0
    assert sorted(needed for needed, _ in answers) == ["False"] * 5 + ["True"]
    assert len({who for _, who in answers}) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [jobfolder.job_id("same")]


def test_a_key_of_another_specification_is_a_conflict(tmp_path: Path) -> None:
    jobfolder.create(tmp_path, key="k", spec_sha256="a", job={})
    with pytest.raises(ConflictError, match="'k'"):
        jobfolder.create(tmp_path, key="k", spec_sha256="b", job={})
    assert jobfolder.find_job(tmp_path, key="other", spec_sha256="b") is None


def test_a_key_may_be_any_text(tmp_path: Path) -> None:
    for key in ("../../escape", "a/b", "键", " ", "x" * 5000):
        folder = jobfolder.create(tmp_path, key=key, spec_sha256="s", job={})
        assert folder.parent == tmp_path
        assert jobfolder.get_job(folder)["key"] == key


def test_the_record_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = jobfolder.create(tmp_path, key="k", spec_sha256="s", job={"env": {"TOKEN": "x"}})
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "job.json").stat().st_mode & 0o777 == 0o600


def test_a_root_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="cannot record a job"):
        jobfolder.create(tmp_path / "file", key="k", spec_sha256="s", job={})


def test_a_damaged_record_is_an_error(tmp_path: Path) -> None:
    folder = jobfolder.create(tmp_path, key="k", spec_sha256="s", job={})
    (folder / "job.json").write_text("{")
    with pytest.raises(InfrastructureError, match="contains no job"):
        jobfolder.create(tmp_path, key="k", spec_sha256="s", job={})
    with pytest.raises(NotFoundError, match="not the control folder"):
        jobfolder.get_job(folder)
    assert read_status(folder)["state"] == "lost"


def test_a_submitter_that_dies_with_the_launch_lock_releases_it(tmp_path: Path, until: Until) -> None:
    folder = jobfolder.create(tmp_path, key="k", spec_sha256="s", job={})
    program = (
        "import sys, os, signal\nfrom pathlib import Path\nfrom chimes.jobs import folder as jobfolder\n"
        "with jobfolder.launching(Path(sys.argv[1])):\n os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert Process([sys.executable, "-c", program, str(folder)]).wait(30) == -9
    with jobfolder.launching(folder) as is_needed:
        assert is_needed


def test_a_recorded_job_that_never_starts_becomes_lost(jobs: Any) -> None:
    folder = jobs.record("true")
    assert read_status(folder)["state"] == "queued"
    grow_old(folder / "job.json", 3600)
    status = read_status(folder)
    assert status["state"] == "lost"
    assert "submit it again" in status["pending_reason"]


def test_a_reused_pid_is_not_mistaken_for_the_wrapper(running: Path) -> None:
    rewrite(running, "wrapper.json", pid=os.getpid())
    assert read_status(running)["state"] == "lost"
    jobfolder.request_cancel(running, grace_s=1)


def test_a_job_on_a_machine_that_has_rebooted_is_lost_with_its_node(running: Path) -> None:
    rewrite(running, "wrapper.json", boot="another")
    status = read_status(running)
    assert (status["state"], status["reason"]) == ("lost", "node_failure")


@pytest.mark.parametrize("place", [{"boot": "another", "host": "another"}, {"namespace": "pid:[1]"}])
def test_a_job_on_another_machine_is_alive_while_its_heartbeat_is_fresh(jobs: Any, place: dict[str, str]) -> None:
    folder = jobs.record("true", heartbeat_s=5)
    jobfolder.claim(folder)
    jobfolder.write_record(folder, "started.json", {"started_at": jobfolder.now()})
    rewrite(folder, "wrapper.json", **place)
    assert (read_status(folder)["state"], read_status(folder)["stale"]) == ("running", False)
    grow_old(folder / "heartbeat", 60)
    assert (read_status(folder)["state"], read_status(folder)["stale"]) == ("running", True)
    grow_old(folder / "heartbeat", 3600)
    assert read_status(folder)["state"] == "lost"
    jobfolder.request_cancel(folder, grace_s=1)
    assert jobfolder.requested_grace(folder) == 1


def test_false_records_of_the_wrapper_make_the_job_lost(running: Path) -> None:
    for lie in ({"pid": None, "start_ticks": None}, {"pid": -1}, {"pid": "1"}, {"pid": 2**40}):
        rewrite(running, "wrapper.json", **lie)
        jobfolder.request_cancel(running, grace_s=1)
        assert read_status(running)["state"] == "lost"


def test_a_folder_without_a_job_is_lost_and_cannot_be_cancelled(tmp_path: Path) -> None:
    assert read_status(tmp_path / "nowhere")["state"] == "lost"
    jobfolder.request_cancel(tmp_path / "nowhere", grace_s=1)
    assert list(tmp_path.iterdir()) == []


def test_logs_are_read_by_offset(jobs: Any) -> None:
    folder = jobs.start("printf", "0123456789")
    jobs.end(folder)
    assert jobfolder.read_logs(folder, "stdout", offset=3, limit_bytes=4) == (b"3456", 10)
    assert jobfolder.read_logs(folder, "stdout", offset=50) == (b"", 10)
    assert jobfolder.read_logs(folder, "stderr") == (b"", 0)


def test_a_missing_log_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'job\.json' is not a stream"):
        jobfolder.read_logs(tmp_path, "job.json")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="negative"):
        jobfolder.read_logs(tmp_path, "stdout", offset=-1)
    with pytest.raises(NotFoundError, match="No such file"):
        jobfolder.read_logs(tmp_path, "stdout")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, Path.touch, lambda path: path.symlink_to("/dev/zero")])
def test_a_record_or_log_that_is_not_a_file_is_absent_and_nothing_waits_for_it(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    for name in ("exit.json", "stderr"):
        make(tmp_path / name)
    assert jobfolder.read_record(tmp_path, "exit.json") is None
    if (tmp_path / "stderr").is_file():
        assert jobfolder.read_logs(tmp_path, "stderr") == (b"", 0)
    else:
        with pytest.raises(NotFoundError):
            jobfolder.read_logs(tmp_path, "stderr")
