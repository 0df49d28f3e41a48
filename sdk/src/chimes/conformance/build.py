"""Builds an untrusted project folder: its build backend runs in a sandbox and answers with the wheel's bytes.

The events of the build are returned with the wheel: a build that succeeds may also have had side effects.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from chimes.conformance.child import build
from chimes.environments import base_environment, python_mounts, resolve_requirements
from chimes.environments.build import reason_in
from chimes.environments.buildsystem import BuildSystem, read_build_system
from chimes.environments.prefix import make_readable
from chimes.errors import BuildError, InfrastructureError, InstallError, ResolutionError
from chimes.processes import scratch_folder
from chimes.rpc.frames import BrokenFrameError, ClosedError, TimedOutError
from chimes.rpc.process import Answer, ChildProcess, Place
from chimes.sandbox import Event, Limits, Mount

__all__ = ["BUILD_LIMITS", "Built", "build_in_sandbox"]

BUILD_LIMITS = Limits()
GRACE_S = 30.0
WANTED = 64
"""The most requirements that a backend may ask for in addition."""
CACHES = frozenset({"__pycache__", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".tox", "node_modules"})
SOURCE, WORK = "/source", "/work"


@dataclass(frozen=True)
class Built:
    """A wheel, and the events of its build; None without a sandbox, where they are not observed."""

    wheel: Path
    events: frozenset[Event] | None = None


def build_in_sandbox(folder: Path, out: Path, *, limits: Limits = BUILD_LIMITS) -> Built:
    """Build the project in ``folder`` to a wheel in ``out`` (made if missing).

    The requirements of ``[build-system]`` and of the backend are resolved to wheels and unpacked before. Their code and
    the project's code run only in the sandbox. Raises BuildError, with the cause if the sandbox knows it, and
    InfrastructureError.
    """
    system = read_build_system(folder)
    with scratch_folder("chimes-build-") as scratch:
        source = scratch / "source"
        _copy(folder, source, limits.disk_bytes)
        events: set[Event] = set()
        name, data = _build(system, source, scratch, limits, events)
    out.mkdir(parents=True, exist_ok=True)
    path = out / name
    path.write_bytes(data)
    return Built(path, frozenset(events))


def _build(system: BuildSystem, source: Path, scratch: Path, limits: Limits, events: set[Event]) -> tuple[str, bytes]:
    environment = _environment(system.requires, scratch)
    answer = _run(system, source, environment, limits, events, staged=False)
    header = answer.value
    if isinstance(header, dict) and "requires" in header:
        environment = _environment((*system.requires, *_wanted(header["requires"])), scratch)
        answer = _run(system, source, environment, limits, events, staged=True)
        header = answer.value
    name = header.get("wheel") if isinstance(header, dict) else None
    if not isinstance(name, str) or len(answer.blobs) != 1 or not _is_wheel_name(name):
        raise BuildError("the build did not give a wheel", hint="does the build backend support wheels?")
    return name, answer.blobs[0]


def _environment(requires: tuple[str, ...], scratch: Path) -> Path:
    try:
        return base_environment(resolve_requirements(requires, scratch / "pylock.toml"))
    except (InstallError, ResolutionError) as error:
        raise BuildError(f"the build requirements cannot be installed: {error.message}", hint=error.hint) from error


def _run(
    system: BuildSystem, source: Path, environment: Path, limits: Limits, events: set[Event], *, staged: bool
) -> Answer:
    place = Place(
        program=Path(build.__file__),
        environment=environment,
        mounts=(Mount(environment, "/env"), Mount(source, SOURCE), *python_mounts()),
        limits=limits,
    )
    arguments = {
        "source": SOURCE,
        "work": WORK,
        "backend": system.backend,
        "backend_path": system.backend_path,
        "staged": staged,
    }
    child = ChildProcess(place, {})
    try:
        deadline = time.monotonic() + limits.wall_s + GRACE_S
        try:
            with contextlib.closing(child.run("build", arguments, deadline)) as session:
                answer = session.receive(deadline, total_bytes=limits.disk_bytes)
        except BrokenFrameError as error:
            raise BuildError("the build answered with something that is not a wheel", hint=_ALONE) from error
        except (ClosedError, TimedOutError) as error:
            child.wait(GRACE_S)
            raise _failure(child, limits) from error
    finally:
        child.kill()
    if child.cause() == "processes":
        # It may be ended before or after its answer: the result must not depend on that.
        raise _failure(child, limits)
    events.update(child.events())
    return answer


_ALONE = "build it alone and read what it prints: python -m build --wheel"


def _failure(child: ChildProcess, limits: Limits) -> BuildError | InfrastructureError:
    match child.cause():
        case "infra":
            return InfrastructureError("the sandbox of the build was ended from outside", hint="try again")
        case "time":
            reason = f"it did not finish in {limits.wall_s:g} s"
        case "memory":
            reason = f"it used more than {limits.memory_bytes >> 20} MiB of memory"
        case "processes":
            reason = f"it started more than {limits.processes} processes"
        case "disk":
            reason = f"it wrote more than {limits.disk_bytes >> 20} MiB"
        case "killed":
            reason = "it ended the process that it runs in"
        case _:
            reason = reason_in(child.stderr_tail())
    return BuildError(f"the project cannot be built in a sandbox: {reason}", hint=_ALONE)


def _wanted(requires: object) -> list[str]:
    if not isinstance(requires, list) or len(requires) > WANTED or not all(isinstance(item, str) for item in requires):
        raise BuildError(
            "the build backend does not return its requirements",
            hint="return a list of requirements from get_requires_for_build_wheel",
        )
    return requires


def _is_wheel_name(name: str) -> bool:
    try:
        parse_wheel_filename(name)
    except InvalidWheelFilename:
        return False
    return re.fullmatch(r"[\w.+!-]+", name, re.ASCII) is not None


def _copy(folder: Path, target: Path, limit_bytes: int) -> None:
    """Make a copy that the sandbox's user can read, without caches and environments; links are not followed."""
    try:
        shutil.copytree(folder, target, symlinks=True, ignore=_left_out, copy_function=_bounded(limit_bytes))
    except (shutil.Error, OSError) as error:
        raise BuildError(f"{folder} cannot be read: {error}", hint="make its files readable") from error
    make_readable(target)


def _left_out(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in CACHES or Path(folder, name, "pyvenv.cfg").exists()}


def _bounded(limit_bytes: int) -> Callable[[str, str], None]:
    total = 0

    def copy(source: str, target: str) -> None:
        nonlocal total
        status = Path(source).lstat()
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
            raise BuildError(f"{source} is neither a file nor a folder", hint="leave it out of the project")
        total += status.st_size
        if total > limit_bytes:
            raise BuildError(
                f"the project is larger than {limit_bytes >> 20} MiB", hint="keep data and weights out of the source"
            )
        shutil.copy2(source, target, follow_symlinks=False)

    return copy
