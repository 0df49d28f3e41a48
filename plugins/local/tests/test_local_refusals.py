"""A job that cannot be run here is refused at submit, before anything is recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from chimes import AcceleratorRequest, JobState, Resources
from chimes.errors import ConfigError, InfeasibleError, InfrastructureError, InvalidJobError, UnsupportedError
from chimes.kinds.component import parse_config
from chimes_local.backend import LocalBackend
from chimes_local.machine import Machine


@pytest.mark.parametrize(
    ("resources", "miss"),
    [
        (Resources(cpus_per_task=100_000), "cpus"),
        (Resources(memory_bytes_per_task=1 << 60), "bytes of memory"),
        (Resources(nodes=2), "nodes"),
        (Resources(accelerators=(AcceleratorRequest(kinds=("npu", "cuda")),)), "npu accelerators"),
    ],
)
def test_more_than_the_machine_has_is_infeasible(site: Any, resources: Resources, miss: str) -> None:
    with pytest.raises(InfeasibleError) as caught:
        site.submit("true", resources=resources)
    assert any(miss in near for near in caught.value.near_misses)
    assert caught.value.hint
    assert not site.root.exists()


@pytest.mark.parametrize(
    "resources",
    [Resources(nodes=0), Resources(cpus_per_task=-1), Resources(walltime_s=0), Resources(memory_bytes_per_task=0)],
)
def test_an_amount_that_is_not_positive_is_refused(site: Any, resources: Resources) -> None:
    with pytest.raises(InvalidJobError, match=r"is (0|-1)$"):
        site.submit("true", resources=resources)


def test_several_tasks_are_refused(site: Any) -> None:
    with pytest.raises(UnsupportedError, match="one task"):
        site.submit("true", resources=Resources(tasks_per_node=2))


@pytest.mark.parametrize(
    ("command", "env"),
    [
        ("/no/such/tool", {}),
        ("no-such-tool", {}),
        ("ls", {"PATH": "/no/such/folder"}),
        ("/etc/passwd", {}),
        ("/usr", {}),
        ("", {}),
    ],
)
def test_an_executable_that_is_not_there_is_refused(site: Any, command: str, env: dict[str, str]) -> None:
    with pytest.raises(InvalidJobError) as caught:
        site.submit(command, env=env)
    assert command in str(caught.value)
    assert caught.value.hint
    assert not site.root.exists()


@pytest.mark.parametrize(("command", "env"), [("./missing", {}), ("missing", {"PATH": "bin:/usr/bin"})])
def test_an_executable_with_a_relative_path_is_looked_for_when_the_job_starts(
    site: Any, command: str, env: dict[str, str]
) -> None:
    handle = site.submit(command, env=env)
    status = site.end(handle)
    assert (status.state, status.reason, status.fault) == (JobState.FAILED, "unknown", "user")
    assert command.encode() in site.backend().logs(handle, stream="stderr").data


def test_a_relative_executable_is_looked_for_in_the_working_folder(site: Any, tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho found\n")
    with pytest.raises(InvalidJobError, match="not an executable file"):
        site.submit("./tool", workdir=str(tmp_path))
    tool.chmod(0o755)
    handle = site.submit("./tool", workdir=str(tmp_path))
    site.end(handle)
    assert site.output(handle) == "found\n"


@pytest.mark.parametrize("workdir", ["relative/folder", "/no/such/folder"])
def test_a_working_folder_that_does_not_exist_is_refused(site: Any, workdir: str) -> None:
    with pytest.raises(InvalidJobError, match=workdir):
        site.submit("true", workdir=workdir)


@pytest.mark.parametrize("env", [{"A=B": "x"}, {"": "x"}, {"A": "x\0y"}])
def test_an_impossible_environment_is_refused(site: Any, env: dict[str, str]) -> None:
    with pytest.raises(InvalidJobError):
        site.submit("/bin/true", env=env)


@pytest.mark.parametrize("native", [{"partition": "gpu"}, {"grace_s": "long"}, {"grace_s": -1}, {"grace_s": True}])
def test_native_options_are_validated(site: Any, native: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(native))):
        site.submit("true", native=native)


def test_an_unknown_memory_size_is_an_infrastructure_error() -> None:
    with pytest.raises(InfrastructureError, match="memory"):
        Machine.read("no-such-file")
    assert Machine.read().cpus == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("wrong", [{"slots": 1 << 40}, {"heartbeat_s": float("inf")}, {"heartbeat_s": 1e300}])
def test_a_setting_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        parse_config(LocalBackend, wrong)
