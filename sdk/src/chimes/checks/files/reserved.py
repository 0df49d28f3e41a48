"""Checks whether a distribution takes a name that belongs to Python, to Chimes, or to an owner that the rules name."""

from __future__ import annotations

import sys

from packaging.utils import canonicalize_name

from chimes.checks.filecheck import FileCheck
from chimes.checks.formats.fields import parse_headers
from chimes.checks.subject import Subject, WheelSubject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote

__all__ = ["NamesFree"]

# Modules that only some Python versions have, so that the verdict does not depend on the version.
OTHER_PYTHONS = frozenset(
    {"annotationlib", "compression", "profiling", "asynchat", "asyncore", "distutils", "imp", "smtpd", "aifc"}
    | {"audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis", "nntplib"}
    | {"ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"}
)
STANDARD_LIBRARY = frozenset(canonicalize_name(name) for name in sys.stdlib_module_names | OTHER_PYTHONS)
# Top-level packages that only their owner may install: another distribution would overwrite them.
OWNED_PACKAGES = {
    "chimes": "chimes",
    "chimes_marketplace": "chimes-marketplace",
    "_distutils_hack": "setuptools",
    "pip": "pip",
    "pkg_resources": "setuptools",
    "setuptools": "setuptools",
    "uv": "uv",
}


class NamesFree(FileCheck[Subject]):
    """Is the name free, and does the wheel bring no package of another owner?

    A distribution named like a standard module is installed by people who think they need it; one that
    ships the package `chimes` or `pip` replaces the real one. Reserved names and prefixes are rules of
    the centre, which may grant them.
    """

    code = "A12"
    source = "PEP 752; PyPI's prohibited names"
    needs_members = False

    def observe(self, subject: Subject) -> Facts:
        """The name by file and by metadata, and the top-level names that have an owner."""
        fields = parse_headers((subject.metadata if subject.frame.readable else None) or b"")
        owned: list[str] = []
        if isinstance(subject, WheelSubject):
            tops = {path.split("/")[0].split(".")[0] for _, path in subject.library_paths()}
            owned = sorted(tops & OWNED_PACKAGES.keys())
        return {
            "names": sorted({canonicalize_name(name) for name in [_file_name(subject), *fields.all("Name")[:3]]}),
            "owned_packages": owned,
        }

    def judge(self, facts: Facts) -> list[Finding]:
        """By the rules' reserved names and prefixes, except those that they grant."""
        findings = []
        granted = {canonicalize_name(name) for name in self.rules.granted_names}
        names: list[str] = [name for name in facts["names"] if name not in granted]
        reserved = {canonicalize_name(name) for name in self.rules.reserved_names}
        prefixes = [canonicalize_name(prefix) for prefix in self.rules.reserved_prefixes]
        for name in names:
            if name in STANDARD_LIBRARY:
                message = f"{quote(name)} is the name of a standard library module"
                findings.append(self.finding(message, "choose a name of your own", where="Name"))
            elif name in reserved:
                message = f"the name {quote(name)} is reserved"
                findings.append(self.finding(message, "choose a name of your own", where="Name"))
            elif prefix := next((item for item in prefixes if name.startswith(item)), None):
                message = f"the name {quote(name)} begins with {quote(prefix)}, which is reserved"
                findings.append(self.finding(message, "begin it with your own prefix, or ask an admin", where="Name"))
        for package in facts["owned_packages"]:
            owner = OWNED_PACKAGES[package]
            if owner not in facts["names"]:
                message = f"the wheel brings the package {quote(package)}, which belongs to {quote(owner)}"
                fix = "name your package otherwise, and require its owner instead of shipping it"
                findings.append(self.finding(message, fix, where=package))
        return findings


def _file_name(subject: Subject) -> str:
    if subject.form == "wheel":
        return subject.filename.split("-")[0]
    return subject.filename.removesuffix(".tar.gz").rpartition("-")[0]
