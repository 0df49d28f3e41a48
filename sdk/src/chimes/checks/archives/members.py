"""The members of an archive of either format, and the defects of their names and links."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from chimes.text import open_regular

__all__ = ["Defect", "Defects", "FileBytes", "Member", "check_links", "check_names"]

KEPT_PER_RULE = 20
DRIVE = re.compile(r"[A-Za-z]:")
# Control characters, and characters that change the reading direction and so disguise a name.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive. ``name`` ends in no slash; ``size`` is unpacked; ``link`` is a link's target."""

    name: str
    size: int
    is_folder: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Defect:
    """One broken rule: its stable name, the value that breaks it, the member it is about."""

    rule: str
    detail: str
    member: str | None = None


class Defects:
    """Collects defects; keeps the first of each rule and counts the others, so that no file can flood a report."""

    def __init__(self) -> None:
        self.kept: list[Defect] = []
        self.counts: dict[str, int] = {}

    def add(self, rule: str, detail: str | int = "", member: str | None = None) -> None:
        """Note that ``rule`` is broken."""
        self.counts[rule] = self.counts.get(rule, 0) + 1
        if self.counts[rule] <= KEPT_PER_RULE:
            self.kept.append(Defect(rule, str(detail)[:300], None if member is None else member[:1000]))

    def __bool__(self) -> bool:
        return bool(self.kept)

    def has(self, *rules: str) -> bool:
        """Whether one of ``rules`` is broken."""
        return any(rule in self.counts for rule in rules)


class FileBytes:
    """A file that is read at offsets from one open descriptor: the checked bytes are the bytes that are read."""

    def __init__(self, path: Path) -> None:
        """Raises OSError if ``path`` cannot be opened, or is not a regular file."""
        self._file = open_regular(path)
        self.size = os.fstat(self._file.fileno()).st_size

    def at(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``offset``; fewer at the end of the file, none outside it."""
        if offset < 0 or count <= 0 or offset >= self.size:
            return b""
        self._file.seek(offset)
        return self._file.read(min(count, self.size - offset)) or b""

    def close(self) -> None:
        """Close the descriptor."""
        self._file.close()

    def __enter__(self) -> FileBytes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def check_names(members: Iterable[Member], defects: Defects) -> None:
    """Note every name that leads out of the folder of the archive, and every name that two members share."""
    exact: set[str] = set()
    folded: dict[str, str] = {}
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        _check_path(member.name, defects)
        if member.name in exact:
            defects.add("duplicate", member=member.name)
            continue
        exact.add(member.name)
        key = _folded(member.name)
        if key in folded:
            defects.add("case-collision", folded[key], member.name)
        folded.setdefault(key, member.name)
        (folders if member.is_folder else files).add(key)
        folders.update(_parents(key, folders))
    for key in sorted(files & folders):
        defects.add("file-and-folder", member=folded[key])


def check_links(members: Iterable[Member], defects: Defects) -> None:
    """Note every link that leads out of its top folder, and every path that goes through a link."""
    found = list(members)
    links = {member.name for member in found if member.link is not None}
    for member in found:
        if any(parent in links for parent in _parents(member.name, set())):
            defects.add("behind-link", member=member.name)
        if member.link is not None:
            _check_target(member, links, defects)


def _check_target(member: Member, links: set[str], defects: Defects) -> None:
    target = member.link or ""
    stack: list[str] = []
    if target.startswith("/") or DRIVE.match(target) or "\\" in target or not target:
        defects.add("link-outside", target, member.name)
        return
    for part in target.split("/"):
        if "/".join(stack) in links:
            defects.add("behind-link", target, member.name)
            return
        if part == ".." and not stack:
            defects.add("link-outside", target, member.name)
            return
        if part == "..":
            stack.pop()
        elif part not in ("", "."):
            stack.append(part)
    if not stack or stack[0] != member.name.split("/")[0]:
        defects.add("link-outside", target, member.name)


def _parents(key: str, known: set[str]) -> Iterable[str]:
    while "/" in key:
        key = key.rpartition("/")[0]
        if key in known:
            return
        yield key


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _check_path(name: str, defects: Defects) -> None:
    if name.startswith("/"):
        defects.add("absolute-path", member=name)
    elif DRIVE.match(name):
        defects.add("drive-letter", member=name)
    if "\\" in name:
        defects.add("backslash", member=name)
    if CONTROL.search(name):
        defects.add("control-character", member=name)
    parts = name.removeprefix("/").split("/")
    if ".." in parts:
        defects.add("parent-path", member=name)
    elif "" in parts or "." in parts:
        defects.add("unclean-path", member=name)
