"""Sdists whose gzip or tar frame is broken in one place."""

from __future__ import annotations

import gzip
import io
import re
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.checks.rules import ArchiveLimits, FileRules
from chimes.checks.subject import open_subject
from chimes.evidence.verdict import CheckResult

Ask = Callable[..., CheckResult]
Messages = Callable[[CheckResult], str]
TOP = "acme_model-1.0"


def header(
    name: str | bytes = f"{TOP}/a.py",
    size: int | bytes = 0,
    kind: bytes = b"0",
    *,
    link: str = "",
    prefix: bytes = b"",
    magic: bytes = b"ustar\x0000",
    checksum: bytes | None = None,
) -> bytes:
    raw = name if isinstance(name, bytes) else name.encode()
    length = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(
        struct.pack("<100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12x", raw, b"0000644\0", b"0000000\0", b"0000000\0",
                    length, b"00000000000\0", b" " * 8, kind, link.encode(), magic, b"", b"", b"", b"", prefix)
    )  # fmt: skip
    block[148:156] = b"%06o\0 " % sum(block) if checksum is None else checksum
    return bytes(block)


def patched(start: int, raw: bytes, block: bytes | None = None) -> bytes:
    """A header with ``raw`` at ``start`` and a checksum that fits."""
    changed = bytearray(block or header(f"{TOP}/b.py"))
    changed[start : start + len(raw)] = raw
    changed[148:156] = b" " * 8
    changed[148:156] = b"%06o\0 " % sum(changed)
    return bytes(changed)


def member(name: str | bytes = f"{TOP}/a.py", data: bytes = b"", kind: bytes = b"0") -> bytes:
    return header(name, len(data), kind) + data + b"\0" * (-len(data) % 512)


def pax(kind: bytes = b"x", **records: str) -> bytes:
    data = b""
    for key, value in records.items():
        body = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(body) + len(str(len(body) + 2))
        data += str(length).encode() + body
    return member("pax", data, kind)


END = b"\0" * 1024
FIRST = member(f"{TOP}/PKG-INFO", b"Metadata-Version: 2.1\nName: acme-model\nVersion: 1.0\n")
LONG = f"{TOP}/" + "d/" * 80 + "a.py"


def write(folder: Path, content: bytes, *, behind: bytes = b"", name: str = f"{TOP}.tar.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content, mtime=0) + behind)
    return path


SOUND = {
    "a file": member(f"{TOP}/b.py", b"x" * 600),
    "a folder": header(f"{TOP}/pkg/", 0, b"5"),
    "an old file": header(f"{TOP}/b.py", 0, b"\0", magic=b"\0" * 8),
    "blank size": header(f"{TOP}/pkg/", b" " * 12, b"5"),
    "a binary size": header(f"{TOP}/b.py", b"\x80" + b"\0" * 10 + b"\x05") + b"12345" + b"\0" * 507,
    "a binary owner": patched(108, b"\x80\0\0\0\x7f\xff\xff\xff"),
    "a time before 1970": patched(136, b"\xff" * 12),
    "blank numbers": patched(329, b"\0" * 16, patched(100, b" " * 8)),
    "numbers with spaces before and behind": patched(100, b"   644 \0"),
    "a prefix": header("a.py", prefix=f"{TOP}/deep".encode()),
    "a pax path": pax(path=LONG) + header("short"),
    "a pax size that repeats": pax(size="3") + member(f"{TOP}/b.py", b"abc"),
    "a pax comment for all": pax(b"g", comment="0123abc") + header(f"{TOP}/b.py"),
    "a GNU name": member("././@LongLink", LONG.encode() + b"\0", b"L") + header("short"),
    "a link in the tree": header(f"{TOP}/docs/b.py", 0, b"2", link="../PKG-INFO"),
    "a long link": pax(linkpath="../" * 3 + "PKG-INFO") + header(f"{TOP}/a/b/c/d.py", 0, b"2"),
    "a GNU link": member("././@LongLink", b"PKG-INFO\0", b"K") + header(f"{TOP}/b.py", 0, b"2"),
    "a hard link": header(f"{TOP}/b.py", 0, b"1", link=f"{TOP}/PKG-INFO"),
}


@pytest.mark.parametrize("content", SOUND.values(), ids=SOUND)
def test_a_sound_sdist_is_read_to_its_end(content: bytes, tmp_path: Path, ask: Ask, messages: Messages) -> None:
    result = ask("A01", write(tmp_path, FIRST + content + END))
    assert result.verdict == "pass", messages(result)


BROKEN = {
    "absolute": (header("/etc/passwd"), "has an absolute path"),
    "parent": (header(f"{TOP}/../../x"), "leaves the folder"),
    "no name": (header(""), "has no name"),
    "two names": (header(f"{TOP}/b.py") * 2, "occurs twice"),
    "case": (header(f"{TOP}/b.py") + header(f"{TOP}/B.py"), "differ only in case"),
    "second top": (header("other/b.py"), "the top of the sdist holds 'acme_model-1.0', 'other'"),
    "top file": (header("setup.py"), "the top of the sdist holds 'acme_model-1.0', 'setup.py'"),
    "device": (header(f"{TOP}/b", 0, b"3"), "neither a file nor a folder"),
    "pipe": (header(f"{TOP}/b", 0, b"6"), "neither a file nor a folder"),
    "sparse": (header(f"{TOP}/b", 0, b"S"), "stored sparse"),
    "pax sparse": (pax(GNU__sparse__major="1") + header(f"{TOP}/b"), "stored sparse"),
    "link out": (header(f"{TOP}/b", 0, b"2", link="../../x"), "points out of the tree"),
    "link to another top": (header(f"{TOP}/b", 0, b"2", link="../other"), "points out of the tree"),
    "absolute link": (header(f"{TOP}/b", 0, b"2", link="/etc"), "points out of the tree"),
    "empty hard link": (header(f"{TOP}/b", 0, b"1"), "points out of the tree"),
    "hard link out": (header(f"{TOP}/b", 0, b"1", link="../x"), "points out of the tree"),
    "through a link": (
        header(f"{TOP}/b", 0, b"2", link="c") + header(f"{TOP}/b/x.py"),
        "path of .* goes through a link",
    ),
    "link through a link": (
        header(f"{TOP}/b", 0, b"2", link="c/d/e") + header(f"{TOP}/f", 0, b"2", link="b/../../.."),
        "goes through a link",
    ),
    "link with data": (header(f"{TOP}/b", 3, b"2", link="a.py") + b"\0" * 512, "holds 3 bytes of data"),
    "folder with data": (header(f"{TOP}/b/", 3, b"5") + b"\0" * 512, "holds 3 bytes of data"),
    "two sizes": (pax(size="0") + member(f"{TOP}/b", b"abc"), "has two sizes"),
    "pax size": (pax(size="-1") + header(f"{TOP}/b"), "pax size '-1'"),
    "pax malformed": (member("pax", b"nonsense", b"x"), "pax records are malformed"),
    "pax too long a record": (member("pax", b"99 a=b\n", b"x"), "pax records are malformed"),
    "pax name": (member("pax", b"11 path=\xff\xff\n", b"x"), "is not UTF-8"),
    "pax twice": (pax(path="a") + pax(path="b") + header("x"), "belongs to no member"),
    "pax at the end": (pax(path="a"), "belongs to no member"),
    "pax for all": (pax(b"g", path="a"), "global pax header sets 'path' for all"),
    "long header": (header("pax", 2 << 20, b"x") + b"\0" * (2 << 20), "record has 2097152 bytes"),
    "checksum": (header(checksum=b"0000001\0"), "its checksum is wrong"),
    "checksum no number": (header(checksum=b"zzzzzzz\0"), "its checksum is wrong"),
    "size no number": (header(size=b"zzzzzzzzzzzz"), "its size is not a number"),
    "negative size": (header(size=b"\xff" * 12), "its size is not a number"),
    "mtime no number": (patched(136, b"zzzzzzzzzzz\0"), "its mtime is not a number"),
    "mode no number": (patched(100, b"0o644\0\0\0"), "its mode is not a number"),
    "owner no number": (patched(108, b"1_0\0\0\0\0\0"), "its uid is not a number"),
    "group no number": (patched(116, b"-000001\0"), "its gid is not a number"),
    "device no number": (patched(329, b"\xfe" * 8), "its devmajor is not a number"),
    "minor no number": (patched(337, b"8\0\0\0\0\0\0\0"), "its devminor is not a number"),
    "number behind a zero": (patched(124, b"\x0000000001000"), "its size is not a number"),
    "name": (header(b"\xff\xfe"), "is not UTF-8"),
}


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_member_is_named(content: bytes, words: str, tmp_path: Path, ask: Ask, messages: Messages) -> None:
    result = ask("A01", write(tmp_path, FIRST + content + END))
    assert result.verdict == "fail"
    assert re.search(words, messages(result)), messages(result)


@pytest.mark.parametrize(
    ("content", "behind", "words"),
    [
        (FIRST + END, b"more", "4 bytes follow the archive's end"),
        (FIRST + END, gzip.compress(b"second", mtime=0), "bytes follow the archive's end"),
        (FIRST + END + b"more" * 128, b"", "data follow the end mark"),
        (FIRST + b"\0" * 512 + header(), b"", "data follow the end mark"),
        (FIRST + b"\0" * 512, b"", "ends before its end mark"),
        (FIRST, b"", "ends before its end mark"),
        (FIRST + header(size=4000) + b"x" * 512, b"", "ends before its end mark"),
        (header(f"{TOP}/PKG-INFO", 4000) + b"x" * 512, b"", "ends before its end mark"),
        (b"", b"", "ends before its end mark"),
    ],
)
def test_a_broken_end_is_named(
    content: bytes, behind: bytes, words: str, tmp_path: Path, ask: Ask, messages: Messages
) -> None:
    result = ask("A01", write(tmp_path, content, behind=behind))
    assert result.verdict == "fail"
    assert words in messages(result)


def test_a_file_that_is_not_gzip_is_refused(tmp_path: Path, ask: Ask, messages: Messages) -> None:
    path = tmp_path / f"{TOP}.tar.gz"
    path.write_bytes(FIRST + END)
    assert "not gzip-compressed" in messages(ask("A01", path))
    path.write_bytes(b"")
    assert "not gzip-compressed" in messages(ask("A01", path))
    packed = gzip.compress(FIRST + END, mtime=0)
    path.write_bytes(packed[:-12])
    assert "gzip stream is broken or cut off" in messages(ask("A01", path))
    path.write_bytes(packed[:-8] + bytes(8))
    assert "gzip stream is broken or cut off" in messages(ask("A01", path))


def test_a_bomb_stops_at_the_limit_and_in_little_memory(tmp_path: Path, ask: Ask, messages: Messages) -> None:
    content = FIRST + header(f"{TOP}/zeros", 60 << 20) + bytes(60 << 20) + END
    path = write(tmp_path, content)
    assert "unpacks to more than 10485760 bytes" in messages(ask("A01", path))
    with open_subject(path) as subject:
        assert subject.frame.unpacked_bytes < 11 << 20


def test_members_headers_and_metadata_are_limited(tmp_path: Path, ask: Ask, messages: Messages) -> None:
    few = FileRules(limits=ArchiveLimits(members=2))
    many = FIRST + b"".join(header(f"{TOP}/{number}") for number in range(3)) + END
    assert "more than 2 members" in messages(ask("A01", write(tmp_path, many), few))
    headers = FIRST + pax(b"g", comment="x") * 9 + END
    assert "more than 2 members" in messages(ask("A01", write(tmp_path, headers), few))
    small = FileRules(limits=ArchiveLimits(metadata_bytes=10))
    assert "bytes, the limit is 10" in messages(ask("A01", write(tmp_path, FIRST + END), small))


def test_a_zip_that_hides_in_a_gzip_is_refused(tmp_path: Path, ask: Ask, messages: Messages) -> None:
    # Stored in the last deflate block, with the gzip trailer as the zip's comment.
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 8)
    content = FIRST + END + bytes(512 - len(end)) + end
    path = tmp_path / f"{TOP}.tar.gz"
    path.write_bytes(gzip.compress(content, compresslevel=0, mtime=0))
    assert "also a valid zip archive" in messages(ask("A01", path))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_of_the_standard_library_has_no_defects(form: int, tmp_path: Path) -> None:
    names = [f"{TOP}/PKG-INFO", f"{TOP}/ä.py", LONG if form != tarfile.USTAR_FORMAT else f"{TOP}/{'n' * 90}/a.py"]
    path = tmp_path / f"{TOP}.tar.gz"
    with tarfile.open(path, "w:gz", format=form) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = 700
            archive.addfile(info, io.BytesIO(b"x" * 700))
    with open_subject(path) as subject:
        assert subject.frame.defects.kept == []
        assert [item.name for item in subject.frame.members] == names
        assert subject.metadata == b"x" * 700
        assert subject.read(names[1]) is None
