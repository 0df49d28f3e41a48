"""The requirements of wheels: names and version ranges in their METADATA."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from packaging.metadata import parse_email
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

__all__ = ["third_parties"]


def third_parties(wheels: Iterable[Path]) -> set[str]:
    """The requirements that ``wheels`` do not satisfy themselves, without those of extras."""
    found = list(wheels)
    own = {parse_wheel_filename(wheel.name)[0] for wheel in found}
    wanted = [Requirement(text) for wheel in found for text in _requires(wheel)]
    needed = [item for item in wanted if item.marker is None or item.marker.evaluate({"extra": ""})]
    return {f"{item.name}{item.specifier}" for item in needed if canonicalize_name(item.name) not in own}


def _requires(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return parse_email(archive.read(name))[0].get("requires_dist", [])
