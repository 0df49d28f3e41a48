"""Unpacks a wheel that passed the file checks, without starting an interpreter."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from chimes.errors import InstallError

__all__ = ["unpack"]


def unpack(wheel: Path, site: Path) -> None:
    """Put the importable part of a wheel into ``site``: its own files, and ``*.data/purelib`` and ``platlib``.

    Raises InstallError for a wheel that cannot be unpacked.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                _unpack(archive, member, site)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InstallError(f"{wheel.name} cannot be unpacked: {error}", hint="build it again") from error


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, site: Path) -> None:
    target = _target(member.filename)
    if target is None or member.is_dir():
        return
    path = site / target
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive.read(member))


def _target(name: str) -> str | None:
    first, _, rest = name.partition("/")
    if not first.endswith(".data"):
        return name
    scheme, _, inner = rest.partition("/")
    return inner if scheme in ("purelib", "platlib") else None
