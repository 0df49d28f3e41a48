"""Checks of an upload that need more than its file: its form, and the existing projects and files."""

from __future__ import annotations

from dataclasses import dataclass

from chimes.checks.check import Check
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote, quote_all

__all__ = [
    "UPLOAD_CHECKS",
    "FormAgrees",
    "Immutable",
    "NameConflict",
    "NameDistinct",
    "OneType",
    "SimilarNames",
    "Types",
]


@dataclass(frozen=True)
class SimilarNames:
    """A name, and similar names of other members' projects."""

    name: str
    lookalikes: tuple[str, ...]


@dataclass(frozen=True)
class NameConflict:
    """A file name that another submission has used for other bytes. ``state``: of that submission, or ``listed``."""

    filename: str
    known_as: str
    submission: int
    state: str


@dataclass(frozen=True)
class Types:
    """The type of a wheel, and the types of the wheels of its release that are listed or being validated."""

    filename: str
    type: str
    others: tuple[str, ...]


class NameDistinct(Check[SimilarNames]):
    """Does the name differ clearly from the projects of other members?

    People confuse `l`, `i` and `1`, `o` and `0`, and separators. The release is validated like any other, but an
    administrator decides whether it is listed.
    """

    code = "A13"
    blocks = "review"
    source = "PyPI's too-similar names"

    def observe(self, subject: SimilarNames) -> Facts:
        """The names."""
        return {"name": subject.name, "lookalikes": list(subject.lookalikes)}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding for all similar names."""
        if not facts["lookalikes"]:
            return []
        message = f"the name {quote(facts['name'])} looks like {quote_all(facts['lookalikes'])} of another member"
        return [
            self.finding(
                message, "choose a name that differs more, or wait until an administrator decides", where="Name"
            )
        ]


class Immutable(Check[NameConflict]):
    """Is the file name free, or are the bytes the same?

    A listed file never changes, because locks name its digest. A file that is being validated cannot be replaced;
    cancel its submission first. The files of a rejected or cancelled submission can be replaced.
    """

    code = "A14"
    blocks = "upload"

    def observe(self, subject: NameConflict) -> Facts:
        """The file names, and the submission that uses them."""
        return {
            "filename": subject.filename,
            "known_as": subject.known_as,
            "submission": subject.submission,
            "state": subject.state,
        }

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding; its fix says whether the name can become available."""
        same_name = facts["known_as"] == facts["filename"]
        bytes_ = "with other bytes" if same_name else f"as {quote(facts['known_as'])}"
        there = f"File already exists: {quote(facts['filename'])} is {facts['state']} {bytes_}"
        if facts["state"] == "listed":
            return [self.finding(there, "raise the version: a listed file never changes", where=facts["filename"])]
        number = facts["submission"]
        fix = f"wait for its verdict, or cancel it and upload again: chimes cancel {number}"
        return [self.finding(f"{there} in submission {number}", fix, where=facts["filename"])]


class OneType(Check[Types]):
    """Are all wheels of a release plugins, or all libraries?

    People install any of them and expect what the page of the release says; a plugin has other checks than a library.
    """

    code = "A18"
    blocks = "upload"

    def observe(self, subject: Types) -> Facts:
        """The type of the wheel, and the types of the wheels that are listed or being validated."""
        return {"filename": subject.filename, "type": subject.type, "others": list(subject.others)}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding for all other types."""
        other = [type for type in facts["others"] if type != facts["type"]]
        if not other:
            return []
        message = f"{quote(facts['filename'])} is a {facts['type']}, other wheels of this release are a {other[0]}"
        fix = "give all wheels the same entry points of group chimes, or raise the version"
        return [self.finding(message, fix, where=facts["filename"])]


class FormAgrees(Check[list[tuple[str, list[str], list[str]]]]):
    """Do the upload's form and the metadata in the file agree?

    Some indexes show the form, and installers use the file, so a difference misleads people. Name, version and
    requirements are always compared; Requires-Python, extras, licence, classifiers, keywords and summary are compared
    if both have them.
    """

    code = "A17"
    blocks = "upload"
    source = "PyPI's legacy upload: malicious wheels with other metadata than their form"

    def observe(self, subject: list[tuple[str, list[str], list[str]]]) -> Facts:
        """For each field: the values that only the form has, and those that only the file has."""
        return {"differ": [[field, said[:50], held[:50]] for field, said, held in subject]}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding for each field."""
        findings = []
        for field, said, held in facts["differ"]:
            message = (
                f"{field} differs: the form says {quote_all(said) or 'nothing'}, "
                f"the file {quote_all(held) or 'nothing'}"
            )
            fix = "upload the file with twine or uv, which read the form's fields from it"
            findings.append(self.finding(message, fix, where=field))
        return findings


UPLOAD_CHECKS: tuple[type[Check[SimilarNames]] | type[Check[NameConflict]] | type[FormAgrees] | type[OneType], ...] = (
    NameDistinct,
    Immutable,
    FormAgrees,
    OneType,
)
"""All checks of an upload, in the order of their codes."""
