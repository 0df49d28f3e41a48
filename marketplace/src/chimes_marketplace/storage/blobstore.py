"""The interface of blob storage: bytes that are named by their sha256 and never change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

__all__ = ["DIGEST", "BlobStore", "Entry", "IncomingBlob"]

DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """One object in the store. ``digest`` is None if the object's name is not the name of a blob."""

    name: str
    digest: str | None


class IncomingBlob(Protocol):
    """Bytes that are being received into a temporary local file. The caller keeps or discards them."""

    size_bytes: int

    @property
    def path(self) -> Path:
        """The temporary file: the checks of an upload read it before it is kept."""

    @property
    def sha256(self) -> str:
        """The digest (hex) of the bytes written so far."""

    def write(self, data: bytes) -> None:
        """Append bytes."""

    def finish(self) -> None:
        """Make the bytes durable; nothing can be written afterwards."""

    def discard(self) -> None:
        """Remove the temporary file; does nothing after ``keep``."""


class BlobStore(Protocol):
    """Stores blobs. A digest is 64 lower-case hexadecimal digits; any other raises ValueError.

    Reading an absent blob raises FileNotFoundError.
    """

    def receive(self) -> IncomingBlob:
        """A temporary file for new bytes."""

    def keep(self, incoming: IncomingBlob) -> str:
        """Store the received bytes and return their digest. The blob is durable when this returns."""

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest. The blob is durable when this returns."""

    def open(self, digest: str) -> BinaryIO:
        """The blob as a seekable binary stream."""

    def read(self, digest: str) -> bytes:
        """All bytes of the blob."""

    def stream(self, digest: str, part: range | None = None) -> Iterator[bytes]:
        """The blob's bytes, or those at the offsets in ``part``, in pieces."""

    def size(self, digest: str) -> int:
        """The blob's size in bytes."""

    def exists(self, digest: str) -> bool:
        """Whether the blob exists."""

    def delete(self, digest: str) -> None:
        """Remove the blob; does nothing if it does not exist."""

    def lend(self, digest: str) -> AbstractContextManager[Path]:
        """The blob as a local file, for a tool that needs one, until the context ends. For reading only."""

    def is_sound(self, digest: str) -> bool:
        """Whether the blob exists and its bytes have that digest."""

    def entries(self) -> Iterator[Entry]:
        """Everything in the store, by name, including objects that are not blobs."""

    def is_writable(self) -> bool:
        """Whether new blobs can be stored."""

    def free_bytes(self) -> int:
        """How many more bytes can be stored."""
