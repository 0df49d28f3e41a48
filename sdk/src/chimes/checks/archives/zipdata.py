"""Unpacks members of a zip file, never more than they declare, and takes their digests."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator

from chimes.checks.archives.members import FileBytes
from chimes.checks.archives.zipframe import STORED, ZipMember
from chimes.errors import ArtifactError

__all__ = ["digest_member", "unpack_member"]

CHUNK = 1 << 20


def unpack_member(source: FileBytes, member: ZipMember) -> Iterator[bytes]:
    """The member's bytes in chunks of at most 1 MiB; raises ArtifactError where they are not what is declared."""
    produced, crc = 0, 0
    for chunk in _packed(source, member) if member.method == STORED else _inflated(source, member):
        produced += len(chunk)
        crc = zlib.crc32(chunk, crc)
        if produced > member.size:
            raise ArtifactError(f"unpacks to more than the declared {member.size} bytes")
        yield chunk
    if produced != member.size:
        raise ArtifactError(f"unpacks to {produced} bytes, not the declared {member.size}")
    if crc != member.crc:
        raise ArtifactError(f"has CRC {crc:08x}, not the declared {member.crc:08x}")


def digest_member(source: FileBytes, member: ZipMember, algorithm: str) -> bytes:
    """The digest of the member's bytes; raises ArtifactError like `unpack_member`."""
    digest = hashlib.new(algorithm)
    for chunk in unpack_member(source, member):
        digest.update(chunk)
    return digest.digest()


def _packed(source: FileBytes, member: ZipMember) -> Iterator[bytes]:
    place, end = member.data_offset, member.data_offset + member.packed_size
    while place < end:
        chunk = source.at(place, min(CHUNK, end - place)) if member.data_offset >= 0 else b""
        if not chunk:
            raise ArtifactError("ends before its declared size")
        place += len(chunk)
        yield chunk


def _inflated(source: FileBytes, member: ZipMember) -> Iterator[bytes]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _packed(source, member):
            while packed and not stream.eof:
                yield stream.decompress(packed, CHUNK)
                packed = stream.unconsumed_tail
            if stream.eof and (stream.unused_data or packed):
                break
    except zlib.error as error:
        raise ArtifactError("is not a valid deflate stream") from error
    if not stream.eof:
        raise ArtifactError("its deflate stream has no end")
    if stream.unused_data:
        raise ArtifactError(f"has {len(stream.unused_data)} bytes or more behind its deflate stream")
