"""Odd names and odd kinds of files: each is data, hidden or reported, and no row is missing without an error."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pyarrow as pa
import pytest
from chimes import ReadRequest
from chimes.errors import NotFoundError, PermissionDeniedError, SchemaMismatchError, UnsupportedError
from chimes.text import escape
from chimes_files.connector import FilesConnector
from fsspec.implementations.memory import MemoryFileSystem

Connect = Callable[..., FilesConnector]
Read = Callable[..., pa.Table]

ROWS = "x\n1\n"


def put(root: Path, *paths: str | bytes) -> None:
    for path in paths:
        target = os.path.join(os.fsencode(root), os.fsencode(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(os.fsdecode(target)).write_text(ROWS)


def names(connector: FilesConnector, pattern: str | None = None) -> list[str]:
    return [info.name for info in connector.discover(pattern)]


SEEN = {
    "t/_key=1/a.csv": ("t", {"x": [1], "_key": [1]}),
    "t/.key=1/a.csv": ("t", {"x": [1], ".key": [1]}),
    "t/_key=1/_k2=b/a.csv": ("t", {"x": [1], "_key": [1], "_k2": ["b"]}),
    "_key=1/a.csv": ("root", {"x": [1], "_key": [1]}),
    "_a=b.csv": ("_a=b", {"x": [1]}),
    "t/k=a%2Fb/a.csv": ("t", {"x": [1], "k": ["a/b"]}),
    "t/k=100%/a.csv": ("t", {"x": [1], "k": ["100%"]}),
    "t/k=%E6%AD%A6/a.csv": ("t", {"x": [1], "k": ["武"]}),
    "t/k%20k=1/a.csv": ("t", {"x": [1], "k k": [1]}),
    "t/k=a=b/a.csv": ("t", {"x": [1], "k": ["a=b"]}),
    "t/k=/a.csv": ("t", {"x": [1], "k": [""]}),
    "t/k=01/a.csv": ("t", {"x": [1], "k": ["01"]}),
    "t/k=1٢/a.csv": ("t", {"x": [1], "k": ["1٢"]}),
    "t/k=12345678901234567890/a.csv": ("t", {"x": [1], "k": ["12345678901234567890"]}),
    "t/k=%00/a.csv": ("t", {"x": [1], "k": ["\0"]}),
    "t/k=\x1b[31m/a.csv": ("t", {"x": [1], "k": ["\x1b[31m"]}),
    "t/=1/a.csv": ("t/=1", {"x": [1]}),
    "line\nbreak.csv": ("line\nbreak", {"x": [1]}),
    "\x1b[31mred.csv": ("\x1b[31mred", {"x": [1]}),
    "bell\x07/tab\t.csv": ("bell\x07", {"x": [1]}),
    " leading and trailing .csv": (" leading and trailing ", {"x": [1]}),
    "-rf.csv": ("-rf", {"x": [1]}),
    "a\\b.csv": ("a\\b", {"x": [1]}),
    "'\"$`.csv": ("'\"$`", {"x": [1]}),
    "a%20b.csv": ("a%20b", {"x": [1]}),
    "*?[x].csv": ("*?[x]", {"x": [1]}),
    "a:b.csv": ("a:b", {"x": [1]}),
    "编钟🔔.csv": ("编钟🔔", {"x": [1]}),
    "e\u0301.csv": ("e\u0301", {"x": [1]}),
    "\u202egnp.csv": ("\u202egnp", {"x": [1]}),
    "UPPER.CSV": ("UPPER", {"x": [1]}),
    "~$lock.csv": ("~$lock", {"x": [1]}),
}


@pytest.mark.parametrize("path", SEEN, ids=ascii)
def test_a_name_with_data_is_read(tmp_path: Path, connect: Connect, read: Read, path: str) -> None:
    root = tmp_path / "root"
    put(root, path)
    stream, rows = SEEN[path]
    connector = connect(root)
    assert names(connector) == [stream]
    assert read(connector, stream, partitions=2).to_pydict() == rows


HIDDEN = [
    "_SUCCESS",
    "_metadata",
    "_common_metadata",
    "_x.csv",
    ".x.csv",
    ".csv",
    ".a.csv.crc",
    "_delta_log/0.csv",
    ".git/x.csv",
    "_temporary/0/k=1/a.csv",
    "t/_tmp/a.csv",
    "=1/_x.csv",
]


@pytest.mark.parametrize("path", HIDDEN)
def test_a_hidden_name_is_not_data(tmp_path: Path, connect: Connect, path: str) -> None:
    put(tmp_path, "seen.csv", path)
    assert names(connect(tmp_path)) == ["seen"]


def test_a_hidden_folder_is_not_entered(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "seen.csv")
    (tmp_path / "_loop").symlink_to(tmp_path / "_loop")
    (tmp_path / "_up").symlink_to(tmp_path)
    assert names(connect(tmp_path)) == ["seen"]


def test_files_in_a_keyed_and_in_a_plain_folder_are_told_apart(tmp_path: Path, connect: Connect, read: Read) -> None:
    put(tmp_path, "t/_id=1/a.csv", "t/_id=2/a.csv", "t/_id=__HIVE_DEFAULT_PARTITION__/a.csv", "t/_old/a.csv")
    got = read(connect(tmp_path), "t", partitions=3)
    assert sorted(got["_id"].to_pylist(), key=str) == [1, 2, None]
    assert names(connect(tmp_path, hidden=["."])) == ["t", "t/_old"]
    assert names(connect(tmp_path, partitioning="none", hidden=["."])) == [
        "t/_id=1",
        "t/_id=2",
        "t/_id=__HIVE_DEFAULT_PARTITION__",
        "t/_old",
    ]


def fifo(path: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    # The path of a socket may have at most 107 bytes.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pipe": (fifo, "is a pipe, a socket or a device"),
    "a socket": (bound_socket, "is a pipe, a socket or a device"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "is a pipe, a socket or a device"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "is a link that leads to no file"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be examined: Too many levels of symbolic links"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_reported_and_its_stream_refused(
    tmp_path: Path, connect: Connect, read: Read, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    make, reason = KINDS[kind]
    put(tmp_path, "good.csv", "t/1.csv", "u/1.csv")
    make(tmp_path / "alone.csv")
    make(tmp_path / "t" / "2.csv")
    make(tmp_path / "readme.md")
    connector = connect(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert names(connector) == ["good", "u"]
    warnings = [record.getMessage() for record in caplog.records]
    assert [f"{path} {reason}" in line for path, line in zip(("alone.csv", "t/2.csv"), warnings, strict=True)]
    for stream in ("alone", "t"):
        with pytest.raises(UnsupportedError, match=reason) as caught:
            connector.plan(ReadRequest(stream=stream))
        assert caught.value.hint
    assert read(connector, "good").num_rows == read(connector, "u").num_rows == 1


NOT_UTF_8: dict[bytes, str | None] = {
    b"\xff.csv": None,
    b"caf\xe9/a.csv": None,
    b"caf\xe9/t/a.csv": None,
    b"t/\xff.csv": "t",
    b"t/k=\xff/a.csv": "t",
}


@pytest.mark.parametrize("path", NOT_UTF_8, ids=repr)
def test_a_name_that_is_not_utf_8_is_reported_and_leaves_the_others(
    tmp_path: Path, connect: Connect, read: Read, caplog: pytest.LogCaptureFixture, path: bytes
) -> None:
    put(tmp_path, "good.csv", "zz/1.csv", path)
    connector = connect(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert names(connector) == ["good", "zz"]
    (warning,) = [record.getMessage() for record in caplog.records]
    assert escape(os.fsdecode(path)) in warning
    assert "not UTF-8" in warning
    if stream := NOT_UTF_8[path]:
        with pytest.raises(UnsupportedError, match="not UTF-8"):
            connector.plan(ReadRequest(stream=stream))
    assert read(connector, "zz").num_rows == 1


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["t/k=%FF/a.csv", "t/k=1/a.csv"], "percent escapes"),
        (["t/k=%FF/a.csv", "t/k=%FE/a.csv"], "percent escapes"),
        (["t/%FF=1/a.csv"], "percent escapes"),
        (["t/k=1/k=2/a.csv"], "two folders with the key 'k'"),
        (["t/k=1/%6B=2/a.csv"], "two folders with the key 'k'"),
    ],
)
def test_a_folder_whose_key_or_value_is_not_clear_is_reported_and_its_stream_refused(
    tmp_path: Path, connect: Connect, caplog: pytest.LogCaptureFixture, paths: list[str], reason: str
) -> None:
    put(tmp_path, "good.csv", *paths)
    connector = connect(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert names(connector) == ["good"]
    assert reason in caplog.text
    with pytest.raises(UnsupportedError, match=reason):
        connector.plan(ReadRequest(stream="t"))


class LockedFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """Files in memory; one whose name holds ``locked`` may not be opened, one with ``gone`` is gone, one is a link."""

    protocol = "locked"
    store: ClassVar[dict[str, Any]] = {}
    cachable = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("locked:/")))

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        entries = super().ls(path, detail=True, **options)
        entries = [entry | {"type": "link"} if "link" in entry["name"] else entry for entry in entries]
        return entries if detail else [entry["name"] for entry in entries]

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "rb" and "locked" in path.rpartition("/")[2]:
            raise PermissionError(13, "Permission denied")
        if mode == "rb" and "gone" in path:
            raise FileNotFoundError(2, "No such file or directory")
        return super()._open(path, mode, **options)


fsspec.register_implementation("locked", LockedFileSystem, clobber=True)


def test_a_file_that_cannot_be_opened_is_reported_and_its_stream_refused(
    tmp_path: Path, connect: Connect, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    folder = f"/yard{tmp_path.name}"
    files = ("good.csv", "locked.csv", "gone.csv", "link.csv", "t/_k=1/a.csv", "_x/y.csv", "t/_x.csv")
    LockedFileSystem().pipe({f"{folder}/{name}": ROWS.encode() for name in files})
    connector = connect(f"locked:/{folder}")
    with caplog.at_level(logging.WARNING):
        assert names(connector) == ["good", "t"]
    warnings = [record.getMessage() for record in caplog.records]
    assert [warning.split(" is left out")[0] for warning in warnings] == [
        "stream 'gone'",
        "stream 'link'",
        "stream 'locked'",
    ]
    errors = {"gone": NotFoundError, "link": UnsupportedError, "locked": PermissionDeniedError}
    for stream, error in errors.items():
        with pytest.raises(error, match=rf"{stream}\.csv"):
            connector.plan(ReadRequest(stream=stream))
    assert read(connector, "t").to_pydict() == {"x": [1], "_k": [1]}


def test_content_that_cannot_be_read_still_ends_a_listing_by_name(tmp_path: Path, connect: Connect) -> None:
    put(tmp_path, "good.csv")
    (tmp_path / "zz.csv").write_text("")
    with pytest.raises(SchemaMismatchError, match=r"zz\.csv has no header row"):
        names(connect(tmp_path))
    assert names(connect(tmp_path), "g*") == ["good"]


def test_files_that_several_links_reach_are_read_under_each(tmp_path: Path, connect: Connect, read: Read) -> None:
    put(tmp_path, "data/a.csv")
    root = tmp_path / "root"
    (root / "t").mkdir(parents=True)
    for key in ("k=1", "k=2"):
        (root / "t" / key).symlink_to(tmp_path / "data")
    (root / "copy").symlink_to(tmp_path / "data")
    (root / "b.csv").symlink_to(tmp_path / "data" / "a.csv")
    assert names(connect(root)) == ["b", "copy", "t"]
    assert read(connect(root), "t").to_pydict() == {"x": [1, 1], "k": [1, 2]}


def test_links_that_branch_without_end_are_refused(tmp_path: Path, connect: Connect) -> None:
    for number in range(11):
        folder = tmp_path / f"{number:02}"
        folder.mkdir()
        for link in "ab":
            (folder / link).symlink_to(tmp_path / f"{number + 1:02}")
    put(tmp_path, "11/x.csv")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "start").symlink_to(tmp_path / "00")
    with pytest.raises(UnsupportedError, match="more than 1000 links lead to"):
        names(connect(tmp_path / "root"))


def test_other_suffixes_are_counted_in_the_log(
    tmp_path: Path, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "good.csv", "part-0000", "notes\n.md", "t/data.xlsx")
    with caplog.at_level(logging.INFO):
        assert names(connect(tmp_path)) == ["good"]
    (record,) = caplog.records
    assert record.getMessage() == ("3 files are ignored, as their suffix names no format; the first is notes .md")
