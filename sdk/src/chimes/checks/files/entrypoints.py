"""Checks whether the entry points of a wheel are valid and those of Chimes point into it."""

from __future__ import annotations

import re

from chimes.checks.filecheck import WheelCheck
from chimes.checks.subject import WheelSubject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.hooks import ENTRY_POINT_GROUP
from chimes.text import quote

__all__ = ["EntryPointsValid"]

DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
VALUE = re.compile(rf"(?P<module>{DOTTED})(?:\s*:\s*(?P<attribute>{DOTTED}))?(?:\s*\[[^\]\n]*\])?")
GROUP = re.compile(r"\w+(?:\.\w+)*")
EXTENSION = re.compile(r"\.(?:py|pyd|so|[-\w]+\.(?:so|pyd))$")
KEPT = 1000


class EntryPointsValid(WheelCheck):
    """Are the entry points valid, and do those of group `chimes` name a module of this wheel?

    Chimes imports that module to learn what the plugin offers. If it is missing, or another
    distribution's, the plugin does not load, or code of another distribution is loaded.
    """

    code = "A15"
    source = "entry points specification"

    def observe(self, subject: WheelSubject) -> Facts:
        """All entry points, and which modules of those of Chimes are in the wheel."""
        found = subject.entry_points
        modules = {_module_of(path) for _, path in subject.library_paths()}
        wanted = {
            module for point in found.points if point.group == ENTRY_POINT_GROUP if (module := _target(point.value))
        }
        return {
            "file": subject.dist_info("entry_points.txt") or "entry_points.txt",
            "plugin": found.plugin,
            "problem": found.problem,
            "points": [[point.group, point.name, point.value] for point in found.points[:KEPT]],
            "present": sorted(wanted & modules),
        }

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding per entry point that is wrong."""
        where = facts["file"]
        if facts["problem"]:
            fix = "write it by your build configuration, not by hand"
            return [self.finding(f"entry_points.txt {facts['problem']}", fix, where=where)]
        findings = []
        for group, name, value in facts["points"]:
            for message, fix in _problems(group, name, value, facts["present"]):
                findings.append(
                    self.finding(f"entry point {quote(name)} of [{group[:80]}] {message}", fix, where=where)
                )
        if facts["plugin"] and not any(group == ENTRY_POINT_GROUP for group, _, _ in facts["points"]):
            message = f"the group [{ENTRY_POINT_GROUP}] has no entry point"
            findings.append(self.finding(message, "name the module with the plugin's hooks in it", where=where))
        return findings


def _problems(group: str, name: str, value: str, present: list[str]) -> list[tuple[str, str]]:
    found = VALUE.fullmatch(value)
    if not GROUP.fullmatch(group) or not found:
        return [(f"has the value {quote(value)}, which names no object", "write it as package.module:object")]
    if group != ENTRY_POINT_GROUP:
        return []
    module = found["module"]
    if value != module:
        return [(f"has the value {quote(value)}, not a module", f"write {module}: the module that has the hooks")]
    if module not in present:
        return [(f"names the module {quote(module)}, which is not in the wheel", "name a module that the wheel ships")]
    return []


def _target(value: str) -> str | None:
    found = VALUE.fullmatch(value)
    return found["module"] if found else None


def _module_of(path: str) -> str | None:
    stem = EXTENSION.sub("", path)
    if stem == path:
        return None
    return stem.removesuffix("/__init__").replace("/", ".")
