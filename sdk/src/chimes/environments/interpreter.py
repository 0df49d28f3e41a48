"""The Python that runs inside sandboxes: the base interpreter of this process's virtual environment."""

from __future__ import annotations

import sys
from pathlib import Path

from chimes.sandbox import Mount

__all__ = ["base_python", "python_mounts", "site_packages"]


def base_python() -> Path:
    """The interpreter outside the running virtual environment, links resolved."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


def python_mounts() -> tuple[Mount, ...]:
    """The folders that a sandbox must mount at the same path to run ``base_python``; none if it is in ``/usr``."""
    prefixes = {Path(sys.base_prefix).resolve(), Path(sys.base_exec_prefix).resolve()}
    return tuple(Mount(prefix, str(prefix)) for prefix in sorted(prefixes) if not prefix.is_relative_to("/usr"))


def site_packages(environment: Path) -> Path:
    """The folder of an environment's modules."""
    return environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
