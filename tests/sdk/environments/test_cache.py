from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import pytest
from chimes.environments.cache import cache_folder, kept
from chimes.errors import InfrastructureError

A_DAY_AND_MORE_S = 100_000


@pytest.fixture
def shelf(fresh_caches: Path) -> Path:
    return fresh_caches / "chimes" / "shelf"


def filled(path: Path) -> None:
    path.mkdir()
    (path / "content").write_text(path.name)


def put(digest: str, idle_s: float, make: Callable[[Path], None] = filled) -> Path:
    folder = kept("shelf", digest, make, keep=100)
    os.utime(folder, (time.time() - idle_s,) * 2)
    return folder


def test_the_environment_chooses_the_folder_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHIMES_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "chimes"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "chimes"
    monkeypatch.setenv("CHIMES_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_only_the_most_recently_used_folders_are_kept(shelf: Path) -> None:
    for number in range(5):
        put(f"{number}{number}", idle_s=10_000 - number)
    kept("shelf", "99", filled, keep=3)
    assert {path.name for path in shelf.iterdir() if path.is_dir()} == {"99", "44", "33"}


def test_a_folder_that_may_be_in_use_is_kept(shelf: Path) -> None:
    put("11", idle_s=5)
    kept("shelf", "22", filled, keep=1)
    assert (shelf / "11" / "content").is_file()


def test_requesting_a_folder_keeps_it(shelf: Path) -> None:
    put("11", idle_s=10_000)
    put("22", idle_s=9_000)
    put("11", idle_s=0)
    kept("shelf", "33", filled, keep=2)
    assert {path.name for path in shelf.iterdir() if path.is_dir()} == {"11", "33"}


def test_folders_that_a_killed_process_left_are_removed(shelf: Path) -> None:
    put("11", idle_s=0)
    for name in (".new-22", ".new-33"):
        filled(shelf / name)
        os.utime(shelf / name, (time.time() - A_DAY_AND_MORE_S,) * 2)
    kept("shelf", "22", filled)
    assert {path.name for path in shelf.iterdir() if path.is_dir()} == {"11", "22"}


def test_a_failure_leaves_no_folder_and_can_be_repeated(shelf: Path) -> None:
    def broken(path: Path) -> None:
        path.mkdir()
        raise KeyError("no")

    with pytest.raises(KeyError):
        kept("shelf", "11", broken)
    assert [path for path in shelf.iterdir() if path.is_dir()] == []
    assert (kept("shelf", "11", filled) / "content").is_file()


def test_concurrent_callers_make_a_folder_once(shelf: Path) -> None:
    made, guard = [], Lock()

    def counted(path: Path) -> None:
        with guard:
            made.append(path)
        filled(path)

    with ThreadPoolExecutor(8) as pool:
        found = {pool.submit(kept, "shelf", "11", counted).result() for _ in range(16)}
    assert (len(found), len(made)) == (1, 1)


def test_a_cache_that_cannot_be_written_is_an_error_with_a_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHIMES_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(InfrastructureError, match="cannot be written") as caught:
        kept("shelf", "11", filled)
    assert "CHIMES_CACHE_DIR" in str(caught.value.hint)
