"""Unpacks a wheel that passed the file checks, without any tool that would start an interpreter."""

from __future__ import annotations

import zipfile
from pathlib import Path

__all__ = ["unpack"]


def unpack(wheel: Path, site: Path) -> None:
    """Put the importable part of a wheel into ``site``: its own files, and ``*.data/purelib`` and ``platlib``."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            target = _target(member.filename)
            if target is None or member.is_dir():
                continue
            path = site / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(member))


def _target(name: str) -> str | None:
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    scheme, _, inner = rest.partition("/")
    return inner if scheme in ("purelib", "platlib") else None
