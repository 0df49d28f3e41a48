"""Checks whether the core metadata are well formed and their values valid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from packaging.utils import canonicalize_name

from chimes.checks.filecheck import FileCheck
from chimes.checks.formats.fields import parse_headers
from chimes.checks.formats.licences import deprecated_identifiers
from chimes.checks.formats.metadatafields import (
    ADDED,
    FIX,
    SINGLE,
    VERSIONS,
    classifier_problem,
    has_comparable_marker,
    is_valid,
    is_web_url,
    requirement_url,
)
from chimes.checks.subject import Subject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote

__all__ = ["MetadataValid"]

REQUIRED = ("Metadata-Version", "Name", "Version")
SUMMARY_CHARACTERS = 512
LABEL_CHARACTERS = 32
# Old build tools write UNKNOWN where they have no value.
ABSENT = ("", "UNKNOWN")
MAX_FINDINGS = 100
NEWER_TOOL = "build with a current build tool; do not edit the metadata by hand"
DEFECTS = {
    "encoding": "line {line} of {file} is not UTF-8",
    "too-long": "{file} has {line} header lines, more than are read",
    "too-many": "{file} has more different fields than are read",
    "too-often": "{file} has the field {text} {line} times, more often than is read",
    "too-large": "{file} has a {text} of {line} characters, more than are read",
    "folded-first": "{file} opens with a folded line ({text}): a mail parser loses every field below it",
    "no-colon": "line {line} of {file} has no colon ({text}): a mail parser loses every field below it",
    "control": "line {line} of {file} has a control character ({text})",
}

Fields = list[tuple[str, str]]
Problems = Iterable[tuple[str, str, str]]
"""(message, fix, field)."""


class MetadataValid(FileCheck[Subject]):
    """Are the core metadata well formed, and is what they say valid?

    Every client reads them: a line that breaks the parser hides dependencies and the Python version, a
    direct URL fetches from outside the index, a wrong licence or classifier makes search results wrong.
    """

    code = "A04"
    source = "core metadata 2.6, PEP 508, 566, 639, 643, 685, 753"

    def observe(self, subject: Subject) -> Facts:
        """All fields but the description, the defects of the text, and which licence files are there."""
        data = subject.metadata
        headers = parse_headers(data or b"")
        described = [bool(headers.all("Description")), bool(headers.body.strip())]
        return {
            "file": subject.metadata_name or ("METADATA" if subject.form == "wheel" else "PKG-INFO"),
            "present": data is not None,
            "defects": [list(defect) for defect in headers.defects],
            "fields": [[name, value] for name, value in headers.fields if name.lower() != "description"],
            "descriptions": sum(described),
            "licence_files": [[value, _is_shipped(subject, value)] for value in headers.all("License-File")],
        }

    def judge(self, facts: Facts) -> list[Finding]:
        """All problems at once, at most a hundred."""
        file: str = facts["file"]
        if not facts["present"]:
            return [self.finding(f"there is no readable {quote(file)}", NEWER_TOOL, where=file)]
        findings = [
            self.finding(DEFECTS[kind].format(line=line, file=file, text=quote(text)), NEWER_TOOL, where=file)
            for kind, line, text in facts["defects"]
        ]
        fields = [(name.lower(), value) for name, value in facts["fields"]]
        if fields or not facts["defects"]:
            problems = [problem for rule in FIELD_RULES for problem in rule(fields)]
            problems += _judge_files(facts)
            findings += [self.finding(message, fix, where=field) for message, fix, field in problems]
        more = len(findings) - MAX_FINDINGS
        if more > 0:
            findings[MAX_FINDINGS:] = [self.finding(f"{more} more problems of {file}", NEWER_TOOL, where=file)]
        return findings


def _is_shipped(subject: Subject, path: str) -> bool:
    top = (subject.metadata_name or "").rpartition("/")[0]
    places = [path] if subject.form == "sdist" else [f"licenses/{path}", path, path.rpartition("/")[2]]
    return any(f"{top}/{place}" in subject.names for place in places)


def _judge_files(facts: Facts) -> Problems:
    if facts["descriptions"] > 1:
        yield "there is a Description field and a description below the fields", NEWER_TOOL, "Description"
    for path, there in facts["licence_files"]:
        if not there:
            yield f"the licence file {quote(path)} is not in the archive", "ship it, or do not name it", "License-File"


def _values(fields: Fields, name: str) -> list[str]:
    return [value for field, value in fields if field == name]


def _title(field: str) -> str:
    return "-".join("URL" if part == "url" else part.capitalize() for part in field.split("-"))


def _judge_required(fields: Fields) -> Problems:
    present = {field for field, value in fields if value.strip() not in ABSENT}
    for name in REQUIRED:
        if name.lower() not in present:
            yield f"the field {name} is missing", NEWER_TOOL, name


def _judge_known(fields: Fields) -> Problems:
    for field in sorted({field for field, _ in fields} - ADDED.keys()):
        yield f"{quote(field)} is not a field of the core metadata", "leave it out", field


def _judge_repeated(fields: Fields) -> Problems:
    counts = Counter(field for field, _ in fields)
    for field in sorted(SINGLE & counts.keys()):
        if counts[field] > 1:
            yield f"the field {_title(field)} occurs {counts[field]} times", "give it once", _title(field)


def _judge_newer(fields: Fields) -> Problems:
    version = next(iter(_values(fields, "metadata-version")), "")
    if version not in VERSIONS:
        return
    for field in sorted({field for field, _ in fields} & ADDED.keys() - {"license-file"}):
        if VERSIONS.index(ADDED[field]) > VERSIONS.index(version):
            message = f"the field {_title(field)} is newer than Metadata-Version {version}"
            yield message, f"declare Metadata-Version {ADDED[field]} or later", _title(field)


def _judge_values(fields: Fields) -> Problems:
    for field, value in fields:
        if field in FIX and value.strip() not in ABSENT and not is_valid(field, value):
            yield f"{_title(field)} {quote(value)} is not valid", FIX[field], _title(field)


def _judge_summary(fields: Fields) -> Problems:
    for value in _values(fields, "summary"):
        if len(value) > SUMMARY_CHARACTERS:
            message = f"the summary has {len(value)} characters, the limit is {SUMMARY_CHARACTERS}"
            yield message, "write one sentence; the rest belongs to the README", "Summary"


def _judge_requirements(fields: Fields) -> Problems:
    for value in _values(fields, "requires-dist"):
        if requirement_url(value):
            message = f"the requirement {quote(value)} names a direct URL"
            yield message, "require a released version by name", "Requires-Dist"
        if not has_comparable_marker(value):
            message = f"the requirement {quote(value)} compares values without an order"
            yield message, "compare versions with <, >= or ~=, and other values with == or in", "Requires-Dist"


def _judge_extras(fields: Fields) -> Problems:
    first: dict[str, str] = {}
    for value in _values(fields, "provides-extra"):
        name = canonicalize_name(value)
        if name in first:
            message = f"the extras {quote(first[name])} and {quote(value)} are the same when normalised"
            yield message, "keep one of them", "Provides-Extra"
        first.setdefault(name, value)


def _judge_licence(fields: Fields) -> Problems:
    expressions = _values(fields, "license-expression")
    if expressions and any(value.strip() for value in _values(fields, "license")):
        yield "both License and License-Expression are given", "keep License-Expression alone", "License"
    for expression in expressions:
        for name, instead in deprecated_identifiers(expression).items():
            message = f"the licence identifier {quote(name)} is deprecated"
            yield message, f"write {instead}", "License-Expression"


def _judge_classifiers(fields: Fields) -> Problems:
    for value in _values(fields, "classifier"):
        if problem := classifier_problem(value):
            yield f"the classifier {quote(value)} {problem[0]}", problem[1], "Classifier"


def _judge_urls(fields: Fields) -> Problems:
    for field in ("home-page", "download-url"):
        for value in _values(fields, field):
            if value.strip() not in ABSENT and not is_web_url(value):
                yield f"{_title(field)} {quote(value)} is not an http(s) URL", "give a full URL", _title(field)
    labels: set[str] = set()
    for value in _values(fields, "project-url"):
        label, comma, url = (part.strip() for part in value.partition(","))
        if not comma or not label or len(label) > LABEL_CHARACTERS or not is_web_url(url):
            message = f"Project-URL {quote(value)} is not a label of at most {LABEL_CHARACTERS} characters and a URL"
            yield message, "write it like Source, https://example.org/source", "Project-URL"
        elif label in labels:
            yield f"Project-URL has the label {quote(label)} twice", "keep one of them", "Project-URL"
        labels.add(label)


FIELD_RULES: tuple[Callable[[Fields], Problems], ...] = (
    _judge_required,
    _judge_known,
    _judge_repeated,
    _judge_newer,
    _judge_values,
    _judge_summary,
    _judge_requirements,
    _judge_extras,
    _judge_licence,
    _judge_classifiers,
    _judge_urls,
)
