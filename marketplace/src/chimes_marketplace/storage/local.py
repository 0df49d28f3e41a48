"""Stores blobs in a local folder: each is written to a temporary file, made durable, then renamed to its digest.

Several processes may use one folder. Each holds a lock on every temporary file that it writes, so that
``remove_abandoned`` can tell the files of a process that was killed from those of one that is running.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from chimes.files import FileLock, sync_folder, try_lock

from chimes_marketplace.storage.blobstore import DIGEST, Entry, IncomingBlob

__all__ = ["Incoming", "LocalBlobs"]

CHUNK = 1 << 18


class Incoming:
    """Bytes that are being received, in a temporary file that this process has locked."""

    def __init__(self, folder: Path) -> None:
        self.path, self._file, self._lock = _locked_file(folder)
        self.size_bytes = 0
        self._sha256 = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._file.write(data)
        self._sha256.update(data)
        self.size_bytes += len(data)

    @property
    def sha256(self) -> str:
        """The digest (hex) of the bytes written so far."""
        return self._sha256.hexdigest()

    def finish(self) -> None:
        """Make the bytes durable. The file stays open, and locked, until it is kept or discarded."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def release(self) -> None:
        """Close the file and release its lock."""
        self._file.close()
        self._lock.release()

    def discard(self) -> None:
        """Remove the temporary file; does nothing after ``keep``."""
        self.path.unlink(missing_ok=True)
        self.release()


class LocalBlobs:
    """The blobs below ``root``: ``sha256/ab/abcd...``, and ``incoming/`` for temporary files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        (root / "sha256").mkdir(exist_ok=True, mode=0o700)

    def receive(self) -> IncomingBlob:
        """A temporary file for new bytes."""
        return Incoming(self._incoming)

    def keep(self, incoming: IncomingBlob) -> str:
        """Store the received bytes and return their digest. The blob survives a power cut when this returns."""
        incoming.finish()
        digest = incoming.sha256
        target = self._path(digest)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        incoming.path.rename(target)
        target.chmod(0o444)
        incoming.discard()
        for folder in (target.parent, target.parent.parent):
            sync_folder(folder)
        return digest

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest. The blob survives a power cut when this returns."""
        incoming = self.receive()
        try:
            incoming.write(data)
            return self.keep(incoming)
        finally:
            incoming.discard()

    def open(self, digest: str) -> BinaryIO:
        """The blob as a seekable binary stream. Raises FileNotFoundError."""
        return self._path(digest).open("rb")

    def read(self, digest: str) -> bytes:
        """All bytes of a blob. Raises FileNotFoundError."""
        return self._path(digest).read_bytes()

    def stream(self, digest: str, part: range | None = None) -> Iterator[bytes]:
        """The blob's bytes, or those at the offsets in ``part``, in pieces. Raises FileNotFoundError."""
        with self.open(digest) as stream:
            sent = range(self.size(digest)) if part is None else part
            stream.seek(sent.start)
            left = len(sent)
            while left > 0 and (data := stream.read(min(CHUNK, left))):
                left -= len(data)
                yield data

    def size(self, digest: str) -> int:
        """The blob's size in bytes. Raises FileNotFoundError."""
        return self._path(digest).stat().st_size

    def exists(self, digest: str) -> bool:
        """Whether the blob exists."""
        return self._path(digest).exists()

    def delete(self, digest: str) -> None:
        """Remove the blob; does nothing if it does not exist."""
        self._path(digest).unlink(missing_ok=True)

    @contextlib.contextmanager
    def lend(self, digest: str) -> Iterator[Path]:
        """The blob's own file, for reading only. Raises FileNotFoundError."""
        path = self._path(digest)
        path.stat()
        yield path

    def is_sound(self, digest: str) -> bool:
        """Whether the blob exists and its bytes have that digest."""
        try:
            with self._path(digest).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == digest
        except FileNotFoundError:
            return False

    def entries(self) -> Iterator[Entry]:
        """Every file below ``sha256``, by name, including those that are not blobs."""
        for path in sorted((self._root / "sha256").rglob("*")):
            if path.is_dir():
                continue
            is_blob = DIGEST.fullmatch(path.name) and path == self._path(path.name) and not path.is_symlink()
            yield Entry(str(path.relative_to(self._root)), path.name if is_blob else None)

    def is_writable(self) -> bool:
        """Whether new blobs can be stored."""
        return os.access(self._root, os.W_OK)

    def free_bytes(self) -> int:
        """How many bytes are free on the disk."""
        return shutil.disk_usage(self._root).free

    def remove_abandoned(self) -> None:
        """Remove the temporary files of processes that have ended."""
        for path in self._incoming.iterdir():
            lock = try_lock(path, create=False)
            if lock is not None:
                path.unlink(missing_ok=True)
                lock.release()

    def _path(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is not a sha256 in hexadecimal digits")
        return self._root / "sha256" / digest[:2] / digest


def _locked_file(folder: Path) -> tuple[Path, BinaryIO, FileLock]:
    """A new, locked file. Another process may remove it before it is locked: then another one is made."""
    while True:
        path = folder / secrets.token_hex(16)
        lock = try_lock(path)
        if lock is None:
            continue
        try:
            return path, path.open("r+b"), lock
        except FileNotFoundError:
            lock.release()
