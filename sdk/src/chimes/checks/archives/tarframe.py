"""Reads the frame of a gzipped tar file strictly, in one pass and with bounded memory.

Formats: RFC 1952 (gzip), POSIX.1-2017 pax with ustar headers, and GNU long names. Two gzip
members, a size that is given twice, data behind the end: what readers interpret differently is a defect.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from chimes.checks.archives.members import Defects, FileBytes, Member
from chimes.checks.rules import ArchiveLimits

__all__ = ["TarFrame", "looks_like_tar", "read_tar"]

BLOCK = 512
CHUNK = 1 << 16
GZIP_MAGIC = b"\x1f\x8b"
LONG_HEADER_BYTES = 1 << 20
REGULAR, HARD_LINK, SYMLINK, FOLDER = "0", "1", "2", "5"
GNU_LONG_NAME, PAX = "L", "x"
NUMBERS = {"mode": (100, 108), "uid": (108, 116), "gid": (116, 124), "mtime": (136, 148)}
NUMBERS |= {"devmajor": (329, 337), "devminor": (337, 345)}
"""Fields that are not used here. Some readers end the archive before a header that has no number in one of them."""
USTAR_SIZE_LIMIT = 8 << 30
NEGATIVE = 0xFF
"""The first byte of a number below zero, as of a time before 1970."""


@dataclass
class TarFrame:
    """The members and defects of a tar. ``readable``: it was read to its end. ``kept``: the bytes of wanted members."""

    members: list[Member] = field(default_factory=list)
    defects: Defects = field(default_factory=Defects)
    kept: dict[str, bytes] = field(default_factory=dict)
    unpacked_bytes: int = 0
    readable: bool = False


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    size: int
    kind: str
    link: str


def looks_like_tar(block: bytes) -> bool:
    """Whether a file that begins with ``block`` (512 bytes) would be accepted as an unpacked tar."""
    return len(block) == BLOCK and any(block) and _number(block[148:156]) == _checksum(block)


def read_tar(source: FileBytes, limits: ArchiveLimits, keep: Callable[[str], bool]) -> TarFrame:
    """The frame of ``source``; keeps up to ``limits.metadata_bytes`` of each member that ``keep`` wants.

    Never raises for what is in it.
    """
    frame = TarFrame()
    stream = _Unzipped(source, limits.unpacked_limit(source.size))
    try:
        _Reader(stream, limits, keep, frame).read_all()
        stream.finish()
        frame.readable = True
    except _StoppedError as stop:
        frame.defects.add(stop.rule, stop.detail)
    frame.unpacked_bytes = stream.produced
    return frame


class _StoppedError(Exception):
    """Reading cannot continue; ``rule`` is the defect. It is caught in this module."""

    def __init__(self, rule: str, detail: str | int = "") -> None:
        super().__init__(rule)
        self.rule, self.detail = rule, detail


class _Unzipped:
    """The bytes of one gzip member."""

    def __init__(self, source: FileBytes, limit: int) -> None:
        self._source, self._limit, self._place = source, limit, 0
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._ready = bytearray()
        self.produced = 0

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes, fewer only at the end."""
        while len(self._ready) < count and self._fill():
            pass
        taken = bytes(self._ready[:count])
        del self._ready[:count]
        return taken

    def finish(self) -> None:
        """Raises if there is anything but zeros up to the end, or anything behind it."""
        while rest := self.take(CHUNK):
            if any(rest):
                raise _StoppedError("data-behind-end")
        if self._stream.unused_data or self._place < self._source.size:
            raise _StoppedError("trailing-data", self._source.size - self._place + len(self._stream.unused_data))

    def _fill(self) -> bool:
        if self._stream.eof:
            return False
        packed = self._stream.unconsumed_tail
        if not packed:
            packed = self._source.at(self._place, CHUNK)
            self._place += len(packed)
        try:
            chunk = self._stream.decompress(packed, CHUNK)
        except zlib.error as error:
            raise self._broken() from error
        if not packed and not chunk and not self._stream.eof:
            raise self._broken()
        self.produced += len(chunk)
        if self.produced > self._limit:
            raise _StoppedError("ratio", self._limit)
        self._ready += chunk
        return True

    def _broken(self) -> _StoppedError:
        return _StoppedError("gzip-broken" if self._source.at(0, 2) == GZIP_MAGIC else "not-a-gzip")


class _Reader:
    """Walks the headers; pax and GNU long-name records apply to the member that follows them."""

    def __init__(self, stream: _Unzipped, limits: ArchiveLimits, keep: Callable[[str], bool], frame: TarFrame) -> None:
        self._stream, self._limits, self._keep, self._frame = stream, limits, keep, frame
        self._pax: dict[str, str] = {}
        self._long: dict[str, str] = {}
        self._headers = 0

    def read_all(self) -> None:
        while True:
            block = self._stream.take(BLOCK)
            if len(block) < BLOCK:
                raise _StoppedError("tar-truncated")
            if not any(block):
                self._read_end()
                return
            self._read_entry(_parse_header(block))

    def _read_end(self) -> None:
        second = self._stream.take(BLOCK)
        if len(second) < BLOCK:
            raise _StoppedError("tar-truncated")
        if any(second):
            raise _StoppedError("data-behind-end")
        if self._pax or self._long:
            self._frame.defects.add("stray-header")

    def _read_entry(self, header: _Header) -> None:
        self._headers += 1
        if self._headers > 4 * self._limits.members:
            raise _StoppedError("members", f"more than {self._limits.members}")
        match header.kind:
            case "x" | "g":
                self._read_pax(header)
            case "L" | "K":
                key = "path" if header.kind == GNU_LONG_NAME else "linkpath"
                self._long[key] = _text(self._long_data(header).rstrip(b"\0"))
            case _:
                self._read_member(header)
                self._pax, self._long = {}, {}

    def _long_data(self, header: _Header) -> bytes:
        if header.size > LONG_HEADER_BYTES:
            raise _StoppedError("long-header", header.size)
        return self._data(header.size)

    def _read_pax(self, header: _Header) -> None:
        records = _parse_pax(self._long_data(header))
        if header.kind == PAX:
            if self._pax:
                raise _StoppedError("stray-header")
            self._pax = records
        elif wrong := sorted(key for key in records if key in ("path", "linkpath", "size") or "sparse" in key):
            self._frame.defects.add("global-header", wrong[0])

    def _read_member(self, header: _Header) -> None:
        defects, members = self._frame.defects, self._frame.members
        if len(members) >= self._limits.members:
            raise _StoppedError("members", f"more than {self._limits.members}")
        name = self._pax.get("path", self._long.get("path", header.name))
        link = self._pax.get("linkpath", self._long.get("linkpath", header.link))
        size = self._size(header, name)
        is_folder = header.kind == FOLDER
        plain = name.rstrip("/") if is_folder else name
        if not plain.strip("/"):
            defects.add("empty-name", member=name)
        if header.kind == "S" or any("sparse" in key.lower() for key in self._pax):
            defects.add("sparse", member=plain)
        elif header.kind not in (REGULAR, "\0", HARD_LINK, SYMLINK, FOLDER):
            defects.add("special-file", f"type {header.kind!r}", plain)
        if size and header.kind not in (REGULAR, "\0"):
            defects.add("link-with-data" if header.kind in (HARD_LINK, SYMLINK) else "folder-with-data", size, plain)
        linked = link if header.kind in (HARD_LINK, SYMLINK) else None
        if linked is not None and header.kind == SYMLINK and not linked.startswith("/"):
            linked = f"{plain.rpartition('/')[0]}/{linked}".removeprefix("/")
        members.append(Member(plain, size, is_folder, linked))
        self._read_data(plain, size)

    def _size(self, header: _Header, name: str) -> int:
        if "size" not in self._pax:
            return header.size
        text = self._pax["size"]
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise _StoppedError("tar-header", f"pax size {text[:40]!r}")
        if int(text) != header.size and int(text) < USTAR_SIZE_LIMIT:
            # Readers differ in which size they use, and see different members from here on.
            self._frame.defects.add("size", f"{header.size} and {text}", name)
        return int(text)

    def _read_data(self, name: str, size: int) -> None:
        if self._keep(name):
            if size > self._limits.metadata_bytes:
                self._frame.defects.add("metadata-size", size, name)
            else:
                self._frame.kept.setdefault(name, self._data(size))
                return
        self._skip(size)

    def _data(self, size: int) -> bytes:
        data = self._stream.take(size)
        if len(data) < size:
            raise _StoppedError("tar-truncated")
        self._skip(-size % BLOCK, pad=True)
        return data

    def _skip(self, size: int, *, pad: bool = False) -> None:
        left = size if pad else size + -size % BLOCK
        while left:
            gone = len(self._stream.take(min(left, CHUNK)))
            if not gone:
                raise _StoppedError("tar-truncated")
            left -= gone


def _parse_header(block: bytes) -> _Header:
    size = _number(block[124:136])
    if _number(block[148:156]) != _checksum(block):
        raise _StoppedError("tar-header", "its checksum is wrong")
    if size is None:
        raise _StoppedError("tar-header", "its size is not a number")
    for name, (start, end) in NUMBERS.items():
        if block[start] != NEGATIVE and _number(block[start:end]) is None:
            raise _StoppedError("tar-header", f"its {name} is not a number")
    path = _field(block[:100])
    if block[257:263] == b"ustar\0" and (prefix := _field(block[345:500])):
        path = f"{prefix}/{path}"
    return _Header(path, size, chr(block[156]), _field(block[157:257]))


def _field(raw: bytes) -> str:
    return _text(raw.split(b"\0", 1)[0])


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _StoppedError("name-encoding", raw[:80].decode("utf-8", "backslashreplace")) from error


def _number(raw: bytes) -> int | None:
    """An octal or, with the first bit set, a base-256 number; None if it is neither."""
    if raw[0] & 0x80:
        value = int.from_bytes(raw, "big") - (0x80 << 8 * (len(raw) - 1))
        return value if value < 1 << 62 and raw[0] == 0x80 else None
    text = raw.lstrip(b" ").rstrip(b" \0")
    if not text:
        return 0
    return int(text, 8) if all(0x30 <= digit <= 0x37 for digit in text) else None


def _checksum(block: bytes) -> int:
    return sum(block[:148]) + 8 * 0x20 + sum(block[156:])


def _parse_pax(data: bytes) -> dict[str, str]:
    records: dict[str, str] = {}
    place = 0
    while place < len(data):
        length_text, _, _ = data[place : place + 12].partition(b" ")
        length = int(length_text) if length_text.isdigit() else 0
        record = data[place : place + length]
        key, separator, value = record[len(length_text) + 1 : -1].partition(b"=")
        if not separator or len(record) < length or not record.endswith(b"\n"):
            raise _StoppedError("tar-header", "its pax records are malformed")
        records[_text(key)] = _text(value)
        place += length
    return records
