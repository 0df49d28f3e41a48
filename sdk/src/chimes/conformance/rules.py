"""The rules of a run: limits of time and of the sandbox, and the rules of files; built in or from a TOML file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from chimes.checks.rules import FileRules, RuleTable, read_table
from chimes.sandbox import Limits
from chimes.text import read_toml

__all__ = ["Rules", "RunLimits"]

DAY_S = 86_400
BYTES = 1 << 50
Seconds = Annotated[float, Field(strict=True, ge=0.1, le=DAY_S)]
"""A number of seconds between 0.1 and one day."""
Count = Annotated[int, Field(strict=True, le=BYTES)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RunLimits(Limits):
    """The limits of the sandbox; smaller ones would stop the kernel or the interpreter itself."""

    wall_s: Seconds = Limits.wall_s
    cpu_s: Annotated[Count, Field(ge=1, le=DAY_S)] = Limits.cpu_s
    memory_bytes: Annotated[Count, Field(ge=16 << 20)] = Limits.memory_bytes
    address_bytes: Annotated[Count, Field(ge=256 << 20)] | None = Limits.address_bytes
    processes: Annotated[Count, Field(ge=2, le=1 << 22)] = Limits.processes
    file_bytes: Annotated[Count, Field(ge=1)] = Limits.file_bytes
    disk_bytes: Annotated[Count, Field(ge=1)] = Limits.disk_bytes
    open_files: Annotated[Count, Field(ge=16, le=1 << 20)] = Limits.open_files


class Rules(RuleTable):
    """One rule set. ``call_s`` is the most that one call into a component may take, whatever its check allows."""

    name: str = "built-in"
    call_s: Seconds = 60.0
    limits: RunLimits = RunLimits()
    files: FileRules = FileRules()

    @property
    def sha256(self) -> str:
        """The digest (hex) of the rules, independent of the file's formatting."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    @classmethod
    def read(cls, path: Path) -> Rules:
        """From a TOML file: ``name``, ``call_s``, tables ``limits`` and ``files``. Raises ConfigError."""
        return read_table(cls, read_toml(path, "rules file"), f"rules file {str(path)!r}")
