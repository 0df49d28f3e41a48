"""The settings that file checks are judged by: limits of archives, reserved names, owners of scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from chimes.errors import ConfigError

__all__ = ["DEFAULT_RULES", "ArchiveLimits", "FileRules"]

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """How much of an archive is read before it is refused. Sizes in bytes.

    ``ratio`` is unpacked size over file size and holds once more than ``ratio_free_bytes`` come out.
    """

    members: int = 50_000
    unpacked_bytes: int = 20 << 30
    ratio: int = 100
    ratio_free_bytes: int = 10 * MIB
    metadata_bytes: int = 8 * MIB
    record_bytes: int = 32 * MIB
    directory_bytes: int = 64 * MIB

    def unpacked_limit(self, file_bytes: int) -> int:
        """The most bytes that may come out of a file of ``file_bytes``."""
        return min(self.unpacked_bytes, max(self.ratio_free_bytes, self.ratio * file_bytes))


RESERVED_NAMES = frozenset(
    {"chimes", "chimes-marketplace", "python", "python3", "pypi", "setup-py", "pyproject-toml"}
    | {"requirements", "requirements-txt", "rrequirements-txt", "site-packages"}
)

SCRIPT_OWNERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("pip", "pip3"), "pip"),
        **dict.fromkeys(("uv", "uvx"), "uv"),
        **dict.fromkeys(("python", "python3", "pythonw", "pydoc", "pydoc3", "idle", "idle3", "2to3"), "python"),
        **dict.fromkeys(("activate", "deactivate", "sh", "bash", "zsh", "env", "sudo", "su", "ls", "cat", "cp"), ""),
        **dict.fromkeys(("mv", "rm", "ssh", "scp", "git", "curl", "wget", "tar", "make", "cc", "gcc", "g++", "ld"), ""),
        **dict.fromkeys(("bwrap", "strace", "apt", "apt-get", "systemctl", "docker", "srun", "sbatch"), ""),
        "chimes": "chimes",
        "chimes-marketplace": "chimes-marketplace",
        "pyproject-build": "build",
        "py.test": "pytest",
        "black": "black",
        "conda": "conda",
        "coverage": "coverage",
        "easy_install": "setuptools",
        "flit": "flit",
        "hatch": "hatch",
        "ipython": "ipython",
        "jupyter": "jupyter-core",
        "mypy": "mypy",
        "nox": "nox",
        "pdm": "pdm",
        "pipx": "pipx",
        "poetry": "poetry",
        "pre-commit": "pre-commit",
        "pytest": "pytest",
        "ruff": "ruff",
        "tox": "tox",
        "twine": "twine",
        "virtualenv": "virtualenv",
        "wheel": "wheel",
    }
)


@dataclass(frozen=True, kw_only=True)
class FileRules:
    """What may differ between centres. Names are compared normalised (PEP 503).

    ``granted_names`` may be used although they are reserved (an admin's token); ``script_owners`` maps
    a script's name to the one distribution that may bring it, "" where none may.
    """

    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    reserved_names: frozenset[str] = RESERVED_NAMES
    reserved_prefixes: tuple[str, ...] = ()
    granted_names: frozenset[str] = frozenset()
    script_owners: Mapping[str, str] = field(default_factory=lambda: SCRIPT_OWNERS)

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> FileRules:
        """The rules of a parsed TOML table ``[files]``; raises ConfigError for what it does not know.

        ``reserved_names`` and ``script_owners`` are added to the built-in ones.
        """
        _refuse_unknown(table, {item.name for item in fields(cls)}, "files")
        limits = table.get("limits", {})
        _refuse_unknown(limits, {item.name for item in fields(ArchiveLimits)}, "files.limits")
        for name, value in limits.items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"files.limits.{name} is {value!r}", hint="write a whole number above 0")
        return cls(
            limits=ArchiveLimits(**limits),
            reserved_names=RESERVED_NAMES | frozenset(_strings(table, "reserved_names")),
            reserved_prefixes=tuple(_strings(table, "reserved_prefixes")),
            granted_names=frozenset(_strings(table, "granted_names")),
            script_owners=MappingProxyType({**SCRIPT_OWNERS, **_owners(table)}),
        )


def _refuse_unknown(table: Any, known: set[str], where: str) -> None:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} is {table!r}", hint=f"write a table [{where}]")
    if unknown := sorted(set(table) - known):
        raise ConfigError(f"{where} has no setting {unknown[0]!r}", hint=f"known: {', '.join(sorted(known))}")


def _strings(table: Mapping[str, Any], name: str) -> list[str]:
    values = table.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ConfigError(f"files.{name} is {values!r}", hint="write a list of strings")
    return values


def _owners(table: Mapping[str, Any]) -> dict[str, str]:
    owners = table.get("script_owners", {})
    if not isinstance(owners, Mapping) or not all(isinstance(value, str) for value in owners.values()):
        raise ConfigError(f"files.script_owners is {owners!r}", hint='write a table of script = "distribution"')
    return dict(owners)


DEFAULT_RULES = FileRules()
