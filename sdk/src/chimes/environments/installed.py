"""Reads the METADATA files of an environment: unmet requirements, and the description of a distribution."""

from __future__ import annotations

import platform
from pathlib import Path

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from chimes.environments.interpreter import site_packages
from chimes.text import quote

__all__ = ["dependency_problems", "read_description"]

METADATA_BYTES = 8 << 20


def dependency_problems(environment: Path) -> list[str]:
    """One sentence, sorted, for each requirement that the environment does not meet, as ``pip check`` reports them."""
    folders = sorted(site_packages(environment).glob("*.dist-info"))
    found = [_metadata(folder) for folder in folders if (folder / "METADATA").is_file()]
    versions = {str(canonicalize_name(each.get("name", ""))): each.get("version", "") for each in found}
    return sorted({problem for each in found for problem in _problems(each, versions)})


def read_description(folder: Path) -> str:
    """The description (README) in the METADATA of a ``.dist-info`` folder, empty if there is no METADATA."""
    return _metadata(folder).get("description", "") if (folder / "METADATA").is_file() else ""


def _metadata(folder: Path) -> RawMetadata:
    with (folder / "METADATA").open("rb") as stream:
        return parse_email(stream.read(METADATA_BYTES))[0]


def _problems(metadata: RawMetadata, versions: dict[str, str]) -> list[str]:
    owner = f"{metadata.get('name', '')} {metadata.get('version', '')}"
    problems = [_unmet(owner, text, versions) for text in metadata.get("requires_dist", [])]
    return [problem for problem in (_python(owner, metadata.get("requires_python")), *problems) if problem]


def _unmet(owner: str, text: str, versions: dict[str, str]) -> str | None:
    try:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            return None
        version = versions.get(canonicalize_name(requirement.name))
        if version is None:
            return f"{owner} requires {requirement.name}, which is not installed"
        fits = requirement.specifier.contains(version, prereleases=True)
    except (ValueError, KeyError, RecursionError):
        return f"{owner} has the requirement {quote(text)}, which is not valid"
    return None if fits else f"{owner} requires {requirement.name}{requirement.specifier}, installed is {version}"


def _python(owner: str, declared: str | None) -> str | None:
    here = platform.python_version()
    try:
        fits = declared is None or SpecifierSet(declared).contains(here, prereleases=True)
    except InvalidSpecifier:
        return f"{owner} has the Python range {declared!r}, which is not valid"
    return None if fits else f"{owner} requires Python {declared}, this is Python {here}"
