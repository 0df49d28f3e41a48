"""Packs the running SDK into a wheel, so that a sandbox gets exactly this SDK without an index."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import chimes
from chimes.environments.cache import kept
from chimes.environments.wheelfile import wheel_name, write_wheel
from chimes.errors import InfrastructureError
from chimes.processes import scratch_folder

__all__ = ["NAME", "sdk_wheel", "staged_sdk_wheel"]

NAME = "chimes"
LEFT_OUT = frozenset({"__pycache__", "templates"})
"""Folders that are not needed in a sandbox: caches, and the templates of ``chimes new``."""


def sdk_wheel(folder: Path) -> Path:
    """Write the wheel of the running SDK into ``folder``: the same source gives the same bytes.

    Raises InfrastructureError if the SDK is not installed and so has no metadata.
    """
    try:
        installed = metadata.distribution(NAME)
    except metadata.PackageNotFoundError as error:
        raise InfrastructureError(
            "the SDK runs without being installed", hint="install it: pip install -e sdk"
        ) from error
    package = Path(chimes.__file__).parent
    files = {f"{NAME}/{path.relative_to(package).as_posix()}": path.read_bytes() for path in _sources(package)}
    return write_wheel(
        folder,
        name=NAME,
        version=installed.version,
        files={**files, **_about(installed)},
        metadata=installed.read_text("METADATA"),
    )


def staged_sdk_wheel() -> Path:
    """The same wheel in the cache, in a folder named by its digest, so that different wheels have different paths."""
    name, data = _packed()
    return kept("sdk", hashlib.sha256(data).hexdigest(), lambda folder: _put(folder / name, data)) / name


@cache
def _packed() -> tuple[str, bytes]:
    """Packed once per process: a lock and its environment must agree even if the source changes in between."""
    with scratch_folder("chimes-sdk-") as scratch:
        wheel = sdk_wheel(scratch)
        return wheel.name, wheel.read_bytes()


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(data)


def _sources(package: Path) -> Iterator[Path]:
    for path in sorted(package.iterdir()):
        if path.is_dir() and path.name not in LEFT_OUT:
            yield from _sources(path)
        elif path.is_file() and path.suffix != ".pyc" and not path.name.startswith("."):
            yield path


def _about(installed: metadata.Distribution) -> dict[str, bytes]:
    info = f"{wheel_name(NAME, installed.version)}.dist-info"
    points = installed.read_text("entry_points.txt")
    found = {} if points is None else {f"{info}/entry_points.txt": points.encode("utf-8")}
    for file in installed.files or ():
        _, inside, licence = file.as_posix().partition(".dist-info/licenses/")
        if inside:
            found[f"{info}/licenses/{licence}"] = file.read_binary()
    return found
