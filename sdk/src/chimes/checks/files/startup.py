"""Checks whether installing a wheel makes every Python on the machine run its code at start."""

from __future__ import annotations

import re

from chimes.checks.filecheck import WheelCheck
from chimes.checks.subject import WheelSubject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote

__all__ = ["StartUp", "StartUpLibrary"]

HOOK_MODULE = re.compile(r"(?:site|user)customize(?:\.[^/]*)?", re.IGNORECASE)
LIBRARY_IN_DATA = re.compile(
    r"[^/]+\.data/data/(?:local/)?lib(?:64)?/(?:python[^/]*/)?(?:(?:site|dist)-packages/)?(.+)", re.IGNORECASE
)
CODE_LINE = re.compile(r"import[ \t]")
KEPT = 20


class _StartUpCheck(WheelCheck):
    def observe(self, subject: WheelSubject) -> Facts:
        """Files that run at start as (path, kind, first line of code), sorted."""
        found = sorted(_start_up_files(subject))
        return {"type": subject.type, "count": len(found), "files": [list(item) for item in found[:KEPT]]}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding per file."""
        findings = []
        for path, kind, line in facts["files"]:
            what = {"pth": f"runs {quote(line)}", "start": "names code to run", "customize": "is imported"}[kind]
            message = f"{quote(path)} {what} whenever any Python of the environment starts"
            findings.append(self.finding(message, "run it when the component is built or called", where=path))
        if more := facts["count"] - len(facts["files"]):
            findings.append(self.finding(f"{more} more files run code at start", "take them out"))
        return findings


class StartUp(_StartUpCheck):
    """Does a plugin run no code when Python starts?

    A `.pth` file with an import line, a `.start` file or a `sitecustomize` runs in every process of the
    environment, before any check or sandbox of it, whether the plugin is used or not.
    """

    code = "A09"
    types = frozenset({"plugin"})
    source = "the site module; PEP 829"


class StartUpLibrary(_StartUpCheck):
    """Does a library run no code when Python starts?

    The same as for a plugin; some libraries have a reason (setuptools), so that it is a warning.
    """

    code = "A10"
    severity = "warning"
    blocks = None
    types = frozenset({"library"})
    source = "the site module; PEP 829"


def _start_up_files(subject: WheelSubject) -> list[tuple[str, str, str]]:
    placed = [*subject.library_paths(), *_data_paths(subject)]
    found = []
    has_path_file = False
    for member, path in placed:
        if "/" in path:
            continue
        if path.lower().endswith(".start"):
            found.append((member, "start", ""))
        if path.lower().endswith(".pth"):
            has_path_file = True
            found += [(member, "pth", line) for line in _code_lines(subject, member)[:1]]
    for member, path in placed:
        # A .pth file, even without code, can put any folder of the wheel on the path.
        parts = path.split("/") if has_path_file else path.split("/")[:1]
        if any(HOOK_MODULE.fullmatch(part) for part in parts):
            found.append((member, "customize", ""))
    return found


def _data_paths(subject: WheelSubject) -> list[tuple[str, str]]:
    """What the scheme ``data`` puts into a library folder below the environment's root."""
    matches = ((name, LIBRARY_IN_DATA.fullmatch(name)) for name in sorted(subject.names))
    return [(name, found[1]) for name, found in matches if found]


def _code_lines(subject: WheelSubject, member: str) -> list[str]:
    data = subject.read(member)
    if data is None:
        return ["(not readable)"]
    text = data.decode("utf-8-sig", "replace")
    return [line[:200] for line in text.splitlines() if CODE_LINE.match(line)]
