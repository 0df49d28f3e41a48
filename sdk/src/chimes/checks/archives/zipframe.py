"""Reads the frame of a zip file strictly: the central directory must agree with the rest of the file.

Format: APPNOTE.TXT 6.3. A frame is sound if local headers start at byte 0, follow each other without a
gap or an overlap, repeat the central directory, and nothing follows the end record. Then every reader,
from the front or from the back, sees the same members.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass, field, replace

from chimes.checks.archives.members import Defects, FileBytes
from chimes.checks.rules import ArchiveLimits

__all__ = ["DEFLATED", "STORED", "ZipFrame", "ZipMember", "looks_like_zip", "read_zip"]

STORED, DEFLATED = 0, 8
END = struct.Struct("<4s4H2LH")
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
UTF8_NAME, LEVEL_BITS, DESCRIPTOR, ENCRYPTED = 0x800, 0x006, 0x008, 0x2041
ZIP64_EXTRA, UNICODE_PATH_EXTRA = 0x0001, 0x7075
NEWEST = 63
"""The newest version of the format that readers implement, ten times 6.3."""
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One member as the central directory has it, and where its local header lies."""

    name: str
    size: int
    packed_size: int
    crc: int
    method: int
    flags: int
    mode: int
    header_offset: int
    raw_name: bytes
    modified: tuple[int, int]
    version: int = 20
    data_offset: int = -1

    @property
    def is_folder(self) -> bool:
        """Whether the name ends in a slash."""
        return self.name.endswith("/")


@dataclass
class ZipFrame:
    """The members and defects of a zip. ``readable``: the directory could be read; ``sound``: no gaps, no overlaps."""

    members: list[ZipMember] = field(default_factory=list)
    defects: Defects = field(default_factory=Defects)
    readable: bool = False
    sound: bool = False


@dataclass(frozen=True)
class _End:
    """Where the central directory lies, by the end records."""

    offset: int
    size: int
    entries: int
    records_start: int


def looks_like_zip(source: FileBytes) -> bool:
    """Whether a reader that starts at the end of the file would accept it as a zip."""
    start = _find_end(source)
    if start is None:
        return False
    _, _, _, _, _, size, offset, _ = END.unpack(source.at(start, END.size))
    directory = start - size
    return offset <= directory and source.at(directory, 4) in (b"PK\x01\x02", b"PK\x05\x06")


def read_zip(source: FileBytes, limits: ArchiveLimits) -> ZipFrame:
    """The frame of ``source``. Never raises for what is in it; reads no member's data."""
    frame = ZipFrame()
    end = _read_end(source, frame.defects)
    if end is None:
        return frame
    if end.entries > limits.members:
        frame.defects.add("members", end.entries)
        return frame
    if end.size > limits.directory_bytes:
        frame.defects.add("directory-size", end.size)
        return frame
    if end.offset + end.size != end.records_start:
        frame.defects.add("directory-place", f"{end.offset} + {end.size}, not {end.records_start}")
        return frame
    frame.readable = _read_directory(source.at(end.offset, end.size), end, frame)
    if frame.readable:
        found = [_read_local(source, member, frame.defects) for member in frame.members]
        frame.sound = _check_layout(found, end.offset, frame.defects)
        frame.members = [member for member, _ in found]
    return frame


def _find_end(source: FileBytes) -> int | None:
    tail_start = max(0, source.size - END.size - FULL16)
    tail = source.at(tail_start, END.size + FULL16)
    place = tail.rfind(b"PK\x05\x06")
    while place >= 0:
        if place + END.size <= len(tail):
            return tail_start + place
        place = tail.rfind(b"PK\x05\x06", 0, place)
    return None


def _read_end(source: FileBytes, defects: Defects) -> _End | None:
    start = _find_end(source)
    if start is None:
        defects.add("not-a-zip")
        return None
    _, disk, first_disk, here, entries, size, offset, comment = END.unpack(source.at(start, END.size))
    behind = source.size - start - END.size
    if comment:
        defects.add("comment", comment)
    if behind != comment:
        defects.add("trailing-data", behind - comment)
    if disk or first_disk or here != entries:
        defects.add("several-disks")
        return None
    if entries == FULL16 or FULL32 in (size, offset):
        return _read_end64(source, start, (entries, size, offset), defects)
    return _End(offset, size, entries, start)


def _read_end64(source: FileBytes, start: int, short: tuple[int, int, int], defects: Defects) -> _End | None:
    locator = source.at(start - END64_LOCATOR.size, END64_LOCATOR.size)
    if len(locator) == END64_LOCATOR.size and locator[:4] == b"PK\x06\x07":
        _, disk, place, disks = END64_LOCATOR.unpack(locator)
        record = source.at(place, END64.size)
        ends = place + END64.size == start - END64_LOCATOR.size
        if ends and len(record) == END64.size and record[:4] == b"PK\x06\x06" and (disk, disks) == (0, 1):
            _, length, _, _, here, first, on_disk, entries, size, offset = END64.unpack(record)
            values = (entries, size, offset)
            agree = all(a in (b, full) for a, b, full in zip(short, values, (FULL16, FULL32, FULL32), strict=True))
            if agree and length == END64.size - 12 and not here and not first and on_disk == entries:
                return _End(offset, size, entries, place)
    elif short[0] == FULL16 and FULL32 not in short[1:]:
        # Exactly 65,535 entries need no zip64 record.
        return _End(short[2], short[1], short[0], start)
    defects.add("zip64")
    return None


def _read_directory(data: bytes, end: _End, frame: ZipFrame) -> bool:
    place = 0
    for _ in range(end.entries):
        header = data[place : place + CENTRAL.size]
        if len(header) < CENTRAL.size or header[:4] != b"PK\x01\x02":
            break
        lengths = struct.unpack_from("<3H", header, 28)
        rest = data[place + CENTRAL.size : place + CENTRAL.size + sum(lengths)]
        if len(rest) < sum(lengths):
            break
        frame.members.append(_central_member(header, rest, frame.defects))
        place += CENTRAL.size + len(rest)
    if len(frame.members) == end.entries and place == end.size:
        return True
    frame.defects.add("directory", f"{len(frame.members)} of {end.entries}")
    return False


def _central_member(header: bytes, rest: bytes, defects: Defects) -> ZipMember:
    (_, _, version, flags, method, time, date, crc, packed, size, name_len, extra_len, _, disk, _, mode, offset) = (
        CENTRAL.unpack(header)
    )
    raw_name = rest[:name_len]
    name = _decode_name(raw_name, flags, defects)
    wide = _widen(rest[name_len : name_len + extra_len], [size, packed, offset], name, defects)
    member = ZipMember(
        name=name,
        size=wide[0],
        packed_size=wide[1],
        crc=crc,
        method=method,
        flags=flags,
        mode=mode >> 16,
        header_offset=wide[2],
        raw_name=raw_name,
        modified=(time, date),
        version=version,
    )
    _check_central(member, defects)
    if disk:
        defects.add("several-disks", member=name)
    return member


def _decode_name(raw: bytes, flags: int, defects: Defects) -> str:
    try:
        name = raw.decode("utf-8" if flags & UTF8_NAME else "ascii")
    except UnicodeDecodeError:
        name = raw.decode("utf-8", "backslashreplace")
        defects.add("name-encoding", member=name)
    if not name.strip("/"):
        defects.add("empty-name", member=name)
    return name


def _widen(extra: bytes, values: list[int], name: str, defects: Defects) -> list[int]:
    """``values`` (size, packed size, offset) with what the zip64 field says where they are full."""
    fields = _extra_fields(extra)
    if fields is None:
        defects.add("extra-field", member=name)
        return values
    kinds = [kind for kind, _ in fields]
    if UNICODE_PATH_EXTRA in kinds:
        defects.add("second-name", member=name)
    bodies = [body for kind, body in fields if kind == ZIP64_EXTRA]
    wide = _wide_values(bodies, values)
    if wide is None:
        defects.add("zip64", member=name)
    return wide or values


def _wide_values(bodies: list[bytes], values: list[int]) -> list[int] | None:
    full = [index for index, value in enumerate(values) if value == FULL32]
    if not bodies and not full:
        return values
    if len(bodies) != 1 or len(bodies[0]) % 8:
        return None
    wide = struct.unpack(f"<{len(bodies[0]) // 8}Q", bodies[0])
    if not full:
        # Bazel always writes zip64 values; they are accepted if they repeat the short fields.
        return values if list(wide) == values[: len(wide)] else None
    if len(wide) != len(full):
        return None
    return [wide[full.index(index)] if index in full else value for index, value in enumerate(values)]


def _extra_fields(extra: bytes) -> list[tuple[int, bytes]] | None:
    fields, place = [], 0
    while place < len(extra):
        if place + 4 > len(extra):
            return None
        kind, length = struct.unpack_from("<2H", extra, place)
        body = extra[place + 4 : place + 4 + length]
        if len(body) < length:
            return None
        fields.append((kind, body))
        place += 4 + length
    return fields


def _check_central(member: ZipMember, defects: Defects) -> None:
    if member.version > NEWEST:
        defects.add("version", f"{member.version / 10:.1f}", member.name)
    if member.flags & ENCRYPTED:
        defects.add("encrypted", member=member.name)
    elif member.flags & DESCRIPTOR:
        defects.add("data-descriptor", member=member.name)
    elif member.flags & ~(UTF8_NAME | LEVEL_BITS):
        defects.add("flags", f"0x{member.flags:04x}", member.name)
    if member.method not in (STORED, DEFLATED):
        defects.add("method", member.method, member.name)
    elif member.method == STORED and member.size != member.packed_size:
        defects.add("size", f"{member.packed_size} stored for {member.size}", member.name)
    kind = stat.S_IFMT(member.mode)
    if kind == stat.S_IFLNK:
        defects.add("link", member=member.name)
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > member.is_folder:
        defects.add("special-file", f"mode {member.mode:o}", member.name)
    if member.is_folder and member.size:
        defects.add("folder-with-data", member.size, member.name)


def _read_local(source: FileBytes, member: ZipMember, defects: Defects) -> tuple[ZipMember, int]:
    """The member with the offset of its data, and the offset of their end (-1 without a local header)."""
    head = source.at(member.header_offset, LOCAL.size + len(member.raw_name) + 64)
    if len(head) < LOCAL.size or head[:4] != b"PK\x03\x04":
        defects.add("local-header", "is missing", member.name)
        return member, -1
    _, version, flags, method, time, date, crc, packed, size, name_len, extra_len = LOCAL.unpack_from(head)
    if len(head) < LOCAL.size + name_len + extra_len:
        head = source.at(member.header_offset, LOCAL.size + name_len + extra_len)
    extra = head[LOCAL.size + name_len : LOCAL.size + name_len + extra_len]
    size, packed = _widen(extra, [size, packed], member.name, defects)
    local = {
        "name": head[LOCAL.size : LOCAL.size + name_len] == member.raw_name,
        "version": version == member.version,
        "flags": flags == member.flags,
        "method": method == member.method,
        "time": (time, date) == member.modified,
        "crc": crc == member.crc,
        "size": (size, packed) == (member.size, member.packed_size),
    }
    different = [what for what, same in local.items() if not same]
    if different and not member.flags & DESCRIPTOR:
        defects.add("local-header", f"has another {', '.join(different)}", member.name)
    data_offset = member.header_offset + LOCAL.size + name_len + extra_len
    return replace(member, data_offset=data_offset), data_offset + member.packed_size


def _check_layout(found: list[tuple[ZipMember, int]], directory: int, defects: Defects) -> bool:
    place, sound = 0, True
    for member, end in sorted(found, key=lambda pair: pair[0].header_offset):
        if end < 0:
            sound = False
            continue
        if member.header_offset != place:
            sound = False
            rule = "prepended-data" if place == 0 else ("overlap" if member.header_offset < place else "gap")
            defects.add(rule, abs(member.header_offset - place), member.name)
        place = max(place, end)
    if place != directory:
        sound = False
        defects.add("gap" if place < directory else "overlap", abs(directory - place))
    return sound
