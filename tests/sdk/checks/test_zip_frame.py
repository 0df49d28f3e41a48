"""Zips written byte by byte, so that each rule of the frame can be broken alone."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from chimes.checks.archives.members import FileBytes
from chimes.checks.archives.zipdata import unpack_member
from chimes.checks.archives.zipframe import looks_like_zip, read_zip
from chimes.checks.rules import ArchiveLimits, FileRules
from chimes.checks.subject import open_subject
from chimes.errors import ArtifactError
from chimes.evidence.verdict import CheckResult

FULL32 = 0xFFFFFFFF
Ask = Callable[..., CheckResult]
Messages = Callable[[CheckResult], str]


@dataclass(frozen=True)
class Entry:
    """One member; None stands for the correct value."""

    name: bytes = b"acme/__init__.py"
    data: bytes = b"x = 1\n" * 30
    method: int = 8
    flags: int = 0
    mode: int = 0o100644
    packed: bytes | None = None
    crc: int | None = None
    size: int | None = None
    local: dict[str, int | bytes] = field(default_factory=dict)
    central: dict[str, int | bytes] = field(default_factory=dict)
    before: bytes = b""
    after: bytes = b""


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def build(
    *entries: Entry, lead: bytes = b"", tail: bytes = b"", comment: bytes = b"", end: dict[str, int] | None = None
) -> bytes:
    out, directory = bytearray(lead), bytearray()
    for entry in entries:
        packed = entry.packed
        if packed is None:
            packed = deflate(entry.data) if entry.method == 8 else entry.data
        out += entry.before
        common: dict[str, int | bytes] = {
            "need": 20,
            "flags": entry.flags,
            "method": entry.method,
            "time": 0,
            "date": 33,
            "crc": zlib.crc32(entry.data) if entry.crc is None else entry.crc,
            "packed": len(packed),
            "size": len(entry.data) if entry.size is None else entry.size,
            "name": entry.name,
            "extra": b"",
        }
        here = {**common, **entry.local}
        there = {**common, "offset": len(out), "disk": 0, "sig": b"PK\x01\x02", **entry.central}
        out += struct.pack(
            "<4s5H3L2H", here.get("sig", b"PK\x03\x04"),
            *[here[key] for key in ("need", "flags", "method", "time", "date", "crc", "packed", "size")],
            len(bytes(here["name"])), len(bytes(here["extra"])),
        ) + bytes(here["name"]) + bytes(here["extra"]) + packed + entry.after  # fmt: skip
        directory += struct.pack(
            "<4s6H3L5H2L", there["sig"], 0x0314,
            *[there[key] for key in ("need", "flags", "method", "time", "date", "crc", "packed", "size")],
            len(bytes(there["name"])), len(bytes(there["extra"])), 0, there["disk"], 0,
            entry.mode << 16, there["offset"],
        ) + bytes(there["name"]) + bytes(there["extra"])  # fmt: skip
    values = {"disk": 0, "first": 0, "here": len(entries), "entries": len(entries)}
    values |= {"size": len(directory), "offset": len(out), **(end or {})}
    record = struct.pack("<4s4H2LH", b"PK\x05\x06", *values.values(), len(comment))
    return bytes(out + directory + record + comment + tail)


OTHER = Entry(name=b"acme/other.py")
LINK = Entry(name=b"acme/link", data=b"/etc/passwd", mode=0o120777)
PACKED = deflate(Entry().data)
SIZE = len(Entry().data)


def z64(*values: int) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


SOUND = {
    "two members": build(Entry(), OTHER),
    "stored": build(Entry(method=0)),
    "a folder": build(Entry(name=b"acme/", data=b"", method=0, mode=0o040755), Entry()),
    "a name in UTF-8": build(Entry(name="acme/ä.py".encode(), flags=0x800)),
    "no member": build(),
    "an old and a new version": build(
        Entry(local={"need": 10}, central={"need": 10}), replace(OTHER, local={"need": 63}, central={"need": 63})
    ),
    "a level bit": build(Entry(flags=2)),
    "a repeated zip64 field": build(Entry(local={"extra": z64(SIZE, len(PACKED))})),
    "a zip64 field where the sizes are": build(
        Entry(local={"extra": z64(SIZE, len(PACKED)), "size": FULL32, "packed": FULL32})
    ),
}


@pytest.mark.parametrize("data", SOUND.values(), ids=SOUND)
def test_a_sound_zip_is_readable_without_a_defect(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a-1-py3-none-any.whl"
    path.write_bytes(data)
    with open_subject(path) as subject:
        assert subject.frame.defects.kept == []
        assert subject.frame.readable


BROKEN = {
    "not a zip": (b"hello" * 100, "is not a zip archive"),
    "empty": (b"", "is not a zip archive"),
    "cut end record": (build(Entry())[:-3], "is not a zip archive"),
    "comment": (build(Entry(), comment=b"hi"), "a comment of 2 bytes"),
    "trailing data": (build(Entry(), tail=b"more"), "4 bytes follow the archive's end"),
    "prepended data, offsets fit": (build(Entry(), lead=b"#!/bin/sh\n"), "10 bytes stand before"),
    "prepended data": (b"#!/bin/sh\n" + build(Entry()), "not where the end record says"),
    "gap": (build(Entry(), replace(OTHER, before=b"secret")), "6 bytes between members belong to none"),
    "gap at the end": (build(replace(Entry(), after=b"secret")), "6 bytes between members"),
    "overlap": (build(Entry(), replace(OTHER, central={"offset": 0})), "overlap by"),
    "several disks": (build(Entry(), end={"disk": 1}), "split over several disks"),
    "member on another disk": (build(Entry(central={"disk": 2})), "split over several disks"),
    "too many entries named": (build(Entry(), end={"here": 3, "entries": 3}), r"broken \(1 of 3 entries\)"),
    "directory too short": (build(Entry(), OTHER, end={"here": 1, "entries": 1}), "directory is broken"),
    "directory signature": (build(Entry(central={"sig": b"XXXX"})), "directory is broken"),
    "directory size": (build(Entry(), end={"size": 5}), "not where the end record says"),
    "local header missing": (build(Entry(local={"sig": b"XXXX"})), "local header of .* is missing"),
    "offset outside": (build(Entry(central={"offset": 10**6})), "local header of .* is missing"),
    "other name": (build(Entry(local={"name": b"acme/__main__.py"})), "has another name"),
    "other size": (build(Entry(local={"size": 7})), "has another size"),
    "other crc": (build(Entry(local={"crc": 7})), "has another crc"),
    "other method": (build(Entry(local={"method": 0})), "has another method"),
    "other flags": (build(Entry(local={"flags": 0x800})), "has another flags"),
    "other time": (build(Entry(local={"time": 9})), "has another time"),
    "other version": (build(Entry(local={"need": 45})), "has another version"),
    "version of tomorrow": (build(Entry(central={"need": 80}, local={"need": 80})), r"needs version 8\.0 of the zip"),
    "data descriptor": (build(Entry(flags=8)), "has its size behind its data"),
    "encrypted": (build(Entry(flags=1)), "is encrypted"),
    "unknown flag": (build(Entry(flags=0x20)), "unknown flags 0x0020"),
    "method": (build(Entry(method=14, packed=b"x")), "packed by method 14"),
    "stored size": (build(Entry(method=0, size=7)), "has two sizes"),
    "link": (build(LINK), "is a link; a wheel holds none"),
    "pipe": (build(Entry(mode=0o010644)), "neither a file nor a folder"),
    "folder mode": (build(Entry(mode=0o040755)), "neither a file nor a folder"),
    "folder with data": (build(Entry(name=b"acme/", mode=0)), "holds 180 bytes of data"),
    "name in Latin-1": (build(Entry(name=b"acme/\xe4.py")), "is not UTF-8"),
    "no name": (build(Entry(name=b"")), "has no name"),
    "second name": (build(Entry(central={"extra": struct.pack("<2H", 0x7075, 2) + b"xx"})), "carries a second name"),
    "broken extra": (build(Entry(central={"extra": b"\x01\x00\x99\x00x"})), "extra field of .* is malformed"),
    "short extra": (build(Entry(central={"extra": b"\x01"})), "extra field of .* is malformed"),
    "zip64 disagrees": (build(Entry(central={"extra": z64(1, 2)})), "zip64 records disagree"),
    "zip64 twice": (build(Entry(central={"extra": z64(SIZE) * 2})), "zip64 records disagree"),
    "zip64 missing": (build(Entry(central={"size": FULL32})), "zip64 records disagree"),
    "zip64 end missing": (build(Entry(), end={"offset": FULL32}), "zip64 records disagree"),
    "wrong crc": (build(Entry(crc=1)), "has CRC .*, not the declared 00000001"),
    "size too small": (build(Entry(size=5)), "unpacks to more than the declared 5"),
    "size too large": (build(Entry(size=999)), "unpacks to 180 bytes, not the declared 999"),
    "not deflate": (build(Entry(packed=b"\xff" * 20)), "is not a valid deflate stream"),
    "deflate cut": (build(Entry(packed=PACKED[:-3])), "deflate stream has no end"),
    "deflate with more": (build(Entry(packed=PACKED + b"behind")), "behind its deflate stream"),
    "duplicate": (build(Entry(), Entry()), "occurs twice"),
    "case": (build(Entry(), replace(OTHER, name=b"acme/__INIT__.py")), "differ only in case"),
    "file and folder": (build(Entry(name=b"acme"), Entry()), "is a file and a folder at once"),
    "absolute": (build(Entry(name=b"/etc/cron.d/x")), "has an absolute path"),
    "parent": (build(Entry(name=b"acme/../../x")), "leaves the folder"),
    "backslash": (build(Entry(name=b"acme\\x.py")), "has a backslash"),
    "drive": (build(Entry(name=b"C:/x.py")), "begins with a drive letter"),
    "control": (build(Entry(name=b"acme/\x07.py")), "has a control character"),
    "nul": (build(Entry(name=b"acme/x.py\x00.txt")), "has a control character"),
    "turned": (build(Entry(name="acme/\u202eyp.x".encode(), flags=0x800)), "has a control character"),
    "unclean": (build(Entry(name=b"acme//x.py")), "an empty or '.' part"),
    "dot": (build(Entry(name=b"./acme/x.py")), "an empty or '.' part"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_frame_is_named(data: bytes, words: str, tmp_path: Path, ask: Ask, messages: Messages) -> None:
    path = tmp_path / "acme-1.0-py3-none-any.whl"
    path.write_bytes(data)
    result = ask("A01", path)
    assert result.verdict == "fail"
    assert re.search(words, messages(result)), messages(result)
    assert all(finding.blocks == "upload" for finding in result.findings)


def zip64_end(data: bytes, *, length: int = 44, entries: int = 1, place: int | None = None) -> bytes:
    """``data`` with its end record moved into a zip64 record."""
    body, end = data[:-22], data[-22:]
    _, _, _, _, _, size, offset, _ = struct.unpack("<4s4H2LH", end)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", length, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body) if place is None else place, 1)
    return body + record + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, size, FULL32, 0)


def test_a_zip64_end_record_is_read_and_must_agree(tmp_path: Path) -> None:
    for data, readable in (
        (zip64_end(build(Entry())), True),
        (zip64_end(build(Entry()), length=50), False),
        (zip64_end(build(Entry()), entries=2), False),
        (zip64_end(build(Entry()), place=3), False),
    ):
        path = tmp_path / "a.whl"
        path.write_bytes(data)
        with FileBytes(path) as source:
            assert read_zip(source, ArchiveLimits()).readable is readable


def test_the_standard_library_writes_sound_zips(tmp_path: Path) -> None:
    path = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("acme")
        archive.writestr("acme/ä.py", "x = 1\n")
        with archive.open(zipfile.ZipInfo("acme/big.py"), "w", force_zip64=True) as member:
            member.write(b"y")
    with open_subject(path) as subject:
        assert subject.frame.defects.kept == []
        assert subject.read("acme/big.py") == b"y"
        assert subject.read("acme/absent.py") is None


def test_limits_hold_before_anything_is_unpacked(tmp_path: Path, ask: Ask, messages: Messages) -> None:
    path = tmp_path / "acme-1.0-py3-none-any.whl"
    path.write_bytes(build(Entry(), OTHER))
    few = FileRules(limits=ArchiveLimits(members=1))
    assert "has 2 members, the limit is 1" in messages(ask("A01", path, few))
    small = FileRules(limits=ArchiveLimits(directory_bytes=10))
    assert "central directory has" in messages(ask("A01", path, small))
    bomb = FileRules(limits=ArchiveLimits(unpacked_bytes=100))
    assert "unpacks to more than 100 bytes" in messages(ask("A01", path, bomb))


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path, ask: Ask, messages: Messages) -> None:
    path = tmp_path / "acme-1.0-py3-none-any.whl"
    path.write_bytes(build(Entry(packed=b"\x03\x00", size=4 << 30 >> 1)))
    assert "unpacks to more than 10485760 bytes" in messages(ask("A01", path))


def test_many_broken_members_are_counted_and_not_all_listed(tmp_path: Path, ask: Ask, messages: Messages) -> None:
    path = tmp_path / "acme-1.0-py3-none-any.whl"
    path.write_bytes(build(*[Entry(name=b"/%d" % number) for number in range(50)]))
    result = ask("A01", path)
    assert len(result.findings) == 21
    assert "30 more members break the rule 'absolute-path'" in messages(result)


def test_a_wheel_that_is_also_a_tar_is_refused(tmp_path: Path, ask: Ask, messages: Messages) -> None:
    # The first member's name and data are laid so that the first 512 bytes are a tar header.
    head = bytearray(build(Entry(name=b"a" * 400, method=0, data=b"\0" * 200))[:512])
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    name = bytes(head[30:430])
    path = tmp_path / "acme-1.0-py3-none-any.whl"
    path.write_bytes(build(Entry(name=name, method=0, data=b"\0" * 200)))
    assert "also a valid tar archive" in messages(ask("A01", path))


def test_a_member_that_is_cut_off_or_without_place_is_an_artifact_error(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(build(Entry()))
    with FileBytes(path) as source:
        (member,) = read_zip(source, ArchiveLimits()).members
        assert looks_like_zip(source)
        for broken in (replace(member, data_offset=10**6), replace(member, data_offset=-1)):
            with pytest.raises(ArtifactError, match="ends before its declared size"):
                list(unpack_member(source, broken))


def test_unreadable_archives_leave_other_checks_not_run(tmp_path: Path, ask: Ask) -> None:
    path = tmp_path / "acme-1.0-py3-none-any.whl"
    path.write_bytes(b"nothing")
    assert ask("A04", path).verdict == "not_run"
    assert ask("A02", path).verdict == "not_run"
    assert ask("A03", path).verdict == "pass"
    assert ask("A12", path).verdict == "pass"
