"""Reads how a project is built: the ``[build-system]`` table of its pyproject.toml (PEP 517, PEP 518)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chimes.errors import BuildError
from chimes.text import read_toml

__all__ = ["BuildSystem", "read_build_system"]

LEGACY = "setuptools.build_meta:__legacy__"
"""The backend of a project that names no backend (PEP 517)."""


@dataclass(frozen=True, kw_only=True)
class BuildSystem:
    """The ``[build-system]`` table (PEP 518): requirements, backend (``module:object``), its folders in the project."""

    requires: tuple[str, ...]
    backend: str = LEGACY
    backend_path: tuple[str, ...] = ()


def read_build_system(folder: Path) -> BuildSystem:
    """Read the ``[build-system]`` table of a project without running any of its code. Raises BuildError."""
    if not folder.is_dir():
        raise BuildError(f"{folder} is not a folder", hint="name the folder that holds pyproject.toml")
    table = _pyproject(folder / "pyproject.toml").get("build-system")
    if not isinstance(table, dict):
        raise BuildError(
            "pyproject.toml has no table [build-system]",
            hint='add [build-system] with requires = ["hatchling"] and build-backend = "hatchling.build"',
        )
    backend = table.get("build-backend", LEGACY)
    if not isinstance(backend, str) or not re.fullmatch(r"[\w.]+(:[\w.]+)?", backend):
        raise BuildError(f"build-backend {backend!r} is not a module", hint='write for example "hatchling.build"')
    requires = _strings(table, "requires", [] if "backend-path" in table else None)
    return BuildSystem(requires=requires, backend=backend, backend_path=_strings(table, "backend-path", []))


def _pyproject(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise BuildError(f"{path.parent} has no pyproject.toml", hint="add one: chimes new")
    return read_toml(path, "the project's file", refusal=BuildError)


def _strings(table: dict[str, Any], key: str, default: list[str] | None) -> tuple[str, ...]:
    found = table.get(key, default)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise BuildError(f"{key} in [build-system] is not a list of strings", hint=f'write {key} = ["..."]')
    return tuple(found)
