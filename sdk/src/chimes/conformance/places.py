"""Where the code of a distribution runs while it is checked: on this machine, or in a sandbox with an environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from chimes.environments import Lock, base_environment, install, python_mounts, resolve, site_packages
from chimes.environments.unpack import unpack
from chimes.registry import Distribution, normalize, scan
from chimes.rpc.children import INSIDE_ROOT
from chimes.rpc.process import Place
from chimes.sandbox import Limits, Mount

__all__ = ["SANDBOX_ENV", "find_plugin", "make_environment", "plain_env", "sandboxed_place", "unpack_plugin"]

SANDBOX_ENV: Mapping[str, str] = MappingProxyType(
    {
        "TMPDIR": f"{INSIDE_ROOT}/tmp",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "ARROW_IO_THREADS": "2",
    }
)


def plain_env() -> dict[str, str]:
    """The environment variables of a child without a sandbox."""
    # A coverage tool that follows child processes writes files there, which S22 would report.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


def make_environment(wheel: Path, folder: Path, *, lock: Path | None, with_sdk: bool) -> tuple[Path, Lock]:
    """Install ``wheel`` with its dependencies below ``folder``; ``lock`` is used instead of resolving.

    Raises ResolutionError, InstallError, InfrastructureError.
    """
    environment = folder / "environment"
    made = resolve(wheel, lock=lock, out=folder / "pylock.toml", with_sdk=with_sdk)
    install(base_environment(made), wheel, environment)
    return environment, made


def unpack_plugin(wheel: Path, folder: Path) -> Distribution | None:
    """Unpack a wheel below ``folder``, without its dependencies; None if it has no entry points."""
    unpack(wheel, folder / "site")
    return find_plugin(wheel, folder / "site")


def find_plugin(wheel: Path, site: Path) -> Distribution | None:
    """The wheel's own distribution in ``site``, not a plugin that it depends on; None if it has no entry points."""
    name = normalize(wheel.name.partition("-")[0])
    return next((found for found in scan([str(site)]) if found.name == name), None)


def sandboxed_place(
    distribution: str,
    environment: Path,
    limits: Limits,
    *,
    program: str | Path,
) -> Place:
    """A sandbox in which ``environment`` is mounted, for the code of ``distribution``, served by ``program``."""
    return Place(
        distribution=distribution,
        site=str("/env" / site_packages(environment).relative_to(environment)),
        environment=environment,
        mounts=(Mount(environment, "/env"), *python_mounts()),
        limits=limits,
        program=program,
    )
