"""The rules of a run: limits of the sandbox and of time, from a TOML file or built in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chimes.checks.rules import FileRules
from chimes.errors import ConfigError
from chimes.sandbox import Limits

__all__ = ["Rules"]


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
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"rules file {path} cannot be read: {error.strerror}", hint="check the path") from error
        except ValueError as error:
            raise ConfigError(
                f"rules file {path} is no TOML: {error}", hint="write keys and tables of rules"
            ) from error
        limits, files = data.pop("limits", {}), data.pop("files", {})
        _known(data, {"name": str, "call_s": float}, "the rules")
        types: dict[str, type] = {f.name: float if f.name.endswith("_s") else int for f in dataclasses.fields(Limits)}
        _known(limits, types, "limits")
        _table(files, "files")
        FileRules.from_mapping(files)
        return cls(limits=Limits(**limits), files_table=files, **data)


def _table(data: Any, where: str) -> None:
    if not isinstance(data, dict):
        raise ConfigError(f"{where} is no table", hint=f"write [{where}] and keys below it")


def _known(data: Any, types: dict[str, type], where: str) -> None:
    _table(data, where)
    for key, value in data.items():
        if key not in types:
            raise ConfigError(f"{key!r} is no key of {where}", hint=f"known keys: {', '.join(types)}")
        wanted = (int, float) if types[key] is float else (types[key],)
        positive = value > 0 if isinstance(value, (int, float)) else True
        if isinstance(value, bool) or not isinstance(value, wanted) or not positive:
            raise ConfigError(f"{key} of {where} is {value!r}", hint=f"write a {types[key].__name__} above zero")
