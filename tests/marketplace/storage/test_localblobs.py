"""Blobs: whole or not there, named by what they hold, never changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from chimes_marketplace.storage.local import LocalBlobs


def test_bytes_that_came_in_parts_are_kept_under_their_digest(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    incoming = blobs.receive()
    for part in (b"one ", b"two"):
        incoming.write(part)
    assert incoming.size_bytes == 7
    digest = blobs.keep(incoming)
    incoming.discard()
    assert digest == hashlib.sha256(b"one two").hexdigest()
    assert blobs.read(digest) == b"one two"
    assert blobs.is_sound(digest)
    assert list(blobs.paths()) == [blobs.path(digest)]
    assert blobs.path(digest).stat().st_mode & 0o222 == 0


def test_the_same_bytes_are_kept_once(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    assert blobs.put(b"x") == blobs.put(b"x")
    assert len(list(blobs.paths())) == 1


def test_what_did_not_come_whole_leaves_nothing(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    blobs.receive().discard()
    killed = blobs.receive()
    killed.write(b"half")
    killed.finish()
    assert list(blobs.paths()) == []
    assert killed.path.exists()
    LocalBlobs(tmp_path).forget_incoming()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_blob_that_is_absent_or_damaged_is_not_sound(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    digest = blobs.put(b"good")
    blobs.path(digest).chmod(0o644)
    blobs.path(digest).write_bytes(b"evil")
    assert not blobs.is_sound(digest)
    assert not blobs.is_sound("0" * 64)
    with pytest.raises(FileNotFoundError):
        blobs.read("0" * 64)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_digest_leads_nowhere(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ValueError, match="no sha256"):
        LocalBlobs(tmp_path).path(digest)


def test_the_disk_has_room(tmp_path: Path) -> None:
    assert LocalBlobs(tmp_path).free_bytes() > 0
