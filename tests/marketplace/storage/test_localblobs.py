"""Blobs are stored completely or not at all, under their digest, and never change."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest
from chimes.processes import run
from chimes_marketplace.storage.blobstore import BlobStore, Entry
from chimes_marketplace.storage.local import LocalBlobs


def test_bytes_written_in_parts_are_stored_under_their_digest(tmp_path: Path) -> None:
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
    assert list(blobs.entries()) == [Entry(f"sha256/{digest[:2]}/{digest}", digest)]
    with blobs.lend(digest) as path:
        assert path.stat().st_mode & 0o222 == 0


def test_the_same_bytes_are_stored_once(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    assert blobs.put(b"x") == blobs.put(b"x")
    assert len(list(blobs.entries())) == 1


def test_an_upload_that_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    incoming = blobs.receive()
    incoming.write(b"half")
    incoming.discard()
    assert list(blobs.entries()) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_temporary_files_of_processes_that_ended_are_removed(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from chimes_marketplace.storage.local import LocalBlobs\n"
        "LocalBlobs(pathlib.Path(sys.argv[1])).receive().write(b'half')\n"
        "os._exit(0)\n"
    )
    assert run([sys.executable, "-c", code, str(tmp_path)], env=dict(os.environ), timeout_s=60).returncode == 0
    blobs = LocalBlobs(tmp_path)
    mine = blobs.receive()
    mine.write(b"whole")
    assert len(list((tmp_path / "incoming").iterdir())) == 2
    LocalBlobs(tmp_path).remove_abandoned()
    assert list((tmp_path / "incoming").iterdir()) == [mine.path]
    assert blobs.read(blobs.keep(mine)) == b"whole"


def test_an_absent_or_damaged_blob_is_not_intact(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    digest = blobs.put(b"good")
    with blobs.lend(digest) as path:
        path.chmod(0o644)
        path.write_bytes(b"evil")
    assert not blobs.is_sound(digest)
    assert not blobs.is_sound("0" * 64)
    with pytest.raises(FileNotFoundError):
        blobs.read("0" * 64)


def test_a_blob_can_be_read_in_parts_and_removed(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    data = bytes(range(256)) * 4000
    digest = blobs.put(data)
    assert (blobs.exists(digest), blobs.size(digest)) == (True, len(data))
    assert b"".join(blobs.stream(digest)) == data
    assert b"".join(blobs.stream(digest, range(7, 700_000))) == data[7:700_000]
    with blobs.open(digest) as stream:
        stream.seek(-3, 2)
        assert stream.read() == data[-3:]
    blobs.delete(digest)
    blobs.delete(digest)
    assert not blobs.exists(digest)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_a_name_that_is_not_a_digest_is_refused(tmp_path: Path, digest: str) -> None:
    store: BlobStore = LocalBlobs(tmp_path)
    for use in (store.exists, store.read, store.size, store.delete):
        with pytest.raises(ValueError, match="not a sha256"):
            use(digest)


def test_the_free_space_of_the_disk_is_reported(tmp_path: Path) -> None:
    assert LocalBlobs(tmp_path).free_bytes() > 0
    assert LocalBlobs(tmp_path).is_writable()
