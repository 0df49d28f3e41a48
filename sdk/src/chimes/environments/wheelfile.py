"""Writes a wheel from files in memory: the same files give the same bytes, on every machine.

The format is the binary distribution format 1.0. Members are sorted, ``*.dist-info`` last as it recommends, and
``RECORD`` at the end. Nothing is compressed, because builds of zlib differ in their output.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.tags import parse_tag
from packaging.version import Version

__all__ = ["core_metadata", "wheel_name", "write_wheel"]

EntryPoints = Mapping[str, Mapping[str, str]]
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest date that a zip file can hold."""
REGULAR = 0o100644
EXECUTABLE = 0o100755


def write_wheel(
    folder: Path,
    *,
    name: str,
    version: str,
    files: Mapping[str, bytes],
    metadata: str | None = None,
    requires: Iterable[str] = (),
    entry_points: EntryPoints | None = None,
    requires_python: str = ">=3.11",
    readme: str | None = None,
    tag: str = "py3-none-any",
) -> Path:
    """Write ``folder/NAME-VERSION-TAG.whl`` and return its path.

    ``files`` are archive names (``acme/__init__.py``, ``acme-1.0.dist-info/licenses/LICENSE``) with their bytes.
    ``metadata`` is the text of METADATA; without it one is made from ``requires``, ``requires_python`` and ``readme``.
    ``entry_points`` are names and targets by group. METADATA, WHEEL, entry_points.txt and RECORD are added, unless
    ``files`` has them: ``files`` take precedence, so that tests can make invalid wheels.
    """
    path = folder / f"{wheel_name(name, version)}-{tag}.whl"
    info = f"{wheel_name(name, version)}.dist-info"
    members = {
        f"{info}/METADATA": (metadata or core_metadata(name, version, requires, requires_python, readme)).encode(
            "utf-8"
        ),
        f"{info}/WHEEL": _wheel_text(tag).encode("utf-8"),
        **({f"{info}/entry_points.txt": _entry_points_text(entry_points).encode("utf-8")} if entry_points else {}),
        **files,
    }
    ordered = sorted(members, key=lambda member: (member.startswith(f"{info}/"), member))
    record = f"{info}/RECORD"
    if record not in members:
        members[record] = _record(record, {member: members[member] for member in ordered})
        ordered.append(record)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member in ordered:
            archive.writestr(_header(member), members[member])
    return path


def wheel_name(name: str, version: str) -> str:
    """The first two parts of a wheel's file name: ``my_plugin-1.0`` for ``My-Plugin`` 1.0."""
    return f"{re.sub(r'[-_.]+', '_', name).lower()}-{str(Version(version)).replace('-', '_')}"


def core_metadata(
    name: str, version: str, requires: Iterable[str], requires_python: str, readme: str | None = None
) -> str:
    """The smallest METADATA that strict readers accept."""
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        f"Summary: {name}",
        f"Requires-Python: {requires_python}",
        *(f"Requires-Dist: {requirement}" for requirement in requires),
        "Description-Content-Type: text/markdown",
        "",
        f"# {name}" if readme is None else readme.rstrip(),
    ]
    return "\n".join(lines) + "\n"


def _wheel_text(tag: str) -> str:
    pure = "true" if tag.endswith("-none-any") else "false"
    tags = sorted(str(each) for each in parse_tag(tag))
    lines = ["Wheel-Version: 1.0", "Generator: chimes", f"Root-Is-Purelib: {pure}", *(f"Tag: {each}" for each in tags)]
    return "\n".join(lines) + "\n"


def _entry_points_text(groups: EntryPoints) -> str:
    sections = [
        "\n".join([f"[{group}]", *(f"{key} = {target}" for key, target in sorted(points.items()))])
        for group, points in sorted(groups.items())
    ]
    return "\n\n".join(sections) + "\n"


def _record(own: str, members: Mapping[str, bytes]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for member, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
        writer.writerow([member, f"sha256={digest}", len(data)])
    writer.writerow([own, "", ""])
    return text.getvalue().encode("utf-8")


def _header(member: str) -> zipfile.ZipInfo:
    header = zipfile.ZipInfo(member, EPOCH)
    header.create_system = 3
    header.external_attr = (EXECUTABLE if ".data/scripts/" in member else REGULAR) << 16
    return header
