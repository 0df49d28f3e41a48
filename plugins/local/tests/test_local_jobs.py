"""Jobs of the local backend from submit to their logs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chimes import Context, JobHandle, JobSpec, JobState, Resources
from chimes.errors import ConfigError, ConflictError, InfrastructureError, NotFoundError
from chimes.kinds.component import parse_config
from chimes.registry import Registry
from chimes_local.backend import LocalBackend, LocalConfig
from chimes_local.conformance import LocalHarness
from chimes_local.plugin import chimes_backends
from hypothesis import given, settings
from hypothesis import strategies as st

Until = Callable[..., None]

ECHO = (
    "import json, os, sys\n"
    "env = {name.decode(): value.decode() for name, value in os.environb.items()}\n"
    "print(json.dumps([sys.argv[1:], env]))"
)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0="), min_size=1, max_size=20)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


def test_a_job_that_succeeds_moves_forward_to_succeeded(site: Any, until: Until) -> None:
    handle = site.submit("sh", "-c", "echo hello")
    seen = [site.status(handle)]

    def look() -> bool:
        seen.append(site.status(handle))
        return bool(seen[-1].state.is_final)

    until(look)
    order = list(JobState)
    assert [order.index(status.state) for status in seen] == sorted(order.index(status.state) for status in seen)
    assert [status.observed_at for status in seen] == sorted(status.observed_at for status in seen)
    last = seen[-1]
    assert (last.state, last.exit_code, last.reason, last.fault) == (JobState.SUCCEEDED, 0, "exit_code", None)
    assert last.started_at is not None
    assert last.ended_at is not None
    assert handle.submitted_at <= last.started_at <= last.ended_at <= last.observed_at
    assert last.nodes == (os.uname().nodename,)
    assert site.output(handle) == "hello\n"


def test_a_job_with_exit_status_three_is_a_failure_of_the_user(site: Any) -> None:
    status = site.end(site.submit("sh", "-c", "exit 3"))
    assert (status.state, status.exit_code, status.fault, status.reason) == (JobState.FAILED, 3, "user", "exit_code")


@settings(max_examples=12, deadline=None)
@given(arguments=st.lists(TEXTS, max_size=5), env=st.dictionaries(NAMES, TEXTS, max_size=5))
def test_arguments_and_environment_arrive_exactly(
    tmp_path_factory: pytest.TempPathFactory, arguments: list[str], env: dict[str, str]
) -> None:
    # PYTHON... and locale names would change the program that reports, not the environment.
    env = {name: value for name, value in env.items() if not name.startswith(("PYTHON", "LC_", "LD_"))}
    folder = tmp_path_factory.mktemp("exact")
    backend = LocalBackend(LocalConfig(root=folder), Context.under(folder))
    command = ("/usr/bin/python3", "-I", "-X", "utf8", "-S", "-c", ECHO, *arguments)
    handle = backend.submit(JobSpec(command=command, env=env), key="exact")
    _wait(backend, handle)
    got_arguments, got_env = json.loads(backend.logs(handle).data)
    # The reporting Python adds LC_CTYPE where there is no locale (PEP 538).
    got_env.pop("LC_CTYPE", None)
    assert (got_arguments, got_env) == (arguments, env)


def _wait(backend: LocalBackend, handle: JobHandle) -> None:
    for _ in range(3000):
        if backend.status([handle])[0].state.is_final:
            return
        signal.sigtimedwait([], 0.01)
    raise AssertionError("waited in vain")


def test_no_shell_sees_the_arguments(site: Any, tmp_path: Path) -> None:
    words = ["$HOME", "a b", "'\"", "*", "; touch pwned", "new\nline", "雨", ""]
    handle = site.submit("printf", "%s\\0", *words)
    site.end(handle)
    assert site.output(handle).split("\0")[:-1] == words
    assert not list(tmp_path.rglob("pwned"))


def test_fifty_megabytes_of_any_bytes_are_kept_exactly(site: Any) -> None:
    program = (
        "import sys\n"
        "for n in range(50): sys.stdout.buffer.write(bytes(range(256)) * 4096)\n"
        "sys.stdout.buffer.write(b'\\xff')"
    )
    handle = site.submit("/usr/bin/python3", "-c", program)
    backend, offset, block = site.backend(), 0, bytes(range(256)) * 4096
    while True:
        # Some chunks are read while the job runs, and each by another client than the last.
        chunk = site.backend().logs(handle, offset=offset, limit_bytes=3_000_000)
        assert chunk.offset == offset
        assert chunk.data == (block * 4)[offset % len(block) :][: len(chunk.data)] or chunk.data.endswith(b"\xff")
        offset = chunk.next_offset
        if chunk.eof:
            break
    assert offset == 50 * len(block) + 1
    assert backend.logs(handle, offset=offset - 1).data == b"\xff"
    assert backend.logs(handle, offset=offset + 10).eof


def test_the_streams_are_separate(site: Any) -> None:
    handle = site.submit("sh", "-c", "printf out; printf err >&2")
    site.end(handle)
    assert site.backend().logs(handle, stream="stderr").data == b"err"
    assert site.backend().logs(handle, stream="stdout").data == b"out"


def test_a_log_of_another_task_or_an_unknown_handle_is_not_found(site: Any) -> None:
    handle = site.submit("true")
    with pytest.raises(NotFoundError, match="task 1"):
        site.backend().logs(handle, task=1)
    with pytest.raises(NotFoundError):
        site.backend().logs(handle.model_copy(update={"control_url": "s3://bucket/job"}))


def test_a_bad_handle_is_lost_and_does_not_affect_others(site: Any, tmp_path: Path) -> None:
    good = site.submit("true")
    site.end(good)
    liar = site.submit("true", key="liar")
    site.end(liar)
    exit_file = Path(liar.control_url.removeprefix("file://")) / "exit.json"
    exit_file.write_text('{"reason": "exit_code", "exit_code": "none of your business"}')
    strange = [
        good.model_copy(update={"control_url": url})
        for url in ("http://x/y", "file:///nowhere", (tmp_path / "none" / good.native_id).as_uri())
    ]
    states = [status.state for status in site.backend().status([*strange, good, liar])]
    assert states == [JobState.LOST] * 3 + [JobState.SUCCEEDED, JobState.LOST]
    for handle in strange:
        site.backend().cancel(handle)


def test_a_working_folder_can_be_named(site: Any, tmp_path: Path) -> None:
    handle = site.submit("pwd", workdir=str(tmp_path))
    site.end(handle)
    assert site.output(handle).strip() == str(tmp_path)


def test_a_job_over_its_walltime_is_timed_out(site: Any) -> None:
    status = site.end(site.submit("sleep", "60", resources=Resources(walltime_s=0.2)))
    assert (status.state, status.reason, status.fault) == (JobState.TIMED_OUT, "walltime", "user")


def test_the_grace_after_the_walltime_can_be_chosen(site: Any) -> None:
    stubborn = ("sh", "-c", "trap '' TERM; while true; do sleep 0.05; done")
    status = site.end(site.submit(*stubborn, resources=Resources(walltime_s=0.2), native={"grace_s": 0.1}))
    assert (status.state, status.signal) == (JobState.TIMED_OUT, signal.SIGKILL)


@pytest.mark.parametrize("who", ["job", "site"])
def test_a_job_over_its_memory_limit_ends_with_reason_oom(site: Any, who: str) -> None:
    hoard = ("/usr/bin/python3", "-c", "kept = [b'x' * (20 << 20) for _ in range(50)]; import time; time.sleep(60)")
    limit = 100 << 20
    resources = Resources(memory_bytes_per_task=limit if who == "job" else None)
    backend = site.backend(memory_bytes=limit if who == "site" else None)
    handle = backend.submit(JobSpec(command=hoard, resources=resources), key="hoard")
    status = site.end(handle)
    assert (status.state, status.reason, status.fault) == (JobState.FAILED, "oom", "user")


def test_the_same_key_is_the_same_job(site: Any) -> None:
    first = site.submit("sh", "-c", "echo once", key="k")
    assert site.submit("sh", "-c", "echo once", key="k") == first
    site.end(first)
    assert site.submit("sh", "-c", "echo once", key="k") == first
    assert site.output(first) == "once\n"
    with pytest.raises(ConflictError, match="'k'"):
        site.submit("sh", "-c", "echo twice", key="k")


def test_handles_are_small_and_keys_that_make_them_large_are_refused(site: Any) -> None:
    handle = site.submit("true", key="ключ" * 100)
    assert len(handle.model_dump_json().encode()) <= 4096
    assert JobHandle.model_validate_json(handle.model_dump_json()) == handle
    with pytest.raises(ConfigError, match="4096"):
        site.submit("true", key="k" * 4000)
    with pytest.raises(ConfigError, match="empty"):
        site.backend().submit(JobSpec(command=("true",)), key="")


def test_closing_a_client_cancels_nothing(site: Any) -> None:
    with site.backend() as backend:
        handle = backend.submit(JobSpec(command=("sh", "-c", "sleep 0.3; echo done")), key="k")
    backend.close()
    assert site.end(handle).state == JobState.SUCCEEDED


def test_the_inventory_is_this_machine(site: Any) -> None:
    (pool,) = site.backend().inventory().pools
    assert (pool.nodes, pool.cpus, pool.accelerators) == (1, len(os.sched_getaffinity(0)), {})
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert pool.memory_bytes == total


def test_ping_says_where_jobs_cannot_be_recorded(site: Any, tmp_path: Path) -> None:
    site.backend().ping()
    (tmp_path / "file").touch()
    broken = LocalBackend(LocalConfig(root=tmp_path / "file"), Context.under(tmp_path))
    with pytest.raises(InfrastructureError, match="cannot be recorded"):
        broken.ping()


def test_without_a_root_jobs_are_recorded_in_the_users_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Context.under(tmp_path)
    backend = LocalBackend(LocalConfig(), context)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    backend.ping()
    assert (tmp_path / "home/.local/state/chimes/jobs/jobs").is_dir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    backend.ping()
    assert (tmp_path / "state/chimes/jobs/jobs").is_dir()


def test_the_plugin_is_found_and_its_harness_gives_a_case_that_works(tmp_path: Path) -> None:
    target = Registry.discover(only=["chimes-local"]).get_class("backend", "chimes-local:local")
    assert target is LocalBackend
    assert chimes_backends() == chimes_backends()
    context = Context.under(tmp_path)
    (case,) = LocalHarness().cases(context)
    LocalBackend(parse_config(LocalBackend, case.config), context).ping()  # type: ignore[arg-type]
