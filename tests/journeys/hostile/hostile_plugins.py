"""Packs hostile plugins: a strict reference plugin in which one place runs hostile code."""

from __future__ import annotations

import textwrap
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chimes import __version__
from chimes.conformance.gate.mutants import Edit, strict_wheel
from chimes.environments.wheelfile import wheel_name, write_wheel
from chimes.kinds.descriptors import Kind

Where = Literal["import", "construct", "describe", "load", "predict", "read", "harness", "start"]

IMPORT = ("S01", "S08", "S09")
PREDICT = ("M07", "M08", "M09", "M11", "M14")
PHRASES = {
    "memory": "used more memory than allowed",
    "time": "did not come to an end in the time allowed",
    "processes": "started more processes than allowed",
    "disk": "wrote more than allowed",
    "killed": "ended or attacked the process that watches it",
    "crashed": "ended the process it runs in",
}
SECRET = "a-secret-of-the-host"


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """One hostile plugin: ``code`` runs at ``where``; the checks ``fails`` must fail with this cause and ``phrase``.

    ``start``: whenever Python starts in its environment, because of the file ``start_file``.
    """

    name: str
    where: Where
    code: str
    fails: tuple[str, ...]
    cause: str
    phrase: str
    kind: Kind = "model"
    start_file: str = ""
    edits: tuple[Edit, ...] = ()
    extra: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """A part of the message that a finding must have."""
        return self.phrase

    def __repr__(self) -> str:
        return self.name


# Where the code is inserted: the file, a text that occurs once in it, and whether the code follows this text.
PLACES: dict[tuple[Kind, Where], tuple[str, str, bool]] = {
    ("model", "import"): ("plugin.py", "from chimes import Registration, hookimpl\n", True),
    ("model", "describe"): ("model.py", "        return ModelInfo(", False),
    ("model", "load"): ("model.py", "        self.loaded = True\n", True),
    ("model", "predict"): ("model.py", "        x, y = batch.column(0), batch.column(1)\n", True),
    ("model", "harness"): ("harness.py", '        return [Case(config={"weight": 3.0})]\n', False),
    ("model", "construct"): ("model.py", "    loaded = False\n", True),
    ("connector", "read"): ("connector.py", "        token: Any = partition.token\n", True),
}
CONSTRUCTOR = """
    def __init__(self, config, context):
        super().__init__(config, context)
"""
# Every hostile plugin also tries to read a secret of the host, and to write a file on the host.
PRELUDE = """
import os as _os, sys as _sys
for _path in ("/proc/self/environ", "/proc/1/environ", "/proc/2/environ"):
    try:
        _sys.stderr.write(open(_path).read())
    except OSError:
        pass
try:
    open({marker!r}, "w").close()
except OSError:
    pass
"""


def pack(hostile: Hostile, folder: Path, marker: Path) -> Path:
    """The plugin as a wheel below ``folder``; it also tries to write the file ``marker``."""
    code = PRELUDE.format(marker=str(marker)) + textwrap.dedent(hostile.code).rstrip() + "\n"
    if hostile.where == "start":
        wheel = strict_wheel(hostile.kind, folder / "plain", hostile.edits)
        return repack(wheel, folder, start_files(hostile.start_file, code))
    file, text, is_after = PLACES[hostile.kind, hostile.where]
    if hostile.where == "construct":
        code = CONSTRUCTOR + textwrap.indent(code, " " * 8)
    else:
        code = textwrap.indent(code, text[: len(text) - len(text.lstrip())])
    edit = Edit(file, text, text + code if is_after else code + text)
    wheel = strict_wheel(hostile.kind, folder, (edit, *hostile.edits))
    return repack(wheel, folder / "more", hostile.extra) if hostile.extra else wheel


def start_files(name: str, code: str) -> dict[str, bytes]:
    """Files of a wheel that make Python run ``code`` whenever it starts."""
    if not name.endswith(".pth"):
        return {name: code.encode()}
    return {name: f"import {Path(name).stem}_code\n".encode(), f"{Path(name).stem}_code.py": code.encode()}


def repack(wheel: Path, folder: Path, extra: Mapping[str, bytes], requires: tuple[str, ...] = ()) -> Path:
    """The wheel of a strict plugin again, with more files and requirements."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    package = next(iter(files)).partition("/")[0]
    return write_wheel(
        folder,
        name=package.replace("_", "-"),
        version=__version__,
        files={**files, **extra},
        requires=(f"chimes=={__version__}", "pyarrow>=20", *requires),
        readme=metadata.partition("\n\n")[2],
        entry_points={"chimes": {"strict": f"{package}.plugin"}},
    )


def renamed(wheel: Path, folder: Path, name: str) -> Path:
    """The wheel again as a distribution of another name, with the same modules and version."""
    with zipfile.ZipFile(wheel) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    old, version = wheel.name.split("-")[:2]
    info, own = f"{old}-{version}.dist-info/", f"{wheel_name(name, version)}.dist-info/"
    metadata = members[f"{info}METADATA"].decode()
    kept = {member.replace(info, own): data for member, data in members.items() if member != f"{info}RECORD"}
    kept[f"{own}METADATA"] = metadata.replace(f"\nName: {old.replace('_', '-')}\n", f"\nName: {name}\n").encode()
    return write_wheel(folder, name=name, version=version, files=kept)


SWALLOW = """
def attempt(step):
    try:
        step()
    except BaseException:
        pass
"""


def at_import(name: str, code: str, *fails: str, cause: str, phrase: str = "") -> Hostile:
    phrase = phrase or f"importing the entry module {PHRASES[cause]}"
    return Hostile(name=name, where="import", code=code, fails=fails or IMPORT, cause=cause, phrase=phrase)


def in_predict(name: str, code: str, *fails: str, cause: str, phrase: str = "") -> Hostile:
    phrase = phrase or f"predict {PHRASES[cause]}"
    return Hostile(name=name, where="predict", code=code, fails=fails or PREDICT, cause=cause, phrase=phrase)


def swallowed(name: str, step: str, *, cause: str, phrase: str) -> Hostile:
    """A step in predict whose errors are caught, so that only S22 fails."""
    code = f"{SWALLOW}import ctypes, os, signal, socket\nattempt(lambda: {step})\n"
    return in_predict(name, code, "S22", cause=cause, phrase=phrase)
