from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from chimes.files import locked, remove_tree, replace_file, try_lock, write_atomic, write_new
from chimes.processes import PIPE, Process

HOLDER = """
import sys, threading
from pathlib import Path
from chimes.files import try_lock
lock = try_lock(Path(sys.argv[1]))
print(lock is not None, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_and_no_draft_stays(tmp_path: Path, durable: bool) -> None:
    for data in (b"old", b"new", b""):
        write_atomic(tmp_path / "file", data, durable=durable)
        assert (tmp_path / "file").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    write_new(tmp_path / "file", b"first")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path / "folder", b"data")
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "absent", tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    first = try_lock(tmp_path / "lock")
    assert first is not None
    assert try_lock(tmp_path / "lock") is None
    first.release()
    first.release()
    with locked(tmp_path / "lock"):
        assert try_lock(tmp_path / "lock") is None
    assert try_lock(tmp_path / "absent", create=False) is None
    assert not (tmp_path / "absent").exists()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    holder = Process([sys.executable, "-c", HOLDER, str(tmp_path / "lock")], stdout=PIPE)
    with holder.stdout:
        assert holder.stdout.readline() == b"True\n"
    assert try_lock(tmp_path / "lock") is None
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert try_lock(tmp_path / "lock") is not None


def test_a_lock_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="lock"):
        try_lock(tmp_path / "lock")
    assert not (tmp_path / "target").exists()


def test_any_tree_can_be_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "inner" / "file").touch()
    (tree / "link").symlink_to(kept)
    (tree / "inner").chmod(0o500)
    tree.chmod(0o500)
    (tmp_path / "link").symlink_to(kept)
    for path in (tree, tmp_path / "link", tmp_path / "absent"):
        remove_tree(path)
        assert not os.path.lexists(path)
    assert (kept / "file").exists()
