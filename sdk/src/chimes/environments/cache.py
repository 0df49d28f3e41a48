"""A cache of folders that are named by the digest of their content; the least recently used are removed.

A folder is renamed to its name when it is complete, so that readers never see an incomplete one.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from chimes.errors import InfrastructureError
from chimes.files import locked
from chimes.processes.guard import removed_at_end

__all__ = ["cache_folder", "kept"]

KEPT = 8
"""How many folders of one group are kept, the most recently used."""
IN_USE_S = 600.0
"""A folder that was used less than this long ago may still be in use and is not removed."""
ABANDONED_S = 86_400.0


def cache_folder() -> Path:
    """``CHIMES_CACHE_DIR``, else ``chimes`` below ``XDG_CACHE_HOME`` or ``~/.cache``; an absolute path."""
    if own := os.environ.get("CHIMES_CACHE_DIR"):
        return Path(own).absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "chimes"


def kept(group: str, digest: str, make: Callable[[Path], None], *, keep: int = KEPT) -> Path:
    """The cached folder ``digest`` of a group; if it is missing, ``make`` creates it at the path it gets.

    Safe for concurrent callers: one of them makes the folder, the others wait. Raises InfrastructureError if the
    cache cannot be written, and the errors of ``make``.
    """
    folder = cache_folder() / group
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / f".lock-{digest[:2]}"):
            if not _used(folder / digest):
                _make(folder, digest, make)
        _prune(folder, keep)
    except OSError as error:
        raise InfrastructureError(
            f"the cache {folder} cannot be written: {error.strerror or error}",
            hint="free space there, or set CHIMES_CACHE_DIR to another folder",
        ) from error
    return folder / digest


def _make(folder: Path, digest: str, make: Callable[[Path], None]) -> None:
    unfinished = folder / f".new-{secrets.token_hex(8)}-{digest}"
    with removed_at_end(unfinished):
        make(unfinished)
        unfinished.rename(folder / digest)


def _used(folder: Path) -> bool:
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    return True


def _prune(folder: Path, keep: int) -> None:
    folders = [path for path in folder.iterdir() if path.is_dir()]
    finished = sorted((path for path in folders if not path.name.startswith(".")), key=_idle_s)
    unfinished = [path for path in folders if path.name.startswith(".")]
    for limit, paths in ((IN_USE_S, finished[keep:]), (ABANDONED_S, unfinished)):
        for path in paths:
            with locked(folder / f".lock-{path.name.rpartition('-')[2][:2]}"):
                if _idle_s(path) > limit:
                    _remove(path)


def _idle_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _remove(path: Path) -> None:
    # Renamed first, so that no folder with a digest as its name is incomplete.
    doomed = path.with_name(f".old-{secrets.token_hex(8)}-{path.name.rpartition('-')[2]}")
    with removed_at_end(doomed):
        path.rename(doomed)
