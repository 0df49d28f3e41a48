"""The command line of a sandbox: its namespaces, mounts, limits and user.

There are two variants. If root starts the sandbox, root makes the mounts (so that folders that only root can read can
be mounted), and the command runs as another user. For any other user everything happens in a user namespace.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chimes.errors import InfrastructureError

__all__ = ["DEFAULT_LIMITS", "PRIVATE", "Limits", "Mount", "bubblewrap", "find_tools", "traced"]

PRIVATE = ("/work", "/tmp", "/dev/shm")
"""The folders that can be written, each in memory and of ``Limits.disk_bytes``."""

ENVIRONMENT = {
    "PATH": "/env/bin:/usr/bin",
    "HOME": "/work",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}
FIX = "apt-get install bubblewrap strace util-linux"
# By full path, because PATH inside may begin with uploaded programs, and these run before the user is changed.
PRLIMIT, SETPRIV, ENV = "/usr/bin/prlimit", "/usr/bin/setpriv", "/usr/bin/env"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a sandbox. ``memory_bytes`` counts the whole process tree and the files in its folders."""

    wall_s: float = 300
    cpu_s: int = 300
    memory_bytes: int = 2 << 30
    address_bytes: int | None = 8 << 30
    processes: int = 128
    file_bytes: int = 256 << 20
    disk_bytes: int = 256 << 20
    open_files: int = 1024


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine, readable in the sandbox at ``target``."""

    source: Path
    target: str


def find_tools() -> Mapping[str, str]:
    """The programs that a sandbox needs, by name. Raises InfrastructureError, with the fix, if one is missing."""
    if platform.system() != "Linux":
        raise InfrastructureError(
            f"a sandbox cannot be made on {platform.system()!r}", hint="run it on Linux, or check without a sandbox"
        )
    found = {name: shutil.which(name) for name in ("bwrap", "strace", "setpriv")}
    missing = [name for name, path in found.items() if path is None]
    missing += [path for path in (PRLIMIT, SETPRIV, ENV) if not os.access(path, os.X_OK)]
    if missing:
        raise InfrastructureError(f"no sandbox can be made without {', '.join(missing)}", hint=FIX)
    return {name: path for name, path in found.items() if path is not None}


def traced(strace: str, output: str, calls: Iterable[str], raw: Iterable[str]) -> list[str]:
    """The start of a command line that reports ``calls`` to the file ``output``; those in ``raw`` without decoding."""
    return [
        *(strace, "-q", "-f", "--seccomp-bpf", "-y", "-s", "64"),
        *("-e", "signal=SIGXCPU,SIGXFSZ,SIGSYS"),
        # With the question mark, a call that this architecture lacks is not an error.
        *("-e", "trace=" + ",".join(f"?{name}" for name in calls)),
        *("-e", "raw=" + ",".join(f"?{name}" for name in raw)),
        *("-o", output, "--"),
    ]


def bubblewrap(
    bwrap: str,
    argv: Sequence[str],
    *,
    mounts: Iterable[Mount],
    env: Mapping[str, str],
    limits: Limits,
    uid: int | None,
    status_fd: int,
    filter_fd: int,
) -> list[str]:
    """The command line of the sandbox around ``argv``; ``uid`` is the user inside when root starts it, else None."""
    command = [bwrap, *_namespaces(rooted=uid is not None), "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--setenv", "PATH", "/usr/bin", "--hostname", "sandbox"]
    command += ["--json-status-fd", str(status_fd), "--seccomp", str(filter_fd)]
    command += [*_system(), *_private(limits.disk_bytes)]
    for mount in mounts:
        command += _mount(mount)
    # Last, because mount points are created in these two before.
    command += ["--remount-ro", "/", "--remount-ro", "/dev", "--chdir", "/work", "--"]
    command += [PRLIMIT, *_limits(limits), "--"]
    if uid is not None:
        command += [SETPRIV, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs"]
        command += ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"]
    # The environment is set last, so that no variable of the dynamic loader affects the programs before.
    variables = ENVIRONMENT | dict(env)
    return [*command, ENV, "-i", "--", *(f"{name}={value}" for name, value in variables.items()), *argv]


def _namespaces(*, rooted: bool) -> list[str]:
    if not rooted:
        return ["--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
    capabilities = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
    return [
        *(f"--unshare-{name}" for name in ("pid", "net", "ipc", "uts", "cgroup")),
        *("--cap-drop", "ALL"),
        *(word for name in capabilities for word in ("--cap-add", name)),
    ]


def _system() -> list[str]:
    links = [word for name in ("bin", "sbin", "lib", "lib64") for word in ("--symlink", f"usr/{name}", f"/{name}")]
    files = [
        word for name in ("ld.so.cache", "alternatives") for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    ]
    return [*("--ro-bind", "/usr", "/usr"), *links, *_folder("/etc"), *files, *("--proc", "/proc"), *("--dev", "/dev")]


def _private(size: int) -> list[str]:
    folders = [word for path in PRIVATE for word in ("--perms", "1777", "--size", str(size), "--tmpfs", path)]
    return [*folders, "--perms", "1777", "--dir", "/work/tmp"]


def _folder(path: str) -> list[str]:
    return ["--perms", "0755", "--dir", path]


def _mount(mount: Mount) -> list[str]:
    source, target = mount.source.absolute(), PurePosixPath(mount.target)
    if not source.exists():
        raise InfrastructureError(
            f"cannot mount {str(source)!r} in the sandbox: it does not exist", hint="make it first, or do not mount it"
        )
    if not target.is_absolute() or ".." in target.parts:
        raise InfrastructureError(
            f"cannot mount at {mount.target!r} in the sandbox: not an absolute path", hint="start it with a slash"
        )
    parents = [word for parent in reversed(target.parents[:-1]) for word in _folder(str(parent))]
    return [*parents, "--ro-bind", str(source), str(target)]


def _limits(limits: Limits) -> list[str]:
    asked = {
        "nproc": (resource.RLIMIT_NPROC, limits.processes),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_bytes),
        "nofile": (resource.RLIMIT_NOFILE, limits.open_files),
        "as": (resource.RLIMIT_AS, limits.address_bytes),
    }
    words = [f"--{name}={_allowed(number, value)}" for name, (number, value) in asked.items() if value is not None]
    # Between the soft and the hard limit the kernel sends SIGXCPU, which the trace reports.
    return [*words, f"--cpu={limits.cpu_s}:{limits.cpu_s + 5}", "--core=0"]


def _allowed(number: int, value: int) -> int:
    _, hard = resource.getrlimit(number)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)
