"""Blobs in a folder of this machine: written whole, made durable, then named; never changed."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DIGEST", "Incoming", "LocalBlobs"]

DIGEST = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 20


class Incoming:
    """Bytes on their way in: a file under a temporary name. Close it with ``discard`` unless it was kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self._file = path.open("xb")
        self._sha256 = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Append."""
        self._file.write(data)
        self._sha256.update(data)
        self.size_bytes += len(data)

    @property
    def sha256(self) -> str:
        """The digest (hex) of what was written so far."""
        return self._sha256.hexdigest()

    def finish(self) -> None:
        """Make what was written durable; nothing can be written then."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def discard(self) -> None:
        """Forget it; nothing happens after it was kept."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class LocalBlobs:
    """The blobs below ``root``: ``sha256/ab/abcd...``, and ``incoming/`` for what is not whole yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        (root / "sha256").mkdir(exist_ok=True, mode=0o700)

    def receive(self) -> Incoming:
        """A place for new bytes."""
        return Incoming(self._incoming / secrets.token_hex(16))

    def keep(self, incoming: Incoming) -> str:
        """Name what came by its digest. When this returns it survives a power cut. The digest (hex)."""
        incoming.finish()
        digest = incoming.sha256
        target = self.path(digest)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        incoming.path.chmod(0o444)
        incoming.path.rename(target)
        for folder in (target.parent, target.parent.parent):
            _sync(folder)
        return digest

    def put(self, data: bytes) -> str:
        """Keep bytes at hand. The digest (hex)."""
        incoming = self.receive()
        try:
            incoming.write(data)
            return self.keep(incoming)
        finally:
            incoming.discard()

    def path(self, digest: str) -> Path:
        """Where the blob of that digest lies, if it is there. For reading only."""
        if not DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no sha256 in hexadecimal digits")
        return self.root / "sha256" / digest[:2] / digest

    def read(self, digest: str) -> bytes:
        """All bytes of a blob. Raises FileNotFoundError."""
        return self.path(digest).read_bytes()

    def is_sound(self, digest: str) -> bool:
        """Whether the blob is there and has its digest."""
        try:
            with self.path(digest).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == digest
        except FileNotFoundError:
            return False

    def paths(self) -> Iterator[Path]:
        """Every file that lies where blobs do, whatever its name."""
        return (path for path in sorted((self.root / "sha256").rglob("*")) if not path.is_dir())

    def forget_incoming(self) -> None:
        """Remove what never became whole; only for a server that starts."""
        for path in self._incoming.iterdir():
            path.unlink()

    def free_bytes(self) -> int:
        """Room on the disk."""
        return shutil.disk_usage(self.root).free


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
