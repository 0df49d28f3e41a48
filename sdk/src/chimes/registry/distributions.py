"""Finds the installed distributions that are plugins, without importing them.

One scan of ``sys.path``. A folder counts only if it has the name that installers write, ``name-version.dist-info``, and
a METADATA file for the same project. So the remains of a broken uninstall (``~ame-1.0.dist-info``, or a folder
without METADATA) are not listed. ``.egg-info`` folders are files of a build, not of an installation.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chimes import hooks
from chimes.text import open_regular

__all__ = ["Distribution", "find_plugins", "normalize", "scan"]

FOLDER = re.compile(
    r"(?P<name>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)-(?P<version>v?[0-9][a-z0-9_.!+]*)\.dist-info",
    re.ASCII | re.IGNORECASE,
)
HEADER_BYTES = 64 << 10
ENTRY_POINT_BYTES = 256 << 10


@dataclass(frozen=True)
class Distribution:
    """An installed distribution with entry points of group ``chimes``: (name, module) pairs.

    ``problem`` says why its entry points cannot be read, None if they can.
    """

    name: str
    version: str
    entry_points: tuple[tuple[str, str], ...]
    folder: Path
    problem: str | None = None


def normalize(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def find_plugins(path: Iterable[str] | None = None, only: Iterable[str] | None = None) -> list[Distribution]:
    """The plugins on ``path`` (default: ``sys.path``), sorted by name.

    ``only`` restricts to these distributions (default: the environment variable CHIMES_PLUGINS, a comma-separated
    list; set but empty means none).
    """
    if only is None and (wanted := os.environ.get("CHIMES_PLUGINS")) is not None:
        only = [name.strip() for name in wanted.split(",") if name.strip()]
    names = None if only is None else {normalize(name) for name in only}
    found = scan(sys.path if path is None else path)
    return sorted((each for each in found if names is None or each.name in names), key=lambda each: each.name)


def scan(path: Iterable[str]) -> Iterator[Distribution]:
    """The distributions on ``path`` with entry points of group ``chimes``; the first of a name wins."""
    seen: set[str] = set()
    for folder in dict.fromkeys(path):
        for name, entry in _dist_infos(folder or "."):
            if name in seen or (version := _read_version(entry.path, name)) is None:
                continue
            seen.add(name)
            found = _read_plugin(name, version, Path(entry.path))
            if found is not None:
                yield found


def _dist_infos(folder: str) -> list[tuple[str, os.DirEntry[str]]]:
    """The normalised name and the entry of each folder that an installer may have written, in a fixed order."""
    try:
        with os.scandir(folder) as entries:
            named = [(match, entry) for entry in entries if (match := FOLDER.fullmatch(entry.name))]
    except (OSError, ValueError):
        return []
    found = [(normalize(match["name"]), entry) for match, entry in named]
    # If an interrupted upgrade left two versions in one folder, the later one comes first.
    return sorted(found, key=lambda pair: pair[1].name, reverse=True)


def _read_version(folder: str, name: str) -> str | None:
    """The version that METADATA gives for the project ``name``; None where it does not give one."""
    data = _read(f"{folder}/METADATA", HEADER_BYTES)
    headers: dict[str, str] = {}
    for line in (data or b"").decode("utf-8", "replace").splitlines():
        key, colon, value = line.partition(":")
        if not line.strip() or len(headers) == 2:
            break
        if colon and key.lower() in ("name", "version"):
            headers.setdefault(key.lower(), value.strip())
    return headers.get("version") if normalize(headers.get("name", "")) == name else None


def _read_plugin(name: str, version: str, folder: Path) -> Distribution | None:
    """The distribution, None if it has no entry points of our group."""
    data = _read(str(folder / "entry_points.txt"), ENTRY_POINT_BYTES)
    section = f"[{hooks.ENTRY_POINT_GROUP}]"
    if data is None or section.encode() not in data:
        return None
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(data.decode("utf-8"))
        points = tuple(parser.items(hooks.ENTRY_POINT_GROUP))
    except (configparser.Error, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        return Distribution(name, version, (), folder, f"its entry_points.txt cannot be read: {why}")
    return Distribution(name, version, points, folder) if points else None


def _read(path: str, limit: int) -> bytes | None:
    """The first ``limit`` bytes of a regular file, None if it cannot be read."""
    try:
        with open_regular(Path(path)) as stream:
            return stream.read(limit)
    except (OSError, ValueError):
        return None
