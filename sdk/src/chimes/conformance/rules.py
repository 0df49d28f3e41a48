"""The rules of a run: limits of the sandbox and of time, from a TOML file or built in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from chimes.checks.rules import FileRules
from chimes.errors import ConfigError
from chimes.sandbox import Limits
from chimes.text import read_toml

__all__ = ["Rules"]

DAY_S = 86_400
BYTES = 1 << 50
RANGES: Mapping[str, tuple[type, float, int]] = MappingProxyType(
    {
        "call_s": (float, 0.1, DAY_S),
        "wall_s": (float, 0.1, DAY_S),
        "cpu_s": (int, 1, DAY_S),
        "memory_bytes": (int, 16 << 20, BYTES),
        "address_bytes": (int, 256 << 20, BYTES),
        "processes": (int, 2, 1 << 22),
        "file_bytes": (int, 1, BYTES),
        "disk_bytes": (int, 1, BYTES),
        "open_files": (int, 16, 1 << 20),
    }
)
"""What a setting may be: no clock and no kernel counts further, and with less no interpreter starts."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One rule set. ``call_s`` is the most that one call into a component may take, whatever its check allows."""

    name: str = "built-in"
    call_s: float = 60
    limits: Limits = field(default_factory=Limits)
    files_table: Mapping[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> FileRules:
        """What the checks of files are given."""
        return FileRules.from_mapping(self.files_table)

    @property
    def sha256(self) -> str:
        """The digest (hex) of what is ruled, whatever the file looks like."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    @classmethod
    def read(cls, path: Path) -> Rules:
        """From a TOML file: ``name``, ``call_s``, tables ``limits`` and ``files``. Raises ConfigError."""
        data = read_toml(path, "rules file")
        limits, files = data.pop("limits", {}), data.pop("files", {})
        _known(data, {"name", "call_s"}, "the rules")
        _known(limits, {field.name for field in dataclasses.fields(Limits)}, "limits")
        _table(files, "files")
        FileRules.from_mapping(files)
        return cls(limits=Limits(**limits), files_table=files, **data)


def _table(data: Any, where: str) -> None:
    if not isinstance(data, dict):
        raise ConfigError(f"{where} is no table", hint=f"write [{where}] and keys below it")


def _known(data: Any, keys: set[str], where: str) -> None:
    _table(data, where)
    for key, value in data.items():
        if key not in keys:
            raise ConfigError(f"{key!r} is no key of {where}", hint=f"known keys: {', '.join(sorted(keys))}")
        if key == "name":
            fits, wanted = isinstance(value, str), "a text"
        else:
            kind, least, most = RANGES[key]
            wanted = f"a {'whole ' * (kind is int)}number from {least} to {most}"
            fits = type(value) in (int, kind) and least <= value <= most
        if not fits:
            raise ConfigError(f"{key} of {where} is {value!r}", hint=f"write {wanted}")
