"""Makes environment folders from locks and wheels: uv unpacks, the base interpreter compiles; no packaged code runs."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from chimes.environments.cache import kept
from chimes.environments.interpreter import base_python
from chimes.environments.lock import Lock
from chimes.environments.sdkwheel import NAME, staged_sdk_wheel
from chimes.environments.uvtool import run_uv, uv_reason
from chimes.errors import ChimesError, InfrastructureError, InstallError
from chimes.processes import run, scratch_folder

__all__ = ["base_environment", "install", "make_readable"]

FORMAT = "1"
"""Part of every environment's digest; change it if environments are made in another way."""
INSIDE = "/env"
"""The path of an environment in a sandbox; compiled code refers to its source there."""
COMPILE_S = 120
COMPILE_BYTES = 2 << 30
COMPILE = f"""\
import compileall, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({COMPILE_BYTES}, {COMPILE_BYTES}))
resource.setrlimit(resource.RLIMIT_CPU, ({COMPILE_S}, {COMPILE_S}))
sys.exit(not compileall.main())
"""
"""Source code may make the compiler use much memory and time, so it runs with limits."""


def base_environment(lock: Lock) -> Path:
    """The compiled environment of a lock, without the plugin; made once, then cached. Do not write to it.

    Raises InstallError for a wheel that cannot be unpacked, InfrastructureError if a wheel with the digest in
    the lock cannot be fetched.
    """
    identity = "\n".join((FORMAT, str(base_python()), platform.python_version(), *lock.lines))
    return kept("environments", hashlib.sha256(identity.encode("utf-8")).hexdigest(), lambda path: _build(lock, path))


def install(base: Path, wheel: Path, target: Path) -> None:
    """Make ``target`` (which must not exist) a copy of ``base`` with ``wheel`` in it; its requirements are not checked.

    Files are hard links to those of ``base`` if the file system allows it. They are never written to: files of the
    wheel replace them. Raises InstallError.
    """
    shutil.copytree(base, target, symlinks=True, copy_function=_link)
    with scratch_folder(f".{target.name}-", parent=target.parent) as scratch:
        staged = scratch / "prefix"
        _unpack([str(wheel.absolute())], staged)
        _compile(staged, workers=1)
        make_readable(staged)
        _move(staged, target)


def _build(lock: Lock, path: Path) -> None:
    if lock.lines:
        _unpack(["--require-hashes", "--requirements", "-"], path, stdin="".join(_pinned(line) for line in lock.lines))
    else:
        path.mkdir()
    _add_interpreter(path)
    _compile(path, workers=2)
    make_readable(path)


def _pinned(line: str) -> str:
    name, version, digest = line.split()
    place = f"{NAME} @ {staged_sdk_wheel().as_uri()}" if name == NAME else f"{name}=={version}"
    return f"{place} --hash=sha256:{digest}\n"


def _unpack(what: list[str], prefix: Path, *, stdin: str | None = None) -> None:
    """Install into a folder with uv; the interpreter that uv gets does not import from that folder."""
    prefix.mkdir()
    arguments = ["pip", "install", "--prefix", str(prefix), "--python", str(base_python()), "--no-deps", "--quiet"]
    done = run_uv([*arguments, "--only-binary", ":all:", "--link-mode", "hardlink", *what], stdin=stdin)
    if done.returncode != 0:
        raise _failure(done.stderr, uv_reason(done))
    (prefix / ".lock").unlink(missing_ok=True)


def _failure(output: bytes, reason: str) -> ChimesError:
    if b"Failed to fetch" in output or b"Request failed" in output:
        return InfrastructureError(f"the wheels cannot be fetched: {reason}", hint="is the package index reachable?")
    if b"Hash mismatch" in output or b"No solution found" in output:
        return InfrastructureError(
            f"the index does not have the wheels that the lock names: {reason}", hint="resolve again, without the lock"
        )
    return InstallError(f"a wheel cannot be unpacked: {reason}", hint="build it again with a current build backend")


def _add_interpreter(environment: Path) -> None:
    """Make a folder a virtual environment (PEP 405): links to the interpreter and ``pyvenv.cfg``."""
    python = base_python()
    names = ("python", "python3", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    config = environment / "pyvenv.cfg"
    taken = [path for path in (config, *(environment / "bin" / name for name in names)) if os.path.lexists(path)]
    if taken:
        raise InstallError(
            f"a required distribution brings its own {taken[0].name}", hint="require another one, or another version"
        )
    (environment / "bin").mkdir(exist_ok=True)
    for name in names:
        (environment / "bin" / name).symlink_to(python)
    lines = (
        f"home = {python.parent}",
        "include-system-site-packages = false",
        f"version = {platform.python_version()}",
    )
    config.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _compile(prefix: Path, *, workers: int) -> None:
    """Compile to bytecode; source with errors is left uncompiled, and its import raises the error."""
    options = ["-q", "-q", "-j", str(workers), "-s", str(prefix), "-p", INSIDE]
    run(
        [str(base_python()), "-I", "-S", "-c", COMPILE, *options, str(prefix)],
        timeout_s=2 * COMPILE_S,
        env={},
        guarded=True,
    )


def make_readable(prefix: Path) -> None:
    """Make a folder readable for every user, because a sandbox's user owns no files."""
    for path in (prefix, *_below(prefix)):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            wanted = mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444)
            if wanted != mode:
                path.chmod(wanted)


def _move(staged: Path, target: Path) -> None:
    """Move each staged file to its place; files are replaced, not written, so that hard links keep their content."""
    for source in _below(staged):
        place = target / source.relative_to(staged)
        if source.is_dir() and not place.is_symlink() and (place.is_dir() or not place.exists()):
            place.mkdir(exist_ok=True)
        elif source.is_file() and not place.is_symlink() and not place.is_dir() and place.name != "pyvenv.cfg":
            source.replace(place)
        else:
            raise InstallError(
                f"the wheel brings {source.relative_to(staged)}, which belongs to the environment",
                hint="remove it from the wheel",
            )


def _below(folder: Path) -> Iterator[Path]:
    """Everything below a folder, folders before their content; links are not followed."""
    for entry in sorted(folder.iterdir()):
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from _below(entry)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
