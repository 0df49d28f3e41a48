"""Checks whether a plugin's wheel says what changed in its version."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.version import InvalidVersion, Version

from chimes.checks.filecheck import WheelCheck
from chimes.checks.formats.fields import parse_headers
from chimes.checks.formats.sections import read_sections
from chimes.checks.subject import WheelSubject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.hooks import ENTRY_POINT_GROUP
from chimes.text import quote

__all__ = ["ChangelogCurrent"]

NAME = "changelog.md"
NUMBER = re.compile(r"v?(\d[\w.!+-]*)")


class ChangelogCurrent(WheelCheck):
    """Does the plugin bring a changelog with an entry for this version?

    A file `CHANGELOG.md` in the plugin's package, or anywhere in its `.dist-info` folder, with a heading that holds
    the version (`## 1.2.0`, `## [1.2.0] - 2026-05-04`) and text below it. Every build backend can put it
    in the package; hatchling takes the project's own with `extra-metadata`, as the template does. Users read there
    what an update changes, and a page can show it without a network.
    """

    code = "P03"
    blocks = "verified"
    types = frozenset({"plugin"})
    source = "keepachangelog.com 1.1"

    def observe(self, subject: WheelSubject) -> Facts:
        """The changelogs, and whether one has an entry for the version."""
        version = next(iter(parse_headers(subject.metadata or b"").all("Version")), "")
        places = sorted(_places(subject))
        entries = [_entry(subject.read(place), version) for place in places]
        return {
            "version": version,
            "places": places[:10],
            "entry": next((state for state in ("written", "empty") if state in entries), "none"),
        }

    def judge(self, facts: Facts) -> list[Finding]:
        """No changelog, no entry, or an empty one."""
        version, places = quote(facts["version"]), facts["places"]
        if not places:
            fix = "put CHANGELOG.md into the plugin's package or its .dist-info, with a heading for each version"
            return [self.finding("the wheel has no CHANGELOG.md", fix)]
        if facts["entry"] == "none":
            message, fix = f"no heading of the changelog names the version {version}", "add one, with what changed"
            return [self.finding(message, fix, where=places[0])]
        if facts["entry"] == "empty":
            message = f"the changelog has no text for the version {version}"
            return [self.finding(message, "write below its heading what changed", where=places[0])]
        return []


def _places(subject: WheelSubject) -> Iterator[str]:
    points = [point for point in subject.entry_points.points if point.group == ENTRY_POINT_GROUP]
    modules = [point.value.partition(":")[0].strip().split(".") for point in points]
    packages = {"/".join(module[:end]) for module in modules for end in range(1, len(module) + 1)}
    for member, path in subject.library_paths():
        folder, _, name = path.rpartition("/")
        if name.lower() == NAME and folder in packages:
            yield member
    for name in subject.names:
        top, _, rest = name.partition("/")
        if top in subject.dist_infos and rest.rpartition("/")[2].lower() == NAME:
            yield name


def _entry(data: bytes | None, version: str) -> str:
    """``written``, ``empty`` or ``none``."""
    found = [
        section.is_written
        for section in read_sections((data or b"").decode("utf-8-sig", "replace"))
        if _names(section.title, version)
    ]
    return ("written" if any(found) else "empty") if found else "none"


def _names(title: str, version: str) -> bool:
    try:
        wanted = Version(version)
    except InvalidVersion:
        return version in title
    return any(_parse(text.rstrip(".-+!")) in (wanted, Version(wanted.public)) for text in NUMBER.findall(title))


def _parse(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
