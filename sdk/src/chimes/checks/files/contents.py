"""Checks whether the files of a wheel can be imported and do not collide with those of other wheels."""

from __future__ import annotations

from typing import Any

from check_wheel_contents.checker import COMMON_NAMES, WheelChecker
from check_wheel_contents.checks import Check as Rule
from check_wheel_contents.contents import WheelContents
from check_wheel_contents.errors import WheelValidationError
from check_wheel_contents.filetree import File

from chimes.checks.filecheck import WheelCheck
from chimes.checks.subject import WheelSubject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote

__all__ = ["ContentsImportable", "TopLevelOwn"]

KEPT = 10
# Where auditwheel and delocate put shared libraries that the loader, not Python, finds.
NATIVE_FOLDERS = (".libs", ".dylibs")


def broken_paths(subject: WheelSubject, *rules: Rule) -> dict[Rule, list[str]]:
    """The paths for which rules of check-wheel-contents fail, sorted, by rule."""
    failures = WheelChecker(selected=set(rules)).check_contents(_contents(subject))
    return {rule: sorted(path for failed in failures if failed.check is rule for path in failed.args) for rule in rules}


def _contents(subject: WheelSubject) -> Any:
    dist_info = (subject.dist_infos or ("",))[0]
    contents = WheelContents(
        dist_info_dir=dist_info,
        data_dir=dist_info.removesuffix(".dist-info") + ".data",
        root_is_purelib=subject.root_is_purelib,
    )
    for name in sorted(subject.names):
        try:
            # Added one by one: the library's own method clears its caches at every file.
            contents.filetree.add_entry(File.from_record_row([name, "", ""]))
        except (WheelValidationError, ValueError):
            continue  # A01 reports such a name
    return contents


def _is_native_library(path: str) -> bool:
    return any(folder.endswith(NATIVE_FOLDERS) for folder in path.split("/")[:-1]) and not path.endswith(".py")


class TopLevelOwn(WheelCheck):
    """Are the top-level names of the wheel its own?

    A package called `tests`, `docs` or `src` is overwritten by the next wheel that brings one too. It
    nearly always is a mistake in the build configuration (check-wheel-contents W005).
    """

    code = "A07"
    source = "check-wheel-contents W005"

    def observe(self, subject: WheelSubject) -> Facts:
        """The common names at the top."""
        return {"common": [path.rstrip("/") for path in broken_paths(subject, Rule.W005)[Rule.W005]]}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding per name."""
        fix = "put it into your package, or leave it out of the wheel"
        return [
            self.finding(f"the wheel installs {quote(path)}, a name that many wheels could bring", fix, where=path)
            for path in facts["common"]
            if path.rpartition("/")[2] in COMMON_NAMES
        ]


class ContentsImportable(WheelCheck):
    """Is every module of the wheel a source at a path that can be imported?

    Byte code is made on the installing machine and goes stale in a wheel; a module below a folder that is
    not an identifier can never be imported (check-wheel-contents W001, W004).
    """

    code = "A08"
    severity = "warning"
    blocks = None
    source = "check-wheel-contents W001, W004"

    def observe(self, subject: WheelSubject) -> Facts:
        """The first paths of each sort, and the number of all."""
        broken = broken_paths(subject, Rule.W001, Rule.W004)
        modules = [path for path in broken[Rule.W004] if not _is_native_library(path)]
        found = {"bytecode": broken[Rule.W001], "unimportable": modules}
        return {kind: {"count": len(paths), "paths": paths[:KEPT]} for kind, paths in found.items()}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding per kept path, one for those that were not kept."""
        findings = []
        for kind, sentence, fix in (
            ("bytecode", "{} is byte code", "leave .pyc and .pyo files out of the wheel"),
            ("unimportable", "{} is a module that no import can name", "rename it, or ship it as data"),
        ):
            paths: list[str] = facts[kind]["paths"]
            findings += [self.finding(sentence.format(quote(path)), fix, where=path) for path in paths]
            if more := facts[kind]["count"] - len(paths):
                findings.append(self.finding(f"{more} more such files ({kind})", fix))
        return findings
