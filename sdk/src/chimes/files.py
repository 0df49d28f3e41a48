"""Writes files atomically, locks them, removes folders."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["FileLock", "locked", "remove_tree", "replace_file", "sync_folder", "try_lock", "write_atomic", "write_new"]


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file atomically: a reader sees the old content or the new content, also after a crash.

    Without ``durable`` nothing is forced to the disk: a crash of the machine may leave the file empty.
    """
    draft = _write_draft(path, data, durable=durable)
    replace_file(draft, path, durable=durable)


def write_new(path: Path, data: bytes) -> None:
    """Write a new file atomically and durably. Raises FileExistsError if a file of this name exists."""
    draft = _write_draft(path, data, durable=True)
    try:
        os.link(draft, path)
    finally:
        draft.unlink()
    sync_folder(path.parent)


def replace_file(source: Path, target: Path, *, durable: bool = True) -> None:
    """Rename a finished file over ``target``, in the same file system; ``source`` is removed if that fails."""
    try:
        os.replace(source, target)
    except OSError:
        source.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_draft(path: Path, data: bytes, *, durable: bool) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft


class FileLock:
    """An exclusive lock on an open file, held until it is released or this process ends, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Release it; does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def try_lock(path: Path, *, create: bool = True) -> FileLock | None:
    """Lock a file; None if another process holds the lock, or if there is no file and ``create`` is false."""
    try:
        descriptor = _open(path, create=create)
    except FileNotFoundError:
        if create:
            raise
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return FileLock(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on a file, made if missing; wait for it as long as another process holds it."""
    descriptor = _open(path, create=True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path, *, create: bool) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags | os.O_CREAT if create else flags, 0o600)


def remove_tree(path: Path) -> None:
    """Remove a file or a folder with all that is in it, also where folders are read-only; errors are ignored."""
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(OSError):
            path.unlink()
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, names, _ in os.walk(path):
            for entry in (folder, *(os.path.join(folder, name) for name in names)):
                with contextlib.suppress(OSError):
                    if not os.path.islink(entry):
                        os.chmod(entry, 0o700)
        shutil.rmtree(path, ignore_errors=True)
