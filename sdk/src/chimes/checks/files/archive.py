"""Checks whether an archive is safe to unpack and looks the same to every reader."""

from __future__ import annotations

from dataclasses import asdict
from types import MappingProxyType
from typing import NamedTuple

from chimes.checks.archives.members import Defect
from chimes.checks.filecheck import FileCheck
from chimes.checks.subject import SdistSubject, Subject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote, quote_all

__all__ = ["ArchiveSafe"]


class Rule(NamedTuple):
    """The message and fix for a defect: ``{member}`` and ``{detail}`` are filled in."""

    sentence: str
    fix: str


REBUILD = "build the file again with an ordinary build tool (python -m build) and do not edit it afterwards"
PLAIN_FILES = "ship plain files and folders only"
RELATIVE = "name members by clean relative paths with forward slashes"
SMALLER = "leave out what is not needed to run, or split the distribution"

RULES = MappingProxyType(
    {
        # names
        "absolute-path": Rule("member {member} has an absolute path", RELATIVE),
        "drive-letter": Rule("member {member} begins with a drive letter", RELATIVE),
        "parent-path": Rule("member {member} leaves the folder it is unpacked to", RELATIVE),
        "unclean-path": Rule("member {member} has an empty or '.' part in its path", RELATIVE),
        "backslash": Rule("member {member} has a backslash in its name", RELATIVE),
        "control-character": Rule("member {member} has a control character in its name", "rename the file"),
        "empty-name": Rule("a member has no name ({member})", REBUILD),
        "name-encoding": Rule("the member name {detail} {member} is not UTF-8", "give the file a name in UTF-8"),
        "duplicate": Rule("member {member} occurs twice", "pack each file once"),
        "case-collision": Rule(
            "members {detail} and {member} differ only in case", "rename one: some file systems keep only one of them"
        ),
        "file-and-folder": Rule("{member} is a file and a folder at once", "rename one of them"),
        "second-name": Rule("member {member} carries a second name in its extra field", REBUILD),
        # kinds of members
        "link": Rule("member {member} is a link; a wheel holds none", "pack the file that the link points to"),
        "link-outside": Rule("link {member} points out of the tree, to {detail}", "point it into the sdist's folder"),
        "behind-link": Rule("the path of {member} goes through a link", PLAIN_FILES),
        "special-file": Rule("member {member} is neither a file nor a folder ({detail})", PLAIN_FILES),
        "sparse": Rule("member {member} is stored sparse", PLAIN_FILES),
        "folder-with-data": Rule("folder {member} holds {detail} bytes of data", REBUILD),
        "link-with-data": Rule("link {member} holds {detail} bytes of data", REBUILD),
        "encrypted": Rule("member {member} is encrypted", "pack it without a password"),
        "method": Rule("member {member} is packed by method {detail}", "use stored (0) or deflated (8)"),
        "flags": Rule("member {member} has unknown flags {detail}", REBUILD),
        "version": Rule("member {member} needs version {detail} of the zip format; readers know up to 6.3", REBUILD),
        # amounts
        "members": Rule("the archive has {detail} members, the limit is {members}", SMALLER),
        "ratio": Rule("the archive unpacks to more than {detail} bytes, the limit for a file of its size", SMALLER),
        "metadata-size": Rule("{member} has {detail} bytes, the limit is {metadata_bytes}", "shorten the description"),
        "directory-size": Rule("the central directory has {detail} bytes, the limit is {directory_bytes}", SMALLER),
        "long-header": Rule("a tar header record has {detail} bytes", REBUILD),
        # the frame of a zip
        "not-a-zip": Rule("the file is not a zip archive: it has no end record", REBUILD),
        "comment": Rule("the zip has a comment of {detail} bytes behind its end record", REBUILD),
        "trailing-data": Rule("{detail} bytes follow the archive's end", REBUILD),
        "prepended-data": Rule("{detail} bytes stand before the first member", REBUILD),
        "gap": Rule("{detail} bytes between members belong to none", REBUILD),
        "overlap": Rule("members overlap by {detail} bytes", REBUILD),
        "several-disks": Rule("the zip claims to be split over several disks", REBUILD),
        "directory-place": Rule("the central directory is not where the end record says ({detail})", REBUILD),
        "directory": Rule("the central directory is broken ({detail} entries)", REBUILD),
        "zip64": Rule("the zip64 records disagree with the others {member}", REBUILD),
        "extra-field": Rule("the extra field of {member} is malformed", REBUILD),
        "data-descriptor": Rule(
            "member {member} has its size behind its data", "write the zip to a file, not to a stream"
        ),
        "local-header": Rule("the local header of {member} {detail}", REBUILD),
        "size": Rule("member {member} has two sizes ({detail})", REBUILD),
        "data": Rule("member {member} {detail}", REBUILD),
        "polyglot": Rule("the file is also a valid {detail} archive", REBUILD),
        # the frame of a tar
        "not-a-gzip": Rule("the file is not gzip-compressed", REBUILD),
        "gzip-broken": Rule("the gzip stream is broken or cut off", REBUILD),
        "tar-header": Rule("a tar header is broken: {detail}", REBUILD),
        "tar-truncated": Rule("the tar ends before its end mark", REBUILD),
        "data-behind-end": Rule("data follow the end mark of the tar", REBUILD),
        "stray-header": Rule("a pax or long-name header belongs to no member", REBUILD),
        "global-header": Rule("a global pax header sets {detail} for all members", REBUILD),
        "one-folder": Rule("the top of the sdist holds {detail}", "put everything into the one folder {top}"),
    }
)


class ArchiveSafe(FileCheck[Subject]):
    """Is the archive safe to unpack, and the same to every reader?

    Members outside the folder, links, encryption, several files under one name, wrong checksums and
    decompression bombs harm the machine that unpacks them. A file that two tools read differently can show one
    content to a check and another to an installer, so the archive's structure must be exact.
    """

    code = "A01"
    needs_members = False
    source = "APPNOTE.TXT 6.3, RFC 1952, POSIX pax; PyPI's archive rules"

    def observe(self, subject: Subject) -> Facts:
        """The defects of the frame: the first 20 of each rule, and the number of all."""
        frame = subject.frame
        facts: Facts = {
            "form": subject.form,
            "members": len(frame.members),
            "unpacked_bytes": frame.unpacked_bytes,
            "deep": subject.deep,
            "defects": [asdict(defect) for defect in frame.defects.kept],
            "counts": dict(sorted(frame.defects.counts.items())),
            "limits": subject.limits.model_dump(),
        }
        if isinstance(subject, SdistSubject) and frame.readable:
            facts |= {"tops": list(subject.tops[:20]), "top": subject.filename.removesuffix(".tar.gz")}
        return facts

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding per kept defect, one more where a rule is broken more often than that."""
        defects = [Defect(**defect) for defect in facts["defects"]]
        if "tops" in facts and facts["tops"] != [facts["top"]]:
            defects.append(Defect("one-folder", quote_all(facts["tops"]) or "nothing"))
        findings = [self._describe(defect, facts) for defect in defects]
        for rule, count in facts["counts"].items():
            if more := count - sum(defect.rule == rule for defect in defects):
                findings.append(self.finding(f"{more} more members break the rule {rule!r}", RULES[rule].fix))
        return findings

    def _describe(self, defect: Defect, facts: Facts) -> Finding:
        rule = RULES[defect.rule]
        values = {
            **facts["limits"],
            "member": "" if defect.member is None else quote(defect.member),
            "detail": quote(defect.detail) if defect.rule in QUOTED else defect.detail,
            "top": quote(facts.get("top", "")),
        }
        message = " ".join(rule.sentence.format(**values).split())
        return self.finding(message, rule.fix.format(**values), where=defect.member)


QUOTED = frozenset({"case-collision", "link-outside", "global-header"})
