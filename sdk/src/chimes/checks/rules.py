"""The settings that files are judged by: limits of archives, reserved names, owners of scripts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from chimes.errors import ConfigError

__all__ = ["DEFAULT_RULES", "ArchiveLimits", "FileRules", "RuleTable", "read_table"]

MIB = 1 << 20
Count = Annotated[int, Field(strict=True, ge=1)]
Names = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]


class RuleTable(BaseModel):
    """A table of rules: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


T = TypeVar("T", bound=RuleTable)
EXPECTED = MappingProxyType(
    {
        **dict.fromkeys(("dict_type", "model_type", "dataclass_type"), "a table"),
        **dict.fromkeys(("frozen_set_type", "tuple_type"), "a list of strings"),
    }
)
"""The value to write instead, by pydantic's type of the error; for other types pydantic's message is used."""


def read_table(kind: type[T], table: object, where: str) -> T:
    """The rules of a parsed TOML table, which messages call ``where``. Raises ConfigError with the first mistake."""
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        details = error.errors()[0]
    key = ".".join(map(str, details["loc"])) or "the whole"
    if details["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = ", ".join(_keys(kind, details["loc"][:-1]))
        raise ConfigError(f"{where}: there is no key {key!r}", hint=f"known keys: {known}")
    message = details["msg"].replace("Input should be", "it should be")
    hint = f"write {EXPECTED[details['type']]}" if details["type"] in EXPECTED else f"write another value: {message}"
    raise ConfigError(f"{where}: {key} is {details['input']!r:.100}", hint=hint)


def _keys(kind: Any, path: tuple[int | str, ...]) -> list[str]:
    for name in path:
        kind = kind.model_fields[name].annotation
    return sorted(getattr(kind, "model_fields", None) or kind.__dataclass_fields__)


class ArchiveLimits(RuleTable):
    """How much of an archive is read before it is refused. Sizes in bytes.

    ``ratio`` is unpacked size over file size; it applies to archives that unpack to more than ``ratio_free_bytes``.
    """

    members: Count = 50_000
    unpacked_bytes: Count = 20 << 30
    ratio: Count = 100
    ratio_free_bytes: Count = 10 * MIB
    metadata_bytes: Count = 8 * MIB
    record_bytes: Count = 32 * MIB
    directory_bytes: Count = 64 * MIB

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


def _with_built_in_owners(owners: dict[str, str]) -> dict[str, str]:
    return {**SCRIPT_OWNERS, **{name.lower(): owner for name, owner in owners.items()}}


class FileRules(RuleTable):
    """What may differ between centres. Names are compared normalised (PEP 503).

    ``reserved_names`` and ``script_owners`` are added to the built-in ones. ``granted_names`` may be used although
    they are reserved (an admin's token). ``script_owners`` maps a script's name to the one distribution that may
    bring it, or to "" where no distribution may.
    """

    limits: ArchiveLimits = ArchiveLimits()
    reserved_names: Annotated[Names, AfterValidator(RESERVED_NAMES.union)] = RESERVED_NAMES
    reserved_prefixes: tuple[str, ...] = ()
    granted_names: Names = frozenset()
    script_owners: Annotated[dict[str, str], AfterValidator(_with_built_in_owners)] = dict(SCRIPT_OWNERS)

    def granting(self, name: str) -> FileRules:
        """The same rules, except that this name may be used although it is reserved."""
        return self.model_copy(update={"granted_names": self.granted_names | {name}})


DEFAULT_RULES = FileRules()
