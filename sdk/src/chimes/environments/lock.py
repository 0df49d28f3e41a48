"""Locks: the wheels of an environment, read from a pylock.toml (PEP 751).

The identity of a lock is its lines (name, version, digest of the wheel), without the addresses of the wheels, because
an index may have another address when a run is repeated.
"""

from __future__ import annotations

import hashlib
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.pylock import Package, PackageArchive, PackageWheel, Pylock, PylockSelectError, PylockValidationError
from packaging.utils import parse_wheel_filename

from chimes.errors import ConfigError
from chimes.text import parse_toml, quote

__all__ = ["Lock", "read_lock"]


@dataclass(frozen=True)
class Lock:
    """The wheels of an environment: ``lines`` are sorted ``name version sha256``, ``path`` is the pylock.toml."""

    path: Path
    lines: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Digest of the lines: the same for the same wheels, whatever index they come from."""
        return hashlib.sha256("\n".join(self.lines).encode("utf-8")).hexdigest()


def read_lock(text: str) -> tuple[str, ...]:
    """The lines of a pylock.toml for this Python. Raises ConfigError."""
    try:
        lock = Pylock.from_dict(parse_toml(text, "the lock is not a pylock.toml: it"))
        return tuple(sorted(_line(package, source) for package, source in lock.select()))
    except PylockSelectError as error:
        raise ConfigError(
            f"the lock does not fit this Python on this platform: {error}", hint="resolve on a machine like this one"
        ) from error
    except (PylockValidationError, ValueError, RecursionError) as error:
        raise ConfigError(f"the lock is not a pylock.toml: {error}", hint="make it with chimes check --out") from error


def _line(package: Package, source: object) -> str:
    """Name, version and digest of the file that was selected for a package. Raises ConfigError unless it is a wheel."""
    if isinstance(source, PackageArchive):
        source = PackageWheel(url=source.url, path=source.path, hashes=source.hashes)
    if not isinstance(source, PackageWheel):
        raise ConfigError(
            f"the lock has no wheel of {package.name} for Python {platform.python_version()} on this platform",
            hint="resolve on a machine like this one",
        )
    digest = source.hashes.get("sha256", "")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ConfigError(f"{quote(digest)} in the lock is not a SHA-256 digest", hint="make the lock again")
    return f"{package.name} {parse_wheel_filename(source.filename)[1]} {digest}"
