"""Opens a wheel or an sdist to be checked: bounded, lazily, and without trusting anything in it.

What is wrong with the archive becomes defects in ``frame``; only a file that cannot be opened
(absent, or neither ``.whl`` nor ``.tar.gz``) raises.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from chimes.checks.archives.members import Defects, FileBytes, Member, check_links, check_names
from chimes.checks.archives.tarframe import BLOCK, looks_like_tar, read_tar
from chimes.checks.archives.zipdata import digest_member, unpack_member
from chimes.checks.archives.zipframe import ZipMember, looks_like_zip, read_zip
from chimes.checks.formats.points import EntryPoints, parse_entry_points
from chimes.checks.rules import ArchiveLimits
from chimes.errors import ArtifactError, NotFoundError, UnsupportedError

__all__ = ["Form", "Frame", "SdistSubject", "Subject", "WheelSubject", "open_subject"]

Form = Literal["wheel", "sdist"]
SMALL_FILE_BYTES = 1 << 20
CHUNK = 1 << 20


@dataclass(frozen=True)
class Frame:
    """The result of reading an archive. ``readable``: its members are known."""

    members: tuple[Member, ...]
    defects: Defects
    readable: bool
    unpacked_bytes: int


class Subject(ABC):
    """One file under its distribution name. Close it, or use it in a ``with`` statement."""

    form: Form

    def __init__(self, source: FileBytes, filename: str, limits: ArchiveLimits, *, deep: bool = True) -> None:
        """``filename`` is the name that counts; ``deep``: members are unpacked to check CRCs and hashes."""
        self.source, self.filename, self.limits, self.deep = source, filename, limits, deep

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    @cached_property
    def sha256(self) -> str:
        """The digest of the whole file, in hex."""
        digest = hashlib.sha256()
        for place in range(0, self.source.size, CHUNK):
            digest.update(self.source.at(place, CHUNK))
        return digest.hexdigest()

    @cached_property
    @abstractmethod
    def frame(self) -> Frame:
        """The archive's members and its defects."""

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all members that are not folders."""
        return frozenset(member.name for member in self.frame.members if not member.is_folder)

    @property
    @abstractmethod
    def metadata_name(self) -> str | None:
        """The member that holds the core metadata; None if it is absent, or if there are several places for it."""

    @abstractmethod
    def read(self, name: str | None, limit: int = SMALL_FILE_BYTES) -> bytes | None:
        """A member's bytes; None if it is absent, broken, or larger than ``limit``."""

    @cached_property
    def metadata(self) -> bytes | None:
        """The core metadata; None if absent, broken or too large."""
        return self.read(self.metadata_name, self.limits.metadata_bytes)

    @property
    def type(self) -> Literal["plugin", "library"] | None:
        """By the entry points; None where the file does not say (an sdist)."""
        return None


class WheelSubject(Subject):
    """A wheel: its members can be read in any order."""

    form: Form = "wheel"

    def __init__(self, source: FileBytes, filename: str, limits: ArchiveLimits, *, deep: bool = True) -> None:
        super().__init__(source, filename, limits, deep=deep)
        self._zip: dict[str, ZipMember] = {}
        self._digests: dict[str, bytes] = {}

    @cached_property
    def frame(self) -> Frame:
        """Reads the zip's frame and, if ``deep`` and the frame is sound, every member once."""
        found = read_zip(self.source, self.limits)
        defects = found.defects
        members = tuple(Member(item.name.rstrip("/"), item.size, item.is_folder) for item in found.members)
        # Of two members with the same name the first counts.
        self._zip.update((item.name, item) for item in reversed(found.members))
        check_names(members, defects)
        unpacked = sum(member.size for member in members)
        if looks_like_tar(self.source.at(0, BLOCK)):
            defects.add("polyglot", "tar")
        if unpacked > self.limits.unpacked_limit(self.source.size):
            defects.add("ratio", self.limits.unpacked_limit(self.source.size))
        elif found.sound and not defects.has("encrypted", "method"):
            self._check_data(found.members, defects)
        return Frame(members, defects, found.readable, unpacked)

    def _check_data(self, members: list[ZipMember], defects: Defects) -> None:
        for item in members if self.deep else ():
            try:
                self._digests[item.name] = digest_member(self.source, item, "sha256")
            except ArtifactError as error:
                defects.add("data", error.message, item.name)

    def digest(self, name: str, algorithm: str) -> bytes | None:
        """The digest of a member's bytes; None if it is absent or broken, or nothing was unpacked."""
        known = self._digests if self.frame.readable else {}
        if name not in known or algorithm == "sha256":
            return known.get(name)
        return digest_member(self.source, self._zip[name], algorithm)

    def read(self, name: str | None, limit: int = SMALL_FILE_BYTES) -> bytes | None:
        """A member's bytes; None if it is absent, broken, or larger than ``limit``."""
        item = self._zip.get(name or "") if self.frame.readable else None
        if item is None or item.size > limit:
            return None
        try:
            return b"".join(unpack_member(self.source, item))
        except ArtifactError:
            return None

    @cached_property
    def dist_infos(self) -> tuple[str, ...]:
        """The top folders that end in ``.dist-info``, sorted; a wheel has one."""
        tops = {member.name.split("/")[0] for member in self.frame.members if "/" in member.name or member.is_folder}
        return tuple(sorted(top for top in tops if top.endswith(".dist-info")))

    def dist_info(self, name: str) -> str | None:
        """The path of a file in the one dist-info folder, whether it is there or not."""
        return f"{self.dist_infos[0]}/{name}" if len(self.dist_infos) == 1 else None

    @property
    def metadata_name(self) -> str | None:
        """``METADATA`` of the dist-info folder."""
        return self.dist_info("METADATA")

    @cached_property
    def entry_points(self) -> EntryPoints:
        """The parsed ``entry_points.txt``, empty if it is absent."""
        name = self.dist_info("entry_points.txt")
        if name not in self.names:
            return EntryPoints()
        data = self.read(name)
        if data is None:
            return EntryPoints(problem=f"is broken, or larger than {SMALL_FILE_BYTES} bytes")
        return parse_entry_points(data)

    @property
    def type(self) -> Literal["plugin", "library"]:
        """A plugin has entry points of group ``chimes``."""
        return "plugin" if self.entry_points.plugin else "library"

    @cached_property
    def root_is_purelib(self) -> bool:
        """``Root-Is-Purelib`` of WHEEL, true by default."""
        text = (self.read(self.dist_info("WHEEL")) or b"").decode("utf-8", "replace")
        pairs = (line.partition(":") for line in text.splitlines())
        values = [value.strip().lower() for name, _, value in pairs if name.strip().lower() == "root-is-purelib"]
        return values[:1] != ["false"]

    def library_paths(self) -> Iterator[tuple[str, str]]:
        """(member, path in site-packages) of every file that is installed there."""
        for name in sorted(self.names):
            top, _, rest = name.partition("/")
            if top.endswith(".dist-info") and rest:
                continue
            if top.endswith(".data") and rest:
                scheme, _, rest = rest.partition("/")
                if scheme in ("purelib", "platlib") and rest:
                    yield name, rest
                continue
            yield name, name


class SdistSubject(Subject):
    """An sdist: read once from front to back; only ``PKG-INFO`` is kept."""

    form: Form = "sdist"

    @cached_property
    def frame(self) -> Frame:
        """Reads the whole archive."""
        found = read_tar(self.source, self.limits, lambda name: name.count("/") == 1 and name.endswith("/PKG-INFO"))
        check_names(found.members, found.defects)
        check_links(found.members, found.defects)
        if looks_like_zip(self.source):
            found.defects.add("polyglot", "zip")
        self._kept = found.kept
        return Frame(tuple(found.members), found.defects, found.readable, found.unpacked_bytes)

    @cached_property
    def tops(self) -> tuple[str, ...]:
        """What lies at the top, sorted; an sdist has one folder there."""
        return tuple(sorted({member.name.split("/")[0] for member in self.frame.members}))

    @property
    def metadata_name(self) -> str | None:
        """``PKG-INFO`` of the one top folder."""
        return f"{self.tops[0]}/PKG-INFO" if len(self.tops) == 1 else None

    def read(self, name: str | None, limit: int = SMALL_FILE_BYTES) -> bytes | None:
        """The bytes of ``PKG-INFO``; None for every other member."""
        data = self._kept.get(name or "") if self.frame.readable else None
        return None if data is None or len(data) > limit else data


def open_subject(
    path: Path, *, filename: str | None = None, limits: ArchiveLimits | None = None, deep: bool = True
) -> WheelSubject | SdistSubject:
    """Open ``path`` under ``filename`` (default: its own name).

    Without ``deep`` only members with metadata are unpacked: CRCs and hashes are not checked.
    Raises NotFoundError if there is no such file, UnsupportedError if it is neither a wheel nor an sdist.
    """
    name = filename or path.name
    form = WheelSubject if name.endswith(".whl") else SdistSubject if name.endswith(".tar.gz") else None
    if form is None:
        raise UnsupportedError(
            f"{name!r} is neither a wheel (.whl) nor an sdist (.tar.gz)", hint="build one: python -m build"
        )
    try:
        source = FileBytes(path)
    except OSError as error:
        raise NotFoundError(f"cannot open {path}: {error.strerror}", hint="name a file that you may read") from error
    return form(source, name, limits or ArchiveLimits(), deep=deep)
