"""Compares the form of an upload with the metadata in its file; installers use the metadata."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name, canonicalize_version

from chimes_marketplace.submissions.form import UploadForm, is_absent

__all__ = ["differences"]

Values = Sequence[str]


def differences(form: UploadForm, about: Mapping[str, Any]) -> list[tuple[str, list[str], list[str]]]:
    """For each field that differs: its name, the values that only the form has, the values that only the file has.

    ``about`` has the keys of packaging's RawMetadata. Name, version and requirements are always compared; other
    fields if both have them. Another check reports an absent name or version in the file.
    """
    found = []
    for field, (key, normal, always) in COMPARED.items():
        said = [normal(value) for value in _spread(field, form.values(field))]
        held = [normal(value) for value in _spread(field, _held(about, key))]
        if set(said) == set(held) or not (always or (said and held)) or (field in ("name", "version") and not held):
            continue
        found.append((field, sorted(set(said) - set(held)), sorted(set(held) - set(said))))
    return found


def _held(about: Mapping[str, Any], key: str) -> list[str]:
    value = about.get(key)
    values = [] if value is None else [value] if isinstance(value, str) else list(value)
    return [text for text in values if not is_absent(text)]


def _spread(field: str, values: Values) -> list[str]:
    # The form has one string, RawMetadata a list.
    if field != "keywords":
        return list(values)
    return [word for value in values for word in value.split(",") if word.strip()]


def _text(value: str) -> str:
    return re.sub(r"[\s|]+", " ", value).strip()


def _version(value: str) -> str:
    return str(canonicalize_version(value.strip()))


def _requirement(value: str) -> str:
    try:
        found = Requirement(value)
    except (InvalidRequirement, RecursionError):
        return _text(value)
    extras = f"[{','.join(sorted(map(canonicalize_name, found.extras)))}]" if found.extras else ""
    source = f" @ {found.url}" if found.url else _specifiers(str(found.specifier))
    marker = f"; {found.marker}" if found.marker else ""
    return f"{canonicalize_name(found.name)}{extras}{source}{marker}"


def _specifiers(value: str) -> str:
    try:
        return ",".join(sorted(str(each) for each in SpecifierSet(value)))
    except InvalidSpecifier:
        return _text(value)


def _name(value: str) -> str:
    return str(canonicalize_name(value.strip()))


COMPARED: Mapping[str, tuple[str, Callable[[str], str], bool]] = MappingProxyType(
    {
        "name": ("name", _name, True),
        "version": ("version", _version, True),
        "requires_dist": ("requires_dist", _requirement, True),
        "requires_python": ("requires_python", _specifiers, False),
        "provides_extra": ("provides_extra", _name, False),
        "license": ("license", _text, False),
        "license_expression": ("license_expression", _text, False),
        "classifiers": ("classifiers", _text, False),
        "keywords": ("keywords", _text, False),
        "summary": ("summary", _text, False),
    }
)
"""For each field of the form: the key of RawMetadata, how to compare values, whether an absent value differs."""
