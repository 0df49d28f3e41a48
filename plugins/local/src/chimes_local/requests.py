"""Checks that a job can run on this machine, before it is recorded: a job that cannot run must not wait for ever."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from chimes import JobSpec, Resources
from chimes.errors import ChimesError, ConfigError, InfeasibleError, InvalidJobError, UnsupportedError
from pydantic import JsonValue

from chimes_local.machine import Machine

__all__ = ["check_job", "parse_native"]

NATIVE = ("grace_s",)


def check_job(job: JobSpec, machine: Machine) -> None:
    """Raise InvalidJobError, InfeasibleError, UnsupportedError or ConfigError unless the job can run on ``machine``."""
    parse_native(job.native)
    _check_strings(job)
    _check_amounts(job.resources)
    _check_capacity(job.resources, machine)
    _check_paths(job)


def parse_native(native: Mapping[str, JsonValue]) -> dict[str, float]:
    """The options of this backend; raises ConfigError for an unknown key or a wrong value.

    ``grace_s``: seconds between SIGTERM and SIGKILL when the walltime is over.
    """
    unknown = sorted(set(native) - set(NATIVE))
    if unknown:
        raise ConfigError(f"native option {unknown[0]!r} does not exist here", hint=f"options: {', '.join(NATIVE)}")
    options: dict[str, float] = {}
    for name, value in native.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            raise ConfigError(f"native option {name} is {value!r}, not a number of seconds", hint="write 0 or more")
        options[name] = float(value)
    return options


def _check_strings(job: JobSpec) -> None:
    if not job.command[0]:
        raise InvalidJobError("the command is empty", hint="name an executable first")
    for text in (*job.command, *job.env, *job.env.values(), job.workdir or ""):
        if "\0" in text:
            raise InvalidJobError(f"{text[:80]!r} contains a NUL character", hint="no process can be given one")
    for name in job.env:
        if not name or "=" in name:
            raise InvalidJobError(f"{name!r} is not the name of an environment variable", hint="leave '=' out of names")


def _check_amounts(resources: Resources) -> None:
    amounts = {
        "nodes": resources.nodes,
        "tasks_per_node": resources.tasks_per_node,
        "cpus_per_task": resources.cpus_per_task,
        "memory_bytes_per_task": resources.memory_bytes_per_task,
        "walltime_s": resources.walltime_s,
    }
    for name, amount in amounts.items():
        if amount is not None and not amount > 0:
            raise InvalidJobError(f"{name} is {amount}", hint="give a positive number, or leave it out")
    if resources.tasks_per_node > 1:
        raise UnsupportedError(
            f"this backend runs one task for a job, not {resources.tasks_per_node}", hint="submit one job for each task"
        )


def _check_capacity(resources: Resources, machine: Machine) -> None:
    asked = {kind: request.count for request in resources.accelerators for kind in request.kinds}
    needs = [
        (resources.nodes, 1, "nodes"),
        (resources.cpus_per_task, machine.cpus, "cpus"),
        (resources.memory_bytes_per_task or 0, machine.memory_bytes, "bytes of memory"),
        *((count, 0, f"{kind} accelerators") for kind, count in asked.items()),
    ]
    misses = tuple(f"local: {has} {what}, asked for {wanted}" for wanted, has, what in needs if wanted > has)
    if misses:
        raise InfeasibleError(
            f"this machine can never run the job: {'; '.join(misses)}",
            near_misses=misses,
            hint="ask for less, or choose a backend whose inventory has it",
        )


def _check_paths(job: JobSpec) -> None:
    workdir = None if job.workdir is None else Path(job.workdir)
    if workdir is not None and not workdir.is_absolute():
        raise _invalid(job.workdir, "is relative, and there is no folder to start from", "give an absolute path")
    if workdir is not None and not workdir.is_dir():
        raise _invalid(job.workdir, "is not an existing folder", "create it, or leave workdir out for a fresh one")
    name = job.command[0]
    if "/" in name:
        program = Path(name) if workdir is None else workdir / name
        # A path relative to the job's own folder may not exist yet; then the job fails when it starts.
        if program.is_absolute() and shutil.which(program) is None:
            raise _invalid(name, "is not an executable file", "check the path and its permissions")
        return
    path = job.env.get("PATH", os.defpath)
    if all(folder.startswith("/") for folder in path.split(os.pathsep)) and shutil.which(name, path=path) is None:
        raise _invalid(name, f"is not on the job's PATH ({path})", "set PATH in the job's env, or give the full path")


def _invalid(what: str | None, problem: str, hint: str) -> ChimesError:
    return InvalidJobError(f"{what!r} {problem}", hint=hint)
