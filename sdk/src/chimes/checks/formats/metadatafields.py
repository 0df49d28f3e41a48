"""The fields of the core metadata: since which version, how often, and what a valid value is."""

from __future__ import annotations

from types import MappingProxyType
from urllib.parse import urlsplit

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.metadata import Metadata, parse_email
from packaging.requirements import Requirement
from trove_classifiers import classifiers, deprecated_classifiers

from chimes.checks.formats.licences import is_valid_expression

__all__ = [
    "ADDED",
    "FIX",
    "SINGLE",
    "VERSIONS",
    "classifier_problem",
    "has_comparable_marker",
    "is_valid",
    "is_web_url",
    "requirement_url",
]

VERSIONS = ("1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6")

ADDED = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *("metadata-version", "name", "version", "platform", "summary", "description", "keywords"),
                *("home-page", "author", "author-email", "license"),
            ),
            "1.0",
        ),
        **dict.fromkeys(
            ("supported-platform", "download-url", "classifier", "requires", "provides", "obsoletes"), "1.1"
        ),
        **dict.fromkeys(
            (
                *("maintainer", "maintainer-email", "requires-dist", "provides-dist", "obsoletes-dist"),
                *("requires-python", "requires-external", "project-url"),
            ),
            "1.2",
        ),
        **dict.fromkeys(("description-content-type", "provides-extra"), "2.1"),
        "dynamic": "2.2",
        "license-expression": "2.4",
        "license-file": "2.4",
        "import-name": "2.5",
        "import-namespace": "2.5",
    }
)
"""Each field in lower case, with the Metadata-Version that brought it."""

SINGLE = frozenset(
    {"metadata-version", "name", "version", "summary", "description", "description-content-type", "keywords"}
    | {"home-page", "download-url", "author", "author-email", "maintainer", "maintainer-email", "license"}
    | {"license-expression", "requires-python"}
)
"""Fields that stand at most once."""

FIX = MappingProxyType(
    {
        "metadata-version": f"use one of {', '.join(VERSIONS)}; a newer build tool does",
        "name": "use ASCII letters, digits, '.', '_' and '-', with a letter or digit at both ends",
        "version": "use a PEP 440 version, like 1.2.0",
        "summary": "write one line",
        "description-content-type": "use text/markdown, text/x-rst or text/plain, in UTF-8",
        "dynamic": "name a field of the core metadata other than Name, Version and Metadata-Version",
        "provides-extra": "use ASCII letters, digits, '.', '_' and '-' in the extra's name",
        "requires-python": "use version specifiers, like >=3.11",
        "requires-dist": "write it as PEP 508 has it, like numpy>=2; python_version >= '3.11'",
        "license-expression": "use SPDX identifiers, like Apache-2.0 or MIT OR BSD-3-Clause",
        "license-file": "give a path inside the distribution with '/', without '..' and '*'",
        "import-name": "give dotted Python identifiers, ';private' behind one at most",
        "import-namespace": "give dotted Python identifiers",
    }
)
"""What to do about an invalid value of a field."""


def is_valid(field: str, value: str) -> bool:
    """Whether ``value`` alone is a valid value of ``field`` (lower case), in the newest metadata version."""
    if field == "license-expression" and not is_valid_expression(value):
        return False
    raw, unparsed = parse_email(f"{field}: {value}\n")
    if unparsed:
        return False
    try:
        Metadata.from_raw({"metadata_version": VERSIONS[-1], "name": "x", "version": "0", **raw})
    except (ExceptionGroup, ValueError, RecursionError):
        return False
    return True


def requirement_url(value: str) -> str | None:
    """The direct URL of a requirement, None if it has no URL or is not a requirement."""
    try:
        return Requirement(value).url
    except (ValueError, RecursionError):
        return None


def has_comparable_marker(value: str) -> bool:
    """Whether the marker behind ``;`` can be evaluated (``os_name ~= "posix"`` cannot); true without a marker."""
    try:
        marker = Requirement(value).marker
        if marker is not None:
            marker.evaluate({"extra": ""})
    except (UndefinedComparison, UndefinedEnvironmentName):
        return False
    except (ValueError, RecursionError):
        pass
    return True


def classifier_problem(value: str) -> tuple[str, str] | None:
    """Why a classifier is not to be used, with the fix; None if it is fine. ``Private ::`` is fine here."""
    if value in deprecated_classifiers:
        instead = deprecated_classifiers[value]
        return "is deprecated", f"use {' or '.join(instead)}" if instead else "leave it out"
    if value in classifiers or value.startswith("Private :: "):
        return None
    return "does not exist", "take one from the list of trove classifiers"


def is_web_url(value: str) -> bool:
    """Whether ``value`` is an http(s) URL with a host."""
    try:
        parts = urlsplit(value.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in value.strip()
    except ValueError:
        return False
