"""Checks whether file name, dist-info folder, METADATA and WHEEL have the same name, version, build number and tags.

Parsed values are compared, so that different spellings of one value agree.
"""

from __future__ import annotations

import re

from packaging.tags import Tag, parse_tag
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from chimes.checks.filecheck import FileCheck
from chimes.checks.formats.fields import parse_headers, values_of
from chimes.checks.subject import Subject, WheelSubject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote, quote_all

__all__ = ["NamesAgree"]

WHEEL_FORM = "name it <name>-<version>[-<build>]-<python>-<abi>-<platform>.whl, as build tools do"
SDIST_FORM = "name it <name>-<version>.tar.gz, as build tools do"
REBUILD = "build the file again instead of renaming or editing it"
BUILD = re.compile(r"([0-9]{1,4000})(.*)")
WHEEL_FIELDS = frozenset({"wheel-version", "root-is-purelib", "tag", "build"})


class NamesAgree(FileCheck[Subject]):
    """Do file name, METADATA, WHEEL and the archive's folders agree on name, version and tags?

    An index files a release under its file name, installers choose by the tags in it, and `pip list`
    shows METADATA: where they differ, users install something other than they asked for.
    """

    code = "A03"
    source = "PEP 425, 427, 440, 503, 625"
    needs_members = False

    def observe(self, subject: Subject) -> Facts:
        """The names, as written in each place."""
        readable = subject.frame.readable
        fields = parse_headers(subject.metadata or b"").fields if readable else ()
        facts: Facts = {
            "file": subject.filename,
            "form": subject.form,
            "readable": readable,
            "metadata": [list(pair) for pair in fields if pair[0].lower() in ("name", "version")][:10],
        }
        if isinstance(subject, WheelSubject) and readable:
            facts |= self._observe_wheel(subject)
        return facts

    def _observe_wheel(self, subject: WheelSubject) -> Facts:
        data = subject.read(subject.dist_info("WHEEL"))
        headers = parse_headers(data or b"")
        tops = {member.name.split("/")[0] for member in subject.frame.members if "/" in member.name}
        return {
            "dist_infos": list(subject.dist_infos[:20]),
            "data_folders": sorted(top for top in tops if top.endswith(".data"))[:20],
            "wheel": None
            if data is None
            else [list(pair) for pair in headers.fields if pair[0].lower() in WHEEL_FIELDS],
            "wheel_defects": [list(defect) for defect in headers.defects],
        }

    def judge(self, facts: Facts) -> list[Finding]:
        """Compares every place with the file name."""
        return self._judge_wheel(facts) if facts["form"] == "wheel" else self._judge_sdist(facts)

    def _judge_sdist(self, facts: Facts) -> list[Finding]:
        file: str = facts["file"]
        try:
            name, version = parse_sdist_filename(file)
        except ValueError:
            return [self.finding(f"{quote(file)} is not the file name of an sdist", SDIST_FORM)]
        findings = self._judge_metadata(facts, name, version, "PKG-INFO")
        wanted = f"{name.replace('-', '_')}-{version}.tar.gz"
        if file != wanted:
            findings.append(self.finding(f"the sdist is named {quote(file)}, not {quote(wanted)}", SDIST_FORM))
        return findings

    def _judge_wheel(self, facts: Facts) -> list[Finding]:
        file: str = facts["file"]
        try:
            name, version, build, tags = parse_wheel_filename(file)
        except ValueError:
            return [self.finding(f"{quote(file)} is not the file name of a wheel", WHEEL_FORM)]
        if not facts["readable"]:
            return []
        findings = self._judge_metadata(facts, name, version, "METADATA")
        findings += self._judge_folders(facts, name, version)
        if facts["wheel"] is None:
            if len(facts["dist_infos"]) == 1:
                findings.append(self.finding("the wheel has no readable WHEEL in its dist-info folder", REBUILD))
            return findings
        return findings + self._judge_tags(facts, tags) + self._judge_build(facts, build)

    def _judge_metadata(self, facts: Facts, name: str, version: Version, where: str) -> list[Finding]:
        findings = []
        for value in values_of(facts["metadata"], "Name")[:1]:
            if canonicalize_name(value.strip()) != name:
                message = f"the file name says {quote(name)}, {where} says {quote(value)}"
                findings.append(self.finding(message, REBUILD, where="Name"))
        for value in values_of(facts["metadata"], "Version")[:1]:
            if _version(value) != version:
                message = f"the file name says version {quote(str(version))}, {where} says {quote(value)}"
                findings.append(self.finding(message, REBUILD, where="Version"))
        return findings

    def _judge_folders(self, facts: Facts, name: str, version: Version) -> list[Finding]:
        findings = []
        for ending, folders, wanted in (
            (".dist-info", facts["dist_infos"], (1,)),
            (".data", facts["data_folders"], (0, 1)),
        ):
            if len(folders) not in wanted:
                message = f"the wheel has {len(folders)} {ending} folders: {quote_all(folders) or 'none'}"
                findings.append(self.finding(message, REBUILD))
                continue
            for folder in folders:
                if not _same(folder.removesuffix(ending), name, version):
                    message = f"the folder {quote(folder)} belongs to another release than {quote(facts['file'])}"
                    findings.append(self.finding(message, REBUILD, where=folder))
        return findings

    def _judge_tags(self, facts: Facts, tags: frozenset[Tag]) -> list[Finding]:
        where = "WHEEL"
        findings = [
            self.finding(f"line {line} of WHEEL is not a field ({kind}): {quote(text)}", REBUILD, where=where)
            for kind, line, text in facts["wheel_defects"]
        ]
        versions = values_of(facts["wheel"], "Wheel-Version")
        if len(versions) != 1 or not versions[0].strip().startswith("1."):
            message = f"WHEEL has Wheel-Version {quote_all(versions) or 'nowhere'}; installers know 1.x"
            findings.append(self.finding(message, REBUILD, where=where))
        purelib = [value.strip().lower() for value in values_of(facts["wheel"], "Root-Is-Purelib")]
        if purelib not in (["true"], ["false"]):
            message = f"WHEEL has Root-Is-Purelib {quote_all(purelib) or 'nowhere'}, not true or false"
            findings.append(self.finding(message, REBUILD, where=where))
        inside = {tag for value in values_of(facts["wheel"], "Tag") for tag in _tags(value)}
        if inside != tags:
            named, found = (sorted(map(str, each)) for each in (tags, inside))
            message = f"the file name has the tags {quote_all(named)}, WHEEL {quote_all(found) or 'none'}"
            findings.append(self.finding(message, "rename it with `wheel tags`, which keeps both", where=where))
        return findings

    def _judge_build(self, facts: Facts, build: tuple[()] | tuple[int, str]) -> list[Finding]:
        inside = [value.strip() for value in values_of(facts["wheel"], "Build")]
        if not inside or [_build(value) for value in inside] == [build]:
            return []
        named = facts["file"].split("-")[2] if build else ""
        message = f"the file name has the build number {quote(named)}, WHEEL {quote_all(inside)}"
        return [self.finding(message, REBUILD, where="WHEEL")]


def _version(text: str) -> Version | None:
    try:
        return Version(text.strip())
    except ValueError:
        return None


def _same(stem: str, name: str, version: Version) -> bool:
    stem_name, _, stem_version = stem.partition("-")
    return canonicalize_name(stem_name) == name and _version(stem_version.replace("_", "-")) == version


def _build(text: str) -> tuple[int, str] | None:
    """A build number as the file name's parser gives it; None for an invalid one."""
    found = BUILD.fullmatch(text)
    return (int(found[1]), found[2]) if found else None


def _tags(text: str) -> frozenset[Tag | str]:
    """The tags of a compressed set; the text itself where it is not one."""
    try:
        return frozenset(parse_tag(text.strip()))
    except ValueError:
        return frozenset({text.strip()})
