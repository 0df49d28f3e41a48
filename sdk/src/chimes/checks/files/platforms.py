"""Checks whether a file is built for one centre only, which is allowed and reported."""

from __future__ import annotations

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from chimes.checks.filecheck import FileCheck
from chimes.checks.subject import Subject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote, quote_all

__all__ = ["BuiltForCentre"]


class BuiltForCentre(FileCheck[Subject]):
    """Is the file built for one centre (a local version, or a plain Linux tag)?

    Such files are welcome here. A public index refuses them, and on a machine with another C library
    or driver they may not load.
    """

    code = "A16"
    severity = "info"
    blocks = None
    source = "PEP 440 (local versions), PEP 600"
    needs_members = False

    def observe(self, subject: Subject) -> Facts:
        """The file name, which contains version and tags."""
        return {"file": subject.filename, "form": subject.form}

    def judge(self, facts: Facts) -> list[Finding]:
        """At most one finding for the version, one for the tags."""
        file: str = facts["file"]
        findings = []
        if local := _local(file, facts["form"]):
            message = f"the local version {quote(local)} means that the file is built for one centre"
            findings.append(self.finding(message, "drop the part behind '+' to publish elsewhere", where="Version"))
        if plain := _plain_platforms(file):
            message = f"the platform {quote_all(plain)} means that the file is built for one centre"
            findings.append(self.finding(message, "run auditwheel repair to publish elsewhere", where="WHEEL"))
        return findings


def _local(file: str, form: str) -> str | None:
    stem = file.removesuffix(".tar.gz").rpartition("-")[2] if form == "sdist" else file.split("-")[1:2]
    try:
        return Version("".join(stem)).local
    except ValueError:
        return None


def _plain_platforms(file: str) -> list[str]:
    try:
        tags = parse_wheel_filename(file)[3]
    except ValueError:
        return []
    return sorted({tag.platform for tag in tags if tag.platform.startswith("linux_")})
