"""The questions of an upload that need more than its file: its form, the names and the bytes that are there."""

from __future__ import annotations

from dataclasses import dataclass

from chimes.checks.check import Check
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote, quote_all

__all__ = ["UPLOAD_CHECKS", "FormAgrees", "Immutable", "NameDistinct", "Neighbourhood", "OneType", "Taken", "Types"]


@dataclass(frozen=True)
class Neighbourhood:
    """A name, and the names of other members' projects that look like it."""

    name: str
    lookalikes: tuple[str, ...]


@dataclass(frozen=True)
class Taken:
    """A file name, and the submission that has other bytes under it. ``state``: its own, or listed."""

    filename: str
    known_as: str
    submission: int
    state: str


@dataclass(frozen=True)
class Types:
    """A wheel's type, and those of the wheels of its release that are listed or being judged."""

    filename: str
    type: str
    others: tuple[str, ...]


class NameDistinct(Check[Neighbourhood]):
    """Does the name look like no project of another member?

    People install what they think they read: `l`, `i` and `1`, `o` and `0`, and separators are easily confused.
    The release is judged as any other, but a person lists it.
    """

    code = "A13"
    blocks = "review"
    source = "PyPI's too-similar names"

    def observe(self, subject: Neighbourhood) -> Facts:
        """The names."""
        return {"name": subject.name, "lookalikes": list(subject.lookalikes)}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding, whatever their number."""
        if not facts["lookalikes"]:
            return []
        message = f"the name {quote(facts['name'])} looks like {quote_all(facts['lookalikes'])} of another member"
        return [self.finding(message, "choose a name that nobody confuses, or wait for a person's word", where="Name")]


class Immutable(Check[Taken]):
    """Is the file name free, or are the bytes the same?

    What was listed never changes: locks name its digest. What is being judged is not replaced below the judge;
    cancel it first. The bytes of a submission that failed or was cancelled may be replaced.
    """

    code = "A14"
    blocks = "upload"

    def observe(self, subject: Taken) -> Facts:
        """The names, and who holds them."""
        return {
            "filename": subject.filename,
            "known_as": subject.known_as,
            "submission": subject.submission,
            "state": subject.state,
        }

    def judge(self, facts: Facts) -> list[Finding]:
        """The fix says how the name becomes free, if ever."""
        same_name = facts["known_as"] == facts["filename"]
        bytes_ = "with other bytes" if same_name else f"as {quote(facts['known_as'])}"
        there = f"File already exists: {quote(facts['filename'])} is {facts['state']} {bytes_}"
        if facts["state"] == "listed":
            return [self.finding(there, "raise the version: what is listed never changes", where=facts["filename"])]
        number = facts["submission"]
        fix = f"wait for its verdict, or cancel it and upload again: chimes cancel {number}"
        return [self.finding(f"{there} in submission {number}", fix, where=facts["filename"])]


class OneType(Check[Types]):
    """Are all wheels of a release plugins, or all libraries?

    People install one of them and expect what the release's page says; a plugin is asked other things than a library.
    """

    code = "A18"
    blocks = "upload"

    def observe(self, subject: Types) -> Facts:
        """What the wheel is, and what those are that are listed or being judged."""
        return {"filename": subject.filename, "type": subject.type, "others": list(subject.others)}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding, whatever their number."""
        other = [type for type in facts["others"] if type != facts["type"]]
        if not other:
            return []
        message = f"{quote(facts['filename'])} is a {facts['type']}, other wheels of this release are a {other[0]}"
        fix = "give all wheels the same entry points of group chimes, or raise the version"
        return [self.finding(message, fix, where=facts["filename"])]


class FormAgrees(Check[list[tuple[str, list[str], list[str]]]]):
    """Do the upload's form and the metadata in the file say the same?

    Some indexes show the form, installers obey the file: who sends two different ones misleads somebody. Name,
    version and requirements are always compared; Requires-Python, extras, licence, classifiers, keywords and
    summary where both have them.
    """

    code = "A17"
    blocks = "upload"
    source = "PyPI's legacy upload: malicious wheels with other metadata than their form"

    def observe(self, subject: list[tuple[str, list[str], list[str]]]) -> Facts:
        """What only one of them says, by field."""
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


UPLOAD_CHECKS: tuple[type[Check[Neighbourhood]] | type[Check[Taken]] | type[FormAgrees] | type[OneType], ...] = (
    NameDistinct,
    Immutable,
    FormAgrees,
    OneType,
)
"""All of them, in the order of their codes."""
